"""Was every result right?"""

from __future__ import annotations

from collections.abc import Sequence

from cudacheck.model.report import Axis, Health
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.speed import evidence
from cudacheck.speed.runs import GpuRun, spoken


def axis(run: GpuRun, _: Sequence[GpuRun] = ()) -> Axis | None:
    checked = [row for row in run.rows if row.ok is not None]
    wrong = [f"{spoken(row)}: {_error(row)}" for row in checked if row.ok is False]
    broken = [f"{spoken(row)}: {row.error}" for row in run.rows if row.error and row.ok is None]
    if wrong:
        return evidence.axis(run, "correctness", Health.WRONG, *wrong)
    if not checked:
        return evidence.axis(run, "correctness", Health.INCONCLUSIVE, *broken) if broken else None
    said = f"{len(checked)} results within tolerance of float64 on the CPU"
    return evidence.axis(run, "correctness", Health.INCONCLUSIVE if broken else Health.HEALTHY, *broken, said)


def _error(row: Measurement) -> str:
    if row.max_error is None:
        return row.error or "wrong"
    return f"off by {row.max_error:.2g}, allowed {row.tolerance:.2g}" if row.tolerance is not None else "wrong"
