"""Every axis of every GPU's speed, judged: one module of this package is one axis."""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.report import Axis, Health
from cudacheck.speed import attention, clocks, correctness, launch, matmul, memory, new_lengths, runs

AXES = (correctness, matmul, memory, attention, new_lengths, launch, clocks)


def judged(facts: Facts) -> tuple[Axis, ...]:
    """By GPU; an axis of which nothing was measured is left out."""
    return tuple(axis for _, axis in facts.once(_judged))


def found(facts: Facts, name: str, *healths: Health) -> Iterator[tuple[runs.GpuRun, Axis]]:
    """The GPUs whose axis of this name is so."""
    return ((run, axis) for run, axis in facts.once(_judged) if axis.axis == name and axis.health in healths)


def _judged(facts: Facts) -> tuple[tuple[runs.GpuRun, Axis], ...]:
    measured = runs.of(facts)
    told = ((run, module.axis(run, measured)) for run in measured for module in AXES)
    return tuple((run, axis) for run, axis in told if axis)
