"""The doctor's few seconds of benchmark: FP16 matmul and attention on every visible GPU, checked against float64."""

from __future__ import annotations

from dataclasses import dataclass

TIMEOUT_S = 30.0
AFTER = ("kernels",)


@dataclass(frozen=True)
class Measurement:
    """One case of a benchmark on one GPU."""

    case: str
    """`matmul`, `attention` …"""
    dtype: str
    """`float16`, `bfloat16`, `float32`, `tf32`."""
    shape: str
    """`8192³`, `1×12×2048×128 causal`."""
    device_index: int
    device_uuid: str | None = None
    backend: str | None = None
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
    error: str | None = None
