"""Where the machine's own files are: one place, so that a test can point every probe at a crafted tree."""

from __future__ import annotations

import os

ROOT = os.environ.get("CUDACHECK_ROOT", "/")
"""`/` on a real machine. With `CUDACHECK_ROOT` set, /proc, /sys, /dev, /etc, /lib and /usr are read below it."""


def path(absolute: str) -> str:
    """The place to read for an absolute path of the inspected machine.

    `/proc/self` is never redirected: it is this process, not the machine.
    """
    return os.path.join(ROOT, absolute.lstrip("/"))


def read(absolute: str, limit: int = 65536) -> str | None:
    """The text of a small file of the machine, or None where it is missing or may not be read."""
    try:
        with open(path(absolute), "rb") as file:
            return file.read(limit).decode("utf-8", "replace")
    except OSError:
        return None


def entries(absolute: str) -> list[str]:
    """The sorted names in a directory of the machine; empty where it is missing or may not be read."""
    try:
        return sorted(os.listdir(path(absolute)))
    except OSError:
        return []
