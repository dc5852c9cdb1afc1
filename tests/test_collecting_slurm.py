"""`cudacheck fleet slurm` and the doctor in a node's prolog and health check, under a real Slurm on this machine."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal

import pytest
from slurm_cluster import Slurm, missing
from waiting import LONG, hold, wait_until, waits

from cudacheck.collecting import Asked, EngineError, NodeAnswer, slurm

pytestmark = [
    pytest.mark.whole,
    pytest.mark.slurm,
    pytest.mark.skipif(bool(missing()), reason=f"no {', '.join(missing())}: apt-get install slurm-wlm munge"),
]


@pytest.fixture(scope="module")
def cluster():
    with Slurm(3) as running:
        yield running


@pytest.fixture(autouse=True)
def _within(cluster, monkeypatch):
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)


def last_words(answers: list[NodeAnswer]) -> dict[str, NodeAnswer]:
    return {answer.node: answer for answer in answers}


def test_each_node_answers_by_slurms_name_for_it(cluster):
    told = [*slurm.collect(Asked(LONG), ["--nodes=3"])]
    assert {answer.node for answer in told if not answer.report and not answer.failure} == {"n1", "n2", "n3"}
    reports = {answer.node: json.loads(answer.report) for answer in told if answer.report}
    assert {node: report["subject"]["node"] for node, report in reports.items()} == {"n1": "n1", "n2": "n2", "n3": "n3"}
    assert all(run["outcome"] != "failed" for report in reports.values() for run in report["probes"])


def test_a_task_that_dies_costs_its_node_alone(cluster, tmp_path, monkeypatch):
    hold(monkeypatch, tmp_path, "n1")
    told = []
    for answer in slurm.collect(Asked(LONG), ["--nodes=3"]):
        told.append(answer)
        if len(told) == 3:  # every node has been named
            wait_until(lambda: waits(tmp_path, "n1"))
            os.kill(cluster.inspections()["n1"], signal.SIGKILL)
            (tmp_path / "n1").unlink()  # where srun ends all three for it, it is asked again
    assert any(one.failure.startswith("srun: error: n1: task 0: Killed") for one in told if one.node == "n1")
    assert {"n2", "n3"} <= {node for node, answer in last_words(told).items() if answer.report}


def test_a_task_that_hangs_costs_its_node_alone_and_is_ended(cluster, tmp_path, monkeypatch):
    hold(monkeypatch, tmp_path, "n3")
    with contextlib.closing(slurm.collect(Asked(LONG), ["--nodes=3"])) as answers:
        answered = (answer.node for answer in answers if answer.report)
        assert {*itertools.islice(answered, 2)} == {"n1", "n2"}
        wait_until(lambda: waits(tmp_path, "n3"))
        os.kill(cluster.inspections()["n3"], signal.SIGSTOP)
    wait_until(lambda: not cluster.inspections())


def test_what_runs_ends_when_it_is_closed_and_cleans_up(cluster, tmp_path, monkeypatch):
    """The interpreter to be inspected would take the time of its probe."""
    room, slow = tmp_path / "room", tmp_path / "python"
    room.mkdir()
    slow.write_text("#!/bin/sh\nsleep 600\n")
    slow.chmod(0o755)
    monkeypatch.setenv("TMPDIR", str(room))  # srun hands it on
    with contextlib.closing(slurm.collect(Asked(LONG, python=str(slow)), ["--nodes=2"])) as collecting:
        next(collecting)
        wait_until(lambda: len([*room.glob("cudacheck-*/cudacheck/collecting/on_node.py")]) == 2)
    wait_until(lambda: not cluster.inspections())
    wait_until(lambda: not [*room.iterdir()])


@pytest.mark.parametrize(
    ("options", "timeout_s", "said"),
    [
        (["--partition=nowhere"], LONG, r"srun: error: Unable to allocate resources: Invalid partition name specified"),
        (["--no-such-option"], LONG, r"srun: unrecognized option '--no-such-option'"),
        (["--nodes=4"], 15, r"no node within 15 s: srun: job \d+ queued and waiting for resources"),
    ],
)
def test_what_srun_refuses_is_said_in_its_words(options, timeout_s, said):
    with pytest.raises(EngineError) as refused:
        list(slurm.collect(Asked(timeout_s), options))
    assert re.fullmatch(said, str(refused.value))


def test_a_node_that_is_gone_does_not_cost_the_others(cluster):
    """srun ends all tasks of a step where it cannot start one."""
    allocated = cluster.run("salloc", "--nodes=3", "--no-shell", "--job-name=fleet")
    job = allocated.stderr.split("job allocation ")[1].split()[0]
    cluster.kill_node("n2")
    try:
        told = last_words([*slurm.collect(Asked(LONG), [f"--jobid={job}", "--nodes=3", "--overlap"])])
    finally:
        cluster.run("scancel", job)
        cluster.start_node("n2")
    assert slurm.UNREACHED + "n2" in told["n2"].failure
    assert {node for node, answer in told.items() if answer.report} == {"n1", "n3"}
