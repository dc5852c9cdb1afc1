"""The installed PyTorch has no kernels for this GPU: builds for a newer CUDA dropped it.

## What it does
Compares the architectures compiled into the installed PyTorch with each GPU's compute capability. A GPU older than
the oldest of them is not covered, nor is one that falls into a gap of the list (6.1 where it jumps from 5.0 to 7.0).
Beside a GPU that this PyTorch does serve it is a warning: hide the old one, which often drives the display.

## Why it matters
`torch.cuda.is_available()` is True all the same; the first kernel raises "no kernel image is available for
execution on the device". Builds for CUDA 12.8 have no Maxwell and Pascal, most no Volta; no build for CUDA 13 has
anything older than Turing, and PyTorch 2.15 has no builds for CUDA 12 at all. Upgrading PyTorch makes it worse.

## What to do
Install the newest release that still has a build for this GPU: with CUDA 12.6, PyTorch 2.14 or older.

## References
- https://github.com/pytorch/pytorch/issues/172352
- https://github.com/pytorch/pytorch/issues/190385
- https://github.com/Kaggle/kaggle-cli/issues/1151
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cudacheck import knowledge
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Ask, Family, Rule
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.torch_cuda import TorchCuda, TorchDevice
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _kernels, _messages, _torch

MESSAGES = _kernels.NO_KERNEL


def check(
    build: TorchBuild,
    torch: TorchCuda | None,
    gpus: tuple[Gpu, ...] | None,
    devices: tuple[TorchDevice, ...] | None,
    runs: tuple[KernelRun, ...] | None,
    system: System | None,
    facts: Facts,
) -> Iterator[Finding]:
    archs = _kernels.architectures(build, torch, system)
    seen = _torch.seen_gpus(gpus, devices, runs)
    bad = [gpu for gpu in seen if not gpu.ran and _kernels.uncovered(archs, build, gpu.capability) == "too-old"]
    if bad:
        yield Finding(
            f"this PyTorch has no kernels for {_kernels.labels(bad)}: {_torch.spoken(build)} {_kernels.reach(archs)}",
            (*(Evidence(gpu.label, gpu.found_in) for gpu in bad), _kernels.archs_evidence(build, archs)),
            _remedies(bad, seen, facts),
            severity=_severity(bad, seen, archs),
        )


def _asked(said: ErrorMessage) -> bool:
    """Whether a program wanted a kernel on this GPU: PyTorch warns of every old GPU that it sees."""
    return re.search("|".join(MESSAGES[:2]), said.text) is not None and not _kernels.of_own_probe(said)


def _severity(
    bad: Sequence[_torch.SeenGpu], seen: Sequence[_torch.SeenGpu], archs: Sequence[str] | None
) -> Severity | None:
    """A newer GPU beside it computes: the older one is there for the display, or hidden in a moment."""
    others = [gpu for gpu in seen if gpu not in bad]
    serves = any(gpu.ran or (gpu.capability and archs and knowledge.covers(archs, gpu.capability)) for gpu in others)
    return Severity.WARNING if serves else None


def _remedies(bad: Sequence[_torch.SeenGpu], seen: Sequence[_torch.SeenGpu], facts: Facts) -> tuple[Remedy, ...]:
    hide = _kernels.without(bad, seen, facts)
    builds = _torch.right_build(facts, "install an older PyTorch, built for CUDA 12.6 or older")
    # where hiding helps, words about a build that does not exist say nothing more
    return (*hide, *(build for build in builds if build.commands or build.edit or not hide))


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    if _messages.has_own_words(match):
        yield Finding(match[0])
        return
    gap, gpu = _kernels.heard_gap(said.text, facts)
    if gap != "too-old":
        return
    build, seen = facts.one(TorchBuild), _torch.gpus_of(facts)
    archs = _kernels.architectures(build, facts.one(TorchCuda), facts.one(System))
    bad = [each for each in seen if not each.ran and _kernels.uncovered(archs, build, each.capability) == "too-old"]
    yield Finding(
        f"{_torch.spoken(build)} has no kernels for {gpu}: builds for this CUDA dropped it",
        (),
        _remedies(bad, seen, _kernels.with_named_gpus(said.text, facts)),
        severity=None if _asked(said) or not bad else _severity(bad, seen, archs),
    )


CU130 = ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120")
CU126 = ("sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90")
V100 = Gpu(0, "Tesla V100-SXM2-16GB", compute_capability="7.0")
NO_KERNEL = ErrorMessage("CUDA error: no kernel image is available for execution on the device", "paste")


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.TORCH_BUILD,
    fix_by=FixBy.ENVIRONMENT,
    joins=(Family.WRONG_KERNELS,),
    explained_by=(
        "torch-cpu-build",
        "torch-shadowed",
    ),
    check=check,
    heard=heard,
    messages=MESSAGES,
    asks=(
        Ask(TorchBuild, "no architecture as old as the GPU", "2.8.0+cu128 12.8 ['sm_75', 'sm_80', 'sm_90', 'sm_120']"),
        Ask(
            Gpu,
            "a GPU older than that PyTorch's",
            "GPU 0: Tesla P100-PCIE-16GB (UUID: GPU-6d5c7f3e-0000-1111-2222-333344445555)",
        ),
    ),
    fires={
        "V100 with a CUDA 13 build": (TorchBuild("2.11.0+cu130", cuda="13.0", arch_list=CU130), V100),
        "P100 with a cu128 build, and the error": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            Gpu(0, "Tesla P100-PCIE-16GB"),
            NO_KERNEL,
        ),
        "a Kepler and only the error": (
            TorchBuild("1.3.1", cuda="10.1"),
            Gpu(0, "Tesla K40c", compute_capability="3.5"),
            NO_KERNEL,
        ),
        "a gap in the list": (
            TorchBuild("1.13.0", cuda="11.7", arch_list=("sm_50", "sm_70", "sm_80")),
            Gpu(0, "NVIDIA GeForce GTX 1080 Ti", compute_capability="6.1"),
        ),
        "a V100 beside an A100 that computes": (
            TorchBuild("2.11.0+cu130", cuda="13.0", arch_list=CU130),
            TorchDevice(0, "NVIDIA A100", compute_capability="8.0"),
            TorchDevice(1, "Tesla V100-SXM2-16GB", compute_capability="7.0"),
            KernelRun(0, "addition", ok=True),
            KernelRun(1, "addition", ok=False),
        ),
        "a V100 beside an A100 on which no kernel was tried": (
            TorchBuild("2.11.0+cu130", cuda="13.0", arch_list=CU130),
            Gpu(0, "NVIDIA A100", compute_capability="8.0"),
            Gpu(1, "Tesla V100-SXM2-16GB", compute_capability="7.0"),
        ),
        "a V100 beside a GPU of which nothing is known": (
            TorchBuild("2.11.0+cu130", cuda="13.0", arch_list=CU130),
            Gpu(0),
            Gpu(1, "Tesla V100-SXM2-16GB", compute_capability="7.0"),
        ),
        "a V100 beside a GPU that is too new": (
            TorchBuild("2.11.0+cu130", cuda="13.0", arch_list=CU130),
            Gpu(0, "Vera", compute_capability="15.0"),
            Gpu(1, "Tesla V100-SXM2-16GB", compute_capability="7.0"),
        ),
        "a program asked for a kernel on the V100 beside an A100": (
            TorchBuild("2.11.0+cu130", cuda="13.0", arch_list=CU130),
            Gpu(0, "NVIDIA A100", compute_capability="8.0"),
            Gpu(1, "Tesla V100-SXM2-16GB", compute_capability="7.0"),
            NO_KERNEL,
        ),
        "our own probe asked for it": (
            TorchBuild("2.11.0+cu130", cuda="13.0", arch_list=CU130),
            Gpu(0, "NVIDIA A100", compute_capability="8.0"),
            Gpu(1, "Tesla V100-SXM2-16GB", compute_capability="7.0"),
            ErrorMessage("CUDA error: no kernel image is available for execution on the device", "kernel on GPU 1"),
        ),
        "PyTorch warns of it beside an A100": (
            TorchBuild("2.11.0+cu130", cuda="13.0", arch_list=CU130),
            TorchDevice(0, "NVIDIA A100", compute_capability="8.0"),
            TorchDevice(1, "Tesla V100-SXM2-16GB", compute_capability="7.0"),
            KernelRun(0, "addition", ok=True),
            ErrorMessage(
                "Tesla V100-SXM2-16GB with CUDA capability sm_70 is not compatible with the current PyTorch installation.",
                "paste",
            ),
        ),
        "PyTorch's newer warning alone": (
            ErrorMessage(
                "Found GPU0 Tesla P100-PCIE-16GB which is of compute capability (CC) 6.0.\n"
                "Minimum and Maximum cuda capability supported by this version of PyTorch is (7.5) - (12.0)",
                "paste",
            ),
        ),
        "PyTorch's warning alone": (
            ErrorMessage(
                "Tesla V100-SXM2-16GB with CUDA capability sm_70 is not compatible with the current PyTorch installation.\n"
                "The current PyTorch install supports CUDA capabilities sm_75 sm_80 sm_86 sm_90 sm_100 sm_120.",
                "paste",
            ),
        ),
    },
    quiet={
        "V100 with a cu126 build": (TorchBuild("2.11.0+cu126", cuda="12.6", arch_list=CU126), V100),
        "GTX 1080 Ti (6.1) runs code for 6.0": (
            TorchBuild("2.11.0+cu126", cuda="12.6", arch_list=CU126),
            Gpu(0, "NVIDIA GeForce GTX 1080 Ti", compute_capability="6.1"),
        ),
        "an old GPU that CUDA_VISIBLE_DEVICES hides from PyTorch": (
            TorchBuild("2.11.0+cu130", cuda="13.0", arch_list=CU130),
            Gpu(0, "NVIDIA GeForce GT 710", compute_capability="3.5"),
            Gpu(1, "NVIDIA GeForce RTX 4090", compute_capability="8.9"),
            TorchDevice(0, "NVIDIA GeForce RTX 4090", compute_capability="8.9"),
        ),
        "an extension lacks the kernel: PyTorch itself covers the GPU": (
            TorchBuild("2.11.0+cu130", cuda="13.0", arch_list=CU130),
            Gpu(0, "NVIDIA A10", compute_capability="8.6"),
            NO_KERNEL,
        ),
        "an old GPU that computes, whatever the list says": (
            TorchBuild("2.11.0+cu130", cuda="13.0", arch_list=CU130),
            TorchDevice(0, "Tesla V100-SXM2-16GB", compute_capability="7.0"),
            KernelRun(0, "addition", ok=True),
        ),
    },
)
