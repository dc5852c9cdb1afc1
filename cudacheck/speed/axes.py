"""Every axis of every GPU's speed, judged: one module of this package is one axis."""

from __future__ import annotations

from cudacheck.model.facts import Facts
from cudacheck.model.report import Axis
from cudacheck.speed import attention, clocks, correctness, launch, matmul, memory, new_lengths, runs

AXES = (correctness, matmul, memory, attention, new_lengths, launch, clocks)


def judged(facts: Facts) -> tuple[Axis, ...]:
    """By GPU; an axis of which nothing was measured is left out."""
    measured = runs.of(facts)
    found = (module.axis(run, measured) for run in measured for module in AXES)
    return tuple(axis for axis in found if axis)
