"""The ladder of `cudacheck bench steps`, what the best row loses without a step, extras and your stack: one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from cudacheck.render import _columns
from cudacheck.render._clean import packed
from cudacheck.render._columns import Column
from cudacheck.render._kernels import meter
from cudacheck.render.steps import _rows
from cudacheck.render.steps._rows import Named, sensible, spoken, whole
from cudacheck.speed.steps.ladder import Rung
from cudacheck.speed.steps.measured import LAST, Gain, StepRun

STYLES = {"faster": "green", "slower": "yellow", "same": "dim"}

BAR, LONGEST_BAR = 5, 12


@dataclass(frozen=True)
class Field:
    """One column, and what it shows of a row."""

    column: Column
    cell: Callable[[Rung], Text]


def lines(run: StepRun, width: int) -> Iterator[Text]:
    tables = [table for table in _tables(run) if table[2]]
    name = Column("", max((len(named.name) for _, _, rows, _ in tables for named in rows), default=0), left=True)
    columns, fields = _fitting(name, width)
    for number, (title, about, rows, left) in enumerate(tables):
        yield from _columns.title(title, about, width)
        if number == 0:
            yield from _columns.head(columns, width)
        for named in rows:
            yield from _row(columns, fields, named, width)
        yield from _columns.more(left)
    if tables:
        yield from _definitions(run, width)


def _tables(run: StepRun) -> Iterator[tuple[str, str, list[Named], int]]:
    """Each with what its gains compare, and how many of its rows are not shown."""
    ladder, without = _rows.ladder(run), _rows.without(run)
    extras, stack = _rows.extras(run), _rows.stack(run)
    over = "; gain: over that one" if any(named.rung.over for named in ladder) else ""
    best = run.best is not None
    yield "ladder", f"each row adds to the one above{over}", ladder, 0
    yield "without", _about_without(run, without), without, _left(run, "without", without)
    over = "; gain: over the ladder's best" if best else ""
    yield "extras", f"beside plain PyTorch{over}", extras, _left(run, "extra", extras)
    over = "; gain: of the ladder's best over it" if best else ""
    yield "your stack", f"transformers{over}", stack, _left(run, "stack", stack)


def _left(run: StepRun, table: str, shown: Sequence[Named]) -> int:
    return len(run.of_table(table)) - len(shown)


def _about_without(run: StepRun, rows: Sequence[Named]) -> str:
    """`--rows` may leave out the row that these are compared with."""
    if any(named.rung.over for named in rows):
        return "the last row less one step; gain: what that step brings"
    why = "does not work" if ("ladder", LAST) in run.rows else "was not measured"
    return f"all steps less one; the row of all of them {why}, so no gain"


def _fitting(name: Column, width: int) -> tuple[list[Column], list[Field]]:
    """The bar takes the room that the other columns leave."""
    least = [name, *(field.column for field in _fields(BAR))]
    kept = {(column.group, column.heading) for column in _columns.fitting(least, width)}
    spare = width - _columns.total([column for column in least if (column.group, column.heading) in kept])
    bar = max(BAR, min(LONGEST_BAR, BAR + spare))
    fields = [field for field in _fields(bar) if (field.column.group, field.column.heading) in kept]
    return [name, *(field.column for field in fields)], fields


def _fields(bar: int) -> list[Field]:
    return [
        Field(Column("tokens/s", 8, "decode"), lambda rung: _whole(rung.tokens_per_s)),
        Field(Column("±", 4, "decode", rank=11), lambda rung: _percent(rung.row.itl_spread_rel, 0.5)),
        Field(Column("new", 5, "decode", rank=10), lambda rung: _whole(rung.tokens_per_s_first)),
        Field(Column("gain", 4, "decode", rank=2), lambda rung: _gain(rung.gains.get("decode"))),
        Field(Column("of floor", bar + 5, "decode", left=True, rank=4), lambda rung: _of_floor(rung, bar)),
        Field(Column("GEMVs", 5, "decode", rank=8), lambda rung: _percent(rung.of_gemv)),
        Field(Column("first", 5, "TTFT, ms", rank=9), lambda rung: _number(rung.row.ttft_first_ms)),
        Field(Column("new", 5, "TTFT, ms", rank=1), lambda rung: _number(rung.row.ttft_new_ms)),
        Field(Column("gain", 4, "TTFT, ms", rank=3), lambda rung: _gain(rung.gains.get("ttft_new"))),
        Field(Column("steady", 6, "TTFT, ms", rank=5), lambda rung: _number(rung.row.ttft_ms)),
        Field(Column("1024", 4, "TTFT, ms", rank=6), lambda rung: _number(rung.row.ttft_long_ms)),
        Field(Column("kernels", 7, rank=7), lambda rung: _whole(rung.launches)),
        Field(Column("GB", 4, rank=12), _gigabytes),
    ]


def _row(columns: Sequence[Column], fields: Sequence[Field], named: Named, width: int) -> Iterator[Text]:
    name = Text(named.name, "cyan")
    if named.trouble:
        style = "dim" if named.row.skipped else "bold red"
        yield from _columns.instead(columns, name, named.trouble, style, width)
    else:
        yield _columns.line(columns, [name, *(field.cell(named.rung) for field in fields)], width)


def _definitions(run: StepRun, width: int) -> Iterator[Text]:
    """What the headings mean, with what was measured of the floor; and what is paid once."""
    halves = [named.rung for named in _rows.ladder(run) if named.row.dtype != "float32"]
    floor_ms = next((rung.floor_ms for rung in halves if sensible(rung.floor_ms)), None)
    gemv_ms = next((rung.gemv_ms for rung in halves if sensible(rung.gemv_ms)), None)
    said = (
        "TTFT: time to first token, prompt of 128",
        "new: lengths that the process has not met",
        "ITL: 1 ÷ tokens/s, the host reads each",
        "floor: bytes ÷ measured read bandwidth" + (f" = {spoken(floor_ms, 'ms')} a token" if floor_ms else ""),
        f"GEMVs, its matrix-vector products alone: {spoken(gemv_ms, 'ms')}" if gemv_ms else "",
    )
    for line in (*packed(said, width - 2), *packed(_paid_once(run), width - 2)):
        yield Text(f"  {line}", "dim")


def _paid_once(run: StepRun) -> Iterator[str]:
    """Capturing, of the ladder's last row that does so; what else compiles, each by its name."""
    rows = [named for named in _rows.ladder(run) if named.rung.usable]
    captured = next((named.row for named in reversed(rows) if sensible(named.row.capture_s)), None)
    if captured:
        yield f"capturing CUDA graphs: {spoken(captured.capture_s, 's')}"
    for named in (*_rows.extras(run), *_rows.stack(run)):
        seconds = (sensible(named.row.compile_s) or 0.0) + (sensible(named.row.capture_s) or 0.0)
        if named.rung.usable and seconds:
            yield f"{named.name}: {spoken(seconds, 's')} at first"


def _number(value: float | None) -> Text:
    return Text(spoken(value), "" if sensible(value) else "dim")


def _whole(value: float | None) -> Text:
    return Text(whole(value), "" if sensible(value) else "dim")


def _percent(share: float | None, half: float = 1.0) -> Text:
    known = sensible(share)
    return Text(f"{min(known * half, 9.99):.0%}") if known else Text("-", "dim")


def _of_floor(rung: Rung, bar: int) -> Text:
    share = sensible(rung.of_floor)
    if share is None:
        return Text("-", "dim")
    return Text.assemble((meter(share, bar), "green"), f" {min(share, 9.99):>4.0%}")


def _gain(gain: Gain | None) -> Text:
    """Nothing where the step cannot change it: what changes there is the host's noise."""
    times = sensible(gain.times) if gain and gain.meant else None
    if gain is None or times is None:
        return Text()
    return Text(f"{times:.0f}×" if times >= 9.95 else f"{times:.1f}×", STYLES[gain.verdict])


def _gigabytes(rung: Rung) -> Text:
    """Of the weights, and of what was needed beside them."""
    return _number(((rung.row.weights_bytes or 0) + (rung.row.peak_bytes or 0)) / 1e9)
