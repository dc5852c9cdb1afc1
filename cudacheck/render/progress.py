"""How far a benchmark has come: a bar on stderr while that is a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cudacheck.probes.patient import bench_steps
from cudacheck.probes.patient.bench_kernels import BenchPlan
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.render._clean import clean, passing
from cudacheck.speed.runs import spoken
from cudacheck.speed.steps.groups import Group, Plan

STEP_FACTS = {
    bench_steps.StepRow: "row",
    bench_steps.RowLaunches: "launches of",
    bench_steps.NewLengthStalls: "new lengths,",
    bench_steps.ColdStart: "cold start,",
    bench_steps.DecodeCeiling: "ceiling",
    bench_steps.PrefixReuse: "prefix reuse",
    bench_steps.Concurrency: "concurrency,",
}


class Bar:
    """Told each fact as it comes; `read` knows what it means to a bar."""

    def __init__(self, read: Callable[[Bar, Any], None]) -> None:
        console = Console(stderr=True)
        self.room = max(10, min(60, console.width - 48))
        described = TextColumn("{task.description}", markup=False)  # a name in square brackets is no style
        columns = (BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn(), described)
        off = sys.stderr is None or not sys.stderr.isatty()
        self.progress = Progress(*columns, console=console, transient=True, disable=off)
        self.task = self.progress.add_task("starting", total=None)
        self.read = read
        self.planned = 0
        self.shown = 0.0

    def show(self, children: Sequence[tuple[str, str, float]]) -> None:
        """Until it is known how much is planned: what each child is doing."""
        if not self.planned and time.monotonic() - self.shown > 0.1:
            self.shown = time.monotonic()
            self.say(", ".join(f"{probe.replace('_', ' ')} ({child})" for child, probe, _ in children))

    def heard(self, fact: Any) -> None:
        self.read(self, fact)

    def expect(self, more: int) -> None:
        """What is measured again in the end makes the bar longer."""
        self.planned += more
        self.progress.update(self.task, total=self.planned)

    def say(self, text: str) -> None:
        self.progress.update(self.task, description=self._spoken(text))

    def tick(self, text: str) -> None:
        self.progress.update(self.task, advance=1, description=self._spoken(text), refresh=True)

    def _spoken(self, text: str) -> str:
        return passing(clean(text, self.room), self.progress.console.encoding)

    def __enter__(self) -> Bar:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()


def kernels(bar: Bar, fact: Any) -> None:
    """Of `cudacheck bench kernels`: a tick for each case."""
    if isinstance(fact, BenchPlan):
        bar.expect(fact.cases)
    elif isinstance(fact, Measurement):
        bar.tick(f"GPU {fact.device_index}: {spoken(fact)}")


def steps(bar: Bar, fact: Any) -> None:
    """Of `cudacheck bench steps`: a tick for each row, and for what is measured beside them."""
    if isinstance(fact, Plan):
        bar.expect(fact.facts)
    elif isinstance(fact, Group):
        bar.say(f"starting the group {fact.name!r}")
    elif type(fact) in STEP_FACTS:
        about = next((getattr(fact, name) for name in ("row", "setting", "mode") if hasattr(fact, name)), "")
        without = "without " if getattr(fact, "table", "") == "without" else ""
        bar.tick(f"{STEP_FACTS[type(fact)]} {without}{about}")
