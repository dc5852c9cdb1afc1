"""A plan for a person at a terminal: the answer, what to copy, then why."""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.planning.answer import InstallPlan, Planned
from cudacheck.render import Format, Shown, out
from cudacheck.render._clean import hanging, harmless, passing, wrapped
from cudacheck.render.plan import _outline

LABEL = 14
Line = list[tuple[str, str]]
"""Words and their styles; Rich, which draws those, is imported where there are colours."""


def render(planned: Planned, shown: Shown) -> str:
    """What is to be copied is neither wrapped nor cut."""
    width = out.columns(shown.width)
    lines = _lines(planned, width)
    if not shown.colour:
        plain = ("".join(words for words, _ in line) for line in lines)
        return passing("".join(f"{harmless(line).rstrip()}\n" for line in plain), shown.encoding)
    from rich.text import Text

    from cudacheck.render import _screen

    return _screen.printed((Text.assemble(*line) for line in lines), width, shown)


def _lines(planned: Planned, width: int) -> Iterator[Line]:
    plan = planned.plan
    yield from _headline(*_outline.headline(plan, check=planned.check), width)
    if planned.check and plan.choice:
        for label, words in _outline.differences(plan):
            yield from _row(label, words, width)
        yield from _to_type(plan)
        return
    for label, words in _outline.machine(plan):
        yield from _row(label, words, width)
    if any(_outline.to_type(plan)):
        yield []
        yield from _to_type(plan)
        yield []
    before = ""
    for label, words in _outline.reasons(plan):
        yield from _row(" " if label == before else label, words, width)
        before = label


def _headline(mark: str, words: str, width: int) -> Iterator[Line]:
    style = {"✓": "bold green", "?": "bold yellow", "✗": "bold red"}[mark]
    first, *rest = wrapped(f"{mark} {words}", width)
    yield [(first[:1], style), (first[1:], "bold")]
    yield from ([(line, "bold")] for line in rest)


def _row(label: str, text: str, width: int) -> Iterator[Line]:
    for before, words in hanging(f"  {label}", text, width, LABEL):
        yield [(before, "cyan"), (words, "")]


def _to_type(plan: InstallPlan) -> Iterator[Line]:
    """Each line as it is."""
    name, lines, commands = _outline.to_type(plan)
    if name:
        yield [(f"  {name}", "cyan")]
    yield from ([(f"    {line}", "green")] for line in (*lines, *commands))


FORMAT = Format(render=render, endings=(".txt",), media_type="text/plain")
