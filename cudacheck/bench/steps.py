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


DECODE = ("decode", "decode_first")
PREFILL = ("ttft", "ttft_new", "ttft_long")
"""Inter-token latency, steady and on a first pass; time to first token of 128 tokens, of a new length, of 1024."""


@dataclass(frozen=True)
class Step:
    """One row of the ladder, and all that is said of it elsewhere but the code that takes it."""

    name: str
    words: str
    """In a sentence: `the KV cache`."""
    short: str
    """In a table."""
    process: str
    """The group of rows that share its process."""
    change: dict[str, Any]
    """What it changes in the options of the row above."""
    undo: dict[str, Any] | None = None
    """What leaves out this step alone of the last row; None where later steps need it."""
    acts_on: tuple[str, ...] = (*DECODE, *PREFILL)
    """What it can change at all: the rest of what changes is the host's noise."""
    quick: bool = False
    """Whether it is one of the few rows that tell most."""


HALF = "half"
"""Stands for the 16-bit type that suits the GPU."""
STEPS = (
    Step("fp32", "float32", "fp32", "eager", {}, acts_on=()),
    Step("16bit", "16-bit weights", "16 bit", "eager", {"dtype": HALF}, {"dtype": "float32"}),
    Step("kv-cache", "KV cache", "KV cache", "eager", {"cache": "dynamic"}, acts_on=DECODE),
    Step("sdpa", "SDPA", "SDPA", "default", {"attention": "sdpa"}, {"attention": "eager"}, quick=True),
    Step(
        "cudnn-off",
        "cuDNN's attention off",
        "cuDNN off",
        "cudnn off",
        {"attention": "cudnn off"},
        {"attention": "sdpa"},
        quick=True,
    ),
    Step("static-cache", "static KV cache", "static cache", "graphs", {"cache": "static"}, acts_on=DECODE),
    Step("fused", "fused weights", "fused weights", "graphs", {"fused": True}, {"fused": False}, quick=True),
    Step(
        "decode-graph",
        "CUDA graph for decode",
        "decode graph",
        "graphs",
        {"decode_graph": True},
        {"decode_graph": False},
        DECODE,
    ),
    Step(
        "prefill-graph",
        "CUDA graphs for prefill",
        "prefill graphs",
        "graphs",
        {"prefill_graph": True},
        {"prefill_graph": False},
        PREFILL,
        quick=True,
    ),
)
"""The ladder from its foot: each row adds one step to the row above."""
BEST = STEPS[-1].name
"""The ladder's last row: all that plain PyTorch can do."""
EXTRAS = {"triton": "Triton decode", "compile": "torch.compile", "flash-attn": "flash-attn prefill"}
"""Beside the ladder: what is not plain PyTorch, as a table calls it."""


def ladder(half: str = "bfloat16") -> dict[str, Options]:
    """The options of each row; `half` is the 16-bit type that suits the GPU."""
    rows, options = {}, Options()
    for step in STEPS:
        options = dataclasses.replace(options, **_with(half, step.change))
        rows[step.name] = options
    return rows


def without(half: str = "bfloat16") -> dict[str, Options]:
    """The best row less one step; only what can be left out by itself: graphs need the static cache."""
    best = ladder(half)[BEST]
    return {step.name: dataclasses.replace(best, **step.undo) for step in STEPS if step.undo is not None}


def _with(half: str, change: dict[str, Any]) -> dict[str, Any]:
    return {name: half if value == HALF else value for name, value in change.items()}


def extras(half: str = "bfloat16") -> dict[str, Options]:
    best = ladder(half)[BEST]
    rows = {name: dataclasses.replace(best, engine=name) for name in ("triton", "compile")}
    return {**rows, "flash-attn": dataclasses.replace(best, attention="flash-attn")}


def options_of(table: str, row: str, half: str = "bfloat16") -> Options:
    """Raises KeyError for a row that the table does not have."""
    return {"ladder": ladder, "without": without, "extra": extras}[table](half)[row]
