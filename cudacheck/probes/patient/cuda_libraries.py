"""Every copy of cuDNN, cuBLAS, NCCL and the CUDA runtime that a process in this environment could load."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from typing import Iterator

from cudacheck.model import holds
from cudacheck.model.identity import Identity
from cudacheck.probes import Probe, Skipped
from cudacheck.probes.patient import _libraries, _torch
from cudacheck.probes.patient._elf import Elf, c_strings
from cudacheck.probes.patient._places import SearchPath


@dataclass(frozen=True)
class LibraryFile:
    soname: holds.Term
    """`libcudnn.so.9`, `libcublas.so.12` …"""
    path: holds.Path
    version: holds.Term | None = None
    """Of the distribution that owns it or of the file's full name; None where neither tells."""
    found_via: holds.FreeText = ""
    """`LD_LIBRARY_PATH`, `wheel`, `torch/lib`, `conda`, `ld.so.cache`, `toolkit`."""

    IDENTITY = Identity(key=("soname",), finer=("path",))


@dataclass(frozen=True)
class MissingLibraryFile:
    """A library that one which is there asks for, and that no place offers."""

    soname: holds.Term
    wanted_by: holds.Path
    """The path of the library that names it."""
    search: tuple[holds.Path, ...] = ()

    IDENTITY = Identity(key=("soname",), finer=("wanted_by",), aside=("search",))


# What `import torch` maps, and what torch opens later on.
_TORCH_LIBRARIES = (
    "libtorch_global_deps.so",
    "libc10_cuda.so",
    "libtorch_cuda.so",
    "libtorch_python.so",
    "libtorch_nvshmem.so",
    "libtorch_cuda_linalg.so",
    "libcaffe2_nvrtc.so",
)
_MOST_LIBRARIES = 200
_STRINGS_BYTES = 1 << 22
"""The names lie in the first 300 kB of the read-only data (8.9 to 9.24), before 20 MB of tables."""
_SUBLIBRARY = re.compile(rb"libcudnn_\w+\.so(?:\.\d+)?")


def collect() -> Iterator[object]:
    if not sys.platform.startswith("linux"):
        raise Skipped("only Linux keeps these libraries where we look")
    folder = _torch.package_folder()
    places = SearchPath(folder)
    seen = set()
    for found_via, soname, path in places.libraries():
        if (found_via, soname, path) not in seen:
            seen.add((found_via, soname, path))
            yield LibraryFile(soname, path, _libraries.version(soname, path), found_via)
    if folder:
        yield from _missing(folder, places)


def _missing(folder: str, places: SearchPath) -> Iterator[MissingLibraryFile]:
    """Follow what torch's libraries need, and what that needs in turn, as the loader would."""
    waiting = [path for path in (_torch.library(folder, name) for name in _TORCH_LIBRARIES) if path]
    told = set()
    for path in waiting:  # grows while it is walked
        for soname, search in _wanted(path):
            found = places.find(soname, search)
            if found is None and soname not in told:
                told.add(soname)
                yield MissingLibraryFile(soname, path, places.searched(search))
            elif found and found not in waiting and len(waiting) < _MOST_LIBRARIES:
                waiting.append(found)


def _wanted(path: str) -> list[tuple[str, tuple[str, ...]]]:
    """The CUDA libraries that a library asks for, each with the folders that the file itself names."""
    try:
        with Elf(path) as elf:
            beside = os.path.dirname(path)
            search = tuple(
                os.path.normpath(re.sub(r"\$(?:ORIGIN|\{ORIGIN\})", lambda _: beside, folder))
                for folder in elf.rpath + elf.runpath
            )
            needed = [soname for soname in elf.needed if _libraries.is_cuda_library(soname)]
    except (OSError, ValueError):
        return []
    # cuDNN opens its parts by name; the loader knows nothing of them.
    if os.path.basename(path).startswith(("libcudnn.so.", "libcudnn_graph.so.")):
        needed += _sublibraries(path)
    return [(soname, search) for soname in needed]


def _sublibraries(path: str) -> list[str]:
    """The parts that libcudnn or libcudnn_graph names in its strings, under its own major version."""
    major = _libraries.version_suffix(os.path.basename(path)).partition(".")[0]
    names = sorted({text.decode() for text in c_strings(path, _SUBLIBRARY, _STRINGS_BYTES)})
    return [name if name[-1].isdigit() else "%s.%s" % (name, major) for name in names]


PROBE = Probe(
    collect,
    timeout_s=10.0,
    facts=(
        LibraryFile,
        MissingLibraryFile,
    ),
)
