"""What the rules about NVIDIA's libraries share: which wheel has which library, and which wheels PyTorch pins."""

from __future__ import annotations

import posixpath
import re
from functools import lru_cache

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import Version

from cudacheck import knowledge, remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Remedy
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.patient.cuda_libraries import LibraryFile
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.loaded_libraries import LoadedLibrary
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _kernels, _torch

CUDA_LIBRARY = (
    r"lib(?:cudart|cublas|cublasLt|cufft|curand|cusparse|cusparseLt|cusolver|cusolverMg|nvrtc|nvJitLink|nccl|cupti"
    r"|nvToolsExt|cufile|nvshmem_host)\.so(?:\.\d+)*"
)
"""A library of the CUDA toolkit or of NVIDIA's wheels; cuDNN has rules of its own, libcuda is the driver's."""

WHEEL_OF = {
    "cudart": "cuda-runtime",
    "cublas": "cublas",
    "cublasLt": "cublas",
    "cufft": "cufft",
    "curand": "curand",
    "cusparse": "cusparse",
    "cusparseLt": "cusparselt",
    "cusolver": "cusolver",
    "cusolverMg": "cusolver",
    "nvrtc": "cuda-nvrtc",
    "nvJitLink": "nvjitlink",
    "nccl": "nccl",
    "cupti": "cuda-cupti",
    "nvToolsExt": "nvtx",
    "cufile": "cufile",
    "nvshmem_host": "nvshmem",
}
"""Library → the wheel that brings it: nvidia-WHEEL-cu12, or nvidia-WHEEL for CUDA 13."""


def soname_major(library: str) -> int | None:
    """`libcublas.so.12` → 12"""
    found = re.search(r"\.so\.(\d+)", library)
    return int(found[1]) if found else None


def wheel_cuda(name: str) -> int | None:
    """`nvidia-cudnn-cu13` → 13; None for wheels whose name does not say."""
    found = re.fullmatch(r"nvidia-[\w-]+-cu(\d\d)", name)
    return int(found[1]) if found else None


def pins(facts: Facts) -> dict[str, str]:
    """The NVIDIA wheels that the installed PyTorch asks for in exact versions: `nvidia-nccl-cu12` → `2.27.3`."""
    build = facts.one(TorchBuild)
    torch = next((d for d in facts.all(Distribution) if d.name == "torch" and not d.shadowed_by), None)
    lines = [*(torch.requires if torch else ()), *filter(None, (build.cudnn_pin, build.nccl_pin) if build else ())]
    return dict(pin for pin in map(_pin, lines) if pin)


@lru_cache(maxsize=1024)
def _pin(line: str) -> tuple[str, str] | None:
    """A wheel of NVIDIA's and its exact version, where the requirement is for one."""
    try:
        requirement = Requirement(line)
    except InvalidRequirement:  # conda's spelling
        return None
    exact = next((s.version for s in requirement.specifier if s.operator == "=="), None)
    named = requirement.name.startswith("nvidia-") and exact and "*" not in exact
    return (requirement.name, exact) if named and exact else None


def wheel_part(library: str) -> str | None:
    """What a wheel that brings this library is called by: `libcublas.so.12` → `cublas`; None for one in no wheel."""
    part = WHEEL_OF.get(re.sub(r"^lib|\.so.*$", "", library), library)
    return part if part in {*WHEEL_OF.values(), "cudnn"} else None


def pinned(facts: Facts, library: str) -> str | None:
    """The wheel with this library (`libcublas.so.12`, `cudnn`) that PyTorch asks for, `nvidia-cublas-cu12==12.8.4.1`.

    Where PyTorch asks through `cuda-toolkit`, it is the version that is installed by name.
    """
    part = wheel_part(library)
    if part is None:
        return None
    wanted = re.compile(rf"nvidia-{re.escape(part)}(?:-cu\d\d)?")
    asked = pins(facts)
    if part == "cudnn" and not any(map(wanted.fullmatch, asked)):
        return _bundled_cudnn(facts)
    major = _torch.cuda_major(facts.one(TorchBuild))
    if not any(map(wanted.fullmatch, asked)) and major is not None and major >= 13:
        named = [d for d in facts.all(Distribution) if not re.search(r"-cu\d\d$", d.name)]
        asked = {d.name: d.version for d in named if not d.version.startswith("0.0.")}  # these held nothing
    return next((f"{name}=={version}" for name, version in asked.items() if wanted.fullmatch(name)), None)


def _bundled_cudnn(facts: Facts) -> str | None:
    """By the published table: from 2.1 on the wheels for CUDA 12 and 13 pin a cuDNN wheel, others bundle theirs."""
    build = facts.one(TorchBuild)
    known = _torch.release(build.version) if build else None
    if build is None or known is None or Version(known) < Version("2.1") or not (_torch.cuda_major(build) or 0) >= 12:
        return None
    version = knowledge.cudnn_bundled(known, knowledge.tag_of_cuda(build.cuda or ""))
    return f"nvidia-cudnn-cu{_torch.cuda_major(build)}=={version}" if version and _kernels.from_index(build) else None


INCOMPLETE_CUDNN = "nvidia-cudnn-cu13==9.20.0.48"
"""What PyTorch 2.12 and 2.13 pin. The wheel was opened: libcudnn_engines_tensor_ir.so.9 is not in it."""
COMPLETE_CUDNN = "nvidia-cudnn-cu13>=9.21,<10"


def sound_cudnn(facts: Facts) -> Remedy:
    """PyTorch's own cuDNN again, or the next complete one where its own lacks a part."""
    pin = pinned(facts, "cudnn")
    if pin == INCOMPLETE_CUDNN:
        title = "install a cuDNN wheel that is complete"
        return remedies.install(facts, [COMPLETE_CUDNN], title=title, no_deps=True)
    return remedies.reinstall_wheels(facts, [pin]) if pin else remedies.reinstall_torch(facts)


def library_path(facts: Facts) -> str | None:
    """LD_LIBRARY_PATH as it is set; None where it is not, or nobody told."""
    for environment in facts.all(EnvironmentVariables):
        if environment.values.get("LD_LIBRARY_PATH", "").strip(":"):
            return environment.values["LD_LIBRARY_PATH"]
    return None


def path_leads_to(facts: Facts, start: str) -> bool:
    """Whether LD_LIBRARY_PATH may be why a library whose name starts so was loaded.

    Where it is known what was loaded, only if that lies in one of its folders.
    """
    path = library_path(facts)
    loaded = [library.path for library in facts.all(LoadedLibrary) if library.soname.startswith(start)]
    offered = {file.path for file in facts.all(LibraryFile) if file.found_via == "LD_LIBRARY_PATH"}
    folders = [folder.rstrip("/") for folder in (path or "").split(":")]
    return bool(path) and (not loaded or any(p in offered or posixpath.dirname(p) in folders for p in loaded))


def on_the_path(facts: Facts, library: str) -> Remedy:
    """Lead the loader to this library's folder."""
    folders = [posixpath.dirname(library), *filter(None, (library_path(facts) or "").split(":"))]
    return remedies.set_variable(facts, "LD_LIBRARY_PATH", ":".join(dict.fromkeys(folders)))
