"""What matters first: the order in which a support engineer would look."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cudacheck.comparing._pairs import Changed
from cudacheck.model.facts import Facts
from cudacheck.probes.host.device_nodes import DeviceNode
from cudacheck.probes.host.driver_files import DriverLibrary
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.kernel_module import KernelModule
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Gpu, GpuProcess, Nvml
from cudacheck.probes.host.pci import PciGpu
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.probes.patient.cuda_libraries import LibraryFile, MissingLibraryFile
from cudacheck.probes.patient.flash_attn import FlashAttention
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.loaded_libraries import LoadedLibrary
from cudacheck.probes.patient.torch_cuda import TorchCuda, TorchDevice
from cudacheck.probes.patient.torch_files import ShadowingModule, TorchBuild
from cudacheck.probes.patient.torch_import import TorchImport

Place = tuple[type, str]
"""A type and one of its fields; a type with "" is all that is not named."""

ALONE = "alone"
"""Only one side has it: which libraries are mapped at all follows from how far a program came."""

FIRST: Sequence[Place] = (
    (Nvml, "driver_version"),
    (KernelModule, ""),
    (DriverLibrary, ""),
    (LibCuda, "found"),
    (Nvml, "nvml_version"),
    (Nvml, "cuda_version"),
    (TorchBuild, "version"),
    (TorchBuild, "cuda"),
    (TorchBuild, "hip"),
    (ShadowingModule, ""),
    (LoadedLibrary, ""),
    (LibraryFile, ""),
    (MissingLibraryFile, ""),
    (TorchBuild, ""),
    (Gpu, ""),
    (PciGpu, ""),
    (DeviceNode, ""),
    (EnvironmentVariables, ""),
    (Measurement, ""),
)
LAST: Sequence[Place] = (
    (Nvml, ""),
    (TorchDevice, ""),
    (LibCuda, ""),
    (TorchImport, ""),
    (TorchCuda, ""),
    (FlashAttention, ""),
    (LoadedLibrary, ALONE),
    (KernelRun, ""),
    (ErrorMessage, ""),
    (GpuProcess, ""),
)
"""What came of all that stands before."""

EARLY, BETWEEN, LATE = 0, 1, 2
PLACES = {name: (half, number) for half, order in ((EARLY, FIRST), (LATE, LAST)) for number, name in enumerate(order)}

MOST_VERSIONS = 100
"""That may lead; those that matter come first."""

_VERSION = re.compile(r"\d+(?:\.\d+){2,}\S*|\d+(?:\.\d+)+\+\S+")
"""Shorter ones are the same by chance: CUDA 12.8 of a driver, of PyTorch, of a toolkit."""


def place(change: Changed) -> tuple[int, int, bool, str, str]:
    """Where a change stands among the others; what is not named comes in between, by name."""
    told = change.told
    known = (PLACES.get((change.kind, field)) for field in (told.field or ALONE, ""))
    half, number = next(filter(None, known), (BETWEEN, 0))
    return half, number, told.field not in {"version", "name"}, told.which if half != BETWEEN else told.what, told.field


def turn(change: Changed, urgency: int | None) -> tuple[int, int]:
    """What a likely reason rests on comes first; where that only came of something, what that may be stands before."""
    part = place(change)[0]
    if urgency is None:
        return {EARLY: 1, BETWEEN: 3, LATE: 4}[part], 0
    return (2 if part == LATE else 0), urgency


def leaders(changes: Sequence[Changed]) -> dict[int, int]:
    """By the number of a change that only shows another one's version in another place, the number of that one."""
    found: dict[int, int] = {}
    versions: list[tuple[str, str, int]] = []
    for number, change in enumerate(changes):
        before, after = change.told.expected, change.told.found
        if not (isinstance(before, str) and isinstance(after, str)):
            continue
        leader = next((n for old, new, n in versions if old in before and before.replace(old, new) == after), None)
        if leader is not None:
            found[number] = leader
        elif len(versions) < MOST_VERSIONS and _VERSION.fullmatch(before) and _VERSION.fullmatch(after):
            versions.append((before, after, number))
            public = before.partition("+")[0], after.partition("+")[0]
            if public[0] != public[1] and public != (before, after):
                versions.append((*public, number))
    return found


def kinds_of(*bags: Facts) -> list[type]:
    return sorted({kind for bag in bags for kind in bag.types()}, key=lambda kind: kind.__name__)
