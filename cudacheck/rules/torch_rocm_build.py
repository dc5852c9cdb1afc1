"""The installed PyTorch is a ROCm build, for AMD GPUs.

## What it does
Reads in `torch/version.py` that the build is for HIP, or sees `+rocm` in the version. It fires only beside an NVIDIA
GPU: on an AMD GPU, or where no GPU is in sight, such a build is nobody's mistake.

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

import re
from collections.abc import Iterator

from cudacheck.facts import Facts
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.target.torch_cuda import TorchCuda
from cudacheck.probes.target.torch_files import TorchBuild
from cudacheck.report import Evidence, Finding, Layer, Severity
from cudacheck.rules import _torch

SEVERITY = Severity.ERROR
LAYER = Layer.TORCH_BUILD
AMD = re.compile(r"(?i)\bAMD\b|Radeon|Instinct")
EXPLAINED_BY = ("no-gpu", "torch-shadowed")
SOURCES = ("https://github.com/pytorch/pytorch/issues/145670",)


def check(build: TorchBuild, torch: TorchCuda | None, gpus: tuple[Gpu, ...] | None, facts: Facts) -> Iterator[Finding]:
    if not build.hip and "+rocm" not in build.version:
        return
    nvidia = next((gpu for gpu in gpus or () if not AMD.search(gpu.name or "")), None)
    # Such a build finds no other GPU than AMD's, and where nothing is NVIDIA's nobody asked for CUDA.
    if nvidia is None or (torch is not None and torch.available):
        return
    hip = f"{_torch.spoken(build)}, HIP {build.hip}" if build.hip else _torch.spoken(build)
    yield Finding(
        f"{_torch.spoken(build)} is a ROCm build: it runs on AMD GPUs, never on NVIDIA's",
        (Evidence(hip, build.found_in), Evidence(nvidia.name or "an NVIDIA GPU", nvidia.found_in)),
        _torch.right_build(facts, "install a CUDA build of PyTorch"),
        SOURCES,
    )


FIRES = {
    "a ROCm wheel beside an NVIDIA GPU": (TorchBuild("2.5.1+rocm6.2", hip="6.2.41133"), Gpu(0, "NVIDIA A10")),
}
QUIET = {
    "a ROCm nightly on an AMD GPU": (TorchBuild("2.7.0.dev20250123+rocm6.3"), Gpu(0, "AMD Radeon RX 5700 XT")),
    "a ROCm build that sees its GPU": (TorchBuild("2.5.1+rocm6.2", hip="6.2.41133"), TorchCuda(available=True)),
    "a ROCm build, and no GPU in sight": (TorchBuild("2.5.1+rocm6.2", hip="6.2.41133"),),
    "a CUDA build": (TorchBuild("2.8.0+cu128", cuda="12.8"),),
    "a CPU build": (TorchBuild("2.8.0+cpu"),),
}
