"""Which file of a shared library this process has mapped: the answer to which of several the loader took."""

from __future__ import annotations

import os


def mapped_file(name: str) -> str | None:
    """The mapped file whose name starts so, links resolved; None where the kernel does not tell."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
            paths = [line.split(maxsplit=5)[-1].rstrip("\n") for line in maps if name in line]
    except OSError:
        return None
    return next((os.path.realpath(path) for path in paths if os.path.basename(path).startswith(name)), None)
