"""A kernel of the most ordinary kind failed on a GPU, or gave a wrong result.

## What it does
Runs an addition, a float16 matrix product and a convolution on every visible GPU, and compares each with the
processor's result in float64; the benchmark's results are compared in the same way.

## Why it matters
A GPU on which these fail runs no model. A wrong result without an error is worse: memory or chip may be faulty.

## What to do
Read the error. "No kernel image" for a GPU that PyTorch itself covers comes from an extension without code for that
GPU: reinstall the extension. A wrong result: test again with nothing else running and at stock clocks, then look at
the kernel log for Xid lines.

## References
- https://docs.nvidia.com/deploy/xid-errors/
- https://github.com/pytorch/pytorch/issues/31285
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Ask, Family, Rule
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.messages import Contradiction, ErrorMessage
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.probes.patient.flash_attn import FlashAttention
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _kernels, _messages, _torch

MESSAGES = _kernels.SURE[:2]
FLASH_TOLERANCE = 0.05
"""Of flash-attn's output; healthy backends stayed within 0.0022 in 48 cases on an H200."""


def check(
    runs: tuple[KernelRun, ...],
    measurements: tuple[Measurement, ...] | None,
    flash: FlashAttention | None,
) -> Iterator[Finding]:
    served = {run.device_index for run in runs if run.ok}
    for run in runs:
        if not run.ok:
            what = f"{run.kernel} on GPU {run.device_index}"
            yield (
                _failed(what, run.error, elsewhere=bool(served - {run.device_index}))
                if run.error
                else _wrong(what, run.max_error, run.tolerance)
            )
    for row in measurements or ():
        if row.ok is False:
            yield _wrong(f"{row.case} {row.dtype} {row.shape} on GPU {row.device_index}", row.max_error, row.tolerance)
    if flash and flash.max_error is not None and flash.max_error > FLASH_TOLERANCE:
        yield _wrong(f"flash-attn {flash.version or ''}", flash.max_error, FLASH_TOLERANCE)


def _failed(what: str, error: str, *, elsewhere: bool = False) -> Finding:
    full = "out of memory" in error.lower()
    # gpu-too-old-for-build tells of an old GPU beside one that works, and how to hide it
    beside = elsewhere and re.search(MESSAGES[0], error) is not None
    remedy = "free the GPU's memory, and try again" if full else "see the kernel log, and run the check again"
    commands = ("nvidia-smi",) if full else ("sudo dmesg | grep -iE 'nvrm|xid' | tail",)
    return Finding(
        f"{what} failed: {_torch.one_line(error, 120)}",
        (Evidence(_torch.one_line(error), what),),
        (Remedy(remedy, commands, needs_root=not full),),
        # A full GPU is somebody's work, no fault of the machine.
        severity=Severity.WARNING if full or beside else None,
    )


def _wrong(what: str, error: float | None, tolerance: float | None) -> Finding:
    size = f": relative error {error:.2g}, allowed {tolerance:.2g}" if error is not None and tolerance else ""
    return Finding(
        f"{what} gave a wrong result{size}",
        (Evidence(f"wrong result{size}", what),),
        (
            Remedy(
                "run it again at stock clocks with nothing else on the GPU, then look for Xid lines in the kernel log"
            ),
        ),
    )


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    if _kernels.of_own_probe(said):
        return  # the kernel's own fact tells more
    if _messages.has_own_words(match):
        yield Finding(match[0])
        return
    if not (facts.all(TorchBuild) or _torch.gpus_of(facts)):
        ask = Remedy("tell which GPU and which PyTorch it is", ("python -m torch.utils.collect_env",))
        message = "a kernel was not compiled for the GPU it ran on; which GPU and whose kernel, this does not say"
        yield Finding(message, (), (ask,), severity=Severity.WARNING)
        return
    seen = _torch.gpus_of(facts)
    if seen and not any(gpu.capability for gpu in seen):
        ask = Remedy("tell of which generation it is", ("nvidia-smi --query-gpu=name,compute_cap --format=csv",))
        message = f"a kernel was not compiled for {seen[0].label}, of which nothing is known here; whose kernel, this does not say"
        yield Finding(message, (), (ask,), severity=Severity.WARNING)
        return
    if told := next((each for each in facts.all(Contradiction) if each.what == "GPU"), None):
        ask = Remedy("say which of them it is, with the PyTorch that is there", ("python -m torch.utils.collect_env",))
        message = f"a kernel was not compiled for the GPU it ran on: {told.first} or {told.other}, this does not say"
        yield Finding(message, (), (ask,), severity=Severity.WARNING)
        return
    yield Finding(
        "a kernel that the program needs was not compiled for this GPU",
        (),
        (Remedy("install the extension (or PyTorch) that the traceback names again, in a build for this GPU"),),
    )


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.RUN_TIME,
    fix_by=FixBy.ENVIRONMENT,
    explained_by=(
        Family.BROKEN_HARDWARE,
        Family.NO_DRIVER,
        Family.NO_CUDA,
        Family.NO_CUDA_BUILD,
        Family.WRONG_KERNELS,
        Family.BROKEN_LIBRARIES,
        "debug-switch-set",
        "malformed-setting",
        "driver-library-mismatch",
        "compute-mode-exclusive",
        "cuda-init-failed",
        "driver-too-old",
        "ptx-newer-than-driver",
        "gpu-memory-held",
        "torch-import-failed",
        "flash-attn-unsupported-gpu",
    ),
    check=check,
    heard=heard,
    messages=MESSAGES,
    ambiguous=_messages.leave_it_open,
    asks=(
        Ask(
            TorchBuild,
            "the GPU's architecture: then an extension lacks it",
            "2.8.0+cu128 12.8 ['sm_75', 'sm_80', 'sm_90', 'sm_120']",
        ),
        Ask(
            Gpu,
            "a GPU that PyTorch was built for",
            "GPU 0: NVIDIA H200 (UUID: GPU-6d5c7f3e-0000-1111-2222-333344445555)",
        ),
    ),
    fires={
        "an illegal address": (
            KernelRun(0, "float16 matmul", ok=False, error="CUDA error: an illegal memory access was encountered"),
        ),
        "a wrong result": (KernelRun(1, "convolution", ok=False, max_error=0.4, tolerance=0.008),),
        "no kernel image, and nothing tells why": (
            ErrorMessage("RuntimeError: CUDA error: no kernel image is available for execution on the device", "paste"),
        ),
        "no kernel image on a GPU that no table knows": (
            TorchBuild("2.11.0+cu130", cuda="13.0"),
            Gpu(0, "NVIDIA GeForce RTX 9090"),
            ErrorMessage("RuntimeError: CUDA error: no kernel image is available for execution on the device", "paste"),
        ),
        "a benchmark case whose result is wrong": (
            KernelRun(0, "addition", ok=True),
            Measurement("matmul", "float16", "8192³", 0, ok=False, max_error=0.5, tolerance=0.01),
        ),
        "a wrong result whose error nobody measured": (KernelRun(1, "convolution", ok=False, tolerance=0.008),),
        "flash-attn's result is wrong": (
            KernelRun(0, "addition", ok=True),
            FlashAttention("2.8.3", imports=True, ran=True, max_error=0.08),
        ),
        "a GPU that is full": (
            KernelRun(0, "addition", ok=False, error="CUDA out of memory. Tried to allocate 2 MiB"),
        ),
        "no kernel for one GPU of two": (
            KernelRun(0, "addition", ok=True),
            KernelRun(
                1, "addition", ok=False, error="CUDA error: no kernel image is available for execution on the device"
            ),
        ),
        "one GPU of two fails": (
            KernelRun(0, "addition", ok=True),
            KernelRun(1, "addition", ok=False, error="CUDA error: an illegal memory access was encountered"),
        ),
        "Xid without our own kernel: a program says cudaErrorNoKernelImageForDevice": (
            ErrorMessage("cudaErrorNoKernelImageForDevice", "paste"),
        ),
        "a kernel that is not there, and two GPUs that are told of": (
            Contradiction("GPU", "NVIDIA H100 80GB HBM3", "NVIDIA GeForce RTX 5090"),
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            ErrorMessage("CUDA error: no kernel image is available for execution on the device", "ticket.txt"),
        ),
    },
    quiet={
        "all right": (KernelRun(0, "addition", ok=True, max_error=1e-7, tolerance=1e-3),),
        "a benchmark case that found no room": (
            KernelRun(0, "addition", ok=True),
            Measurement("matmul", "float16", "8192³", 0, error="CUDA out of memory"),
        ),
        "flash-attn's result at its tolerance": (
            KernelRun(0, "addition", ok=True),
            FlashAttention("2.8.3", imports=True, ran=True, max_error=0.05),
        ),
        "flash-attn was not run": (KernelRun(0, "addition", ok=True), FlashAttention("2.8.3", imports=True)),
    },
)
