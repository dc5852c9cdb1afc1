"""A plan for a person, as a block to copy, and as JSON."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator, Sequence

from cudacheck.planning.answer import Alternative, Chosen, InstallPlan, RuledOut
from cudacheck.render import out
from cudacheck.render._clean import hanging, harmless, passing, typed, wrapped

LABEL = 14
MOST_RULED_OUT = 8
"""Reasons on a screen; JSON has every build."""


def as_json(plan: InstallPlan) -> str:
    return json.dumps(dataclasses.asdict(plan), indent=2, ensure_ascii=True) + "\n"


def block(chosen: Chosen) -> str:
    """What is typed or written to a file, and nothing else."""
    if chosen.text:
        return "\n".join(map(typed, chosen.text.splitlines())) + "\n"
    return "\n".join(map(typed, chosen.commands)) + "\n"


def headline(plan: InstallPlan) -> str:
    """The answer in one line."""
    if plan.choice:
        where = f" ({plan.choice.channel})" if plan.choice.channel else ""
        return f"PyTorch {plan.choice.torch} built for CUDA {_cuda(plan.choice.tag)}{where}"
    if plan.cannot_tell:
        return f"cannot tell {plan.cannot_tell[0]}"
    changes = [other for other in plan.alternatives if other.change]
    hint = f"; {changes[0].change} for {_build(changes[0])}" if changes else ""
    return f"no PyTorch that is known fits{hint}"


def as_text(plan: InstallPlan, *, check: bool = False, width: int | None = None, encoding: str = "utf-8") -> str:
    """The whole screen. What is to be copied is neither wrapped nor cut."""
    columns = out.columns(width)
    lines = _checked(plan, columns) if check and plan.choice else _whole(plan, columns)
    return passing("".join(f"{harmless(line).rstrip()}\n" for line in lines), encoding)


def _checked(plan: InstallPlan, width: int) -> Iterator[str]:
    if not plan.difference:
        yield from wrapped(f"✓ installed as planned: {headline(plan)}", width)
        return
    yield from wrapped(f"✗ planned is {headline(plan)}", width)
    for each in plan.difference:
        yield from _row(each.package, f"{each.installed or 'not installed'} → {each.planned}", width)
    yield from _to_type(plan)


def _whole(plan: InstallPlan, width: int) -> Iterator[str]:
    mark = "✓" if plan.choice else "?" if plan.cannot_tell else "✗"
    yield from wrapped(f"{mark} {headline(plan)}", width)
    yield from _row("for", _machine(plan), width)
    if plan.requirements:
        yield from _row("asked", ", ".join(plan.requirements), width)
    if plan.difference == ():
        yield from _row("to do", "nothing: it is installed as planned", width)
    elif plan.choice:
        yield ""
        yield from _to_type(plan)
        yield ""
    for unknown in plan.cannot_tell:
        yield from _row("cannot tell", unknown, width)
    for each in plan.advice:
        yield from _row(each.about, each.says, width)
    yield from _rows("why", [why.says for why in plan.why], width)
    yield from _rows("ruled out", _ruled_out(plan.ruled_out), width)
    yield from _rows("or", [_alternative(other) for other in plan.alternatives], width)
    yield from _row("known as of", plan.knowledge_date, width)


def _row(label: str, text: str, width: int) -> Iterator[str]:
    for before, words in hanging(f"  {label}", text, width, LABEL):
        yield before + words


def _rows(label: str, texts: Sequence[str], width: int) -> Iterator[str]:
    """The label before the first alone."""
    for number, text in enumerate(texts):
        yield from _row(" " if number else label, text, width)


def _to_type(plan: InstallPlan) -> Iterator[str]:
    """Each line as it is."""
    if not plan.choice:
        return
    if plan.choice.file:
        yield f"  {plan.choice.file}"
        yield from (f"    {typed(line)}" for line in plan.choice.text.splitlines())
    yield from (f"    {typed(line)}" for line in plan.choice.commands)


def _machine(plan: InstallPlan) -> str:
    machine = plan.machine
    parts = [
        *machine.gpus,
        f"driver {machine.driver}" if machine.driver else "",
        f"Python {machine.python}" if machine.python else "",
        f"{machine.os} {machine.machine}",
        f"glibc {machine.glibc}" if machine.glibc else "",
    ]
    return " · ".join(filter(None, parts))


def _ruled_out(rows: Sequence[RuledOut]) -> list[str]:
    """One line a reason, with the builds that it rules out."""
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        by_reason.setdefault(row.reason, []).append(f"{row.torch} {row.tag}")
    lines = [f"{_listed(builds)}: {reason}" for reason, builds in by_reason.items()]
    more = len(lines) - MOST_RULED_OUT
    return lines[:MOST_RULED_OUT] + (
        [f"and others, for {more} more reasons; --format json has them all"] if more > 0 else []
    )


def _listed(builds: Sequence[str], most: int = 4) -> str:
    named = ", ".join(itertools.islice(builds, most))
    return named + (f" and {len(builds) - most} more" if len(builds) > most else "")


def _alternative(other: Alternative) -> str:
    note = f" ({other.note})" if other.note else ""
    return f"{other.change}: {_build(other)}{note}" if other.change else f"{_build(other)}{note}"


def _build(other: Alternative) -> str:
    return f"PyTorch {other.torch} {other.tag}"


def _cuda(tag: str) -> str:
    return f"{tag[2:-1]}.{tag[-1]}"
