"""How far a benchmark has come: a bar on stderr while that is a terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cudacheck.probes.target.bench_kernels import BenchPlan
from cudacheck.probes.target.benchmark import Measurement
from cudacheck.render._clean import clean
from cudacheck.speed.runs import spoken


class KernelProgress:
    """Told each fact as it comes; what is measured again in the end makes the bar longer."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        columns = (BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
        self.progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self.task = self.progress.add_task("starting", total=None)
        self.planned = 0
        self.shown = 0.0

    def show(self, children: Sequence[tuple[str, str, float]]) -> None:
        """Until the cases begin: what each child is doing."""
        if not self.planned and time.monotonic() - self.shown > 0.1:
            self.shown = time.monotonic()
            text = ", ".join(f"{probe.replace('_', ' ')} ({child})" for child, probe, _ in children)
            self.progress.update(self.task, description=text)

    def heard(self, fact: Any) -> None:
        if isinstance(fact, BenchPlan):
            self.planned += fact.cases
            self.progress.update(self.task, total=self.planned)
        elif isinstance(fact, Measurement):
            description = f"GPU {fact.device_index}: {clean(spoken(fact), 48)}"
            self.progress.update(self.task, advance=1, description=description, refresh=True)

    def __enter__(self) -> KernelProgress:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()
