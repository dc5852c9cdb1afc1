"""Matmul and memory copy as cases: what is run, on which inputs, how much work it is, and whether it is right.

Inputs are normal data from a fixed seed, never zeros: those switch fewer transistors, so they run faster.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, Iterator, Tuple

import torch

from cudacheck.bench import kinds
from cudacheck.bench.checks import Check, check_matmul
from cudacheck.bench.kinds import CaseKind

Tensors = Tuple[torch.Tensor, ...]

STORED_AS = {
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "tf32": torch.float32,
    "float32": torch.float32,
}


def normal(shape: tuple[int, ...], dtype: str, device: torch.device, seed: int) -> torch.Tensor:
    generator = torch.Generator(device=device).manual_seed(seed)
    return torch.randn(shape, generator=generator, device=device, dtype=STORED_AS[dtype])


@dataclass(frozen=True)
class Matmul:
    """`a @ weight.T` with the weight stored (out, in), as nn.Linear stores it."""

    dtype: str
    m: int
    n: int
    k: int
    layer: str = ""
    """Where in a model this shape comes from; empty for a square one."""
    kind: CaseKind = kinds.MATMUL
    backend: str | None = None

    @property
    def shape(self) -> str:
        if self.m == self.n == self.k:
            return f"{self.m}³"
        return f"{self.layer} {self.m}×{self.k}→{self.n}".strip()

    @property
    def flop(self) -> int:
        return 2 * self.m * self.n * self.k

    @property
    def bytes(self) -> int:
        numbers = self.m * self.k + self.n * self.k + self.m * self.n
        return numbers * (2 if self.dtype in ("float16", "bfloat16") else 4)

    @property
    def scratch_bytes(self) -> int:
        return 0

    def settings(self) -> Any:
        return float32_precision("tf32" if self.dtype == "tf32" else "ieee")

    def inputs(self, device: torch.device, seed: int) -> Tensors:
        a = normal((self.m, self.k), self.dtype, device, seed)
        weight = normal((self.n, self.k), self.dtype, device, seed + 1)
        # What no kernel writes stays NaN and fails the check.
        out = torch.full((self.m, self.n), float("nan"), device=device, dtype=a.dtype)
        return a, weight, out

    def call(self, tensors: Tensors) -> torch.Tensor:
        a, weight, out = tensors
        return torch.mm(a, weight.t(), out=out)

    def check(self, tensors: Tensors, out: torch.Tensor) -> Check:
        return check_matmul(tensors[0], tensors[1], out, self.dtype)


@dataclass(frozen=True)
class Copy:
    """Memory to memory on the GPU: the bandwidth that anything can reach."""

    numbers: int
    dtype: str = "float32"
    kind: CaseKind = kinds.COPY
    backend: str | None = None
    flop: int = 0

    @property
    def shape(self) -> str:
        return f"{self.numbers * 4 / 2**20:g} MiB"

    @property
    def bytes(self) -> int:
        return 2 * self.numbers * 4

    @property
    def scratch_bytes(self) -> int:
        return self.numbers

    def settings(self) -> Any:
        return contextlib.nullcontext()

    def inputs(self, device: torch.device, seed: int) -> Tensors:
        source = normal((self.numbers,), self.dtype, device, seed)
        return source, torch.full_like(source, float("nan"))

    def call(self, tensors: Tensors) -> torch.Tensor:
        source, destination = tensors
        return destination.copy_(source)

    def check(self, tensors: Tensors, out: torch.Tensor) -> Check:
        same = torch.equal(tensors[0], out)
        return Check(same, 0.0 if same else 1.0, 0.0)


@contextlib.contextmanager
def float32_precision(precision: str) -> Iterator[None]:
    """Let float32 matmuls run as `ieee` or `tf32`, and put back what was set."""
    matmul = torch.backends.cuda.matmul
    wanted: object
    try:
        name, before, wanted = "fp32_precision", matmul.fp32_precision, precision
    except (AttributeError, AssertionError):  # before PyTorch 2.9; from then on reading allow_tf32 may raise
        name, before, wanted = "allow_tf32", matmul.allow_tf32, precision == "tf32"
    setattr(matmul, name, wanted)
    try:
        yield
    finally:
        setattr(matmul, name, before)
