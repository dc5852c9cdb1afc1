"""Whether PyTorch's kernels cover the GPUs that it sees, and what PyTorch says where they do not."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Literal

from cudacheck import knowledge, remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Remedy
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _torch

Gap = Literal["too-new", "too-old"]

# What a build's kernels cover

FIRST_CUDA = ((12, (12, 8)), (11, (13, 0)), (10, (12, 8)), (9, (11, 8)), (8, (11, 0)))
"""The first CUDA that compiles for a generation of GPUs, newest first (CUDA toolkit release notes)."""
LAST_CUDA = (((7, 0), (12, 8)), ((7, 5), (13, 0)))
"""Below this capability, PyTorch's wheels for this CUDA and newer have no kernels (its RELEASE.md)."""
FIRST_NVRTC = {"8.6": (11, 1), "8.7": (11, 4), "8.9": (11, 8)}
"""The first that compiles for these: PyTorch has NVRTC compile for exactly the GPU, other than its own kernels."""
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
    known = _torch.release(build.version)
    machine, os = (system.machine or "x86_64", system.os) if system else ("x86_64", "linux")
    return knowledge.archs_of(known, build.cuda, machine, os) if known else None


def from_index(build: TorchBuild) -> bool:
    """Whether this is a wheel of the PyTorch project: conda-forge's, NVIDIA's and own builds hold other kernels."""
    known = _torch.parsed(build.version)
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
        if knowledge.covers(archs, capability):
            return None
        # 11.0 (Thor) is newer than a build of CUDA 12.8, though that reaches from 8.0 to 12.0
        return "too-new" if build and _is_before(build.cuda, capability) else knowledge.gap(archs, capability)
    # Thor (11.0) is a Jetson: the builds made for those bear the same tags and hold other kernels
    if build and build.cuda and build.version and from_index(build) and not capability.startswith("11."):
        return _gap_by_cuda(build.cuda, capability, LAST_CUDA)
    return None


def _gap_by_cuda(cuda: str, capability: str, last: tuple[tuple[tuple[int, int], tuple[int, int]], ...]) -> Gap | None:
    if _is_before(cuda, capability):
        return "too-new"
    built, gpu = _torch.numbers(cuda), _torch.numbers(capability)
    return "too-old" if any(gpu < limit and built >= since for limit, since in last) else None


def _is_before(cuda: str | None, capability: str) -> bool:
    """Whether this CUDA cannot compile for a GPU yet."""
    major = _torch.numbers(capability)[0]
    first = next((first for of, first in FIRST_CUDA if major >= of), (0, 0))
    return cuda is not None and _torch.numbers(cuda) < first


def reach(archs: Sequence[str] | None) -> str:
    """`reaches from sm_50 to sm_90`"""
    kernels = sorted((arch for arch in archs or () if arch.startswith("sm_")), key=_torch.numbers)
    return f"reaches from {kernels[0]} to {kernels[-1]}" if kernels else "is built with a CUDA of other generations"


def archs_evidence(build: TorchBuild, archs: Sequence[str] | None) -> Evidence:
    return Evidence(f"{_torch.spoken(build)}: {' '.join(archs)}" if archs else _torch.spoken(build), build.found_in)


# What PyTorch says of missing kernels


NO_KERNEL = (
    r"no kernel image is available for execution on the device",
    r"cudaErrorNoKernelImageForDevice",
    r"nvrtc: error: invalid value for --gpu-architecture \(-arch\)",
    r"(?i:with cuda capabilit(?:y|ies) sm_\d+\w? is not\s+compatible with the current pytorch)",
    r"which is of (?:cuda capability|compute capability \(CC\)) \d+\.\d+",
    r"(?i:supports cuda capabilities)(?:[\s,]+(?:sm|compute)_\d+[af]?)+",
    r"supported by this\s+version of PyTorch is\s+\(\d+\.\d\) - \(\d+\.\d\)",
    r"\d{1,2}\.\d which supports hardware CC",
    r"no longer supports this GPU because it is too old",
    r"\[(?:['\"](?:sm|compute)_\d{2,3}[af]?['\"](?:, ?)?){2,40}\]",
)
"""The error, the warnings, their lines that list what the build was made for, and what get_arch_list() prints."""
SURE = NO_KERNEL[:4]
NVRTC = NO_KERNEL[2]


OF_FLASH_ATTENTION = r"(?i:flash[-_]?att(?:entio)?n)[\w/.-]{0,120}(?::\d{1,5})?\)?: no kernel image is available"
"""With the file of FlashAttention that started it: whatever PyTorch's kernels cover."""


def of_own_probe(said: ErrorMessage) -> bool:
    """Whether the words are of a kernel that we started on every GPU, wanted there or not."""
    return said.found_in.startswith("kernel on GPU")


def heard_gap(text: str, facts: Facts) -> tuple[Gap | None, str]:
    """What messages about missing kernels mean together: the gap, and the GPU it is about.

    PyTorch 2.9 to 2.13 warn about GPUs that their kernels do serve (12.1 on sm_120), so the words alone convict nobody.
    """
    said = _all_said(text, facts)
    if re.search(OF_FLASH_ATTENTION, text):
        return None, ""
    build = facts.one(TorchBuild)
    archs = _archs_in(said) or architectures(build, facts.one(TorchCuda), facts.one(System)) or _arch_list_in(said)
    seen = _torch.gpus_of(facts)
    proven = {gpu.capability for gpu in seen if gpu.ran}
    named: list[tuple[str, str | None]] = [*_gpus_in(said)] or [(gpu.label, gpu.capability) for gpu in seen]
    for name, capability in named:
        if capability is None or capability in proven:
            continue
        gap = uncovered(archs, build, capability)
        if gap is None and re.search(NVRTC, said):
            gap = _nvrtc_gap(build, capability)
        if gap is None and not archs and any(re.search(words, said) for words in SURE):
            gap = _guessed_gap(build, capability)
        if gap or (archs is None and "because it is too old" in said):
            return gap or "too-old", name
    return None, ""


def _all_said(text: str, facts: Facts) -> str:
    return "\n".join([text, *(message.text for message in facts.all(ErrorMessage))])


def with_named_gpus(text: str, facts: Facts) -> Facts:
    """The facts, and where none tells what the GPUs are, those that the messages name: a remedy must serve them."""
    if any(gpu.capability for gpu in _torch.gpus_of(facts)):
        return facts
    named = _gpus_in(_all_said(text, facts))
    gpus = [Gpu(i, name, compute_capability=capability) for i, (name, capability) in enumerate(named)]
    known = [fact for kind in facts.types() for fact in facts.all(kind)]
    return Facts([*known, *gpus], complete=filter(facts.is_complete, facts.types()))


def _guessed_gap(build: TorchBuild | None, capability: str) -> Gap | None:
    """Where a kernel is surely missing and no list of architectures is known: the older and the newest GPUs."""
    if _torch.numbers(capability)[0] > FIRST_CUDA[0][0]:
        return "too-new"  # a family that no build could know
    if _torch.below(capability, "5.0"):
        return "too-old"  # Kepler, which PyTorch's wheels left out from 1.3 on: pytorch#24205
    if build and build.cuda:
        return _gap_by_cuda(build.cuda, capability, (*LAST_CUDA, *HEARD_LAST_CUDA))
    if _torch.numbers(capability)[0] >= 10:
        return "too-new"
    return "too-old" if _torch.below(capability, "7.5") else None


def _nvrtc_gap(build: TorchBuild | None, capability: str) -> Gap | None:
    """Where NVRTC refused the GPU: no CUDA has dropped one of 7.5 or newer yet, so it came before the GPU."""
    if _torch.below(capability, "7.5"):
        return None
    if build and build.cuda:
        first = FIRST_NVRTC.get(capability, (0, 0))
        return "too-new" if _torch.numbers(build.cuda) < first or _is_before(build.cuda, capability) else None
    return "too-new"


def _gpus_in(text: str) -> list[tuple[str, str]]:
    """(name, capability) of the GPUs that PyTorch's warnings name."""
    warning = r"(?mi:(?:^|:)([^\n:]{0,80}?)\s?\bwith cuda capabilit(?:y|ies) sm_(\d{2,3}))"
    named = [
        (name.strip() or f"the GPU of sm_{digits}", f"{digits[:-1]}.{digits[-1]}")
        for name, digits in re.findall(warning, text)
    ]
    found = re.findall(r"Found (GPU ?\d+ [^\n]{0,80}?) which is of [^\n\d]{0,40}(\d+\.\d+)", text)
    return [*named, *found]


def _arch_list_in(text: str) -> tuple[str, ...] | None:
    """What looks like torch.cuda.get_arch_list(); other programs print such lists too, so it counts last."""
    listed = re.search(NO_KERNEL[-1], text)
    return tuple(re.findall(r"(?:sm|compute)_\d+[af]?", listed[0])) if listed else None


def _archs_in(text: str) -> tuple[str, ...] | None:
    """The architectures that PyTorch's warnings list."""
    listed = re.search(r"(?i:supports cuda capabilities)((?:[\s,]+(?:sm|compute)_\d+[af]?)+)", text)
    if listed:
        return tuple(re.findall(r"(?:sm|compute)_\d+[af]?", listed[1]))
    built = re.findall(r"(\d{1,2})\.(\d) which supports hardware CC", text)
    span = re.search(r"supported by this\s+version of PyTorch is\s+\((\d+)\.(\d)\) - \((\d+)\.(\d)\)", text)
    if span and not built:
        built = [(span[1], span[2]), (span[3], span[4])]
    return tuple(f"sm_{major}{minor}" for major, minor in built) or None


def labels(gpus: Sequence[_torch.SeenGpu]) -> str:
    return gpus[0].label + (f" and {len(gpus) - 1} more" if len(gpus) > 1 else "")


def without(bad: Sequence[_torch.SeenGpu], seen: Sequence[_torch.SeenGpu], facts: Facts) -> tuple[Remedy, ...]:
    """Hide some GPUs from CUDA, where others are left.

    By UUID, for CUDA and NVML number them differently; where NVML's numbers alone are known, CUDA is told to use those.
    """
    left = [gpu for gpu in seen if gpu not in bad]
    by_uuid, by_cuda = all(gpu.uuid for gpu in left), any(gpu.found_in == "torch.cuda" for gpu in left)
    in_words = any(gpu.found_in == "what is said" for gpu in seen)  # nobody knows their numbers
    if not bad or not left or in_words or (by_cuda and not by_uuid):
        return ()
    visible = ",".join((gpu.uuid or "") if by_uuid else str(gpu.index) for gpu in left)
    hide = [remedies.set_variable(facts, "CUDA_VISIBLE_DEVICES", visible)]
    if not by_uuid:
        hide.insert(0, remedies.set_variable(facts, "CUDA_DEVICE_ORDER", "PCI_BUS_ID"))
    commands = tuple(command for remedy in hide for command in remedy.commands)
    title = f"hide GPU {', '.join(str(gpu.index) for gpu in bad)} from CUDA"
    return (dataclasses.replace(hide[0], title=title, commands=commands),)
