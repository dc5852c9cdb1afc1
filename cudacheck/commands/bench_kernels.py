"""`cudacheck bench kernels` from end to end: the doctor's inspection with a deeper benchmark in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from cudacheck.bench import kinds
from cudacheck.bench.options import BenchOptions, of_environment
from cudacheck.commands.doctor import InputError, Inspected, Stopwatch, interpreter_for, judged, prepare
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Finding
from cudacheck.probes.chosen import Patient
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.probing import children, repeating
from cudacheck.probing._processes import NoRoomError
from cudacheck.reports.read import ReportError, loads
from cudacheck.speed.baseline import Baseline, baselines

PROBE = "bench_kernels"
VARIABLE = "TORCH_CUDNN_SDPA_DEPRIORITIZED"


def kernels(
    python: str | None = None,
    *,
    quick: bool = False,
    devices: Sequence[int] = (),
    dtype: str | None = None,
    baseline: Path | None = None,
    timeout_s: float = 300,
    ignore: Collection[str] = (),
    progress: children.Progress = lambda _: None,
    heard: Callable[[Any], None] = lambda _: None,
) -> Inspected:
    """Inspect and measure. Raises InputError for a patient or a baseline that cannot be used."""
    earlier = _read(baseline) if baseline else []
    chosen = interpreter_for(python)
    options = dataclasses.replace(of_environment(), quick=quick, dtype=dtype, devices=(*devices,))
    clock = Stopwatch(timeout_s)
    try:
        inspection = children.run(
            chosen, timeout_s=timeout_s, asked={PROBE: options}, progress=progress, heard=heard, meanwhile=prepare
        )
    except NoRoomError as error:
        raise InputError(str(error)) from None
    facts = inspection.facts
    for row in earlier:
        facts.add(row)
    report = judged(facts, inspection.runs, ignore, clock.seconds)
    if not inspection.interrupted and _look_again(facts, report.findings, chosen, clock, options):
        report = judged(facts, inspection.runs, ignore, clock.seconds)
    return Inspected(report, inspection.interrupted)


def _look_again(
    facts: Facts, findings: Sequence[Finding], patient: Patient, clock: Stopwatch, options: BenchOptions
) -> bool:
    """What looks slow is measured twice, and a remedy is tried before it is printed. Returns whether facts came."""
    doubtful = repeating.cases(findings)
    again = bool(doubtful) and repeating.measure_again(facts, patient, PROBE, doubtful, clock.left_s, options)
    stalls = any(finding.rule == "attention-plan-per-length" for finding in findings)
    if stalls and not options.quick and clock.left_s > repeating.LEAST_S:
        return _try_variable(facts, patient, clock.left_s, options) or again
    return again


def _try_variable(facts: Facts, patient: Patient, timeout_s: float, options: BenchOptions) -> bool:
    """Lengths that are new, in a process that was started with the variable."""
    found = children.again(
        patient,
        PROBE,
        timeout_s=timeout_s,
        environment={VARIABLE: "1"},
        options=dataclasses.replace(options, quick=True, only=tuple(kind.name for kind in kinds.NEW_LENGTHS)),
    )
    rows = [row for row in found if isinstance(row, Measurement) and row.backend == "default"]
    for row in rows:
        facts.add(dataclasses.replace(row, backend=f"{VARIABLE}=1"))
    return bool(rows)


def _read(path: Path) -> list[Baseline]:
    try:
        report = loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except (ReportError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}") from None
    rows = baselines(report.facts, f"{path.name}, {report.created}".strip(", "))
    if not rows:
        raise InputError(f"{path} holds no measurements: save one with `cudacheck bench kernels --output {path.name}`")
    return rows
