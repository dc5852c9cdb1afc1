"""What of a plan is shown, and in which words: the same in every format for people."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from cudacheck.planning.answer import Alternative, Chosen, InstallPlan, RuledOut
from cudacheck.render._clean import typed

MOST_RULED_OUT = 8
"""Reasons for people; JSON has every build."""


def block(chosen: Chosen) -> list[str]:
    """What is typed or written to a file, and nothing else."""
    return [typed(line) for line in (chosen.text.splitlines() if chosen.text else chosen.commands)]


def headline(plan: InstallPlan, *, check: bool = False) -> tuple[str, str]:
    """A mark and the answer in one line."""
    if plan.choice and check and plan.difference:
        return "✗", f"planned is {_build(plan.choice)}"
    if plan.choice and check:
        return "✓", f"installed as planned: {_build(plan.choice)}"
    if plan.choice:
        return "✓", _build(plan.choice)
    if plan.cannot_tell:
        return "?", f"cannot tell {plan.cannot_tell[0]}"
    changes = [other for other in plan.alternatives if other.change]
    hint = f"; {changes[0].change} for {_other(changes[0])}" if changes else ""
    return "✗", f"no PyTorch that is known fits{hint}"


def _build(chosen: Chosen) -> str:
    where = f" ({chosen.channel})" if chosen.channel else ""
    return f"PyTorch {chosen.torch} built for CUDA {chosen.tag[2:-1]}.{chosen.tag[-1]}{where}"


def machine(plan: InstallPlan) -> Iterator[tuple[str, str]]:
    """Labels and words: what it is for, and what was asked for."""
    about = plan.machine
    parts = [
        *about.gpus,
        f"driver {about.driver}" if about.driver else "",
        f"Python {about.python}" if about.python else "",
        f"{about.os} {about.machine}",
        f"glibc {about.glibc}" if about.glibc else "",
    ]
    yield "for", " · ".join(filter(None, parts))
    if plan.requirements:
        yield "asked", ", ".join(plan.requirements)
    if plan.difference == ():
        yield "to do", "nothing: it is installed as planned"


def to_type(plan: InstallPlan) -> tuple[str, list[str], list[str]]:
    """The name of a file, its lines, and commands; none where all is installed as planned, or nothing can be."""
    if not plan.choice or plan.difference == ():
        return "", [], []
    chosen = plan.choice
    return chosen.file, [typed(line) for line in chosen.text.splitlines()], [typed(line) for line in chosen.commands]


def differences(plan: InstallPlan) -> list[tuple[str, str]]:
    """Labels and words: what is installed otherwise."""
    return [(each.package, f"{each.installed or 'not installed'} → {each.planned}") for each in plan.difference or ()]


def reasons(plan: InstallPlan) -> Iterator[tuple[str, str]]:
    """Labels and words; a label that goes on is said once."""
    yield from (("cannot tell", unknown) for unknown in plan.cannot_tell)
    yield from ((each.about, each.says) for each in plan.advice)
    yield from (("why", why.says) for why in plan.why)
    yield from (("ruled out", line) for line in _ruled_out(plan.ruled_out))
    yield from (("or", _alternative(other)) for other in plan.alternatives)
    yield "knowledge", f"of {plan.knowledge_date}"


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
    return f"{other.change}: {_other(other)}{note}" if other.change else f"{_other(other)}{note}"


def _other(other: Alternative) -> str:
    return f"PyTorch {other.torch} {other.tag}"
