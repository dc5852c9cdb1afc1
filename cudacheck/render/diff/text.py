"""What is different, for a person at a terminal: why the second fails, then what differs, what matters first."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from cudacheck.comparing.compare import Diff, Diffs, Labelled, LikelyReason
from cudacheck.render import Format, Shown, _columns, _screen, out
from cudacheck.render._clean import clean
from cudacheck.render.diff import _outline
from cudacheck.render.outline import MARKS, mark_of

LABEL = 12
WIDEST_NAME = 44


def render(diffs: Diffs, shown: Shown) -> str:
    width = out.columns(shown.width)
    return _screen.printed(_lines(diffs, width, verbose=shown.verbose), width, shown)


def _lines(diffs: Diffs, width: int, *, verbose: bool) -> Iterator[Text]:
    for number, (other, diff) in enumerate(diffs.others):
        if number:
            yield Text()
        yield from _screen.headline(*_outline.headline(diff), width)
        yield Text()
        for named in (diffs.first, other):
            verdict = named.report.verdict
            words = f"{MARKS[verdict.state]} {verdict.headline}"
            yield from _labelled("compared" if named is diffs.first else "with", _outline.title(named), width)
            yield from _labelled("", words, width, dim=True)
        if not diff.is_same:
            yield from _differing(diff, other, width, verbose=verbose)


def _differing(diff: Diff, other: Labelled, width: int, *, verbose: bool) -> Iterator[Text]:
    for reason in diff.likely_reasons:
        yield Text()
        yield from _reason(reason, width)
    if diff.only_first:
        yield Text()
        names = ", ".join(finding.rule for finding in diff.only_first)
        yield from _labelled("only before", names, width)
    shown, left = _outline.rows(diff, verbose=verbose)
    if shown:
        yield Text()
        yield Text("what differs", "bold")
    indent = 2 + min(WIDEST_NAME, width // 2 - 2, max((len(row.told.what) for row in shown), default=0)) + 2
    for row in shown:
        yield from _row(row, width, indent)
    yield from _columns.more(left, "(--verbose shows them)")
    if command := diff.likely_reasons and _outline.to_ask(other):
        yield Text()
        yield Text.assemble(("what to do: ", "dim"), (clean(command), "green"))


def _row(row: _outline.Row, width: int, indent: int) -> Iterator[Text]:
    """Its words beside its name; below it where a path, or the name, is too long for that."""
    name = clean(row.told.what, 200)
    longest = max(map(len, row.words.split()), default=0)
    if indent + longest <= width and 2 + len(name) + 2 <= indent:
        yield from _columns.labelled(name, row.words, width, indent=indent)
    else:
        yield Text(f"  {name}", "cyan")
        below = indent if indent + longest <= width else 6
        yield from _columns.labelled("", row.words, width, indent=below)


def _reason(reason: LikelyReason, width: int) -> Iterator[Text]:
    finding = reason.finding
    yield from _screen.headline(mark_of(finding), finding.message, width, finding.rule)
    for number, line in enumerate(_outline.resting(reason)):
        yield from _labelled("" if number else "rests on", line, width, dim=True)


def _labelled(label: str, text: str, width: int, *, dim: bool = False) -> Iterator[Text]:
    yield from _columns.labelled(label, text, width, indent=LABEL + 2, style="dim" if dim else "")


FORMAT = Format(render=render, endings=(".txt",), media_type="text/plain")
