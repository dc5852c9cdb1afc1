"""The clock and the power of one GPU while it is measured, looked at by a thread of its own.

A look takes about 0.1 ms of a core, most of it inside the driver, where Python's lock is not held.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from cudacheck.bench.nvml import Counters

EVERY_S = 0.05
MOST = 120
"""Looks that are kept: of more every second one goes, and from then on there are half as many."""


class Trace:
    """Looks at a GPU from the beginning to the end of a `with` block; at none that NVML does not know."""

    def __init__(self, counters: Counters, every_s: float = EVERY_S) -> None:
        self.counters = counters
        self.every_s = every_s
        self.seen: list[tuple[float, int, float | None, str]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Trace:
        if self.counters.found:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self.counters.found:
            self._thread.join(1.0)  # a driver that does not answer is not waited for

    def _run(self) -> None:
        started = time.perf_counter()
        while not self._over.is_set():
            self.look(time.perf_counter() - started)
            self._over.wait(self.every_s)

    def look(self, at_s: float) -> None:
        clock = self.counters.sm_clock_mhz()
        if clock is None:
            return
        self.seen.append((round(at_s, 3), clock, self.counters.power_w(), " ".join(self.counters.reasons() or ())))
        if len(self.seen) > MOST:
            self.seen = self.seen[::2]
            self.every_s *= 2

    def told(self) -> dict[str, Any] | None:
        """The fields of a ClockTrace; None where there was nothing to see."""
        seen = [*self.seen]
        if not seen:
            return None
        at_s, clocks, watts, reasons = zip(*seen)
        power = () if None in watts else watts
        return {"at_s": at_s, "sm_clock_mhz": clocks, "power_w": power, "reasons": reasons}
