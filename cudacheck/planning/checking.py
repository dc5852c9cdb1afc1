"""Compares what is installed with a plan."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.utils import canonicalize_name

from cudacheck import knowledge
from cudacheck.model.facts import Facts
from cudacheck.planning.answer import Chosen, Deviation
from cudacheck.planning.choosing import flash_attn_version
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.torch_files import TorchBuild


def difference(chosen: Chosen, facts: Facts) -> tuple[Deviation, ...] | None:
    """What is installed otherwise; None where the facts do not hold the whole list of packages."""
    if not facts.is_complete(Distribution):
        return None
    return tuple(_torch(chosen, facts)) + tuple(_others(chosen, facts))


def _torch(chosen: Chosen, facts: Facts) -> Iterator[Deviation]:
    build = facts.one(TorchBuild)
    installed = f"{build.version.partition('+')[0]} ({_tag(build)})" if build else None
    planned = f"{chosen.torch} ({chosen.tag})"
    if installed != planned:
        yield Deviation("torch", installed, planned)


def _tag(build: TorchBuild) -> str:
    """What it was built for: `cu126`; `cpu`, `rocm6.4` as the version has it."""
    return knowledge.tag_of_cuda(build.cuda) if build.cuda else build.version.partition("+")[2] or "no CUDA"


def _others(chosen: Chosen, facts: Facts) -> Iterator[Deviation]:
    planned = {"torchvision": chosen.torchvision, "torchaudio": chosen.torchaudio, **chosen.packages}
    if chosen.flash_attn:
        planned["flash-attn"] = flash_attn_version(chosen.flash_attn)
    installed = {canonicalize_name(dist.name): dist.version.partition("+")[0] for dist in facts.all(Distribution)}
    for name, version in planned.items():
        there = installed.get(canonicalize_name(name))
        if version is not None and (there is None or (version and there != version)):
            yield Deviation(name, there, version or "any version")
