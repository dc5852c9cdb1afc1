"""What of a paste was understood, in words, and whether any of it is about CUDA, PyTorch or a GPU."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cudacheck.model.facts import Facts
from cudacheck.probes.chosen import Required
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.kernel_module import KernelModule
from cudacheck.probes.host.nvml import Gpu, GpuProcess, Nvml
from cudacheck.probes.host.pci import PciBus, PciGpu
from cudacheck.probes.host.system import System
from cudacheck.probes.host.toolkits import CudaToolkit
from cudacheck.probes.messages import ContainerStart, Contradiction, ErrorMessage
from cudacheck.probes.patient.cuda_libraries import LibraryFile
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.probes.patient.required_packages import RequiredPackage
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.probes.patient.torch_import import TorchImport
from cudacheck.registry import messages

WORDS: dict[type, tuple[str, str]] = {
    TorchBuild: ("PyTorch's build", ""),
    TorchImport: ("that PyTorch does not import", ""),
    TorchCuda: ("whether PyTorch sees CUDA", ""),
    Nvml: ("the driver", ""),
    Gpu: ("1 GPU", "GPUs"),
    GpuProcess: ("1 process", "processes"),
    KernelModule: ("the kernel module", ""),
    PciBus: ("the PCI bus", ""),
    PciGpu: ("1 GPU on the bus", "GPUs on the bus"),
    CudaToolkit: ("1 CUDA toolkit", "CUDA toolkits"),
    LibraryFile: ("1 library", "libraries"),
    Distribution: ("1 package", "packages"),
    EnvironmentVariables: ("environment variables", ""),
    ContainerStart: ("how a container was started", ""),
    ErrorMessage: ("1 message", "messages"),
}
"""How one fact of a type is called, and several."""
_NOT_ABOUT_CUDA = (System, Interpreter, Contradiction, Required, RequiredPackage)
_ORDINARY = {"numpy", "pip", "uv", "gradio"}
"""Packages that are everywhere."""
_VARIABLE = re.compile(r"CUDA|CUDNN|NVIDIA|NVCC|NCCL|GPU|TORCH|TRITON|FLASH_ATTENTION")


def counted(facts: Facts) -> list[str]:
    """What counts, each thing with the format that it was read from; empty where nothing does."""
    told = []
    for kind in sorted((k for k in facts.types() if k not in _NOT_ABOUT_CUDA), key=_place):
        if about := [fact for fact in facts.all(kind) if _is_about_cuda(fact)]:
            told.append(f"{_words(kind, len(about))}{_origin(about)}")
        elif kind is TorchBuild:
            told.append("that PyTorch is not installed")
    return told


def differing(facts: Facts) -> list[str]:
    """What of the pastes is of different environments, each in words."""
    return [f"{c.what} {c.first} and {c.other}: the first counts" for c in facts.all(Contradiction)]


def unheard(facts: Facts) -> str | None:
    """The first message that no rule listens for."""
    return next((said.text for said in facts.all(ErrorMessage) if not _is_about_cuda(said)), None)


def _place(kind: type) -> tuple[int, str]:
    known = [*WORDS]
    return (known.index(kind) if kind in WORDS else len(known), kind.__name__)


def _words(kind: type, count: int) -> str:
    one, several = WORDS.get(kind, (f"1 {kind.__name__}", kind.__name__))
    return one if count == 1 or not several else f"{count} {several}"


def _is_about_cuda(fact: object) -> bool:
    if isinstance(fact, Distribution):
        return fact.name not in _ORDINARY
    if isinstance(fact, EnvironmentVariables):
        return any(map(_VARIABLE.search, fact.values))
    if isinstance(fact, ErrorMessage):
        return any(pattern.search(fact.text) for pattern in messages())
    return True


def _origin(about: Sequence[object]) -> str:
    """The one format that all of them were read from; nothing where there are several, or none has a name."""
    origins = {str(getattr(fact, "found_in", "")) for fact in about}
    named = len(origins) == 1 and origins.isdisjoint({"", "paste"}) and not isinstance(about[0], ErrorMessage)
    return f" ({origins.pop()})" if named else ""
