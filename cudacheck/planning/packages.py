"""The packages that ask for a PyTorch or a Python: vLLM, xformers, transformers, torchao and their like."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.requirements import Requirement
from packaging.version import Version

from cudacheck import knowledge
from cudacheck.knowledge import PackageRelease, as_version
from cudacheck.planning.wanted import Wish
from cudacheck.remedies.torch_choice import Choice, Machine, Obstacle


def objections(choice: Choice, machine: Machine, wanted: Wish) -> Iterator[Obstacle]:
    """What they have against a build of PyTorch."""
    elsewhere = {variant.name for variant in knowledge.flash_attn_variants() if variant.tags}
    for name, asked in wanted.others:
        if name in elsewhere and not asked.url:
            yield Obstacle("requirement", f"{name} is not on the default index: it is installed by a line of its own")
        known = knowledge.package_releases(name)
        if not known or asked.url:
            continue
        allowed = _allowed(known, asked)
        if not allowed:
            # what the tables do not know may be there all the same
            if known[0].tag and not known[0].optional:
                yield Obstacle("requirement", f"for which PyTorch the {name} of `{asked}` was built is not known")
        elif not any(_works(row, choice, machine) for row in allowed):
            yield Obstacle("requirement", _why_not(allowed, choice, machine, asked), allowed[0].source)


def chosen(choice: Choice, machine: Machine, wanted: Wish) -> dict[str, PackageRelease | None]:
    """The newest of each that was made for this PyTorch; None for what goes in as it was asked for."""
    return {name: _newest(choice, machine, name, asked) for name, asked in wanted.others}


def says(name: str, release: PackageRelease | None, choice: Choice) -> str:
    """Why this release, in one line."""
    if release is None:
        known = knowledge.package_releases(name)
        if known and known[0].optional:
            return f"{name} runs with it; that one of its releases was compiled for it is not known"
        return f"{name} goes with any PyTorch, for all that is known"
    version = f"{name} {release.version}"
    if release.torch == f"=={choice.release.version}":
        return f"{version} was built for it"
    return f"{version} asks for torch{release.torch}" if release.torch else f"{version} asks for any torch"


def _allowed(known: tuple[PackageRelease, ...], asked: Requirement) -> list[PackageRelease]:
    return [row for row in known if asked.specifier.contains(row.version, prereleases=True)]


def _newest(choice: Choice, machine: Machine, name: str, asked: Requirement) -> PackageRelease | None:
    allowed = [] if asked.url else _allowed(knowledge.package_releases(name), asked)
    fitting = [row for row in allowed if _for_torch(row, choice) and not _unfit(row, machine)]
    return max(fitting, key=lambda row: Version(row.version), default=None)


def _works(row: PackageRelease, choice: Choice, machine: Machine) -> bool:
    return (row.optional or _for_torch(row, choice)) and not _unfit(row, machine)


def _for_torch(row: PackageRelease, choice: Choice) -> bool:
    """What is compiled was so for PyTorch's own builds."""
    return row.suits(choice.release.version, choice.build.tag) and not (choice.build.channel and row.glibc)


def _unfit(row: PackageRelease, machine: Machine) -> str:
    """Why it cannot work on that machine, whatever the PyTorch; empty where it may."""
    name = f"{row.package} {row.version}"
    if machine.os not in row.systems:
        return f"{name} has no wheel for {machine.os.capitalize()} that is known to fit"
    if machine.machine not in row.machines:
        return f"{name} has no wheel for {machine.machine} that is known to fit"
    if machine.python and machine.python not in row.pythons:
        return f"{name} wants Python {row.pythons[0]} to {row.pythons[-1]}, this is {machine.python}"
    if machine.glibc and as_version(machine.glibc) < as_version(row.glibc or "0"):
        return f"the wheel of {name} needs glibc {row.glibc}, this is {machine.glibc}"
    old = [cc for cc in machine.capabilities if as_version(cc) < as_version(row.compute_capability)]
    return f"{name} is for compute capability {row.compute_capability} and newer, this is {old[0]}" if old else ""


def _why_not(rows: list[PackageRelease], choice: Choice, machine: Machine, asked: Requirement) -> str:
    newest = max(rows, key=lambda row: Version(row.version))
    of_torch = [row for row in rows if row.optional or _for_torch(row, choice)]
    if of_torch:
        return _unfit(of_torch[0], machine)
    same = [row for row in rows if row.torch == f"=={choice.release.version}"]
    if same:
        return f"{same[0].package} {same[0].version} was built for its {same[0].tag}"
    if not newest.torch.startswith("=="):
        return f"{newest.package} {newest.version} asks for torch{newest.torch}"
    return f"no {asked.name} that `{asked}` allows is known to be built for it"
