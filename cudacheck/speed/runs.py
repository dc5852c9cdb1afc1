"""One GPU's measurements together with what else is known of that GPU, and whether they can be believed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from cudacheck import knowledge
from cudacheck.bench import kinds
from cudacheck.model.facts import Facts
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.host.system import System
from cudacheck.probes.patient.bench_kernels import GpuConditions, LaunchOverhead
from cudacheck.probes.patient.benchmark import ClockTrace, Measurement
from cudacheck.probes.patient.torch_cuda import TorchDevice

BUSY_PERCENT = 10
"""NVML is asked before our own context exists: what it sees is somebody else's work. Desktops draw a little."""
SHARED_RATIO = 1.5
"""95th percentile over median of 1 ms spins: a time slice of another process at least doubles some."""
SHARED_MAD = 0.05
COVERED_US = 100.0
"""Launches that are slower leave gaps within what is timed: until then a spin holds the GPU (bench/samplers.py)."""
MOST_LAUNCHES = 50
"""Of one timed call: attention by the math backend is a dozen kernels."""


@dataclasses.dataclass(frozen=True)
class GpuRun:
    device: TorchDevice
    rows: tuple[Measurement, ...]
    gpu: Gpu | None = None
    """The same GPU as NVML numbers it."""
    launch: LaunchOverhead | None = None
    """Of the quicker attempt."""
    conditions: tuple[GpuConditions, ...] = ()
    system: System | None = None
    variables: EnvironmentVariables | None = None
    trace: ClockTrace | None = None
    """Of the first attempt."""

    @property
    def label(self) -> str:
        """CUDA_VISIBLE_DEVICES may have made PyTorch number it otherwise than nvidia-smi."""
        moved = self.gpu is not None and self.gpu.index != self.device.index
        also = f", nvidia-smi's GPU {self.gpu.index}" if moved and self.gpu else ""
        return f"GPU {self.device.index} ({self.device.name}{also})"

    @cached_property
    def launch_us(self) -> float | None:
        """What a launch costs the host: the dearer of a small kernel and an event, each in the quicker attempt."""
        queued = [seen.queue_us / 3 for seen in self.conditions if seen.queue_us]
        launched = [self.launch.launch_us] if self.launch and self.launch.launch_us else []
        return max([*launched, *([min(queued)] if queued else [])], default=None)

    @cached_property
    def disturbed(self) -> str:
        return _disturbed_by(self)

    @cached_property
    def model(self) -> knowledge.GpuModel | None:
        return knowledge.gpu(self.device.name)

    def best(self, kind: kinds.CaseKind, dtype: str | None = None, backend: str | None = None) -> Measurement | None:
        """The quickest attempt that gave a right result: what is slow must be slow each time."""
        rows = [r for r in self.rows if r.case == kind.name and r.backend == backend and dtype in (None, r.dtype)]
        timed = [r for r in rows if r.median_us and r.ok is not False]
        return min(timed, key=lambda row: row.median_us or 0, default=None)


def of(facts: Facts) -> list[GpuRun]:
    """What was measured, by GPU. NVML knows nothing of CUDA_VISIBLE_DEVICES: its GPUs are matched by UUID."""
    runs = []
    rows, conditions = by_index(facts.all(Measurement)), by_index(facts.all(GpuConditions))
    launches = by_index(fact for fact in facts.all(LaunchOverhead) if fact.launch_us)
    traces = by_index(facts.all(ClockTrace))
    gpus = {gpu.uuid: gpu for gpu in reversed(facts.all(Gpu)) if gpu.uuid}
    for device in facts.all(TorchDevice):
        here, overheads = tuple(rows.get(device.index, ())), launches.get(device.index, [])
        if here or overheads:
            runs.append(
                GpuRun(
                    device=device,
                    rows=here,
                    gpu=gpus.get(device.uuid) if device.uuid else None,
                    launch=min(overheads, key=lambda overhead: overhead.launch_us or 0, default=None),
                    conditions=tuple(conditions.get(device.index, ())),
                    trace=next(iter(traces.get(device.index, ())), None),
                    system=facts.one(System),
                    variables=facts.one(EnvironmentVariables),
                )
            )
    return runs


def by_index(facts: Iterable[Any]) -> dict[int, list[Any]]:
    """Facts of GPUs, by the number of each GPU."""
    grouped: dict[int, list[Any]] = {}
    for fact in facts:
        grouped.setdefault(int(fact.device_index), []).append(fact)
    return grouped


# Whether measurements can be believed


def disturbed_by(run: GpuRun) -> str:
    """Why nothing that was timed on this GPU says anything about it; empty where all is well."""
    return run.disturbed


def _disturbed_by(run: GpuRun) -> str:
    if run.gpu and (run.gpu.utilization_percent or 0) >= BUSY_PERCENT:
        return f"another process used the GPU: NVML read {run.gpu.utilization_percent} % before we began"
    if not starved(run, 1000.0):  # else the spins, too, waited for the host
        for seen in run.conditions:
            if seen.spin_median_us and seen.spin_p95_us and seen.spin_p95_us > SHARED_RATIO * seen.spin_median_us:
                ratio = seen.spin_p95_us / seen.spin_median_us
                return f"the GPU was shared while we measured: spins of 1 ms took up to {ratio:.1f} times as long"
            if seen.spin_mad_rel is not None and seen.spin_mad_rel > SHARED_MAD:
                return f"the GPU was shared while we measured: spins of 1 ms varied by {seen.spin_mad_rel:.0%}"
    return blocking(run)


def blocking(run: GpuRun) -> str:
    values = run.variables.values if run.variables else {}
    on = switched_on(values.get("CUDA_LAUNCH_BLOCKING", ""))
    return "CUDA_LAUNCH_BLOCKING is set: every launch waits for its kernel" if on else ""


def switched_on(value: str) -> bool:
    """Whether a variable that is documented as 0 or 1 says 1: words, and the number 0, switch nothing on."""
    return re.match(r"\s*\+?0*[1-9]", value) is not None


def excuse(run: GpuRun) -> str:
    """Why a slow result is no fault on such a GPU; empty where it would be one."""
    if run.system and run.system.on_battery:
        return "the machine runs on battery"
    if (run.gpu and run.gpu.mig_enabled) or " MIG " in run.device.name:
        return "a MIG slice shares power and heat with its neighbours"
    if run.gpu and run.gpu.virtualization == "vgpu":
        return "a virtual GPU gets the share that its profile grants"
    if re.search(r"laptop|max-q|mobile", run.device.name, re.IGNORECASE):
        return "a laptop sets its own power limit"
    if run.variables and any(name.startswith("CUDA_MPS_ACTIVE") for name in run.variables.values):
        return "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE grants a share of the GPU"
    return ""


def starved(run: GpuRun, us: float | None) -> bool:
    """Whether what was timed may be the host's launches rather than the GPU's work."""
    cost = run.launch_us
    return bool(cost and us and cost > COVERED_US and us < MOST_LAUNCHES * cost)


def spoken(row: Measurement) -> str:
    """`float16 8192³`, `copy 1024 MiB`, `attention float16 1×12×2048×128 causal by math`"""
    what = "" if row.case == kinds.MATMUL.name else f"{row.case} "
    dtype = f"{row.dtype} " if kinds.of(row.case).has_dtype else ""
    by = f" by {row.backend}" if row.backend not in (None, "default") else ""
    return f"{what}{dtype}{row.shape}{by}"


def capability_below(device: TorchDevice, wanted: tuple[int, int]) -> bool:
    """Whether its compute capability is known, and lower than this one."""
    numbers = tuple(int(part) for part in (device.compute_capability or "").split(".") if part.isdecimal())
    return bool(numbers) and numbers < wanted
