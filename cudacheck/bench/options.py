"""What a command tells the probe that it asks for: one value, through one environment variable."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass

VARIABLE = "CUDACHECK_BENCH"


@dataclass(frozen=True)
class BenchOptions:
    """Of `bench kernels`, `bench steps`, what is measured again and what is required.

    A name that is none is a TypeError.
    """

    quick: bool = False
    devices: tuple[int, ...] = ()
    """GPUs as PyTorch numbers them; none means all."""
    dtype: str | None = None
    """The one 16-bit type that is measured; None for both."""
    only: tuple[str, ...] = ()
    """Cases; none means all."""
    budget_s: float | None = None
    size: int | None = None
    """Of the matrices, instead of what fills the GPU: for tests, as are the next two."""
    length: int = 2048
    """Of sequences, in tokens."""
    copied_numbers: int | None = None
    device: int = 0
    """The one GPU that `bench steps` measures."""
    shape: str = "qwen2-1.5b"
    """One of bench/steps.py's."""
    group: str = ""
    """Which rows share this process; what is to be told of them:"""
    parts: tuple[str, ...] = ()
    setting: str | None = None
    """The one under which new lengths are timed."""
    rows: tuple[tuple[str, str], ...] = ()
    """(table, row)"""
    launched: tuple[tuple[str, str], ...] = ()
    go: str = ""
    """A path: until it exists the probe disturbs nobody."""
    also: tuple[str, ...] = ()
    """Cases that the doctor's short benchmark measures with care: their speed is required."""
    packages: tuple[str, ...] = ()
    """Distributions that are looked for by name."""
    timeout_s: float | None = None
    """Of the probe, instead of its own: for tests, as is the next."""
    early: bool | None = None
    """Whether the next group's process imports torch meanwhile."""

    def dumps(self) -> str:
        return json.dumps(asdict(self))


def of_environment() -> BenchOptions:
    """What the variable holds; where it is not set, what holds without it. Raises TypeError and ValueError."""
    told = json.loads(os.environ.get(VARIABLE) or "{}")
    lists = ("devices", "only", "parts", "also", "packages")
    pairs = ("rows", "launched")
    told.update({name: tuple(told[name]) for name in lists if name in told})
    told.update({name: tuple(tuple(pair) for pair in told[name]) for name in pairs if name in told})
    return BenchOptions(**told)
