"""What a GPU's clock and power did while it was measured: looks of NVML's, which a report may hold damaged."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from cudacheck.speed.runs import GpuRun

AT_THE_LIMIT = "at its power limit"
HELD_BACK = {
    "sw_thermal_slowdown": "held back by heat",
    "hw_thermal_slowdown": "held back by heat",
    "hw_power_brake_slowdown": "held back by the power brake",
    "hw_slowdown": "held back by the hardware",
    "sw_power_cap": AT_THE_LIMIT,
}
"""In words, what matters more first; `hw_slowdown` comes with each of the finer ones."""
LEAST_LOOKS = 3
"""Two points are no course."""


@dataclass(frozen=True)
class Look:
    at_s: float
    mhz: float
    watts: float | None
    held: str
    """What held the clock back, in words; empty where nothing did."""


def looks(run: GpuRun) -> list[Look]:
    """In order of time; none where the trace is too short to be one."""
    trace = run.trace
    if trace is None:
        return []
    many = len(trace.at_s)
    watts = trace.power_w if len(trace.power_w) == many else (None,) * many
    reasons = trace.reasons if len(trace.reasons) == many else ("",) * many
    seen = [
        Look(at_s, mhz, power, _held(why))
        for at_s, mhz, power, why in zip(trace.at_s, trace.sm_clock_mhz, watts, reasons, strict=False)
        if mhz > 0 and at_s >= 0 and all(map(math.isfinite, (at_s, mhz, power or 0.0)))
    ]
    return sorted(seen, key=lambda look: look.at_s) if len(seen) >= LEAST_LOOKS else []


def _held(reasons: str) -> str:
    said = reasons.split()
    return next((words for reason, words in HELD_BACK.items() if reason in said), "")


def held(seen: list[Look]) -> list[tuple[str, float]]:
    """What held the clock back, and in which share of the looks."""
    counted = Counter(look.held for look in seen if look.held)
    return [(words, count / len(seen)) for words, count in counted.most_common()]


def is_odd(seen: list[Look]) -> bool:
    """Whether anything but its power limit, where a busy GPU is by design, held a GPU back in two looks or more."""
    return sum(look.held not in {"", AT_THE_LIMIT} for look in seen) > 1


def told(seen: list[Look]) -> str:
    """One line: `1410 to 1980 MHz and up to 698 W in 11.2 s, of 110 looks at its power limit in 34%`."""
    clocks, watts = [look.mhz for look in seen], [look.watts for look in seen if look.watts]
    power = f" and up to {max(watts):.0f} W" if watts else ""
    why = ", ".join(f"{words} in {share:.0%}" for words, share in held(seen))
    return f"{span(clocks)} MHz{power} in {seen[-1].at_s:.1f} s" + (f"; of {len(seen)} looks {why}" if why else "")


def span(values: list[float]) -> str:
    """`1410 to 1980`, or `1980` where it never moved."""
    lowest, highest = f"{min(values):.0f}", f"{max(values):.0f}"
    return highest if lowest == highest else f"{lowest} to {highest}"
