"""JUnit: a case for each file with findings, and one that passes where there are none."""

from __future__ import annotations

import itertools

from junitparser import Failure, JUnitXml, TestCase, TestSuite

from cudacheck.lint.linting import Linted
from cudacheck.lint.rule import LintFinding
from cudacheck.lint.showing import LintFormat
from cudacheck.render._clean import clean


def render(linted: Linted, _width: int | None) -> str:
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
    return (text.decode("utf-8") if isinstance(text, bytes) else str(text)) + "\n"


def _failure(finding: LintFinding) -> Failure:
    message = clean(f"{finding.path}:{finding.place.line}: {finding.message}", 1000)
    return Failure(message, f"{finding.severity}: {finding.rule}")


FORMAT = LintFormat(render=render)
