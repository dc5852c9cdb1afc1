"""What is different, as Markdown, for an issue or a job's summary."""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.comparing.compare import Diff, Diffs, Labelled, LikelyReason
from cudacheck.render import Format, Shown
from cudacheck.render._clean import passing, typed
from cudacheck.render.diff import _outline
from cudacheck.render.formats.markdown import block, code, prose, table
from cudacheck.render.outline import MARKS, mark_of


def render(diffs: Diffs, shown: Shown) -> str:
    return passing("\n\n".join(_blocks(diffs, verbose=shown.verbose)) + "\n", shown.encoding)


def _blocks(diffs: Diffs, *, verbose: bool) -> Iterator[str]:
    for other, diff in diffs.others:
        mark, words = _outline.headline(diff)
        yield f"## {mark} {prose(words)}"
        yield table(("", ""), [(_outline.title(named), _verdict(named)) for named in (diffs.first, other)])
        for reason in diff.likely_reasons:
            yield from _reason(reason)
        if diff.only_first:
            yield "**only before**: " + ", ".join(code(finding.rule) for finding in diff.only_first)
        yield from _table(diff, verbose=verbose)
        if command := diff.likely_reasons and _outline.to_ask(other):
            yield "**what to do**"
            yield block([typed(command)])


def _verdict(named: Labelled) -> str:
    verdict = named.report.verdict
    return f"{MARKS[verdict.state]} {verdict.headline}"


def _reason(reason: LikelyReason) -> Iterator[str]:
    finding = reason.finding
    yield f"### {mark_of(finding)} {prose(finding.message)} ({code(finding.rule)})"
    yield "\n".join(["rests on", *(f"- {prose(line)}" for line in _outline.resting(reason))])


def _table(diff: Diff, *, verbose: bool) -> Iterator[str]:
    shown, left = _outline.rows(diff, verbose=verbose)
    if shown:
        yield table(("what differs", ""), [(row.told.what, row.words) for row in shown])
    if left:
        yield f"and {left} more"


FORMAT = Format(render=render, endings=(".md",), media_type="text/markdown")
