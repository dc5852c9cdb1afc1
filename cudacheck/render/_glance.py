"""The facts at a glance: what a reader wants to see of any machine, sick or healthy, as labelled lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from cudacheck.model.facts import Facts
from cudacheck.probes.chosen import Patient
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Gpu, GpuProcess, Nvml
from cudacheck.probes.host.pci import PciGpu
from cudacheck.probes.host.system import System
from cudacheck.probes.patient.attention_backends import AttentionBackend
from cudacheck.probes.patient.bench_kernels import BenchPlan
from cudacheck.probes.patient.flash_attn import FlashAttention
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.probes.patient.loaded_libraries import LoadedLibrary
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.render._columns import MOST_GPUS
from cudacheck.render._kernels import MOST_ROWS, meter
from cudacheck.speed import peaks, runs, traces

GIB = 1 << 30
MOST_HOLDERS = 2
"""Of one GPU's memory."""


def lines(facts: Facts) -> Iterator[tuple[str, str]]:
    """(label, text) pairs in reading order; a fact that nobody told has no line."""
    yield from without_speed(facts)
    yield from _speed(facts)


def without_speed(facts: Facts) -> Iterator[tuple[str, str]]:
    """The same where what was measured stands in charts of its own."""
    yield from _inspected(facts)
    yield from _machine(facts)
    yield from _gpus(facts)
    yield from _driver(facts)
    yield from _torch(facts)
    yield from _cudnn(facts)
    yield from _flash_attn(facts)
    yield from _attention(facts)


def short(path: str | None) -> str:
    """A path with its middle left out, once it is too long to read: `~/x/…/nvidia/cudnn/lib`."""
    if not path or len(path) <= 60:
        return path or ""
    parts = PurePath(path).parts
    return str(PurePath(*parts[:3], "…", *parts[-3:]))


def _inspected(facts: Facts) -> Iterator[tuple[str, str]]:
    patient, interpreter = facts.one(Patient), facts.one(Interpreter)
    if patient:
        parts = [patient.python]
        if interpreter:
            parts += [f"Python {interpreter.version}", f"installs with {interpreter.installer or 'pip'}"]
        yield "inspected", " · ".join([*parts, f"found through {patient.found_via}"])
    elif interpreter:
        yield "Python", interpreter.version


def _machine(facts: Facts) -> Iterator[tuple[str, str]]:
    system = facts.one(System)
    if system is None:
        return
    parts = [
        system.distribution or system.os,
        f"kernel {system.kernel}" if system.kernel else "",
        system.machine or "",
    ]
    parts += [
        f"in a {system.container} container" if system.container else "",
        f"WSL {system.wsl}" if system.wsl else "",
    ]
    parts += [system.sandbox or "", "Jetson" if system.jetson else ""]
    yield "system", " · ".join(part for part in parts if part)


def _gpus(facts: Facts) -> Iterator[tuple[str, str]]:
    gpus = facts.all(Gpu)
    for gpu in gpus[:MOST_GPUS]:
        parts = [gpu.name or "unnamed GPU"]
        if gpu.error:
            parts.append(gpu.error)
        if gpu.memory_total_bytes:
            parts.append(_memory(gpu, facts.all(GpuProcess)))
        if gpu.compute_capability:
            parts.append(f"compute {gpu.compute_capability}")
        if gpu.pcie_generation_max and gpu.pcie_width:
            parts.append(f"PCIe {gpu.pcie_generation_max}.0 x{gpu.pcie_width}")
        if gpu.power_limit_w:
            parts.append(f"{gpu.power_limit_w:.0f} W")
        if gpu.mig_enabled:
            parts.append(f"MIG, {len(gpu.mig_instances or ())} instances")
        yield f"GPU {gpu.index}", " · ".join(parts)
    more = max(len(gpus), len(facts.all(PciGpu)) if not gpus else 0) - MOST_GPUS
    if not gpus:
        for pci in facts.all(PciGpu)[:MOST_GPUS]:
            yield (
                "GPU",
                f"NVIDIA device {pci.device_id or '?'} at {pci.address}"
                + ("" if pci.driver is None else f" · kernel driver {pci.driver or 'none'}"),
            )
        nvml = facts.one(Nvml)
        answered = nvml is not None and (nvml.init_code == 0 or nvml.library_found is False)
        if not facts.all(PciGpu) and facts.is_complete(Gpu) and answered:
            yield "GPU", "none found"
    if more > 0:
        yield "", f"and {more} more GPUs"


def _memory(gpu: Gpu, processes: tuple[GpuProcess, ...]) -> str:
    """`140 GiB, 2 free: python 4321 holds 137`"""
    total, used = gpu.memory_total_bytes or 0, gpu.memory_used_bytes
    whole = f"{total / GIB:.0f} GiB"
    if used is None or not 0 <= used <= total:
        return whole
    holders = [p for p in processes if p.gpu_index == gpu.index and (p.memory_bytes or 0) >= GIB]
    holders.sort(key=lambda process: -(process.memory_bytes or 0))
    said = [f"{p.program} {p.pid} holds {(p.memory_bytes or 0) / GIB:.0f}" for p in holders[:MOST_HOLDERS]]
    more = [f"{len(holders) - MOST_HOLDERS} more"] if len(holders) > MOST_HOLDERS else []
    return f"{whole}, {(total - used) / GIB:.0f} free" + (f": {', '.join(said + more)}" if said else "")


def _driver(facts: Facts) -> Iterator[tuple[str, str]]:
    nvml, cuda = facts.one(Nvml), facts.one(LibCuda)
    parts = []
    if nvml and nvml.driver_version:
        parts.append(nvml.driver_version)
    if (serves := (nvml and nvml.cuda_version) or (cuda and cuda.cuda_version)) is not None:
        parts.append(f"serves CUDA {serves}")
    if cuda and cuda.init_code is not None:
        parts.append("cuInit succeeds" if cuda.init_code == 0 else f"cuInit {cuda.init_code}: {cuda.init_error}")
    elif cuda and not cuda.found:
        parts.append("no libcuda.so.1")
    if nvml and nvml.init_code:
        parts.append(f"NVML {nvml.init_code}: {nvml.init_error}")
    elif nvml and nvml.library_found is False:
        parts.append("no libnvidia-ml.so.1")
    if parts:
        yield "driver", " · ".join(parts)


def _torch(facts: Facts) -> Iterator[tuple[str, str]]:
    torch = facts.one(TorchBuild)
    if torch is None:
        if facts.is_complete(TorchBuild):
            yield "torch", "not installed"
        return
    parts = [torch.version]
    if torch.arch_list:
        parts.append(" ".join(arch.replace("sm_", "sm_" if i == 0 else "") for i, arch in enumerate(torch.arch_list)))
    elif torch.cuda:
        parts.append(f"CUDA {torch.cuda}")
    elif torch.cuda_known and not torch.hip:
        parts.append("CPU build")
    cuda = facts.one(TorchCuda)
    if cuda and cuda.available:
        count = cuda.device_count
        parts.append("CUDA available" if count is None else f"sees {count} GPU{'s' * (count != 1)}")
    elif cuda:
        parts.append("CUDA not available")
    yield "torch", " · ".join(parts)


def _cudnn(facts: Facts) -> Iterator[tuple[str, str]]:
    loaded = [library for library in facts.all(LoadedLibrary) if library.soname.startswith("libcudnn.so")]
    cuda = facts.one(TorchCuda)
    for library in loaded[:1]:
        version = library.version or (cuda.cudnn_version if cuda else None) or library.soname
        yield "cuDNN", f"{version} loaded from {short(str(PurePath(library.path).parent))}"


def _flash_attn(facts: Facts) -> Iterator[tuple[str, str]]:
    flash = facts.one(FlashAttention)
    if flash:
        state = "imports" if flash.imports else f"does not import: {flash.error}"
        if flash.ran:
            state = f"runs, largest error {flash.max_error:.1g}" if flash.max_error is not None else "runs"
        elif flash.run_error:
            state = f"imports, its kernel failed: {flash.run_error}"
        yield "flash-attn", f"{flash.version or ''} {state}".strip()
    elif facts.is_complete(FlashAttention) and facts.all(TorchBuild):
        yield "flash-attn", "not installed (attention uses PyTorch's SDPA)"


def _attention(facts: Facts) -> Iterator[tuple[str, str]]:
    seen = set()
    for backend in facts.all(AttentionBackend):
        case = backend.case.partition(" ")[0]
        if backend.chosen and (case, backend.chosen) not in seen:
            seen.add((case, backend.chosen))
    if seen:
        yield "SDPA", " · ".join(f"{case}: {chosen}" for case, chosen in sorted(seen, reverse=True))


def _speed(facts: Facts) -> Iterator[tuple[str, str]]:
    """The doctor's few cases; `cudacheck bench kernels` has a table of its own."""
    measured = [] if facts.one(BenchPlan) else runs.of(facts)
    for run in measured[:MOST_GPUS]:
        for row in run.rows[:MOST_ROWS]:
            if row.tflops is None:
                continue
            shares = peaks.shares(run, row) if row.case == "matmul" else {}
            share, at_clock = shares.get("datasheet"), shares.get("clock")
            bar = f"  {meter(share)} {share:.0%} of peak" if share is not None else ""
            spread = f" ± {row.ci95_rel:.1%}" if row.ci95_rel is not None else ""
            on = f"GPU {row.device_index} " if len(measured) > 1 else ""
            what = " ".join(filter(None, (row.dtype, row.shape, row.backend)))
            clock = f" at {row.sm_clock_mhz:.0f} MHz" if row.sm_clock_mhz else ""
            of_clock = f" ({at_clock:.0%} of what that clock allows)" if at_clock is not None else ""
            yield row.case, f"{on}{what}  {row.tflops:.0f} TFLOP/s{spread}{bar}{clock}{of_clock}"
        if traces.is_odd(seen := traces.looks(run)):
            on = f"GPU {run.device.index} " if len(measured) > 1 else ""
            yield "clock", f"{on}{traces.told(seen)}"
