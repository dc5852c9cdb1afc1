"""`import torch`, for real, in this child: it is imported once and every later probe uses it."""

from __future__ import annotations

from dataclasses import dataclass

TIMEOUT_S = 60.0
AFTER = ("torch_files",)


@dataclass(frozen=True)
class TorchImport:
    ok: bool
    seconds: float | None = None
    version: str | None = None
    path: str | None = None
    error_type: str | None = None
    """`ImportError`, `OSError`, `SystemExit` … when it raised."""
    error: str | None = None
    missing_library: str | None = None
    """`libcudnn.so.8`, where the error names one."""
    found_in: str = "import torch"
