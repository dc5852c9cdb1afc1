"""A GPU's PCI Express link runs with fewer lanes than the board and the machine can.

## What it does
Compares the width of the link with the widest that NVML reports for this board in this machine. The generation is not
judged: an idle link clocks down to save power. Virtual GPUs, and boards tied to a Grace CPU, are left out.

## Why it matters
Copies between host and GPU take twice as long at half the width: loading models, offloading, data loaders. Kernels are
not slower.

## What to do
Reseat the board, clean the contacts, take risers out, use the x16 slot nearest to the CPU, and look whether another
card or an M.2 drive takes lanes from it in the firmware's setup.

## References
- https://github.com/NVIDIA/NVSentinel/issues/890
- https://github.com/Tiiny-AI/PowerInfer/issues/237
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.host.nvml import Gpu
from cudacheck.rules import _machine

LEFT_OUT = re.compile(r"Laptop|Max-Q|Mobile|\bG[HB]\d", re.IGNORECASE)
"""Laptops power lanes down; GH200, GB200 and GB10 reach their CPU by NVLink-C2C."""


def check(_one: Gpu, gpus: tuple[Gpu, ...] | None) -> Iterator[Finding]:
    narrow = [gpu for gpu in gpus or () if _is_narrow(gpu)]
    if not narrow:
        return
    first = narrow[0]
    yield Finding(
        f"{_machine.names_of(narrow)}: the PCI Express link has {first.pcie_width} of {first.pcie_width_max} lanes",
        evidence=tuple(
            Evidence(f"{_machine.gpu_label(gpu)}: x{gpu.pcie_width} of x{gpu.pcie_width_max}", gpu.found_in)
            for gpu in narrow
        ),
        remedies=(
            Remedy("reseat the board, without riser, in a slot with all lanes; look at lane sharing in the setup"),
        ),
        sources=("https://github.com/NVIDIA/NVSentinel/issues/890",),
    )


def _is_narrow(gpu: Gpu) -> bool:
    if gpu.virtualization not in {None, "none", "passthrough"} or LEFT_OUT.search(gpu.name or ""):
        return False
    return bool(gpu.pcie_width) and gpu.pcie_width_max is not None and (gpu.pcie_width or 0) < gpu.pcie_width_max


RULE = Rule(
    severity=Severity.WARNING,
    layer=Layer.HARDWARE,
    fix_by=FixBy.NODE,
    explained_by=("gpu-lost",),
    check=check,
    fires={"four of sixteen lanes": (Gpu(0, "NVIDIA GeForce RTX 4090", pcie_width=4, pcie_width_max=16),)},
    quiet={
        "all lanes, an idle generation": (
            Gpu(0, "NVIDIA A10", pcie_width=16, pcie_width_max=16, pcie_generation=1, pcie_generation_max=4),
        ),
        "a board made with eight lanes": (Gpu(0, "NVIDIA GeForce RTX 4060", pcie_width=8, pcie_width_max=8),),
        "a laptop": (Gpu(0, "NVIDIA GeForce RTX 4070 Laptop GPU", pcie_width=8, pcie_width_max=16),),
        "GH200": (Gpu(0, "NVIDIA GH200 480GB", pcie_width=1, pcie_width_max=16),),
        "a vGPU": (Gpu(0, "NVIDIA L40S-48C", pcie_width=1, pcie_width_max=16, virtualization="vgpu"),),
        "not told": (Gpu(0, "NVIDIA A10", pcie_width=None, pcie_width_max=16),),
    },
)
