"""One inspection from end to end: facts from this machine or from a paste, judged, as a report."""

from __future__ import annotations

import datetime
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from cudacheck import __version__
from cudacheck.model.facts import Facts
from cudacheck.model.report import ProbeRun, Report, Subject
from cudacheck.probes.chosen import Patient
from cudacheck.probes.host.system import System

MAX_INPUT_BYTES = 16 * 1024 * 1024


class InputError(ValueError):
    """What was given cannot be inspected; the words say why, in one line."""


@dataclass(frozen=True)
class Inspected:
    report: Report
    interrupted: bool = False


def live(
    python: str | None = None,
    *,
    bench: bool = True,
    timeout_s: float = 180,
    ignore: Collection[str] = (),
    progress: Callable[[Sequence[tuple[str, str, float]]], None] = lambda _: None,
) -> Inspected:
    """Inspect this machine and the interpreter that `python` names, else the active one.

    Raises InputError where there is no such interpreter, or on an operating system without live probing.
    """
    from cudacheck.probing import children, repeating
    from cudacheck.probing._processes import NoRoomError

    chosen = interpreter_for(python)
    clock = Stopwatch(timeout_s)
    without = {} if bench else {"benchmark": "--no-bench"}
    try:
        inspection = children.run(chosen, timeout_s=timeout_s, without=without, progress=progress, meanwhile=prepare)
    except NoRoomError as error:
        raise InputError(str(error)) from None
    report = judged(inspection.facts, inspection.runs, ignore, clock.seconds)
    doubtful = [] if inspection.interrupted else repeating.cases(report.findings)
    if doubtful and repeating.measure_again(inspection.facts, chosen, "benchmark", doubtful, clock.left_s):
        report = judged(inspection.facts, inspection.runs, ignore, clock.seconds)
    return Inspected(report, inspection.interrupted)


def interpreter_for(python: str | None) -> Patient:
    """The interpreter to inspect. Raises InputError where there is none, or where nothing live can be asked."""
    from cudacheck.probing import interpreter

    if not sys.platform.startswith("linux"):
        raise InputError("live probing is for Linux and WSL; judge a saved report or a paste with `--from FILE`")
    try:
        return interpreter.find(python)
    except interpreter.PatientError as error:
        raise InputError(str(error)) from None


class Stopwatch:
    """The time of one inspection."""

    def __init__(self, timeout_s: float) -> None:
        self.started = time.monotonic()
        self.timeout_s = timeout_s

    @property
    def seconds(self) -> float:
        return round(time.monotonic() - self.started, 2)

    @property
    def left_s(self) -> float:
        return self.timeout_s - self.seconds


def glimpse(python: str | None = None) -> Facts:
    """The facts that take no time: files and NVML, nothing imported, nothing run on a GPU."""
    from cudacheck import registry
    from cudacheck.probing import children, interpreter
    from cudacheck.probing._processes import NoRoomError

    slow = {"torch_import", "libcuda", "benchmark"}
    left_out = {p.name: "not asked for" for p in registry.probes() if p.name in slow or "torch_import" in p.after}
    try:
        inspection = children.run(interpreter.find(python), timeout_s=20, without=left_out)
    except (interpreter.PatientError, NoRoomError) as error:
        raise InputError(str(error)) from None
    if inspection.interrupted:
        raise KeyboardInterrupt  # half of the facts would be worse than none
    return inspection.facts


def pasted(files: Sequence[str], *, ignore: Collection[str] = ()) -> Inspected:
    """Judge what saved reports and pastes say. Raises InputError where nothing in them is understood."""
    texts = [("standard input" if name == "-" else name, _text(name)) for name in files]
    return Inspected(_judged_texts(texts, ignore))


def read(text: str, *, ignore: Collection[str] = ()) -> Report:
    """Judge one text. Raises InputError where nothing in it is understood."""
    return _judged_texts([("the text", text)], ignore)


def _judged_texts(texts: Sequence[tuple[str, str]], ignore: Collection[str]) -> Report:
    from cudacheck import sources

    try:
        facts = sources.read(texts)
    except sources.SourceError as error:
        raise InputError(str(error)) from None
    return judged(facts, facts.all(ProbeRun), ignore, None)


def prepare() -> None:
    """Import what judging and rendering need while the children work, on the other core."""
    from cudacheck import registry
    from cudacheck.judging import judge as judging
    from cudacheck.judging import verdict
    from cudacheck.render.formats import text

    registry.rules()
    _ = judging, verdict, text


def judged(facts: Facts, runs: Sequence[ProbeRun], ignore: Collection[str], seconds: float | None) -> Report:
    """The report on these facts."""
    from cudacheck import knowledge
    from cudacheck.judging.judge import judge
    from cudacheck.judging.verdict import verdict
    from cudacheck.speed import axes

    judgement = judge(facts, ignore=ignore)
    speed = axes.judged(facts)
    system = facts.one(System)
    return Report(
        subject=Subject(system.node, system.boot_id) if system else Subject(),
        verdict=verdict(facts, judgement.findings, judgement.unchecked, speed),
        findings=judgement.findings,
        unchecked=judgement.unchecked,
        probes=tuple(runs),
        facts=facts,
        speed=speed,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        seconds=seconds,
        cudacheck_version=__version__,
        knowledge_date=knowledge.as_of(),
    )


def _text(name: str) -> str:
    """The text of a file, or of stdin for `-`; bounded, whatever bytes it holds."""
    try:
        if name == "-" and sys.stdin is None:
            raise InputError("standard input is closed")
        if name == "-":
            data = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(MAX_INPUT_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror}") from None
    if len(data) > MAX_INPUT_BYTES:
        raise InputError(f"{name} is larger than {MAX_INPUT_BYTES // 1024 // 1024} MiB")
    encoding = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"  # PowerShell redirects as UTF-16
    return data.decode(encoding, "replace")
