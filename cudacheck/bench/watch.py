"""Whether a GPU is ours alone and what holds its clock back, over the time of its cases."""

from __future__ import annotations

import time
from typing import Any

import torch

from cudacheck.bench.contention import Spins, spins
from cudacheck.bench.nvml import Counters


class Watch:
    """Looks at one GPU before, between and after its cases."""

    def __init__(self, device: torch.device, counters: Counters) -> None:
        self.device = device
        self.counters = counters
        self.reasons: dict[str, None] = {}
        self.spins: list[Spins] = []
        self.look_closely()
        self.started = time.perf_counter()
        self.before = counters.limited_ns(), counters.energy_mj()

    def look(self) -> None:
        """0.1 ms, after each case."""
        self.reasons.update(dict.fromkeys(self.counters.reasons() or ()))

    def look_closely(self) -> None:
        """Some 70 ms of spins, in which no case may be timed."""
        self.spins += filter(None, [spins(self.device)])

    def told(self) -> dict[str, Any]:
        """The fields of a GpuConditions."""
        self.look_closely()
        told: dict[str, Any] = {"seconds": time.perf_counter() - self.started, "nvml": self.counters.found}
        limited, energy = self.counters.limited_ns(), self.counters.energy_mj()
        limited_before, energy_before = self.before
        if limited and limited_before:
            told["limited_ms"] = {name: (ns - limited_before.get(name, ns)) / 1e6 for name, ns in limited.items()}
        if energy is not None and energy_before is not None:
            told["energy_j"] = (energy - energy_before) / 1e3
        if self.counters.found:
            told["reasons_seen"] = tuple(self.reasons)
            told["temperature_c"] = self.counters.temperature_c()
        return {**told, **self._spread()}

    def _spread(self) -> dict[str, float]:
        """Of the burst of spins that was spread most; the queueing of the one that was queued the quickest."""
        if not self.spins:
            return {}
        worst = max(self.spins, key=lambda burst: burst.p95_us / burst.median_us)
        return {
            "spin_median_us": worst.median_us,
            "spin_p95_us": worst.p95_us,
            "spin_mad_rel": max(burst.mad_rel for burst in self.spins),
            "queue_us": min(burst.queue_us for burst in self.spins),
        }
