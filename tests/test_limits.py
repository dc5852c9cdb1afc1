"""Limits of a real process: the doctor inherits them, reads them, and names them as the root of what they cause."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from machine import Machine
from machines import bare_metal
from patients import CUDACHECK, clean_environment
from workshop import Workshop

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux has these limits")


@pytest.fixture(scope="module")
def workshop(tmp_path_factory, fake_driver_folder) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("parts"), fake_driver_folder)


@pytest.fixture
def machine(workshop, tmp_path) -> Machine:
    machine = Machine(tmp_path, workshop)
    bare_metal(machine)
    return machine


def judged(machine: Machine, shell: str) -> dict:
    """The report of a doctor that this line of shell comes before, in the same process."""
    patient = machine.patient
    done = subprocess.run(
        ["sh", "-c", f'{shell}\nexec "$@"', "sh", *CUDACHECK, *patient.arguments(bench=False)],
        env={**clean_environment(), **patient.environment},
        cwd=patient.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return json.loads(done.stdout)


def roots(report: dict) -> list[str]:
    return [f["rule"] for f in report["findings"] if f["caused_by"] is None and f["severity"] != "note"]


def limits(report: dict) -> dict[str, int]:
    return {limit["resource"]: limit["soft"] for limit in report["facts"].get("ProcessLimit", [])}


@pytest.mark.parametrize(
    ("shell", "symptom", "resource", "value"),
    [
        ("ulimit -v 20000000", {"FAKE_CUINIT": "2"}, "address space", 20000000 * 1024),
        ("ulimit -Sd 20000000", {"FAKE_CUINIT": "2"}, "data", 20000000 * 1024),
        ("ulimit -n 48", {"FAKE_CUINIT": "304"}, "open files", 48),
        (
            "ulimit -Sn 48",
            {"STUB_KERNEL_ERROR": "CUDA error: CUDA-capable device(s) is/are busy or unavailable"},
            "open files",
            48,
        ),
    ],
)
def test_a_limit_is_the_root_of_what_it_breaks(machine, shell, symptom, resource, value):
    machine.set(**symptom)
    report = judged(machine, shell)
    assert limits(report)[resource] == value
    assert roots(report) == ["process-limit-too-low"], report["findings"]
    assert report["findings"][0]["severity"] == "error"
    assert resource in report["findings"][0]["message"]


def test_the_same_error_without_the_limit_is_another_root(machine):
    machine.set(FAKE_CUINIT="2")
    assert roots(judged(machine, "ulimit -Sv unlimited")) == ["cuda-init-failed"]


def test_only_what_can_be_raised_here_is_a_command(machine):
    machine.set(FAKE_CUINIT="304")
    soft = judged(machine, "ulimit -Sn 48")["findings"][0]["remedies"][0]["commands"]
    hard = judged(machine, "ulimit -n 48")["findings"][0]["remedies"][0]["commands"]
    assert len(soft) == 1
    assert soft[0].startswith("ulimit -Sn ")
    tried = subprocess.run(
        ["sh", "-c", f"ulimit -Sn 48; {soft[0]}; ulimit -Sn"], capture_output=True, text=True, check=True
    )
    assert int(tried.stdout) >= 256
    assert hard == []


def test_a_limit_that_does_no_harm_is_a_note(machine):
    report = judged(machine, "ulimit -v 40000000")
    assert roots(report) == []
    assert "process-limit-too-low" in [f["rule"] for f in report["findings"]]


def test_one_core_of_many(machine):
    machine.put("/sys/devices/system/cpu/online", "0-15\n")
    core = min(os.sched_getaffinity(0))
    assert roots(judged(machine, f"taskset -cp {core} $$ > /dev/null")) == ["too-few-cpus"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"memory.max": str(1 << 30), "memory.current": str(1 << 28), "memory.stat": "file 100\nshmem 0\n"}, True),
        # full of files that were read once: the kernel gives them back
        ({"memory.max": str(16 << 30), "memory.current": str(16 << 30), "memory.stat": f"file {14 << 30}\n"}, False),
        ({"memory.max": str(16 << 30), "memory.current": str(15 << 30), "memory.stat": "file 9\n"}, True),
        ({"memory.max": "max", "memory.current": str(15 << 30), "memory.stat": "file 9\n"}, False),
    ],
)
def test_the_memory_of_the_control_group(machine, files, expected):
    machine.put("/proc/self/cgroup", "0::/system.slice/job\n")
    for name, text in files.items():
        machine.put(f"/sys/fs/cgroup/system.slice/{name}", text)
    assert roots(judged(machine, ":")) == ["process-limit-too-low"] * expected


@pytest.mark.parametrize(
    ("cgroup", "path", "files", "quota"),
    [
        ("0::/", "", {"cpu.max": "50000 100000\n"}, 0.5),
        ("0::/a/b", "a", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/", "", {"cpu.max": "max 100000\n"}, None),
        ("3:cpu,cpuacct:/", "cpu", {"cpu.cfs_quota_us": "25000\n", "cpu.cfs_period_us": "100000\n"}, 0.25),
        ("3:cpu,cpuacct:/", "cpu", {"cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"}, None),
    ],
)
def test_the_quota_of_the_control_group(machine, cgroup, path, files, quota):
    machine.put("/proc/self/cgroup", f"{cgroup}\n")
    machine.put("/sys/devices/system/cpu/online", "0-63\n")
    for name, text in files.items():
        machine.put(f"/sys/fs/cgroup/{path}/{name}", text)
    report = judged(machine, ":")
    assert report["facts"]["CpuShare"][0]["quota"] == quota
    low = [f for f in report["findings"] if f["rule"] == "too-few-cpus" and f["fix_by"] == "container"]
    assert bool(low) == (quota is not None)


def test_probes_that_die_of_it_stand_behind_it(machine):
    """With this few descriptors PyTorch's own import fails, as any other probe may."""
    init = machine.patient.site / "torch" / "__init__.py"
    init.write_text("import os\nkept = [os.open('/dev/null', os.O_RDONLY) for _ in range(40)]\n" + init.read_text())
    report = judged(machine, "ulimit -n 32")
    assert roots(report) == ["process-limit-too-low"], [(f["rule"], f["caused_by"]) for f in report["findings"]]
    assert roots(judged(machine, "ulimit -Sn 1024")) == []
