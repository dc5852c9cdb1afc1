"""The report for a person at a terminal: the verdict first, then what to type, then the facts at a glance."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from cudacheck.judging.verdict import interrupted
from cudacheck.model.findings import Finding, Remedy, Severity
from cudacheck.model.report import Outcome, Report, State
from cudacheck.probes.patient.bench_kernels import BenchPlan
from cudacheck.render import Format, Shown, _columns, _glance, _kernels, out
from cudacheck.render._clean import clean, harmless, packed, passing, typed, wrapped
from cudacheck.speed.steps import measured

MARKS = {State.READY: "✓", State.READY_BUT: "✓", State.NOT_PROVEN: "?", State.BROKEN: "✗"}
SEVERITY_MARKS = {Severity.ERROR: "✗", Severity.WARNING: "!", Severity.NOTE: "·"}
STYLES = {"✓": "bold green", "?": "bold yellow", "✗": "bold red", "!": "bold yellow", "·": "bold blue"}
LABEL = 12
NARROWEST, USUAL, WIDEST = 40, 100, 120
"""Columns: a narrower terminal wraps by itself, a pipe gets the usual, and longer lines are hard to read."""
MOST_FINDINGS = 200
"""There are fewer rules: more findings are not ours."""
MOST_EVIDENCE = 20
"""Of one finding: a report may hold thousands of rows that failed alike."""


def render(report: Report, shown: Shown) -> str:
    """The whole screen as text. Nothing that someone must copy is wrapped or cut."""
    width = max(NARROWEST, min(WIDEST, shown.width or out.width() or USUAL))
    console = Console(
        # A string of our own: while capturing, Console would still touch a stdout that may be closed or full.
        file=io.StringIO(),
        width=width,
        force_terminal=shown.colour,
        no_color=not shown.colour,
        color_system="auto" if shown.colour else None,
        highlight=False,
    )
    with console.capture() as capture:
        for line in _Screen(report, width, verbose=shown.verbose).lines():
            line.plain = harmless(line.plain)  # whatever was forgotten on the way: colours are ours alone
            console.print(line, soft_wrap=True)
    text = "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"
    return passing(text, shown.encoding, colour=shown.colour)


class _Screen:
    def __init__(self, report: Report, width: int, *, verbose: bool) -> None:
        self.report = report
        self.width = width
        self.verbose = verbose

    def lines(self) -> Iterator[Text]:
        roots = [f for f in self.report.findings if f.caused_by is None]
        shown = [f for f in roots if f.severity is not Severity.NOTE]
        broken = self.report.verdict.state is State.BROKEN
        if broken and interrupted(self.report.facts):
            yield from self._headline("?", "interrupted: what was known by then")
            yield Text()
        if not broken:
            yield from self._headline(MARKS[self.report.verdict.state], self.report.verdict.headline)
            yield Text()
            yield from self._steps("advice")
        for finding in shown[:MOST_FINDINGS]:
            yield from self._finding(finding)
        yield from _columns.more(len(shown) - MOST_FINDINGS, "findings")
        for label, text in _glance.lines(self.report.facts):
            yield from self._labelled(label, text)
        if self.report.facts.one(BenchPlan):
            yield from _kernels.lines(self.report, self.width)
        yield from self._steps("lines")
        if not broken or self.verbose:  # advice is for the healthy
            for finding in [f for f in roots if f.severity is Severity.NOTE][:MOST_FINDINGS]:
                yield Text()
                yield from self._note(finding)
        yield from self._details()
        yield Text()
        yield from self._summary(shown or roots)

    def _steps(self, part: str) -> Iterator[Text]:
        """Imported where there is something to show: a doctor without it starts 0.03 s sooner."""
        if any(self.report.facts.all(kind) for kind in measured.MEASURED):
            from cudacheck.render.steps import tables

            yield from getattr(tables, part)(self.report.facts, self.width)

    def _headline(self, mark: str, message: str, right: str = "") -> Iterator[Text]:
        first, *rest = wrapped(message, self.width - 2) or [""]
        line = Text.assemble((f"{mark} ", STYLES[mark]), (first, "bold"))
        if right and not rest and len(first) + len(right) + 5 <= self.width:
            line.append(" " * (self.width - len(line) - len(right)))
            line.append(right, "dim")
            right = ""
        yield line
        for more in rest:
            yield Text.assemble("  ", (more, "bold"))
        if right:
            yield Text.assemble("  ", (right, "dim"))

    def _finding(self, finding: Finding) -> Iterator[Text]:
        mark = SEVERITY_MARKS[finding.severity or Severity.ERROR]
        yield from self._headline(mark, finding.message, finding.rule)
        for evidence in finding.evidence[:MOST_EVIDENCE]:
            where = f" ({clean(_glance.short(evidence.found_in))})" if evidence.found_in else ""
            yield from self._labelled("evidence", f"{evidence.fact}{where}", dim=True)
        if len(finding.evidence) > MOST_EVIDENCE:
            yield from self._labelled("", f"and {len(finding.evidence) - MOST_EVIDENCE} more", dim=True)
        for index, remedy in enumerate(finding.remedies):
            yield from self._remedy("do" if index == 0 else "or", remedy)
        verify = next((remedy.verify for remedy in finding.remedies if remedy.verify), "")
        if verify:
            yield from self._typed("check", verify)
        explained = [f for f in self.report.findings if f.caused_by == finding.rule][:MOST_FINDINGS]
        if explained:
            yield from self._labelled("explains", " · ".join(f"{f.rule}: {f.message}" for f in explained), dim=True)
        if self.verbose:
            for source in finding.sources[:MOST_EVIDENCE]:
                yield from self._whole("source", clean(source))
        yield Text()

    def _note(self, finding: Finding) -> Iterator[Text]:
        yield from self._headline("·", finding.message, finding.rule)
        for remedy in finding.remedies[: None if self.verbose else 1]:
            yield from self._remedy("do", remedy)

    def _remedy(self, label: str, remedy: Remedy) -> Iterator[Text]:
        marks = [word for word, on in (("root", remedy.needs_root), ("reboot", remedy.needs_reboot)) if on]
        title = remedy.title + (f" ({', '.join(marks)})" if marks else "")
        yield from self._labelled(label, title)
        edit = remedy.edit.rstrip("\n").split("\n") if remedy.edit else []
        for line in (*edit, *remedy.commands):
            yield from self._typed("", line)

    def _labelled(self, label: str, text: str, *, dim: bool = False) -> Iterator[Text]:
        style = "dim" if dim else ""
        yield from _columns.labelled(clean(label, 11), text, self.width, indent=LABEL + 2, style=style)

    def _typed(self, label: str, command: str) -> Iterator[Text]:
        """A line to copy: never wrapped, whatever the width, for a terminal's own wrapping copies as one line."""
        yield from self._whole(label, typed(command))

    def _whole(self, label: str, line: str) -> Iterator[Text]:
        yield Text.assemble("  ", (f"{label:<{LABEL}}", "cyan"), (line, "green"))

    def _details(self) -> Iterator[Text]:
        if not self.verbose:
            return
        yield Text()
        for run in self.report.probes:
            seconds = f" {run.seconds:.2f} s" if run.seconds is not None else ""
            detail = f" {run.detail}" if run.detail else ""
            yield from self._labelled("probe", f"{run.probe} {run.outcome}{seconds}{detail}")
            if run.outcome not in {Outcome.OK, Outcome.SKIPPED}:
                for line in run.log.splitlines()[-12:]:
                    yield from self._whole("", clean(line))
        for unchecked in self.report.unchecked:
            yield from self._labelled("unchecked", f"{unchecked.rule}: {unchecked.reason}")

    def _summary(self, shown: list[Finding]) -> Iterator[Text]:
        count = self.report.count
        errors, warnings = count(Severity.ERROR), count(Severity.WARNING)
        parts = [f"{errors} error{'s' * (errors != 1)}", f"{warnings} warning{'s' * (warnings != 1)}"]
        if self.report.unchecked:
            reason, _ = Counter(u.reason for u in self.report.unchecked).most_common(1)[0]
            n = len(self.report.unchecked)
            parts.append(f"{n} rule{'s' * (n != 1)} unchecked ({clean(reason, 60)})")
        if self.report.seconds is not None:
            parts.append(f"{self.report.seconds:.1f} s")
        if self.report.knowledge_date:
            parts.append(f"knowledge of {clean(self.report.knowledge_date, 20)}")
        for line in packed(parts, self.width):
            yield Text(line, "dim")
        if shown:
            yield Text.assemble(("more: ", "dim"), (f"cudacheck explain {shown[0].rule}", "green"))


FORMAT = Format(render=render, endings=(".txt",), media_type="text/plain")
