"""The host takes so long to launch a kernel that the GPU waits for it.

## What it does
Times how long the host needs to queue a small kernel through PyTorch, on average over thousands, and an event. A
healthy host needs 5 to 10 µs; above 20 µs it speaks. Measured again in a fresh process before it is told.

## Why it matters
A decoder launches a thousand kernels a token: at 20 µs each, 50 tokens a second are the most that any GPU can give.

## What to do
See what else uses the processor: a thread of the same program that holds Python's lock, a container's CPU quota, a
power-saving governor, a tracer or debugger. CUDA graphs take the launches out of the loop.

## References
- https://docs.nvidia.com/cuda/cuda-c-programming-guide/#cuda-graphs
- https://pytorch.org/blog/accelerating-pytorch-with-cuda-graphs/
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.bench import kinds
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.report import Health
from cudacheck.model.rule import Rule
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.system import System
from cudacheck.probes.patient.bench_kernels import GpuConditions, LaunchOverhead
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.speed import axes


def check(facts: Facts) -> Iterator[Finding]:
    for run, axis in axes.found(facts, "launch", Health.SLOW_PATH):
        yield Finding(
            f"launches starve {run.label}: {axis.reasons[0]}",
            tuple(Evidence(reason, f"measured on GPU {run.device.index}") for reason in axis.reasons),
            (
                Remedy("see what uses the processor: CPU quota, power-saving governor, tracers, other threads"),
                Remedy("take the launches out of the loop: CUDA graphs, or torch.compile's reduce-overhead mode"),
            ),
        )


H200 = TorchDevice(0, "NVIDIA H200", uuid="GPU-1", compute_capability="9.0", multiprocessors=132)


RULE = Rule(
    severity=Severity.WARNING,
    layer=Layer.SPEED,
    fix_by=FixBy.NODE,
    timed=(kinds.LAUNCH.name,),
    explained_by=("too-few-cpus", "debug-switch-set"),
    check=check,
    fires={
        "a throttled processor": (H200, LaunchOverhead(0, launch_us=48.0)),
        "a thread that holds Python's lock": (
            H200,
            LaunchOverhead(0, launch_us=16.0),
            GpuConditions(0, queue_us=10290.0),
        ),
    },
    quiet={
        "an H200's host": (H200, LaunchOverhead(0, launch_us=8.1)),
        "slow once, not again": (H200, LaunchOverhead(0, launch_us=31.0), LaunchOverhead(0, launch_us=9.0, attempt=2)),
        "launches that are made to wait": (
            H200,
            LaunchOverhead(0, launch_us=31.0),
            EnvironmentVariables({"CUDA_LAUNCH_BLOCKING": "1"}),
        ),
        "on battery": (H200, LaunchOverhead(0, launch_us=31.0), System(os="linux", container="", on_battery=True)),
    },
)
