"""Which SDPA backend PyTorch would choose on each GPU, and its own words why the others are refused."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Iterator

from cudacheck.model import holds
from cudacheck.model.identity import Identity
from cudacheck.probes import Probe


@dataclass(frozen=True)
class AttentionBackend:
    device_index: int
    case: holds.Term
    """What was asked: `prefill float16 1×12×512×128 causal`, `decode …`."""
    chosen: holds.Term | None
    """`flash`, `efficient`, `cudnn`, `math`; None where this PyTorch does not tell."""
    refused: dict[holds.Term, holds.FreeText]
    """Backend → PyTorch's sentence."""
    enabled: dict[holds.Term, bool]
    """Backend → whether torch.backends.cuda has it switched on."""
    device_uuid: holds.Uuid | None = None

    IDENTITY = Identity(key=("case",), gpu=("device_index", "device_uuid"), aside=("refused",), asked=True)


SWITCHES = {
    "flash": "flash_sdp_enabled",
    "efficient": "mem_efficient_sdp_enabled",
    "cudnn": "cudnn_sdp_enabled",
    "math": "math_sdp_enabled",
}
QUESTIONS = {
    "flash": "can_use_flash_attention",
    "efficient": "can_use_efficient_attention",
    "cudnn": "can_use_cudnn_attention",
}
"""Of torch.backends.cuda; an older PyTorch lacks some."""


def collect() -> Iterator[object]:
    from cudacheck.probes.patient._gpus import working_gpus
    from cudacheck.probes.patient._torch import imported_torch

    torch = imported_torch()
    gpus = working_gpus(torch)
    from cudacheck.bench.attention import Attention

    for index in gpus:
        yield asked(torch, index, "prefill", Attention("float16", 512, 512))
        yield asked(torch, index, "decode", Attention("float16", 1, 513))


def asked(torch: Any, index: int, phase: str, attention: Any) -> AttentionBackend:
    from cudacheck.bench.device import uuid

    device = torch.device("cuda", index)
    with torch.cuda.device(device):
        tensors = [torch.empty(shape, device=device, dtype=torch.half) for shape in attention.input_shapes]
        choice = chosen(torch, tensors, attention.causal)
        sentences = refused(torch, tensors, attention.causal)
    return AttentionBackend(
        device_index=index,
        case=f"{phase} {attention.dtype} {attention.shape}",
        chosen=choice,
        refused=sentences,
        enabled=switched_on(torch),
        device_uuid=uuid(index),
    )


def switched_on(torch: Any) -> dict[str, bool]:
    asked = {name: getattr(torch.backends.cuda, switch, None) for name, switch in SWITCHES.items()}
    return {name: ask() for name, ask in asked.items() if ask is not None}


def chosen(torch: Any, tensors: Any, causal: bool) -> str | None:
    """The backend that SDPA would take; a private function, but else one must profile a call to know."""
    try:
        number = torch._fused_sdp_choice(*tensors, None, 0.0, causal, **grouped(tensors))  # noqa: SLF001
    except Exception:
        return None
    return {0: "math", 1: "flash", 2: "efficient", 3: "cudnn"}.get(int(number))


def grouped(tensors: Any) -> dict[str, bool]:
    q, k, _ = tensors
    return {"enable_gqa": True} if q.shape[1] != k.shape[1] else {}


def refused(torch: Any, tensors: Any, causal: bool) -> dict[str, str]:
    try:
        arguments = (*tensors, None, 0.0, causal, *grouped(tensors).values())
        parameters = torch.backends.cuda.SDPAParams(*arguments)
    except Exception:  # before 2.2 there is none; 2.5 added a last argument
        return {}
    sentences = {}
    for backend, question in QUESTIONS.items():
        ask = getattr(torch.backends.cuda, question, None)
        if ask is not None and not ask(parameters):
            sentences[backend] = why_refused(backend, tensors, causal)
    return {backend: sentence for backend, sentence in sentences.items() if sentence}


def why_refused(backend: str, tensors: Any, causal: bool) -> str:
    """PyTorch's sentence about a backend that it refuses, for which nothing is run.

    `can_use_…(debug=True)` prints it to stderr from C++; a call with only this backend on warns in Python.
    """
    from cudacheck.bench.sdpa import only, reasons, sdpa

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            with only(backend):
                sdpa(*tensors, causal=causal)
        except Exception as error:
            words = reasons(backend, [str(warning.message) for warning in said])
            return words or str(error).partition("\n")[0]
    return ""


PROBE = Probe(
    collect,
    timeout_s=20.0,
    facts=(AttentionBackend,),
    after=("torch_cuda",),
)
