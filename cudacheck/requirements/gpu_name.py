"""The model of every GPU."""

from __future__ import annotations

from collections.abc import Sequence

from cudacheck.model.facts import Facts
from cudacheck.model.findings import FixBy
from cudacheck.requirements import _comparing, _gpus, _remedies
from cudacheck.requirements._requirement import Requirement, Seen


def look(facts: Facts) -> Sequence[Seen]:
    return _gpus.each(facts, lambda gpu: gpu.name, lambda gpu: gpu.label)


REQUIREMENT = Requirement(
    compare=_comparing.words,
    look=look,
    fix_by=FixBy.NODE,
    remedies=_remedies.other_machine,
    title="the model of every GPU, by words of its name",
    example="gpu-name=H200",
    explained_by=_gpus.EXPLAINED_BY,
    alike=_comparing.same,
)
