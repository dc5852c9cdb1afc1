"""A kernel is slower than in the earlier report on the same GPU.

## What it does
Compares each case with the same case of the report that `cudacheck bench kernels --baseline` named, on the same GPU (by
UUID, else by name). It speaks where the median is more than 10 % slower in time and in cycles of the measured clock,
and the 95 % intervals lie apart. A difference without that is the same, or ambiguous.

## Why it matters
An update of PyTorch, the driver or the firmware can cost speed without an error.

## What to do
Compare the two reports: versions, clocks, the backend that attention chose. Take the change back that came in between,
or make this report the new baseline.

## References
- https://github.com/NVIDIA/nvbench
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.speed import baseline, runs
from cudacheck.speed.baseline import Baseline, Change, Comparison


def check(
    measurements: tuple[Measurement, ...] | None,
    then: tuple[Baseline, ...] | None,
    devices: tuple[TorchDevice, ...] | None,
) -> Iterator[Finding]:
    compared = baseline.compare(measurements or (), then or (), devices or ())
    slower = [one for one in compared if one.change is Change.SLOWER]
    if slower:
        worst = max(slower, key=lambda one: one.ratio)
        more = f", and {len(slower) - 1} more" if len(slower) > 1 else ""
        yield Finding(
            f"slower than the baseline: {_told(worst)}{more}",
            tuple(Evidence(_told(one), one.then.found_in) for one in slower),
            (Remedy("compare the versions, clocks and attention backends of the two reports"),),
        )


def _told(one: Comparison) -> str:
    now, then = one.now.median_us or 0, one.then.median_us or 0
    return f"{runs.spoken(one.now)} takes {now:.4g} µs, was {then:.4g} µs ({one.ratio - 1:+.0%})"


H200 = TorchDevice(0, "NVIDIA H200", uuid="GPU-1", compute_capability="9.0")


def _now(us: float, clock: float = 1400.0, *, ci: float | None = 0.002) -> Measurement:
    return Measurement(
        "matmul",
        "bfloat16",
        "8192³",
        0,
        device_uuid="GPU-1",
        median_us=us,
        ci95_rel=ci,
        sm_clock_mhz=clock,
        converged=True,
    )


def _then(us: float, clock: float = 1400.0, name: str = "NVIDIA H200", uuid: str = "GPU-1") -> Baseline:
    return Baseline(
        "matmul",
        "bfloat16",
        "8192³",
        device_name=name,
        device_uuid=uuid,
        median_us=us,
        ci95_rel=0.002,
        sm_clock_mhz=clock,
    )


RULE = Rule(
    severity=Severity.WARNING,
    layer=Layer.SPEED,
    fix_by=FixBy.NODE,
    explained_by=(
        Family.HELD_BACK,
        "kernel-failed",
        "matmul-slow",
        "memory-bandwidth-slow",
    ),
    check=check,
    fires={
        "a fifth slower at the same clock": (H200, _now(1900.0), _then(1570.0)),
        "another board of the same model": (H200, _now(1900.0), _then(1570.0, uuid="GPU-9")),
    },
    quiet={
        "4 % slower": (H200, _now(1630.0), _then(1570.0)),
        "slower, for the clock was lower": (H200, _now(1900.0, clock=1150.0), _then(1570.0)),
        "as fast, at a higher clock": (H200, _now(507.0, clock=1980.0), _then(507.0, clock=1400.0)),
        "no interval": (H200, _now(1900.0, ci=None), _then(1570.0)),
        "another model": (H200, _now(1900.0), _then(1570.0, name="NVIDIA A10", uuid="GPU-9")),
        "no baseline": (H200, _now(1900.0)),
    },
)
