"""The CUDA libraries that this process really mapped, after `import torch` and after a first convolution."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any, Iterator

from cudacheck.model import holds
from cudacheck.model.identity import Identity
from cudacheck.probes import Probe
from cudacheck.probes.patient import _libraries, _torch
from cudacheck.probes.patient._elf import Elf


@dataclass(frozen=True)
class LoadedLibrary:
    soname: holds.Term
    path: holds.Path
    """As /proc/self/maps shows it, symbolic links resolved."""
    version: holds.Term | None = None

    IDENTITY = Identity(key=("soname",), finer=("path",))


def collect() -> Iterator[object]:
    torch = _torch.imported_torch()
    for library in mapped_libraries():
        if library.soname.startswith("libcudnn.so") and library.version is None:
            yield replace(library, version=_cudnn_version(torch))
        else:
            yield library


def mapped_libraries() -> Iterator[LoadedLibrary]:
    """The CUDA and driver libraries in this process's memory now: a first convolution brings more."""
    for path in sorted(_mapped_files()):
        name = os.path.basename(path)
        if _libraries.is_cuda_library(name) or _libraries.is_driver_library(name):
            soname = _soname(path)
            yield LoadedLibrary(soname, path, _libraries.version(soname, path))


def _mapped_files() -> set[str]:
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as file:
            fields = [line.rstrip("\n").split(maxsplit=5) for line in file if ".so" in line]
    except OSError:
        return set()
    return {line[5] for line in fields if len(line) == 6 and line[5].startswith("/")}


def _soname(path: str) -> str:
    """As the library states it: the driver's `libcuda.so.575.57.08` is `libcuda.so.1`."""
    try:
        with Elf(path) as elf:
            return elf.soname or os.path.basename(path)
    except (OSError, ValueError):
        return os.path.basename(path)


def _cudnn_version(torch: Any) -> str | None:
    try:
        return _torch.cudnn_version(torch)
    except Exception:
        return None


PROBE = Probe(
    collect,
    timeout_s=5.0,
    facts=(LoadedLibrary,),
    after=("torch_import",),
)
