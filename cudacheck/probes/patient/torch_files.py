"""PyTorch read as files, without importing it: true build tag, CUDA version, arch list, pins."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder
from typing import Iterator

from cudacheck.model import holds
from cudacheck.model.identity import Identity
from cudacheck.probes import ByHand, Probe
from cudacheck.probes.patient import _installed, _torch
from cudacheck.probes.patient._elf import Elf, c_strings
from cudacheck.probes.patient._symbols import exports, gnu_hash


@dataclass(frozen=True)
class TorchBuild:
    """The PyTorch that `import torch` would take. Yielded only where one is installed."""

    version: holds.Term
    """As `torch.__version__` prints it, `2.8.0+cu128`; of torch/version.py, never of the wheel's metadata."""
    cuda: holds.Term | None = None
    """`12.8`; None for a CPU or ROCm build, and where a paste does not say (see `cuda_known`)."""
    cuda_known: bool = True
    hip: holds.Term | None = None
    arch_list: tuple[holds.Term, ...] | None = None
    """`sm_80`, `compute_90` …; the literal in libtorch_python that torch.cuda.get_arch_list() returns."""
    path: holds.Path | None = None
    """The package folder."""
    metadata_version: holds.Term | None = None
    cudnn_pin: holds.Term | None = None
    """`nvidia-cudnn-cu12==9.10.2.21`, of its Requires-Dist or of conda's record."""
    nccl_pin: holds.Term | None = None
    cxx11_abi: bool | None = None
    conda_build: holds.Term | None = None
    found_in: holds.FreeText = "torch/version.py"

    IDENTITY = Identity(none=("cuda", "hip"))


@dataclass(frozen=True)
class ShadowingModule:
    """Something other than an installed PyTorch that `import torch` would take, or a second PyTorch behind it."""

    path: holds.Path
    taken: bool
    """True: this is what `import torch` takes. False: this one is hidden by another."""
    version: holds.Term | None = None
    found_via: holds.FreeText = ""
    """`PYTHONPATH`, `user site`, `sys.path`."""

    IDENTITY = Identity(finer=("path",))


_ARCHITECTURES = re.compile(rb"sm_\d+[af]?(?: (?:sm|compute)_\d+[af]?)*")
# c10::Error's constructor takes a std::string: of which ABI shows in its mangled name.
_ERROR = b"_ZN3c105ErrorC2ENS_14SourceLocation"
_ERROR_CXX11 = _ERROR + b"ENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
_ERROR_OLD = _ERROR + b"ESs"


def collect() -> Iterator[object]:
    taken = _torch.torch_spec()
    if taken is None:
        return
    folder = _package_folder(taken)
    if folder and _version_py(folder):
        yield _build(folder)
    else:
        path = folder or str(taken.origin)
        yield ShadowingModule(path, taken=True, found_via=_found_via(path))
    for hidden in _torch_packages():
        if hidden != (folder and os.path.realpath(folder)):
            version = _stated("__version__", _version_py(hidden))
            yield ShadowingModule(hidden, taken=False, version=version, found_via=_found_via(hidden))


def _package_folder(spec: object) -> str | None:
    locations = getattr(spec, "submodule_search_locations", None)
    return next(iter(locations), None) if locations else None


def _torch_packages() -> list[str]:
    """The folder of every PyTorch on sys.path, in its order."""
    found = []
    for entry in _installed.path_folders():
        folder = _package_folder(PathFinder.find_spec("torch", [entry]))
        if folder and _version_py(folder):
            found.append(os.path.realpath(folder))
    return found


def _found_via(path: str) -> str:
    """Which setting put a module's folder on sys.path."""
    folder = os.path.realpath(os.path.dirname(path))
    if folder in map(os.path.realpath, filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))):
        return "PYTHONPATH"
    user_site = getattr(sys.modules.get("site"), "USER_SITE", None)
    return "user site" if user_site and folder == os.path.realpath(user_site) else "sys.path"


def _version_py(folder: str) -> str:
    """The text of its version.py; empty where there is none: then it is no built PyTorch."""
    try:
        with open(os.path.join(folder, "version.py"), encoding="utf-8", errors="replace") as file:
            text = file.read(65536)
    except OSError:
        return ""
    return text if _stated("__version__", text) else ""


def _stated(name: str, text: str) -> str | None:
    """What a line `NAME = 'VALUE'` or `NAME: Optional[str] = 'VALUE'` says; None where it is None or not there."""
    found = re.search(r"^%s *(?::[^=\n]*)?= *['\"]([^'\"]+)['\"]" % name, text, re.MULTILINE)
    return found.group(1) if found else None


def _build(folder: str) -> TorchBuild:
    text = _version_py(folder)
    cuda = _stated("cuda", text)
    metadata = _metadata(folder)
    conda = _conda_package(metadata)
    requirements = _requirements(metadata, conda) if cuda else ()
    return TorchBuild(
        version=_stated("__version__", text) or "",
        cuda=cuda,
        cuda_known=re.search(r"^cuda\b", text, re.MULTILINE) is not None,
        hip=_stated("hip", text),
        arch_list=_arch_list(folder) if cuda else None,
        path=folder,
        metadata_version=metadata.version if metadata else None,
        cudnn_pin=_pin("cudnn", requirements),
        nccl_pin=_pin("nccl", requirements),
        cxx11_abi=_cxx11_abi(folder),
        conda_build=conda.build if conda else None,
        found_in=os.path.join(folder, "version.py"),
    )


def _metadata(folder: str) -> _installed.Installed | None:
    """The metadata beside the package; an editable install's is wherever it is."""
    beside = os.path.dirname(os.path.realpath(folder))
    all_torch = [found for found in _installed.installed() if found.name == "torch"]
    return next((found for found in all_torch if found.folder == beside), next(iter(all_torch), None))


def _conda_package(metadata: _installed.Installed | None) -> _installed.CondaPackage | None:
    """The record of this PyTorch; one that pip put over conda's is pip's, though the record stays."""
    if metadata and metadata.read("INSTALLER").strip() not in {"", "conda"}:
        return None
    return next((p for p in _installed.conda_packages() if p.name in {"pytorch", "pytorch-gpu", "pytorch-cpu"}), None)


def _requirements(metadata: _installed.Installed | None, conda: _installed.CondaPackage | None) -> tuple[str, ...]:
    """What it says it needs, without markers: `nvidia-cudnn-cu12==9.10.2.21`, or conda's `cudnn >=9.10.1.4,<10.0a0`."""
    if conda:
        return conda.depends()
    lines = re.findall(r"^Requires-Dist: *([^;\n]+)", metadata.headers(), re.MULTILINE) if metadata else []
    return tuple(re.sub(r"[ ()]", "", line) for line in lines)


def _pin(library: str, requirements: tuple[str, ...]) -> str | None:
    """The nvidia wheel (`nvidia-cudnn-cu13`) or conda package (`cudnn`) of a library."""
    return next((r for r in requirements if re.match(r"(?:nvidia-)?%s\b" % library, r)), None)


def _arch_list(folder: str) -> tuple[str, ...] | None:
    """The literal that torch.cuda.get_arch_list() splits: exactly one in each of the wheels opened (2.2 to 2.15)."""
    library = _torch.library(folder, "libtorch_python.so") or _torch.library(folder, "torch_python.dll")
    found = set(c_strings(library, _ARCHITECTURES)) if library else set()
    return tuple(found.pop().decode().split(" ")) if len(found) == 1 else None


def _cxx11_abi(folder: str) -> bool | None:
    library = _torch.library(folder, "libc10.so")
    if not library:
        return None
    try:
        with Elf(library) as elf:
            new, old = (exports(elf, name, gnu_hash(name)) for name in (_ERROR_CXX11, _ERROR_OLD))
    except (OSError, ValueError):
        return None
    return new if new != old else None


PROBE = Probe(
    collect,
    timeout_s=10.0,
    facts=(
        TorchBuild,
        ShadowingModule,
    ),
    by_hand=ByHand(
        'python -c "import torch; print(torch.__version__, torch.version.cuda, torch.cuda.get_arch_list())"',
        on_windows=True,
    ),
)
