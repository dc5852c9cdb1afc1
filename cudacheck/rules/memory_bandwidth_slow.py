"""The GPU's memory is far slower than its datasheet says.

## What it does
Compares a copy of 1 GiB within the GPU's memory (reads and writes counted) with the datasheet's bandwidth, and with
the other GPUs of the same model. Healthy GPUs reach 75 to 90 %; below 55 % it speaks. Measured again in a fresh process
before it is told.

## Why it matters
Decoding reads every weight for every token: with half of the bandwidth, half of the tokens.

## What to do
See at which clock the memory runs under load and whether errors were corrected; then compare with a second GPU. A
board that stays slow alone on the machine belongs to its vendor.

## References
- https://github.com/NVIDIA/DCGM/blob/master/nvvs/etc/diag-skus.yaml
- https://github.com/stas00/ml-engineering/tree/master/compute/accelerator
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.bench import kinds
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.report import Health
from cudacheck.model.rule import Rule
from cudacheck.probes.patient.bench_kernels import GpuConditions
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.speed import axes


def check(facts: Facts) -> Iterator[Finding]:
    for run, axis in axes.found(facts, "memory", Health.DEGRADED):
        which = str(run.gpu.index) if run.gpu else run.device.uuid or "0"
        yield Finding(
            f"memory is slow on {run.label}: {axis.reasons[0]}",
            tuple(Evidence(reason, f"measured on GPU {run.device.index}") for reason in axis.reasons),
            (Remedy("look at its memory clock and errors", (f"nvidia-smi -i {which} -q -d CLOCK,ECC,ROW_REMAPPER",)),),
        )


H200 = TorchDevice(0, "NVIDIA H200", uuid="GPU-1", compute_capability="9.0", multiprocessors=132)


def _copy(gb_per_s: float, device: int = 0) -> Measurement:
    return Measurement(
        kinds.COPY.name,
        "float32",
        "1024 MiB",
        device,
        median_us=2**31 / gb_per_s / 1e3,
        gb_per_s=gb_per_s,
        converged=True,
        ok=True,
    )


RULE = Rule(
    severity=Severity.WARNING,
    layer=Layer.SPEED,
    fix_by=FixBy.NODE,
    explained_by=(
        "ecc-uncorrectable",
        "gpu-throttled",
        "kernel-failed",
    ),
    timed=(kinds.COPY.name,),
    check=check,
    fires={
        "half of an H200's bandwidth": (H200, _copy(2400.0)),
        "one of two GPUs": (H200, TorchDevice(1, "NVIDIA H200", uuid="GPU-2"), _copy(4240.0), _copy(3700.0, device=1)),
    },
    quiet={
        "an H200": (H200, _copy(4235.0)),
        "a GPU that nobody knows": (TorchDevice(0, "NVIDIA GB10", compute_capability="12.1"), _copy(50.0)),
        "two GPUs 3 % apart": (H200, TorchDevice(1, "NVIDIA H200"), _copy(4240.0), _copy(4110.0, device=1)),
        "another process copies, too": (
            H200,
            GpuConditions(0, spin_median_us=1000.0, spin_p95_us=2900.0),
            _copy(2100.0),
        ),
    },
)
