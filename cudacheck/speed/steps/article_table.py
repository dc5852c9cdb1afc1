"""The article's before/after table beside what this GPU's bandwidth and arithmetic allow, and what was measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from cudacheck.knowledge._tables import rows
from cudacheck.probes.patient.bench_steps import StepRow
from cudacheck.speed.steps import first_answer, ladder
from cudacheck.speed.steps.measured import StepRun, floor_ms, ttft_floor_ms, usable

TOKENS = 256
"""Of the article's answers, and of StepRow.e2e_ms."""
AS_IT_COMES = (("stack", "sdpa"), ("ladder", "sdpa"), ("ladder", "kv-cache"), ("stack", "eager"), ("ladder", "16bit"))
"""The article's before is transformers as it comes: SDPA and a growing cache; here in 16 bits. The first one counts."""


@dataclasses.dataclass(frozen=True)
class Claim:
    """One row of the article's table, as knowledge/article.toml has it."""

    measure: str
    """`ttft`, `e2e`, `decode`, `memory`, `attention`, `prefill` or `concurrent`."""
    what: str
    """`first token`, `256 tokens, end to end`, ..."""
    unit: str
    """`s`, `ms`, `tokens/s`, `GB` or `×`."""
    after: float
    source: str
    before: float | None = None
    says: str = ""
    """What its own figures say against it."""


@dataclasses.dataclass(frozen=True)
class Compared:
    """One claim beside this machine, all in the claim's unit."""

    claim: Claim
    bound: float | None = None
    """The best that this GPU's bandwidth and matmul allow; None where that bounds nothing."""
    bound_from: str = ""
    """How it was derived, or why it cannot be."""
    before: float | None = None
    """Measured here, by what is most like the article's before."""
    before_row: str = ""
    """Which row that was, and of which of its figures: `ladder sdpa, at new lengths`."""
    after: float | None = None
    """Measured here, by the best."""
    after_row: str = ""
    why_not: str = ""
    """Why one of the two is not measured; empty where both are."""
    note: str = ""
    """What else was measured that explains the claim."""

    @property
    def possible(self) -> bool | None:
        """Whether this GPU could do what the article claims of its own; None where no bound is known."""
        if self.bound is None:
            return None
        return self.claim.after <= self.bound if self.claim.unit == "tokens/s" else self.claim.after >= self.bound


CLAIMS = tuple(Claim(**row) for row in rows("article", "claims"))
"""In the article's own order."""


def compared(run: StepRun) -> list[Compared]:
    return [MEASURES[claim.measure](run, claim) for claim in CLAIMS]


def _first_token(run: StepRun, claim: Claim) -> Compared:
    bound = _ttft_floor(run, long=False)
    found = _by_rows(run, claim, lambda row: _seconds(row.ttft_new_ms or row.ttft_ms), when=_first_token_when)
    fresh = next(iter(first_answer.starts(run)), None)
    note = f"a fresh process takes {fresh.total_s:.1f} s to its first token, import included" if fresh else ""
    how = "128 tokens: every weight read once, every product computed"
    return dataclasses.replace(found, bound=_seconds(bound), bound_from=how if bound else NO_CEILING, note=note)


def _end_to_end(run: StepRun, claim: Claim) -> Compared:
    bound = _answer_floor(run, TOKENS)
    how = f"the first token's bound, then {TOKENS - 1} × every weight read once"
    found = _by_rows(run, claim, _answer_s, when=_steady)
    return dataclasses.replace(found, bound=bound, bound_from=how if bound else NO_CEILING)


def _decode(run: StepRun, claim: Claim) -> Compared:
    floor = _floor(run)
    found = _by_rows(run, claim, lambda row: 1e3 / row.itl_ms if row.itl_ms else None, when=_steady)
    how = "every weight read once for each token"
    return dataclasses.replace(found, bound=1e3 / floor if floor else None, bound_from=how if floor else NO_CEILING)


def _memory(run: StepRun, claim: Claim) -> Compared:
    """The article's before is float32: what transformers before 5.0 loads unless told otherwise."""
    best = run.best
    weights = best.weights_bytes if best else None
    how = "the 16-bit weights alone" if weights else "the weights' size is not known"
    found = _by_rows(run, claim, _gigabytes, before=(("ladder", "fp32"), ("without", "16bit"), *AS_IT_COMES))
    return dataclasses.replace(found, bound=weights / 1e9 if weights else None, bound_from=how)


def _attention(run: StepRun, claim: Claim) -> Compared:
    """How many times as fast 1024 tokens are prefilled: where attention has its largest share."""
    how = "a ratio of two programs, which neither bandwidth nor arithmetic bounds"
    rungs = [*ladder.without(run), *ladder.ladder(run)]
    for rung in rungs:
        gain = rung.gains.get("ttft_long")
        if rung.steps == ("sdpa",) and gain:
            return Compared(
                claim, bound_from=how, after=gain.times, after_row=f"{_named(rung.row)}, 1024 tokens, steady"
            )
    return Compared(claim, bound_from=how, why_not="no two rows differ by the attention alone")


def _prefill(run: StepRun, claim: Claim) -> Compared:
    """By 1024 tokens: twice as many as the article's at most."""
    bound = _ttft_floor(run, long=True)
    how = "1024 tokens, twice the article's: every product computed at the matmul's speed"
    launched = (("without", "prefill-graph"), ("ladder", "decode-graph"), ("ladder", "fused"))
    found = _by_rows(run, claim, lambda row: row.ttft_long_ms, before=launched, when=_steady)
    if run.best and run.best.row != "prefill-graph":
        found = Compared(claim, why_not="no row with a CUDA graph for prefill was measured")
    return dataclasses.replace(found, bound=bound, bound_from=how if bound else NO_CEILING)


def _concurrent(run: StepRun, claim: Claim) -> Compared:
    """Until the last answer is whole, which no average is: the article's leaves open of what."""
    one, batched = run.concurrency.get("one after another"), run.concurrency.get("batched")
    tokens = next((mode.tokens for mode in (batched, one) if mode and mode.tokens), TOKENS)
    bound = _answer_floor(run, tokens)
    before, after = (_seconds(mode.makespan_ms) if mode else None for mode in (one, batched))
    return Compared(
        claim,
        bound=bound,
        bound_from=f"{tokens} tokens each, every weight read once for all three" if bound else NO_CEILING,
        before=before,
        before_row="one after another, until all are done" if before else "",
        after=after,
        after_row="batched, until all are done" if after else "",
        why_not="" if before and after else "measured with --concurrency",
    )


MEASURES: dict[str, Callable[[StepRun, Claim], Compared]] = {
    "ttft": _first_token,
    "e2e": _end_to_end,
    "decode": _decode,
    "memory": _memory,
    "attention": _attention,
    "prefill": _prefill,
    "concurrent": _concurrent,
}
NO_CEILING = "bandwidth and matmul were not measured"


# What a row says, and what no row can beat


def _by_rows(
    run: StepRun,
    claim: Claim,
    figure: Callable[[StepRow], float | None],
    before: Sequence[tuple[str, str]] = AS_IT_COMES,
    when: Callable[[StepRow], str] = lambda _: "",
) -> Compared:
    best = run.best
    old = next((row for key in before if (row := run.rows.get(key)) and usable(row) and figure(row)), None)
    new = best if best and figure(best) else None
    missing = [word for word, row in (("before", old), ("best", new)) if row is None]
    return Compared(
        claim,
        before=figure(old) if old else None,
        before_row=_named(old) + when(old) if old else "",
        after=figure(new) if new else None,
        after_row=_named(new) + when(new) if new else "",
        why_not=f"no row measured for {' and '.join(missing)}" if missing else "",
    )


def _named(row: StepRow) -> str:
    return f"{row.table} {row.row}"


def _steady(_: StepRow) -> str:
    return ", steady"


def _first_token_when(row: StepRow) -> str:
    return ", at new lengths" if row.ttft_new_ms else ", steady"


def _floor(run: StepRun) -> float | None:
    return floor_ms(run, run.best) if run.best else None


def _ttft_floor(run: StepRun, *, long: bool) -> float | None:
    if run.best is None or run.ceiling is None:
        return None
    return ttft_floor_ms(run, run.best, run.ceiling.prefill_long_flop if long else run.ceiling.prefill_flop)


def _answer_floor(run: StepRun, tokens: int) -> float | None:
    """In seconds: the first token, and every further one."""
    first, each = _ttft_floor(run, long=False), _floor(run)
    return (first + (tokens - 1) * each) / 1e3 if first and each else None


def _answer_s(row: StepRow) -> float | None:
    """Measured where the row is quick, else put together."""
    first, each = row.ttft_ms, row.itl_ms
    return _seconds(row.e2e_ms or (first + (TOKENS - 1) * each if first and each else None))


def _gigabytes(row: StepRow) -> float | None:
    return (row.weights_bytes + row.peak_bytes) / 1e9 if row.weights_bytes and row.peak_bytes is not None else None


def _seconds(ms: float | None) -> float | None:
    return ms / 1e3 if ms else None
