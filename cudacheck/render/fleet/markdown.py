"""A fleet as Markdown, for an issue or a job's summary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cudacheck.comparing.fleet.document import Told
from cudacheck.render import Format, Shown
from cudacheck.render._clean import passing
from cudacheck.render.fleet import _outline
from cudacheck.render.fleet._outline import MOST_SHOWN, Statement
from cudacheck.render.formats.markdown import code, prose


def render(told: Told, shown: Shown) -> str:
    return passing("\n\n".join(_blocks(told, verbose=shown.verbose)) + "\n", shown.encoding)


def _blocks(told: Told, *, verbose: bool) -> Iterator[str]:
    fleet = told.fleet
    mark, words = _outline.headline(fleet)
    yield f"## {mark} {prose(words)}"
    for part in (_outline.findings, _outline.absent, _outline.slow, _outline.deviating):
        yield from _section(part(fleet), verbose=verbose)
    for judged in fleet.groups:
        yield f"### {prose(judged.group.name)}"
        lines = [prose(_outline.group_words(judged)), code(_outline.listed([n.node for n in judged.group.nodes]))]
        yield "\n".join(f"- {line}" for line in [*lines, *filter(None, [prose(_outline.resolution(judged))])])
        yield from _section(_outline.splits(judged), verbose=verbose)
    if asides := [*_outline.asides(fleet)]:
        yield "\n".join(f"- **{label}**: {prose(words)}" for label, words in asides)
    if told.changes:
        yield f"### since {prose(told.since)}"
        if changed := [*_outline.changed(told.changes)]:
            yield "\n".join(f"- **{label}**: {prose(words)}" for label, words in changed)


def _section(lines: Iterable[Statement], *, verbose: bool) -> Iterator[str]:
    whole = [*lines]
    told = []
    for line in whole if verbose else whole[:MOST_SHOWN]:
        nodes = f": {code(line.nodes)}" if line.nodes else ""
        told.append(f"- {line.mark} **{prose(line.words)}**{nodes}")
        told += [f"  {prose(detail)}" for detail in line.details]
    if whole[len(told) :] and not verbose and len(whole) > MOST_SHOWN:
        told.append(f"- and {len(whole) - MOST_SHOWN} more")
    if told:
        yield "\n".join(told)


FORMAT = Format(render=render, endings=(".md",), media_type="text/markdown")
