"""What the rules about PyTorch share: its version, the GPUs it sees, what its import said, how to put it right."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Iterable, Sequence
from functools import lru_cache

from packaging.version import InvalidVersion, Version

from cudacheck import knowledge, remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Remedy
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.system import System
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.probes.patient.torch_import import TorchImport
from cudacheck.rules import _driver

# Versions


@lru_cache(maxsize=1024)
def parsed(version: str | None) -> Version | None:
    try:
        return Version(version or "")
    except InvalidVersion:
        return None


def release(version: str | None) -> str | None:
    """`2.8.0+cu128` → `2.8.0`; None for nightlies, NVIDIA's `2.7.0a0+…nv25.02` and what is no version."""
    known = parsed(version)
    return known.public if known and not known.is_prerelease else None


def minor(version: str | None) -> str | None:
    """`2.8.0+cu128` → `2.8`"""
    known = parsed(version)
    return f"{known.major}.{known.minor}" if known else None


def at_least(version: str | None, wanted: str) -> bool:
    """Whether a version is known and this new; pre-releases count as their release."""
    known = parsed(version)
    return known is not None and Version(known.base_version) >= Version(wanted)


@lru_cache(maxsize=1024)
def numbers(cuda: str) -> tuple[int, ...]:
    """`12.8` → (12, 8)"""
    return tuple(int(part) for part in re.findall(r"\d+", cuda)[:2])


def cuda_major(build: TorchBuild | None) -> int | None:
    return numbers(build.cuda)[0] if build and build.cuda and numbers(build.cuda) else None


def spoken(build: TorchBuild | None) -> str:
    """`torch 2.8.0+cu128`, and the CUDA it was built for where the version does not say so."""
    if build is None:
        return "PyTorch"
    name = f"torch {build.version}" if build.version else "the installed PyTorch"
    return f"{name} (CUDA {build.cuda})" if build.cuda and "+cu" not in build.version else name


def build_evidence(build: TorchBuild) -> Evidence:
    return Evidence(spoken(build), build.found_in)


# GPUs


@dataclasses.dataclass(frozen=True)
class SeenGpu:
    """A GPU that PyTorch sees, or where nobody asked PyTorch, one of the machine."""

    index: int
    name: str
    capability: str | None
    uuid: str | None
    ran: bool
    """A kernel of PyTorch's own ran on it: that outranks any table."""
    found_in: str

    @property
    def label(self) -> str:
        name = self.name or "a GPU"
        return (
            f"GPU {self.index} ({name}, compute {self.capability})" if self.capability else f"GPU {self.index} ({name})"
        )


def seen_gpus(
    gpus: Iterable[Gpu] | None, devices: Sequence[TorchDevice] | None, runs: Sequence[KernelRun] | None
) -> tuple[SeenGpu, ...]:
    """CUDA_VISIBLE_DEVICES hides GPUs from PyTorch that NVML still lists, so PyTorch's own list goes first."""
    if devices:
        return tuple(_seen(d, d.name, d.compute_capability, runs or (), "torch.cuda") for d in devices)
    return tuple(_seen(gpu, gpu.name or "", gpu.compute_capability, (), gpu.found_in) for gpu in gpus or ())


def _seen(
    gpu: Gpu | TorchDevice, name: str, capability: str | None, runs: Sequence[KernelRun], found_in: str
) -> SeenGpu:
    here = [run for run in runs if run.device_index == gpu.index]
    # cuBLAS and cuDNN bring kernels of their own: their success says nothing of PyTorch's.
    own = [run for run in here if run.kernel == "addition"] or here
    capability = capability or knowledge.capability_of(name)
    if capability and not re.fullmatch(r"\d+\.\d+", capability):
        capability = None
    return SeenGpu(gpu.index, name, capability, gpu.uuid, any(run.ok for run in own), found_in)


def gpus_of(facts: Facts) -> tuple[SeenGpu, ...]:
    """The same from the whole bag, for what was heard."""
    return seen_gpus(facts.all(Gpu), facts.all(TorchDevice), facts.all(KernelRun))


def below(capability: str | None, wanted: str) -> bool:
    """Whether a compute capability is known, and lower than this one."""
    return capability is not None and numbers(capability) < numbers(wanted)


def triton(facts: Facts) -> Distribution | None:
    """The Triton that is imported, with a ptxas of its own; the one for Windows goes by CUDA_PATH first."""
    names = {"triton", "pytorch-triton"}
    return next((d for d in facts.all(Distribution) if d.name in names and not d.shadowed_by), None)


# What was said, and what to do


def failed_import(imported: TorchImport | None) -> str:
    """What `import torch` raised, with its type; empty where it did not."""
    if imported is None or imported.ok or not imported.error:
        return ""
    return f"{imported.error_type or 'ImportError'}: {imported.error}"


def in_import(patterns: Iterable[str], imported: TorchImport | None) -> re.Match[str] | None:
    """The first of these messages in what `import torch` raised."""
    said = failed_import(imported)
    return next((found for found in (re.search(pattern, said) for pattern in patterns) if found), None)


def one_line(text: str, limit: int = 160) -> str:
    """A message on one line, cut where nobody reads on."""
    words = " ".join(text.split())
    return words if len(words) <= limit else f"{words[: limit - 1]}…"


def conda_install(facts: Facts, spec: str, channel: str = "") -> tuple[str, ...]:
    """The command for conda's environment; none where the interpreter is not of one."""
    interpreter = facts.one(Interpreter)
    if interpreter is None or not interpreter.conda_prefix:
        return ()
    where = f"conda install -p {shlex.quote(interpreter.conda_prefix)}"
    return (f"{where} -c {channel} {shlex.quote(spec)}" if channel else f"{where} {shlex.quote(spec)}",)


def right_build(facts: Facts, otherwise: str) -> tuple[Remedy, ...]:
    """The PyTorch that works here, without a GPU the CPU build; where no verified build fits, words alone."""
    system = facts.one(System)
    if system and system.os == "darwin":
        return (Remedy("run the program on `mps` or `cpu`: no PyTorch for macOS is built for CUDA"),)
    if _driver.owner_of_silence(facts.one(Nvml), facts) == "no-gpu":
        return (remedies.cpu_build(facts),)
    return remedies.torch_build(facts) or (Remedy(otherwise),)
