"""What a speed is a share of: never one number alone."""

from __future__ import annotations

import dataclasses

from cudacheck import knowledge
from cudacheck.bench import kinds
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.speed.runs import GpuRun


@dataclasses.dataclass(frozen=True)
class Peaks:
    """Dense 16-bit TFLOP/s of one GPU; None where nobody knows."""

    datasheet: float | None = None
    at_the_clock: float | None = None
    """Multiprocessors × FLOP per clock × the clock that a kernel saw during the measurement."""
    achieved: float | None = None
    """The best that somebody reached on this model."""
    convicts: bool = False
    """Whether `at_the_clock` is sure enough for a low share of it to be a fault."""
    no_tensor_cores: bool = False


def matmul(run: GpuRun, row: Measurement) -> Peaks:
    """The peaks of a 16-bit matmul."""
    if row.dtype not in ("float16", "bfloat16"):
        return Peaks()
    device, model = run.device, run.model
    rate = knowledge.tensor_rate(device.name, device.compute_capability or "")
    known = knowledge.achieved(device.name)
    at_the_clock = None
    if rate and rate.flop_per_clock and device.multiprocessors and row.sm_clock_mhz:
        at_the_clock = device.multiprocessors * rate.flop_per_clock * row.sm_clock_mhz / 1e6
    datasheet = (model.bf16_tflops if row.dtype == "bfloat16" else model.fp16_tflops) if model else None
    return Peaks(
        datasheet=datasheet or None,
        at_the_clock=at_the_clock,
        achieved=known.bf16_tflops if known else None,
        convicts=bool(rate and rate.verified and model and model.verified and not model.acc_uncertain),
        no_tensor_cores=bool((rate and rate.flop_per_clock == 0) or (model and model.fp16_tflops == 0)),
    )


def shares(run: GpuRun, row: Measurement) -> dict[str, float]:
    """The row's speed over each peak that is known, by the peak's name."""
    kind = kinds.of(row.case)
    if kind.limited_by == "memory":
        over: dict[str, float | None] = {"datasheet": bandwidth(run)}
        copied = run.best(kinds.COPY)
        if kind is not kinds.COPY:
            over[kinds.COPY.name] = copied.gb_per_s if copied else None
        return {name: row.gb_per_s / peak for name, peak in over.items() if peak and row.gb_per_s}
    known = matmul(run, row)
    over = {"datasheet": known.datasheet, "clock": known.at_the_clock}
    if kind is kinds.MATMUL:
        over["achieved"] = known.achieved
    return {name: row.tflops / peak for name, peak in over.items() if peak and row.tflops}


def bandwidth(run: GpuRun) -> float | None:
    """The datasheet's memory bandwidth in GB/s."""
    return run.model.memory_bandwidth_gbs if run.model else None
