"""Chooses what to install: the build that every constraint allows, what ruled out the others, what a change would buy.

The choice is that of the remedies (`torch_choice.choose`), among the builds that the requirements leave.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from cudacheck import knowledge
from cudacheck.knowledge import as_version
from cudacheck.planning import packages, pools
from cudacheck.planning.target import Target
from cudacheck.planning.wanted import PARTNERS, Wish
from cudacheck.remedies import flash_attn_choice, torch_choice
from cudacheck.remedies.torch_choice import Choice, Obstacle


@lru_cache(maxsize=8192)
def best(target: Target, wanted: Wish, channel: str | None = None) -> Choice | None:
    """The build to install; None where none fits, or where nobody knows what it has to run on.

    What changes would buy is asked over and over: one change leads to where others do.
    """
    if not target.machine.capabilities or target.unknown_gpus:
        return None
    if next(_past_its_last_driver(target), None):
        return None
    allowed = [c for c in pools.pool(target.machine, channel) if next(reasons(c, target, wanted), None) is None]
    machine = asking_for(target, wanted).machine
    return torch_choice.choose(machine, None, pool=allowed)


def asking_for(target: Target, wanted: Wish) -> Target:
    """The machine with the companions that are wanted on it."""
    return target.with_machine(companions=wanted.companions)


def fitting(target: Target, wanted: Wish, channel: str | None = None) -> list[Choice]:
    """Every build that the machine and the requirements allow."""
    allowed = [c for c in pools.pool(target.machine, channel) if next(reasons(c, target, wanted), None) is None]
    machine = asking_for(target, wanted).machine
    return torch_choice.candidates(machine, pool=allowed)


def reasons(choice: Choice, target: Target, wanted: Wish) -> Iterator[Obstacle]:
    """Everything that speaks against a build."""
    yield from torch_choice.obstacles(choice, target.machine)
    if wanted.packages:
        yield from objections(choice, target, wanted)
    yield from _past_its_last_driver(target)


def objections(choice: Choice, target: Target, wanted: Wish) -> Iterator[Obstacle]:
    """What the requirements have against a build."""
    asked = wanted.get("torch")
    if asked and not asked.specifier.contains(f"{choice.release.version}+{choice.build.tag}", prereleases=True):
        yield Obstacle("requirement", f"`{asked}` excludes it")
    for name in PARTNERS:
        if wanted.get(name):
            yield from _partner_objections(choice, target, wanted, name)
    if wanted.flash_attn:
        yield from _flash_attn_objections(choice, target, wanted)
    yield from packages.objections(choice, target.machine, wanted)


def _partner_objections(choice: Choice, target: Target, wanted: Wish, name: str) -> Iterator[Obstacle]:
    whole = torch_choice.with_companions(choice, (name,), target.machine)
    version = partner_version(choice, name)
    if whole is None or version is None:
        yield Obstacle("partner", f"no {name} is known for it")
        return
    asked = wanted.get(name)
    if asked and not asked.specifier.contains(f"{version}+{choice.build.tag}", prereleases=True):
        yield Obstacle("requirement", f"it goes with {name} {version}, which `{asked}` excludes")


def partner_version(choice: Choice, name: str) -> str | None:
    """The torchvision or torchaudio that belongs to this build."""
    return getattr(choice.release.companions, name, None) if choice.release.companions else None


def _flash_attn_objections(choice: Choice, target: Target, wanted: Wish) -> Iterator[Obstacle]:
    build, asked = choice.build, wanted.get("flash-attn")
    wheel, why_not = flash_attn_choice.wheel_for(target.machine, choice.release.version, build.cuda, build.cxx11_abi)
    if wheel is None or choice.build.channel:
        short = why_not.replace(f"PyTorch {choice.release.version}", "it")
        yield Obstacle("requirement", short or "the official flash-attn wheels are for PyTorch's own builds")
    elif asked and not asked.url and not asked.specifier.contains(flash_attn_version(wheel), prereleases=True):
        yield Obstacle("requirement", f"its official flash-attn wheel is {flash_attn_version(wheel)}: `{asked}`")


def flash_attn_version(wheel: str) -> str:
    """`2.8.3`, of a wheel's address."""
    return wheel.rpartition("/")[2].split("-")[1].partition("+")[0]


def _past_its_last_driver(target: Target) -> Iterator[Obstacle]:
    """A driver that no longer serves a GPU; where somebody saw both together, it does."""
    driver = target.machine.driver
    if not target.by_hand or driver is None:
        return
    for capability in target.machine.capabilities:
        last = knowledge.last_driver_branch(capability)
        branch = knowledge.branch_of(driver) or knowledge.parse_driver(driver)[0]
        if last is not None and branch > last:
            says = f"driver branch {last} is the last that serves compute capability {capability}, this is {driver}"
            yield Obstacle("driver", says, knowledge.last_driver_branch_source(capability))


def newer(one: Choice, other: Choice | None) -> bool:
    """Whether it is of a newer release, or the same release for a newer CUDA."""
    return other is None or order(one) > order(other)


def is_newer_release(one: Choice, other: Choice) -> bool:
    return as_version(one.release.version) > as_version(other.release.version)


def order(choice: Choice) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return as_version(choice.release.version), as_version(choice.build.cuda)
