"""The rows of `cudacheck bench steps` as tables: speeds, shares of the ceilings, and what each step brings."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from cudacheck.probes.patient.bench_steps import StepRow
from cudacheck.speed.steps.measured import ACTS_ON, LAST, Gain, Measure, StepRun, floor_ms, gains, ttft_floor_ms, usable


@dataclasses.dataclass(frozen=True)
class Rung:
    """One row of the ladder, of the extras, or of your stack, with what its times mean."""

    row: StepRow
    usable: bool
    """Measured, and not wrong."""
    tokens_per_s: float | None = None
    """The host reads each token."""
    tokens_per_s_free: float | None = None
    tokens_per_s_first: float | None = None
    """On the first pass over lengths that are new."""
    floor_ms: float | None = None
    """Every byte that one token needs, read once at the bandwidth that was measured."""
    of_floor: float | None = None
    """The share of the bandwidth's speed that decoding reaches; from itl_free_ms where that is known."""
    gemv_ms: float | None = None
    """The same weights' matrix-vector products alone; None for float32, for which they were not timed."""
    of_gemv: float | None = None
    ttft_of_floor: float | None = None
    ttft_long_of_floor: float | None = None
    launches: int | None = None
    """For one token."""
    gpu_ms: float | None = None
    over: str = ""
    """The row that the gains compare with; empty where there is none."""
    steps: tuple[str, ...] = ()
    """What was added since that row: one step, or several where rows between were left out or failed."""
    gains: dict[Measure, Gain] = dataclasses.field(default_factory=dict)


def rung(run: StepRun, row: StepRow, over: StepRow | None = None, steps: tuple[str, ...] = ()) -> Rung:
    if not usable(row):
        return Rung(row, usable=False)
    free, floor = row.itl_free_ms or row.itl_ms, floor_ms(run, row)
    ceiling, counted = run.ceiling, run.launches.get((row.table, row.row))
    gemv = ceiling.gemv_ms if ceiling and row.dtype != "float32" else None
    return Rung(
        row,
        usable=True,
        tokens_per_s=_over(1e3, row.itl_ms),
        tokens_per_s_free=_over(1e3, row.itl_free_ms),
        tokens_per_s_first=_over(1e3, row.itl_first_ms),
        floor_ms=floor,
        of_floor=_over(floor, free),
        gemv_ms=gemv,
        of_gemv=_over(gemv, free),
        ttft_of_floor=_over(ttft_floor_ms(run, row, ceiling.prefill_flop) if ceiling else None, row.ttft_ms),
        ttft_long_of_floor=_over(
            ttft_floor_ms(run, row, ceiling.prefill_long_flop) if ceiling else None, row.ttft_long_ms
        ),
        launches=counted.launches if counted else None,
        gpu_ms=counted.gpu_ms if counted else None,
        over=over.row if over else "",
        steps=steps,
        gains=gains(over, row, steps) if over else {},
    )


def _over(numerator: float | None, denominator: float | None) -> float | None:
    return numerator / denominator if numerator and denominator else None


# The tables


def ladder(run: StepRun) -> list[Rung]:
    """From its foot; each over the nearest row below that works."""
    return [*_climb(run)]


def _climb(run: StepRun) -> Iterator[Rung]:
    below: StepRow | None = None
    added: list[str] = []
    for name in ACTS_ON:
        added.append(name)
        row = run.rows.get(("ladder", name))
        if row is None:
            continue
        yield rung(run, row, below, tuple(added) if below else ())
        if usable(row):
            below, added = row, []


def without(run: StepRun) -> list[Rung]:
    """The ladder's last row less one step each. Gains are those of that row over this one: what the step brings."""
    found = []
    for row in run.of_table("without"):
        found_here = rung(run, row)
        if run.best and run.best.row == LAST and found_here.usable:
            brought = gains(row, run.best, (row.row,))
            found_here = dataclasses.replace(found_here, over=run.best.row, steps=(row.row,), gains=brought)
        found.append(found_here)
    return found


def extras(run: StepRun) -> list[Rung]:
    """Over the best row."""
    return [rung(run, row, run.best) for row in run.of_table("extra")]


def stack(run: StepRun) -> list[Rung]:
    """What transformers does. Gains are those of the *best* row over this one: what your stack leaves on the table."""
    found = []
    for row in run.of_table("stack"):
        theirs = rung(run, row)
        if run.best and theirs.usable:
            theirs = dataclasses.replace(theirs, over=run.best.row, gains=gains(row, run.best))
        found.append(theirs)
    return found
