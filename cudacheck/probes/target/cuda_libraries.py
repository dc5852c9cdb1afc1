"""Every copy of cuDNN, cuBLAS, NCCL and the CUDA runtime that a process in this environment could load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

TIMEOUT_S = 10.0


@dataclass(frozen=True)
class LibraryFile:
    soname: str
    """`libcudnn.so.9`, `libcublas.so.12` …"""
    path: str
    version: str | None = None
    """Of the distribution that owns it or of the file's full name; None where neither tells."""
    found_via: str = ""
    """`LD_LIBRARY_PATH`, `wheel`, `torch/lib`, `conda`, `ld.so.cache`, `toolkit`."""


@dataclass(frozen=True)
class MissingLibraryFile:
    """A library that one which is there asks for, and that no place offers."""

    soname: str
    wanted_by: str
    """The path of the library that names it."""
    search: Tuple[str, ...] = ()
