"""The report for a person at a terminal: the verdict first, then what to type, then the facts at a glance."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from cudacheck.model.findings import Remedy
from cudacheck.model.report import Report
from cudacheck.render import Format, Shown, _columns, _glance, _measured, _screen, out, outline
from cudacheck.render._clean import clean, packed, typed
from cudacheck.render.outline import (
    MARKS,
    REQUIREMENT_MARKS,
    LastLines,
    Root,
    ended,
    explained,
    last_words,
    mark_of,
    titled,
    to_type,
)

LABEL = 12


def render(report: Report, shown: Shown) -> str:
    """The whole screen as text. Nothing that someone must copy is wrapped or cut."""
    width = out.columns(shown.width)
    return _screen.printed(_Screen(report, width, verbose=shown.verbose).lines(), width, shown)


class _Screen:
    def __init__(self, report: Report, width: int, *, verbose: bool) -> None:
        self.report = report
        self.outline = outline.of(report, verbose=verbose)
        self.width = width

    def lines(self) -> Iterator[Text]:
        shown = self.outline
        if shown.cut_short:
            yield from self._headline("?", "interrupted: what was known by then")
            yield Text()
        if shown.verdict:
            yield from self._headline(MARKS[shown.verdict.state], shown.verdict.headline)
            yield Text()
            yield from _measured.advice(self.report, self.width)
        for root in shown.roots:
            yield from self._root(root)
        yield from _columns.more(shown.more_roots, "findings")
        yield from self._required()
        yield from self._questions()
        if shown.read:
            yield from self._labelled("read", " · ".join(shown.read))
        if shown.differing:
            yield from self._labelled("differs", " · ".join(shown.differing))
        for label, text in _glance.lines(self.report.facts):
            yield from self._labelled(label, text)
        yield from _measured.lines(self.report, self.width)
        for note in shown.notes:
            yield Text()
            yield from self._note(note)
        yield from self._details()
        yield Text()
        yield from self._summary(shown.summary)

    def _headline(self, mark: str, message: str, right: str = "") -> Iterator[Text]:
        return _screen.headline(mark, message, self.width, right)

    def _root(self, root: Root) -> Iterator[Text]:
        finding = root.finding
        yield from self._headline(mark_of(finding), finding.message, finding.rule)
        for evidence in root.evidence:
            where = f" ({clean(_glance.short(evidence.found_in))})" if evidence.found_in else ""
            yield from self._labelled("evidence", f"{evidence.fact}{where}", dim=True)
        if root.more_evidence:
            yield from self._labelled("", f"and {root.more_evidence} more", dim=True)
        yield from self._beneath(root)
        yield Text()

    def _beneath(self, root: Root) -> Iterator[Text]:
        for index, remedy in enumerate(root.remedies):
            yield from self._remedy("do" if index == 0 else "or", remedy)
        if root.verify:
            yield from self._typed("check", root.verify)
        if root.explains:
            yield from self._labelled("explains", explained(root), dim=True)
        for source in root.sources:
            yield from self._whole("source", clean(source))

    def _required(self) -> Iterator[Text]:
        for number, one in enumerate(self.outline.required):
            words = f"{REQUIREMENT_MARKS[one.state]} {one.spec}: {one.said}"
            yield from self._labelled("" if number else "required", words)
        yield from _columns.more(self.outline.more_required, "requirements")
        if self.outline.required:
            yield Text()

    def _questions(self) -> Iterator[Text]:
        for question in self.outline.questions:
            yield from self._typed("ask", question.command)
            for answer in outline.answers(question):
                yield from self._labelled("", answer, dim=True)
        if self.outline.ask_all:
            yield from self._labelled("all at once", "paste what this prints")
        for line in self.outline.ask_all:
            yield from self._typed("", line)
        if self.outline.questions:
            yield Text()

    def _note(self, note: Root) -> Iterator[Text]:
        yield from self._headline("·", note.finding.message, note.finding.rule)
        yield from self._beneath(note)

    def _remedy(self, label: str, remedy: Remedy) -> Iterator[Text]:
        yield from self._labelled(label, titled(remedy))
        for line in to_type(remedy):
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
        if not self.outline.probes and not self.outline.unchecked:
            return
        yield Text()
        for run in self.outline.probes:
            yield from self._labelled("probe", ended(run))
            for line in last_words(run):
                yield from self._whole("", clean(line))
        for unchecked in self.outline.unchecked:
            yield from self._labelled("unchecked", f"{unchecked.rule}: {unchecked.reason}")

    def _summary(self, told: LastLines) -> Iterator[Text]:
        for line in packed(told.parts, self.width):
            yield Text(line, "dim")
        if told.ask:
            yield Text.assemble(("more: ", "dim"), (f"cudacheck explain {told.ask}", "green"))


FORMAT = Format(render=render, endings=(".txt",), media_type="text/plain")
