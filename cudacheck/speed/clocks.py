"""What held the clock back? A GPU at its power limit is healthy; one that is too hot is not."""

from __future__ import annotations

from collections.abc import Sequence

from cudacheck.model.report import Axis, Health
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.speed import evidence
from cudacheck.speed.runs import GpuRun, disturbed_by, excuse

HELD_BACK_SHARE = 0.05
"""Of the time that was watched."""
LOW_OF_DATASHEET = 0.60
LOW_CLOCK = 0.6
"""Of the highest; small boards under load go lower, and NVML names their power limit then."""


def axis(run: GpuRun, _: Sequence[GpuRun] = ()) -> Axis | None:
    if not any(seen.nvml for seen in run.conditions):
        return None
    limits = {name: _limited(run, name) for name in ("power", "board limit", "reliability")}
    told = [f"{name}: {share:.0%} of the time" for name, share in limits.items() if share >= 0.005]
    if disturbed := disturbed_by(run):
        return evidence.axis(run, "clocks", Health.INCONCLUSIVE, disturbed, *told)
    if heat := _held_back(run):
        unsure = excuse(run)
        return evidence.axis(run, "clocks", Health.INCONCLUSIVE if unsure else Health.DEGRADED, unsure, heat)
    return evidence.axis(run, "clocks", Health.HEALTHY, *(told or ["nothing held the clock back"]))


def of_a_low_share(run: GpuRun, row: Measurement, shares: dict[str, float]) -> tuple[Health, str]:
    """A matmul that is good at the clock that it had: then a low share of the datasheet is the clock's doing."""
    if shares.get("datasheet", 1.0) >= LOW_OF_DATASHEET:
        return Health.HEALTHY, ""
    gpu, clock = run.gpu, row.sm_clock_mhz or 0.0
    ran = f"it ran at {clock:.0f} MHz"
    if heat := _held_back(run):
        return Health.DEGRADED, f"{ran}: {heat}"
    if gpu and gpu.power_limit_w and gpu.power_default_w and gpu.power_limit_w < gpu.power_default_w:
        return Health.HEALTHY, f"{ran}: its power limit is set to {gpu.power_limit_w:g} of {gpu.power_default_w:g} W"
    if _limited(run, "power") >= HELD_BACK_SHARE:
        return Health.HEALTHY, f"{ran}: its power limit holds it there, as designed"
    highest = gpu.sm_clock_max_mhz if gpu else None
    if highest and clock < LOW_CLOCK * highest and run.conditions and not excuse(run):
        return Health.DEGRADED, f"{ran} of {highest}, and NVML names nothing that holds it there"
    return Health.HEALTHY, ran


def _held_back(run: GpuRun) -> str:
    """Heat, or a supply that gives way; empty where neither did."""
    seen = {reason for conditions in run.conditions for reason in conditions.reasons_seen or ()}
    if (share := _limited(run, "thermal")) >= HELD_BACK_SHARE:
        return f"heat held it back for {share:.0%} of the time"
    if "hw_power_brake_slowdown" in seen:
        return "the power brake of the supply held it back"
    return "heat held it back" if seen & {"hw_thermal_slowdown", "sw_thermal_slowdown"} else ""


def _limited(run: GpuRun, policy: str) -> float:
    """The share of the time for which this policy held the clock back."""
    timed = [seen for seen in run.conditions if seen.limited_ms and seen.seconds]
    seconds = sum(seen.seconds or 0 for seen in timed)
    return sum((seen.limited_ms or {}).get(policy, 0) for seen in timed) / 1e3 / seconds if seconds else 0.0
