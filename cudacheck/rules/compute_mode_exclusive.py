"""The GPU's compute mode keeps further processes out.

## What it does
Reads each GPU's compute mode. `prohibited` lets no CUDA program in and is an error; `exclusive-process` lets one in,
and is a warning until a program complains that all devices are busy or unavailable.

## Why it matters
In exclusive mode a second process (a notebook that is still open, a data loader that uses CUDA, a server's second
worker) fails with "all CUDA-capable devices are busy or unavailable", though there is memory left.

## What to do
Set the mode back to default, unless a cluster's administrator chose it: then end the other process, or use NVIDIA's
Multi-Process Service.

## References
- https://github.com/NVIDIA/DIGITS/issues/2005
- https://github.com/pytorch/pytorch/issues/3871
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Gpu, GpuProcess
from cudacheck.probes.messages import ErrorMessage
from cudacheck.rules import _driver, _machine


def check(
    _one: Gpu, gpus: tuple[Gpu, ...] | None, processes: tuple[GpuProcess, ...] | None, libcuda: LibCuda | None
) -> Iterator[Finding]:
    closed = [gpu for gpu in gpus or () if gpu.compute_mode not in {None, "default"}]
    if not closed:
        return
    seen = [Evidence(f"{_machine.gpu_label(gpu)}: compute mode {gpu.compute_mode}", gpu.found_in) for gpu in closed]
    indices = {gpu.index for gpu in closed}
    inside = [process for process in processes or () if process.gpu_index in indices]
    seen += [Evidence(f"process {process.pid} is on GPU {process.gpu_index}", "NVML") for process in inside]
    refused = libcuda is not None and libcuda.init_code == 46
    prohibited = [gpu for gpu in closed if gpu.compute_mode == "prohibited"]
    message = f"{_machine.names_of(closed)} lets in one process at a time: compute mode {closed[0].compute_mode}"
    if prohibited:
        message = f"{_machine.names_of(prohibited)} lets no CUDA program in: compute mode prohibited"
    severity = Severity.ERROR if prohibited or refused else None
    yield Finding(message, tuple(seen), _remedies(closed), severity=severity)


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    closed = [gpu for gpu in facts.all(Gpu) if gpu.compute_mode not in {None, "default"}]
    message = "the GPU lets no further process in: it is busy in an exclusive compute mode, or unavailable"
    yield Finding(message, (), _remedies(closed), severity=Severity.ERROR)


def _remedies(closed: list[Gpu]) -> tuple[Remedy, ...]:
    which = f" -i {','.join(str(gpu.index) for gpu in closed)}" if closed else ""
    return (
        Remedy(
            "set the compute mode back to default",
            (f"sudo nvidia-smi{which} -c DEFAULT",),
            needs_root=True,
            verify="nvidia-smi --query-gpu=index,compute_mode --format=csv",
        ),
        Remedy("end the process that is on it", ("nvidia-smi",)),
    )


RULE = Rule(
    severity=Severity.WARNING,
    layer=Layer.LIBCUDA,
    fix_by=FixBy.NODE,
    explained_by=("process-limit-too-low",),
    check=check,
    heard=heard,
    messages=(
        r"(?i)CUDA-capable device(?:s|\(s\))? (?:is/are|are|is) busy or unavailable",
        r"cudaErrorDevicesUnavailable|CUDA_ERROR_DEVICE_UNAVAILABLE",
        _driver.numbered(46),
    ),
    fires={
        "exclusive": (Gpu(0, "Tesla K40m", compute_mode="exclusive-process"), GpuProcess(0, 4711)),
        "prohibited": (Gpu(0, "NVIDIA A100", compute_mode="prohibited"),),
        "CUDA says so": (
            ErrorMessage("RuntimeError: CUDA error: all CUDA-capable devices are busy or unavailable", "ticket.txt"),
        ),
        "and cuInit is turned away": (
            Gpu(0, "Tesla K40m", compute_mode="exclusive-process"),
            LibCuda(True, init_code=46),
        ),
        "one of two": (
            Gpu(0, "NVIDIA A100", compute_mode="default"),
            Gpu(1, "NVIDIA A100", compute_mode="exclusive-process"),
            LibCuda(True, init_code=0),
            GpuProcess(0, 4711),
        ),
        "a program that names the number": (
            Gpu(0, "NVIDIA A100", compute_mode="default"),
            Gpu(1, "Tesla K40m", compute_mode="exclusive-process"),
            ErrorMessage(
                "cudaGetDeviceCount returned 46\n-> all CUDA-capable devices are busy or unavailable", "ticket.txt"
            ),
        ),
        "Ollama names nothing but the number": (ErrorMessage("cuda driver library init failure: 46", "ticket.txt"),),
    },
    quiet={
        "default": (Gpu(0, "NVIDIA A100", compute_mode="default"), GpuProcess(0, 4711)),
        "not told": (Gpu(0, "NVIDIA A100"),),
    },
)
