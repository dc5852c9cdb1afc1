"""The packages whose wheels were built for one PyTorch: vLLM, xformers and their like."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.requirements import Requirement

from cudacheck import knowledge
from cudacheck.knowledge import BuiltWith, as_version
from cudacheck.planning.wanted import Wish
from cudacheck.remedies.torch_choice import Choice, Machine, Obstacle


def objections(choice: Choice, machine: Machine, wanted: Wish) -> Iterator[Obstacle]:
    """What they have against a build of PyTorch."""
    for name, asked in wanted.others:
        known = knowledge.built_with(name)
        if not known or asked.url:
            continue
        allowed = [row for row in known if asked.specifier.contains(row.version, prereleases=True)]
        if not allowed:
            # what the tables do not know may be there all the same
            yield Obstacle("requirement", f"for which PyTorch the {name} of `{asked}` was built is not known")
        elif not any(_fits(row, choice, machine) for row in allowed):
            yield Obstacle("requirement", _why_not(allowed, choice, machine, asked), allowed[0].source)


def versions(choice: Choice, machine: Machine, wanted: Wish) -> dict[str, str]:
    """The newest of each that was built for this PyTorch; empty for what goes with any, as far as is known."""
    return {name: _newest(choice, machine, name, asked) for name, asked in wanted.others}


def _newest(choice: Choice, machine: Machine, name: str, asked: Requirement) -> str:
    rows = [row for row in knowledge.built_with(name) if asked.specifier.contains(row.version, prereleases=True)]
    fitting = [row.version for row in rows if _fits(row, choice, machine)]
    return max(fitting, key=as_version, default="")


def _fits(row: BuiltWith, choice: Choice, machine: Machine) -> bool:
    return _for_torch(row, choice) and not _unfit(row, machine)


def _for_torch(row: BuiltWith, choice: Choice) -> bool:
    """Its wheel pins the release, and was built for the CUDA of the build that the default index serves."""
    return row.torch == choice.release.version and choice.build.tag == row.tag and not choice.build.channel


def _unfit(row: BuiltWith, machine: Machine) -> str:
    """Why its wheel cannot work on that machine, whatever the PyTorch; empty where it may."""
    name = f"{row.package} {row.version}"
    if machine.os != "linux":
        return f"{name} has no wheel for {machine.os.capitalize()}"
    if machine.machine not in row.machines:
        return f"{name} has no wheel for {machine.machine} that is known"
    if machine.python and machine.python not in row.pythons:
        return f"{name} wants Python {row.pythons[0]} to {row.pythons[-1]}, this is {machine.python}"
    if machine.glibc and as_version(machine.glibc) < as_version(row.glibc):
        return f"the wheel of {name} needs glibc {row.glibc}, this is {machine.glibc}"
    old = [cc for cc in machine.capabilities if as_version(cc) < as_version(row.compute_capability)]
    return f"{name} is for compute capability {row.compute_capability} and newer, this is {old[0]}" if old else ""


def _why_not(rows: list[BuiltWith], choice: Choice, machine: Machine, asked: Requirement) -> str:
    of_torch = [row for row in rows if _for_torch(row, choice)]
    if of_torch:
        return _unfit(of_torch[0], machine)
    same = [row for row in rows if row.torch == choice.release.version]
    if same:
        return f"{same[0].package} {same[0].version} was built for its {same[0].tag}"
    return f"no {asked.name} that `{asked}` allows is known to be built for it"
