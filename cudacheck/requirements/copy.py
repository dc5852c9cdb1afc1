"""The speed of every GPU's memory."""

from __future__ import annotations

from collections.abc import Sequence

from cudacheck.bench import kinds
from cudacheck.model.facts import Facts
from cudacheck.model.findings import FixBy
from cudacheck.requirements import _comparing, _speed
from cudacheck.requirements._requirement import Requirement, Seen


def look(facts: Facts) -> Sequence[Seen]:
    return _speed.of_each(facts, kinds.COPY)


REQUIREMENT = Requirement(
    compare=_comparing.shares,
    look=look,
    fix_by=FixBy.NODE,
    remedies=_speed.look_closer,
    title="the speed of a copy in every GPU's memory, over the datasheet's bandwidth",
    example="copy>=0.7",
    explained_by=_speed.EXPLAINED_BY,
    case=kinds.COPY.name,
    alike=_comparing.nearly,
)
