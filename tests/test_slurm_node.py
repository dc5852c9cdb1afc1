"""docs/slurm.md under a real Slurm: its script in the health check and in the prolog, on sick and sound nodes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from patients import CUDACHECK
from slurm_cluster import Slurm, missing
from waiting import wait_until

PAGE = (Path(__file__).parents[1] / "docs" / "slurm.md").read_text(encoding="utf-8")
SCRIPT, RESUME = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
(CONF,) = re.findall(r"```ini\n(.*?)```", PAGE, re.DOTALL)
SETTINGS = dict(line.split("=", 1) for line in CONF.splitlines())
AT_FAULT = {"FAKE_LOST": "15"}
"""Of the fake driver: its GPU is lost."""

pytestmark = [
    pytest.mark.whole,
    pytest.mark.slurm,
    pytest.mark.skipif(bool(missing()), reason=f"no {', '.join(missing())}: apt-get install slurm-wlm munge"),
]


class Nodes:
    """A cudacheck for each node, installed as the page has it, and how often the script has ended there."""

    def __init__(self, folder: Path, driver: Path) -> None:
        self.folder, self.driver = folder, driver
        self.script = folder / "cudacheck.sh"

    def install(self, slurm: Slurm) -> None:
        text = SCRIPT.replace("/opt/cudacheck/bin/cudacheck", f"{self.folder}/$SLURMD_NODENAME")
        assert text != SCRIPT
        # slurm.conf is not where Slurm looks for it, and who is to know when a check has ended?
        text = text.replace(
            "export PATH\n",
            f"export PATH SLURM_CONF={slurm.conf}\ntrap 'echo $? >>\"{self.folder}/ended-$SLURMD_NODENAME\"' EXIT\n",
        )
        self.script.write_text(text.replace("timeout 50", "timeout 30"))
        self.script.chmod(0o755)

    def has(self, node: str, command: str, **fake: str) -> None:
        """From now on this is the node's cudacheck."""
        variables = {"LD_LIBRARY_PATH": str(self.driver), **fake}
        exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
        written = self.folder / f"{node}.new"
        written.write_text(f"#!/bin/sh\n{exports}{command}\n")
        written.chmod(0o755)
        written.replace(self.folder / node)

    def ended(self, node: str) -> list[str]:
        try:
            return (self.folder / f"ended-{node}").read_text().split()
        except FileNotFoundError:
            return []


DOCTOR = f'exec {shlex.join(CUDACHECK)} "$@"'


@pytest.fixture
def nodes(tmp_path, fake_driver_folder):
    return Nodes(tmp_path, fake_driver_folder)


def test_a_health_check_drains_the_node_that_is_at_fault_and_no_other(nodes):
    settings = {name: SETTINGS[name] for name in ("HealthCheckProgram", "HealthCheckInterval", "HealthCheckNodeState")}
    settings |= {"HealthCheckProgram": str(nodes.script), "HealthCheckInterval": "8"}
    slurm = Slurm(5, **settings)
    nodes.install(slurm)
    nodes.has("n1", DOCTOR, **AT_FAULT)
    nodes.has("n2", DOCTOR)  # PyTorch is missing there: the environment's fault
    nodes.has("n3", "sleep 600")
    nodes.has("n4", "ulimit -c 0; kill -SEGV $$")
    with slurm:  # n5 has none
        wait_until(lambda: slurm.state("n1") == "drain", log=slurm.log)
        assert slurm.reason("n1").startswith("cudacheck: [node] gpu-lost")
        wait_until(lambda: all(nodes.ended(node) for node in slurm.names), log=slurm.log)
        assert {code for node in slurm.names for code in nodes.ended(node)} == {"0"}
        assert [slurm.state(node) for node in slurm.names[1:]] == ["idle"] * 4
        assert slurm.run("sh", "-c", RESUME.replace("n07", "n1")).returncode == 0
        wait_until(lambda: slurm.state("n1") == "drain", log=slurm.log)  # it still is


def test_a_prolog_sends_the_job_to_another_node(nodes):
    settings = {name: SETTINGS[name] for name in ("Prolog", "SchedulerParameters")} | {"Prolog": str(nodes.script)}
    slurm = Slurm(2, **settings)
    nodes.install(slurm)
    nodes.has("n1", DOCTOR, **AT_FAULT)
    nodes.has("n2", DOCTOR)
    with slurm:
        told = slurm.folder / "job.out"
        slurm.run("sbatch", "-N1", "--requeue", "-o", str(told), "--wrap", "echo ran on $SLURMD_NODENAME")
        wait_until(lambda: slurm.state("n1") == "drain", log=slurm.log)
        assert slurm.reason("n1").startswith("cudacheck: [node] gpu-lost")
        (job,) = slurm.run("squeue", "-h", "-o", "%i %t %r").stdout.splitlines()
        number, state, why = job.split(" ", 2)
        assert state == "PD"
        assert "held" not in why
        # Slurm waits for two minutes before it starts it again
        slurm.run("scontrol", "update", f"JobId={number}", "StartTime=now")
        wait_until(lambda: told.exists() and told.read_text() == "ran on n2\n", log=slurm.log)
        assert nodes.ended("n1") == ["1"]
        assert nodes.ended("n2") == ["0"]


def test_what_slurm_gives_a_script_and_what_its_failure_does(tmp_path):
    script = tmp_path / "script.sh"
    script.write_text(f'#!/bin/sh\n/usr/bin/env >>"{tmp_path}/$SLURM_SCRIPT_CONTEXT-$SLURMD_NODENAME"\nexit 1\n')
    script.chmod(0o755)
    with Slurm(1, HealthCheckProgram=str(script), HealthCheckInterval="1", Prolog=str(script)) as slurm:
        checked = tmp_path / "-n1"
        wait_until(lambda: checked.read_text().count("SLURMD_NODENAME") > 2, log=slurm.log)
        assert slurm.state("n1") == "idle"  # it failed before slurmd registered, and goes on failing
        assert {line.partition("=")[0] for line in checked.read_text().splitlines()} <= {"SLURMD_NODENAME", "PWD"}
        slurm.run("sbatch", "-N1", "--requeue", "-o", "/dev/null", "--wrap", "true")
        wait_until(lambda: slurm.state("n1") == "drain", log=slurm.log)
        wait_until(lambda: "held" in slurm.run("squeue", "-h", "-o", "%r").stdout, log=slurm.log)
        given = (tmp_path / "prolog_slurmd-n1").read_text().splitlines()
        assert {"SLURMD_NODENAME", "SLURM_CONF", "SLURM_JOB_ID"} <= {line.partition("=")[0] for line in given}
        assert not any(line.startswith("PATH=") for line in given)


def test_a_prolog_that_ends_with_0_lets_the_job_run_on_a_drained_node(tmp_path):
    script = tmp_path / "script.sh"
    reason = "scontrol update NodeName=$SLURMD_NODENAME State=DRAIN Reason=sick"
    script.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\nexport PATH\n{reason}\n")
    script.chmod(0o755)
    with Slurm(1, Prolog=str(script)) as slurm:
        assert slurm.run("srun", "-N1", "sh", "-c", "echo ran on $SLURMD_NODENAME").stdout == "ran on n1\n"
        assert slurm.reason("n1") == "sick"
