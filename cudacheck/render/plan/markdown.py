"""A plan as Markdown, for an issue or a job's summary."""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.planning.answer import Planned
from cudacheck.render import Format, Shown
from cudacheck.render._clean import passing
from cudacheck.render.formats.markdown import block, code, prose, table
from cudacheck.render.plan import _outline


def render(planned: Planned, shown: Shown) -> str:
    return passing("\n\n".join(_blocks(planned)) + "\n", shown.encoding)


def _blocks(planned: Planned) -> Iterator[str]:
    plan = planned.plan
    mark, words = _outline.headline(plan, check=planned.check)
    yield f"## {mark} {prose(words)}"
    if differing := _outline.differences(plan):
        yield table(("what differs", ""), differing)
    name, lines, commands = _outline.to_type(plan)
    if name:
        yield code(name)
        yield block(lines)
    if commands:
        yield block(commands, "sh")
    if not (planned.check and plan.choice):
        yield table(("", ""), [*_outline.machine(plan), *_outline.reasons(plan)])


FORMAT = Format(render=render, endings=(".md",), media_type="text/markdown")
