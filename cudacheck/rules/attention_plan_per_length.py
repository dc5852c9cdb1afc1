"""Attention stalls at every sequence length that the process has not met before.

## What it does
Times the first and the second attention at three lengths that are new to the process, in prefill and in decode, by
PyTorch's own choice of backend and with cuDNN's switched off. It speaks where a new length costs more than 10 ms and,
without cuDNN, at most 5 ms.

## Why it matters
cuDNN builds a plan for each shape. Prompts differ in length and a decoded token makes the cache one longer, so a server
pays at every prompt and at every token: on an H200 with torch 2.11 the first answer of 32 tokens took 1.6 to 1.9 s
instead of 0.5. Steady benchmarks never see it.

## What to do
Switch cuDNN's attention off, in the program or by a variable; the effect was measured on this machine. Programs
that pad to a few lengths, or capture CUDA graphs for them, pay once a length.

## References
- https://github.com/modelscope/FunASR/issues/3704
- https://github.com/pytorch/pytorch/pull/155958
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.host.system import System
from cudacheck.probes.target.bench_kernels import GpuConditions, LaunchOverhead
from cudacheck.probes.target.benchmark import Measurement
from cudacheck.probes.target.torch_cuda import TorchDevice
from cudacheck.report import Evidence, Finding, Health, Layer, Remedy, Severity
from cudacheck.speed import new_lengths, runs

SEVERITY = Severity.WARNING
LAYER = Layer.SPEED
SOURCES = ("https://github.com/modelscope/FunASR/issues/3704", "https://github.com/pytorch/pytorch/pull/155958")
VARIABLE = "TORCH_CUDNN_SDPA_DEPRIORITIZED=1"


def check(
    measurements: tuple[Measurement, ...] | None,
    devices: tuple[TorchDevice, ...] | None,
    gpus: tuple[Gpu, ...] | None,
    system: System | None,
    launches: tuple[LaunchOverhead, ...] | None,
    conditions: tuple[GpuConditions, ...] | None,
    variables: EnvironmentVariables | None,
) -> Iterator[Finding]:
    for run in runs.of(devices, measurements, gpus, system, launches, conditions, variables):
        axis = new_lengths.axis(run)
        if axis and axis.health is Health.SLOW_PATH:
            cost = max(new_lengths.extra_ms(run, "default").values())
            yield Finding(
                f"attention stalls for {cost:.0f} ms at every length that is new on {run.label}",
                tuple(Evidence(reason, f"measured on GPU {run.device.index}") for reason in axis.reasons),
                tuple(_remedies(run)),
                SOURCES,
            )


def _remedies(run: runs.GpuRun) -> Iterator[Remedy]:
    """Only what was measured to help here."""
    yield Remedy("switch cuDNN's attention off in the program", edit="torch.backends.cuda.enable_cudnn_sdp(False)")
    by_variable = new_lengths.extra_ms(run, VARIABLE)
    if by_variable and max(by_variable.values()) <= new_lengths.SETTLED_MS:
        yield Remedy(
            f"or without a change to the program (measured: {max(by_variable.values()):.1f} ms at a new length)",
            (f"export {VARIABLE}",),
        )


H200 = TorchDevice(0, "NVIDIA H200", uuid="GPU-1", compute_capability="9.0", multiprocessors=132)


def _row(first_ms: float, backend: str = "default", *, decode: bool = False) -> Measurement:
    case = "attention decode at a new length" if decode else "attention at a new length"
    return Measurement(
        case, "float16", "1×12×L×128 causal", 0, backend=backend, first_call_ms=first_ms, median_us=130.0
    )


FIRES = {
    "an H200 with torch 2.11": (H200, _row(37.4), _row(0.3, "cudnn off"), _row(35.4, decode=True)),
    "and the variable was tried": (H200, _row(37.4), _row(0.3, "cudnn off"), _row(0.4, VARIABLE)),
}
QUIET = {
    "flash has no plans": (H200, _row(0.3), _row(0.3, "cudnn off"), _row(0.2, decode=True)),
    "everything is slow at first, without cuDNN, too": (H200, _row(31.0), _row(28.0, "cudnn off")),
    "whether it would help was not measured": (H200, _row(37.4)),
    "another process works on the GPU": (
        H200,
        Gpu(0, "NVIDIA H200", uuid="GPU-1", utilization_percent=97),
        _row(37.4),
        _row(0.3, "cudnn off"),
    ),
}
