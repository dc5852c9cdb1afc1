"""The user-space driver libraries on disk: every libcuda.so.1 and libnvidia-ml.so.1 the loader could find."""

from __future__ import annotations

import os
import re
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from cudacheck.model import holds
from cudacheck.model.identity import Identity
from cudacheck.probes import Probe, Skipped, _roots

SONAMES = ("libcuda.so.1", "libnvidia-ml.so.1")
DIRECTORIES = (
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib/wsl/lib",
    "/usr/local/nvidia/lib64",
    "/usr/local/nvidia/lib",
    "/usr/local/cuda/compat",
    "/usr/lib/aarch64-linux-gnu/tegra",
    "/usr/lib/aarch64-linux-gnu/nvidia",
    "/run/opengl-driver/lib",
)
"""Where distributions, container runtimes (nvidia/, compat/), WSL, Jetson and NixOS put them."""

CACHE_MAGIC = b"glibc-ld.so.cache1.1"
CACHE_HEADER, CACHE_ENTRY = 48, 24
"""Sizes of glibc's struct cache_file_new and file_entry_new."""


@dataclass(frozen=True)
class DriverLibrary:
    soname: holds.Term
    """`libcuda.so.1` or `libnvidia-ml.so.1`."""
    path: holds.Path
    real_path: holds.Path
    version: holds.Term | None = None
    """Of the file's name, `575.57.08`; None where the name carries none."""
    found_via: holds.FreeText = ""
    """`LD_LIBRARY_PATH`, `ld.so.cache`, `directory`; the loader takes the first of them."""

    IDENTITY = Identity(key=("soname",), finer=("path",))


def collect() -> Iterator[object]:
    if not sys.platform.startswith("linux"):
        raise Skipped("the search order of libraries is known for Linux only")
    for soname in SONAMES:
        seen = set()
        for path, found_via in (*_on_ld_library_path(soname), *_in_cache(soname), *_in_directories(soname)):
            real_path = os.path.realpath(path)
            if real_path in seen or not os.path.exists(real_path):
                continue
            seen.add(real_path)
            yield DriverLibrary(soname, path, real_path, _version(real_path), found_via)


def _on_ld_library_path(soname: str) -> Iterator[tuple[str, str]]:
    """Read as it is, whatever the root: it is this process that the variable steers."""
    for directory in re.split("[:;]", os.environ.get("LD_LIBRARY_PATH", "")):
        if directory:
            yield os.path.join(directory, soname), "LD_LIBRARY_PATH"


def _in_cache(soname: str) -> Iterator[tuple[str, str]]:
    """What `ldconfig -p` prints, read from its file (glibc's elf/cache.c): a tenth of the time, and from any root."""
    try:
        with open(_roots.path("/etc/ld.so.cache"), "rb") as file:
            cache = file.read()
    except OSError:
        return
    start = cache.find(CACHE_MAGIC)
    if start < 0 or os.fsencode(soname) not in cache:
        return
    # offsets count from the magic: a cache in the old format, of before glibc 2.32, may stand before it
    (entries,) = struct.unpack_from("=I", cache, start + len(CACHE_MAGIC))
    for number in range(entries):
        flags, key, value = struct.unpack_from("=iII", cache, start + CACHE_HEADER + number * CACHE_ENTRY)
        # the second byte is the architecture; 0 is 32-bit x86
        if _string(cache, start + key) == soname and (flags & 0xFF00 or sys.maxsize < 2**32):
            yield _roots.path(_string(cache, start + value)), "ld.so.cache"


def _string(data: bytes, start: int) -> str:
    return os.fsdecode(data[start : data.index(b"\0", start)])


def _in_directories(soname: str) -> Iterator[tuple[str, str]]:
    for directory in DIRECTORIES:
        yield _roots.path(os.path.join(directory, soname)), "directory"


def _version(real_path: str) -> str | None:
    """The driver's version: three digits first, so that WSL's `libcuda.so.1.1` has none."""
    match = re.search(r"\.so\.(\d{3}\.\d+(?:\.\d+)?)$", real_path)
    return match.group(1) if match else None


PROBE = Probe(
    collect,
    timeout_s=3.0,
    facts=(DriverLibrary,),
)
