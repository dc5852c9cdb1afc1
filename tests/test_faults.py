"""Live faults: each is found, with the right root, on a sick machine, and not on its healthy twin."""

from __future__ import annotations

import itertools
from pathlib import Path

import faults_driver
import faults_pytorch
import faults_running
import pytest
from machine import Change, Machine
from machines import MACHINES
from patients import Doctor
from workshop import Workshop

FAULTS = (*faults_driver.FAULTS, *faults_pytorch.FAULTS, *faults_running.FAULTS)


class Ward:
    """Builds machines and has them judged, the healthy ones once."""

    def __init__(self, folder: Path, driver: Path) -> None:
        self.folder = folder
        self.workshop = Workshop(folder / "parts", driver)
        self.numbers = itertools.count()
        self.found_healthy: dict[tuple[Change, ...], Doctor] = {}

    def judged(self, *changes: Change) -> Doctor:
        """What the doctor says of a machine that these built and changed."""
        machine = Machine(self.folder / str(next(self.numbers)), self.workshop)
        for change in changes:
            change(machine)
        return machine.doctor()

    def healthy(self, *changes: Change) -> Doctor:
        if changes not in self.found_healthy:
            self.found_healthy[changes] = self.judged(*changes)
        return self.found_healthy[changes]


@pytest.fixture(scope="session")
def ward(tmp_path_factory, fake_driver_folder) -> Ward:
    return Ward(tmp_path_factory.mktemp("ward"), fake_driver_folder)


def roots(told: Doctor, severity: str) -> list[str]:
    """The findings of this severity that stand for themselves, in the order in which they are printed."""
    return [f["rule"] for f in told.report["findings"] if f["severity"] == severity and f["caused_by"] is None]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_the_fault_is_found_and_nothing_else(ward, fault):
    told = ward.judged(fault.base, fault.sicken)
    assert roots(told, "error") == [fault.rule] * (fault.severity == "error"), told.stdout
    assert fault.severity == "error" or roots(told, "warning") == [fault.rule] * (fault.severity == "warning"), (
        told.stdout
    )
    assert told.finding(fault.rule)["severity"] == fault.severity
    assert told.code == (fault.severity == "error")


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_its_healthy_twin_is_not_accused(ward, fault):
    told = ward.healthy(fault.base, *(fault.well,) * bool(fault.well))
    assert fault.rule not in told.rules, told.stdout
    assert roots(told, "error") == [], told.stdout
    assert told.code == 0


@pytest.mark.parametrize("build", MACHINES, ids=lambda build: build.__name__)
def test_a_healthy_machine_stays_silent(ward, build):
    told = ward.healthy(build)
    assert told.roots == [], told.stdout
    assert told.code == 0
    report = told.report
    assert [run for run in report["facts"]["KernelRun"] if not run["ok"]] == []
    assert {run["device_index"] for run in report["facts"]["KernelRun"]} == set(range(len(report["facts"]["Gpu"])))
    # Nobody may read the kernel log in most containers.
    unfinished = {run["probe"] for run in report["probes"] if run["outcome"] != "ok"}
    assert unfinished <= {"benchmark", "kernel_log"}, report["probes"]
