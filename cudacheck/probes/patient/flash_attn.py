"""flash-attn's import, for real, and on a GPU its output against float64 on the CPU."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
from dataclasses import dataclass
from typing import Any, Iterator

from cudacheck.model import holds
from cudacheck.model.identity import Identity
from cudacheck.probes import Probe
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient import _installed


@dataclass(frozen=True)
class FlashAttention:
    """Yielded only where flash-attn is installed."""

    version: holds.Term | None
    imports: bool
    error_type: holds.Term | None = None
    error: holds.FreeText | None = None
    missing_symbol: holds.Term | None = None
    ran: bool | None = None
    """Whether its kernel ran on the first GPU; None where no GPU could be tried."""
    max_error: float | None = None
    """Largest relative error against float64 on the CPU."""
    run_error: holds.FreeText | None = None
    found_in: holds.FreeText = "import flash_attn"

    IDENTITY = Identity(
        aside=("error_type", "missing_symbol", "max_error"), why=(("imports", "error"), ("ran", "run_error"))
    )


EXTENSION = re.compile(r"flash_attn_2_cuda\b.*\.(so|pyd)")
"""FlashAttention 3 and 4 install into the same namespace without it: they do not count."""


def collect() -> Iterator[object]:
    found = installed()
    if not found:
        return
    from cudacheck.probes.patient._torch import imported_torch

    torch = imported_torch()  # first: the extension needs the libraries that torch loads
    try:
        importlib.import_module("flash_attn")
        importlib.import_module("flash_attn_2_cuda")
    except BaseException as error:
        yield ErrorMessage(f"{type(error).__name__}: {error}", "import flash_attn")
        yield FlashAttention(
            version=found["version"],
            imports=False,
            error_type=type(error).__name__,
            error=str(error),
            missing_symbol=missing_symbol(str(error)),
        )
        return
    yield FlashAttention(version=found["version"], imports=True, **ran_on_gpu(torch))


def installed() -> dict[str, str | None]:
    """The version of flash-attn 2 on sys.path, without importing it; empty where there is none."""
    distribution = _installed.first("flash-attn")
    if distribution and distribution.version.startswith("2"):
        return {"version": distribution.version}
    for folder in _installed.path_folders():
        with contextlib.suppress(OSError):
            if any(map(EXTENSION.fullmatch, os.listdir(folder))):
                return {"version": None}
    return {}


def missing_symbol(message: str) -> str | None:
    match = re.search(r"undefined symbol: (\w+)", message)
    return match.group(1) if match else None


def ran_on_gpu(torch: Any) -> dict[str, Any]:
    """The fields of FlashAttention that only the first GPU can tell."""
    if not torch.cuda.is_available():
        return {}
    from cudacheck.bench.attention import Attention

    device = torch.device("cuda", 0)
    case = Attention("float16", 64, 64, backend="flash-attn")
    try:
        tensors = case.inputs(device, seed=0)
        return {"ran": True, "max_error": case.check(tensors, case.call(tensors)).error}
    except Exception as error:
        return {"ran": False, "run_error": f"{type(error).__name__}: {error}"}


PROBE = Probe(
    collect,
    timeout_s=60.0,
    facts=(FlashAttention,),
    also=(ErrorMessage,),
    after=("torch_import",),
)
