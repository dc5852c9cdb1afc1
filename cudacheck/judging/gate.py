"""What a report means for an exit code."""

from __future__ import annotations

import enum

from cudacheck.model.findings import Severity
from cudacheck.model.report import Fulfilment, Report, State


class NotProven(enum.StrEnum):
    """What it means where nothing proves the machine ready."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    RETRY = "retry"
    """An exit code of its own, so that a pipeline may repeat that and nothing else."""


RETRY_CODE = 3
REQUIREMENT = "requirement-failed"
"""The findings of this rule count by what became of the requirement."""
CODES = {NotProven.PASS: 0, NotProven.FAIL: 1, NotProven.RETRY: RETRY_CODE}
FAILING = {
    "error": {Severity.ERROR},
    "warning": {Severity.ERROR, Severity.WARNING},
    "never": set[Severity](),
}


def exit_code(
    report: Report,
    *,
    fail_on: str = "error",
    not_proven: NotProven = NotProven.PASS,
    exit_zero: bool = False,
) -> int:
    """0: nothing at or above `fail_on`, and every requirement fulfilled. 1: one of them is not so.

    A requirement that cannot be checked is never 0; 3 under `retry` where that is all there is. What is not proven
    ready has the code of `not_proven`, and so has a speed that was measured and cannot be judged. `exit_zero` outranks
    everything.
    """
    if exit_zero:
        return 0
    states = {result.state for result in report.requirements}
    found = {finding.severity for finding in report.findings if finding.rule != REQUIREMENT}
    if Fulfilment.UNMET in states or found & FAILING[fail_on]:
        return 1
    if Fulfilment.UNCHECKED in states:
        return RETRY_CODE if not_proven is NotProven.RETRY else 1
    proven = report.verdict.state in {State.READY, State.READY_BUT} and not report.verdict.not_judged
    return 0 if proven else CODES[not_proven]
