"""PyTorch's attention takes its slow path on a GPU that has a fused one.

## What it does
Asks PyTorch which backend `scaled_dot_product_attention` would choose for float16 tensors of ordinary shape, and why
it refuses the others; and where the benchmark ran, whether its choice is any faster than the math backend. Only GPUs of
compute capability 8.0 and newer count: the flash kernel serves them.

## Why it matters
The math backend writes out the whole score matrix: on an H200 it was 14 times slower than the flash kernel at 2048
tokens and 28 times at 8192, and its memory grows with the square of the length. PyTorch does not say that it fell back.

## What to do
Read PyTorch's refusal. If the backends are switched off, something called `enable_flash_sdp(False)` and its sisters:
switch them on. If they were not compiled in, install a build of the PyTorch project.

## References
- https://github.com/facebookresearch/sam2/issues/329
- https://github.com/pytorch/pytorch/issues/177317
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.report import Health
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.patient.attention_backends import AttentionBackend
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.rules import _torch
from cudacheck.speed import axes

SWITCHES = {"flash": "enable_flash_sdp", "efficient": "enable_mem_efficient_sdp", "cudnn": "enable_cudnn_sdp"}


def check(
    backends: tuple[AttentionBackend, ...], devices: tuple[TorchDevice, ...] | None, facts: Facts
) -> Iterator[Finding]:
    yield from _chosen(backends, devices, facts)
    for run, axis in axes.found(facts, "attention", Health.SLOW_PATH):
        where = f"measured on GPU {run.device.index}"
        yield Finding(
            f"attention is no faster than the slow math path on {run.label}",
            tuple(Evidence(reason, where) for reason in axis.reasons),
            _torch.right_build(facts, "install a PyTorch that was compiled with its fused attention"),
        )


def _chosen(
    backends: tuple[AttentionBackend, ...], devices: tuple[TorchDevice, ...] | None, facts: Facts
) -> Iterator[Finding]:
    capabilities = {gpu.index: gpu for gpu in _torch.seen_gpus(None, devices, None)}
    for backend in backends:
        gpu = capabilities.get(backend.device_index)
        if backend.chosen != "math" or gpu is None or gpu.capability is None or _torch.below(gpu.capability, "8.0"):
            continue
        if "float16" in backend.case:
            yield Finding(
                f"attention falls back to the slow math path on {gpu.label}",
                (Evidence("math is chosen", backend.case), *_refusals(backend)),
                tuple(_remedies(backend, facts)),
            )


def _refusals(backend: AttentionBackend) -> tuple[Evidence, ...]:
    off = [Evidence(f"{name} is switched off", "torch.backends.cuda") for name, on in backend.enabled.items() if not on]
    said = [Evidence(f"{name}: {_torch.one_line(why)}", "PyTorch") for name, why in backend.refused.items() if why]
    return (*off, *said)


def _remedies(backend: AttentionBackend, facts: Facts) -> Iterator[Remedy]:
    off = [SWITCHES[name] for name, on in backend.enabled.items() if not on and name in SWITCHES]
    if off:
        lines = "\n".join(f"torch.backends.cuda.{switch}(True)" for switch in off)
        yield Remedy("switch the fused backends on in the program", edit=lines)
    else:
        yield from _torch.right_build(facts, "install a PyTorch that was compiled with its fused attention")


A100 = TorchDevice(0, "NVIDIA A100-SXM4-40GB", compute_capability="8.0")
ON = {"flash": True, "efficient": True, "math": True, "cudnn": True}
CHOSEN = AttentionBackend(0, "prefill float16 1×12×512×128 causal", "flash", {}, ON)


def _attention(us: float, backend: str = "default") -> Measurement:
    return Measurement(
        "attention", "float16", "1×12×2048×128 causal", 0, backend=backend, median_us=us, converged=True, ok=True
    )


RULE = Rule(
    severity=Severity.WARNING,
    layer=Layer.SPEED,
    fix_by=FixBy.ENVIRONMENT,
    explained_by=(
        Family.WRONG_KERNELS,
        "kernel-failed",
    ),
    check=check,
    fires={
        "flash is said to be chosen, and is as slow as math": (
            A100,
            CHOSEN,
            _attention(1350.0),
            _attention(1370.0, "math"),
        ),
        "everything fused is switched off": (
            A100,
            AttentionBackend(
                0, "prefill float16 1×12×512×128 causal", "math", {}, {"flash": False, "efficient": False, "math": True}
            ),
        ),
        "a build without the fused kernels": (
            A100,
            AttentionBackend(
                0,
                "prefill float16 1×12×512×128 causal",
                "math",
                {
                    "flash": "Torch was not compiled with flash attention.",
                    "efficient": "Torch was not compiled with it.",
                },
                ON,
            ),
        ),
    },
    quiet={
        "flash is chosen": (A100, CHOSEN, _attention(100.0), _attention(1370.0, "math")),
        "Turing has no flash kernel": (
            TorchDevice(0, "Tesla T4", compute_capability="7.5"),
            AttentionBackend(0, "prefill float16 1×12×512×128 causal", "math", {}, ON),
        ),
        "PyTorch does not tell": (A100, AttentionBackend(0, "prefill float16 1×12×512×128 causal", None, {}, ON)),
    },
)
