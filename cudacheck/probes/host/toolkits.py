"""CUDA toolkits here and the nvcc of each: what is compiled here needs them, PyTorch's wheels do not."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from cudacheck.model import holds
from cudacheck.model.identity import Identity
from cudacheck.probes import Probe, _roots

NVCC = "nvcc.exe" if sys.platform == "win32" else "nvcc"
DIRECTORIES = (
    ("/usr/local", "cuda"),
    ("/opt", "cuda"),
    ("/usr/lib", "cuda"),
    ("C:\\Program Files\\NVIDIA GPU Computing Toolkit\\CUDA", "v"),
)
"""Folders and how a toolkit's name starts there: NVIDIA's packages, Arch, Debian, Windows."""


@dataclass(frozen=True)
class CudaToolkit:
    path: holds.Path
    version: holds.Term | None = None
    """`12.8`, or finer where it is told."""
    nvcc: holds.Path | None = None
    """The path of its nvcc; None where it has none (runtime images)."""
    found_via: holds.FreeText = ""
    """`CUDA_HOME`, `PATH`, `directory`, `paste`."""

    IDENTITY = Identity(finer=("path",), none=("nvcc",))


def collect() -> Iterator[object]:
    seen = set()
    for path, found_via in (*_named(), *_on_path(), *_in_directories()):
        real = os.path.realpath(_roots.path(path))
        if real in seen or not os.path.isdir(real):
            continue
        seen.add(real)
        nvcc = os.path.join(path, "bin", NVCC)
        nvcc_found = os.access(_roots.path(nvcc), os.X_OK)
        version = _version(path, nvcc if nvcc_found else None)
        if nvcc_found or version:
            yield CudaToolkit(path, version, nvcc if nvcc_found else None, found_via)


def _named() -> Iterator[tuple[str, str]]:
    for name in ("CUDA_HOME", "CUDA_PATH"):
        if os.environ.get(name):
            yield os.environ[name], name


def _on_path() -> Iterator[tuple[str, str]]:
    """Without resolving links, as torch.utils.cpp_extension finds CUDA_HOME."""
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        if folder and os.access(_roots.path(os.path.join(folder, NVCC)), os.X_OK):
            yield os.path.dirname(os.path.abspath(folder)), "PATH"


def _in_directories() -> Iterator[tuple[str, str]]:
    for folder, start in DIRECTORIES:
        for name in _roots.entries(folder):
            if name.startswith(start):
                yield os.path.join(folder, name), "directory"


def _version(path: str, nvcc: str | None) -> str | None:
    """By the toolkit's own files, then its compiler's answer, then its folder's name."""
    return (
        _listed_version(_roots.read(f"{path}/version.json"))
        or _number_after("CUDA Version ", _roots.read(f"{path}/version.txt"))
        or (_number_after("release ", _nvcc_version(nvcc)) if nvcc else None)
        or _number_after("cuda-", os.path.realpath(_roots.path(path)))
    )


def _listed_version(text: str | None) -> str | None:
    try:
        return str(json.loads(text or "")["cuda"]["version"])
    except (ValueError, KeyError, TypeError):
        return None


def _number_after(words: str, text: str | None) -> str | None:
    match = re.search(words + r"(\d+\.\d+(?:\.\d+)?)", text or "")
    return match.group(1) if match else None


def _nvcc_version(nvcc: str) -> str | None:
    import subprocess

    try:
        done = subprocess.run([_roots.path(nvcc), "--version"], capture_output=True, timeout=2, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace")


PROBE = Probe(
    collect,
    timeout_s=5.0,
    facts=(CudaToolkit,),
)
