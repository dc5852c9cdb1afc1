"""The compute capability of every GPU."""

from __future__ import annotations

from collections.abc import Sequence

from cudacheck.model.facts import Facts
from cudacheck.model.findings import FixBy
from cudacheck.requirements import _comparing, _gpus, _remedies
from cudacheck.requirements._requirement import Requirement, Seen


def look(facts: Facts) -> Sequence[Seen]:
    return _gpus.each(
        facts,
        lambda gpu: gpu.compute_capability,
        lambda gpu: f"{gpu.label}: compute capability {gpu.compute_capability}",
    )


REQUIREMENT = Requirement(
    compare=_comparing.versions,
    look=look,
    fix_by=FixBy.NODE,
    remedies=_remedies.other_machine,
    title="the compute capability of every GPU",
    example="compute-capability>=8.0",
    explained_by=_gpus.EXPLAINED_BY,
)
