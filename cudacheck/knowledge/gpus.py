"""What each GPU model can do by its datasheet."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from cudacheck.knowledge._tables import rows


@dataclasses.dataclass(frozen=True)
class GpuModel:
    """One model. All TFLOP/s are dense; None is unknown, 0 is no tensor cores for that type."""

    names: tuple[str, ...]
    """As NVML prints them."""
    compute_capability: str
    architecture: str
    kind: str
    """`datacenter`, `workstation`, `geforce`, `desktop`."""
    memory_gb: float
    memory_bandwidth_gbs: float | None
    fp16_tflops: float | None
    """FP16 tensor cores accumulating in FP32: what torch.matmul uses by default."""
    fp16_min_tflops: float | None
    """The lower end where NVIDIA does not say how its figure accumulates; else the same as fp16_tflops."""
    bf16_tflops: float | None
    acc_uncertain: bool
    """NVIDIA does not say whether its figure is for FP32 or FP16 accumulation: it never convicts alone."""
    tdp_w: float | None
    peak_basis: str
    source: str
    verified: bool
    fp16_acc_fp16_tflops: float | None = None
    """With allow_fp16_accumulation, where that differs."""
    note: str = ""


def _model(row: dict[str, Any]) -> GpuModel:
    peak = row.get("fp16_tflops")
    unknown = dict.fromkeys(("memory_bandwidth_gbs", "fp16_tflops", "bf16_tflops", "tdp_w"))
    told = {"fp16_min_tflops": peak, "acc_uncertain": False} | row
    return GpuModel(**unknown | told | {"names": tuple(row["names"])})


@lru_cache
def gpu_models() -> tuple[GpuModel, ...]:
    return tuple(_model(row) for row in rows("gpus", "gpus"))


@lru_cache(maxsize=256)
def gpu(name: str) -> GpuModel | None:
    """The model of this NVML name; None for laptop, MIG and vGPU names, whose peaks are others."""
    wanted = _plain(name)
    return next((m for m in gpu_models() if wanted in map(_plain, m.names)), None)


def capability_of(name: str) -> str | None:
    """The compute capability of the chip behind this name, laptop, MIG and vGPU names too; None where not sure."""
    if model := gpu(name):
        return model.compute_capability
    return next((capability for pattern, capability in _chips() if pattern.match(_shortened(name))), None)


@lru_cache(maxsize=256)
def gpu_called(words: str) -> tuple[str, str] | None:
    """The name and compute capability of what a shop or a person calls so: `rtx4090`, `4090`, `H100`."""
    known = ((name, capability_of(name)) for name in _spellings(words))
    return next(((name, capability) for name, capability in known if capability is not None), None)


def models_called(words: str) -> tuple[GpuModel, ...]:
    """All whose names hold these words one after the other: `RTX 6000` is a Quadro and an Ada Generation."""
    within = re.compile(rf"\b{re.escape(' '.join(words.lower().split()))}\b")
    return tuple(model for model in gpu_models() if any(within.search(name.lower()) for name in model.names))


def _spellings(name: str) -> Iterator[str]:
    yield name
    spaced = re.sub(r"(?i)^(rtx|gtx|gt)(?=\d)", r"\1 ", name)
    spaced = re.sub(r"(?i)(?<=\d)(ti|super)$", r" \1", spaced)
    for prefix in ("", "GeForce ", "RTX ", "GeForce RTX ", "GeForce GTX "):
        yield prefix + spaced
    yield f"{spaced} Blackwell"  # of the RTX PRO, which the shops leave out


@dataclasses.dataclass(frozen=True)
class TensorRate:
    """What the tensor cores of one multiprocessor do in one clock."""

    flop_per_clock: int
    """Dense FP16 in, FP32 accumulate; 0 is no tensor cores."""
    source: str
    verified: bool


@lru_cache(maxsize=256)
def tensor_rate(name: str, capability: str) -> TensorRate | None:
    """Of a GPU by its name and compute capability; None for generations that nobody measured."""
    for row in rows("gpus", "tensor_rates"):
        of_name = re.compile(f"(?:{row.get('names', '')})", re.IGNORECASE)
        if row["compute_capability"] == capability and of_name.match(_shortened(name)):
            return TensorRate(row["flop_per_clock"], row["source"], row["verified"])
    return None


@dataclasses.dataclass(frozen=True)
class Achieved:
    """The fastest bf16 matmul that somebody found on this GPU."""

    bf16_tflops: float
    shape: str
    source: str


@lru_cache(maxsize=256)
def achieved(name: str) -> Achieved | None:
    for row in rows("gpus", "achieved"):
        if _plain(name) in map(_plain, row["names"]):
            return Achieved(row["bf16_tflops"], row["shape"], row["source"])
    return None


@lru_cache(maxsize=1024)
def _plain(name: str) -> str:
    return re.sub(r"^nvidia ", "", " ".join(name.lower().split()))


def _shortened(name: str) -> str:
    return re.sub(r"^(tesla|grid) ", "", _plain(name))


@lru_cache
def _chips() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple(
        (re.compile(rf"(?:{pattern})(?![0-9a-z])", re.IGNORECASE), str(row["compute_capability"]))
        for row in rows("gpus", "chips")
        for pattern in row["names"]
    )
