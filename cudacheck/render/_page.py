"""What the page shows beside the outline: bars, a trace of the clock, the ladder, tables of facts; values, no HTML."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cudacheck.model.facts import Facts
from cudacheck.model.report import Report
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.render import _kernels
from cudacheck.render._clean import clean
from cudacheck.render._columns import MOST_GPUS
from cudacheck.render._kernels import MOST_ROWS
from cudacheck.render.steps import _rows
from cudacheck.render.steps._rows import Named, sensible, spoken, whole
from cudacheck.speed import peaks, runs, traces
from cudacheck.speed.runs import GpuRun
from cudacheck.speed.steps import measured
from cudacheck.speed.steps.measured import StepRun
from cudacheck.speed.traces import Look

MOST_OF_A_TYPE = 100
"""Facts in a table: the report at the page's end has them all."""
LONGEST_CELL = 300
MOST_BARS = 8
"""Of one GPU, before the others are folded."""
TRACE = (600, 100)
"""Width and height of one line of a trace, in units of its own."""


@dataclass(frozen=True)
class KernelBar:
    """One line of a chart, which says in words what it draws."""

    name: str
    value: str
    about: str = ""
    share: float | None = None
    """Of the peak, 0 to 1; None where nobody knows one: then nothing is drawn."""
    trouble: bool = False


@dataclass(frozen=True)
class TraceLine:
    """One quantity over time, drawn from 0 to its upper edge."""

    points: str
    """Of an SVG polyline."""
    name: str
    about: str
    """What its edges and its course are, in words."""


@dataclass(frozen=True)
class TraceChart:
    """What the GPU did while it was measured; where NVML was not looked at, the clock beside each case."""

    lines: tuple[TraceLine, ...]
    held: tuple[tuple[float, float], ...]
    """Where something held the clock back: beginning and width."""
    about: str
    lasted: str = ""
    """From the left edge to the right."""


@dataclass(frozen=True)
class Speed:
    """One GPU's measurements."""

    title: str
    bars: tuple[KernelBar, ...]
    trace: TraceChart | None
    power: str
    more: int


@dataclass(frozen=True)
class LadderRow:
    name: str
    trouble: str
    tokens_per_s: str
    gain: str
    of_floor: float | None
    first_token_new: str
    first_token: str


@dataclass(frozen=True)
class Ladder:
    title: str
    tables: tuple[tuple[str, tuple[LadderRow, ...]], ...]


@dataclass(frozen=True)
class FactTable:
    name: str
    fields: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: int
    whole: bool
    """Whether there are no others."""


def speeds(facts: Facts) -> list[Speed]:
    return [_speed(run) for run in runs.of(facts)[:MOST_GPUS]]


def _speed(run: GpuRun) -> Speed:
    rows = _kernels.by_call(run.rows)
    bars = tuple(_bar(run, row) for row in rows[:MOST_ROWS])
    return Speed(run.label, bars, _trace(run), " · ".join(_power(run)), max(0, len(rows) - MOST_ROWS))


def _bar(run: GpuRun, row: Measurement) -> KernelBar:
    shares = peaks.shares(run, row)
    of_peak, at_clock = shares.get("datasheet"), shares.get("clock")
    parts = (
        _kernels.time_of(row).plain,
        f"± {row.ci95_rel:.1%}" if row.ci95_rel is not None else "",
        f"{of_peak:.0%} of the datasheet's peak" if of_peak is not None else "",
        f"{at_clock:.0%} of what its clock allows" if at_clock is not None else "",
        f"at {row.sm_clock_mhz:.0f} MHz" if row.sm_clock_mhz else "",
    )
    by = f" by {row.backend}" if row.backend else ""
    named = _kernels.name_of(row, indented=False)
    name = f"{row.case} {named}" if row.case == "matmul" else named
    trouble = row.ok is False or bool(row.error)
    value = _kernels.speed_of(row) or ("failed" if row.error else "")
    return KernelBar(name + by, value, " · ".join(filter(None, parts)), of_peak, trouble)


def _trace(run: GpuRun) -> TraceChart | None:
    """None where fewer than three clocks were seen: two points are no course."""
    known = sensible(run.gpu.sm_clock_max_mhz) if run.gpu else None
    if seen := traces.looks(run):
        times = [look.at_s for look in seen]
        lines = [_line("SM clock", "MHz", times, [look.mhz for look in seen], known, "its highest")]
        watts = [look.watts for look in seen if look.watts is not None]
        if len(watts) == len(seen):
            limit = sensible(run.gpu.power_limit_w) if run.gpu else None
            lines.append(_line("power", "W", times, watts, limit, "its limit"))
        about = f"looked at {len(seen)} times while it was measured: {traces.told(seen)}"
        return TraceChart(tuple(lines), _held(seen), about, f"{times[-1] - times[0]:.1f} s")
    clocks = [mhz for row in run.rows if (mhz := sensible(row.sm_clock_mhz))]
    if len(clocks) < traces.LEAST_LOOKS:
        return None
    line = _line("SM clock", "MHz", [*map(float, range(len(clocks)))], clocks, known, "its highest")
    return TraceChart((line,), (), f"the clock beside each of {len(clocks)} cases, in the order in which they ran")


def _line(
    name: str, unit: str, times: Sequence[float], values: list[float], edge: float | None, edge_is: str
) -> TraceLine:
    """Its upper edge is the one that is known, where nothing that was seen is above it."""
    top, (width, height) = max([*values, edge or 0.0]) or 1.0, TRACE
    lasted = times[-1] - times[0] or 1.0
    across = ((at - times[0]) / lasted * width for at in times)
    places = ((x, height * (1 - value / top)) for x, value in zip(across, values, strict=True))
    about = f"{traces.span(values)} {unit}; upper edge {top:.0f}{f', {edge_is}' if top == edge else ''}"
    return TraceLine(" ".join(f"{x:.1f},{y:.1f}" for x, y in places), name, about)


def _held(seen: Sequence[Look]) -> tuple[tuple[float, float], ...]:
    """From the look that saw it to the next that did not; a GPU at its power limit is as it should be."""
    lasted = seen[-1].at_s - seen[0].at_s or 1.0
    places = [(look.at_s - seen[0].at_s) / lasted * TRACE[0] for look in seen]
    stretches: list[tuple[float, float]] = []
    for look, begin, end in zip(seen, places, [*places[1:], TRACE[0]], strict=True):
        if look.held not in {"", traces.AT_THE_LIMIT}:
            last, width = stretches[-1] if stretches else (-1.0, 0.0)
            stretches[-1:] = [(last, end - last)] if last + width == begin else [*stretches[-1:], (begin, end - begin)]
    return tuple(stretches)


def _power(run: GpuRun) -> Iterator[str]:
    """On average over the cases, and what held the clock back meanwhile."""
    for seen in run.conditions[:2]:
        if seen.energy_j and seen.seconds:
            limit = f" of {run.gpu.power_limit_w:.0f}" if run.gpu and run.gpu.power_limit_w else ""
            yield f"{seen.energy_j / seen.seconds:.0f}{limit} W on average"
        for policy, ms in (seen.limited_ms or {}).items():
            if seen.seconds and ms >= 5 * seen.seconds:  # half a percent
                yield f"{policy} held the clock back for {min(1.0, ms / 1e3 / seen.seconds):.0%} of the time"
        if seen.temperature_c:
            yield f"{seen.temperature_c} °C at the end"


def ladders(facts: Facts) -> list[Ladder]:
    return [ladder for run in measured.of(facts)[:MOST_GPUS] if (ladder := _ladder(run)).tables]


def _ladder(run: StepRun) -> Ladder:
    tables = (
        ("each row adds to the one above", _rows.ladder(run)),
        ("the last row less one step; the gain is what that step brings", _rows.without(run)),
        ("beside plain PyTorch", _rows.extras(run)),
        ("your stack: transformers", _rows.stack(run)),
    )
    shown = tuple((title, tuple(map(_rung, rows))) for title, rows in tables if rows)
    return Ladder(run.gpu.label, shown)


def _rung(named: Named) -> LadderRow:
    rung = named.rung
    decode, first = rung.gains.get("decode"), rung.gains.get("ttft_new")
    times = [
        f"{spoken(gain.times)}× {what}"
        for gain, what in ((decode, "decode"), (first, "first token"))
        if gain and gain.pays and sensible(gain.times)
    ]
    return LadderRow(
        named.name,
        named.trouble,
        whole(rung.tokens_per_s),
        ", ".join(times),
        min(1.0, share) if (share := sensible(rung.of_floor)) else None,
        spoken(rung.row.ttft_new_ms),
        spoken(rung.row.ttft_ms),
    )


def fact_tables(report: Report) -> list[FactTable]:
    """Every type of fact that there is, or that is known to be none."""
    return [_table(report.facts, kind) for kind in report.facts.types() if dataclasses.is_dataclass(kind)]


def _table(facts: Facts, kind: type[Any]) -> FactTable:
    found: Sequence[Any] = facts.all(kind)
    shown = found[:MOST_OF_A_TYPE]
    fields = [
        field.name
        for field in dataclasses.fields(kind)
        if any(getattr(fact, field.name) not in (None, "", (), {}) for fact in shown)
    ]
    rows = tuple(tuple(_cell(getattr(fact, name)) for name in fields) for fact in shown)
    return FactTable(kind.__name__, tuple(fields), rows, len(found) - len(shown), facts.is_complete(kind))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        value = " · ".join(f"{key}={item}" for key, item in value.items())
    elif isinstance(value, tuple):
        value = " ".join(map(str, value))
    return clean(value, LONGEST_CELL)
