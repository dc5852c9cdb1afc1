"""What the names of CUDA's libraries say: which file is one, under which soname, of which version."""

from __future__ import annotations

import os
import re

from cudacheck.probes.patient import _installed

_FAMILY = "cudnn|cublas|cudart|nccl|nvJitLink|cusparse|nvrtc|cufft|curand|cusolver|cupti|cufile|nvshmem|nvToolsExt"
_CUDA_LIBRARY = re.compile(r"lib(?:%s)[\w-]*\.so(?:\.[\d.]+)?$" % _FAMILY)
_DRIVER_LIBRARY = re.compile(r"lib(?:cuda|nvidia-[\w-]+)\.so(?:\.[\d.]+)?$")


def is_cuda_library(name: str) -> bool:
    return _CUDA_LIBRARY.match(name) is not None


def is_driver_library(name: str) -> bool:
    return _DRIVER_LIBRARY.match(name) is not None


def version_suffix(name: str) -> str:
    """What follows `.so.` in a file's name: `9.10.2`."""
    return name.partition(".so.")[2]


def version(soname: str, path: str) -> str | None:
    """Of the file's full name (`libcudnn.so.9.10.2`), else of the wheel that owns it; None where neither tells.

    `path` has its symbolic links resolved.
    """
    suffix = version_suffix(os.path.basename(path))
    if suffix != version_suffix(soname):
        return suffix or None
    owner = _installed.owner(path)
    return owner.version if owner else None


def cuda_libraries_in(folder: str) -> list[tuple[str, str]]:
    """(soname, path with its links resolved) of each CUDA library in a folder.

    Of several names of one file the soname is the shortest; a bare `libcudnn.so` serves compilers, the loader asks
    for it only where it is all there is.
    """
    folder = os.path.realpath(folder)
    try:
        names = [name for name in os.listdir(folder) if name.startswith("lib") and is_cuda_library(name)]
    except OSError:
        return []
    names_of: dict[str, list[str]] = {}
    for name in sorted(names):
        path = os.path.join(folder, name)
        names_of.setdefault(os.path.realpath(path) if os.path.islink(path) else path, []).append(name)
    return [(min(names, key=_as_soname), path) for path, names in names_of.items()]


def _as_soname(name: str) -> tuple[bool, int]:
    return not version_suffix(name), len(name)
