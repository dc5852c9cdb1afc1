"""What `cudacheck bench kernels` measured: a table for each GPU with bars against the peak, then its axes judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from cudacheck.bench import kinds
from cudacheck.model.facts import Facts
from cudacheck.model.report import Axis, Health, Report
from cudacheck.probes.patient.bench_kernels import HostCopy, LaunchOverhead, PeerBandwidth
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.render import _columns
from cudacheck.render._clean import clean, hanging, wrapped
from cudacheck.render._columns import MOST_GPUS, Column
from cudacheck.speed import baseline, peaks, runs
from cudacheck.speed.baseline import Baseline, Comparison

SHORT = {"float16": "fp16", "bfloat16": "bf16", "float32": "fp32"}
MOST_REASONS = 5
MOST_AXES = 20
"""Of one GPU: there are seven, and a report may call many GPUs by one number."""
MOST_ROWS = 200
"""Of one GPU, and of pairs of them: no run of ours measures more."""
INDENT = 27
STYLES = {
    Health.HEALTHY: "green",
    Health.SLOW_PATH: "bold yellow",
    Health.DEGRADED: "bold yellow",
    Health.WRONG: "bold red",
    Health.INCONCLUSIVE: "blue",
}


def lines(report: Report, width: int) -> Iterator[Text]:
    measured = runs.of(report.facts)
    compared = _compared(report.facts)
    for run in measured[:MOST_GPUS]:
        yield Text()
        for part in wrapped(clean(run.label, 100), width - 2):
            yield Text.assemble("  ", (part, "bold"))
        yield from _table(run, compared, width)
        for label, text in (*_refusals(run), *_overheads(report.facts, run.device.index)):
            yield from _columns.labelled(clean(label, 11), text, width, indent=14)
        yield Text()
        yield from _axes(report, run.device.index, width)
    yield from _columns.more(len(measured) - MOST_GPUS, "GPUs")
    yield from _peers(report.facts)


def _compared(facts: Facts) -> dict[Measurement, Comparison] | None:
    """None where no baseline was given."""
    then = facts.all(Baseline)
    if not then:
        return None
    return {one.now: one for one in baseline.compare(facts.all(Measurement), then, facts.all(TorchDevice))}


def _table(run: runs.GpuRun, compared: dict[Measurement, Comparison] | None, width: int) -> Iterator[Text]:
    meters = width >= (100 if compared is None else 114)
    rows, call = [], None
    for row in by_call(run.rows)[:MOST_ROWS]:
        same_call = row.backend is not None and call == call_of(row)
        call = call_of(row)
        cells = [
            Text(name_of(row, indented=same_call)),
            time_of(row),
            Text(speed_of(row)),
            *_of_peaks(run, row, meters=meters),
        ]
        rows.append([*cells, _baseline(compared.get(row))] if compared is not None else cells)
    columns = (
        Column("kernel", max((len(cells[0]) for cells in rows), default=6), left=True),
        Column("time", 10, rank=2),
        Column("speed", 13),
        Column("of the peak" if meters else "peak", 15 if meters else 4, left=meters, rank=1),
        Column("clock", 13, rank=3),
        *([Column("baseline", 14, left=True, rank=4)] if compared is not None else []),
    )
    yield from _columns.head(columns, width)
    for cells in rows:
        yield _columns.line(columns, cells, width)
    yield from _columns.more(len(run.rows) - MOST_ROWS)


def by_call(rows: Sequence[Measurement]) -> list[Measurement]:
    """What was run, the backends of one call together, in the order of the calls."""
    order = {call: number for number, call in reversed([*enumerate(map(call_of, rows))])}
    return sorted((row for row in rows if not row.skipped), key=lambda row: order[call_of(row)])


def call_of(row: Measurement) -> tuple[str, str, str]:
    return row.case, row.dtype, row.shape


def name_of(row: Measurement, *, indented: bool) -> str:
    """Short: the report holds it in full."""
    if indented:
        return f"    by {clean(row.backend, 40)}"
    case = "" if row.case == kinds.MATMUL.name else f"{row.case} "
    dtype = f"{SHORT.get(row.dtype, row.dtype)} " if kinds.of(row.case).has_dtype else ""
    shape = "" if kinds.of(row.case) in kinds.NEW_LENGTHS else row.shape
    return clean(f"{case}{dtype}{shape}", 60)


def time_of(row: Measurement) -> Text:
    if row.error and not row.median_us:
        return Text("failed", "bold red")
    if kinds.of(row.case) in kinds.NEW_LENGTHS and row.first_call_ms is not None:
        return Text(f"{row.first_call_ms:.1f} ms")
    us = row.median_us or 0
    text = f"{us / 1e3:.2f} ms" if us >= 10_000 else f"{us:.0f} µs" if us >= 1000 else f"{us:.3g} µs"
    doubt = "" if row.converged or row.method == "wall" else " ?"
    return Text(text + doubt)


def speed_of(row: Measurement) -> str:
    if row.ok is False:
        return "WRONG"
    if kinds.of(row.case).limited_by == "memory":
        return f"{row.gb_per_s:.0f} GB/s" if row.gb_per_s else ""
    if row.tflops:
        return f"{row.tflops:.0f} TFLOP/s" if row.tflops >= 10 else f"{row.tflops:.1f} TFLOP/s"
    if row.median_us and kinds.of(row.case) in kinds.NEW_LENGTHS:
        return f"then {row.median_us / 1e3:.1f} ms"
    return ""


def _of_peaks(run: runs.GpuRun, row: Measurement, *, meters: bool) -> tuple[Text, Text]:
    """A bar against the datasheet; and the share of the peak at the clock that was measured, and the clock."""
    shares = peaks.shares(run, row)
    share, at_clock = shares.get("datasheet"), shares.get("clock")
    bar = Text()
    if share is not None:
        bar = Text.assemble((meter(share), "green"), f" {share:>4.0%}") if meters else Text(f"{share:.0%}")
    clock = f"{row.sm_clock_mhz:.0f} MHz" if row.sm_clock_mhz else ""
    return bar, Text(f"{at_clock:.0%} {clock}" if at_clock is not None else clock)


def meter(share: float, width: int = 10) -> str:
    """As long as the percentage beside it says, rounded as that is."""
    percent = round(100 * max(0.0, min(1.0, share)))
    full = (percent * width + 50) // 100
    return "▇" * full + "▁" * (width - full)


def _baseline(one: Comparison | None) -> Text:
    if one is None:
        return Text("")
    style = "bold yellow" if one.change is baseline.Change.SLOWER else ""
    return Text(f"{one.change} {one.ratio - 1:+.0%}", style)


def _refusals(run: runs.GpuRun) -> Iterator[tuple[str, str]]:
    """Why a case was not run; a backend's refusal once."""
    told = set()
    for row in run.rows:
        reason = (row.skipped or "").partition(" Query.sizes()")[0]
        left_out = ("left out", f"{runs.spoken(row)}: {reason}")
        line = (clean(row.backend or row.case), reason) if row.refused else left_out
        if reason and line not in told:
            told.add(line)
            yield line


def _overheads(facts: Facts, index: int) -> Iterator[tuple[str, str]]:
    for told in facts.all(LaunchOverhead):
        if told.device_index == index:
            parts = (
                (told.launch_us, "a kernel"),
                (told.graph_node_us, "a graph's node"),
                (told.event_pair_us, "an event pair"),
                (told.synchronize_us, "tensor.item()"),
            )
            yield kinds.LAUNCH.name, " · ".join(f"{us:.1f} µs {what}" for us, what in parts if us is not None)
    for copied in facts.all(HostCopy):
        if copied.device_index == index and copied.pageable_to_gpu_gb_per_s:
            speeds = (
                (copied.pinned_to_gpu_gb_per_s, "to the GPU from pinned memory"),
                (copied.pinned_from_gpu_gb_per_s, "back"),
                (copied.pageable_to_gpu_gb_per_s, "from pageable memory"),
            )
            link = f" · PCIe {copied.pcie_generation}.0 x{copied.pcie_width}" if copied.pcie_generation else ""
            yield "host", " · ".join(f"{gb:.1f} GB/s {what}" for gb, what in speeds if gb) + link


def _axes(report: Report, index: int, width: int) -> Iterator[Text]:
    judged = [axis for axis in report.speed if axis.device_index == index]
    for axis in judged[:MOST_AXES]:
        yield from _axis(axis, width)
    yield from _columns.more(len(judged) - MOST_AXES, "axes")


def _axis(axis: Axis, width: int) -> Iterator[Text]:
    health = (f"{axis.health:<13}", STYLES[axis.health])
    for n, reason in enumerate(axis.reasons[:MOST_REASONS]):
        name = "" if n else f"  {clean(axis.axis, 11):<12}{axis.health}"
        for number, (before, words) in enumerate(hanging(name, reason, width, INDENT)):
            if n or number:
                yield Text(before + words)
            else:
                yield Text.assemble((before[:14], "cyan"), health, before[27:], words)


def _peers(facts: Facts) -> Iterator[Text]:
    told: Sequence[PeerBandwidth] = facts.all(PeerBandwidth)
    if told:
        yield Text()
    for pair in told[:MOST_ROWS]:
        speed = f"{pair.gb_per_s:.0f} GB/s" if pair.gb_per_s else clean(pair.error or "not measured")
        way = {True: ", direct", False: ", through the host", None: ""}[pair.peer_access]
        wrong = ", WRONG DATA" if pair.ok is False else ""
        name = f"GPU {pair.source_index} → {pair.destination_index}"
        yield Text.assemble("  ", (f"{name:<12}", "cyan"), f"{speed}{way}{wrong}")
    yield from _columns.more(len(told) - MOST_ROWS, "pairs")
