"""What `cudacheck bench steps` measured on one GPU, and how one of its times compares with another.

What it means: ladder.py (tables and shares), first_answer.py (stalls, cold start), step_advice.py (what to take here)
and article_table.py (the article's figures beside these).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from cudacheck.bench.steps import STEPS
from cudacheck.model.facts import Facts
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.host.system import System
from cudacheck.probes.patient.bench_kernels import GpuConditions
from cudacheck.probes.patient.bench_steps import (
    ColdStart,
    Concurrency,
    DecodeCeiling,
    NewLengthStalls,
    PrefixReuse,
    RowLaunches,
    StepRow,
)
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.speed.runs import GpuRun, by_index

T = TypeVar("T")

MEASURED = (StepRow, NewLengthStalls, ColdStart, DecodeCeiling, PrefixReuse, Concurrency)
"""Any of these is something to tell."""

NOISE = 0.08
"""Captures of the same kernels differ by 7 % on an H200 (466 and 497 tokens a second); less is no difference."""

Measure = Literal["decode", "decode_first", "ttft", "ttft_new", "ttft_long"]
"""As bench/steps.py says what each step can change."""
MEASURES: tuple[Measure, ...] = ("decode", "decode_first", "ttft", "ttft_new", "ttft_long")

ACTS_ON: dict[str, tuple[str, ...]] = {step.name: step.acts_on for step in STEPS}
LAST = [*ACTS_ON][-1]
"""The row that the table `without` takes a step from."""


@dataclasses.dataclass(frozen=True)
class Gain:
    """One time against another."""

    times: float
    """3.2: three times as fast as what it is compared with; 0.3: slower."""
    margin: float = NOISE
    """Differences up to this are none: NOISE, or half the range of the passes where that is more."""
    meant: bool = True
    """Whether the step can change this at all."""

    @property
    def verdict(self) -> Literal["faster", "slower", "same"]:
        if self.times >= 1 + self.margin:
            return "faster"
        return "slower" if self.times <= 1 / (1 + self.margin) else "same"

    @property
    def pays(self) -> bool:
        return self.meant and self.verdict == "faster"


@dataclasses.dataclass(frozen=True)
class StepRun:
    """The facts of one GPU."""

    gpu: GpuRun
    """The device, and what else is known of it: whether anything disturbed the run."""
    rows: dict[tuple[str, str], StepRow]
    """By table and row; in each table in the order in which they were measured."""
    stalls: dict[str, NewLengthStalls]
    """By setting."""
    cold: dict[str, ColdStart]
    ceiling: DecodeCeiling | None = None
    launches: dict[tuple[str, str], RowLaunches] = dataclasses.field(default_factory=dict)
    prefix: PrefixReuse | None = None
    concurrency: dict[str, Concurrency] = dataclasses.field(default_factory=dict)
    """By mode."""

    @property
    def device_index(self) -> int:
        return self.gpu.device.index

    @property
    def best(self) -> StepRow | None:
        """The ladder's highest row that works: all that plain PyTorch can do here."""
        measured = [self.rows["ladder", name] for name in ACTS_ON if ("ladder", name) in self.rows]
        return next((row for row in reversed(measured) if usable(row) and row.itl_ms), None)

    def of_table(self, table: str) -> list[StepRow]:
        return [row for (where, _), row in self.rows.items() if where == table]


def of(facts: Facts) -> list[StepRun]:
    """By GPU; empty where no step was measured."""
    grouped = {kind: by_index(facts.all(kind)) for kind in (*MEASURED, RowLaunches, GpuConditions)}
    indices = sorted({index for kind in MEASURED for index in grouped[kind]})
    devices = {device.index: device for device in reversed(facts.all(TorchDevice))}
    gpus = {gpu.uuid: gpu for gpu in reversed(facts.all(Gpu)) if gpu.uuid}
    runs = []
    for index in indices:
        device = devices.get(index, TorchDevice(index, "a GPU"))
        gpu = gpus.get(device.uuid) if device.uuid else None
        conditions = tuple(grouped[GpuConditions].get(index, ()))
        known = GpuRun(device, (), gpu, None, conditions, facts.one(System), facts.one(EnvironmentVariables))
        runs.append(_of_one(known, {kind: told.get(index, []) for kind, told in grouped.items()}))
    return runs


def _of_one(gpu: GpuRun, told: Mapping[type[Any], list[Any]]) -> StepRun:
    def here(kind: type[T]) -> list[T]:
        return told[kind]

    return StepRun(
        gpu=gpu,
        rows={(row.table, row.row): row for row in here(StepRow)},
        stalls={fact.setting: fact for fact in here(NewLengthStalls)},
        cold={fact.setting: fact for fact in here(ColdStart)},
        ceiling=next(iter(here(DecodeCeiling)), None),
        launches={(fact.table, fact.row): fact for fact in here(RowLaunches)},
        prefix=next(iter(here(PrefixReuse)), None),
        concurrency={fact.mode: fact for fact in here(Concurrency)},
    )


# One row


def usable(row: StepRow) -> bool:
    return not row.error and not row.skipped and row.ok is not False


def time_ms(row: StepRow, measure: Measure) -> float | None:
    times = {
        "decode": row.itl_ms,
        "decode_first": row.itl_first_ms,
        "ttft": row.ttft_ms,
        "ttft_new": row.ttft_new_ms,
        "ttft_long": row.ttft_long_ms,
    }
    return times[measure] or None


def gains(before: StepRow, after: StepRow, steps: tuple[str, ...] = ()) -> dict[Measure, Gain]:
    """How many times as fast `after` is, in whatever both were timed; `steps` lie between them, () for any."""
    meant = {measure for step in steps for measure in ACTS_ON.get(step, MEASURES)} if steps else {*MEASURES}
    found: dict[Measure, Gain] = {}
    for measure in MEASURES:
        slow, quick = time_ms(before, measure), time_ms(after, measure)
        if slow and quick:
            passes = [row.itl_spread_rel or 0.0 for row in (before, after)] if measure == "decode" else [0.0]
            found[measure] = Gain(slow / quick, max(NOISE, max(passes) / 2), measure in meant)
    return found


def floor_ms(run: StepRun, row: StepRow) -> float | None:
    """No token of this row can come sooner."""
    ceiling = run.ceiling
    if ceiling is None or not ceiling.read_gb_per_s or not ceiling.decode_bytes:
        return None
    return ceiling.decode_bytes * _width(row) / ceiling.read_gb_per_s / 1e6


def ttft_floor_ms(run: StepRun, row: StepRow, flop: int) -> float | None:
    """No first token of this row can come sooner: every weight is read, every product computed."""
    read, ceiling = floor_ms(run, row), run.ceiling
    if read is None or ceiling is None or not ceiling.matmul_tflops:
        return None
    return max(read, flop / ceiling.matmul_tflops / 1e9)


def _width(row: StepRow) -> int:
    """Of a number, in 16 bits: the ceilings are of the 16-bit rows."""
    return 2 if row.dtype == "float32" else 1
