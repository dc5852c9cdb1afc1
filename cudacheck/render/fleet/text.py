"""A fleet for a person at a terminal: the verdict, the worst nodes, then groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.text import Text

from cudacheck.comparing.fleet.document import Told
from cudacheck.render import Format, Shown, _columns, _screen, out
from cudacheck.render._clean import clean
from cudacheck.render.fleet import _outline
from cudacheck.render.fleet._outline import MOST_SHOWN, Statement

LABEL = 12


def render(told: Told, shown: Shown) -> str:
    width = out.columns(shown.width)
    return _screen.printed(_lines(told, width, verbose=shown.verbose), width, shown)


def _lines(told: Told, width: int, *, verbose: bool) -> Iterator[Text]:
    fleet = told.fleet
    yield from _screen.headline(*_outline.headline(fleet), width)
    for part in (_outline.findings, _outline.absent, _outline.slow, _outline.deviating):
        yield from _section(part(fleet), width, verbose=verbose)
    for judged in fleet.groups:
        yield Text()
        yield from _columns.labelled("group", judged.group.name, width, indent=LABEL + 2, style="bold")
        yield from _labelled("", _outline.group_words(judged), width)
        nodes = [node.node for node in judged.group.nodes]
        yield from _labelled("", _outline.listed(nodes, width - LABEL - 20), width)
        if words := _outline.resolution(judged):
            yield from _labelled("", words, width, dim=True)
        yield from _section(_outline.splits(judged), width, verbose=verbose)
    asides = [*_outline.asides(fleet)]
    if asides:
        yield Text()
    for label, words in asides if verbose else asides[:MOST_SHOWN]:
        yield from _labelled(label, words, width)
    yield from _columns.more(0 if verbose else len(asides) - MOST_SHOWN)
    if told.changes:
        yield Text()
        yield from _labelled("since", told.since, width)
        for label, words in _outline.changed(told.changes):
            yield from _labelled(label, words, width)


def _section(lines: Iterable[Statement], width: int, *, verbose: bool) -> Iterator[Text]:
    """After an empty line; the first of them unless all are wanted."""
    whole = [*lines]
    if whole:
        yield Text()
    for line in whole if verbose else whole[:MOST_SHOWN]:
        nodes = f": {line.nodes}" if line.nodes else ""
        yield from _screen.headline(line.mark, f"{line.words}{nodes}", width)
        for detail in line.details:
            yield from _columns.labelled("", clean(detail), width, indent=4, style="dim")
    yield from _columns.more(0 if verbose else len(whole) - MOST_SHOWN, "(--verbose shows them)")


def _labelled(label: str, text: str, width: int, *, dim: bool = False) -> Iterator[Text]:
    yield from _columns.labelled(label, text, width, indent=LABEL + 2, style="dim" if dim else "")


FORMAT = Format(render=render, endings=(".txt",), media_type="text/plain")
