"""Which steps to take on this machine, by what each was measured to bring."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from cudacheck.speed import first_answer, ladder, step_code
from cudacheck.speed.ladder import Rung
from cudacheck.speed.runs import disturbed_by
from cudacheck.speed.step_code import NAMES
from cudacheck.speed.steps import NOISE, Gain, Measure, StepRun

HOST_NOISE = 0.60
"""Where the host launches each kernel, whole rows vary by 30 to 60 %: a gain must be larger, or where a second table
has the step, be in that one, too."""
WORDS: dict[Measure, str] = {
    "decode": "tokens per second",
    "ttft": "first token at 128 tokens",
    "ttft_new": "first token at a new length",
    "ttft_long": "first token at 1024 tokens",
}
"""What is advised for; first passes of decoding only tell whether something stalls."""
FIRST: tuple[Measure, ...] = ("decode", "ttft")
"""These are named where a step helps them; else the others."""


@dataclasses.dataclass(frozen=True)
class Advised:
    step: str
    """The row's name, several joined by ` + ` where rows between were not measured; besides `prefix`, `batched` and
    `compile`."""
    name: str
    """In words: `CUDA graph for decode`."""
    times: float
    what: str
    """What is so many times as fast: `tokens per second`, `first token at 128 tokens`."""
    by: str
    """Which rows say so: `over static-cache`, `left out of prefill-graph`."""
    code: str
    """Python that takes the step; may be several lines."""
    where: str = ""
    """Where that code belongs, or where there is more."""
    but: str = ""
    """What the step makes slower; empty where nothing."""


@dataclasses.dataclass(frozen=True)
class Advice:
    sentence: str
    """One line; says so where nothing is worth it."""
    steps: tuple[Advised, ...] = ()
    """Largest gain first."""
    nothing: tuple[str, ...] = ()
    """Steps that bring nothing at 128 tokens, each with its figure: `KV cache (1.06 × tokens per second)`."""


@dataclasses.dataclass(frozen=True)
class _Effect:
    gain: Gain
    measure: Measure
    by: str
    launched: bool
    """Whether the host launched each kernel of what was timed, in either row."""


def advice(run: StepRun) -> Advice:
    if disturbed := disturbed_by(run.gpu):
        return Advice(f"no step is advised: {disturbed}")
    taken, nothing = [], []
    for step, effects in _effects(run).items():
        found = _advised(run, step, effects)
        if found:
            taken.append(found)
        elif effects:
            nothing.append(_nothing(step, effects))
    taken += _beside(run)
    taken.sort(key=lambda advised: -advised.times)
    return Advice(_sentence(taken, nothing), tuple(taken), tuple(nothing))


def _effects(run: StepRun) -> dict[str, list[_Effect]]:
    """What each step changed, from the ladder and from leaving it out."""
    found: dict[str, list[_Effect]] = {}
    for rung in ladder.ladder(run):
        if rung.gains:
            found[" + ".join(rung.steps)] = [*_of_rung(rung, f"over {rung.over}")]
    for rung in ladder.without(run):
        if rung.gains:
            found.setdefault(rung.row.row, []).extend(_of_rung(rung, f"left out of {rung.over}"))
    if stall := [*_cured_stall(run)]:
        found.setdefault("cudnn-off", []).extend(stall)
    return found


def _of_rung(rung: Rung, by: str) -> Iterator[_Effect]:
    for measure in WORDS:
        gain = rung.gains.get(measure)
        if gain and gain.meant:
            by_graph = "decode-graph" if measure == "decode" else "prefill-graph"
            yield _Effect(gain, measure, by, launched=rung.row.table == "ladder" or rung.row.row == by_graph)


def _cured_stall(run: StepRun) -> Iterator[_Effect]:
    """By the stalls' own processes."""
    found = first_answer.stalls(run)
    if found and found.cured and found.default and found.off and found.default.first_s and found.off.first_s:
        times = found.default.first_s / found.off.first_s
        yield _Effect(Gain(times), "ttft_new", "in processes of their own", launched=True)


def _advised(run: StepRun, step: str, effects: list[_Effect]) -> Advised | None:
    sure = [effect for effect in effects if effect.gain.pays and _is_sure(effect, effects)]
    first = [effect for effect in sure if effect.measure in FIRST] or sure
    best = max(first, key=lambda effect: (not effect.launched, effect.gain.times), default=None)
    if best is None:
        return None
    code, where = step_code.of(step, run.best.dtype if run.best else "bfloat16")
    slower = [e for e in effects if e.gain.verdict == "slower" and e.gain.times <= 1 / (1 + HOST_NOISE)]
    but = ", ".join(f"{WORDS[e.measure]} {e.gain.times:.1f} × {e.by}" for e in slower)
    return Advised(step, _name(step), best.gain.times, WORDS[best.measure], best.by, code, where, but)


def _is_sure(effect: _Effect, effects: list[_Effect]) -> bool:
    if not effect.launched:
        return True
    others = [e for e in effects if e.by != effect.by and e.measure == effect.measure]
    return any(other.gain.pays for other in others) if others else effect.gain.times >= 1 + HOST_NOISE


def _nothing(step: str, effects: list[_Effect]) -> str:
    tried = max(effects, key=lambda e: (e.measure in FIRST, e.gain.times))
    needed = "; CUDA graphs need it" if step == "static-cache" else ""
    return f"{_name(step)} ({tried.gain.times:.2f} × {WORDS[tried.measure]}{needed})"


def _name(step: str) -> str:
    return " and ".join(NAMES.get(part, part) for part in step.split(" + "))


def _beside(run: StepRun) -> Iterator[Advised]:
    """What is no row of the ladder: compiling, the prefix, batching."""
    for rung in ladder.extras(run):
        gain = rung.gains.get("decode")
        if rung.row.row == "compile" and gain and gain.pays:
            code, where = step_code.of("compile", rung.row.dtype)
            took = f"; compiling took {rung.row.compile_s:.0f} s" if rung.row.compile_s else ""
            yield Advised(
                "compile", NAMES["compile"], gain.times, WORDS["decode"], f"over {rung.over}", code, where + took
            )
    prefix = run.prefix
    if prefix and prefix.ok is not False and prefix.full_ms and prefix.reused_ms:
        times = prefix.full_ms / prefix.reused_ms
        by = f"{prefix.kept} of {prefix.tokens} tokens kept"
        if times >= 1 + NOISE:
            yield Advised("prefix", NAMES["prefix"], times, "first token", by, *step_code.of("prefix", ""))
    one, batched = run.concurrency.get("one after another"), run.concurrency.get("batched")
    if one and batched and one.makespan_ms and batched.makespan_ms:
        times = one.makespan_ms / batched.makespan_ms
        by = f"{batched.requests} requests, over one after another"
        if times >= 1 + NOISE:
            yield Advised("batched", NAMES["batched"], times, "all answers", by, *step_code.of("batched", ""))


def _sentence(taken: list[Advised], nothing: list[str]) -> str:
    if not taken and not nothing:
        return "no step is advised: there are no two rows to compare"
    idle = f"; no gain at 128 tokens: {', '.join(nothing)}" if nothing else ""
    if not taken:
        return f"no step is worth it on this GPU{idle}"
    steps = ", ".join(f"{step.name} ({step.times:.1f} × {step.what})" for step in taken)
    return f"take, largest gain first: {steps}{idle}"
