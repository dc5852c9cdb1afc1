"""flash-attn has no kernels for this GPU.

## What it does
Compares each GPU with what flash-attn 2 supports: compute capability 8.0 and newer. Where its kernel really ran on
the GPU, that decides; a release of before Blackwell has no kernels for 10.0 and 12.0.

## Why it matters
"FlashAttention only supports Ampere GPUs or newer": the call fails as soon as a model uses it. T4, V100, RTX 20 and
GTX cards are older. Merely having the package installed does no harm.

## What to do
Use PyTorch's own attention, whose memory-efficient kernel runs on these GPUs too.

## References
- https://github.com/Dao-AILab/flash-attention/issues/762
- https://github.com/Dao-AILab/flash-attention/issues/542
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.flash_attn import FlashAttention
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.rules import _kernels, _torch

SDPA = Remedy(
    "use PyTorch's own attention, which runs on this GPU",
    edit='AutoModelForCausalLM.from_pretrained(..., attn_implementation="sdpa")',
)


def check(
    dists: tuple[Distribution, ...] | None,
    flash: FlashAttention | None,
    gpus: tuple[Gpu, ...] | None,
    devices: tuple[TorchDevice, ...] | None,
    facts: Facts,
) -> Iterator[Finding]:
    package = next((d for d in dists or () if d.name == "flash-attn" and d.version.startswith("2")), None)
    version = flash.version if flash else package.version if package else None
    if not flash and not package:
        return
    seen = _torch.seen_gpus(gpus, devices, None)
    for gpu in seen:
        if _torch.below(gpu.capability, "8.0"):
            yield Finding(
                f"flash-attn {version or ''} is installed, but has no kernels for {gpu.label}",
                (
                    Evidence(gpu.label, gpu.found_in),
                    Evidence(f"flash-attn {version or ''}".strip(), "installed packages"),
                ),
                (SDPA,),
            )
    if flash and flash.ran is False and re.search("|".join(_kernels.SURE), flash.run_error or "") and seen:
        yield Finding(
            f"flash-attn {version or ''} was built without kernels for {seen[0].label}",
            (Evidence(_torch.one_line(flash.run_error or ""), "its kernel on the first GPU"),),
            (*remedies.flash_attn(facts), SDPA),
        )


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    if "no kernel image" in match[0]:
        yield _without_kernels("hopper" in match[0], facts)
        return
    old = [gpu.label for gpu in _torch.gpus_of(facts) if _torch.below(gpu.capability, "8.0")]
    which = old[0] if old else "this GPU"
    yield Finding(
        f"flash-attn has no kernels for {which}: it needs compute capability 8.0 or newer",
        (),
        (SDPA,),
        severity=Severity.ERROR,
    )


def _without_kernels(of_hopper: bool, facts: Facts) -> Finding:
    """FlashAttention 3 lives in a folder called `hopper`, for which its kernels are."""
    which = next((gpu.label for gpu in _torch.gpus_of(facts)), "this GPU")
    version = (
        "FlashAttention 3 has kernels for Hopper (compute 9.0), and none" if of_hopper else "flash-attn has no kernels"
    )
    return Finding(f"{version} for {which}", (), (*remedies.flash_attn(facts), SDPA), severity=Severity.ERROR)


RULE = Rule(
    severity=Severity.WARNING,
    layer=Layer.EXTENSIONS,
    fix_by=FixBy.ENVIRONMENT,
    explained_by=(
        "flash-attn-abi-mismatch",
        "gpu-too-new-for-build",
    ),
    check=check,
    heard=heard,
    messages=(r"FlashAttention only supports (?:Ampere|Turing) GPUs or newer", _kernels.OF_FLASH_ATTENTION),
    fires={
        "T4": (Distribution("flash-attn", "2.8.3"), Gpu(0, "Tesla T4", compute_capability="7.5")),
        "what it says on a V100": (
            Gpu(0, "Tesla V100S-PCIE-32GB", compute_capability="7.0"),
            ErrorMessage("RuntimeError: FlashAttention only supports Ampere GPUs or newer.", "paste"),
        ),
        "FlashAttention 3 on Blackwell": (
            Gpu(0, "NVIDIA GeForce RTX 5080", compute_capability="12.0"),
            ErrorMessage(
                "CUDA error (/src/flash-attention/hopper/flash_fwd_launch_template.h:167): no kernel image is available for "
                "execution on the device",
                "paste",
            ),
        ),
        "a release of before Blackwell": (
            FlashAttention(
                "2.6.3",
                imports=True,
                ran=False,
                run_error="CUDA error: no kernel image is available for execution on the device",
            ),
            TorchDevice(0, "NVIDIA GeForce RTX 5090", compute_capability="12.0"),
        ),
    },
    quiet={
        "RTX 4090": (Distribution("flash-attn", "2.8.3"), Gpu(0, "NVIDIA GeForce RTX 4090", compute_capability="8.9")),
        "T4 without flash-attn": (Distribution("torch", "2.8.0"), Gpu(0, "Tesla T4", compute_capability="7.5")),
        "the T4 is hidden from PyTorch": (
            Distribution("flash-attn", "2.8.3"),
            Gpu(0, "Tesla T4", compute_capability="7.5"),
            TorchDevice(0, "NVIDIA A100-SXM4-40GB", compute_capability="8.0"),
        ),
    },
)
