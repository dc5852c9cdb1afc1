"""The speed of a large float16 matrix product on every GPU."""

from __future__ import annotations

from collections.abc import Sequence

from cudacheck.bench import kinds
from cudacheck.model.facts import Facts
from cudacheck.model.findings import FixBy
from cudacheck.requirements import _comparing, _speed
from cudacheck.requirements._requirement import Requirement, Seen


def look(facts: Facts) -> Sequence[Seen]:
    return _speed.of_each(facts, kinds.MATMUL, "float16")


REQUIREMENT = Requirement(
    compare=_comparing.shares,
    look=look,
    fix_by=FixBy.NODE,
    remedies=_speed.look_closer,
    title="the speed of a large float16 matrix product on every GPU, over the datasheet's",
    example="matmul-fp16>=0.6",
    explained_by=_speed.EXPLAINED_BY,
    case=kinds.MATMUL.name,
    alike=_comparing.nearly,
)
