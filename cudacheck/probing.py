"""Runs the probes in child processes: facts stream back; crash, hang and silence become outcomes.

Two children work side by side: the host child (our interpreter) and the target child (the inspected one). When
one dies or overruns a probe's limit, what it had told stays, the probe in flight gets the outcome, and a fresh
child goes on with the probes that are left.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from cudacheck.facts import Facts
from cudacheck.registry import Probe, fact_types, probes
from cudacheck.report import Outcome, ProbeRun
from cudacheck.target import Target

CHILD = Path(__file__).with_name("_child.py")
START_S = 20.0
"""How long an interpreter may take before its first probe starts (a cold network disk is slow)."""
KILL_S = 2.0
"""How long a killed child may take to die before it is called stuck."""
POLL_S = 0.005
LOG_BYTES = 4000
MAX_EVENT_BYTES = 64 * 1024 * 1024
MAX_LOG_BYTES = 256 * 1024 * 1024
"""More events are no facts, more output is no message: such a child is stopped before the disk is full."""

OPTIONS = "CUDACHECK_BENCH"
"""The variable through which a command tells its options to the probe that it asks for, as JSON."""

Options = dict[str, Any]
"""JSON-native."""

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
    target: Target,
    *,
    timeout_s: float,
    without: dict[str, str] | None = None,
    asked: Mapping[str, Options] | None = None,
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
    environment = {OPTIONS: json.dumps(options) for options in (asked or {}).values()}  # noqa: B035 - there is one at most
    # The inspected interpreter first: importing torch is what takes long.
    with _scratch_folder() as folder:
        children = [
            Child(
                "target",
                [target.python, "-B"],
                [p for p in chosen if p.child == "target"],
                folder,
                environment=environment,
                heard=heard,
            ),
            # -E: what PYTHONPATH leads the patient to must not lead us; our own path goes along (see Child.start).
            Child("host", [sys.executable, "-E", "-B"], [p for p in chosen if p.child == "host"], folder),
        ]
        interrupted = _watch(children, timeout_s, progress, meanwhile)
    runs = [run for child in reversed(children) for run in child.runs]
    runs += [ProbeRun(p.name, p.child, Outcome.SKIPPED, None, why) for p, why in _left_out(without or {})]
    facts = Facts()
    facts.add(target)
    for child in reversed(children):
        for fact in child.facts:
            facts.add(fact)
    for probe_run in runs:
        facts.add(probe_run)
        if probe_run.outcome is Outcome.OK:
            facts.know(*next(p.fact_types for p in probes() if p.name == probe_run.probe))
    facts.know(ProbeRun, *[t for name, t in fact_types().items() if name == "ErrorMessage"])
    return Inspection(facts, runs, interrupted)


class Ready:
    """A child for one target probe, started before its turn: it imports what takes long, and waits.

    The probe finds a path as `go` among its options; what it does until that exists must disturb nobody.
    """

    def __init__(
        self,
        target: Target,
        probe: Probe,
        options: Options | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = _scratch_folder()
        self.go = Path(self.folder.name, "go")
        told = json.dumps({**(options or {}), "go": str(self.go)})
        variables = {**_caches_in(self.folder.name), **(environment or {}), OPTIONS: told}
        self.child = Child("target", [target.python, "-B"], [probe], self.folder.name, environment=variables)

    def begin(self, heard: Callable[[Any], None]) -> Child:
        self.go.touch()
        self.child.heard = heard
        return self.child

    def close(self) -> None:
        self.child.stop(Outcome.SKIPPED, "it was not needed")
        self.folder.cleanup()


def ask(
    target: Target,
    probe: Probe,
    *,
    timeout_s: float,
    whole_s: float | None = None,
    environment: Mapping[str, str] | None = None,
    options: Options | None = None,
    heard: Callable[[Any], None] = lambda _: None,
    ready: Ready | None = None,
) -> Answer:
    """One target probe, alone in a fresh child; what it told until then where it did not finish.

    `timeout_s` is what is left of the whole run's `whole_s`. Ctrl-C ends the child and keeps what it told.
    `ready` is a child that was started for this before.
    """
    with contextlib.closing(ready or Ready(target, probe, options, environment)) as one:
        child = one.begin(heard)
        interrupted = _watch([child], timeout_s, lambda _: None, lambda: None, whole_s)
        (run,) = child.runs
    return Answer([fact for fact in child.facts if type(fact) in probe.fact_types], run, interrupted)


def again(
    target: Target,
    probe_name: str,
    *,
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
    options: Options | None = None,
    heard: Callable[[Any], None] = lambda _: None,
) -> list[Any]:
    """The facts of one target probe, run once more."""
    probe = named(probe_name)
    return ask(target, probe, timeout_s=timeout_s, environment=environment, options=options, heard=heard).facts


def named(probe_name: str) -> Probe:
    return next(probe for probe in probes() if probe.name == probe_name)


def options_in_environment() -> Options:
    """Tiny sizes, where a test asks for them in the very variable that tells the probe."""
    options: Options = json.loads(os.environ.get(OPTIONS) or "{}")
    return options


def _caches_in(folder: str) -> dict[str, str]:
    """Where compilers and model libraries keep what they make: with us, not in the user's home."""
    names = ("TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "HF_HOME")
    return {name: os.path.join(folder, name.lower()) for name in names}  # noqa: PTH118 - a string is what is set


def _asked_for(asked: Collection[str]) -> list[Probe]:
    """The probes that always run, those asked for, and none that one of these stands in for."""
    replaced = {name for probe in probes() if probe.name in asked for name in probe.instead_of}
    return [p for p in probes() if (p.name in asked or not p.on_request) and p.name not in replaced]


class NoRoomError(OSError):
    """There is no folder to write the children's events to."""


def _scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for events and logs: the usual temporary one, or shared memory where the file system is read-only."""
    for place in (None, "/dev/shm"):  # noqa: S108 - made with a random name, for this user only
        try:
            return tempfile.TemporaryDirectory(prefix="cudacheck-", dir=place, ignore_cleanup_errors=True)
        except OSError:
            continue
    raise NoRoomError("no writable temporary folder; set TMPDIR to one")


def _left_out(without: dict[str, str]) -> list[tuple[Probe, str]]:
    return [(probe, without[probe.name]) for probe in probes() if probe.name in without]


def _watch(
    children: list[Child],
    timeout_s: float,
    progress: Progress,
    meanwhile: Callable[[], None],
    whole_s: float | None = None,
) -> bool:
    """Start the children and see them through. Returns whether Ctrl-C (or SIGTERM) cut it short."""
    deadline = time.monotonic() + timeout_s
    previous = _terminate_like_interrupt()
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
                for child in children:
                    child.stop(Outcome.TIMED_OUT, f"the whole run's limit of {whole_s or timeout_s:g} s (--timeout)")
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        for child in children:
            child.stop(Outcome.SKIPPED, "interrupted")
        return True
    finally:
        for child in children:
            child.stop(Outcome.SKIPPED, "the inspection ended")  # whatever was raised: no child outlives us
        for number, handler in previous.items():
            signal.signal(number, handler)
    return False


def _terminate_like_interrupt() -> dict[int, Any]:
    """A SIGTERM, or a terminal that is gone, must not leave children behind: they live in sessions of their own."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    try:
        return {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    except ValueError:  # not the main thread: a caller's own business
        return {}


class Child:
    """One process after another that work through a list of probes."""

    def __init__(
        self,
        kind: str,
        command: list[str],
        waiting: list[Probe],
        folder: str,
        *,
        environment: Mapping[str, str] | None = None,
        heard: Callable[[Any], None] = lambda _: None,
    ) -> None:
        self.kind = kind
        self.command = command
        self.environment = environment or {}
        self.heard = heard
        self.waiting = list(waiting)
        self.folder = Path(folder)
        self.facts: list[Any] = []
        self.runs: list[ProbeRun] = []
        self.generation = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.current: Probe | None = None
        self.since = self.limit_since = time.monotonic()
        self.said_bye = False
        self.done = not waiting
        self._traceback = ""
        self._read = 0
        self._partial = b""

    @property
    def state(self) -> tuple[str, str, float]:
        name = self.current.name if self.current else "starting"
        return self.kind, name, time.monotonic() - self.since

    @property
    def _events(self) -> Path:
        return self.folder / f"{self.kind}-{self.generation}.jsonl"

    @property
    def _log(self) -> Path:
        return self.folder / f"{self.kind}-{self.generation}.log"

    def start(self) -> None:
        """Start a fresh process on the probes that are left."""
        self._skip_hopeless()
        if not self.waiting:
            self.done = True
            return
        self.generation += 1
        self._read, self._partial = 0, b""
        self.current, self.said_bye = None, False
        self.since = self.limit_since = time.monotonic()
        self._events.touch()
        # Our own imports must be found by the host child wherever we were installed; the target gets nothing.
        paths = os.pathsep.join(sys.path) if self.kind == "host" else ""
        names = [probe.name for probe in self.waiting]
        try:
            with self._log.open("wb") as log:
                self.process = subprocess.Popen(
                    [*self.command, str(CHILD), str(self._events), self.kind, paths, *names],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    env={**os.environ, **self.environment},
                )
        except OSError as error:
            self._give_up(Outcome.CRASHED, f"the interpreter could not be started: {error.strerror or error}")

    def look(self) -> None:
        """Take in what was told since the last look, and act when the child died or a limit has passed."""
        if self.done or self.process is None:
            return
        ended = self.process.poll() is not None  # asked before reading, so that nothing told is missed
        self._take_in()
        if ended:
            self._kill()  # what it started may live on
            self._ended(self.process.returncode)
        elif self._read >= MAX_EVENT_BYTES or self._log.stat().st_size > MAX_LOG_BYTES:
            self._kill_and_go_on(Outcome.FAILED, "said more than any probe has to say")
        elif self._overdue():
            limit = self.current.timeout_s if self.current else START_S
            what = f"no answer within {limit:g} s" if self.current else f"did not start within {limit:g} s"
            self._kill_and_go_on(Outcome.TIMED_OUT, what)

    def stop(self, outcome: Outcome, why: str) -> None:
        """End it now: the probe in flight gets the outcome, the rest are skipped for the same reason."""
        if self.done:
            return
        stuck = self._kill()
        self._take_in()
        self._finish(Outcome.STUCK if stuck else outcome, why)
        self._give_up(Outcome.SKIPPED, why)

    def _overdue(self) -> bool:
        limit = self.current.timeout_s if self.current else START_S
        return time.monotonic() - self.limit_since > limit

    def _take_in(self) -> None:
        with self._events.open("rb") as file:
            file.seek(self._read)
            fresh = file.read(MAX_EVENT_BYTES - self._read)
        self._read += len(fresh)
        *lines, self._partial = (self._partial + fresh).split(b"\n")
        for line in lines:
            try:
                self._event(json.loads(line, parse_constant=lambda _: None))
            except (ValueError, KeyError, TypeError):
                continue  # half a line of a dying child, or not ours

    def _event(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "start":
            self.current = next((p for p in self.waiting if p.name == event["probe"]), None)
            self.since = self.limit_since = time.monotonic()
        elif kind == "fact":
            fact = _fact(event["type"], event["fields"])
            if self.current and self.current.per_fact:
                self.limit_since = time.monotonic()
            self.facts.append(fact)
            self.heard(fact)
        elif kind == "traceback":
            self._traceback = event["text"]
        elif kind == "end":
            self._finish(Outcome(event["outcome"]), event["detail"], event["seconds"])
        elif kind == "bye":
            self.said_bye = True

    def _finish(self, outcome: Outcome, detail: str, seconds: float | None = None) -> None:
        """Record how the probe in flight ended."""
        if self.current is None:
            return
        if seconds is None:
            seconds = round(time.monotonic() - self.since, 3)
        log = ""
        if outcome not in {Outcome.OK, Outcome.SKIPPED}:
            log = self._traceback if outcome is Outcome.FAILED else self._last_words()
        self.runs.append(ProbeRun(self.current.name, self.kind, outcome, seconds, detail, log))
        self.waiting.remove(self.current)
        self.current = None
        self._traceback = ""
        self.since = self.limit_since = time.monotonic()

    def _skip_hopeless(self) -> None:
        """Skip the probes that come after one that did not finish: they would die of the same."""
        ended = {run.probe: run for run in self.runs}
        for probe in list(self.waiting):
            blocker = next((ended[a] for a in probe.after if a in ended and ended[a].outcome is not Outcome.OK), None)
            if blocker:
                why = blocker.detail if blocker.outcome is Outcome.SKIPPED else f"{blocker.probe} {blocker.outcome}"
                ended[probe.name] = ProbeRun(probe.name, self.kind, Outcome.SKIPPED, None, why)
                self.runs.append(ended[probe.name])
                self.waiting.remove(probe)

    def _ended(self, code: int) -> None:
        if self.said_bye or not self.waiting:
            self.done = True
        elif self.current is None:
            self._give_up(
                Outcome.CRASHED,
                f"the interpreter {_death(code)} before its first probe; it must be Python 3.8 or newer",
            )
        else:
            self._finish(Outcome.CRASHED, _death(code))
            self.start()

    def _kill_and_go_on(self, outcome: Outcome, why: str) -> None:
        outcome = Outcome.STUCK if self._kill() else outcome
        if self.current is None:
            self._give_up(outcome, f"the interpreter {why}")
        else:
            self._finish(outcome, why)
            self.start()

    def _kill(self) -> bool:
        """End the child's whole session. Returns whether it is stuck: alive after SIGKILL, so in the kernel."""
        if self.process is None:
            return False
        if os.name == "posix":
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        else:
            self.process.kill()
        try:
            self.process.wait(KILL_S)
        except subprocess.TimeoutExpired:
            return True
        return False

    def _give_up(self, outcome: Outcome, why: str) -> None:
        """No child can go on: the first probe that is left gets the outcome, the others are skipped for it."""
        log = self._last_words() if outcome is not Outcome.SKIPPED else ""
        for probe in self.waiting:
            self.runs.append(ProbeRun(probe.name, self.kind, outcome, None, why, log))
            outcome, log = Outcome.SKIPPED, ""
        self.waiting.clear()
        self.current = None
        self.done = True

    def _last_words(self) -> str:
        """The end of what the child printed: faulthandler's stack, the loader's complaint."""
        try:
            with self._log.open("rb") as file:
                file.seek(max(0, self._log.stat().st_size - LOG_BYTES))
                return file.read(LOG_BYTES).decode("utf-8", "replace").strip()
        except OSError:
            return ""


def _fact(type_name: str, fields: dict[str, Any]) -> Any:
    """A fact out of a child's JSON; lists become the tuples that frozen facts hold."""
    return fact_types()[type_name](**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})


def _death(code: int) -> str:
    """How a process ended, in words: `died of SIGSEGV (11)`, `exited with status 3`."""
    if code >= 0:
        return f"exited with status {code}"
    try:
        return f"died of {signal.Signals(-code).name} ({-code})"
    except ValueError:
        return f"died of signal {-code}"
