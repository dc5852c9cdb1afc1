"""Is PyTorch's attention faster than writing it out, and nearly the fastest that this machine has?"""

from __future__ import annotations

from collections.abc import Sequence

from cudacheck.bench import kinds
from cudacheck.model.report import Axis, Health
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.speed import evidence
from cudacheck.speed.runs import GpuRun, capability_below, disturbed_by

LEAST_OVER_MATH = 1.2
"""An H200's is 29 times as fast as the math backend at 2048 tokens."""
MOST_OVER_BEST = 1.5
"""PyTorch's own choice over the quickest backend that serves the call."""


def axis(run: GpuRun, _: Sequence[GpuRun] = ()) -> Axis | None:
    own = _own_choice(run)
    if own is None or not own.median_us:
        return None
    said = [evidence.speed(run, own)]
    if disturbed := disturbed_by(run):
        return evidence.axis(run, "attention", Health.INCONCLUSIVE, disturbed, *said)
    others = {
        row.backend: row for row in run.rows if _same_call(row, own) and row.median_us and row.backend != "default"
    }
    math = others.pop("math", None)
    over_math = math.median_us / own.median_us if math and math.median_us else None
    if over_math is not None:
        said.append(f"{over_math:.1f} times as fast as the math backend")
    unsure = evidence.doubt(run, own, math)
    if over_math is not None and over_math <= LEAST_OVER_MATH:
        if not unsure and capability_below(run.device, (8, 0)):
            unsure = "PyTorch has no fused kernel for grouped queries on this generation"
        health = Health.INCONCLUSIVE if unsure else Health.SLOW_PATH
        return evidence.axis(run, "attention", health, unsure, *said)
    quickest = min(others.values(), key=lambda row: row.median_us or 0, default=None)
    if quickest and quickest.median_us and own.median_us > MOST_OVER_BEST * quickest.median_us:
        better = f"{quickest.backend} would be {own.median_us / quickest.median_us:.1f} times as fast"
        return evidence.axis(run, "attention", Health.INCONCLUSIVE, better, *said)
    return evidence.axis(run, "attention", Health.HEALTHY, *said)


def _own_choice(run: GpuRun) -> Measurement | None:
    """The longest call by PyTorch's own choice that the math backend was timed on, too; of the last attempt."""
    rows = [row for row in run.rows if row.case == kinds.ATTENTION.name and row.backend == "default" and row.median_us]
    by_math = [row for row in run.rows if row.backend == "math" and row.median_us and row.converged]
    beside = [row for row in rows if any(_same_call(row, math) for math in by_math)]
    return max(beside or rows, key=lambda row: (row.attempt, row.median_us or 0), default=None)


def _same_call(row: Measurement, other: Measurement) -> bool:
    return (row.case, row.dtype, row.shape) == (other.case, other.dtype, other.shape)
