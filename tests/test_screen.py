"""Every byte for a person: nothing harmful in any format, ASCII where need be, narrow screens, bad streams, Ctrl-C."""

from __future__ import annotations

import dataclasses
import enum
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
import types
import typing
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import steps_example as example
from patients import CUDACHECK, Patient, clean_environment

from cudacheck.commands import explain
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, PossibleAnswer, Question, Remedy, Severity, Unchecked
from cudacheck.model.report import (
    Axis,
    Fulfilment,
    Health,
    Outcome,
    ProbeRun,
    Report,
    RequirementResult,
    State,
    Verdict,
)
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.attention_backends import AttentionBackend
from cudacheck.probes.patient.bench_kernels import BenchPlan
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.registry import fact_types, rules
from cudacheck.render import as_text
from cudacheck.render._clean import SPELLED, passing, typed
from cudacheck.reports.write import dumps

pytestmark = pytest.mark.whole

HIDING = "\u034f\u115f\u1160\u17b4\u180b\u3164\ufe0f\uffa0\U000e0101"
"""Printable by category, drawn as nothing."""
HARMFUL = "".join(
    one
    for one in map(chr, [*range(0x2070), *range(0xFE00, 0x10000), *range(0xE0000, 0xE0080)])
    if unicodedata.category(one) in {"Cc", "Cf", "Zl", "Zp"} and one not in "\n\r\t"
)
ATTACK = f"\x1b[31mred\x1b]0;owned\x07{HARMFUL}{HIDING}\u061c\u180e\x9b31m"


def harmful_in(told: str) -> set[str]:
    return {one for one in told if one != "\n" and (not one.isprintable() or one in HIDING)}


def value_of(hint: object, name: str, words: str) -> object:
    """Something of that type, with these words wherever it holds words."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is str:
        return words
    if origin in (typing.Union, types.UnionType):
        return value_of(next(a for a in arguments if a is not types.NoneType), name, words)
    if origin is tuple:
        inner = [a for a in arguments if a is not Ellipsis]
        return tuple(value_of(a, name, words) for a in inner)
    if origin is list:
        return [value_of(arguments[0], name, words)]
    if origin is dict:
        return {words: value_of(arguments[1], name, words)}
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return fact_of(hint, words)
    if isinstance(hint, type) and issubclass(hint, str):
        return next(iter(hint)) if issubclass(hint, enum.Enum) else words
    if hint is bool:
        return name not in {"ok", "imports"}
    number: dict[object, float] = {int: 0 if "index" in name else 3, float: 2.5}
    return number.get(hint, words if hint in (typing.Any, object) else None)


def fact_of(cls: type, words: str) -> object:
    hints = typing.get_type_hints(cls)
    return cls(**{field.name: value_of(hints[field.name], field.name, words) for field in dataclasses.fields(cls)})


def facts_saying(words: str) -> Facts:
    """One of every type that there is, and for those of `bench steps` one that each table shows."""
    return Facts([fact_of(cls, words) for cls in fact_types().values()], complete=fact_types().values())


def report_saying(words: str, **changed: Any) -> Report:
    facts = facts_saying(words)
    finding = Finding(
        words,
        (Evidence(words, words),),
        (Remedy(words, (words,), words, needs_root=True, verify=words),),
        (words,),
        Severity.WARNING,
        words,
    )
    whole: dict[str, Any] = {
        "verdict": Verdict(State.NOT_PROVEN, words),
        "findings": (finding, dataclasses.replace(finding, severity=Severity.NOTE)),
        "unchecked": (Unchecked(words, words),),
        "probes": (ProbeRun(words, words, Outcome.CRASHED, 1.0, words, words),),
        "facts": facts,
        "questions": (Question(words, (PossibleAnswer(words, words, words),), words),) * 2,
        "requirements": (RequirementResult(words, Fulfilment.UNMET, words, words),),
        "speed": (Axis(0, words, Health.DEGRADED, (words,)),),
        "created": words,
    }
    return Report(**{**whole, **changed})


def run(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*CUDACHECK, *arguments],
        input=stdin.encode("utf-8", "surrogatepass"),
        capture_output=True,
        check=False,
        timeout=60,
        env={**clean_environment(), **environment},
    )


# Nothing harmful, whoever wrote it


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_field_of_any_fact_harms_the_screen(verbose, width):
    told = as_text(report_saying(f"a {ATTACK} b"), verbose=verbose, width=width)
    assert not harmful_in(told)
    broken = report_saying(f"a {ATTACK} b", verdict=Verdict(State.BROKEN, ATTACK))
    assert not harmful_in(as_text(broken, verbose=verbose, width=width))


def test_colours_are_ours_alone():
    plain = as_text(report_saying("a b"), verbose=True, colour=True)
    told = as_text(report_saying(f"a{ATTACK}b"), verbose=True, colour=True)
    ours = {*re.findall(r"\x1b\[[0-9;]*m", plain)}
    assert {*re.findall(r"\x1b\[[0-9;]*m", told)} <= ours
    assert not harmful_in(re.sub(r"\x1b\[[0-9;]*m", "", told))


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_json_escapes_and_stays_equal(encoding):
    whole = report_saying(f"a{ATTACK}\ud800\U0001f600ü\n")
    told = as_text(whole, "json", encoding=encoding)
    assert not harmful_in(told)
    told.encode(encoding)
    assert json.loads(told) == json.loads(dumps(whole))


@pytest.mark.parametrize("options", [(), ("--verbose",), ("--format", "json"), ("--redact",)], ids=str)
def test_a_strangers_report_reaches_stdout_stderr_and_file_harmless(options, tmp_path):
    for ending in ("txt", "json", "md", "html"):
        saved = tmp_path / f"saved.{ending}"
        told = run("doctor", "--from", "-", "--output", str(saved), *options, stdin=dumps(report_saying(ATTACK)))
        assert told.returncode in {0, 1}, told.stderr
        for said in (told.stdout, told.stderr, saved.read_bytes()):
            assert not harmful_in(said.decode())


@pytest.mark.parametrize(
    "arguments",
    [
        ("doctor", "--ignore"),
        ("doctor", "--python"),
        ("doctor", "--from"),
        ("doctor", "--output"),
        ("doctor", "--format"),
        ("doctor",),
        ("explain",),
        ("bench",),
        ("bench", "kernels", "--baseline"),
        ("bench", "steps", "--rows"),
        ("bench", "steps", "--plot"),
    ],
    ids=" ".join,
)
def test_what_was_typed_is_repeated_harmless(arguments):
    told = run(*arguments, ATTACK.replace("\0", ""))
    assert told.returncode == 2
    assert not harmful_in(told.stderr.decode())
    assert len(told.stderr.decode().splitlines()) == 1
    assert told.stdout == b""


PROGRESS = """
import sys
sys.path[:0] = {path!r}
import test_screen
from cudacheck.registry import fact_types
from cudacheck.render import out, progress
from cudacheck.speed.steps.groups import Group, Plan
words = {words!r}
facts = [test_screen.fact_of(cls, words) for cls in fact_types().values()]
for read in (progress.kernels, progress.steps):
    with progress.Bar(read) as bar:
        bar.show([(words, words, 1.0)])
        for fact in facts:
            bar.heard(fact)
with out.Line() as line:
    line.show([(words, words, 1.0)])
"""


def in_a_terminal(code: str) -> tuple[int, str]:
    """What a process writes to the terminal that is its stderr."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code], stderr=theirs, env={**clean_environment(), "TERM": "xterm"}
    )
    os.close(theirs)
    told = b""
    try:
        while piece := os.read(ours, 65536):
            told += piece
    except OSError:  # it has ended
        pass
    os.close(ours)
    return process.wait(60), told.decode()


def test_progress_shows_nothing_harmful():
    path = [os.path.dirname(__file__)]
    code, calm = in_a_terminal(PROGRESS.format(path=path, words="a [b] [/c] d"))
    assert code == 0, calm
    code, told = in_a_terminal(PROGRESS.format(path=path, words=f"a [b] [/c]{ATTACK}"))
    assert code == 0, told
    controls = re.compile(r"\x1b\[[?0-9;]*[A-Za-z]|[\r\n]")
    assert {*controls.findall(told)} <= {*controls.findall(calm)}
    assert not harmful_in(controls.sub("", told))


# What is to be copied


def test_a_command_is_shown_as_it_is_or_not_at_all():
    assert typed("    pip install 'a  b'") == "    pip install 'a  b'"
    for changed in ("rm a\u202eb", "x\x1b[2J", "y" * 9000):
        assert typed(changed).startswith("# not shown")


@pytest.mark.parametrize("width", [40, 60, 79])
def test_a_command_stays_one_line_on_a_narrow_screen(width):
    command = "python -m pip install " + " ".join(f"package-{n}" for n in range(60))
    finding = Finding("m", remedies=(Remedy("t", (command,)),), severity=Severity.ERROR, rule="r")
    told = as_text(report_saying("a", findings=(finding,), verdict=Verdict(State.BROKEN, "m")), width=width)
    assert command in told


# Not every stream is Unicode


def test_everything_that_we_write_can_be_spelled():
    folder = os.path.dirname(as_text.__code__.co_filename)
    sources = [os.path.join(root, name) for root, _, names in os.walk(os.path.dirname(folder)) for name in names]
    ours = {
        one
        for path in sources
        if path.endswith((".py", ".toml"))
        for one in Path(path).read_text(encoding="utf-8")
        if ord(one) > 127
    }
    assert ours <= {*SPELLED}
    assert all(spelled.isascii() and "?" not in spelled for spelled in SPELLED.values())


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_no_letter_becomes_a_question_mark(encoding):
    everything = example.report(*example.EVERYTHING)
    told = as_text(everything, width=120, encoding=encoding)
    told.encode(encoding)
    assert told.count("?") == as_text(everything, width=120).count("?")
    if encoding == "ascii":
        assert "#" in told


def test_the_marks_are_told_apart_in_ascii():
    marks = {state: as_text(report_saying("a", verdict=Verdict(state, "x"), findings=()), encoding="ascii")[:4]
             for state in State}  # fmt: skip
    assert marks[State.READY].startswith("ok ")
    assert marks[State.NOT_PROVEN].startswith("? ")
    finding = Finding("m", severity=Severity.ERROR, rule="r")
    broken = report_saying("a", verdict=Verdict(State.BROKEN, "m"), findings=(finding,))
    assert as_text(broken, encoding="ascii").startswith("FAIL m")


def test_columns_stay_where_they_are_in_ascii():
    table = "  name     ±   gain   34 → 671   8192³   2\n  row     1%   2.0×         12  1024     3"
    assert passing(table, "ascii").splitlines()[0] == "  name    +-   gain  34 -> 671  8192^3   2"


def test_a_stream_that_is_not_unicode(tmp_path):
    patient = Patient(tmp_path / "vénv")
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    told = run("doctor", "--no-bench", "--python", str(patient.python), **ascii_only)
    assert told.stdout.startswith(b"FAIL ")
    assert b"v\\xe9nv" in told.stdout
    assert b"?" not in told.stdout
    assert told.stdout.isascii()
    as_json = run("doctor", "--no-bench", "--python", str(patient.python), "--format", "json", **ascii_only)
    assert json.loads(as_json.stdout)["facts"]["Patient"][0]["python"] == str(patient.python)


# Streams, files and folders that fail


@pytest.fixture(scope="module")
def pasted(tmp_path_factory):
    path = tmp_path_factory.mktemp("pasted") / "report.json"
    path.write_text(dumps(example.report(*example.EVERYTHING)))
    return path


def shell(script: str, cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    environment = {**clean_environment(), "CUDACHECK": " ".join(CUDACHECK)}
    return subprocess.run(
        ["bash", "-c", script], capture_output=True, check=False, timeout=60, env=environment, cwd=cwd
    )


@pytest.mark.parametrize("stdout", ["> /dev/full", ">&-", "| true", "| head -c 1 > /dev/null"])
def test_the_file_is_written_whatever_befalls_stdout(stdout, pasted, tmp_path):
    saved = tmp_path / "saved.json"
    told = shell(f"$CUDACHECK doctor --from {pasted} --output {saved} {stdout}; exit ${{PIPESTATUS[0]}}")
    assert json.loads(saved.read_text())["facts"]
    lines = told.stderr.decode().splitlines()
    if "full" in stdout:
        assert told.returncode == 2
        assert lines == ["cudacheck: cannot write to standard output: No space left on device"]
    else:
        assert told.returncode in {0, 1}
        assert lines == []


@pytest.mark.parametrize("command", ["--help", "--version", "explain", "explain no-gpu", "doctor --help"])
@pytest.mark.parametrize("stdout", ["> /dev/full", "| true"])
def test_nothing_else_complains_of_stdout_either(command, stdout):
    told = shell(f"$CUDACHECK {command} {stdout}; exit ${{PIPESTATUS[0]}}")
    assert len(told.stderr.decode().splitlines()) == (1 if "full" in stdout else 0), told.stderr
    assert told.returncode == (2 if "full" in stdout else 0)


def test_a_full_disk_under_the_file_does_not_cost_stdout(pasted):
    told = run("doctor", "--from", str(pasted), "--output", "/dev/full", "--format", "json")
    assert told.returncode == 2
    assert json.loads(told.stdout)["facts"]
    assert told.stderr.decode().splitlines() == ["cudacheck: cannot write /dev/full: No space left on device"]


NO_FILES = ["x" * 300 + ".json", "x/" * 3000 + "x.json", "/no/such/folder/x.json", "/proc", "a\nb/x"]


@pytest.mark.parametrize("name", NO_FILES)
@pytest.mark.parametrize("command", [("doctor", "--output"), ("bench", "steps", "--plot")], ids=" ".join)
def test_a_name_that_cannot_be_is_one_line(command, name):
    told = run(*command, name)
    assert told.returncode == 2
    assert len(told.stderr.decode().splitlines()) == 1
    assert b"cannot write" in told.stderr


@pytest.mark.parametrize(
    "command", ["doctor --from - --output x.json < /dev/null", "doctor --no-bench", "explain article", "--version"]
)
def test_a_deleted_working_folder_is_no_fault_of_ours(command, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    told = shell(f"cd {gone} && rmdir {gone} && $CUDACHECK {command}")
    assert told.returncode in {0, 1, 2}
    assert not re.search(rb"Traceback|internal error", told.stderr), told.stderr


# Ctrl-C

SIGNALLED = """
import os, signal, sys, threading
from cudacheck.cli import interrupts
from cudacheck.__main__ import main
signal.signal(signal.SIGINT, signal.default_int_handler)
interrupts.take_over()  # what main does first; the timer must not be in its own start when it goes off
sys.argv = ["cudacheck", *{arguments!r}]
threading.Timer({delay}, os.kill, (os.getpid(), signal.SIGINT)).start()
main()
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["doctor", "--no-bench"],
        ["doctor", "--from", "-"],
        ["ticket", "--no-bench"],
        ["explain"],
        ["explain", "article"],
        ["bench", "kernels"],
        ["bench", "steps"],
        ["--help"],
    ],
    ids=" ".join,
)
def test_an_interrupt_at_any_moment_is_130_and_no_traceback(arguments, tmp_path):
    """The process lives until the signal has come: its timer is waited for."""
    for delay in (0.0, 0.001, 0.01, 0.03, 0.06, 0.09, 0.13, 0.2, 0.25, 0.3, 0.4):
        told = subprocess.run(
            [sys.executable, "-c", SIGNALLED.format(arguments=arguments, delay=delay)],
            stdin=subprocess.PIPE,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**clean_environment(), "TMPDIR": str(tmp_path)},
        )
        assert told.returncode == 130, (delay, told)
        assert "Traceback" not in told.stderr, (delay, told.stderr)
        assert "interrupted" in told.stderr + told.stdout
        assert not [*tmp_path.iterdir()]


def test_after_ctrl_c_the_first_line_says_so(tmp_path):
    patient = Patient(tmp_path / "venv")
    marker = tmp_path / "started"
    patient.torch("2.8.0+cu128", "12.8", on_import=f"import time; open({str(marker)!r}, 'w'); time.sleep(600)")
    doctor = subprocess.Popen(
        [*CUDACHECK, "doctor", "--python", str(patient.python)],
        stdout=subprocess.PIPE,
        text=True,
        env=clean_environment(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - one thread
    )
    while not marker.exists():
        time.sleep(0.05)
    doctor.send_signal(signal.SIGINT)
    stdout, _ = doctor.communicate(timeout=30)
    assert doctor.returncode == 130
    assert "interrupted" in stdout.splitlines()[0]


FAULTY = """
import sys
from cudacheck.commands import explain
from cudacheck.cli.app import run
explain.page = None
sys.argv = ["cudacheck", "explain"]
sys.exit(run())
"""


def test_a_fault_of_our_own_is_one_line_and_4():
    told = subprocess.run([sys.executable, "-c", FAULTY], capture_output=True, text=True, check=False)
    assert told.returncode == 4
    assert told.stderr.startswith("cudacheck: internal error, please report it: TypeError")
    assert len(told.stderr.splitlines()) == 1


# Narrow screens


def ours_too_wide(told: str, width: int) -> list[str]:
    """Lines that are longer than the screen although they could have been broken: green ones are to be copied."""
    lines = []
    for coloured in told.splitlines():
        line = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
        words = re.split(" {2,}", line.strip())[-1]
        if len(line) > width and "\x1b[32m" not in coloured and " " in words and not line.startswith("more: "):
            lines.append(line)
    return lines


@pytest.mark.parametrize("width", [*range(40, 80, 3), 79, 100, 120])
def test_no_line_is_wider_than_the_screen(width):
    wide = ours_too_wide(as_text(example.report(*example.EVERYTHING), colour=True, width=width, verbose=True), width)
    assert not wide


def without_screen(page: str) -> str:
    """Without the screen that it shows: commands there are never broken."""
    return re.sub(r"```text\n.*?\n```", "", page, flags=re.DOTALL)


@pytest.mark.parametrize("width", [40, 60, 79])
def test_explain_honours_the_width(width):
    for page in (
        explain.page(None, width=width),
        *(without_screen(explain.page(rule.id, width=width)) for rule in rules()),
    ):
        long = [line for line in page.splitlines() if len(line) > width]
        assert all(" " not in line.strip("- *`,") or line.startswith(("#", "|", "    ", "`")) for line in long), long


def test_a_page_loses_no_word_to_the_width():
    for rule in rules():
        assert without_screen(explain.page(rule.id, width=50)).split() == without_screen(explain.page(rule.id)).split()


def test_explain_fills_the_terminal_that_it_has():
    narrow = run("explain", "driver-too-old", COLUMNS="50").stdout.decode()
    assert max(len(line) for line in without_screen(narrow).split("## Seen in the wild")[0].splitlines()) <= 50


# Bounded


def many_gpus(number: int) -> list[object]:
    facts: list[object] = [BenchPlan(quick=True, device_indices=(), cases=number)]
    for n in range(number):
        uuid = f"GPU-{n:08d}-0000-0000-0000-000000000000"
        facts += [Gpu(n, "NVIDIA H200", uuid=uuid), TorchDevice(n, "NVIDIA H200", uuid=uuid)]
        facts.append(Measurement("matmul", "float16", "8192³", n, median_us=1500.0, tflops=700.0))
    return facts


def test_thousands_of_gpus_stay_a_screen():
    few, many = (as_text(example.report(*many_gpus(n)), width=100) for n in (20, 1900))
    assert len(many.splitlines()) <= len(few.splitlines()) + 40
    assert "and 1884 more GPUs" in many


def test_many_gpus_of_one_number_stay_a_screen():
    """Each would be shown with the axes of all."""
    gpus = [Gpu(0, f"NVIDIA H{n}") for n in range(500)]
    devices = [TorchDevice(0, f"NVIDIA H{n}") for n in range(500)]
    axes = tuple(Axis(0, f"axis {n}", Health.HEALTHY, ("well",)) for n in range(3500))
    rows = [Measurement("matmul", "float16", "x", 0, median_us=float(n)) for n in range(99)]
    whole = example.report(*gpus, *devices, *rows)
    assert len(as_text(dataclasses.replace(whole, speed=axes), width=100).splitlines()) < 4000


def test_the_work_for_each_gpu_does_not_grow_with_their_number():
    """Counted in looks at facts, not in seconds."""
    from cudacheck.speed import runs

    class Counted(Facts):
        looks = 0

        def all(self, fact_type):
            Counted.looks += 1
            return super().all(fact_type)

    looks = []
    for number in (10, 500):
        Counted.looks = 0
        assert len(runs.of(Counted(many_gpus(number)))) == number
        looks.append(Counted.looks)
    assert looks[1] <= looks[0]


def test_thousands_of_findings_are_counted_not_listed():
    finding = Finding("m", severity=Severity.WARNING, rule="r")
    told = as_text(report_saying("a", findings=(finding,) * 5000))
    assert len(told.splitlines()) < 2000
    assert "and 4800 more findings" in told


def test_empty_words_cost_no_report():
    for verbose in (False, True):
        assert as_text(report_saying(""), verbose=verbose)
    assert as_text(report_saying("", facts=Facts([AttentionBackend(0, "", "flash", {}, {})])))


# Another operating system


@pytest.mark.parametrize("system", ["windows", "darwin"])
def test_a_ticket_from_elsewhere_is_not_told_to_run_cudacheck_there(system):
    from cudacheck.commands.doctor import judged

    for rule in rules():
        for messages in rule.fires.values():
            facts = Facts([fact for fact in messages if not isinstance(fact, System)], complete=())
            elsewhere = Facts([System(system), *[f for t in facts.types() for f in facts.all(t)]])
            told = as_text(judged(elsewhere, (), (), None))
            assert "check       cudacheck doctor" not in told, rule.id


def test_a_windows_ticket_is_told_what_works_there():
    facts = Facts([System("windows"), ErrorMessage("AssertionError: Torch not compiled with CUDA enabled", "paste")])
    from cudacheck.commands.doctor import judged

    told = as_text(judged(facts, (), (), None))
    assert "torch.ones(1, device='cuda')" in told
    assert "cudacheck doctor" not in told
