"""The report as Markdown, for an issue, a comment or a job's summary: what strangers wrote is text there, never markup.

Names with an `@`, numbers of issues and addresses stand as code: posted, they call nobody and link to nothing.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from rich.text import Text

from cudacheck.model.findings import Remedy
from cudacheck.model.report import Report
from cudacheck.render import Format, Shown, _glance, _measured, outline
from cudacheck.render._clean import clean, harmless, passing, typed
from cudacheck.render.outline import (
    MARKS,
    REQUIREMENT_MARKS,
    LastLines,
    Outline,
    Root,
    ended,
    explained,
    last_words,
    mark_of,
    to_type,
)

TABLE_WIDTH = 110
"""Columns of a block that is not wrapped: more of them scroll."""

_MARKUP = re.compile(r"[\\`*\[\]<>&|~$]|(?<![^\W_])_|_(?![^\W_])")
_FIRST = re.compile(r"\d{1,9}(?=[.)](?:\s|$))|(?=[-+#=])")
"""Where a line begins so, it would begin a list, a heading or a rule: what is to be escaped comes next."""
_SPEAKS = re.compile(r"@\w|#\d|\bGH-\d|://|\bwww\.|:\w+:", re.IGNORECASE)
"""A word with one of these would call somebody, link, or become a picture."""


def render(report: Report, shown: Shown) -> str:
    """From the verdict to the summary; with `verbose` probes, sources and unchecked rules, folded."""
    blocks = _blocks(report, outline.of(report, verbose=shown.verbose))
    return passing("\n\n".join(blocks) + "\n", shown.encoding)


def prose(text: object, *, cell: bool = False) -> str:
    r"""One line of words that says what it says, and does nothing else.

    >>> print(prose("# 1 * <b> for @ada in libcudnn_ops at c10::cuda::f (see #12)"))
    \# 1 \* \<b\> for `@ada` in libcudnn_ops at `c10::cuda::f` (see `#12)`
    """
    words = [code(word, cell=cell) if _SPEAKS.search(word) else _plain(word) for word in clean(text).split(" ")]
    line = " ".join(words)
    begun = _FIRST.match(line)
    return f"{begun[0]}\\{line[begun.end() :]}" if begun else line


def _plain(word: str) -> str:
    return _MARKUP.sub(r"\\\g<0>", word)


def code(text: object, *, cell: bool = False) -> str:
    """A span in which nothing is markup: its ticks are more than the text holds in a row.

    >>> print(code("a ` b"))
    `` a ` b ``
    """
    line = clean(text) or " "
    ticks = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    room = " " if "`" in line else ""
    span = f"{ticks}{room}{line}{room}{ticks}"
    return span.replace("|", "\\|") if cell else span


def block(lines: Iterable[str], language: str = "") -> str:
    """Lines as they are; nothing in them ends the block."""
    whole = [harmless(line) for line in lines]
    longest = max((len(run) for line in whole for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}{language}", *whole, fence])


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Cells of words, which are text; the heads are ours."""
    lines = ["|" + "|".join(f" {head} " if head else " " for head in heads) + "|", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *(f"| {' | '.join(prose(cell, cell=True) for cell in row)} |" for row in rows)])


def folded(title: str, *blocks: str) -> str:
    """A block that opens where it is clicked; the title is ours."""
    return "\n\n".join([f"<details><summary>{title}</summary>", *blocks, "</details>"])


def _blocks(report: Report, shown: Outline) -> Iterator[str]:
    if shown.cut_short:
        yield "## ? interrupted: what was known by then"
    if shown.verdict:
        yield f"## {MARKS[shown.verdict.state]} {prose(shown.verdict.headline)}"
        yield from _table(_measured.advice(report, TABLE_WIDTH))
    for root in shown.roots:
        yield from _root(root)
    if shown.more_roots:
        yield f"and {shown.more_roots} more findings"
    yield from _required(shown)
    yield from _questions(shown)
    if shown.read:
        yield f"**read**: {prose(' · '.join(shown.read))}"
    if shown.differing:
        yield f"**differs**: {prose(' · '.join(shown.differing))}"
    if glance := [*_glance.lines(report.facts)]:
        yield table(("", ""), glance)
    yield from _table(_measured.lines(report, TABLE_WIDTH))
    for note in shown.notes:
        yield f"### · {prose(note.finding.message)} ({code(note.finding.rule)})"
        yield from _beneath(note)
    yield from _details(shown)
    yield _summary(shown.summary)


def _root(root: Root) -> Iterator[str]:
    finding = root.finding
    yield f"### {mark_of(finding)} {prose(finding.message)} ({code(finding.rule)})"
    evidence = [f"- {prose(e.fact)}" + (f" ({prose(e.found_in)})" if e.found_in else "") for e in root.evidence]
    if root.more_evidence:
        evidence.append(f"- and {root.more_evidence} more")
    if evidence:
        yield "\n".join(evidence)
    yield from _beneath(root)


def _beneath(root: Root) -> Iterator[str]:
    for number, remedy in enumerate(root.remedies):
        yield f"**{'or' if number else 'do'}**: {prose(outline.titled(remedy))}"
        yield from _to_type(remedy)
    if root.verify:
        yield "**check**"
        yield block([typed(root.verify)])
    if root.explains:
        yield f"**explains**: {prose(explained(root))}"
    if root.sources:
        yield "**sources**: " + " ".join(map(code, root.sources))


def _required(shown: Outline) -> Iterator[str]:
    if shown.required:
        rows = [(REQUIREMENT_MARKS[one.state], one.spec, one.said) for one in shown.required]
        yield table(("", "required", ""), rows)
    if shown.more_required:
        yield f"and {shown.more_required} more requirements"


def _questions(shown: Outline) -> Iterator[str]:
    for question in shown.questions:
        yield "**ask**"
        yield block([typed(question.command)])
        if answers := outline.answers(question):
            yield "\n".join(f"- {prose(answer)}" for answer in answers)
    if shown.ask_all:
        yield "**all at once**: paste what this prints"
        yield block(map(typed, shown.ask_all))


def _to_type(remedy: Remedy) -> Iterator[str]:
    if lines := to_type(remedy):
        yield block(map(typed, lines))


def _table(lines: Iterator[Text]) -> Iterator[str]:
    """What stands in columns keeps them."""
    text = textwrap.dedent("\n".join(line.plain.rstrip() for line in lines)).strip("\n")
    if text:
        yield block(text.split("\n"), "text")


def _details(shown: Outline) -> Iterator[str]:
    if shown.probes:
        told = [line for run in shown.probes for line in (ended(run), *(f"    {word}" for word in last_words(run)))]
        yield folded("how each probe ended", block(map(clean_line, told), "text"))
    if shown.unchecked:
        lines = [f"{unchecked.rule}: {unchecked.reason}" for unchecked in shown.unchecked]
        yield folded("unchecked rules", block(map(clean_line, lines), "text"))


def clean_line(line: str) -> str:
    """Harmless, of a bounded length, with its indentation."""
    indent = line[: len(line) - len(line.lstrip(" "))]
    return indent + clean(line)


def _summary(told: LastLines) -> str:
    more = f" · more: {code(f'cudacheck explain {told.ask}')}" if told.ask else ""
    return " · ".join(map(prose, told.parts)) + more


FORMAT = Format(render=render, endings=(".md",), media_type="text/markdown")
