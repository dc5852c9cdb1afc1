"""What every collector shares: what travels to a node, and what comes back through an engine's output."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from patients import interpreter_or_skip
from waiting import wait_until

import cudacheck
from cudacheck.collecting import Asked, EngineError, NodeAnswer, _frames, _travel, on_node, slurm
from cudacheck.commands import fleet_collect, fleet_judge
from cudacheck.reports.write import dumps

pytestmark = pytest.mark.whole


def start(*python: str, asked: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """As an engine starts it on a node."""
    told = asked or _travel.asked_of_node(Asked(30))
    done = subprocess.run(
        [*python, "-I", "-c", _travel.START, told],
        input=_travel.payload(),
        capture_output=True,
        check=False,
        timeout=60,
        env={"PATH": os.defpath, on_node.NAME: "n7", **environment},
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def read(printed: str) -> list[NodeAnswer]:
    nodes = _frames.Nodes(str.split)
    return [answer for line in printed.splitlines() for answer in nodes.heard(line)]


def test_a_node_needs_python_alone(tmp_path):
    """-S: none of the packages that are installed beside this interpreter; what was unpacked is gone afterwards."""
    told = start(sys.executable, "-S", TMPDIR=str(tmp_path))
    (answer,) = read(told.stdout)
    report = json.loads(answer.report)
    assert report["subject"]["node"] == answer.node == "n7"
    outcomes = {run["probe"]: run["outcome"] for run in report["probes"]}
    assert outcomes["nvml"] == outcomes["system"] == "ok"
    assert {*outcomes.values()} <= {"ok", "skipped"}
    assert max(map(len, told.stdout.splitlines())) < 1024
    assert [*tmp_path.iterdir()] == []
    assert told.stderr == ""


@pytest.mark.parametrize("version", ["3.8", "3.10"])
def test_an_old_python_is_one_line(version):
    python = interpreter_or_skip(version)
    (answer,) = read(start(python).stdout)
    assert answer.failure == f"{python} is Python {version}, and cudacheck needs 3.11"


def test_a_node_that_cannot_inspect_takes_all_of_its_input():
    """As srun aborts a step, on every node, where a task ends before it has."""
    *shell, script = slurm._task(Asked(30))
    without_python = [*shell, script.replace(sys.executable, "none").replace("python3", "none")]
    for command in ([interpreter_or_skip("3.8"), "-I", "-c", _travel.START, "{}"], without_python):
        with tempfile.TemporaryFile() as stdin:
            stdin.write(_travel.payload())
            size = stdin.tell()
            stdin.seek(0)
            told = subprocess.run(command, stdin=stdin, capture_output=True, text=True, check=False, timeout=60)
            assert " failed " in told.stdout
            assert os.lseek(stdin.fileno(), 0, os.SEEK_CUR) == size


@pytest.mark.parametrize(
    ("asked", "environment", "said"),
    [
        ('{"python": "/no/such/python"}', {}, "no Python interpreter at /no/such/python"),
        ("", {"TMPDIR": "/proc"}, None),
        ("[]", {}, "cudacheck.inspect() argument after ** must be a mapping, not list"),
    ],
)
def test_what_goes_wrong_on_a_node_is_one_line(asked, environment, said):
    (answer,) = read(start(sys.executable, asked=asked, **environment).stdout)
    assert answer.report or answer.failure == said  # TMPDIR is a hint: Python knows other folders


PARENT = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
inside = subprocess.Popen(sys.argv[2:], stdin=0, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.05)
print(inside.pid, flush=True)
"""


def test_an_inspection_ends_with_the_engine_that_started_it(tmp_path):
    """As if interrupted, though it was started with SIGINT ignored: what was unpacked is taken away.

    The interpreter here would take the time of its probe.
    """
    room, begun, slow = tmp_path / "room", tmp_path / "begun", tmp_path / "python"
    room.mkdir()
    slow.write_text(f"#!/bin/sh\ntouch {begun}\nsleep 600\n")
    slow.chmod(0o755)
    asked = json.dumps({"python": str(slow), "bench": False, "timeout_s": 300})
    with tempfile.TemporaryFile() as stdin:
        stdin.write(_travel.payload())
        stdin.seek(0)
        parent = subprocess.run(
            [sys.executable, "-c", PARENT, begun, sys.executable, "-I", "-c", _travel.START, asked],
            stdin=stdin,
            capture_output=True,
            check=True,
            timeout=60,
            env={"PATH": os.defpath, "TMPDIR": str(room)},
        )
    process = Path(f"/proc/{int(parent.stdout)}")
    wait_until(lambda: not process.exists() and not any(room.iterdir()), 60)


def engine(printing: str) -> list[str]:
    return [sys.executable, "-c", f"import os, sys, time\nsay = lambda *w: print(*w, flush=True)\n{printing}"]


def collected(printing: str) -> list[NodeAnswer]:
    return [*_frames.answers(engine(printing), b"", 60)]


def lines_of(node: str, report: str) -> str:
    return "\n".join(on_node.packed(node, report))


def test_lines_of_nodes_are_told_from_others_and_from_each_other():
    first, second = (lines_of(name, json.dumps({"n": name * 2000})).splitlines() for name in "ab")
    mixed = [line for pair in zip(first, second, strict=True) for line in pair]
    printed = [
        "Welcome to the cluster",
        "@cudacheck a among a b",
        *mixed,
        "slurmstepd: info",
        "@cudacheck",
        "@cudacheck a",
    ]
    answers = collected("\n".join(f"say({line!r})" for line in printed))
    assert answers[:2] == [NodeAnswer("a"), NodeAnswer("b")]
    assert {answer.node: json.loads(answer.report)["n"] for answer in answers[2:]} == {"a": "a" * 2000, "b": "b" * 2000}


def test_a_label_before_the_mark_does_no_harm():
    assert read("0: @cudacheck a failed of itself") == [NodeAnswer("a", failure="of itself")]


def test_answers_come_while_the_others_are_waited_for():
    answers = _frames.answers(
        engine(f"say('@cudacheck a among a b')\nsay({lines_of('a', '{}')!r})\ntime.sleep(600)"), b"", 600
    )
    with contextlib.closing(answers):
        assert [next(answers) for _ in range(3)] == [NodeAnswer("a"), NodeAnswer("b"), NodeAnswer("a", "{}")]


def test_what_the_engine_counts_is_known_of_every_answer():
    told = "@cudacheck a no-gpus\n@cudacheck b no-gpus\n@cudacheck a among a b c\n@cudacheck a failed no"
    answers = collected("\n".join(f"say({line!r})" for line in told.splitlines()))
    assert len(answers) == 6
    assert all(answer.without_gpus == (answer.node != "c") for answer in answers)


def test_who_says_nothing_in_time_is_missing():
    silent = ["sh", "-c", "echo @cudacheck a among a b; echo @cudacheck a failed no; exec sleep 600"]
    *_, last = _frames.answers(silent, b"", 4)
    assert last == NodeAnswer("b", failure="no answer within 4 s")


def test_what_the_engine_says_of_a_node_is_why():
    said = "sys.stderr.write('srun: error: ab: task 2: Killed\\nsrun: error: b: task 1: Exited with exit code 9\\n')"
    answers = collected(f"say('@cudacheck a among a b')\n{said}")
    assert answers[-1] == NodeAnswer("b", failure="srun: error: b: task 1: Exited with exit code 9")
    assert answers[-2].failure == "no answer within 60 s"


@pytest.mark.parametrize(
    "told",
    [
        "@cudacheck a end",
        "@cudacheck a part %%%%\n@cudacheck a end",
        "@cudacheck a part eNrtG9ly\n@cudacheck a end",
        lines_of("a", json.dumps([*range(20000)])).replace("part", "lost", 1),
    ],
)
def test_a_report_that_is_not_whole_is_none(told):
    assert read(told)[-1] == NodeAnswer("a", failure="its report arrived broken")


def test_a_report_of_any_size_is_bounded():
    (answer,) = read(lines_of("a", " " * (64 << 20)))
    assert answer == NodeAnswer("a", failure="its report arrived broken")


def test_without_the_engine_there_is_one_line():
    with pytest.raises(EngineError, match=r"^cannot start no-such-engine: No such file or directory$"):
        list(_frames.answers(["no-such-engine"], b"", 5))
    with pytest.raises(EngineError, match=r"^srun: error: no room$"):
        collected("sys.stderr.write('srun: error: no room\\nTry srun --help\\n\\n')")


def announced(*answers: NodeAnswer, then: type[BaseException] | None = None) -> Generator[NodeAnswer, None, None]:
    yield from (NodeAnswer(node) for node in ("a", "b", "head"))
    yield from answers
    if then:
        raise then


def report_of(*rules: str) -> str:
    return json.dumps({"findings": [{"rule": rule} for rule in rules]})


def test_every_node_has_a_report_or_a_reason():
    sick, head = report_of("no-gpu"), NodeAnswer("head", report_of("no-gpu"), without_gpus=True)
    collected = fleet_collect.collect(announced(NodeAnswer("a", sick), NodeAnswer("b", failure="died"), head))
    assert (collected.reports, collected.missing) == ({"a": sick}, {"b": "died"})
    assert collected.without_gpus == ("head",)
    broken = NodeAnswer("head", report_of("driver-missing"), without_gpus=True)  # the driver is why Ray counts none
    assert "head" in fleet_collect.collect(announced(broken)).reports
    uncounted = [NodeAnswer(node, sick, without_gpus=True) for node in ("a", "b", "head")]  # by the engine, of any node
    assert len(fleet_collect.collect(announced(*uncounted)).reports) == 3


def test_ctrl_c_keeps_what_is_known():
    answer = NodeAnswer("a", report_of())
    collected = fleet_collect.collect(announced(answer, then=KeyboardInterrupt))
    assert collected.interrupted
    assert collected.reports == {"a": answer.report}
    assert collected.missing == dict.fromkeys(("b", "head"), "interrupted before it answered")
    with pytest.raises(KeyboardInterrupt):
        fleet_collect.collect(_frames.answers(["sh", "-c", "sleep 1; kill -INT $PPID; sleep 60"], b"", 60))


def test_ctrl_c_while_the_engine_is_ended_leaves_nothing_behind(tmp_path):
    """It answers what is gentle with the signal of Ctrl-C, and runs on: it is waited for just then."""
    script = f"trap 'kill -INT $PPID' USR1; echo $$ >{tmp_path}/pid; echo @cudacheck a among a; exec >&- 2>&-"
    with pytest.raises(KeyboardInterrupt):
        list(_frames.answers(["sh", "-c", f"{script}; while :; do sleep 0.1; done"], b"", 60))
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()


@pytest.mark.parametrize("nodes", [("10.0.0.1", "10.0.0.2", "10.0.0.3"), ("a.cluster", "b.cluster", "c.cluster")])
def test_nodes_by_address_or_name_are_told_from_each_other(nodes):
    """Ray knows its nodes by their addresses where several share a host name."""
    report = dumps(cudacheck.read("torch==2.9.0+cpu"))
    fleet = fleet_judge.of_reports(dict.fromkeys(nodes[:2], report), {nodes[2]: "died"})
    assert (fleet.missing, dict(fleet.why_missing)) == ((nodes[2],), {nodes[2]: "died"})
