"""One inspection from end to end: facts from this machine or from a paste, judged, as a report."""

from __future__ import annotations

import dataclasses
import datetime
import gzip
import io
import sys
import time
import zlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from cudacheck import __version__
from cudacheck.bench.options import BenchOptions, of_environment
from cudacheck.model.facts import Facts
from cudacheck.model.report import ProbeRun, Report, RequirementResult, Subject
from cudacheck.probes.chosen import Patient, Required
from cudacheck.probes.host.system import System

MAX_INPUT_BYTES = 16 * 1024 * 1024


MAX_FILES = 200
"""Of a folder."""
GZIP = b"\x1f\x8b"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""As PowerShell redirects."""


class InputError(ValueError):
    """What was given cannot be inspected; the words say why, in one line."""


@dataclass(frozen=True)
class Inspected:
    report: Report
    interrupted: bool = False
    told: tuple[str, ...] = ()
    """To be said beside the report, one line each."""


def live(
    python: str | None = None,
    *,
    bench: bool = True,
    timeout_s: float = 180,
    ignore: Collection[str] = (),
    required: Sequence[Required] = (),
    progress: Callable[[Sequence[tuple[str, str, float]]], None] = lambda _: None,
) -> Inspected:
    """Inspect this machine and the interpreter that `python` names, else the active one.

    `required` holds requirements that can be understood. Raises InputError where there is no such interpreter, or on an
    operating system without live probing.
    """
    from cudacheck.probing import children, repeating
    from cudacheck.probing._processes import NoRoomError

    chosen = interpreter_for(python)
    clock = Stopwatch(timeout_s)
    without = {} if bench else {"benchmark": "--no-bench"}
    asked = _asked(required)
    try:
        inspection = children.run(
            chosen,
            timeout_s=timeout_s,
            without=without,
            asked=asked,
            progress=progress,
            meanwhile=prepare,
        )
    except NoRoomError as error:
        raise InputError(str(error)) from None
    for one in required:
        inspection.facts.add(one)
    report = judged(inspection.facts, inspection.runs, ignore, clock.seconds)
    doubtful = [] if inspection.interrupted else repeating.cases(report.findings)
    if doubtful and repeating.measure_again(
        inspection.facts, chosen, "benchmark", doubtful, clock.left_s, asked.get("benchmark")
    ):
        report = judged(inspection.facts, inspection.runs, ignore, clock.seconds)
    return Inspected(report, inspection.interrupted)


def _asked(required: Sequence[Required]) -> dict[str, BenchOptions]:
    """The probes that run for what is required, with what they are told: one value for all of them."""
    if not required:
        return {}
    from cudacheck import requirements

    specs = [one.spec for one in required]
    options = dataclasses.replace(
        of_environment(), also=requirements.cases(specs), packages=requirements.packages(specs)
    )
    asked = {"benchmark": bool(options.also), "required_packages": bool(options.packages)}
    return {probe: options for probe, wanted in asked.items() if wanted}


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


def glimpse(python: str | None = None, only: Collection[str] = ()) -> Facts:
    """The facts that take no time: files and NVML, nothing imported, nothing run on a GPU.

    `only`: of these probes.
    """
    from cudacheck import registry
    from cudacheck.probing import children, interpreter
    from cudacheck.probing._processes import NoRoomError

    slow = {"torch_import", "libcuda", "benchmark"}
    left_out = {
        p.name: "not asked for"
        for p in registry.probes()
        if p.name in slow or "torch_import" in p.after or (only and p.name not in only)
    }
    try:
        inspection = children.run(interpreter.find(python), timeout_s=20, without=left_out)
    except (interpreter.PatientError, NoRoomError) as error:
        raise InputError(str(error)) from None
    if inspection.interrupted:
        raise KeyboardInterrupt  # half of the facts would be worse than none
    return inspection.facts


def pasted(files: Sequence[str], *, ignore: Collection[str] = (), required: Sequence[Required] = ()) -> Inspected:
    """Judge what saved reports and pastes say. Raises InputError where nothing in them is understood.

    Where another says something, one that says nothing is named; a folder's files may.
    """
    folders = [name for name in files if name != "-" and _is_folder(name)]
    below = {str(path): None for name in folders for path in _files_in(Path(name))}
    names = [*(name for name in files if name not in folders), *below]
    texts = [("standard input" if name == "-" else name, text_of(name)) for name in names]
    return _judged_texts(texts, ignore, required, perhaps=below)


def read(text: str, *, ignore: Collection[str] = (), required: Sequence[Required] = ()) -> Report:
    """Judge one text. Raises InputError where nothing in it is understood."""
    return _judged_texts([("the text", text)], ignore, required).report


def _judged_texts(
    texts: Sequence[tuple[str, str]],
    ignore: Collection[str],
    required: Sequence[Required] = (),
    perhaps: Collection[str] = (),
) -> Inspected:
    """Of those that are named in `perhaps` nobody is told that they say nothing."""
    from cudacheck import sources
    from cudacheck.judging import again

    try:
        gathered = sources.gather(texts)
    except sources.SourceError as error:
        raise InputError(str(error)) from None
    for one in required:
        gathered.facts.add(one)
    report = judged(gathered.facts, gathered.facts.all(ProbeRun), ignore, None)
    told = [f"nothing was understood in {name}" for name in gathered.silent if name not in perhaps]
    told += [
        f"{name} was judged otherwise by cudacheck {stored.cudacheck_version}: by today's rules {changes}"
        for name, stored in gathered.reports
        if (changes := again.changed(stored, report, ignore))
    ]
    return Inspected(report, told=tuple(told))


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
    from cudacheck.judging.questions import questions
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
        questions=questions(facts, judgement.findings, ignore),
        probes=tuple(runs),
        facts=facts,
        speed=speed,
        requirements=_checked(facts),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        seconds=seconds,
        cudacheck_version=__version__,
        knowledge_date=knowledge.as_of(),
    )


def _checked(facts: Facts) -> tuple[RequirementResult, ...]:
    """Imported where something is required: else a doctor starts sooner."""
    if not facts.all(Required):
        return ()
    from cudacheck import requirements

    return tuple(check.result for check in requirements.checked(facts))


def alike(path: str) -> tuple[Required, ...]:
    """What a machine must fulfil to be like the one of this report. Raises InputError."""
    from cudacheck import requirements

    specs = requirements.of_a_machine_like(pasted([path]).report.facts)
    if not specs:
        raise InputError(f"{path} says nothing that another machine could be like")
    return tuple(Required(spec, f"--like {path}") for spec in specs)


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except OSError:  # a name too long to be one: reading it says so
        return False


def _files_in(folder: Path) -> list[Path]:
    """The files of a folder, hidden ones and what is no text left out, nothing of the folders in it."""
    try:
        found = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
        if len(found) > MAX_FILES:
            raise InputError(f"{folder} holds more than {MAX_FILES} files: name those that matter")
        if sum(path.stat().st_size for path in found) > MAX_INPUT_BYTES:
            raise InputError(f"the files of {folder} are larger than {MAX_INPUT_BYTES // 1024 // 1024} MiB together")
        return [path for path in found if _is_text(path)]
    except OSError as error:
        raise InputError(f"cannot read {folder}: {error.strerror}") from None


def _is_text(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(4096)
    return head[:2] in {*UTF_16, GZIP} or b"\0" not in head


def text_of(name: str) -> str:
    """The text of a file, or of stdin for `-`, unpacked where it is gzip; bounded, whatever bytes it holds."""
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
    if data[:2] == GZIP:
        data = _unpacked(name, data)
    if len(data) > MAX_INPUT_BYTES:
        raise InputError(f"{name} is larger than {MAX_INPUT_BYTES // 1024 // 1024} MiB")
    encoding = "utf-16" if data[:2] in UTF_16 else "utf-8-sig"
    return data.decode(encoding, "replace")


def _unpacked(name: str, data: bytes) -> bytes:
    """No more than one byte above what may be read."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            return file.read(MAX_INPUT_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        raise InputError(f"cannot unpack {name}: it is no whole gzip file") from None
