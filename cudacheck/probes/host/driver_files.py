"""The user-space driver libraries on disk: every libcuda.so.1 and libnvidia-ml.so.1 the loader could find."""

from __future__ import annotations

from dataclasses import dataclass

TIMEOUT_S = 3.0


@dataclass(frozen=True)
class DriverLibrary:
    soname: str
    """`libcuda.so.1` or `libnvidia-ml.so.1`."""
    path: str
    real_path: str
    version: str | None = None
    """Of the file's name, `575.57.08`; None where the name carries none."""
    found_via: str = ""
    """`LD_LIBRARY_PATH`, `ld.so.cache`, `directory`; the loader takes the first of them."""
