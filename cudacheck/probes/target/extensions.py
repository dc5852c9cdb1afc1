"""Compiled extensions built against PyTorch, read as ELF files: what they need that this environment lacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

TIMEOUT_S = 20.0
AFTER = ("torch_files",)


@dataclass(frozen=True)
class ExtensionFile:
    package: str
    """The distribution it belongs to: `flash-attn`, `torchvision`, `vllm` …"""
    path: str
    version: str | None = None
    cuda_major: int | None = None
    """N of the libcudart.so.N it needs; None where it needs none."""
    missing_symbols: Tuple[str, ...] = ()
    """PyTorch symbols (mangled) that it wants and this PyTorch does not export; at most eight are kept."""
    missing_symbol_count: int = 0
    glibc_required: str | None = None
    """The newest GLIBC_x.y among its version requirements."""
    glibcxx_required: str | None = None
    wheel_tag: str | None = None
    """`cu12torch2.6cxx11abiFALSE`, of the wheel it came from."""
