"""The version of the NCCL that PyTorch uses."""

from __future__ import annotations

from collections.abc import Sequence

from cudacheck.model.facts import Facts
from cudacheck.model.findings import FixBy, Remedy
from cudacheck.model.rule import Family
from cudacheck.requirements import _comparing, _libraries, _remedies
from cudacheck.requirements._requirement import Requirement, Seen, Wanted


def look(facts: Facts) -> Sequence[Seen]:
    return _libraries.of(facts, r"libnccl\.so", r"nvidia-nccl-cu\d+|nccl", "NCCL")


def with_torch(facts: Facts, wanted: Wanted) -> tuple[Remedy, ...]:
    return _remedies.advice(facts, f"install a PyTorch that brings {wanted.spec}: each build pins its NCCL")


REQUIREMENT = Requirement(
    compare=_comparing.versions,
    look=look,
    fix_by=FixBy.ENVIRONMENT,
    remedies=with_torch,
    title="the version of the NCCL that PyTorch uses",
    example="nccl>=2.20",
    explained_by=("torch-missing", Family.NO_CUDA_BUILD),
    alike=_comparing.same,
)
