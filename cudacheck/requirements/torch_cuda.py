"""The CUDA that PyTorch was built for."""

from __future__ import annotations

from collections.abc import Sequence

from cudacheck.model.facts import Facts
from cudacheck.model.findings import FixBy, Remedy
from cudacheck.model.rule import Family
from cudacheck.requirements import _comparing, _remedies, torch
from cudacheck.requirements._requirement import AbsentError, Requirement, Seen, UnknownError, Wanted


def look(facts: Facts) -> Sequence[Seen]:
    build = torch.build_of(facts)
    if build.cuda:
        return [Seen(build.cuda, f"torch {build.version} was built for CUDA {build.cuda}", build.found_in)]
    if build.cuda_known:
        raise AbsentError(f"torch {build.version} was built without CUDA")
    raise UnknownError(f"nothing tells for which CUDA torch {build.version} was built")


def install(facts: Facts, wanted: Wanted) -> tuple[Remedy, ...]:
    return _remedies.torch(facts, wanted, "cuda")


REQUIREMENT = Requirement(
    compare=_comparing.versions,
    look=look,
    fix_by=FixBy.ENVIRONMENT,
    remedies=install,
    title="the CUDA that PyTorch was built for",
    example="torch-cuda>=12.8",
    explained_by=("torch-missing", "torch-shadowed", Family.NO_CUDA_BUILD),
    alike=_comparing.same,
)
