"""The GPU is held back under load: by heat, by its power supply, or at clocks far below its own.

## What it does
Looks only at a GPU that is busy, and at what held its clock back while `cudacheck bench kernels` kept it so. It speaks
for thermal slowdown, hardware slowdown and the power brake; and for clocks far below the GPU's own, or a power cap that
bites at low power. A GPU that draws its full power and is capped there is healthy, and an idle one always clocks down. In a
paste that tells no reasons, holds a temperature against those at which `nvidia-smi -q` says that it slows down.

## Why it matters
Everything runs, several times slower than it could, and no program says so.

## What to do
Heat: clean fans and filters, see to the airflow, check that passive boards get the server's. Power: plug in all
cables of the supply, raise a limit that somebody lowered (`nvidia-smi -q -d POWER`). Clocks: undo locks
(`nvidia-smi -rgc`), and run laptops on mains power.

## References
- https://github.com/NVIDIA/NVSentinel/issues/890
- https://github.com/ollama/ollama/issues/13552
- https://docs.nvidia.com/deploy/nvml-api/group__nvmlClocksEventReasons.html
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.report import Health
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.host.system import System
from cudacheck.probes.patient.bench_kernels import GpuConditions
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.rules import _machine
from cudacheck.speed import axes, runs

HEAT = {
    "hw_thermal_slowdown": "thermal slowdown by the hardware",
    "sw_thermal_slowdown": "thermal slowdown by the driver",
}
POWER = {
    "hw_power_brake_slowdown": "the power brake of the supply",
    "hw_slowdown": "slowdown by the hardware",
}
BUSY_PERCENT = 50
FULLY_BUSY_PERCENT = 90
LOW_SHARE = 0.25
"""Of the maximum clock. Small boards under heavy load (T4, L4) go down to 0.35: that is their power limit."""
LOW_MHZ = 300
"""No board that NVML serves computes so slowly unless it is held back."""
LOW_POWER_SHARE = 0.65
"""Of the limit: where the driver's cap bites below, another limit than this one is at work."""
LOADED_POWER_SHARE = 0.3
"""Of the limit: what draws more is at work, whatever nobody said of its use."""


HYSTERESIS_C = 1
"""Who is held at a temperature is seen a degree below it, too."""


def check(_one: Gpu, gpus: tuple[Gpu, ...] | None, system: System | None, facts: Facts) -> Iterator[Finding]:
    if system is not None and system.on_battery:
        return  # a laptop saves power then, as it should
    for gpu in gpus or ():
        hot, why = _too_hot(gpu), _held_back(gpu)
        if hot or why:
            yield Finding(
                f"{_machine.gpu_label(gpu)} is held back under load: {why}"
                if why
                else f"{_machine.gpu_label(gpu)} is as hot as it may get: {hot}",
                evidence=_evidence(gpu, why or hot or ""),
                remedies=_remedies(gpu if why else dataclasses.replace(gpu, clock_event_reasons=tuple(HEAT))),
            )
    for run, axis in axes.found(facts, "clocks", Health.DEGRADED):
        if run.gpu:
            yield Finding(
                f"{_machine.gpu_label(run.gpu)} is held back under load: {axis.reasons[0]}",
                evidence=tuple(Evidence(f"GPU {run.gpu.index}: {reason}", "NVML") for reason in axis.reasons),
                remedies=_remedies(dataclasses.replace(run.gpu, clock_event_reasons=_seen(run))),
            )


def _seen(run: runs.GpuRun) -> tuple[str, ...]:
    """NVML's reasons from the time of the benchmark; its counters know of heat that a look in between missed."""
    seen = {reason for conditions in run.conditions for reason in conditions.reasons_seen or ()}
    return tuple(seen & {*HEAT, *POWER}) or tuple(HEAT)


def _held_back(gpu: Gpu) -> str | None:
    reasons = gpu.clock_event_reasons or ()
    if "gpu_idle" in reasons or (gpu.utilization_percent is not None and gpu.utilization_percent < BUSY_PERCENT):
        return None
    for reason, words in {**HEAT, **POWER}.items():
        if reason in reasons:
            return words
    if gpu.utilization_percent is not None and gpu.utilization_percent < FULLY_BUSY_PERCENT:
        return None
    if gpu.utilization_percent is not None and _is_slow(gpu):
        maximum = f" of {gpu.sm_clock_max_mhz}" if gpu.sm_clock_max_mhz else ""
        return f"it computes at {gpu.sm_clock_mhz}{maximum} MHz"
    if "sw_power_cap" in reasons and _draws_little(gpu):
        return f"a power cap bites at {gpu.power_draw_w:g} of {gpu.power_limit_w:g} W"
    return None


def _too_hot(gpu: Gpu) -> str | None:
    """Whether it is as hot as it may get, where nobody says whether that slows it down."""
    limit = gpu.temperature_max_operating_c or gpu.temperature_slowdown_c
    if gpu.temperature_c is None or not limit or gpu.clock_event_reasons is not None:
        return None
    if gpu.temperature_c < limit - HYSTERESIS_C:
        return None
    return f"{gpu.temperature_c} °C, and it is slowed down from {limit} °C on"


def _is_slow(gpu: Gpu) -> bool:
    clock = gpu.sm_clock_mhz
    if clock is None or clock == 0:
        return False
    return clock < LOW_MHZ or (gpu.sm_clock_max_mhz is not None and clock < LOW_SHARE * gpu.sm_clock_max_mhz)


def _draws_little(gpu: Gpu) -> bool:
    draw, limit = gpu.power_draw_w, gpu.power_limit_w
    if draw is None or limit is None:
        return False
    return (gpu.utilization_percent is not None or draw > LOADED_POWER_SHARE * limit) and draw < LOW_POWER_SHARE * limit


def _evidence(gpu: Gpu, why: str) -> tuple[Evidence, ...]:
    measured = (
        (gpu.utilization_percent, "% busy"),
        (gpu.sm_clock_mhz, " MHz"),
        (gpu.memory_clock_mhz, " MHz memory"),
        (gpu.temperature_c, " °C"),
        (gpu.power_draw_w, " W"),
    )
    told = ", ".join(f"{value:g}{unit}" for value, unit in measured if value is not None)
    return (Evidence(f"GPU {gpu.index}: {why}" + (f" ({told})" if told else ""), gpu.found_in),)


def _remedies(gpu: Gpu) -> tuple[Remedy, ...]:
    watch = Remedy(
        "watch it under load",
        (f"nvidia-smi -i {gpu.index} -q -d PERFORMANCE,TEMPERATURE,POWER,CLOCK",),
    )
    reasons = set(gpu.clock_event_reasons or ())
    if reasons & {*HEAT}:
        return (Remedy("see to its cooling: fans, filters, the airflow of the case"), watch)
    if reasons & {*POWER}:
        return (Remedy("check the power supply and that all power cables are plugged in"), watch)
    unlock = Remedy("undo locked clocks", (f"sudo nvidia-smi -i {gpu.index} -rgc",), needs_root=True)
    return (Remedy("run on mains power, and raise a lowered power limit"), unlock, watch)


H200 = TorchDevice(0, "NVIDIA H200", uuid="GPU-1", compute_capability="9.0", multiprocessors=132)
H200_NVML = Gpu(0, "NVIDIA H200", uuid="GPU-1")
MATMUL = Measurement("matmul", "float16", "8192³", 0, median_us=1650.0, tflops=666.0, converged=True, ok=True)


RULE = Rule(
    severity=Severity.WARNING,
    layer=Layer.RUN_TIME,
    fix_by=FixBy.NODE,
    joins=(Family.HELD_BACK,),
    check=check,
    fires={
        "as hot as it may get": (
            Gpu(0, "NVIDIA GeForce MX330", temperature_c=56, temperature_max_operating_c=57, temperature_slowdown_c=97),
        ),
        "hot while the benchmark ran": (
            H200,
            H200_NVML,
            MATMUL,
            GpuConditions(0, seconds=4.0, limited_ms={"power": 900.0, "thermal": 800.0}, nvml=True),
        ),
        "hot under load": (
            Gpu(0, "NVIDIA A10", utilization_percent=98, clock_event_reasons=("hw_slowdown", "hw_thermal_slowdown")),
        ),
        "139 MHz at full load": (
            Gpu(0, utilization_percent=100, sm_clock_mhz=139, memory_clock_mhz=405, power_draw_w=7.0),
        ),
        "a power cap at low power": (
            Gpu(
                0,
                "NVIDIA A100-SXM4-40GB",
                utilization_percent=100,
                sm_clock_mhz=700,
                sm_clock_max_mhz=1410,
                power_draw_w=110.0,
                power_limit_w=400.0,
                clock_event_reasons=("sw_power_cap",),
            ),
        ),
        "no clock is told of a power cap at low power": (
            Gpu(
                0,
                "NVIDIA A100-SXM4-40GB",
                utilization_percent=100,
                power_draw_w=110.0,
                power_limit_w=400.0,
                clock_event_reasons=("sw_power_cap",),
            ),
        ),
        "another cap than its own limit": (
            Gpu(
                0,
                "NVIDIA A100-SXM4-80GB",
                power_draw_w=240.0,
                power_limit_w=400.0,
                clock_event_reasons=("sw_power_cap",),
            ),
        ),
        "hot at half load": (
            Gpu(0, "NVIDIA A10", utilization_percent=50, clock_event_reasons=("sw_thermal_slowdown",)),
        ),
        "139 MHz, nine tenths busy": (Gpu(0, utilization_percent=90, sm_clock_mhz=139),),
        "below a quarter of its clock": (Gpu(0, utilization_percent=100, sm_clock_mhz=494, sm_clock_max_mhz=1980),),
        "below 300 MHz, and the most is not told": (Gpu(0, utilization_percent=100, sm_clock_mhz=299),),
        "below a quarter of its clock, and hot": (
            Gpu(
                0,
                utilization_percent=60,
                sm_clock_mhz=400,
                sm_clock_max_mhz=1980,
                clock_event_reasons=("hw_thermal_slowdown",),
            ),
        ),
        "hot for a sixteenth of the benchmark": (
            H200,
            H200_NVML,
            MATMUL,
            GpuConditions(0, seconds=4.0, limited_ms={"power": 0.0, "thermal": 250.0}, nvml=True),
        ),
        "the power brake pulled while the benchmark ran": (
            H200,
            H200_NVML,
            MATMUL,
            GpuConditions(
                0, seconds=4.0, limited_ms={"power": 0.0}, reasons_seen=("hw_power_brake_slowdown",), nvml=True
            ),
        ),
        "a look in between saw heat": (
            H200,
            H200_NVML,
            MATMUL,
            GpuConditions(0, seconds=4.0, reasons_seen=("sw_thermal_slowdown",), nvml=True),
        ),
    },
    quiet={
        "warm": (Gpu(0, "NVIDIA GeForce MX330", temperature_c=55, temperature_max_operating_c=57),),
        "as hot as it may get, and not slowed down": (
            Gpu(
                0, "NVIDIA A10", temperature_c=85, temperature_max_operating_c=85, clock_event_reasons=("sw_power_cap",)
            ),
        ),
        "an H200 at its power limit while the benchmark ran": (
            H200,
            H200_NVML,
            MATMUL,
            GpuConditions(0, seconds=4.0, limited_ms={"power": 3600.0, "thermal": 0.0}, nvml=True),
        ),
        "an H200 at its power cap under full load": (
            Gpu(
                0,
                "NVIDIA H200",
                utilization_percent=100,
                sm_clock_mhz=1430,
                sm_clock_max_mhz=1980,
                power_draw_w=698.0,
                power_limit_w=700.0,
                clock_event_reasons=("sw_power_cap",),
            ),
        ),
        "capped at rest, which some boards always say": (
            Gpu(0, "Tesla T4", power_draw_w=9.0, power_limit_w=70.0, clock_event_reasons=("sw_power_cap",)),
        ),
        "idle": (Gpu(0, utilization_percent=0, sm_clock_mhz=210, clock_event_reasons=("gpu_idle",)),),
        "idle after a hot run": (
            Gpu(0, utilization_percent=3, sm_clock_mhz=210, clock_event_reasons=("sw_thermal_slowdown",)),
        ),
        "a laptop on battery": (
            System(os="linux", container="", on_battery=True),
            Gpu(0, "NVIDIA GeForce RTX 4070 Laptop GPU", utilization_percent=100, sm_clock_mhz=210),
        ),
        "nothing told": (Gpu(0, "NVIDIA A10"),),
        "400 MHz at full load, of a most that is not told": (Gpu(0, utilization_percent=100, sm_clock_mhz=400),),
        "300 MHz": (Gpu(0, utilization_percent=100, sm_clock_mhz=300),),
        "a clock of 0": (Gpu(0, utilization_percent=100, sm_clock_mhz=0),),
        "a clock that is not told": (Gpu(0, utilization_percent=100),),
        "half busy at a low clock": (Gpu(0, utilization_percent=49, sm_clock_mhz=139),),
        "nine tenths busy at a low clock": (Gpu(0, utilization_percent=89, sm_clock_mhz=139),),
        "a quarter of its clock, neither hot nor capped": (
            Gpu(0, utilization_percent=100, sm_clock_mhz=495, sm_clock_max_mhz=1980),
        ),
        "a power cap at two thirds of its limit": (
            Gpu(
                0,
                utilization_percent=100,
                power_draw_w=260.0,
                power_limit_w=400.0,
                clock_event_reasons=("sw_power_cap",),
            ),
        ),
        "hot for a twenty-fifth of the benchmark": (
            H200,
            H200_NVML,
            MATMUL,
            GpuConditions(0, seconds=4.0, limited_ms={"power": 0.0, "thermal": 160.0}, nvml=True),
        ),
        "nobody watched the benchmark by NVML": (
            H200,
            H200_NVML,
            MATMUL,
            GpuConditions(0, seconds=4.0, limited_ms={"thermal": 800.0}),
        ),
    },
)
