"""Which steps to take on this machine, by what each was measured to bring."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from cudacheck.speed.runs import disturbed_by
from cudacheck.speed.steps import code as step_code
from cudacheck.speed.steps import first_answer, ladder
from cudacheck.speed.steps.code import NAMES
from cudacheck.speed.steps.ladder import Rung
from cudacheck.speed.steps.measured import ACTS_ON, NOISE, Gain, Measure, StepRun, gains, usable

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
    """Python that takes the step; may be several lines. Empty where none can be given: `where` says why."""
    where: str = ""
    """Where that code belongs, what it costs at first, or which rows to add."""
    but: str = ""
    """What the step makes slower; empty where nothing."""


@dataclasses.dataclass(frozen=True)
class Advice:
    sentence: str
    """One line; says so where nothing is worth it."""
    steps: tuple[Advised, ...] = ()
    """Largest gain first."""
    nothing: tuple[str, ...] = ()
    """Steps that bring nothing at 128 tokens, each with its figure: `SDPA (1.02 × tokens per second)`; where that is
    the host's noise, without."""


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
    code, where = _how(run, step)
    slower = [e for e in effects if e.gain.verdict == "slower" and e.gain.times <= 1 / (1 + HOST_NOISE)]
    but = ", ".join(f"{WORDS[e.measure]} {e.gain.times:.1f} × {e.by}" for e in slower)
    return Advised(step, _name(step), best.gain.times, WORDS[best.measure], best.by, code, where, but)


def _is_sure(effect: _Effect, effects: list[_Effect]) -> bool:
    if not effect.launched:
        return True
    others = [e for e in effects if e.by != effect.by and e.measure == effect.measure]
    return any(other.gain.pays for other in others) if others else effect.gain.times >= 1 + HOST_NOISE


def _nothing(step: str, effects: list[_Effect]) -> str:
    told = [effect for effect in effects if not _is_noise(effect, effects)]
    tried = max(told, key=lambda e: (e.measure in FIRST, not e.launched, e.gain.times), default=None)
    figure = f"{tried.gain.times:.2f} × {WORDS[tried.measure]}" if tried else "no difference beyond the host's noise"
    needed = "; CUDA graphs need it" if step == "static-cache" else ""
    return f"{_name(step)} ({figure}{needed})"


def _is_noise(effect: _Effect, effects: list[_Effect]) -> bool:
    """Whether the host launched it, no second table has it, and it is within what whole rows vary by."""
    alone = not any(e.by != effect.by and e.measure == effect.measure for e in effects)
    return effect.launched and alone and 1 - HOST_NOISE < effect.gain.times < 1 + HOST_NOISE


def _name(step: str) -> str:
    names = [NAMES.get(part, part) for part in step.split(" + ")]
    if len(names) > step_code.TOGETHER:
        return f"{len(names)} steps together, from {names[0]} to {names[-1]}"
    return " and ".join(names)


def _how(run: StepRun, step: str) -> tuple[str, str]:
    """Its code, and where that belongs."""
    parts = step.split(" + ")
    if len(parts) > step_code.TOGETHER:
        return "", _apart(run, parts)
    compiled, runs = _of_your_stack(run)
    notes = dict.fromkeys(step_code.COMPILED, compiled)
    return step_code.of(step, run.best.dtype if run.best else "", notes, () if runs else step_code.COMPILED)


def _apart(run: StepRun, parts: list[str]) -> str:
    """How to learn which of several steps paid."""
    measured = [name for name in ACTS_ON if ("ladder", name) in run.rows]
    if all(part in measured for part in parts):
        return "the rows between did not work: which of these steps pays is not known"
    rows = ",".join(name for name in ACTS_ON if name in parts or name in measured)
    return f"to see which of these steps pays, add the rows between: `cudacheck bench steps` with `--rows={rows}`"


def _of_your_stack(run: StepRun) -> tuple[str, bool]:
    """What transformers' own compile brings here, and whether it runs at all."""
    grown, compiled = (run.rows.get(("stack", row)) for row in ("sdpa", "sdpa static cache, compiled"))
    if compiled is None:
        return "compiling took 24 s at first on an H200: `--stack` measures yours", True
    if not usable(compiled):
        return f"not on your stack: {compiled.skipped or compiled.error or 'its result is wrong'}", False
    gain = gains(grown, compiled).get("decode") if grown and usable(grown) else None
    brought = f"{gain.times:.1f} × the tokens per second of a growing cache" if gain else "it works"
    took = f", after {compiled.compile_s:.0f} s of compiling" if compiled.compile_s else ""
    return f"on your stack: {brought}{took}", True


def _beside(run: StepRun) -> Iterator[Advised]:
    """What is no row of the ladder: compiling, the prefix, batching."""
    for rung in ladder.extras(run):
        gain = rung.gains.get("decode")
        if rung.row.row == "compile" and gain and gain.pays:
            code, where = step_code.of("compile", rung.row.dtype)
            seconds = rung.row.compile_s or rung.row.capture_s  # capturing compiles first
            took = f"; compiling took {seconds:.0f} s at first" if seconds else ""
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
