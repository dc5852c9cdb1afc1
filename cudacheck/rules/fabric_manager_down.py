"""The NVSwitch fabric between the GPUs is not up, so CUDA does not start.

## What it does
Reads cuInit's code 802 and what NVML says of the fabric's state (not started, or still in progress) while CUDA does
not work.

## Why it matters
On HGX and DGX machines with NVSwitch (A100, H100, H200, B200) the service nvidia-fabricmanager connects the GPUs.
Until it has, `nvidia-smi` lists every GPU, and every CUDA program fails with "system not yet initialized".

## What to do
Install nvidia-fabricmanager of *exactly* the driver's version, enable and start it, and read its log when it stops. On
a cloud machine with a part of such a host the provider runs it: ask there, or take another machine.

## References
- https://github.com/pytorch/pytorch/issues/35710
- https://github.com/huggingface/huggingface_hub/issues/4134
- https://docs.nvidia.com/datacenter/tesla/fabric-manager-user-guide/
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.rules import _driver, _machine

MESSAGE = "the NVSwitch fabric between the GPUs is not up: nvidia-fabricmanager does not run, or not in this version"


def check(
    libcuda: LibCuda | None, gpus: tuple[Gpu, ...] | None, torch: TorchCuda | None, facts: Facts
) -> Iterator[Finding]:
    if _driver.computes(facts):
        return
    waiting = [gpu for gpu in gpus or () if gpu.fabric_state in {"not-started", "in-progress"}]
    seen = [Evidence(f"{_machine.gpu_label(gpu)}: fabric {gpu.fabric_state}", gpu.found_in) for gpu in waiting]
    if libcuda is not None and libcuda.init_code == 802:
        seen.append(Evidence(f"cuInit 802: {libcuda.init_error or 'system not yet initialized'}", libcuda.found_in))
    elif not (waiting and torch is not None and libcuda is None):
        return
    yield Finding(MESSAGE, tuple(seen), _remedies(facts))


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    yield Finding(MESSAGE, (), _remedies(facts))


def _remedies(facts: Facts) -> tuple[Remedy, ...]:
    nvml, system = facts.one(Nvml), facts.one(System)
    version = f" {nvml.driver_version}" if nvml is not None and nvml.driver_version else ""
    if _machine.in_container(system):
        return (Remedy(f"on the host: start nvidia-fabricmanager{version}, or ask who runs the host", needs_root=True),)
    start = ("sudo systemctl enable --now nvidia-fabricmanager", "systemctl status nvidia-fabricmanager")
    return (
        Remedy("start the fabric manager", start, needs_root=True, verify="nvidia-smi -q | grep -A2 Fabric"),
        Remedy(
            f"where it is missing: install nvidia-fabricmanager of exactly the driver's version{version}",
            needs_root=True,
        ),
    )


H200 = "NVIDIA H200"


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.LIBCUDA,
    fix_by=FixBy.NODE,
    joins=(Family.NO_CUDA,),
    check=check,
    heard=heard,
    messages=(
        r"(?i)system not yet initialized|CUDA_ERROR_SYSTEM_NOT_READY|cudaErrorSystemNotReady",
        _driver.numbered(802),
    ),
    asks=(_driver.in_pytorchs_words("802: system not yet initialized"),),
    fires={
        "cuInit says 802": (
            Nvml(library_found=True, init_code=0, gpu_count=8, driver_version="580.126.09"),
            Gpu(0, H200, fabric_state="in-progress"),
            LibCuda(found=True, init_code=802, init_error="CUDA_ERROR_SYSTEM_NOT_READY"),
        ),
        "PyTorch says so": (ErrorMessage("RuntimeError: Error 802: system not yet initialized", "ticket.txt"),),
        "Ollama prints the number alone": (ErrorMessage("cuda driver library init failure: 802", "ticket.txt"),),
        "a paste in which the fabric is not started, and CUDA is missed": (
            Gpu(0, H200, fabric_state="not-started"),
            TorchCuda(available=False),
        ),
    },
    quiet={
        "the fabric is up": (
            Nvml(library_found=True, init_code=0, gpu_count=8),
            Gpu(0, H200, fabric_state="completed"),
            LibCuda(found=True, init_code=0, device_count=8),
        ),
        "a board without NVSwitch": (
            Gpu(0, "NVIDIA H200 NVL", fabric_state="not-supported"),
            LibCuda(found=True, init_code=2),
        ),
        "not started, and CUDA works (one GPU passed through)": (
            Gpu(0, H200, fabric_state="not-started"),
            LibCuda(found=True, init_code=0, device_count=1),
        ),
        "CUDA fails beside a fabric that starts, for another reason": (
            Gpu(0, H200, fabric_state="in-progress"),
            TorchCuda(available=False),
            LibCuda(found=True, init_code=2),
        ),
        "nobody missed CUDA": (Gpu(0, H200, fabric_state="in-progress"),),
        "CUDA is missed, and the fabric is up": (Gpu(0, H200, fabric_state="completed"), TorchCuda(available=False)),
    },
)
