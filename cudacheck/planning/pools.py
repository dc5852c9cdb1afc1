"""The builds there are to choose among: PyTorch's wheels, or conda-forge's packages."""

from __future__ import annotations

import itertools

from cudacheck import knowledge
from cudacheck.knowledge import Build, Release
from cudacheck.remedies import torch_choice
from cudacheck.remedies.torch_choice import Choice, Machine

CONDA_FORGE = "conda-forge"


def pool(machine: Machine, channel: str | None) -> tuple[Choice, ...]:
    """Every verified build for this kind of machine."""
    if channel is None:
        return torch_choice.published(machine.machine, machine.os)
    return tuple(Choice(*pair) for pair in knowledge.conda_builds(machine.machine, machine.os))


def unverified(machine: Machine) -> list[tuple[Release, Build]]:
    """The wheels that are known of, but not well enough to be recommended."""
    pairs = itertools.product(knowledge.releases(), knowledge.builds(machine.machine, machine.os))
    taken = {(c.release.version, c.build.tag) for c in torch_choice.published(machine.machine, machine.os)}
    return [
        (release, build)
        for release, build in pairs
        if build.torch in (release.version, release.version.rpartition(".")[0])
        and knowledge.as_version(release.version) >= knowledge.as_version(torch_choice.FIRST_RELEASE)
        and (release.version, build.tag) not in taken
    ]
