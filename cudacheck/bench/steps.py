"""The steps that `cudacheck bench steps` takes one at a time, as options of one decoder; needs no torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shape:
    """Of a decoder-only transformer with grouped queries, as Qwen2 is."""

    layers: int = 28
    hidden: int = 1536
    heads: int = 12
    kv_heads: int = 2
    head_dim: int = 128
    intermediate: int = 8960
    vocabulary: int = 151936
    eps: float = 1e-6
    rope_theta: float = 1e6
    weights_std: float = 0.02
    """Of the random weights. With too little every key gets the same attention, and no check sees a wrong one."""
    prompt: int = 128
    """Tokens of the prompts and of the answer that it is timed with."""
    long_prompt: int = 1024
    answer: int = 256

    @property
    def all_heads(self) -> int:
        """Queries, keys and values of one token lie beside each other."""
        return self.heads + 2 * self.kv_heads

    @property
    def parameters(self) -> int:
        attention = self.head_dim * (self.all_heads + self.heads) * self.hidden
        return self.layers * (attention + 3 * self.intermediate * self.hidden) + 2 * self.vocabulary * self.hidden


QWEN2_1_5B = Shape()
TINY = Shape(
    layers=2,
    hidden=64,
    heads=4,
    kv_heads=2,
    head_dim=16,
    intermediate=128,
    vocabulary=512,
    weights_std=0.15,
    long_prompt=160,
    answer=32,
)
SHAPES = {"qwen2-1.5b": QWEN2_1_5B, "tiny": TINY}


@dataclass(frozen=True)
class Options:
    """How the decoder runs. Each field is one step."""

    dtype: str = "float32"
    """`float32`, `bfloat16` or `float16`."""
    attention: str = "eager"
    """`eager` (matmul, softmax, matmul), `sdpa` (PyTorch chooses), `cudnn off` (it chooses among the others) or
    `flash-attn` (the package)."""
    cache: str = "none"
    """Of keys and values: `none` (all is computed again for each token), `dynamic` (grows) or `static` (in place)."""
    fused: bool = False
    """One weight for query, key and value and one for gate and up; rms_norm in one kernel; residuals added within
    the matmul."""
    decode_graph: bool = False
    """One CUDA graph for a token; needs the static cache."""
    prefill_graph: bool = False
    """One CUDA graph for each of a few lengths, to which prompts are padded."""
    engine: str = "pytorch"
    """Of the decode step: `pytorch`, `compile` (torch.compile on a layer) or `triton` (our own kernels)."""

    def what(self) -> str:
        """In one line."""
        cache = {"none": "no KV cache", "dynamic": "growing KV cache", "static": "static KV cache"}[self.cache]
        attention = {"cudnn off": "SDPA without cuDNN", "sdpa": "SDPA"}.get(
            self.attention, f"{self.attention} attention"
        )
        also = [
            ("fused weights", self.fused),
            ("CUDA graph for decode", self.decode_graph),
            ("CUDA graphs for prefill", self.prefill_graph),
            ("compiled layer", self.engine == "compile"),
            ("Triton kernels for decode", self.engine == "triton"),
        ]
        return ", ".join([self.dtype, attention, cache, *(name for name, on in also if on)])


def ladder(half: str = "bfloat16") -> dict[str, Options]:
    """Each row adds one step to the row above; `half` is the 16-bit type that suits the GPU."""
    steps: dict[str, dict[str, Any]] = {
        "fp32": {},
        "16bit": {"dtype": half},
        "kv-cache": {"cache": "dynamic"},
        "sdpa": {"attention": "sdpa"},
        "cudnn-off": {"attention": "cudnn off"},
        "static-cache": {"cache": "static"},
        "fused": {"fused": True},
        "decode-graph": {"decode_graph": True},
        "prefill-graph": {"prefill_graph": True},
    }
    rows, options = {}, Options()
    for name, change in steps.items():
        options = dataclasses.replace(options, **change)
        rows[name] = options
    return rows


BEST = "prefill-graph"
"""The ladder's last row: all that plain PyTorch can do."""


def without(half: str = "bfloat16") -> dict[str, Options]:
    """The best row less one step; only what can be left out by itself: graphs need the static cache."""
    best = ladder(half)[BEST]
    return {
        "16bit": dataclasses.replace(best, dtype="float32"),
        "sdpa": dataclasses.replace(best, attention="eager"),
        "cudnn-off": dataclasses.replace(best, attention="sdpa"),
        "fused": dataclasses.replace(best, fused=False),
        "decode-graph": dataclasses.replace(best, decode_graph=False),
        "prefill-graph": dataclasses.replace(best, prefill_graph=False),
    }


def extras(half: str = "bfloat16") -> dict[str, Options]:
    best = ladder(half)[BEST]
    rows = {name: dataclasses.replace(best, engine=name) for name in ("triton", "compile")}
    return {**rows, "flash-attn": dataclasses.replace(best, attention="flash-attn")}


def options_of(table: str, row: str, half: str = "bfloat16") -> Options:
    """Raises KeyError for a row that the table does not have."""
    return {"ladder": ladder, "without": without, "extra": extras}[table](half)[row]
