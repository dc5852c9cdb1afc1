"""JUnit: a case for each file with findings, and one that passes where there are none."""

from __future__ import annotations

import itertools

from junitparser import Failure, JUnitXml, TestCase, TestSuite

from cudacheck.lint.linting import Linted
from cudacheck.lint.rule import LintFinding
from cudacheck.render import Format, Shown
from cudacheck.render._clean import clean, passing


def render(linted: Linted, shown: Shown) -> str:
    suite = TestSuite("cudacheck lint")
    grouped = itertools.groupby(sorted(linted.findings, key=lambda f: f.path), key=lambda f: f.path)
    for path, findings in grouped:
        case = TestCase(clean(path), "cudacheck.lint")
        case.result = [_failure(finding) for finding in findings]
        suite.add_testcase(case)
    if not linted.findings:
        suite.add_testcase(TestCase(f"{linted.files} files", "cudacheck.lint"))
    report = JUnitXml()
    report.add_testsuite(suite)
    text = report.tostring()
    told = text.decode("utf-8") if isinstance(text, bytes) else str(text)
    return passing(f"{told}\n", shown.encoding)


def _failure(finding: LintFinding) -> Failure:
    message = clean(f"{finding.path}:{finding.place.line}: {finding.message}", 1000)
    return Failure(message, f"{finding.severity}: {finding.rule}")


FORMAT = Format(render=render, endings=(".xml",), media_type="application/xml", needs=("junitparser", "lint"))
