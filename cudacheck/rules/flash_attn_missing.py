"""flash-attn is not installed, or lacks a package that it imports.

## What it does
Notes that flash-attn is absent where a GPU could run it (compute capability 8.0 or newer). It is an error only
where a program asked for it, or where it is installed and a package that it imports is missing.

## Why it matters
Rarely: PyTorch's own `scaled_dot_product_attention` has a FlashAttention kernel inside, and transformers uses it by
default. `attn_implementation="flash_attention_2"` fails without the package.

## What to do
Ask for `attn_implementation="sdpa"`, which needs no package; or install the wheel that was built for the installed
PyTorch, CUDA and Python. Where there is none, building it takes hours.

## References
- https://github.com/Dao-AILab/flash-attention/issues/246
- https://github.com/hiyouga/EasyR1/issues/571
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
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _torch

SDPA = Remedy(
    "stay with PyTorch's own attention, which needs no package",
    edit='AutoModelForCausalLM.from_pretrained(..., attn_implementation="sdpa")',
)


def check(
    dists: tuple[Distribution, ...],
    build: TorchBuild,
    flash: FlashAttention | None,
    gpus: tuple[Gpu, ...] | None,
    devices: tuple[TorchDevice, ...] | None,
    facts: Facts,
) -> Iterator[Finding]:
    seen = _torch.seen_gpus(gpus, devices, None)
    able = [gpu for gpu in seen if gpu.capability and not _torch.below(gpu.capability, "8.0")]
    if flash is None and build.cuda and able and not any(d.name.startswith("flash-attn") for d in dists):
        yield Finding(
            "flash-attn is not installed; attention uses PyTorch's own kernels, and needs nothing more",
            (Evidence("no flash-attn", "installed packages"),),
            (SDPA,),
        )
    if flash and flash.error_type == "ModuleNotFoundError":
        yield Finding(
            f"flash-attn {flash.version or ''} cannot be imported: {_torch.one_line(flash.error or '', 100)}",
            (Evidence(_torch.one_line(flash.error or ""), flash.found_in),),
            (*_install_missing(flash, facts), SDPA),
            severity=Severity.ERROR,
        )


def _install_missing(flash: FlashAttention, facts: Facts) -> Iterator[Remedy]:
    module = re.search(r"No module named ['\"](einops|packaging|torch|ninja|psutil)['\"]", flash.error or "")
    if module:
        yield remedies.install(facts, [module[1]], title=f"install {module[1]}, which flash-attn imports")


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    old = [gpu for gpu in _torch.gpus_of(facts) if _torch.below(gpu.capability, "8.0")]
    wheels = () if old else (remedy for remedy in remedies.flash_attn(facts) if remedy.commands)
    unable = f", and {old[0].label} could not run it" if old else ""
    yield Finding(
        f"flash-attn is asked for, but it is not installed{unable}",
        (),
        (SDPA, *wheels),
        severity=Severity.ERROR,
    )


A10, CU128 = Gpu(0, "NVIDIA A10", compute_capability="8.6"), TorchBuild("2.8.0+cu128", cuda="12.8")


RULE = Rule(
    severity=Severity.NOTE,
    layer=Layer.ADVICE,
    fix_by=FixBy.ENVIRONMENT,
    check=check,
    heard=heard,
    messages=(
        r"FlashAttention\w? has been toggled on, but [\s\S]{0,160}?install",
        r"No module named ['\"]flash_attn(?:_2_cuda)?['\".]",
        r"not found in your environment:[^\n]*\bflash_attn\b",
    ),
    fires={
        "a GPU that could run it": (A10, CU128, Distribution("torch", "2.8.0")),
        "transformers was told to use it": (
            ErrorMessage(
                "ImportError: FlashAttention2 has been toggled on, but it cannot be used due to the following error: "
                "the package flash_attn seems to be not installed.",
                "paste",
            ),
        ),
        "it is installed, einops is not": (
            FlashAttention("2.8.3", imports=False, error_type="ModuleNotFoundError", error="No module named 'einops'"),
            Distribution("flash-attn", "2.8.3"),
            CU128,
        ),
    },
    quiet={
        "it is installed": (A10, CU128, Distribution("flash-attn", "2.8.3"), FlashAttention("2.8.3", imports=True)),
        "a GPU that could not run it": (Gpu(0, "Tesla T4", compute_capability="7.5"), CU128),
        "no GPU": (CU128, Distribution("torch", "2.8.0")),
        "vLLM's own copy is what is missing": (
            ErrorMessage("ModuleNotFoundError: No module named 'vllm.vllm_flash_attn.fa_utils'", "paste"),
        ),
    },
)
