"""The installed PyTorch is a ROCm build, for AMD GPUs.

## What it does
Reads in `torch/version.py` that the build is for HIP, or sees `+rocm` in the version. It is an error where anything in
sight is NVIDIA's or asks for CUDA and this PyTorch sees no GPU; else a warning: nothing here judges an AMD GPU.

## Why it matters
It cannot use an NVIDIA GPU. On an AMD GPU it may work well, but then no other answer of this tool applies: it knows
NVIDIA's GPUs only. ROCm builds call their devices `cuda`, so error texts mislead.

## What to do
With an NVIDIA GPU, install a CUDA build. With an AMD GPU, ask where ROCm is supported.

## References
- https://github.com/pytorch/pytorch/issues/145670
- https://github.com/vllm-project/vllm/issues/8885
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _machine, _torch


def check(build: TorchBuild, torch: TorchCuda | None, gpus: tuple[Gpu, ...] | None, facts: Facts) -> Iterator[Finding]:
    if not build.hip and "+rocm" not in build.version:
        return
    amd = next((gpu for gpu in gpus or () if _machine.OTHER_MAKERS.search(gpu.name or "")), None)
    hip = f"{_torch.spoken(build)}, HIP {build.hip}" if build.hip else _torch.spoken(build)
    evidence = [Evidence(hip, build.found_in)]
    # Such a build finds no other GPU than AMD's.
    works = torch is not None and torch.available
    if amd or works:
        evidence.append(Evidence(amd.name or "", amd.found_in) if amd else Evidence("it sees a GPU", "torch.cuda"))
    if not works and _machine.wants_cuda(facts):
        message = f"{_torch.spoken(build)} is a ROCm build: it runs on AMD GPUs, never on NVIDIA's"
        remedies = _torch.right_build(facts, "install a CUDA build of PyTorch")
        yield Finding(message, tuple(evidence), remedies)
    else:
        message = f"{_torch.spoken(build)} is a ROCm build, for AMD GPUs: cudacheck knows NVIDIA's only"
        advice = Remedy("ask AMD's ROCm documentation whether it supports this GPU: nothing here can tell")
        yield Finding(message, tuple(evidence), (advice,), severity=Severity.WARNING)


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.TORCH_BUILD,
    fix_by=FixBy.ENVIRONMENT,
    joins=(Family.NO_CUDA_BUILD,),
    explained_by=(
        "no-gpu",
        "torch-shadowed",
    ),
    check=check,
    fires={
        "a ROCm wheel beside an NVIDIA GPU": (TorchBuild("2.5.1+rocm6.2", hip="6.2.41133"), Gpu(0, "NVIDIA A10")),
        "a ROCm nightly on an AMD GPU": (TorchBuild("2.7.0.dev20250123+rocm6.3"), Gpu(0, "AMD Radeon RX 5700 XT")),
        "a ROCm build that sees its GPU": (TorchBuild("2.5.1+rocm6.2", hip="6.2.41133"), TorchCuda(available=True)),
    },
    quiet={
        "a CUDA build": (TorchBuild("2.8.0+cu128", cuda="12.8"),),
        "a CPU build": (TorchBuild("2.8.0+cpu"),),
    },
)
