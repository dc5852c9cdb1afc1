"""The CUDA libraries that this process really mapped, after `import torch` and after a first convolution."""

from __future__ import annotations

from dataclasses import dataclass

TIMEOUT_S = 5.0
AFTER = ("torch_import",)


@dataclass(frozen=True)
class LoadedLibrary:
    soname: str
    path: str
    """As /proc/self/maps shows it, symbolic links resolved."""
    version: str | None = None
