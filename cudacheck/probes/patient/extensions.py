"""Compiled extensions built against PyTorch, read as ELF files: what they need that this environment lacks."""

from __future__ import annotations

import glob
import os
import re
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES, PathFinder
from typing import Iterator

from cudacheck.model import holds
from cudacheck.model.identity import Identity
from cudacheck.probes import Probe, Skipped
from cudacheck.probes.patient import _installed, _torch
from cudacheck.probes.patient._elf import Elf
from cudacheck.probes.patient._symbols import exports, gnu_hash, undefined_symbols


@dataclass(frozen=True)
class ExtensionFile:
    package: holds.Term
    """The distribution it belongs to: `flash-attn`, `torchvision`, `vllm` …"""
    path: holds.Path
    version: holds.Term | None = None
    cuda_major: int | None = None
    """N of the libcudart.so.N it needs; None where it needs none."""
    missing_symbols: tuple[holds.Term, ...] = ()
    """PyTorch symbols (mangled) that it wants and this PyTorch does not export; at most eight are kept."""
    missing_symbol_count: int = 0
    glibc_required: holds.Term | None = None
    """The newest GLIBC_x.y among its version requirements."""
    glibcxx_required: holds.Term | None = None
    wheel_tag: holds.Term | None = None
    """`cu12torch2.6cxx11abiFALSE`, of the wheel it came from."""

    IDENTITY = Identity(key=("package",), finer=("path",), none=("cuda_major",))


_FILES = (
    ("flash-attn", "flash_attn_2_cuda*.so"),
    ("flash-attn-3", "flash_attn_3/*.so"),
    ("flash-attn-3", "flashattn_hopper_cuda*.so"),
    ("torchvision", "torchvision/*.so"),
    ("torchaudio", "torchaudio/lib/*.so"),
    ("xformers", "xformers/_C*.so"),
    ("xformers", "xformers/flash_attn_3/*.so"),
    ("vllm", "vllm/*.so"),
    ("vllm", "vllm/vllm_flash_attn/*.so"),
)
_TORCH_SYMBOLS = (b"_ZN3c10", b"_ZNK3c10", b"_ZN2at", b"_ZNK2at", b"_ZN5torch", b"_ZNK5torch")
_MOST_ASKED = ("libc10.so", "libtorch_cpu.so", "libtorch_python.so", "libc10_cuda.so", "libtorch_cuda.so")
_KEPT_SYMBOLS = 8


def collect() -> Iterator[object]:
    if not sys.platform.startswith("linux"):
        raise Skipped("only ELF files are read")
    found = [(package, path) for package, pattern in _FILES for path in _first_on_path(pattern)]
    folder = _torch.package_folder() if found else None
    with ExitStack() as stack:
        exporters = _exporters(folder, stack) if folder else []
        for package, path in found:
            yield _extension(package, path, exporters)


def _first_on_path(pattern: str) -> list[str]:
    """The files that an import would take; not those for other Python versions that an upgrade left behind."""
    package = pattern.partition("/")[0]
    for folder in _installed.path_folders():
        paths = sorted(glob.glob(os.path.join(glob.escape(folder), pattern)))
        if paths:
            foreign = re.compile(r"\.cpython-\w+")
            return [p for p in paths if not foreign.search(p) or p.endswith(tuple(EXTENSION_SUFFIXES[:1]))]
        spec = PathFinder.find_spec(package, [folder]) if package != pattern else None
        if spec is not None and spec.loader is not None:
            return []  # the package itself is here, without such files: those of a later folder are never imported
    return []


def _exporters(folder: str, stack: ExitStack) -> list[Elf]:
    """The libraries of torch, opened; none where one of them cannot be read: then nothing can be missed."""
    paths = [path for path in (_torch.library(folder, name) for name in _MOST_ASKED) if path]
    paths += glob.glob(os.path.join(glob.escape(folder), "lib", "lib*.so"))  # libc10_hip, libtorch_xpu …
    try:
        return [stack.enter_context(Elf(path)) for path in dict.fromkeys(paths)]
    except (OSError, ValueError):
        return []


def _extension(package: str, path: str, exporters: list[Elf]) -> ExtensionFile:
    installed = _installed.first(package)
    version = installed.version if installed else None
    tag = _wheel_tag(installed) if installed else None
    try:
        with Elf(path) as elf:
            needed, versions = elf.needed, elf.version_needs()
            missing = _missing_symbols(elf, exporters)
    except (OSError, ValueError):
        return ExtensionFile(package, path, version, wheel_tag=tag)
    return ExtensionFile(
        package=package,
        path=path,
        version=version,
        cuda_major=_cuda_major(needed),
        missing_symbols=tuple(missing[:_KEPT_SYMBOLS]),
        missing_symbol_count=len(missing),
        glibc_required=_newest("GLIBC_", versions),
        glibcxx_required=_newest("GLIBCXX_", versions),
        wheel_tag=tag,
    )


def _missing_symbols(extension: Elf, exporters: list[Elf]) -> list[str]:
    """What it wants of torch, less what torch exports, less what the libraries that lie beside it export."""
    if not exporters:
        return []
    wanted = [(name, gnu_hash(name)) for name in undefined_symbols(extension, _TORCH_SYMBOLS)]
    missing = [each for each in wanted if not any(exports(elf, *each) for elf in exporters)]
    for soname in extension.needed if missing else ():
        beside = os.path.join(os.path.dirname(extension.path), soname)
        if os.path.isfile(beside):
            with Elf(beside) as elf:
                missing = [each for each in missing if not exports(elf, *each)]
    return [name.decode("ascii", "replace") for name, _ in missing]


def _cuda_major(needed: tuple[str, ...]) -> int | None:
    """A copy that the wheel brings along (`libcudart.e8e8b82a.so.12`) is not asked of the environment."""
    found = re.search(r"^libcudart\.so\.(\d+)", "\n".join(needed), re.MULTILINE)
    return int(found.group(1)) if found else None


def _newest(prefix: str, versions: list[str]) -> str | None:
    """`2.32` out of GLIBC_2.2.5, GLIBC_2.32, GLIBC_PRIVATE."""
    numbers = re.findall(r"^%s([\d.]+)$" % prefix, "\n".join(versions), re.MULTILINE)
    return max(numbers, key=lambda number: [int(part) for part in number.split(".") if part], default=None)


def _wheel_tag(installed: _installed.Installed) -> str | None:
    """The local part of the version of the wheel that it was installed from, where pip noted the wheel's address."""
    wheel = re.search(r'-[\w.]+(?:\+|%2B)([\w.]+)-[^/"]*\.whl', installed.read("direct_url.json"))
    return wheel.group(1) if wheel else installed.version.partition("+")[2] or None


PROBE = Probe(
    collect,
    timeout_s=20.0,
    facts=(ExtensionFile,),
    after=("torch_files",),
)
