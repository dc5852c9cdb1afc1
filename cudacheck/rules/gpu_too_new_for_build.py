"""The installed PyTorch has no kernels for this GPU, which is newer than all that it was built for.

## What it does
Compares the architectures compiled into the installed PyTorch (read from its files; `torch.cuda.get_arch_list()`
returns the same) with each GPU's compute capability, by PyTorch's own rules: code for 8.6 runs on 8.9, code for
12.0 on 12.1, and PTX on everything newer. A kernel that really ran outranks the comparison.

## Why it matters
`torch.cuda.is_available()` is True all the same; the first kernel raises "no kernel image is available for
execution on the device". Blackwell (RTX 50, B200, GB200) needs a build for CUDA 12.8 or newer; Hopper 11.8.

## What to do
Install a build whose CUDA knows the GPU. Nothing on the machine has to change for that but PyTorch, and on an old
driver the driver. Packages with kernels of their own (flash-attn, xformers, vLLM) need a new build too.

## References
- https://github.com/pytorch/pytorch/issues/167244
- https://github.com/pytorch/pytorch/issues/31285
- https://github.com/pytorch/pytorch/issues/172629
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Severity
from cudacheck.model.rule import Ask, Family, Rule
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.torch_cuda import TorchCuda, TorchDevice
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _kernels, _torch


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
    bad = [gpu for gpu in seen if not gpu.ran and _kernels.uncovered(archs, build, gpu.capability) == "too-new"]
    if bad:
        yield Finding(
            f"this PyTorch has no kernels for {_kernels.labels(bad)}: {_torch.spoken(build)} {_kernels.reach(archs)}",
            (*(Evidence(gpu.label, gpu.found_in) for gpu in bad), _kernels.archs_evidence(build, archs)),
            (
                *_torch.right_build(facts, "install a PyTorch built for CUDA 12.8 or newer"),
                *_kernels.without(bad, seen, facts),
            ),
        )


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    gap, gpu = _kernels.heard_gap(said.text, facts)
    if gap == "too-new":
        lacks = "cannot compile kernels for" if re.search(_kernels.NVRTC, match[0]) else "has no kernels for"
        yield Finding(
            f"{_torch.spoken(facts.one(TorchBuild))} {lacks} {gpu}: it was built for older GPUs",
            (),
            _torch.right_build(
                _kernels.with_named_gpus(said.text, facts), "install a PyTorch built for CUDA 12.8 or newer"
            ),
        )


AMPERE_TO_HOPPER = ("sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90")
CU128 = ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120")
NVRTC_REFUSED = ErrorMessage("RuntimeError: nvrtc: error: invalid value for --gpu-architecture (-arch)", "paste")
RTX_5090 = Gpu(0, "NVIDIA GeForce RTX 5090", compute_capability="12.0")


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
    messages=_kernels.NO_KERNEL,
    asks=(
        Ask(TorchBuild, "no architecture as new as the GPU", "2.5.1+cu124 12.4 ['sm_50', 'sm_80', 'sm_90']"),
        Ask(
            Gpu,
            "a GPU newer than that PyTorch",
            "GPU 0: NVIDIA GeForce RTX 5090 (UUID: GPU-6d5c7f3e-0000-1111-2222-333344445555)",
        ),
    ),
    fires={
        "NVRTC of before CUDA 11.8, and a GPU that the kernels of 8.6 serve": (
            TorchBuild("1.10.0+cu113", cuda="11.3"),
            Gpu(0, "NVIDIA GeForce RTX 4090", compute_capability="8.9"),
            NVRTC_REFUSED,
        ),
        "NVRTC refuses a GPU that no CUDA has dropped": (
            Gpu(0, "NVIDIA GeForce RTX 4090", compute_capability="8.9"),
            NVRTC_REFUSED,
        ),
        "NVRTC does not know the GPU": (
            TorchBuild("2.6.0+cu124", cuda="12.4"),
            RTX_5090,
            NVRTC_REFUSED,
        ),
        "a family that no build could know, and the error": (
            TorchBuild("2.8.0+cu129", cuda="12.9"),
            Gpu(0, "NVIDIA R100", compute_capability="14.0"),
            System(os="linux", machine="aarch64"),
            ErrorMessage("CUDA error: no kernel image is available for execution on the device", "paste"),
        ),
        "RTX 5090 with a cu121 build": (TorchBuild("2.4.1+cu121", cuda="12.1", arch_list=AMPERE_TO_HOPPER), RTX_5090),
        "a nightly of before CUDA 12.8, and what it says": (
            TorchBuild("2.7.0.dev20250310+cu124", cuda="12.4"),
            RTX_5090,
            ErrorMessage(
                "NVIDIA GeForce RTX 5090 with CUDA capability sm_120 is not compatible with the current PyTorch "
                "installation.\nThe current PyTorch install supports CUDA capabilities sm_50 sm_60 sm_70 sm_75 sm_80 "
                "sm_86 sm_90.",
                "paste",
            ),
        ),
        "Thor (11.0) with a build of before CUDA 13, which reaches from 8.0 to 12.0": (
            TorchBuild("2.8.0+cu128", cuda="12.8", arch_list=("sm_80", "sm_90", "sm_100", "sm_120")),
            Gpu(0, "NVIDIA Thor", compute_capability="11.0"),
        ),
        "what torch.cuda.get_arch_list() returns": (
            RTX_5090,
            TorchCuda(available=True, device_count=1),
            ErrorMessage("['sm_50', 'sm_60', 'sm_70', 'sm_75', 'sm_80', 'sm_86', 'sm_90']", "paste"),
        ),
        "a Blackwell GPU and only the error": (
            RTX_5090,
            ErrorMessage("RuntimeError: CUDA error: no kernel image is available for execution on the device", "paste"),
        ),
        **{
            f"{name} and a build for CUDA {cuda}, of a release that no table knows": (
                TorchBuild(f"2.99.0+cu{cuda.replace('.', '')}", cuda=cuda),
                Gpu(0, f"NVIDIA {name}", compute_capability=capability),
            )
            for cuda, name, capability in (
                ("10.2", "A100", "8.0"),
                ("11.7", "H100", "9.0"),
                ("12.6", "B200", "10.0"),
                ("12.6", "GeForce RTX 5090", "12.0"),
            )
        },
    },
    quiet={
        "another program's NVRTC: PyTorch's own knows the GPU": (
            TorchBuild("2.8.0+cu129", cuda="12.9"),
            Gpu(0, "NVIDIA GeForce RTX 4090", compute_capability="8.9"),
            NVRTC_REFUSED,
        ),
        "NVRTC refuses a GPU that newer ones dropped": (
            Gpu(0, "Tesla P100-PCIE-16GB", compute_capability="6.0"),
            NVRTC_REFUSED,
        ),
        "RTX 4090 (8.9) runs code for 8.6": (
            TorchBuild("2.4.1+cu121", cuda="12.1", arch_list=AMPERE_TO_HOPPER),
            Gpu(0, "NVIDIA GeForce RTX 4090", compute_capability="8.9"),
        ),
        "GB10 (12.1) runs code for 12.0, whatever PyTorch 2.9 warns": (
            TorchBuild("2.9.1", cuda="13.0"),
            Gpu(0, "NVIDIA GB10", compute_capability="12.1"),
            ErrorMessage(
                "Found GPU0 NVIDIA GB10 which is of cuda capability 12.1.\nMinimum and Maximum cuda capability supported "
                "by this version of PyTorch is (8.0) - (12.0)",
                "paste",
            ),
        ),
        "GB300 (10.3) runs code for 10.0": (
            TorchBuild("2.9.1+cu130", cuda="13.0", arch_list=CU128),
            Gpu(0, "NVIDIA GB300", compute_capability="10.3"),
        ),
        "PTX serves a newer GPU": (
            TorchBuild("2.6.0", cuda="12.6", arch_list=(*AMPERE_TO_HOPPER, "compute_90")),
            RTX_5090,
        ),
        "what torch.cuda.get_arch_list() returns for a GPU that it covers": (
            RTX_5090,
            ErrorMessage("['sm_75', 'sm_80', 'sm_86', 'sm_90', 'sm_100', 'sm_120', 'compute_120']", "paste"),
        ),
        "another program's list, and PyTorch's own build covers the GPU": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            RTX_5090,
            ErrorMessage("compiling for ['sm_80', 'sm_86', 'sm_89', 'sm_90']", "paste"),
        ),
        "a kernel really ran": (
            TorchBuild("2.6.0a0+ngc", cuda="12.6", arch_list=AMPERE_TO_HOPPER),
            TorchDevice(0, "NVIDIA GeForce RTX 5090", compute_capability="12.0"),
            KernelRun(0, "addition", ok=True),
        ),
        **{
            f"{name} and a build for CUDA {cuda}, the first for it, of a release that no table knows": (
                TorchBuild(f"2.99.0+cu{cuda.replace('.', '')}", cuda=cuda),
                Gpu(0, f"NVIDIA {name}", compute_capability=capability),
            )
            for cuda, name, capability in (
                ("11.0", "A100", "8.0"),
                ("11.8", "H100", "9.0"),
                ("12.8", "B200", "10.0"),
                ("12.8", "GeForce RTX 5090", "12.0"),
            )
        },
    },
)
