"""`cudacheck fleet slurm` and the doctor in a node's prolog and health check, under a real Slurm on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import threading
import time

import pytest
from slurm_cluster import Slurm, missing
from waiting import wait_until

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
    told = [*slurm.collect(Asked(60), ["--nodes=3"])]
    assert [answer.node for answer in told[:3]] == ["n1", "n2", "n3"]
    assert not any(answer.report or answer.failure for answer in told[:3])
    reports = {answer.node: json.loads(answer.report) for answer in told[3:]}
    assert {node: report["subject"]["node"] for node, report in reports.items()} == {"n1": "n1", "n2": "n2", "n3": "n3"}
    assert all(run["outcome"] != "failed" for report in reports.values() for run in report["probes"])


def when_running(cluster: Slurm, node: str, then) -> threading.Thread:
    """Does it to the inspection on this node once that runs."""

    def watch():
        wait_until(lambda: node in cluster.inspections(), 20)
        then(cluster.inspections()[node])

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def test_a_task_that_dies_or_hangs_costs_its_node_alone(cluster):
    killing = when_running(cluster, "n1", lambda process: os.kill(process, signal.SIGKILL))
    stopping = when_running(cluster, "n3", lambda process: os.kill(process, signal.SIGSTOP))
    started = time.monotonic()
    told = last_words([*slurm.collect(Asked(20), ["--nodes=3"])])
    killing.join()
    stopping.join()
    assert told["n1"].failure.startswith("srun: error: n1: task 0: Killed")
    assert json.loads(told["n2"].report)["subject"]["node"] == "n2"
    assert told["n3"].failure == "no answer within 20 s"
    assert time.monotonic() - started < 40
    wait_until(lambda: not cluster.inspections(), 10)


def test_what_runs_ends_when_it_is_closed_and_cleans_up(cluster, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # srun hands it on
    with contextlib.closing(slurm.collect(Asked(60), ["--nodes=2"])) as collecting:
        assert next(collecting).node == "n1"
        wait_until(lambda: len([*tmp_path.glob("cudacheck-*/cudacheck/collecting/on_node.py")]) == 2, 20)
    wait_until(lambda: not cluster.inspections(), 10)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--partition=nowhere"], r"srun: error: Unable to allocate resources: Invalid partition name specified"),
        (["--no-such-option"], r"srun: unrecognized option '--no-such-option'"),
        (["--nodes=4"], r"no node within 5 s: srun: job \d+ queued and waiting for resources"),
    ],
)
def test_what_srun_refuses_is_said_in_its_words(options, said):
    with pytest.raises(EngineError) as refused:
        list(slurm.collect(Asked(5), options))
    assert re.fullmatch(said, str(refused.value))


def test_a_node_that_is_gone_does_not_cost_the_others(cluster):
    """srun ends all tasks of a step where it cannot start one."""
    allocated = cluster.run("salloc", "--nodes=3", "--no-shell", "--job-name=fleet")
    job = allocated.stderr.split("job allocation ")[1].split()[0]
    cluster.kill_node("n2")
    try:
        told = last_words([*slurm.collect(Asked(40), [f"--jobid={job}", "--nodes=3", "--overlap"])])
    finally:
        cluster.run("scancel", job)
        cluster.start_node("n2")
    assert slurm.UNREACHED + "n2" in told["n2"].failure
    assert {node for node, answer in told.items() if answer.report} == {"n1", "n3"}
