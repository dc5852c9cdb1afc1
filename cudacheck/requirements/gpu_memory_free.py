"""The memory that is free on every GPU."""

from __future__ import annotations

from collections.abc import Sequence

from cudacheck.model.facts import Facts
from cudacheck.model.findings import FixBy, Remedy
from cudacheck.requirements import _comparing, _gpus
from cudacheck.requirements._gpus import OneGpu
from cudacheck.requirements._requirement import Requirement, Seen, Wanted


def look(facts: Facts) -> Sequence[Seen]:
    return _gpus.each(facts, _free, _spoken)


def _free(gpu: OneGpu) -> int | None:
    total, used = gpu.memory_total_bytes, gpu.memory_used_bytes
    return None if total is None or used is None else total - used


def _spoken(gpu: OneGpu) -> str:
    return f"{gpu.label}: {_gpus.gigabytes(_free(gpu) or 0)} free of {_gpus.gigabytes(gpu.memory_total_bytes or 0)}"


def who_holds_it(_: Facts, wanted: Wanted) -> tuple[Remedy, ...]:
    return (Remedy(f"see who holds the memory, until {wanted.spec} is fulfilled", ("nvidia-smi",)),)


REQUIREMENT = Requirement(
    compare=_comparing.sizes,
    look=look,
    fix_by=FixBy.NODE,
    remedies=who_holds_it,
    title="the memory that is free on every GPU before the benchmark",
    example="gpu-memory-free>=30GB",
    explained_by=_gpus.EXPLAINED_BY,
)
