"""Persistence mode is off, so the driver starts the GPUs anew for every first program.

## What it does
Notes it on Linux servers with data-centre boards. Desktops hold the driver open anyway; in containers and under WSL it
is not yours to set.

## Why it matters
When the last program closes the GPU, the driver shuts it down; the next one waits until all GPUs of the machine are
started again, seconds each. It is felt as a slow first CUDA call.

## What to do
Enable nvidia-persistenced, the daemon that holds the driver open.

## References
- https://docs.nvidia.com/deploy/driver-persistence/
- https://github.com/pytorch/pytorch/issues/39005
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck import knowledge
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.host.system import System
from cudacheck.rules import _machine


def check(system: System, _one: Gpu, gpus: tuple[Gpu, ...] | None) -> Iterator[Finding]:
    if system.container != "" or not _machine.on_linux(system):
        return
    off = [gpu for gpu in gpus or () if gpu.persistence_mode is False and _is_for_data_centres(gpu)]
    if off:
        yield Finding(
            f"persistence mode is off on {_machine.names_of(off)}: the first CUDA call starts the driver anew",
            evidence=tuple(Evidence(f"{_machine.gpu_label(gpu)}: persistence mode off", gpu.found_in) for gpu in off),
            remedies=(
                Remedy(
                    "let the persistence daemon hold the driver open",
                    ("sudo systemctl enable --now nvidia-persistenced",),
                    needs_root=True,
                    verify="nvidia-smi --query-gpu=index,persistence_mode --format=csv",
                ),
            ),
            sources=("https://docs.nvidia.com/deploy/driver-persistence/",),
        )


def _is_for_data_centres(gpu: Gpu) -> bool:
    model = knowledge.gpu(gpu.name or "")
    return model is not None and model.kind == "datacenter"


SERVER = System(os="linux", container="", wsl=0, jetson=False)


RULE = Rule(
    severity=Severity.NOTE,
    layer=Layer.ADVICE,
    fix_by=FixBy.NODE,
    check=check,
    fires={"a server": (SERVER, Gpu(0, "NVIDIA A10", persistence_mode=False))},
    quiet={
        "on": (SERVER, Gpu(0, "NVIDIA A10", persistence_mode=True)),
        "a workstation": (SERVER, Gpu(0, "NVIDIA GeForce RTX 4090", persistence_mode=False)),
        "a container": (System(os="linux", container="docker", wsl=0), Gpu(0, "NVIDIA A10", persistence_mode=False)),
        "WSL": (System(os="linux", container="", wsl=2), Gpu(0, "NVIDIA A10", persistence_mode=False)),
        "a laptop": (SERVER, Gpu(0, "NVIDIA GeForce RTX 4070 Laptop GPU", persistence_mode=False)),
    },
)
