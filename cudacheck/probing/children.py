"""Runs the probes in child processes: facts stream back; crash, hang and silence become outcomes.

Two children work side by side: the host child (our interpreter) and the patient child (the inspected one). When
one dies or overruns a probe's timeout, what it had told stays, the probe in flight gets the outcome, and a fresh
child goes on with the probes that are left.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from cudacheck.bench.options import VARIABLE, BenchOptions
from cudacheck.model import untrusted
from cudacheck.model.facts import Facts
from cudacheck.model.report import Outcome, ProbeRun
from cudacheck.probes import Probe
from cudacheck.probes.chosen import Patient
from cudacheck.probing._processes import (
    SharedFile,
    adopt_orphans,
    end_orphans,
    ended_gently,
    kill_session,
    living_children,
    temporary_place,
)
from cudacheck.registry import fact_types, probes

CHILD = Path(__file__).with_name("_child.py")
START_S = 20.0
"""How long an interpreter may take before its first probe starts (a cold network disk is slow)."""
KILL_S = 2.0
"""How long a killed child may take to die before it is called stuck."""
POLL_S = 0.005
LOG_BYTES = 4000
MAX_EVENT_BYTES = 16 * 1024 * 1024
MAX_FACTS = 20_000
MAX_LOG_BYTES = 256 * 1024 * 1024
"""More events are no facts, more output is no message: such a child is stopped before the disk is full."""
CHUNK_BYTES = 256 * 1024
"""Read at a time, so that a flood of events keeps nobody from looking at the clock."""
DRAIN_S = 0.3
"""How long the last events of a child that was stopped are read."""

Progress = Callable[[Sequence[tuple[str, str, float]]], None]
"""Told now and then which probe each child is in, and for how many seconds: (child, probe, seconds)."""


@dataclasses.dataclass
class Inspection:
    """What the probes told, and how each of them ended."""

    facts: Facts
    runs: list[ProbeRun]
    interrupted: bool = False


@dataclasses.dataclass
class Answer:
    """What one probe told in a child of its own, and how it ended."""

    facts: list[Any]
    run: ProbeRun
    interrupted: bool = False


def run(
    patient: Patient,
    *,
    timeout_s: float,
    without: dict[str, str] | None = None,
    asked: Mapping[str, BenchOptions] | None = None,
    alone: Collection[str] = (),
    progress: Progress = lambda _: None,
    heard: Callable[[Any], None] = lambda _: None,
    meanwhile: Callable[[], None] = lambda: None,
) -> Inspection:
    """Run every probe; `without` names those to leave out, each with the reason.

    `asked` names probes that run only on request, each with its options; `alone` those that the caller is going to
    `ask` by themselves, so that what they stand in for is not run either. `heard` is told each fact as it comes.
    `meanwhile` is called once, while the children work. Ctrl-C ends the children and keeps what is known.
    """
    left_out = {*(without or {}), *alone}
    chosen = [probe for probe in _asked_for({*(asked or {}), *alone}) if probe.name not in left_out]
    environment = {VARIABLE: options.dumps() for options in (asked or {}).values()}  # noqa: B035 - there is one at most
    # The inspected interpreter first: importing torch is what takes long.
    children = [
        Child(
            "patient",
            [patient.python, "-B"],
            [p for p in chosen if p.child == "patient"],
            environment=environment,
            heard=heard,
        ),
        # -E: what PYTHONPATH leads the patient to must not lead us; our own path goes along (see Child.start).
        Child("host", [sys.executable, "-E", "-B"], [p for p in chosen if p.child == "host"]),
    ]
    deadline = time.monotonic() + timeout_s
    interrupted = _watch(children, timeout_s, progress, meanwhile)
    if not interrupted:
        children[0].explain(patient.python, deadline)
    runs = [run for child in reversed(children) for run in child.runs]
    runs += [ProbeRun(p.name, p.child, Outcome.SKIPPED, None, why) for p, why in _left_out(without or {})]
    facts = Facts()
    facts.add(patient)
    for child in reversed(children):
        for fact in child.facts:
            facts.add(fact)
    for probe_run in runs:
        facts.add(probe_run)
        if probe_run.outcome is Outcome.OK:
            facts.mark_complete(*next(p.facts for p in probes() if p.name == probe_run.probe))
    facts.mark_complete(ProbeRun, *[t for name, t in fact_types().items() if name == "ErrorMessage"])
    return Inspection(facts, runs, interrupted)


class Ready:
    """A child for one patient probe, started before its turn: it imports what takes long, and waits.

    The probe finds a path as `go` among its options; what it does until that exists must disturb nobody.
    """

    def __init__(
        self,
        patient: Patient,
        probe: Probe,
        options: BenchOptions | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = tempfile.TemporaryDirectory(
            prefix="cudacheck-", dir=temporary_place(), ignore_cleanup_errors=True
        )
        self.go = Path(self.folder.name, "go")
        told = dataclasses.replace(options or BenchOptions(), go=str(self.go)).dumps()
        variables = {**_caches_in(self.folder.name), **(environment or {}), VARIABLE: told}
        self.child = Child("patient", [patient.python, "-B"], [probe], environment=variables)

    def begin(self, heard: Callable[[Any], None]) -> Child:
        with contextlib.suppress(OSError):  # where the folder is lost for good, the probe's timeout ends its waiting
            self.go.parent.mkdir(mode=0o700, exist_ok=True)
            self.go.touch()
        self.child.heard = heard
        return self.child

    def close(self) -> None:
        self.child.stop(Outcome.SKIPPED, "it was not needed")
        with contextlib.suppress(RecursionError):  # folders within folders, a thousand deep
            self.folder.cleanup()


def ask(
    patient: Patient,
    probe: Probe,
    *,
    timeout_s: float,
    whole_timeout_s: float | None = None,
    environment: Mapping[str, str] | None = None,
    options: BenchOptions | None = None,
    heard: Callable[[Any], None] = lambda _: None,
    ready: Ready | None = None,
) -> Answer:
    """One patient probe, alone in a fresh child; what it told until then where it did not finish.

    `timeout_s` is what is left of the whole run's, `whole_timeout_s`. Ctrl-C ends the child and keeps what it told.
    `ready` is a child that was started for this before.
    """
    with contextlib.closing(ready or Ready(patient, probe, options, environment)) as one:
        child = one.begin(heard)
        interrupted = _watch([child], timeout_s, lambda _: None, lambda: None, whole_timeout_s)
        (run,) = child.runs
    return Answer([fact for fact in child.facts if type(fact) in probe.facts], run, interrupted)


def again(
    patient: Patient,
    probe_name: str,
    *,
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
    options: BenchOptions | None = None,
    heard: Callable[[Any], None] = lambda _: None,
) -> list[Any]:
    """The facts of one patient probe, run once more."""
    probe = named(probe_name)
    return ask(patient, probe, timeout_s=timeout_s, environment=environment, options=options, heard=heard).facts


def named(probe_name: str) -> Probe:
    return next(probe for probe in probes() if probe.name == probe_name)


def _caches_in(folder: str) -> dict[str, str]:
    """Where compilers and model libraries keep what they make: with us, not in the user's home."""
    names = ("TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "HF_HOME")
    return {name: os.path.join(folder, name.lower()) for name in names}  # noqa: PTH118 - a string is what is set


def _asked_for(asked: Collection[str]) -> list[Probe]:
    """The probes that always run, those asked for, and none that one of these stands in for."""
    replaced = {name for probe in probes() if probe.name in asked for name in probe.instead_of}
    return [p for p in probes() if (p.name in asked or not p.on_request) and p.name not in replaced]


def _left_out(without: dict[str, str]) -> list[tuple[Probe, str]]:
    return [(probe, without[probe.name]) for probe in probes() if probe.name in without]


def _watch(
    children: list[Child],
    timeout_s: float,
    progress: Progress,
    meanwhile: Callable[[], None],
    whole_timeout_s: float | None = None,
) -> bool:
    """Start the children and see them through. Returns whether Ctrl-C, or another such signal, cut it short."""
    deadline = time.monotonic() + timeout_s
    with ended_gently(), _orphans_ended():
        try:
            for child in children:
                if child.process is None:
                    child.start()
            meanwhile()
            while not all(child.done for child in children):
                for child in children:
                    child.look()
                progress([child.state for child in children if not child.done])
                if time.monotonic() > deadline:
                    why = f"the whole run's limit of {whole_timeout_s or timeout_s:g} s (--timeout)"
                    _stop(children, Outcome.TIMED_OUT, why, cut_short=True)
                time.sleep(POLL_S)
        except KeyboardInterrupt:
            _stop(children, Outcome.SKIPPED, "interrupted", cut_short=True)
            return True
        finally:
            _stop(children, Outcome.SKIPPED, "the inspection ended")  # whatever was raised: no child outlives us
    return False


def _stop(children: Sequence[Child], outcome: Outcome, why: str, *, cut_short: bool = False) -> None:
    """All at once, so that they share the time it takes to die."""
    for child in children:
        if not child.done:
            child.signal()
    for child in children:
        child.stop(outcome, why, cut_short=cut_short)


@contextlib.contextmanager
def _orphans_ended() -> Iterator[None]:
    """What the children start and leave behind, in sessions of its own, is ended with them."""
    adopt_orphans(True)
    before = living_children()
    try:
        yield
    finally:
        end_orphans(before | Child.living, KILL_S / 2)
        if not Child.living:
            adopt_orphans(False)


class Child:
    """One process after another that work through a list of probes."""

    living: ClassVar[set[int]] = set()
    """The processes of all of them."""

    def __init__(
        self,
        kind: str,
        command: list[str],
        waiting: list[Probe],
        *,
        environment: Mapping[str, str] | None = None,
        heard: Callable[[Any], None] = lambda _: None,
    ) -> None:
        self.kind = kind
        self.command = command
        self.environment = environment or {}
        self.heard = heard
        self.waiting = list(waiting)
        self.facts: list[Any] = []
        self.runs: list[ProbeRun] = []
        self.process: subprocess.Popen[bytes] | None = None
        self.current: Probe | None = None
        self.since = self.timeout_since = time.monotonic()
        self.said_bye = False
        self.done = not waiting
        self.death_deadline = math.inf
        self.unborn = False
        """Its interpreter died before the first probe."""
        self._traceback = ""
        self._unread = ""
        self._events: SharedFile | None = None
        self._log: SharedFile | None = None
        self._read = 0
        self._partial = b""

    @property
    def state(self) -> tuple[str, str, float]:
        name = self.current.name if self.current else "starting"
        return self.kind, name, time.monotonic() - self.since

    def start(self) -> None:
        """Start a fresh process on the probes that are left."""
        self._skip_hopeless()
        if not self.waiting:
            self._end()
            return
        self._read, self._partial = 0, b""
        self.current, self.said_bye = None, False
        self.since = self.timeout_since = time.monotonic()
        # Our own imports must be found by the host child wherever we were installed; the patient gets nothing.
        paths = os.pathsep.join(sys.path) if self.kind == "host" else ""
        names = [probe.name for probe in self.waiting]
        self._close()
        self.death_deadline = math.inf
        self._events, self._log = SharedFile(), SharedFile()
        try:
            self.process = subprocess.Popen(
                [*self.command, str(CHILD), self._events.path, self.kind, paths, *names],
                stdin=subprocess.DEVNULL,
                stdout=self._log.fileno(),
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **self.environment},
            )
        except OSError as error:
            self._give_up(Outcome.CRASHED, f"the interpreter could not be started: {error.strerror or error}")
        else:
            self.living.add(self.process.pid)

    def look(self) -> None:
        """Take in what was told since the last look, and act when the child died or its time is over."""
        if self.done or self.process is None or self._log is None:
            return
        ended = self.process.poll() is not None  # asked before reading, so that nothing told is missed
        all_read = not self._take_in()
        if ended and all_read:
            self._kill()  # what it started may live on
            self._ended(self.process.returncode)
        elif self._read >= MAX_EVENT_BYTES or len(self.facts) > MAX_FACTS or self._log.size > MAX_LOG_BYTES:
            self._kill_and_go_on(Outcome.FAILED, "said more than any probe has to say")
        elif self._overdue():
            within = f"within {self._timeout_s():g} s"
            what = f"no answer {within}" if self.current else f"did not start {within}"
            self._kill_and_go_on(Outcome.TIMED_OUT, what)

    def stop(self, outcome: Outcome, why: str, *, cut_short: bool = False) -> None:
        """End it now: the probe in flight gets the outcome, the rest are skipped for the same reason."""
        if self.done:
            return
        by_signal, stuck = outcome is Outcome.SKIPPED, self._kill()
        deadline = time.monotonic() + DRAIN_S
        while self._take_in() and time.monotonic() < deadline:
            pass
        outcome = Outcome.STUCK if stuck else outcome
        in_flight = self.current.name if self.current else ""
        if self.current:
            self._finish(outcome, why, cut_short=cut_short)
            outcome, cut_short = Outcome.SKIPPED, cut_short and by_signal  # skipped and cut short is Ctrl-C's alone
        self._give_up(outcome, why, waited_for=in_flight, cut_short=cut_short)

    def _timeout_s(self) -> float:
        return self.current.timeout_s if self.current else START_S

    def _overdue(self) -> bool:
        return time.monotonic() - self.timeout_since > self._timeout_s()

    def _take_in(self) -> bool:
        """Read some of what was told. Returns whether there may be more."""
        if self._events is None or self._read >= MAX_EVENT_BYTES:
            return False
        fresh = self._events.read(CHUNK_BYTES, self._read)
        self._read += len(fresh)
        self._told(fresh)
        return len(fresh) == CHUNK_BYTES

    def _told(self, fresh: bytes) -> None:
        *lines, self._partial = (self._partial + fresh).split(b"\n")
        for line in lines:
            try:
                self._event(untrusted.parse(line, lenient=True))
            except (untrusted.MalformedError, LookupError, TypeError, ValueError):
                continue  # half a line of a dying child, or not ours

    def _event(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "start":
            self.current = next((p for p in self.waiting if p.name == event["probe"]), self.current)
            self.since = self.timeout_since = time.monotonic()
        elif kind == "fact":
            self._hear(event["type"], event["fields"])
        elif kind == "traceback":
            self._traceback = untrusted.value(str, event["text"])
        elif kind == "end":
            seconds = untrusted.value(float | None, event["seconds"])
            self._finish(
                Outcome(event["outcome"]),
                untrusted.value(str, event["detail"]),
                seconds,
                waited_for=untrusted.value(str, event["waited_for"]),
            )
        elif kind == "bye":
            self.said_bye = True

    def _hear(self, type_name: str, fields: Any) -> None:
        """A fact; one that does not fit makes its list incomplete, so its probe has failed."""
        fact_type = fact_types().get(untrusted.value(str, type_name))
        try:
            if fact_type is None:
                raise untrusted.MalformedError("no such fact is declared")
            fact = untrusted.record(fact_type, fields)
        except untrusted.MalformedError as error:
            self._unread = f"told a {str(type_name)[:80]} that is none: {error}"
            return
        if self.current and self.current.per_fact:
            self.timeout_since = time.monotonic()
        self.facts.append(fact)
        self.heard(fact)

    def _finish(
        self,
        outcome: Outcome,
        detail: str,
        seconds: float | None = None,
        *,
        waited_for: str = "",
        cut_short: bool = False,
    ) -> None:
        """Record how the probe in flight ended."""
        if self.current is None:
            return
        if seconds is None:
            seconds = round(time.monotonic() - self.since, 3)
        if outcome is Outcome.OK and self._unread:
            outcome, detail = Outcome.FAILED, self._unread
        log = ""
        if outcome not in {Outcome.OK, Outcome.SKIPPED}:
            log = self._traceback if outcome is Outcome.FAILED else self._last_words()
        self.runs.append(ProbeRun(self.current.name, self.kind, outcome, seconds, detail, log, waited_for, cut_short))
        self.waiting.remove(self.current)
        self.current = None
        self._traceback = self._unread = ""
        self.since = self.timeout_since = time.monotonic()

    def _skip_hopeless(self) -> None:
        """Skip the probes that come after one that did not finish: they would die of the same."""
        ended = {run.probe: run for run in self.runs}
        for probe in list(self.waiting):
            blocker = next((ended[a] for a in probe.after if a in ended and ended[a].outcome is not Outcome.OK), None)
            if blocker:
                ended[probe.name] = _waiting_for(blocker, probe.name, self.kind)
                self.runs.append(ended[probe.name])
                self.waiting.remove(probe)

    def _ended(self, code: int) -> None:
        if self.said_bye or not self.waiting:
            self._end()
        elif self.current is None:
            self.unborn = True
            self._give_up(Outcome.CRASHED, f"the interpreter {_death(code)} before its first probe")
        else:
            self._finish(Outcome.CRASHED, _death(code))
            self.start()

    def _kill_and_go_on(self, outcome: Outcome, why: str) -> None:
        outcome = Outcome.STUCK if self._kill() else outcome
        if self.current is None:
            self.unborn = outcome is Outcome.TIMED_OUT
            self._give_up(outcome, f"the interpreter {why}")
        else:
            self._finish(outcome, why)
            self.start()

    def explain(self, python: str, deadline: float) -> None:
        """Say what keeps the interpreter from starting, where it did not come to its first probe."""
        if self.unborn and self.runs:
            from cudacheck.probing.starting import why_not

            given_up = next(run for run in self.runs if run.detail.startswith("the interpreter "))
            why = why_not(python, given_up.log, deadline)
            detail = f"{given_up.detail}: {why}" if why else given_up.detail
            self.runs = [
                dataclasses.replace(run, detail=detail) if run.detail == given_up.detail else run for run in self.runs
            ]

    def signal(self) -> None:
        """Kill the child's whole session, without waiting."""
        if self.process is not None:
            kill_session(self.process)
            self.death_deadline = min(self.death_deadline, time.monotonic() + KILL_S)

    def _kill(self) -> bool:
        """End the child's whole session. Returns whether it is stuck: alive after SIGKILL, so in the kernel."""
        if self.process is None:
            return False
        self.signal()
        try:
            self.process.wait(max(0.0, self.death_deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return True
        self.living.discard(self.process.pid)
        return False

    def _give_up(self, outcome: Outcome, why: str, *, waited_for: str = "", cut_short: bool = False) -> None:
        """No child can go on: the first probe that is left gets the outcome, the others are skipped for it."""
        log = self._last_words() if outcome is not Outcome.SKIPPED else ""
        for probe in self.waiting:
            self.runs.append(ProbeRun(probe.name, self.kind, outcome, None, why, log, waited_for, cut_short))
            outcome, log, waited_for, cut_short = Outcome.SKIPPED, "", waited_for or probe.name, False
        self.waiting.clear()
        self._end()

    def _end(self) -> None:
        self.current = None
        self.done = True
        self._close()

    def _close(self) -> None:
        for file in (self._events, self._log):
            if file is not None:
                file.close()

    def _last_words(self) -> str:
        """The end of what the child printed: faulthandler's stack, the loader's complaint."""
        if self._log is None:
            return ""
        return self._log.read(LOG_BYTES, max(0, self._log.size - LOG_BYTES)).decode("utf-8", "replace").strip()


def _waiting_for(blocker: ProbeRun, probe: str, child: str) -> ProbeRun:
    """The run of a probe that could not begin, as another one did not come to its end."""
    if blocker.outcome is Outcome.SKIPPED:
        return dataclasses.replace(blocker, probe=probe, child=child, waited_for=blocker.waited_for)
    why = f"{blocker.probe} {blocker.outcome}"
    return ProbeRun(probe, child, Outcome.SKIPPED, None, why, waited_for=blocker.probe)


def _death(code: int) -> str:
    """How a process ended, in words: `died of SIGSEGV (11)`, `exited with status 3`."""
    if code >= 0:
        return f"exited with status {code}"
    try:
        return f"died of {signal.Signals(-code).name} ({-code})"
    except ValueError:
        return f"died of signal {-code}"
