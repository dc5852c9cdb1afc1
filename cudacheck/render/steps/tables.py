"""What `cudacheck bench steps` measured, as tables: stalls, the ladder, several requests, cold start, the article's."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from cudacheck.model.facts import Facts
from cudacheck.render import _columns
from cudacheck.render._clean import clean, packed, typed, wrapped
from cudacheck.render._columns import MOST_GPUS, Column
from cudacheck.render._kernels import meter
from cudacheck.render.steps import _ladder
from cudacheck.render.steps._rows import MOST_ROWS, sensible, spoken
from cudacheck.speed.steps import advice as step_advice
from cudacheck.speed.steps import article_table, first_answer
from cudacheck.speed.steps import measured as steps
from cudacheck.speed.steps.first_answer import Part
from cudacheck.speed.steps.measured import StepRun

LABEL = 8


def advice(facts: Facts, width: int) -> Iterator[Text]:
    """Which steps to take on this machine, in a sentence."""
    runs = steps.of(facts)
    for run in runs[:MOST_GPUS]:
        sentence = step_advice.advice(run).sentence
        which = f"GPU {run.device_index}: " if len(runs) > 1 else ""
        yield from _labelled("advice", f"{which}{sentence}", width)
        yield Text()
    if len(runs) > MOST_GPUS:
        yield from _columns.more(len(runs) - MOST_GPUS, "GPUs")
        yield Text()


def _how(run: StepRun, width: int) -> Iterator[Text]:
    """What takes each step that is advised; what must be copied is never wrapped."""
    taken = step_advice.advice(run).steps[:MOST_ROWS]
    if taken:
        yield from _columns.title("how", "to take the steps that are advised, largest gain first", width)
    for step in taken:
        but = f"; but {step.but}" if step.but else ""
        yield from _labelled(f"{spoken(step.times)} ×", f"{step.name}: {step.what} ({step.by}){but}", width)
        yield from _labelled("", step.where, width, "dim")
        yield from _code(step.code)


def _code(code: str) -> Iterator[Text]:
    """To copy, with its indentation."""
    for line in code.splitlines()[:MOST_ROWS]:
        yield Text.assemble(" " * (LABEL + 2), (typed(line), "green"))


def lines(facts: Facts, width: int) -> Iterator[Text]:
    runs = steps.of(facts)
    for run in runs[:MOST_GPUS]:
        yield Text()
        about, label = "Qwen2-1.5B's shape, random weights, batch 1", f"{clean(run.gpu.label, 60)}: "
        yield from _columns.labelled(label, about, width, indent=len(label) + 2, label_style="bold", style="dim")
        yield from _stalls(run, width)
        yield from _ladder.lines(run, width)
        yield from _prefix(run, width)
        yield from _concurrency(run, width)
        yield from _cold_start(run, width)
        yield from _article(run, width)
        yield from _how(run, width)
    if len(runs) > MOST_GPUS:
        yield Text()
        yield from _columns.more(len(runs) - MOST_GPUS, "GPUs")


def _labelled(label: str, text: str, width: int, style: str = "") -> Iterator[Text]:
    yield from _columns.labelled(label[: LABEL - 1], text, width, indent=LABEL + 2, style=style)


STALLS = (
    Column("attention", 12, left=True),
    Column("extra", 7, "a prompt, ms"),
    Column("worst", 7, "a prompt, ms", rank=3),
    Column("first", 6, "all of them, s", rank=1),
    Column("again", 6, "all of them, s", rank=2),
    Column("a token", 7, "decoding, ms"),
    Column("first", 6, "decoding, ms", rank=5),
    Column("again", 6, "decoding, ms", rank=4),
)
CONCURRENCY = (
    Column("served", 17, left=True),
    Column("all done", 8, "ms", rank=1),
    Column("TTFT", 6, "ms", rank=2),
    Column("latest", 6, "ms", rank=4),
    Column("together", 8, "tokens/s"),
    Column("peak", 5, "GB", rank=3),
    Column("answers", 9, left=True),
)
ARTICLE = (
    Column("", 26, left=True),
    Column("claimed", 14, rank=1),
    Column("possible", 10, rank=2),
    Column("measured here", 16),
)


def _stalls(run: StepRun, width: int) -> Iterator[Text]:
    found = first_answer.stalls(run)
    told = [stall for stall in (found.default, found.off) if stall] if found else []
    if found is None or not told:
        return
    yield from _columns.title("stalls", "lengths that the process has not met, against the same again", width)
    yield from _columns.head(STALLS, width)
    for stall in told:
        measured, name = stall.measured, Text(clean(stall.measured.setting, 12), "cyan")
        if measured.error:
            yield from _columns.instead(STALLS, name, f"failed: {clean(measured.error, 200)}", "bold red", width)
            continue
        prompts = (stall.extra_ms, stall.worst_ms, stall.first_s, stall.again_s)
        decoding = (stall.decode_extra_ms, measured.decode_first_ms, measured.decode_again_ms)
        style = "bold yellow" if found.stalled and stall is found.default else ""
        yield _columns.line(STALLS, [name, *(Text(spoken(number), style) for number in (*prompts, *decoding))], width)
    for line in found.lines[len(told) :]:  # before them the same in words
        yield from _labelled("", line, width)


def _prefix(run: StepRun, width: int) -> Iterator[Text]:
    told = run.prefix
    if told is None:
        return
    times = (
        (told.full_ms, "without reuse"),
        (told.reused_ms, f"with {told.kept} in the cache"),
        (told.restored_ms, "with these copied into it first"),
    )
    said = [f"{spoken(ms)} ms {how}" for ms, how in times if ms is not None] or ["not measured"]
    trouble = f"failed: {clean(told.error, 200)}" if told.error else "WRONG RESULT" if told.ok is False else ""
    about = f"TTFT of {told.tokens} tokens" if told.tokens > 0 else "TTFT where the beginning is in the cache already"
    yield from _columns.title("prefix reuse", about, width)
    if trouble:
        yield from _labelled("", trouble, width, "bold red")
    else:
        for line in packed(said, width - LABEL - 2):
            yield from _labelled("", line, width)


def _concurrency(run: StepRun, width: int) -> Iterator[Text]:
    rows = [*run.concurrency.values()][:MOST_ROWS]
    if not rows:
        return
    ran = next((row for row in rows if not row.error and not row.skipped and row.tokens > 0), None)
    about = f"{ran.requests} requests of {ran.tokens} tokens" if ran else "several requests"
    yield from _columns.title("concurrency", f"{about} that arrive together", width)
    yield from _columns.head(CONCURRENCY, width)
    for row in rows:
        name = Text(clean(row.mode, 17), "cyan")
        if row.error:
            yield from _columns.instead(CONCURRENCY, name, f"failed: {clean(row.error, 200)}", "bold red", width)
            continue
        if row.skipped:
            yield from _columns.instead(CONCURRENCY, name, f"not run: {clean(row.skipped, 200)}", "dim", width)
            continue
        numbers = (row.makespan_ms, row.ttft_mean_ms, row.ttft_max_ms, row.tokens_per_s, (row.peak_bytes or 0) / 1e9)
        same = {True: Text("as alone"), False: Text("DIFFERENT", "bold red"), None: Text("-", "dim")}
        yield _columns.line(CONCURRENCY, [name, *(Text(spoken(n)) for n in numbers), same[row.same_tokens]], width)
    yield from _columns.more(len(run.concurrency) - len(rows))


def _cold_start(run: StepRun, width: int) -> Iterator[Text]:
    starts = first_answer.starts(run)[:MOST_ROWS]
    if not starts:
        return
    yield from _columns.title("cold start", "a fresh process until its first token, ms", width)
    settings = [Column(clean(start.measured.setting, 10), 10, rank=n) for n, start in enumerate(starts[:3])]
    columns = [Column("", 16, left=True), *settings, Column("of the first", 15, left=True, rank=3)]
    names = dict.fromkeys(part.name for start in starts for part in start.parts)
    seconds = [{part.name: part for part in start.parts} for start in starts[:3]]
    yield from _columns.head(columns, width)
    for name in names:
        parts = [told.get(name) for told in seconds]
        numbers = [Text(spoken(part.seconds * 1e3 if part else None)) for part in parts]
        yield _columns.line(columns, [Text(clean(name, 16), "cyan"), *numbers, _share(parts[0])], width)
    totals = [Text(spoken(start.total_s * 1e3), "bold") for start in starts[:3]]
    partly = "" if starts[0].complete else "what is known"
    yield _columns.line(columns, [Text("all", "cyan"), *totals, Text(partly, "dim")], width)


def _share(part: Part | None) -> Text:
    share = sensible(part.share) if part else None
    return Text.assemble((meter(share), "green"), f" {min(share, 9.99):>4.0%}") if share else Text()


def _article(run: StepRun, width: int) -> Iterator[Text]:
    rows = article_table.compared(run)[:MOST_ROWS]
    if not rows:
        return
    about = "what it claims, what this GPU allows at best, what was measured"
    yield from _columns.title("the article", about, width)
    yield from _columns.head(ARTICLE, width)
    for row in rows:
        claim = row.claim
        cells = (
            Text(f"{claim.what}, {claim.unit}", "cyan"),
            Text(_change(claim.before, claim.after), "bold yellow" if row.possible is False else ""),
            Text(spoken(row.bound)),
            Text(_change(row.before, row.after), "bold"),
        )
        yield _columns.line(ARTICLE, cells, width)
        here = " → ".join(filter(None, (row.before_row, row.after_row)))
        beyond = "this GPU cannot do what is claimed" if row.possible is False else ""
        said = (beyond, row.why_not, f"here: {here}" if here else "", row.note, f"possible: {row.bound_from}")
        for line in (*wrapped(claim.says, width - 4), *packed(said, width - 4)):
            yield Text(f"    {line}", "dim")


def _change(before: float | None, after: float | None) -> str:
    return spoken(after) if before is None else f"{spoken(before)} → {spoken(after)}"
