"""`cudacheck bench steps` from end to end: the doctor's inspection, then group after group of rows, in fresh children.

What kills its process costs one row: the rows that are left of its group go on in another child.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cudacheck.bench.options import BenchOptions, of_environment
from cudacheck.bench.steps import options_of
from cudacheck.commands.doctor import InputError, Inspected, Stopwatch, interpreter_for, judged, prepare
from cudacheck.model.facts import Facts
from cudacheck.model.report import Outcome, ProbeRun
from cudacheck.probes import Probe
from cudacheck.probes.chosen import Patient
from cudacheck.probes.patient.bench_steps import ColdStart, NewLengthStalls, PrefixReuse, StepRow
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.probing import children
from cudacheck.probing._processes import NoRoomError, ended_gently
from cudacheck.probing.repeating import LEAST_S
from cudacheck.speed.steps.groups import LADDERS, TABLES, Group, Plan, Work, plan, row_names, spoken, work_of

PROBE = "bench_steps"
NO_TIME = "no time was left (--timeout)"
COMPILES_LONGER = 4
SPARE_CORES = 4
"""From so many on the next child may import torch, which keeps one busy, while another launches kernels."""


def steps(
    python: str | None = None,
    *,
    quick: bool = False,
    rows: Collection[str] = (),
    device: int = 0,
    stack: bool = False,
    concurrency: bool = False,
    compile: bool = False,  # noqa: A002 - the option's name
    timeout_s: float = 300,
    ignore: Collection[str] = (),
    progress: children.Progress = lambda _: None,
    heard: Callable[[Any], None] = lambda _: None,
) -> Inspected:
    """Inspect and measure. `heard` is told the Plan, each Group as it begins, and each fact.

    Raises InputError for a patient that cannot be used, and for unknown rows.
    """
    unknown = sorted({*rows} - {*row_names()})
    if unknown:
        raise InputError(f"no row is called {unknown[0]!r}; the rows are {' '.join(row_names())}")
    planned = plan(quick=quick, rows=rows, stack=stack, concurrency=concurrency, compile=compile)
    chosen, clock = interpreter_for(python), Stopwatch(timeout_s)
    try:
        with ended_gently():  # between two children, too: one that waits its turn has a folder
            inspection = children.run(
                chosen, timeout_s=timeout_s, alone=[PROBE], progress=progress, heard=heard, meanwhile=prepare
            )
            runner = GroupRunner(chosen, inspection.facts, clock, device, quick=quick, heard=heard)
            if not inspection.interrupted:
                runner.measure(planned)
    except NoRoomError as error:
        raise InputError(str(error)) from None
    # No kernels were timed, and none were meant to be.
    inspection.facts.mark_complete(Measurement)
    report = judged(inspection.facts, [*inspection.runs, *runner.runs], ignore, clock.seconds)
    return Inspected(report, inspection.interrupted or runner.interrupted)


@dataclass
class GroupRunner:
    """Works through groups on one GPU. What the children tell goes into `facts`, how each ended into `runs`."""

    patient: Patient
    facts: Facts
    clock: Stopwatch
    device: int
    quick: bool = False
    heard: Callable[[Any], None] = lambda _: None
    runs: list[ProbeRun] = field(default_factory=list)
    halted: str = ""
    """Why no more children are started."""
    interrupted: bool = False
    ready: tuple[Group, children.Ready] | None = None
    """The child of the group that comes next."""
    dead: set[Work] = field(default_factory=set)
    """What ended a process is not tried again."""

    def __post_init__(self) -> None:
        self.options = dataclasses.replace(of_environment(), quick=self.quick, device=self.device)
        probe = children.named(PROBE)
        self.probe = dataclasses.replace(probe, timeout_s=self.options.timeout_s or probe.timeout_s)
        early = self.options.early
        self.early = cores() >= SPARE_CORES if early is None else early
        uuids = {device.index: device.uuid for device in self.facts.all(TorchDevice)}
        self.named: dict[str, Any] = {"device_index": self.device, "device_uuid": uuids.get(self.device)}

    def measure(self, planned: Plan) -> None:
        working = sorted({run.device_index for run in self.facts.all(KernelRun) if run.ok})
        if self.device in working:
            self.heard(planned)
            try:
                for group, following in zip(planned.groups, (*planned.groups[1:], None), strict=True):
                    self._measure(group, following)
            finally:
                self._get_ready(None)
        else:
            which = f": PyTorch has {working}" if working else ""
            self.halted = f"no kernel ran on a GPU {self.device} here{which}"
        if not all(run.outcome is Outcome.OK for run in self.runs):
            return
        if self.halted:
            self._ended(ProbeRun(PROBE, "patient", Outcome.SKIPPED, None, self.halted))
        else:
            self.facts.mark_complete(*self.probe.facts)

    def _measure(self, group: Group, following: Group | None) -> None:
        """In one child, and another one after each that did not come to its end."""
        left = [*group.work]
        self.heard(group)
        while left and not self._halts():
            answer = self._ask(group, left, following)
            run = answer.run
            left = [work for work in left if work not in {work_of(fact) for fact in answer.facts}]
            if run.outcome is Outcome.OK:
                self._ended(dataclasses.replace(run, detail=group.name))
                if not _gave_up(answer.facts):
                    return
            elif run.outcome is Outcome.SKIPPED or self.halted == NO_TIME:
                self._ended(run)
                self._skip(left, self.halted or run.detail)
                return
            else:
                fatal = left.pop(0) if left else group.work[-1]  # what tells many facts comes last
                self.dead.add(fatal)
                self._blame(fatal, run)
                if run.outcome is Outcome.FAILED and fatal[0] in TABLES:  # no row's fault: those catch what they raise
                    self._skip(left, run.detail)
                    return
        self._skip(left, self.halted)

    def _halts(self) -> bool:
        if not self.halted and self.clock.left_s < LEAST_S:
            self.halted = NO_TIME
        return bool(self.halted)

    def _get_ready(self, group: Group | None) -> None:
        """Let the next child import torch while this one measures; where there are few cores, it would disturb."""
        if self.ready and group is None:
            self.ready[1].close()
            self.ready = None
        elif group and self.ready is None and self.early and not self.halted:
            self.ready = group, children.Ready(self.patient, self._probe(group), self._options(group, group.work))
            self.ready[1].child.start()

    def _probe(self, group: Group) -> Probe:
        """A fact of a group that compiles may take minutes where there are few cores."""
        longer = COMPILES_LONGER if group.name in {"compile", "stack"} else 1
        return dataclasses.replace(self.probe, timeout_s=self.probe.timeout_s * longer)

    def _options(self, group: Group, left: Sequence[Work]) -> BenchOptions:
        return dataclasses.replace(
            self.options,
            group=group.name,
            parts=tuple(dict.fromkeys("rows" if part in LADDERS else part for part, _ in left)),
            setting=next((about for part, about in left if part == "stalls"), None),
            rows=tuple(work for work in left if work[0] in TABLES),
            launched=tuple(row for row in group.launched if row not in self.dead),
        )

    def _ask(self, group: Group, left: Sequence[Work], following: Group | None) -> children.Answer:
        ready = None
        if self.ready and self.ready[0] is group:
            (_, ready), self.ready = self.ready, None

        def heard(fact: Any) -> None:
            if not isinstance(fact, ColdStart):  # stalls come next: an import beside them makes new lengths look slow
                self._get_ready(following)
            self.heard(fact)

        try:
            answer = children.ask(
                self.patient,
                self._probe(group),
                timeout_s=self.clock.left_s,
                whole_timeout_s=self.clock.timeout_s,
                options=self._options(group, left),
                heard=heard,
                ready=ready,
            )
        except KeyboardInterrupt:  # before the child started, or after it had ended
            ended = ProbeRun(PROBE, "patient", Outcome.SKIPPED, None, "interrupted", cut_short=True)
            answer = children.Answer([], ended, interrupted=True)
        for fact in answer.facts:
            self.facts.add(fact)
        if answer.interrupted:
            self.halted, self.interrupted = "interrupted", True
        elif answer.run.outcome is Outcome.STUCK:
            self.halted = f"a process {answer.run.detail}, and is stuck in the kernel"
        elif answer.run.outcome is not Outcome.OK and self.clock.left_s <= 0:
            self.halted = NO_TIME
        return answer

    def _ended(self, run: ProbeRun) -> None:
        self.runs.append(run)
        self.facts.add(run)

    def _blame(self, work: Work, run: ProbeRun) -> None:
        """Tell what the process was doing when it ended so."""
        self._ended(dataclasses.replace(run, detail=f"{spoken(work)}: {run.detail}"))
        part, about = work
        if part in TABLES:
            self._tell(self._row(work, error=run.detail))
        elif part == "stalls":
            self._tell(NewLengthStalls(setting=about, **self.named, error=run.detail))
        elif part == "prefix":
            self._tell(PrefixReuse(**self.named, error=run.detail))

    def _skip(self, left: Iterable[Work], why: str) -> None:
        for work in left:
            if work[0] in TABLES:
                self._tell(self._row(work, skipped=why))

    def _row(self, work: Work, **why: Any) -> StepRow:
        table, row = work
        float32 = table in LADDERS and options_of(table, row).dtype == "float32"
        return StepRow(row, table, **self.named, dtype="float32" if float32 else "bfloat16", **why)

    def _tell(self, fact: Any) -> None:
        self.facts.add(fact)
        self.heard(fact)


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _gave_up(told: Sequence[Any]) -> bool:
    """The probe ends early, after a row with an error, where the GPU answers nothing any more in that process."""
    return bool(told) and bool(getattr(told[-1], "error", None))
