"""Which cases are measured: the doctor's few, and the whole list of `cudacheck bench kernels`."""

from __future__ import annotations

import dataclasses
import importlib.util
from typing import Callable, Sequence, Tuple, Union

import torch

from cudacheck.bench import kinds
from cudacheck.bench.attention import Attention
from cudacheck.bench.device import current
from cudacheck.bench.kernels import Copy, Matmul
from cudacheck.bench.kinds import CaseKind
from cudacheck.bench.memory import SHARE, free_bytes
from cudacheck.bench.new_length import NewLength
from cudacheck.bench.samplers import event_sampler
from cudacheck.bench.sdpa import BACKENDS

Case = Union[Matmul, Copy, Attention, NewLength]

SizeOf = Callable[[str], int]
"""How large a square matmul of a dtype is to be."""

QWEN2_LAYERS = (
    ("qkv", 1536, 2048),
    ("o", 1536, 1536),
    ("gate+up", 1536, 17920),
    ("down", 8960, 1536),
    ("lm_head", 1536, 151936),
)
"""Name, inputs and outputs of the linear layers of Qwen2-1.5B."""

Layers = Sequence[Tuple[str, int, int]]


def doctor_cases(size_of: SizeOf, length: int = 2048) -> list[Case]:
    """Is FP16 fast; do new lengths stall; is FP16 faster than float32; is attention fused.

    In this order because the first attention call of a freshly started machine may take a second by itself. The pair
    that convicts of stalls is measured whatever time is left. Decoding at new lengths is `bench kernels`' affair: it
    stalls for the same cause.
    """
    return [
        square("float16", size_of),
        Attention("float16", length, length),
        NewLength(new_lengths(length, 0), decode=False, convicts=True),
        NewLength(new_lengths(length, 1), decode=False, backend="cudnn off", convicts=True),
        square("float32", size_of),
        Attention("float16", length, length, backend="math"),
    ]


def standard_cases(
    size_of: SizeOf, length: int = 2048, copied_numbers: int = 1 << 28, layers: Layers = QWEN2_LAYERS
) -> list[Case]:
    """Everything, in the order of what matters most should the time run out."""
    return [
        *(square(dtype, size_of) for dtype in ("float16", "bfloat16", "tf32", "float32")),
        Copy(copied_numbers),
        *attention_cases("float16", length, length),
        *attention_cases("float16", 1, length),
        *new_length_cases(length),
        *(layer_case(layer, 1, kinds.MATMUL_DECODE) for layer in layers),
        *(layer_case(layer, max(length // 4, 1), kinds.MATMUL_PREFILL) for layer in layers if layer[0] != "lm_head"),
        *attention_cases("bfloat16", length // 4, length // 4),
        *attention_cases("bfloat16", 1, length // 4),
        *attention_cases("float16", length * 4, length * 4),
    ]


def quick_cases(size_of: SizeOf, length: int = 2048, copied_numbers: int = 1 << 28) -> list[Case]:
    """Enough to judge every axis. 3 s on an H200."""
    return [
        *(square(dtype, size_of) for dtype in ("float16", "bfloat16", "float32")),
        Copy(copied_numbers),
        *(Attention("float16", length, length, backend) for backend in ("default", "flash", "math")),
        *new_length_cases(length),
    ]


def in_one_dtype(cases: Sequence[Case], dtype: str) -> list[Case]:
    """The same cases with one 16-bit type for all of them."""
    both = ("float16", "bfloat16")
    return list(dict.fromkeys(dataclasses.replace(c, dtype=dtype) if c.dtype in both else c for c in cases))


def square(dtype: str, size_of: SizeOf) -> Matmul:
    size = size_of(dtype)
    return Matmul(dtype, size, size, size)


def layer_case(layer: tuple[str, int, int], tokens: int, kind: CaseKind) -> Matmul:
    name, inputs, outputs = layer
    return Matmul("bfloat16", tokens, outputs, inputs, layer=name, kind=kind)


def attention_cases(dtype: str, queries: int, keys: int) -> list[Case]:
    """The same call by PyTorch's choice, by each of its backends, and by flash-attn where installed."""
    backends = ["default", *BACKENDS]
    if importlib.util.find_spec("flash_attn_2_cuda"):
        backends.append("flash-attn")
    return [Attention(dtype, queries, keys, backend) for backend in backends]


def new_length_cases(length: int) -> list[Case]:
    return [
        NewLength(new_lengths(length, 2 * number + decode), decode=bool(decode), backend=backend)
        for number, backend in enumerate(("default", "cudnn off"))
        for decode in (0, 1)
    ]


def new_lengths(about: int, number: int) -> tuple[int, ...]:
    """Three lengths that no other case has; `number` tells apart the cases that ask."""
    return tuple(about // 4 + 3 + 4 * step + number for step in range(3))


def filling_size(dtype: str, device: torch.device, longest_us: float = 12_000.0) -> int:
    """The square matmul that fills this GPU in no more than that: what one call may take, twenty must."""
    pilot = 2048
    try:
        us = quickest_us(Matmul(dtype, pilot, pilot, pilot), device)
    except RuntimeError:  # out of memory, perhaps: the case itself will tell
        return pilot
    room = SHARE * free_bytes(device)
    for size in (8192, 4096):
        case = Matmul(dtype, size, size, size)
        if us * (size / pilot) ** 3 <= longest_us and 2 * case.bytes <= room:
            return size
    return pilot


def copied_numbers(device: torch.device) -> int:
    """How many numbers to copy: 1 GiB of them, or as large a power of two as our share of the memory holds."""
    case = Copy(1)
    room = int(SHARE * free_bytes(device)) // (2 * case.bytes + case.scratch_bytes)
    return int(min(1 << 28, 1 << max(room, 1).bit_length() - 1))


def quickest_us(case: Matmul, device: torch.device) -> float:
    """The best of a few calls, the first left out: good to a factor of two."""
    with current(device), case.settings():
        tensors = case.inputs(device, seed=0)
        sample = event_sampler(lambda _: case.call(tensors), device)
        sample(1)
        return min(sample(3).us)
