"""Where the loader, or torch itself, would look for a CUDA library, in the order in which they look."""

from __future__ import annotations

import glob
import os
import struct
import sys
from functools import lru_cache
from typing import Iterator

from cudacheck.probes import _roots
from cudacheck.probes.patient import _installed, _libraries

_MOST_CACHE_BYTES = 1 << 26
# ELF libraries of glibc for x86-64 and for aarch64: flags of 64-bit code.
_OURS = {0x0303, 0x0A03}
_SYSTEM_FOLDERS = ("/lib64", "/usr/lib64", "/lib", "/usr/lib")


class SearchPath:
    """The folders of one inspection, each with what put it there."""

    def __init__(self, torch_folder: str | None) -> None:
        loader = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
        wheels = [p for f in _installed.path_folders() for p in sorted(glob.glob(glob.escape(f) + "/nvidia/*/lib"))]
        self._loader = [folder for folder in loader if folder]
        self._folders = [
            *(("LD_LIBRARY_PATH", folder) for folder in self._loader),
            *(("wheel", folder) for folder in wheels),
            *(("torch/lib", os.path.join(folder, "lib")) for folder in [torch_folder] if folder),
            *(("conda", folder) for folder in _conda_folders()),
        ]
        self._toolkits = [
            folder
            for name in _roots.entries("/usr/local")
            if name.startswith("cuda")
            for folder in (_roots.path("/usr/local/%s/lib64" % name), *_target_folders(name))
        ]

    def libraries(self) -> Iterator[tuple[str, str, str]]:
        """(found via, soname, path) of every CUDA library."""
        for found_via, folder in self._folders:
            for soname, path in _libraries.cuda_libraries_in(folder):
                yield found_via, soname, path
        for soname, path in _loader_cache() or ():
            if _libraries.is_cuda_library(soname) and _libraries.version_suffix(soname):
                yield "ld.so.cache", soname, os.path.realpath(path)
        for folder in self._toolkits:
            for soname, path in _libraries.cuda_libraries_in(folder):
                yield "toolkit", soname, path

    def find(self, soname: str, first: tuple[str, ...]) -> str | None:
        """A file that would serve, be it of `first`, the folders that the asking library names, or of any other place.

        torch itself loads from wheels anywhere on sys.path what the loader does not find.
        """
        cache = _loader_cache()
        folders = [*first, *(folder for _, folder in self._folders), *_system_folders()]
        if cache is None:  # nobody could tell what is configured: a toolkit may be
            folders += self._toolkits
        for folder in folders:
            if os.path.isfile(os.path.join(folder, soname)):
                return os.path.join(folder, soname)
        return next((path for name, path in cache or () if name == soname and os.path.isfile(path)), None)

    def searched(self, first: tuple[str, ...]) -> tuple[str, ...]:
        cache = ["ld.so.cache"] if _loader_cache() is not None else []
        return tuple(dict.fromkeys([*first, *(folder for _, folder in self._folders), *_system_folders(), *cache]))


def _conda_folders() -> tuple[str, ...]:
    """The lib of the conda environment that the interpreter, or the one its venv is made of, belongs to."""
    prefixes = dict.fromkeys((sys.prefix, sys.base_prefix))
    return tuple(os.path.join(p, "lib") for p in prefixes if os.path.isdir(os.path.join(p, "conda-meta")))


def _target_folders(name: str) -> tuple[str, ...]:
    targets = "/usr/local/%s/targets" % name
    return tuple(_roots.path("%s/%s/lib" % (targets, target)) for target in _roots.entries(targets))


def _system_folders() -> tuple[str, ...]:
    """Where every loader looks last; Debian's have the machine's name."""
    triplet = getattr(sys.implementation, "_multiarch", "")
    debian = ("/lib/" + triplet, "/usr/lib/" + triplet) if triplet else ()
    return tuple(map(_roots.path, (*debian, *_SYSTEM_FOLDERS)))


@lru_cache(maxsize=None)
def _loader_cache() -> tuple[tuple[str, str], ...] | None:
    """(soname, path) of every library in ld.so.cache; None where there is no such file, or none that can be read.

    Read as it lies on disk (sysdeps/generic/dl-cache.h of glibc) rather than by `ldconfig -p`: a tenth of the time,
    and many containers have no ldconfig.
    """
    try:
        with open(_roots.path("/etc/ld.so.cache"), "rb") as file:
            data = file.read(_MOST_CACHE_BYTES)
        data = data[data.index(b"glibc-ld.so.cache1.1") :]  # before it may lie the format of libc5's days
        (count,) = struct.unpack_from("<I", data, 20)
        entries = data[48 : 48 + count * 24]
        kept = [e for e in struct.iter_unpack("<iII12x", entries[: len(entries) // 24 * 24]) if e[0] in _OURS]
    except (OSError, ValueError, struct.error):
        return None
    return tuple((_c_string(data, name), _roots.path(_c_string(data, path))) for _, name, path in kept)


def _c_string(data: bytes, start: int) -> str:
    end = data.find(b"\0", start)
    return data[start : end if end >= 0 else len(data)].decode("utf-8", "surrogateescape")
