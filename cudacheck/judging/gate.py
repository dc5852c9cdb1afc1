"""What a report means for an exit code."""

from __future__ import annotations

from cudacheck.model.findings import Severity
from cudacheck.model.report import Report, State


def exit_code(report: Report, *, fail_on: str = "error", strict: bool = False) -> int:
    """0: nothing at or above `fail_on`. 1: something is, or `strict` and nothing proves the machine ready."""
    failing = {"error": {Severity.ERROR}, "warning": {Severity.ERROR, Severity.WARNING}, "never": set()}[fail_on]
    if any(finding.severity in failing for finding in report.findings):
        return 1
    return int(strict and report.verdict.state not in {State.READY, State.READY_BUT})
