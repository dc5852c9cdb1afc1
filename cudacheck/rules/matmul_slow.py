"""Large 16-bit matrix products are far slower than this GPU can do.

## What it does
Compares the measured 16-bit product with the same product in float32 (16-bit must be clearly faster: tensor cores),
and with the peak at the clock that a kernel saw during the measurement: multiprocessors × FLOP per clock × clock. A
low share of the datasheet alone proves nothing: cards at their power limit run at a lower clock and are healthy. Cards
whose datasheet leaves the accumulation open are judged by the first comparison alone. Of several equal GPUs, one that
is more than 8 % below the others is named. A slow result is measured again in a fresh process before it is told.

## Why it matters
Everything a model does is matrix products; one that misses the tensor cores makes prefill and training several times
slower without an error.

## What to do
See whether the GPU is busy, throttled or virtual; then try the PyTorch build for this GPU and driver.

## References
- https://github.com/stas00/ml-engineering/tree/master/compute/accelerator
- https://docs.nvidia.com/deeplearning/performance/dl-performance-matrix-multiplication/
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.bench import kinds
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Severity
from cudacheck.model.report import Health
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.patient.bench_kernels import GpuConditions, LaunchOverhead
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.rules import _torch
from cudacheck.speed import axes


def check(_timed: tuple[Measurement, ...], facts: Facts) -> Iterator[Finding]:
    for run, axis in axes.found(facts, "matmul", Health.SLOW_PATH, Health.DEGRADED):
        yield Finding(
            f"matrix products are slow on {run.label}: {axis.reasons[0]}",
            tuple(Evidence(reason, f"measured on GPU {run.device.index}") for reason in axis.reasons),
            _torch.right_build(facts, "try another PyTorch build, and see that nothing else uses the GPU"),
        )


H200 = TorchDevice(0, "NVIDIA H200", uuid="GPU-1", compute_capability="9.0", multiprocessors=132)
H200_NVML = Gpu(0, "NVIDIA H200", uuid="GPU-1", compute_capability="9.0", sm_clock_max_mhz=1980)


def _row(
    dtype: str, tflops: float, clock: float | None = 1980.0, *, converged: bool = True, device: int = 0
) -> Measurement:
    us = 2 * 8192**3 / tflops / 1e6
    return Measurement(
        "matmul", dtype, "8192³", device, median_us=us, tflops=tflops, sm_clock_mhz=clock, converged=converged, ok=True
    )


RULE = Rule(
    severity=Severity.WARNING,
    layer=Layer.SPEED,
    fix_by=FixBy.ENVIRONMENT,
    explained_by=(
        Family.HELD_BACK,
        Family.WRONG_KERNELS,
        "kernel-failed",
        "host-launch-slow",
    ),
    timed=(kinds.MATMUL.name,),
    check=check,
    fires={
        "float16 no faster than float32": (H200, H200_NVML, _row("float16", 52.0), _row("float32", 50.0)),
        "a third of the peak at full clock": (H200, H200_NVML, _row("float16", 330.0), _row("float32", 50.0)),
        "bfloat16 alone misses the tensor cores": (H200, _row("float16", 660.0, 1430.0), _row("bfloat16", 90.0)),
        "one of two GPUs is 11 % below the other": (
            H200,
            TorchDevice(1, "NVIDIA H200", uuid="GPU-2", compute_capability="9.0", multiprocessors=132),
            _row("bfloat16", 700.0, 1500.0),
            _row("bfloat16", 620.0, 1330.0, device=1),
        ),
    },
    quiet={
        "an H200 at its power limit": (H200, H200_NVML, _row("float16", 690.0, 1430.0), _row("float32", 50.0)),
        "not converged": (H200, H200_NVML, _row("float16", 52.0, converged=False), _row("float32", 50.0)),
        "a GTX 1660 has no tensor cores": (
            TorchDevice(0, "NVIDIA GeForce GTX 1660 SUPER", compute_capability="7.5"),
            _row("float16", 5.0),
            _row("float32", 4.8),
        ),
        "an A10, whose datasheet leaves the accumulation open": (
            TorchDevice(0, "NVIDIA A10", compute_capability="8.6", multiprocessors=72),
            _row("float16", 50.0, 1600.0),
            _row("float32", 13.0, 1600.0),
        ),
        "another process works on the GPU": (
            H200,
            Gpu(0, "NVIDIA H200", uuid="GPU-1", sm_clock_max_mhz=1980, utilization_percent=97),
            _row("float16", 52.0),
            _row("float32", 50.0),
        ),
        "a time slice of another process": (
            H200,
            GpuConditions(0, spin_median_us=1030.0, spin_p95_us=3100.0),
            _row("float16", 52.0),
            _row("float32", 50.0),
        ),
        "a host that starves the GPU": (
            H200,
            LaunchOverhead(0, launch_us=5000.0),
            _row("float16", 200.0),
            _row("float32", 50.0),
        ),
        "slow once, not again": (H200, _row("float16", 300.0), _row("float16", 650.0, 1400.0), _row("float32", 50.0)),
        "a MIG slice": (
            TorchDevice(0, "NVIDIA H200 MIG 1g.18gb", compute_capability="9.0", multiprocessors=16),
            _row("float16", 30.0),
            _row("float32", 28.0),
        ),
    },
)
