"""The version of the PyTorch that `import torch` takes."""

from __future__ import annotations

from collections.abc import Sequence

from cudacheck.model.facts import Facts
from cudacheck.model.findings import FixBy, Remedy
from cudacheck.probes.patient.torch_files import ShadowingModule, TorchBuild
from cudacheck.requirements import _comparing, _remedies
from cudacheck.requirements._requirement import AbsentError, Requirement, Seen, UnknownError, Wanted


def build_of(facts: Facts) -> TorchBuild:
    """Raises AbsentError where there is none, UnknownError where nobody could tell."""
    build = facts.one(TorchBuild)
    if build:
        return build
    if not facts.is_complete(TorchBuild):
        raise UnknownError(TorchBuild)
    shadow = next((module for module in facts.all(ShadowingModule) if module.taken), None)
    raise AbsentError(f"`import torch` takes {shadow.path}" if shadow else "PyTorch is not installed")


def look(facts: Facts) -> Sequence[Seen]:
    build = build_of(facts)
    return [Seen(build.version, f"torch {build.version} is installed", build.found_in)]


def install(facts: Facts, wanted: Wanted) -> tuple[Remedy, ...]:
    return _remedies.torch(facts, wanted, "version")


REQUIREMENT = Requirement(
    compare=_comparing.versions,
    look=look,
    fix_by=FixBy.ENVIRONMENT,
    remedies=install,
    title="the version of the PyTorch that `import torch` takes",
    example="torch>=2.7",
    explained_by=("torch-missing", "torch-shadowed"),
    alike=_comparing.same,
)
