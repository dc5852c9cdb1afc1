"""Reads `python -m torch.utils.collect_env`, PyTorch's and vLLM's own variant of it, whole or in part."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.toolkits import CudaToolkit
from cudacheck.probes.patient.cuda_libraries import LibraryFile
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.probes.patient.torch_import import TorchImport
from cudacheck.sources import _platforms, _torch_builds, _values
from cudacheck.sources._source import Source
from cudacheck.sources._whole import Whole

FOUND_IN = "collect_env"

_KEYS = (
    "PyTorch version",
    "CUDA used to build PyTorch",
    "ROCM used to build PyTorch",
    "OS",
    "Libc version",
    "Python version",
    "Python platform",
    "Is CUDA available",
    "CUDA runtime version",
    "GPU models and configuration",
    "Nvidia driver version",
    "cuDNN version",
    "vLLM Version",
)
_KEY = re.compile(rf"\s*({'|'.join(_KEYS)})\s*:(?:\s+(.*))?$")
_GPU = re.compile(r"\s*GPU (\d{1,3}): (\S.*?)\s*(?:\(UUID: .*)?$")
_OTHER_MAKERS = re.compile(r"(?:AMD|Radeon|Intel|Instinct)\b|.*\(gfx\d", re.IGNORECASE)
_CUDNN = re.compile(r"\s*(\S.*[/\\])?((?:lib)?cudnn[\w-]*\.so(?:\.(\d+(?:\.\d+)*))?|cudnn[\w-]*?(\d+)\.dll)\s*$")
_NOT_TOLD = {"", "N/A", "Could not collect", "No CUDA"}


def facts(lines: Sequence[str]) -> Iterator[object]:
    '''What it says of PyTorch, the system, the driver and the GPUs; its package lists are read by packages.py.

    >>> for fact in facts("""PyTorch version: 2.8.0+cu128
    ... Is CUDA available: True
    ... GPU models and configuration: GPU 0: NVIDIA L4
    ... Nvidia driver version: 535.216.01""".splitlines()):
    ...     print(type(fact).__name__)
    TorchBuild
    TorchCuda
    Nvml
    Gpu
    Whole
    '''
    told = _told(lines)
    if not told:
        return
    yield from _torch(told)
    yield from _platform(told)
    if told.get("Is CUDA available") in {"True", "False", "Yes", "No"}:
        yield TorchCuda(told["Is CUDA available"] in {"True", "Yes"}, found_in=FOUND_IN)
    if version := _values.version(told.get("CUDA runtime version", "")):
        # it asked the nvcc on PATH and left out where that is
        yield CudaToolkit("", version=version, nvcc="nvcc", found_via="paste")
    if driver := _values.version(told.get("Nvidia driver version", "")):
        yield Nvml(None, driver_version=driver, found_in=FOUND_IN)
    if version := _values.version(told.get("vLLM Version", "")):
        yield Distribution("vllm", version)
    yield from _gpus(lines)
    yield from _cudnn_files(lines)


def _told(lines: Sequence[str]) -> dict[str, str]:
    """What stands behind each key; of two dumps in one paste the first counts."""
    told: dict[str, str] = {}
    for line in lines:
        if match := _KEY.match(line):
            told.setdefault(match.group(1), (match.group(2) or "").strip())
    return told


def _torch(told: dict[str, str]) -> Iterator[object]:
    version = told.get("PyTorch version", "")
    cuda = told.get("CUDA used to build PyTorch")
    if version == "N/A":
        # it says so when `import torch` raises, be torch missing or broken: the package lists decide
        yield TorchImport(ok=False, found_in=FOUND_IN)
    elif version not in _NOT_TOLD or cuda == "None" or _values.version(cuda or ""):
        stated = version if version not in _NOT_TOLD else ""
        hip = _values.words(told.get("ROCM used to build PyTorch", ""))
        yield _torch_builds.stated(stated, cuda, hip, FOUND_IN)


def _platform(told: dict[str, str]) -> Iterator[object]:
    version = _values.version(told.get("Python version", "").partition(" ")[0].rstrip("+"))
    system = _platforms.system(
        distribution="" if told.get("OS") in _NOT_TOLD else told.get("OS", ""),
        platform=told.get("Python platform", ""),
        python=told.get("Python version", ""),
        libc=told.get("Libc version", ""),
        found_in=FOUND_IN,
    )
    if system:
        yield system
    if version:
        yield Interpreter(version, os=system.os if system else None, machine=system.machine if system else None)


def _gpus(lines: Sequence[str]) -> Iterator[object]:
    """The lines of `nvidia-smi -L` below their key, UUIDs taken out."""
    inside, found = False, False
    for line in lines:
        if match := _KEY.match(line):
            inside = match.group(1) == "GPU models and configuration"
            line = (match.group(2) or "") if inside else ""  # noqa: PLW2901
        gpu = _GPU.match(line) if inside else None
        if gpu and not _OTHER_MAKERS.match(gpu.group(2)):
            found = True
            yield Gpu(int(gpu.group(1)), name=gpu.group(2)[:120], found_in=FOUND_IN)
    if found:
        yield Whole(Gpu)


def _cudnn_files(lines: Sequence[str]) -> Iterator[LibraryFile]:
    """What ldconfig knows (on Windows what CUDA_PATH holds), which is not what PyTorch's wheels load."""
    inside = False
    for line in lines:
        if match := _KEY.match(line):
            inside = match.group(1) == "cuDNN version"
            line = (match.group(2) or "") if inside else ""  # noqa: PLW2901
        if inside and (match := _CUDNN.match(line)):
            folder, name, version, _ = match.groups()
            soname = re.sub(r"(\.so\.\d+)\..*", r"\1", name)
            full = version if version and "." in version else None
            found_via = "toolkit" if name.endswith(".dll") else "ld.so.cache"
            yield LibraryFile(soname, f"{folder or ''}{name}", version=full, found_via=found_via)


SOURCE = Source(facts=facts, trust=80)
