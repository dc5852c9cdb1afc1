"""What the rules about PyTorch share: its version, the GPUs it sees, what its kernels cover, what its import said."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal

from packaging.version import InvalidVersion, Version

from cudacheck import knowledge, remedies
from cudacheck.facts import Facts
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.target.interpreter import Interpreter
from cudacheck.probes.target.kernels import KernelRun
from cudacheck.probes.target.torch_cuda import TorchCuda, TorchDevice
from cudacheck.probes.target.torch_files import TorchBuild
from cudacheck.probes.target.torch_import import TorchImport
from cudacheck.report import Evidence, Remedy

Gap = Literal["too-new", "too-old"]


# Versions


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


@lru_cache
def torch_of(package: str, version: str) -> str | None:
    """The PyTorch minor (`2.8`) whose verified partner this torchvision or torchaudio minor is."""
    for number in range(40):
        pair = knowledge.companions(f"2.{number}.0")
        partner = getattr(pair, package, None) if pair else None
        if partner and minor(partner) == minor(version):
            return f"2.{number}"
    return None


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


# What a build's kernels cover


FIRST_CUDA = ((10, (12, 8)), (9, (11, 8)), (8, (11, 0)))
"""The first CUDA that compiles for a generation of GPUs, newest first (CUDA toolkit release notes)."""
LAST_CUDA = (((7, 0), (12, 8)), ((7, 5), (13, 0)))
"""Below this capability, PyTorch's wheels for this CUDA and newer have no kernels (its RELEASE.md)."""
HEARD_LAST_CUDA = (((7, 5), (12, 8)),)
"""The same where PyTorch itself said that a kernel is missing: cu128 lost Volta in 2.7 and again in 2.11."""


def architectures(build: TorchBuild | None, torch: TorchCuda | None, system: System | None) -> tuple[str, ...] | None:
    """The architectures in this build: as read from its files, as PyTorch told, else of a verified row."""
    if build and build.arch_list:
        return build.arch_list
    if torch and torch.arch_list:
        return torch.arch_list
    if build is None or build.cuda is None or not from_index(build) or (system and system.jetson):
        return None
    known = release(build.version)
    machine, os = (system.machine or "x86_64", system.os) if system else ("x86_64", "linux")
    return knowledge.archs_of(known, build.cuda, machine, os) if known else None


def from_index(build: TorchBuild) -> bool:
    """Whether this is a wheel of the PyTorch project: conda-forge's, NVIDIA's and own builds hold other kernels."""
    known = parsed(build.version)
    if known is None or build.conda_build:
        return False
    if known.local:
        return re.fullmatch(r"cu\d+", known.local) is not None
    default = knowledge.default_index_tag(known.public)
    return build.cuda is not None and default == knowledge.tag_of_cuda(build.cuda)


def uncovered(archs: Sequence[str] | None, build: TorchBuild | None, capability: str | None) -> Gap | None:
    """Why the build has no kernels for a GPU; None where it has, or where nobody can tell."""
    if capability is None:
        return None
    if archs:
        return None if knowledge.covers(archs, capability) else knowledge.gap(archs, capability)
    if build and build.cuda and build.version and from_index(build):
        return _gap_by_cuda(build.cuda, capability, LAST_CUDA)
    return None


def _gap_by_cuda(cuda: str, capability: str, last: tuple[tuple[tuple[int, int], tuple[int, int]], ...]) -> Gap | None:
    built, gpu = numbers(cuda), numbers(capability)
    if any(gpu[0] >= major and built < first for major, first in FIRST_CUDA):
        return "too-new"
    return "too-old" if any(gpu < limit and built >= since for limit, since in last) else None


def reach(archs: Sequence[str] | None) -> str:
    """`reaches from sm_50 to sm_90`"""
    kernels = sorted((arch for arch in archs or () if arch.startswith("sm_")), key=numbers)
    return f"reaches from {kernels[0]} to {kernels[-1]}" if kernels else "is built with a CUDA of other generations"


def archs_evidence(build: TorchBuild, archs: Sequence[str] | None) -> Evidence:
    return Evidence(f"{spoken(build)}: {' '.join(archs)}" if archs else spoken(build), build.found_in)


# What PyTorch says of missing kernels


NO_KERNEL = (
    r"no kernel image is available for execution on the device",
    r"cudaErrorNoKernelImageForDevice",
    r"with CUDA capability sm_\d+\w? is not\s+compatible with the current PyTorch",
    r"which is of (?:cuda capability|compute capability \(CC\)) \d+\.\d+",
    r"supports CUDA capabilities(?:[\s,]+(?:sm|compute)_\d+[af]?)+",
    r"supported by this\s+version of PyTorch is\s+\(\d+\.\d\) - \(\d+\.\d\)",
    r"\d+\.\d which supports hardware CC",
    r"no longer supports this GPU because it is too old",
)
"""The error, the warnings, and the lines of the warnings that list what the build was made for."""
SURE = NO_KERNEL[:3]


def heard_gap(text: str, facts: Facts) -> tuple[Gap | None, str]:
    """What messages about missing kernels mean together: the gap, and the GPU it is about.

    PyTorch 2.9 to 2.13 warn about GPUs that their kernels do serve (12.1 on sm_120), so the words alone convict nobody.
    """
    said = "\n".join([text, *(message.text for message in facts.all(ErrorMessage))])
    build = facts.one(TorchBuild)
    archs = _archs_in(said) or architectures(build, facts.one(TorchCuda), facts.one(System))
    seen = gpus_of(facts)
    proven = {gpu.capability for gpu in seen if gpu.ran}
    named: list[tuple[str, str | None]] = [*_gpus_in(said)] or [(gpu.label, gpu.capability) for gpu in seen]
    for name, capability in named:
        if capability is None or capability in proven:
            continue
        gap = uncovered(archs, build, capability)
        if gap is None and not archs and any(re.search(words, said) for words in SURE):
            gap = _guessed_gap(build, capability)
        if gap or (archs is None and "because it is too old" in said):
            return gap or "too-old", name
    return None, ""


def _guessed_gap(build: TorchBuild | None, capability: str) -> Gap | None:
    """Where a kernel is surely missing and no list of architectures is known: the older and the newest GPUs."""
    if build and build.cuda:
        return _gap_by_cuda(build.cuda, capability, (*LAST_CUDA, *HEARD_LAST_CUDA))
    return "too-new" if numbers(capability)[0] >= 10 else "too-old" if numbers(capability) < (7, 5) else None


def _gpus_in(text: str) -> list[tuple[str, str]]:
    """(name, capability) of the GPUs that PyTorch's warnings name."""
    named = [
        (name.strip(), f"{digits[:-1]}.{digits[-1]}")
        for name, digits in re.findall(r"(?:^|:)([^\n:]{0,80}) with CUDA capability sm_(\d{2,3})", text, re.MULTILINE)
    ]
    found = re.findall(r"Found (GPU ?\d+ [^\n]{0,80}?) which is of [^\n\d]{0,40}(\d+\.\d+)", text)
    return [*named, *found]


def _archs_in(text: str) -> tuple[str, ...] | None:
    """The architectures that PyTorch's warnings list."""
    listed = re.search(r"supports CUDA capabilities((?:[\s,]+(?:sm|compute)_\d+[af]?)+)", text)
    if listed:
        return tuple(re.findall(r"(?:sm|compute)_\d+[af]?", listed[1]))
    built = re.findall(r"(\d+)\.(\d) which supports hardware CC", text)
    span = re.search(r"supported by this\s+version of PyTorch is\s+\((\d+)\.(\d)\) - \((\d+)\.(\d)\)", text)
    if span and not built:
        built = [(span[1], span[2]), (span[3], span[4])]
    return tuple(f"sm_{major}{minor}" for major, minor in built) or None


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


def quoted(said: ErrorMessage, match: re.Match[str] | None = None) -> Evidence:
    """The line of a message that the match is on, and who said it."""
    start = match.start() if match else 0
    line = said.text[said.text.rfind("\n", 0, start) + 1 :].partition("\n")[0]
    return Evidence(one_line(line), said.found_in)


def conda_install(facts: Facts, spec: str, channel: str = "") -> tuple[str, ...]:
    """The command for conda's environment; none where the interpreter is not of one."""
    interpreter = facts.one(Interpreter)
    if interpreter is None or not interpreter.conda_prefix:
        return ()
    where = f"conda install -p {shlex.quote(interpreter.conda_prefix)}"
    return (f"{where} -c {channel} {shlex.quote(spec)}" if channel else f"{where} {shlex.quote(spec)}",)


def right_build(facts: Facts, otherwise: str) -> tuple[Remedy, ...]:
    """The PyTorch that works here; where no verified build fits, words without a command."""
    return remedies.torch_build(facts) or (Remedy(otherwise),)
