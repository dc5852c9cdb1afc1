"""Which rows `cudacheck bench steps` measures, and which of them share a process."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from cudacheck.bench import steps
from cudacheck.probes.patient.bench_steps import (
    Concurrency,
    DecodeCeiling,
    NewLengthStalls,
    PrefixReuse,
    RowLaunches,
    StepRow,
)

Work = tuple[str, str]
"""What a child is to tell of: a row as (table, name), or a part of the probe and what it is about."""

LADDERS = ("ladder", "without", "extra")
"""The tables of our own decoder."""
TABLES = (*LADDERS, "stack")
STACK = ("eager", "sdpa", "sdpa static cache", "flash-attention-2", "sdpa static cache, compiled")
QUICK = tuple(step.name for step in steps.STEPS if step.quick)
COUNTED = (*steps.ladder(), "triton")
"""The rows whose kernels are counted."""
PARTS = {DecodeCeiling: "ceiling", PrefixReuse: "prefix", RowLaunches: "launches", Concurrency: "concurrency"}
FACTS_OF = {"stalls": 2, "concurrency": 4}
"""How many facts come of a part; of the others one."""


@dataclass(frozen=True)
class Group:
    """What one process measures, in this order. What is no row and tells more than one fact comes last."""

    name: str
    work: tuple[Work, ...]
    launched: tuple[Work, ...] = ()
    """The rows, of other groups too, of which the part `launches` tells."""

    @property
    def rows(self) -> list[Work]:
        return [work for work in self.work if work[0] in TABLES]

    @property
    def facts(self) -> int:
        """So many are expected."""
        return sum(len(self.launched) if part == "launches" else FACTS_OF.get(part, 1) for part, _ in self.work)


@dataclass(frozen=True)
class Plan:
    groups: tuple[Group, ...]

    @property
    def facts(self) -> int:
        return sum(group.facts for group in self.groups)


def row_names() -> dict[str, Work]:
    """What --rows takes."""
    names = {row: ("ladder", row) for row in steps.ladder()}
    names |= {f"without-{row}": ("without", row) for row in steps.without()}
    return names | {row: ("extra", row) for row in steps.extras()}


def plan(
    *,
    quick: bool = False,
    rows: Collection[str] = (),
    stack: bool = False,
    concurrency: bool = False,
    compile: bool = False,  # noqa: A002 - the option's name
) -> Plan:
    """`rows` are names of row_names(); without any, all rows, or with `quick` the few that tell most."""
    known = row_names()
    usual = [name for name in known if name != "compile"]
    wanted = {known[name] for name in (rows or (QUICK if quick else usual))}
    wanted |= {known["compile"]} if compile else set()
    whole = not rows and not quick
    groups = [
        Group("default", (("stalls", "default"), *_rows("default"))),
        Group("cudnn off", (("stalls", "cudnn off"), *_rows("cudnn off"))),
        Group("eager", _rows("eager")),
        Group("graphs", _graphs(wanted, whole=whole), tuple(known[name] for name in COUNTED)),
        Group("compile", (("extra", "compile"),)),
    ]
    # With --rows, a part comes along with a row of its group.
    chosen = [replace(g, work=tuple(w for w in g.work if w in wanted or w[0] not in TABLES)) for g in groups]
    chosen = [group for group in chosen if group.rows]
    chosen += [Group("stack", tuple(("stack", row) for row in STACK))] * stack
    chosen += [Group("concurrency", (("concurrency", ""),))] * concurrency
    return Plan(tuple(chosen))


def _rows(process: str) -> tuple[Work, ...]:
    return tuple(("ladder", step.name) for step in steps.STEPS if step.process == process)


def _graphs(wanted: Collection[Work], *, whole: bool) -> tuple[Work, ...]:
    rows = [*_rows("graphs")]
    rows += [("without", row) for row in steps.without()] + [("extra", "flash-attn"), ("extra", "triton")]
    after = [("prefix", ""), ("launches", "")] if whole else []
    return (("ceiling", ""), *(row for row in rows if row in wanted), *after)


def work_of(fact: Any) -> Work | None:
    """What this is the answer to, or a part of it. None for the cold start: the stalls come after it."""
    if isinstance(fact, StepRow):
        return fact.table, fact.row
    if isinstance(fact, NewLengthStalls):
        return "stalls", fact.setting
    return next(((part, "") for kind, part in PARTS.items() if isinstance(fact, kind)), None)


def spoken(work: Work) -> str:
    names = {row: f"row {name}" for name, row in row_names().items()}
    return names.get(work) or " ".join(work).strip()
