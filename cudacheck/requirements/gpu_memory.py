"""The memory of every GPU."""

from __future__ import annotations

from collections.abc import Sequence

from cudacheck.model.facts import Facts
from cudacheck.model.findings import FixBy
from cudacheck.requirements import _comparing, _gpus, _remedies
from cudacheck.requirements._gpus import OneGpu
from cudacheck.requirements._requirement import Requirement, Seen


def look(facts: Facts) -> Sequence[Seen]:
    return _gpus.each(facts, lambda gpu: gpu.memory_total_bytes, _spoken)


def _spoken(gpu: OneGpu) -> str:
    return f"{gpu.label}: {_gpus.gigabytes(gpu.memory_total_bytes or 0)}"


REQUIREMENT = Requirement(
    compare=_comparing.sizes,
    look=look,
    fix_by=FixBy.NODE,
    remedies=_remedies.other_machine,
    title="the memory of every GPU",
    example="gpu-memory>=40GB",
    explained_by=_gpus.EXPLAINED_BY,
)
