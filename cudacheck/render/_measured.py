"""What was measured in depth, as lines: the tables of `bench kernels` and of `bench steps`, whichever was run."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from cudacheck.model.report import Report
from cudacheck.probes.patient.bench_kernels import BenchPlan
from cudacheck.render import _kernels
from cudacheck.speed.steps import measured


def advice(report: Report, width: int) -> Iterator[Text]:
    """Which steps to take here."""
    return _steps("advice", report, width)


def lines(report: Report, width: int) -> Iterator[Text]:
    if report.facts.one(BenchPlan):
        yield from _kernels.lines(report, width)
    yield from _steps("lines", report, width)


def _steps(part: str, report: Report, width: int) -> Iterator[Text]:
    """Imported where there is something to show: a doctor without it starts 0.03 s sooner."""
    if any(report.facts.all(kind) for kind in measured.MEASURED):
        from cudacheck.render.steps import tables

        yield from getattr(tables, part)(report.facts, width)
