"""`cudacheck fleet slurm` from end to end, and every command of docs/fleet.md, under a real Slurm on this machine."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from patients import CUDACHECK, clean_environment
from slurm_cluster import Slurm, missing
from waiting import LONG, wait_until

PAGE = (Path(__file__).parents[1] / "docs" / "fleet.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)

pytestmark = [
    pytest.mark.whole,
    pytest.mark.slurm,
    pytest.mark.skipif(bool(missing()), reason=f"no {', '.join(missing())}: apt-get install slurm-wlm munge"),
]


@pytest.fixture(scope="module")
def cluster():
    """n1 counts as a node without GPUs, n2 and n3 as nodes with eight."""
    with Slurm(3, gpus=8) as running:
        path = f"{os.path.dirname(sys.executable)}:{running.environment['PATH']}"
        running.environment = {**clean_environment(), "SLURM_CONF": str(running.conf), "PATH": path}
        yield running


def test_the_nodes_are_judged_and_a_node_without_gpus_is_left_out(cluster):
    told = cluster.run(*CUDACHECK, "fleet", "slurm", "--nodes=3", "--exclusive", "--format", "json")
    assert told.returncode == 1
    assert "cudacheck: left out, without a GPU as the cluster has it: n1" in told.stderr
    fleet = json.loads(told.stdout)
    assert fleet["findings"][0]["rule"] == "no-gpu"
    assert fleet["findings"][0]["nodes"] == ["n2", "n3"]
    assert fleet["missing"] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_judges_what_has_come(cluster, number):
    command = [*CUDACHECK, "fleet", "slurm", "--nodes=2", "--exclusive", "--format", "json"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=cluster.environment, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            wait_until(lambda: {"n1", "n2"} <= cluster.inspections().keys())
            os.kill(cluster.inspections()["n2"], signal.SIGSTOP)
            wait_until(lambda: "n1" not in cluster.inspections())
            process.send_signal(number)
            out, err = process.communicate(timeout=LONG)
        finally:
            process.kill()
    assert process.returncode == 130
    assert json.loads(out)["missing"] == ["n2"]
    assert err.splitlines()[-1] == "cudacheck: interrupted"
    wait_until(lambda: not cluster.inspections())


def test_what_is_asked_amiss_is_one_line_and_exit_2(cluster, tmp_path):
    (tmp_path / "file").touch()
    for options, said in (
        (["--partition=nowhere"], "srun: error: Unable to allocate resources: Invalid partition name specified"),
        (["--keep", str(tmp_path / "file" / "folder")], "cannot write"),
        (["--format", "yaml"], "'yaml' is not one of"),
    ):
        told = cluster.run(*CUDACHECK, "fleet", "slurm", *options)
        assert told.returncode == 2
        assert said in told.stderr
        assert len(told.stderr.splitlines()) == 1
        assert told.stdout == ""


def test_every_command_of_the_page(cluster, tmp_path):
    """Each with what its paragraph says of it. This machine has no GPU, so that each node is at fault."""
    before, allocating, on_ray, night, drains, prometheus, manifest, elsewhere, piped = BLOCKS

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=tmp_path, env=cluster.environment, capture_output=True, text=True, check=False, timeout=LONG
        )

    told = run("salloc", "--nodes=2", "--gres=gpu:8", "sh", "-c", before)
    assert "no-gpu on 2 of 2: n[2-3]" in told.stdout
    assert (tmp_path / "bad-nodes.txt").read_text() == "n[2-3]\n"
    assert told.returncode == 1
    assert "no-gpu on 2 of 2: n[2-3]" in run("sh", "-c", allocating).stdout
    assert on_ray == "cudacheck fleet ray\n"  # tests/test_collecting_ray.py

    collect, judge = night.splitlines()
    assert run("sh", "-c", collect).returncode == 1
    (folder,) = (tmp_path / "reports").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["n2.json", "n3.json"]
    assert "cannot read last.json" in run("sh", "-c", judge).stderr
    assert run("sh", "-c", judge.replace("--since last.json ", "")).returncode == 1
    again = run("sh", "-c", judge)
    assert "last.json" in again.stdout
    assert again.returncode == 1
    assert run("sh", "-c", drains).stdout.startswith(
        "scontrol update NodeName=n[2-3] State=DRAIN Reason='cudacheck: no-gpu"
    )

    assert run("sh", "-c", prometheus).returncode == 1
    assert "cudacheck_" in (tmp_path / "cudacheck.prom").read_text()
    assert run("sh", "-c", manifest).returncode == 0
    assert "kind: Job" in (tmp_path / "cudacheck.yaml").read_text()
    assert len(elsewhere.splitlines()) == 4  # of engines that are not here
    told = run("sh", "-c", piped.replace("pdsh -w n[01-16]", "sh -c"))
    assert told.stdout.startswith("✗ 1 node: 1 fail, 15 missing")
