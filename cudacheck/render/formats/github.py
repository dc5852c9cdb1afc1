"""The report as annotations of a GitHub workflow: what must be mended, on the run's page and in its log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cudacheck.model.findings import Severity
from cudacheck.model.report import Report
from cudacheck.render import Format, Shown, outline
from cudacheck.render._clean import clean, typed
from cudacheck.render.outline import MARKS, Root, explained, titled, to_type

MOST = 10
"""Of each kind in one step; GitHub leaves out the others."""
COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
LONGEST = 4000


def render(report: Report, shown: Shown) -> str:
    """A line for each root, worst first, and the verdict as a last line that is no command."""
    seen = outline.of(report, verbose=shown.verbose)
    lines = [line for severity in COMMANDS for line in _of(severity, (*seen.roots, *seen.notes))]
    verdict = f"{MARKS[report.verdict.state]} {clean(report.verdict.headline)}"
    return "\n".join([*lines, verdict]) + "\n"


def _of(severity: Severity, roots: Iterable[Root]) -> Iterator[str]:
    of_this = [root for root in roots if root.finding.severity is severity]
    for root in of_this[:MOST]:
        yield command(severity, _told(root), title=clean(root.finding.rule, 60))


def command(severity: Severity, text: str, **properties: object) -> str:
    """An annotation as the runner reads it: `::error file=a,line=3::text`; the text may have several lines."""
    given = ",".join(f"{name}={_property(clean(value))}" for name, value in properties.items())
    return f"::{COMMANDS[severity]} {given}::{_data(text)}"


def _told(root: Root) -> str:
    """Several lines: the message, why, what to type, what follows from it."""
    lines = [clean(root.finding.message)]
    lines += [f"evidence: {clean(evidence.fact)}" for evidence in root.evidence[:3]]
    for remedy in root.remedies:
        lines += [f"do: {clean(titled(remedy))}", *(f"    {typed(line)}" for line in to_type(remedy))]
    if root.explains:
        lines.append(f"explains: {clean(explained(root), 600)}")
    return "\n".join(lines)[:LONGEST]


def _data(text: str) -> str:
    """As the runner reads it back (actions/toolkit, command.ts)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


FORMAT = Format(render=render, endings=(), media_type="text/plain")
