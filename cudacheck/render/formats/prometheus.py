"""The report as metrics in Prometheus' text format, for the textfile collector of its node exporter."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from cudacheck.model.report import Fulfilment, Report, State
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.render import Format, Shown
from cudacheck.render._clean import clean

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

GPU_FIGURES = (
    ("memory_bytes", "memory of the GPU", "memory_total_bytes", 1.0),
    ("memory_used_bytes", "memory that is in use", "memory_used_bytes", 1.0),
    ("temperature_celsius", "temperature of the GPU", "temperature_c", 1.0),
    ("power_watts", "power that it draws", "power_draw_w", 1.0),
    ("power_limit_watts", "power that it may draw", "power_limit_w", 1.0),
    ("utilization_ratio", "share of the time in which a kernel ran, before the benchmark", "utilization_percent", 0.01),
    ("sm_clock_hertz", "clock of its multiprocessors", "sm_clock_mhz", 1e6),
)
"""Name, help, the field of a GPU, and what makes base units of it."""


class _Told:
    """What prometheus-client collects."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def collect(self) -> Iterator[GaugeMetricFamily]:
        report = self.report
        yield _gauge(
            "state",
            "1 for the state that the verdict has.",
            ("state",),
            (((state.value,), float(state is report.verdict.state)) for state in State),
        )
        yield _gauge(
            "finding",
            "1 for each finding.",
            ("rule", "severity", "fix_by"),
            (((f.rule, str(f.severity), str(f.fix_by or "")), 1.0) for f in report.findings),
        )
        yield _gauge(
            "requirement_fulfilled",
            "1 where it is fulfilled, 0 where it is not.",
            ("spec", "state"),
            (((one.spec, one.state.value), float(one.state is Fulfilment.FULFILLED)) for one in report.requirements),
        )
        yield _gauge("unchecked_rules", "rules that nobody could check.", (), [((), float(len(report.unchecked)))])
        yield from _of_gpus(report)
        yield from _of_speed(report)
        yield from _of_time(report)


def render(report: Report, _: Shown) -> str:
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(_Told(report))
    return generate_latest(registry).decode("utf-8")


def _of_gpus(report: Report) -> Iterator[GaugeMetricFamily]:
    gpus = report.facts.all(Gpu)
    labels = ("gpu", "uuid", "name")
    for name, told, field, factor in GPU_FIGURES:
        rows = [((str(g.index), g.uuid or "", g.name or ""), getattr(g, field)) for g in gpus]
        yield _gauge(f"gpu_{name}", told, labels, [(who, value * factor) for who, value in rows if value is not None])


def _of_speed(report: Report) -> Iterator[GaugeMetricFamily]:
    rows = [row for row in report.facts.all(Measurement) if row.ok is not False and row.attempt == 1]
    labels = ("gpu", "case", "dtype", "shape", "backend")

    def of(field: str, factor: float) -> list[tuple[tuple[str, ...], float]]:
        told = [((str(r.device_index), r.case, r.dtype, r.shape, r.backend or ""), getattr(r, field)) for r in rows]
        return [(who, value * factor) for who, value in told if value is not None]

    yield _gauge("benchmark_flops", "floating-point operations in a second.", labels, of("tflops", 1e12))
    yield _gauge("benchmark_bytes_per_second", "bytes in a second.", labels, of("gb_per_s", 1e9))
    yield _gauge("benchmark_duration_seconds", "median of one call.", labels, of("median_us", 1e-6))
    yield _gauge(
        "speed_ratio",
        "what was measured, over a peak.",
        ("gpu", "axis", "of"),
        (
            ((str(axis.device_index), axis.axis, of_what), share)
            for axis in report.speed
            for of_what, share in axis.shares.items()
        ),
    )
    yield _gauge(
        "speed_health",
        "1 for the health that an axis of speed has.",
        ("gpu", "axis", "health"),
        (((str(axis.device_index), axis.axis, axis.health.value), 1.0) for axis in report.speed),
    )


def _of_time(report: Report) -> Iterator[GaugeMetricFamily]:
    stamps = (
        ("run_timestamp_seconds", "when the machine was inspected.", report.created),
        (
            "knowledge_timestamp_seconds",
            "when the tables were compared with their sources.",
            report.knowledge_date,
        ),
    )
    for name, told, text in stamps:
        yield _gauge(name, told, (), [((), at)] if (at := _seconds(text)) is not None else [])
    lasted = [] if report.seconds is None else [((), report.seconds)]
    yield _gauge("run_duration_seconds", "how long the inspection took.", (), lasted)


def _seconds(text: str) -> float | None:
    try:
        when = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return (when if when.tzinfo else when.replace(tzinfo=datetime.UTC)).timestamp()


def _gauge(
    name: str, told: str, labels: tuple[str, ...], rows: Iterable[tuple[tuple[str, ...], float]]
) -> GaugeMetricFamily:
    """The same labels are told once: the last one counts."""
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(f"cudacheck_{name}", told, labels=labels)
    for values, value in {tuple(clean(one, 200) for one in values): value for values, value in rows}.items():
        family.add_metric(values, value)
    return family


FORMAT = Format(
    render=render,
    endings=(".prom",),
    media_type="text/plain; version=0.0.4",
    renamed=True,
    needs=("prometheus_client", "prometheus"),
)
