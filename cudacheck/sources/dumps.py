"""Reads the dumps of other software by a table of their keys: `key: value`, `"key": value`, and two columns."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence

from cudacheck import knowledge
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.toolkits import CudaToolkit
from cudacheck.probes.patient._installed import matters, normalised
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.sources import _platforms, _torch_builds, _values
from cudacheck.sources._source import Source

FOUND_IN = "environment dump"
MAX_GPUS = 64

_COLUMNS = re.compile(r" {2,80}")
_ASIDE = re.compile(r"\([^()]{0,60}\)")
LONGEST_KEY = 80
_VERSION = re.compile(r"v?(\d{1,4}\.\d[\w.]{0,40}(?:\+[\w.]{1,60})?)(?![\w.+-])")
_AVAILABLE = {"true": True, "yes": True, "cuda": True, "false": False, "no": False, "na": False}
_ORDINAL = re.compile(r"gpu ?(\d{1,3}(?:,\d{1,3}){0,63})$")
_DEVICE = re.compile(r"cuda:(\d{1,3}) (\S.{0,100}?)(?: : \w+)?$")
_CAPABILITY = re.compile(r"(.{1,100}) \(arch=(\d{1,2}\.\d)\)$")
_FOLDER = re.compile(r"\s*@(\S{1,300})$")
_MEMORY = re.compile(r",\s*(\d{1,9})\s?MiB\b.*$")
_NVIDIA = re.compile(r"(?:NVIDIA|GeForce|Tesla|Quadro|GRID)\b", re.IGNORECASE)
_FLAG = re.compile(r"code=((?:sm|compute)_\d{2,3}[af]?)(?![\w])")
_RUNTIME = re.compile(r"[\s*-]*CUDA Runtime (\d{1,2}\.\d{1,2})\s*$")
_BUILD = re.compile(r"Build cuda_(\d{1,2}\.\d{1,2})[._]")
_DRIVERS = range(300, 1000)
"""The branches of drivers there are; other numbers under such a key are CUDA's."""
_PLATFORMS = {"nt": "Windows", "win32": "Windows", "linux": "Linux", "darwin": "macOS", "windows": "Windows"}
_NO_PACKAGES = ("cu", "nccl", "nvidia", "lib", "tensorrt", "pytorch", "torch ")
"""Keys under which the version of a library stands, which may come from anywhere."""


def facts(lines: Sequence[str]) -> Iterator[object]:
    """What these dumps say of PyTorch, GPUs, the driver, packages and the system.

    >>> for fact in facts(["- PyTorch version (GPU?): 2.6.0+cu124 (True)", "GPU 0,1: NVIDIA L4", "triton: 3.2.0"]):
    ...     print(getattr(fact, "name", None) or fact)
    TorchBuild(version='2.6.0+cu124', cuda='12.4', ...)
    TorchCuda(available=True, ...)
    NVIDIA L4
    NVIDIA L4
    triton
    """
    for number, line in enumerate(lines):
        key, value = _pair(line)
        if key:
            reader = KEYS.get(key) or (_numbered if _ORDINAL.match(key) else _package)
            yield from reader(key, value)
            if key == "accelerator":
                yield from _more_gpus(lines[number + 1 : number + MAX_GPUS])
    yield from _built_with(lines)


def _pair(line: str) -> tuple[str, str]:
    """The key as KEYS has it, and the value; empty where a line has none."""
    written, colon, value = line.strip().partition(": ")
    if not colon:
        written, *rest = _COLUMNS.split(line.strip(), maxsplit=1)
        value = "".join(rest)
        if written == "torch":  # a row of `pip list`, which packages.py reads; dumps in columns say `PyTorch`
            return "", ""
    if len(written) > LONGEST_KEY:
        return "", ""
    key = _ASIDE.sub("", written.replace("`", "").replace("_", " ")).lower()
    return " ".join(key.strip(" *#-\"'").split()), value.strip().rstrip(",").strip("\"'")


def _torch(key: str, value: str) -> Iterator[object]:
    """`2.6.0+cu124`, of detectron2 with ` @/its/folder`, of Hugging Face's dumps with ` (True)` or ` (CUDA)`."""
    if not (match := _VERSION.match(value)):
        return
    build = _torch_builds.named(match.group(1), FOUND_IN)
    folder = _FOLDER.match(value[match.end() :])
    yield dataclasses.replace(build, path=folder.group(1)) if folder else build
    if answer := re.match(r"\s*\((\w{2,5})\)", value[match.end() :]):
        yield from _available(key, answer.group(1))


def _available(_: str, value: str) -> Iterator[object]:
    known = _AVAILABLE.get(value.lower())
    if known is not None:
        yield TorchCuda(known, found_in=FOUND_IN)


def _gpu(_: str, value: str) -> Iterator[object]:
    yield from _named(0, value)


def _numbered(key: str, value: str) -> Iterator[object]:
    """`GPU 0,1: NVIDIA A100`, as PyTorch numbers them; lines with a UUID are those of nvidia-smi -L."""
    ordinal = _ORDINAL.match(key)
    for index in ordinal.group(1).split(",") if ordinal and "(UUID" not in value else ():
        yield from _named(int(index), value)


def _device(_: str, value: str) -> Iterator[object]:
    """ComfyUI's `cuda:0 NVIDIA GeForce RTX 4090 : cudaMallocAsync`."""
    if match := _DEVICE.match(value):
        yield from _named(int(match.group(1)), match.group(2))


def _named(index: int, value: str) -> Iterator[Gpu]:
    """A GPU, where the name is one of NVIDIA's."""
    capability = _CAPABILITY.match(value)
    name = _MEMORY.sub("", capability.group(1) if capability else value).strip()[:120]
    if _NVIDIA.match(name) or knowledge.capability_of(name):
        yield Gpu(index, name, compute_capability=capability and capability.group(2), found_in=FOUND_IN)


def _more_gpus(lines: Sequence[str]) -> Iterator[Gpu]:
    """What diffusers puts below: what nvidia-smi says of the other GPUs, on lines of their own."""
    for index, line in enumerate(lines, 1):
        if not _MEMORY.search(line):
            return
        yield from _named(index, line.strip())


def _driver(_: str, value: str) -> Iterator[object]:
    version = _values.version(value)
    if version and int(version.partition(".")[0]) in _DRIVERS:
        yield Nvml(None, driver_version=version, found_in=FOUND_IN)


def _nvcc(_: str, value: str) -> Iterator[object]:
    """The line before its last that MMEngine takes of older compilers; newer ones' is read by toolkits.py."""
    if match := _BUILD.match(value):
        yield CudaToolkit("", version=match.group(1), nvcc="nvcc", found_via="paste")


def _python(_: str, value: str) -> Iterator[object]:
    if match := re.match(r"(\d\.\d{1,2}\.\d{1,2})(?![\w.])", value):
        yield Interpreter(match.group(1))


def _system(_: str, value: str) -> Iterator[object]:
    told = _PLATFORMS.get(value.lower(), value)
    if told.startswith(("Linux", "Windows", "macOS")):
        found = _platforms.system("", told, "", "", FOUND_IN)
        if found:
            yield found


def _package(key: str, value: str) -> Iterator[object]:
    """`xFormers version: 0.0.29`, `sgl_kernel: 0.0.3`, `torchvision  0.13.1+cu116 @/its/folder`."""
    name = normalised(key.removesuffix(" version").replace(" ", "-"))
    match = _VERSION.match(value)
    if (
        match
        and matters(name)
        and not name.startswith(_NO_PACKAGES)
        and re.match(r"\s*(?:@.*)?$", value[match.end() :])
    ):
        yield Distribution(name, match.group(1), build=match.group(1).partition("+")[2] or None)


def _built_with(lines: Sequence[str]) -> Iterator[object]:
    """torch.__config__.show(), whole or with the flags broken over several lines."""
    cuda = None
    for number, line in enumerate(lines):
        if match := _RUNTIME.match(line):
            cuda = match.group(1)
        elif cuda and "NVCC architecture flags:" in line:
            flags = line
            for more in lines[number + 1 : number + 12]:
                if "arch=" not in more and "code=" not in more:
                    break
                flags += more
            archs = tuple(dict.fromkeys(_FLAG.findall(flags)))
            yield _torch_builds.configured(cuda, archs, FOUND_IN)
            cuda = None


KEYS: dict[str, Callable[[str, str], Iterator[object]]] = {
    # MMEngine, MMDetection, detectron2, sglang.check_env; Hugging Face's; ComfyUI's log, report and /system_stats
    **dict.fromkeys(("pytorch", "torch", "pytorch version", "torch version"), _torch),
    **dict.fromkeys(("cuda available", "gpu available", "torch cuda available", "torch.cuda.is available"), _available),
    **dict.fromkeys(("gpu type", "gpu", "gpu name", "gpu model", "accelerator"), _gpu),
    **dict.fromkeys(("device", "name"), _device),
    **dict.fromkeys(("cuda driver version", "nvidia driver version", "nvidia driver", "driver version"), _driver),
    "nvcc": _nvcc,
    **dict.fromkeys(("python", "python version"), _python),
    **dict.fromkeys(("platform", "sys.platform", "os"), _system),
}
"""ComfyUI's: server.py (/system_stats) and model_management.py (the log) of comfyanonymous/ComfyUI.

Keys in small letters, without what stands in parentheses. `CUDA version` is none: it may be the driver's, a build's
or a toolkit's."""


SOURCE = Source(facts=facts, trust=70)
