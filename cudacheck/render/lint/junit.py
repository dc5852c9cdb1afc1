"""JUnit: a case for each file with findings, and one that passes where there are none."""

from __future__ import annotations

import itertools

from cudacheck.lint.linting import Linted
from cudacheck.lint.rule import LintFinding
from cudacheck.render import Format, Shown
from cudacheck.render._clean import clean
from cudacheck.render.formats import junit


def render(linted: Linted, shown: Shown) -> str:
    cases = []
    grouped = itertools.groupby(sorted(linted.findings, key=lambda f: f.path), key=lambda f: f.path)
    for path, findings in grouped:
        case = junit.case_of("cudacheck.lint", clean(path))
        for finding in findings:
            junit.failed(case, f"{finding.severity}: {finding.rule}", _told(finding), "")
        cases.append(case)
    if not cases:
        cases.append(junit.case_of("cudacheck.lint", f"{linted.files} files"))
    return junit.document(junit.suites_of(junit.suite_of("cudacheck lint", cases)), shown.encoding)


def _told(finding: LintFinding) -> str:
    return clean(f"{finding.path}:{finding.place.line}: {finding.message}", 1000)


FORMAT = Format(render=render, endings=(".xml",), media_type="application/xml")
