"""A libcuda that the image or a cuda-compat package brought does not fit this driver or this GPU.

## What it does
Reads cuInit's codes 804 (forward compatibility on a board that is not supported) and, in a container or with a libcuda
from a `compat` folder, 803. In a paste it also recognises an nvidia-smi that shows a GeForce driver serving a newer
CUDA than its branch can.

## Why it matters
NVIDIA's cuda-compat packages let a newer CUDA run on an older driver, on data-centre boards and selected RTX boards
only. CUDA images put their copy first on the library path. On GeForce it fails outright, and on any board when it is
*older* than the host's driver.

## What to do
Take the compat folder out of the loader's way, so that the host's own libcuda is found; then choose an image or a
PyTorch of the CUDA major that the host's driver serves, or upgrade that driver.

## References
- https://docs.nvidia.com/deploy/cuda-compatibility/forward-compatibility.html
- https://github.com/vllm-project/vllm/issues/5283
- https://github.com/vllm-project/vllm/issues/21979
- https://github.com/mistralai/mistral-inference/issues/144
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import knowledge, remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.rules import _driver, _machine

FOREIGN = "the libcuda that is loaded is not of this driver: the image or a cuda-compat package brought it"
NOT_ON_THIS_BOARD = "the cuda-compat libcuda does not work on this GPU: NVIDIA supports it on data-centre boards"


def check(
    libcuda: LibCuda | None, nvml: Nvml | None, gpus: tuple[Gpu, ...] | None, torch: TorchCuda | None, facts: Facts
) -> Iterator[Finding]:
    if _driver.computes(facts):
        return
    if libcuda is not None and libcuda.init_code in {803, 804}:
        if libcuda.init_code == 804 or _driver.loads_foreign_libcuda(facts):
            seen = Evidence(
                f"cuInit {libcuda.init_code}: {libcuda.init_error or 'no words'}", libcuda.path or "libcuda.so.1"
            )
            message = NOT_ON_THIS_BOARD if libcuda.init_code == 804 else FOREIGN
            yield Finding(message, (seen, *_machine.driver_evidence(nvml)), _remedies(facts))
    elif torch is not None and nvml is not None and _is_compat_on_geforce(nvml, gpus or ()):
        seen = Evidence(
            f"driver {nvml.driver_version} beside CUDA {nvml.cuda_version}, newer than it serves", nvml.found_in
        )
        yield Finding(NOT_ON_THIS_BOARD, (seen, Evidence("CUDA is not available", torch.found_in)), _remedies(facts))


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    is_804 = "combination" not in match.groupdict()
    if is_804 or _driver.loads_foreign_libcuda(facts):
        message = NOT_ON_THIS_BOARD if is_804 else FOREIGN
        yield Finding(message, (), _remedies(facts))


def _is_compat_on_geforce(nvml: Nvml, gpus: tuple[Gpu, ...]) -> bool:
    """Whether nvidia-smi's driver and CUDA cannot be of one release, on a board without forward compatibility."""
    served = knowledge.driver_serves(nvml.driver_version) if nvml.driver_version else None
    if served is None or nvml.cuda_version is None or _machine.numbers(nvml.cuda_version) <= _machine.numbers(served):
        return False
    return bool(gpus) and all("geforce" in (gpu.name or "").lower() for gpu in gpus)


def _remedies(facts: Facts) -> tuple[Remedy, ...]:
    folders = [*filter(None, (_machine.variable(facts, "LD_LIBRARY_PATH") or "").split(":"))]
    kept = [folder for folder in folders if "compat" not in folder.split("/")]
    if len(kept) < len(folders):
        away = remedies.set_variable(facts, "LD_LIBRARY_PATH", ":".join(kept))
        if not kept:
            away = remedies.unset_variable(facts, "LD_LIBRARY_PATH")
    elif _machine.in_container(facts.one(System)):
        away = Remedy(
            "inside the container, take the compat folder out of the loader's way",
            ("rm -f /etc/ld.so.conf.d/*compat*.conf", "ldconfig"),
            needs_root=True,
            verify=remedies.verify(facts),
        )
    else:
        away = Remedy("take the compat folder out of the loader's way: LD_LIBRARY_PATH, /etc/ld.so.conf.d")
    return (away, Remedy("take an image of the CUDA that the host's driver serves, or upgrade the host's driver"))


DOCKER = System(os="linux", container="docker", wsl=0, jetson=False)
COMPAT = "/usr/local/cuda-12.9/compat/libcuda.so.575.57.08"


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.LIBCUDA,
    fix_by=FixBy.CONTAINER,
    joins=(Family.NO_CUDA,),
    explained_by=(
        "driver-library-mismatch",
        "container-without-gpu",
        "no-gpu",
        "wsl-driver-broken",
    ),
    check=check,
    heard=heard,
    messages=(
        r"forward compatibility was attempted on non[- ]supported HW",
        r"CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE|cudaErrorCompatNotSupportedOnDevice",
        _driver.numbered(804),
        rf"(?P<combination>{_driver.UNSUPPORTED_COMBINATION}|{_driver.numbered(803)})",
    ),
    asks=(_driver.in_pytorchs_words("804: forward compatibility was attempted on non supported HW"),),
    fires={
        "cuda-compat on a GeForce": (
            DOCKER,
            Nvml(library_found=True, init_code=0, gpu_count=1, driver_version="525.147.05"),
            Gpu(0, "NVIDIA GeForce RTX 3090"),
            LibCuda(found=True, path=COMPAT, init_code=804),
        ),
        "an image's cuda-compat older than the host's driver": (
            DOCKER,
            Nvml(library_found=True, init_code=0, gpu_count=1, driver_version="580.95.05"),
            LibCuda(found=True, path=COMPAT, init_code=803),
        ),
        "nvidia-smi pairs driver 470 with CUDA 11.7": (
            Nvml(library_found=None, driver_version="470.161.03", cuda_version="11.7", found_in="nvidia-smi"),
            Gpu(0, "NVIDIA GeForce RTX 3090"),
            TorchCuda(available=False, found_in="collect_env"),
        ),
        "PyTorch says so": (
            ErrorMessage("Error 804: forward compatibility was attempted on non supported HW", "ticket.txt"),
        ),
        "in front of other folders on LD_LIBRARY_PATH": (
            DOCKER,
            EnvironmentVariables({"LD_LIBRARY_PATH": "/usr/local/cuda-12.9/compat:/opt/lib:"}),
            LibCuda(found=True, path=COMPAT, init_code=804),
        ),
        "alone on LD_LIBRARY_PATH": (
            DOCKER,
            EnvironmentVariables({"LD_LIBRARY_PATH": "/usr/local/cuda-12.9/compat"}),
            LibCuda(found=True, path=COMPAT, init_code=804),
        ),
        "LD_LIBRARY_PATH leads elsewhere": (
            DOCKER,
            EnvironmentVariables({"LD_LIBRARY_PATH": "/opt/lib"}),
            LibCuda(found=True, path=COMPAT, init_code=804),
        ),
        "LD_LIBRARY_PATH leads to a folder that only sounds like it": (
            DOCKER,
            EnvironmentVariables({"LD_LIBRARY_PATH": "/opt/compatible/lib"}),
            LibCuda(found=True, path=COMPAT, init_code=804),
        ),
        "Ollama prints the number alone": (ErrorMessage("cuda driver library init failure: 804", "ticket.txt"),),
    },
    quiet={
        "cuda-compat that works": (
            DOCKER,
            Nvml(library_found=True, init_code=0, gpu_count=1, driver_version="535.129.03", cuda_version="13.0"),
            Gpu(0, "NVIDIA H100 80GB HBM3"),
            LibCuda(found=True, path="/usr/local/cuda-13.0/compat/libcuda.so.580.95.05", init_code=0, device_count=1),
        ),
        "the driver's own CUDA version": (
            Nvml(library_found=None, driver_version="535.129.03", cuda_version="12.2"),
            Gpu(0, "NVIDIA GeForce RTX 4090"),
            TorchCuda(available=False),
        ),
        "803 on the machine itself: driver-library-mismatch": (
            System(os="linux", container="", wsl=0, jetson=False),
            LibCuda(found=True, path="/usr/lib/x86_64-linux-gnu/libcuda.so.575.57.08", init_code=803),
        ),
        "cuInit fails in a container for another reason": (DOCKER, LibCuda(found=True, path=COMPAT, init_code=2)),
        "driver 470 beside CUDA 11.7, and no GPU is named": (
            Nvml(library_found=None, driver_version="470.161.03", cuda_version="11.7"),
            TorchCuda(available=False),
        ),
        "the same pair on a data-centre board": (
            Nvml(library_found=None, driver_version="470.161.03", cuda_version="11.7"),
            Gpu(0, "NVIDIA A100"),
            TorchCuda(available=False),
        ),
    },
)
