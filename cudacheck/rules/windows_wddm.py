"""Windows drives the GPU in WDDM mode, where memory spills over into the computer's.

## What it does
Notes the driver model that NVML tells in Windows. WSL needs WDDM, so there it says nothing.

## Why it matters
In WDDM mode Windows owns the GPU's memory. When it runs short, the driver moves parts to the computer's memory instead
of failing: everything goes on, many times slower. Launching kernels costs more, too.

## What to do
In the NVIDIA Control Panel set "CUDA - Sysmem Fallback Policy" to "Prefer No Sysmem Fallback", to get an error instead
of the slowness. Boards that can (not GeForce) may be put into TCC or MCDM mode with `nvidia-smi -dm`.

## References
- https://docs.nvidia.com/cuda/cuda-installation-guide-microsoft-windows/
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.host.system import System
from cudacheck.rules import _machine


def check(_one: Gpu, gpus: tuple[Gpu, ...] | None, system: System | None) -> Iterator[Finding]:
    wddm = [gpu for gpu in gpus or () if gpu.driver_model == "WDDM"]
    if not wddm or (system is not None and system.os != "windows"):
        return
    yield Finding(
        f"Windows drives {_machine.names_of(wddm)} in WDDM mode: memory that runs short spills over and gets slow",
        evidence=tuple(Evidence(f"{_machine.gpu_label(gpu)}: driver model WDDM", gpu.found_in) for gpu in wddm),
        remedies=(
            Remedy("in the NVIDIA Control Panel set CUDA - Sysmem Fallback Policy to Prefer No Sysmem Fallback"),
        ),
        sources=("https://docs.nvidia.com/cuda/cuda-installation-guide-microsoft-windows/",),
    )


RULE = Rule(
    severity=Severity.NOTE,
    layer=Layer.ADVICE,
    fix_by=FixBy.NODE,
    check=check,
    fires={"a GeForce in Windows": (System(os="windows"), Gpu(0, "NVIDIA GeForce RTX 4090", driver_model="WDDM"))},
    quiet={
        "TCC": (System(os="windows"), Gpu(0, "NVIDIA L40S", driver_model="TCC")),
        "WSL": (System(os="linux", wsl=2), Gpu(0, "NVIDIA GeForce GTX 1060 3GB", driver_model="WDDM")),
        "Linux": (System(os="linux", wsl=0), Gpu(0, "NVIDIA GeForce RTX 4090", driver_model=None)),
    },
)
