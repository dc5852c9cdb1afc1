"""The report in one line of at most 80 bytes: a drain reason of Slurm's, a node condition, a plugin of Nagios'."""

from __future__ import annotations

from cudacheck.model.findings import Finding, Severity
from cudacheck.model.report import Report, State
from cudacheck.render import Format, Shown
from cudacheck.render._clean import clean, passing

MOST_BYTES = 80
"""With the end of the line."""
WORDS = {State.READY: "ready", State.READY_BUT: "ready", State.NOT_PROVEN: "not-proven", State.BROKEN: "broken"}
ACTING = (State.BROKEN, State.READY_BUT)
"""Where somebody can do something about it."""


def render(report: Report, _: Shown) -> str:
    """`[node] driver-too-old: …`: who must act, the root and what is wrong; `[ready] …` where nothing is.

    In ASCII, so that a byte is a letter wherever it is cut.
    """
    state = report.verdict.state
    root = next((f for f in report.findings if f.caused_by is None and f.severity is not Severity.NOTE), None)
    said = _of(root) if root and state in ACTING else f"[{WORDS[state]}] {_short(report.verdict.headline)}"
    line = passing(clean(said), "ascii")
    return (line if len(line) < MOST_BYTES else f"{line[: MOST_BYTES - 4].rstrip()}...") + "\n"


def _of(finding: Finding) -> str:
    return f"[{finding.fix_by or 'node'}] {finding.rule}: {finding.message}"


def _short(headline: str) -> str:
    """Without what the word before it says already."""
    for begin in ("ready: ", "ready; ", "no fault found, not proven: "):
        headline = headline.removeprefix(begin)
    return headline


FORMAT = Format(render=render, endings=(), media_type="text/plain")
