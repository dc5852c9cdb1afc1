"""What the first answers of a process cost: lengths that are new to it, and its start."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterator

from cudacheck.probes.patient.bench_steps import ColdStart, NewLengthStalls
from cudacheck.speed.new_lengths import SETTLED_MS, STALL_MS
from cudacheck.speed.steps.measured import StepRun

WEIGHTS = "random weights"


@dataclasses.dataclass(frozen=True)
class Stall:
    """One setting, in a process of its own."""

    measured: NewLengthStalls
    extra_ms: float | None = None
    """Median over the prompts: what a new length costs over the same one again."""
    worst_ms: float | None = None
    first_s: float | None = None
    """All prompts together, first pass."""
    again_s: float | None = None
    decode_extra_ms: float | None = None
    """For each decoded token, first pass over the second."""


@dataclasses.dataclass(frozen=True)
class Stalls:
    """Both settings, and whether the one cures the other."""

    default: Stall | None
    off: Stall | None
    """cuDNN's attention switched off."""
    stalled: bool | None
    """A new length of a prompt, or of the cache, costs more than 10 ms by default; None where nobody knows."""
    cured: bool | None
    """With cuDNN's attention off, prompts or decoding cost at most 5, where they stalled; None where there is nothing
    to cure, or nobody tried."""
    lines: tuple[str, ...] = ()
    """To print: each setting, then what follows."""

    @property
    def cost_ms(self) -> float:
        """Of a new length by default, in a prompt or in the cache, whichever is more of those that are cured."""
        return max((slow for slow, _ in _cured(self.default, self.off)), default=0.0)


@dataclasses.dataclass(frozen=True)
class Part:
    name: str
    """`import torch`, `CUDA context`, `random weights`, `first matmul`, `first attention`, `first prompt`."""
    seconds: float
    share: float
    """Of the whole."""


@dataclasses.dataclass(frozen=True)
class Start:
    """One cold start, split up."""

    measured: ColdStart
    parts: tuple[Part, ...]
    total_s: float
    """To the first token; what is known of it."""
    complete: bool
    """Whether every part is known."""
    once_s: float
    """What a second prompt does not pay again, weights left out: here they are random, yours come from a disk."""


def stalls(run: StepRun) -> Stalls | None:
    """None where no setting was tried."""
    if not run.stalls:
        return None
    default, off = _stall(run.stalls.get("default")), _stall(run.stalls.get("cudnn off"))
    known = default is not None and (default.extra_ms is not None or default.decode_extra_ms is not None)
    stalled = max(_extras(default)) > STALL_MS if known else None
    cured = None
    if stalled and off and None not in (off.extra_ms, off.decode_extra_ms):
        cured = bool(_cured(default, off))
    return Stalls(default, off, stalled, cured, tuple(_lines(default, off, stalled, cured)))


def _cured(default: Stall | None, off: Stall | None) -> list[tuple[float, float]]:
    """What prompts, and decoding, cost by default and without cuDNN's attention, where that ends a stall."""
    pairs = zip(_extras(default), _extras(off), strict=True)
    return [(slow, left) for slow, left in pairs if slow > STALL_MS and left <= SETTLED_MS]


def _stall(measured: NewLengthStalls | None) -> Stall | None:
    if measured is None:
        return None
    pairs = [*zip(measured.first_ms, measured.again_ms, strict=False)]
    extra = [first - again for first, again in pairs]
    decode = (measured.decode_first_ms, measured.decode_again_ms)
    return Stall(
        measured,
        extra_ms=statistics.median(extra) if extra else None,
        worst_ms=max(extra, default=None),
        first_s=sum(first for first, _ in pairs) / 1e3 if pairs else None,
        again_s=sum(again for _, again in pairs) / 1e3 if pairs else None,
        decode_extra_ms=(decode[0] - decode[1]) / measured.decoded
        if decode[0] and decode[1] and measured.decoded
        else None,
    )


def _extras(stall: Stall | None) -> tuple[float, float]:
    """Of a prompt's new length and of the cache's; nothing where it is not known."""
    return (stall.extra_ms or 0.0, stall.decode_extra_ms or 0.0) if stall else (0.0, 0.0)


def spoken(stall: Stall) -> str:
    """`cudnn off: 2.8 ms more at a new length (worst of 20: 14.0), 32 tokens decoded in 0.57 s, again in 0.43 s`"""
    measured, said = stall.measured, []
    if stall.extra_ms is not None and stall.worst_ms is not None:
        of = len([*zip(measured.first_ms, measured.again_ms, strict=False)])
        said.append(f"{stall.extra_ms:.1f} ms more at a new length (worst of {of}: {stall.worst_ms:.1f})")
    if stall.decode_extra_ms is not None:
        first, again = (measured.decode_first_ms or 0) / 1e3, (measured.decode_again_ms or 0) / 1e3
        said.append(f"{measured.decoded} tokens decoded in {first:.2f} s, again in {again:.2f} s")
    return f"{measured.setting}: {', '.join(said) or measured.error or 'nothing was measured'}"


def _lines(default: Stall | None, off: Stall | None, stalled: bool | None, cured: bool | None) -> Iterator[str]:
    yield from (spoken(stall) for stall in (default, off) if stall)
    if stalled is None:
        return
    if not stalled:
        yield "lengths that are new do not stall"
    elif cured:
        left = max(_extras(off))
        gone = "the stall is gone" if left <= SETTLED_MS else f"{left:.1f} ms are left"
        yield f"cuDNN's attention builds a plan for each new length; switched off, {gone}"
    elif cured is None:
        yield "lengths that are new stall; whether cuDNN's attention is to blame was not measured"
    else:
        yield "lengths that are new stall without cuDNN's attention, too: something else is slow at first"


def starts(run: StepRun) -> list[Start]:
    """By setting, the default first."""
    return [_start(cold) for cold in sorted(run.cold.values(), key=lambda cold: cold.setting != "default")]


def _start(cold: ColdStart) -> Start:
    took = {
        "import torch": cold.import_s,
        "CUDA context": cold.context_s,
        WEIGHTS: cold.weights_s,
        "first matmul": _seconds(cold.matmul_ms),
        "first attention": _seconds(cold.attention_ms),
        "first prompt": _seconds(cold.prefill_ms),
    }
    known = {name: seconds for name, seconds in took.items() if seconds is not None}
    total = sum(known.values())
    return Start(
        cold,
        parts=tuple(Part(name, seconds, seconds / total if total else 0.0) for name, seconds in known.items()),
        total_s=total,
        complete=len(known) == len(took),
        once_s=total - (cold.weights_s or 0.0) - (_seconds(cold.again_ms) or 0.0),
    )


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else ms / 1e3
