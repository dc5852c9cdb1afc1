"""The rows of `cudacheck bench steps` as text and plot show them: named by what each adds, with what ails them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cudacheck.bench.steps import EXTRAS, STEPS
from cudacheck.probes.patient.bench_steps import StepRow
from cudacheck.render._clean import clean
from cudacheck.speed.steps import ladder as judged
from cudacheck.speed.steps.ladder import Rung
from cudacheck.speed.steps.measured import ACTS_ON, StepRun

SPOKEN = {**{step.name: step.short for step in STEPS}, **EXTRAS}
MOST_ROWS = 40
"""Of any table: what has more is not ours."""
MOST = 1e9
"""Milliseconds, tokens per second, shares: what is larger was not measured."""


@dataclass(frozen=True)
class Named:
    rung: Rung
    name: str
    trouble: str = ""
    """Why there is no number to trust."""

    @property
    def row(self) -> StepRow:
        return self.rung.row


def ladder(run: StepRun) -> list[Named]:
    """Each by the steps between the row shown above it and itself: some may not have been run."""
    order, above = [*ACTS_ON], 0
    named: list[Named] = []
    for rung in judged.ladder(run):
        at = order.index(rung.row.row)
        added = [SPOKEN[step] for step in order[above + 1 : at + 1]]
        name = f"+ {' + '.join(added)}" if named else ", ".join(added) or "float32"
        named.append(_named(rung, name))
        above = at
    return named


def without(run: StepRun) -> list[Named]:
    return [_named(rung, f"- {_spoken(rung)}") for rung in judged.without(run)[:MOST_ROWS]]


def extras(run: StepRun) -> list[Named]:
    return [_named(rung, _spoken(rung)) for rung in judged.extras(run)[:MOST_ROWS]]


def stack(run: StepRun) -> list[Named]:
    return [_named(rung, rung.row.row) for rung in judged.stack(run)[:MOST_ROWS]]


def _spoken(rung: Rung) -> str:
    return SPOKEN.get(rung.row.row, rung.row.row)


def _named(rung: Rung, name: str) -> Named:
    return Named(rung, clean(name, 34), _trouble(rung.row))


def _trouble(row: StepRow) -> str:
    if row.error:
        return f"failed: {clean(row.error, 200)}"
    if row.skipped:
        return f"not run: {clean(row.skipped, 200)}"
    if row.ok is False:
        error = sensible(row.logits_error)
        return "WRONG RESULT" + (f", logits off by {error:.2g}" if error else "")
    return ""


def sensible(value: float | None) -> float | None:
    """A report may hold anything: what cannot have been measured is not known."""
    return value if value is not None and math.isfinite(value) and 0 < value < MOST else None


def spoken(value: float | None, unit: str = "") -> str:
    """Three digits, or a dash for what is not known."""
    if value is None or not math.isfinite(value) or abs(value) >= MOST:
        return "-"
    size = abs(value)
    if size >= 1e6 or 0 < size < 0.0995:
        text = f"{value:.1g}" if size >= 1e6 else f"{value:.2g}"
    else:
        text = f"{value:.{0 if size >= 99.5 else 1 if size >= 9.95 else 2}f}"
    return f"{text} {unit}".strip()


def whole(value: float | None) -> str:
    """Without decimals from 10 on: tokens per second, kernels."""
    known = sensible(value)
    return f"{known:.0f}" if known and 9.95 <= known < 1e6 else spoken(value)
