"""The doctor's few seconds of benchmark: FP16 matmul and attention on every visible GPU, and if right."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Iterator

from cudacheck.bench import kinds
from cudacheck.bench.options import of_environment
from cudacheck.model import holds
from cudacheck.model.identity import Identity
from cudacheck.probes import Probe


@dataclass(frozen=True)
class Measurement:
    """One case of a benchmark on one GPU."""

    case: holds.Term
    """A name of `bench/kinds.py`. At a new length `first_call_ms` is the median of the first calls at lengths that the
    process had not met, and `median_us` that of the second calls."""
    dtype: holds.Term
    """`float16`, `bfloat16`, `float32`, `tf32`."""
    shape: holds.Term
    """`8192³`, `1×12×2048×128 causal`."""
    device_index: int
    device_uuid: holds.Uuid | None = None
    backend: holds.Term | None = None
    """For attention: `default` is PyTorch's own choice; `flash`, `efficient`, `cudnn`, `math`, `flash-attn`.
    At new lengths: `default` and `cudnn off`, or a variable that was set for the whole process."""
    median_us: float | None = None
    ci95_rel: float | None = None
    """Half-width of the median's 95 % confidence interval, over the median."""
    repetitions: int = 0
    converged: bool = False
    tflops: float | None = None
    gb_per_s: float | None = None
    sm_clock_mhz: float | None = None
    """The clock seen by a spinning kernel just before and after, their mean."""
    ok: bool | None = None
    """Whether the result was within tolerance of float64 on the CPU."""
    max_error: float | None = None
    tolerance: float | None = None
    error: holds.FreeText | None = None
    skipped: holds.FreeText | None = None
    """Why it was not run: no time or memory left, or refused by PyTorch, in its words. No fault by itself."""
    refused: bool = False
    """It was PyTorch that would not run it with this backend."""
    first_call_ms: float | None = None
    """The first call of this case in this process, by the host's clock: loading and planning are in it."""
    min_us: float | None = None
    p05_us: float | None = None
    p95_us: float | None = None
    drift_rel: float | None = None
    """How much slower the last fifth of the samples was than the first."""
    discarded: int = 0
    """Samples left out because the clock had dropped for a moment."""
    method: holds.Term | None = None
    """`events` round each call, replays of a CUDA `graph`, or the host's `wall` clock."""
    cache: holds.Term | None = None
    """`rotated`: inputs taken in turn from three times the L2 cache; `hot`: they may have stayed in it."""
    bitwise_repeatable: bool | None = None
    """Whether the last call gave the same bits as the first."""
    attempt: int = 1
    """2 where a first measurement looked slow and a fresh process measured again."""

    IDENTITY = Identity(
        key=("case", "dtype", "shape", "backend"),
        gpu=("device_index", "device_uuid"),
        only=("ok", "refused"),  # times have intervals: speed/baseline.py
        figure="median_us",
        why=(("ok", "error"),),
        asked=True,
    )


@dataclass(frozen=True)
class ClockTrace:
    """What one GPU did while it was measured: one entry a look, some 50 ms apart, 120 at most."""

    device_index: int
    device_uuid: holds.Uuid | None = None
    at_s: tuple[float, ...] = ()
    """Since the first look."""
    sm_clock_mhz: tuple[float, ...] = ()
    power_w: tuple[float, ...] = ()
    """Empty where NVML does not tell it for this GPU."""
    reasons: tuple[holds.Term, ...] = ()
    """What held the clock back at that moment: NVML's clock event reasons, with blanks between them."""
    attempt: int = 1

    IDENTITY = Identity(never=True)


BUDGET_S = 2.5
"""For one GPU; an H200 takes half of it."""
BUDGET_ALL_S = 20.0
REQUIRED_S = 1.5
"""For one GPU more, where a speed is required. A look may be a tenth too fast: so are the first 0.3 s of an H200."""


def collect() -> Iterator[object]:
    from cudacheck.probes.patient._gpus import working_gpus
    from cudacheck.probes.patient._torch import imported_torch

    torch = imported_torch()
    gpus = working_gpus(torch)
    from cudacheck.bench.cases import doctor_cases, filling_size
    from cudacheck.bench.device import uuid
    from cudacheck.bench.engine import measured
    from cudacheck.bench.nvml import Counters
    from cudacheck.bench.timing import A_LOOK, AT_THE_POWER_LIMIT
    from cudacheck.bench.trace import Trace

    also = of_environment().also
    for index in gpus:
        device = torch.device("cuda", index)
        cases = doctor_cases(partial(filling_size, device=device))
        careful = required(cases, also, device)
        rest = [case for case in cases if case not in careful]
        with Trace(Counters(uuid(index))) as trace:
            for row in measured(careful, device, REQUIRED_S, patience=AT_THE_POWER_LIMIT):
                yield Measurement(**row)
            for row in measured(rest, device, min(BUDGET_S, BUDGET_ALL_S / len(gpus)), patience=A_LOOK):
                yield Measurement(**row)
        if seen := trace.told():
            yield ClockTrace(index, uuid(index), **seen)


def required(cases: list[Any], also: tuple[str, ...], device: Any) -> list[Any]:
    """What is measured with care: of the doctor's cases, and those that it leaves out."""
    from cudacheck.bench.cases import copied_numbers
    from cudacheck.bench.kernels import Copy

    products = [case for case in cases if case.kind is kinds.MATMUL and case.dtype == "float16"]
    careful = products if kinds.MATMUL.name in also else []
    return [*careful, Copy(copied_numbers(device))] if kinds.COPY.name in also else careful


PROBE = Probe(
    collect,
    timeout_s=30.0,
    facts=(Measurement, ClockTrace),
    after=("kernels",),
)
