"""Attention as cases: each SDPA backend and flash-attn, prefill and decode; and what a new length costs."""

from __future__ import annotations

import contextlib
import statistics
import time
from dataclasses import dataclass
from typing import Any, Iterator, Sequence, Tuple

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere

from cudacheck.bench.checks import Check, check_attention
from cudacheck.bench.kernels import Tensors, normal
from cudacheck.bench.timing import wait_for

Shape = Tuple[int, ...]

BACKENDS = {
    "flash": "FLASH_ATTENTION",
    "efficient": "EFFICIENT_ATTENTION",
    "cudnn": "CUDNN_ATTENTION",
    "math": "MATH",
}
"""Our names of the SDPA backends, and those of torch.nn.attention.SDPBackend."""

HEADINGS = {
    "flash": "flash attention kernel not used because",
    "efficient": "memory efficient kernel not used because",
    "cudnn": "cudnn attention kernel not used because",
}
"""What PyTorch warns before its reasons, in lower case (sdp_utils.cpp, select_sdp_backend)."""

HEADS, KV_HEADS, WIDTH = 12, 2, 128
"""Of Qwen2-1.5B: grouped queries, as most models have today."""


@dataclass(frozen=True)
class Attention:
    """One forward of scaled dot-product attention with grouped queries, batch 1."""

    dtype: str
    queries: int
    keys: int
    backend: str = "default"
    """`default` (PyTorch's own choice), one of BACKENDS, or `flash-attn` (the package)."""
    heads: int = HEADS
    kv_heads: int = KV_HEADS
    width: int = WIDTH

    @property
    def causal(self) -> bool:
        return self.queries == self.keys

    @property
    def case(self) -> str:
        return "attention" if self.causal else "attention decode"

    @property
    def shape(self) -> str:
        shape = f"1×{self.heads}×{self.queries}×{self.width}"
        return f"{shape} causal" if self.causal else f"{shape}, {self.keys} keys"

    @property
    def flop(self) -> int:
        """As FlashAttention's own benchmark counts: a causal mask halves it."""
        whole = 4 * self.heads * self.queries * self.keys * self.width
        return whole // 2 if self.causal else whole

    @property
    def bytes(self) -> int:
        numbers = 2 * self.heads * self.queries * self.width + 2 * self.kv_heads * self.keys * self.width
        return numbers * (4 if self.dtype == "float32" else 2)

    @property
    def scratch_bytes(self) -> int:
        """`math` keeps the scores, in float32, about three times."""
        return 12 * self.heads * self.queries * self.keys if self.backend == "math" else 0

    def settings(self) -> Any:
        return only(self.backend) if self.backend in BACKENDS else contextlib.nullcontext()

    @property
    def input_shapes(self) -> tuple[Shape, Shape, Shape]:
        """Of queries, keys and values; PyTorch before 2.5 wants a KV head for every query head."""
        kv_heads = self.kv_heads if takes_grouped_queries() else self.heads
        keys = (1, kv_heads, self.keys, self.width)
        return (1, self.heads, self.queries, self.width), keys, keys

    def inputs(self, device: torch.device, seed: int) -> Tensors:
        q, k, v = self.input_shapes
        return tuple(normal(shape, self.dtype, device, seed + i) for i, shape in enumerate((q, k, v)))

    def call(self, tensors: Tensors) -> torch.Tensor:
        q, k, v = tensors
        if self.backend == "flash-attn":
            from flash_attn import flash_attn_func

            out = flash_attn_func(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), causal=self.causal)
            return out.transpose(1, 2)
        return sdpa(q, k, v, causal=self.causal)

    def check(self, tensors: Tensors, out: torch.Tensor) -> Check:
        q, k, v = tensors
        return check_attention(q, k, v, out, causal=self.causal, dtype=self.dtype)


@dataclass(frozen=True)
class NewLength:
    """What the first call at a sequence length costs: cuDNN builds a plan for each length that it meets."""

    lengths: tuple[int, ...]
    """No two cases of one process may share a length, or the second finds the plan built."""
    decode: bool
    backend: str = "default"
    """`default`, or `cudnn off`: PyTorch's choice among the others."""
    dtype: str = "float16"

    @property
    def case(self) -> str:
        return "attention decode at a new length" if self.decode else "attention at a new length"

    @property
    def shape(self) -> str:
        queries, keys = ("1", ", L keys") if self.decode else ("L", " causal")
        return f"1×{HEADS}×{queries}×{WIDTH}{keys}"

    def measure(self, device: torch.device) -> dict[str, Any]:
        """Medians over the lengths, by the host's clock: building a plan is the host's work."""
        firsts, agains = [], []
        with self.settings():
            for number, length in enumerate(self.lengths):
                attention = Attention(self.dtype, 1 if self.decode else length, length)
                tensors = attention.inputs(device, seed=number)
                firsts.append(_call_ms(attention, tensors, device))
                agains.append(_call_ms(attention, tensors, device))
        return {
            "first_call_ms": statistics.median(firsts),
            "median_us": statistics.median(agains) * 1e3,
            "repetitions": len(self.lengths),
            "method": "wall",
        }

    def settings(self) -> Any:
        return without_cudnn() if self.backend == "cudnn off" else contextlib.nullcontext()


def _call_ms(attention: Attention, tensors: Tensors, device: torch.device) -> float:
    wait_for(device)
    started = time.perf_counter()
    attention.call(tensors)
    wait_for(device)
    return (time.perf_counter() - started) * 1e3


def sdpa(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, causal: bool) -> torch.Tensor:
    grouped = {"enable_gqa": True} if q.shape[1] != k.shape[1] else {}
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal, **grouped)


def takes_grouped_queries() -> bool:
    """Since PyTorch 2.5; a function written in C has no signature to ask, but its documentation shows one."""
    return "enable_gqa" in (getattr(F, "scaled_dot_product_attention", None).__doc__ or "")


def was_refused(error: Exception) -> bool:
    """Whether SDPA raised because no backend that is switched on would serve the call."""
    words = ("No available kernel", "No viable backend")  # on the GPU, on the CPU
    return isinstance(error, RuntimeError) and str(error).startswith(words)


def reasons(backend: str, said: Sequence[str]) -> str:
    """PyTorch's sentences about one backend, out of all that it warned before it gave up.

    >>> said = [
    ...     "Flash attention kernel not used because: (Triggered internally at sdp_utils.cpp:9.)",
    ...     "Expected query to be Half. (Triggered internally at sdp_utils.cpp:7.)",
    ...     "CuDNN attention kernel not used because: (Triggered internally at sdp_utils.cpp:9.)",
    ...     "cuDNN attention has been runtime disabled. (Triggered internally at sdp_utils.cpp:7.)",
    ... ]
    >>> reasons("flash", said)
    'Expected query to be Half.'
    """
    sentences: list[str] = []
    heard = ""
    for warning in said:
        sentence = warning.partition(" (Triggered internally at")[0].strip()
        heading = next((name for name, text in HEADINGS.items() if sentence.lower().startswith(text)), None)
        if heading is not None:
            heard = heading
        elif heard == backend and sentence:
            sentences.append(sentence)
    return " ".join(sentences)


@contextlib.contextmanager
def only(backend: str) -> Iterator[None]:
    """Leave one SDPA backend switched on."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    with sdpa_kernel([getattr(SDPBackend, BACKENDS[backend])]):
        yield


@contextlib.contextmanager
def without_cudnn() -> Iterator[None]:
    """Switch off cuDNN's SDPA, and put back what was set."""
    before = torch.backends.cuda.cudnn_sdp_enabled()
    torch.backends.cuda.enable_cudnn_sdp(False)
    try:
        yield
    finally:
        torch.backends.cuda.enable_cudnn_sdp(before)
