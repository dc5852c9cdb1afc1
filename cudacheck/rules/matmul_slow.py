"""Large float16 matrix products are far slower than this GPU can do.

## What it does
Compares the measured float16 product with the same product in float32 (16-bit must be clearly faster: tensor cores),
and with the datasheet's peak at the clock that was measured. A low share of the peak alone proves nothing: cards at
their power cap run at a lower clock and are healthy. Cards whose datasheet leaves the accumulation open are judged by
the first comparison alone.

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

from collections.abc import Iterator, Sequence

from cudacheck import knowledge
from cudacheck.facts import Facts
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.host.system import System
from cudacheck.probes.target.benchmark import Measurement
from cudacheck.probes.target.torch_cuda import TorchDevice
from cudacheck.report import Evidence, Finding, Layer, Severity
from cudacheck.rules import _torch

SEVERITY = Severity.WARNING
LAYER = Layer.SPEED
EXPLAINED_BY = ("gpu-throttled", "gpu-memory-held", "gpu-too-new-for-build", "gpu-too-old-for-build", "kernel-failed")
SOURCES = ("https://docs.nvidia.com/deeplearning/performance/dl-performance-matrix-multiplication/",)
LEAST_GAIN = 1.2
"""float16 over float32: at least 2 on every GPU with tensor cores, whatever its power cap."""
LEAST_SHARE = 0.45
"""Of the peak at the measured clock; large products reach 0.7 to 0.9 (MAMF tables, and 0.98 on an H200)."""
BUSY_PERCENT = 25
"""NVML is asked before the benchmark starts: what it sees is somebody else's work."""


def check(
    measurements: tuple[Measurement, ...],
    devices: tuple[TorchDevice, ...] | None,
    gpus: tuple[Gpu, ...] | None,
    system: System | None,
    facts: Facts,
) -> Iterator[Finding]:
    if system and system.on_battery:
        return
    for device in devices or ():
        gpu = next((g for g in gpus or () if g.uuid and g.uuid == device.uuid), None)
        half, single = (_matmul(measurements, device, dtype) for dtype in ("float16", "float32"))
        if half is None or half.tflops is None or (gpu and _inconclusive(gpu)):
            continue
        reason = _no_gain(half, single, device) or _low_share(half, device, gpu)
        if reason:
            yield Finding(
                f"float16 matrix products are slow on GPU {device.index} ({device.name}): {reason}",
                tuple(_measured(row) for row in (half, single) if row),
                _torch.right_build(facts, "try another PyTorch build, and see that nothing else uses the GPU"),
                SOURCES,
            )


def _matmul(measurements: Sequence[Measurement], device: TorchDevice, dtype: str) -> Measurement | None:
    rows = [m for m in measurements if m.device_index == device.index and m.case == "matmul" and m.dtype == dtype]
    return next((row for row in rows if row.converged and row.ok is not False and row.tflops), None)


def _inconclusive(gpu: Gpu) -> bool:
    shared = gpu.mig_enabled or gpu.virtualization == "vgpu"
    return bool(shared) or (gpu.utilization_percent or 0) >= BUSY_PERCENT


def _no_gain(half: Measurement, single: Measurement | None, device: TorchDevice) -> str:
    """Turing without tensor cores (GTX 16, T1000 …) has no gain to show; from 8.0 on every GPU has them."""
    model = knowledge.gpu(device.name)
    tensor_cores = (model.fp16_tflops or 0) > 0 if model else not _torch.below(device.compute_capability or "0", "8.0")
    if not tensor_cores or single is None or not single.tflops or not half.tflops:
        return ""
    gain = half.tflops / single.tflops
    return f"only {gain:.1f} times as fast as float32" if gain <= LEAST_GAIN else ""


def _low_share(half: Measurement, device: TorchDevice, gpu: Gpu | None) -> str:
    model = knowledge.gpu(device.name)
    if model is None or model.acc_uncertain or not model.verified or not model.fp16_min_tflops or not half.tflops:
        return ""
    if gpu is None or not gpu.sm_clock_max_mhz or not half.sm_clock_mhz:
        return ""
    share = half.tflops / (model.fp16_min_tflops * min(1.0, half.sm_clock_mhz / gpu.sm_clock_max_mhz))
    return f"{share:.0%} of what this GPU does at {half.sm_clock_mhz:.0f} MHz" if share < LEAST_SHARE else ""


def _measured(row: Measurement) -> Evidence:
    clock = f" at {row.sm_clock_mhz:.0f} MHz" if row.sm_clock_mhz else ""
    return Evidence(f"{row.dtype} {row.shape}: {row.tflops:.3g} TFLOP/s{clock}", "measured")


H200 = TorchDevice(0, "NVIDIA H200", uuid="GPU-1", compute_capability="9.0")
H200_NVML = Gpu(0, "NVIDIA H200", uuid="GPU-1", compute_capability="9.0", sm_clock_max_mhz=1980)


def _row(dtype: str, tflops: float, clock: float | None = 1980.0, *, converged: bool = True) -> Measurement:
    return Measurement("matmul", dtype, "8192³", 0, tflops=tflops, sm_clock_mhz=clock, converged=converged, ok=True)


FIRES = {
    "float16 no faster than float32": (H200, H200_NVML, _row("float16", 52.0), _row("float32", 50.0)),
    "a third of the peak at full clock": (H200, H200_NVML, _row("float16", 330.0), _row("float32", 50.0)),
}
QUIET = {
    "an H200 at its power cap": (H200, H200_NVML, _row("float16", 690.0, 1430.0), _row("float32", 50.0)),
    "not converged": (H200, H200_NVML, _row("float16", 52.0, converged=False), _row("float32", 50.0)),
    "a GTX 1660 has no tensor cores": (
        TorchDevice(0, "NVIDIA GeForce GTX 1660 SUPER", compute_capability="7.5"),
        _row("float16", 5.0),
        _row("float32", 4.8),
    ),
    "another process works on the GPU": (
        H200,
        Gpu(0, "NVIDIA H200", uuid="GPU-1", sm_clock_max_mhz=1980, utilization_percent=97),
        _row("float16", 52.0),
        _row("float32", 50.0),
    ),
}
