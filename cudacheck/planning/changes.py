"""What one change of the machine or of the wishes would buy, the cheapest first."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Literal

from cudacheck import knowledge
from cudacheck.knowledge import as_version
from cudacheck.planning import choosing
from cudacheck.planning.target import MACHINES, Target
from cudacheck.planning.wanted import FLASH_ATTN, PARTNERS, Wish, family_without
from cudacheck.remedies import torch_choice
from cudacheck.remedies.torch_choice import Choice

By = Literal["gpu", "driver", "python", "glibc", "requirement", "installer", "machine"]


@dataclasses.dataclass(frozen=True)
class WhatIf:
    """Another machine, or other wishes."""

    by: By
    says: str
    """An order: `take Python 3.12`; filled in for a driver when it is known which one."""
    target: Target
    wanted: Wish
    channel: str | None


@dataclasses.dataclass(frozen=True)
class Bought:
    """The build that a change makes possible."""

    by: By
    says: str
    choice: Choice
    target: Target
    wanted: Wish


def bought(target: Target, wanted: Wish, channel: str | None, chosen: Choice | None) -> list[Bought]:
    """What each change alone makes possible and is newer than the choice; where there is none, what two do together."""
    single = [one for one in _bought_by(_changes(target, wanted, channel), chosen) if one.by != "machine" or not chosen]
    if single or chosen is not None:
        return single
    double = (
        dataclasses.replace(second, says=f"{first.says} and {second.says}", by=first.by)
        for first in _changes(target, wanted, channel)
        for second in _changes(first.target, first.wanted, first.channel)
        if second.by != first.by
    )
    return _bought_by(double, chosen)[:1]


def _bought_by(changes: Iterator[WhatIf], chosen: Choice | None) -> list[Bought]:
    """One a kind: the newest build, and of the changes that buy it the first."""
    found: dict[str, Bought] = {}
    for change in changes:
        choice = choosing.best(change.target, change.wanted, change.channel)
        if choice is None or (chosen and not choosing.is_newer_release(choice, chosen)):
            continue
        says = change.says.replace(DRIVER, _driver(choice, change.target))
        if change.by not in found or choosing.newer(choice, found[change.by].choice):
            found[change.by] = Bought(change.by, says, choice, change.target, change.wanted)
    return list(found.values())


DRIVER = "<driver>"


def _changes(target: Target, wanted: Wish, channel: str | None) -> Iterator[WhatIf]:
    yield from _other_pythons(target, wanted, channel)
    yield from _fewer_wishes(target, wanted, channel)
    if len(target.gpus) > 1:
        for gpu in target.gpus:
            yield WhatIf("gpu", f"leave out {gpu}", target.without(gpu), wanted, channel)
    newest = _newest_driver(target)
    if target.machine.driver not in (None, newest):
        yield WhatIf("driver", f"take {DRIVER}", target.with_machine(driver=newest), wanted, channel)
    if target.machine.glibc:
        says = "take a system or a container with a newer glibc"
        yield WhatIf("glibc", says, target.with_machine(glibc=None), wanted, channel)
    if target.by_hand:
        other = next(kind for kind in MACHINES if kind != target.machine.machine)
        yield WhatIf("machine", f"plan for {other}", target.with_machine(machine=other), wanted, channel)
    if channel:
        yield WhatIf("installer", "install it with pip, in an environment of its own", target, wanted, None)


def _other_pythons(target: Target, wanted: Wish, channel: str | None) -> Iterator[WhatIf]:
    """The nearest first."""
    here = target.machine.python
    if here is None:
        return
    every = {python for release in knowledge.releases() for python in release.pythons} - {here}

    def distance(python: str) -> tuple[int, ...]:
        one, other = as_version(python), as_version(here)
        return (abs(one[0] - other[0]), abs(one[1] - other[1]), -one[1])

    for python in sorted(every, key=distance):
        yield WhatIf("python", f"take Python {python}", target.with_machine(python=python), wanted, channel)


def _fewer_wishes(target: Target, wanted: Wish, channel: str | None) -> Iterator[WhatIf]:
    objecting = {*PARTNERS, FLASH_ATTN, *(variant.name for variant in knowledge.flash_attn_variants())}
    for name, asked in wanted.packages:
        can_object = asked.specifier if name == "torch" else name in objecting or knowledge.package_releases(name)
        if can_object:
            yield WhatIf("requirement", f"leave out `{asked}`", target, wanted.without(name), channel)
    if not wanted.packages:
        for name in PARTNERS:
            yield WhatIf("requirement", f"leave out {name}", target, family_without(name), channel)


def _newest_driver(target: Target) -> str:
    """Newer than all, or the newest of the last branch that serves all of these GPUs."""
    lasts = [knowledge.last_driver_branch(capability) for capability in target.machine.capabilities]
    last = min((branch for branch in lasts if branch is not None), default=None)
    return f"{last}.9999" if last is not None else "9999"


def _driver(choice: Choice, target: Target) -> str:
    """Which driver it takes: `driver 580.65.06 or newer`."""
    oldest = torch_choice.oldest_driver(choice.build.cuda, target.machine)
    last = _newest_driver(target).partition(".")[0]
    return f"driver {oldest} or newer" + (f", of branch {last} at most" if last != "9999" else "")
