"""Live faults: each is found on a sick machine, as the only root, and not on its healthy twin."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import faults_driver
import faults_pytorch
import faults_running
import pytest
from faults import Fault
from machine import Change, Machine
from machines import MACHINES
from patients import Doctor
from workshop import Workshop

pytestmark = pytest.mark.whole

FAULTS = (*faults_driver.FAULTS, *faults_pytorch.FAULTS, *faults_running.FAULTS)


class Ward:
    """Builds machines and has them judged."""

    def __init__(self, folder: Path, driver: Path) -> None:
        self.folder = folder
        self.workshop = Workshop(folder / "parts", driver)
        self.numbers = itertools.count()

    def machine(self, *changes: Change) -> Machine:
        machine = Machine(self.folder / str(next(self.numbers)), self.workshop)
        for change in changes:
            change(machine)
        return machine

    def judged(self, *changes: Change) -> Doctor:
        return self.machine(*changes).patient.doctor_in_this_process(bench=False)


@pytest.fixture(scope="session")
def ward(tmp_path_factory, fake_driver_folder) -> Ward:
    return Ward(tmp_path_factory.mktemp("ward"), fake_driver_folder)


def roots(told: Doctor, severity: str) -> list[str]:
    """The findings of this severity that stand for themselves."""
    return [f["rule"] for f in told.report["findings"] if f["severity"] == severity and f["caused_by"] is None]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_the_fault_is_found_and_nothing_else(ward, fault):
    told = ward.judged(fault.base, fault.sicken)
    assert told.code == (fault.severity == "error"), told.stdout
    assert roots(told, "error") == [fault.rule] * (fault.severity == "error"), told.stdout
    if fault.severity != "error":
        assert roots(told, "warning") == [fault.rule] * (fault.severity == "warning"), told.stdout
    assert told.finding(fault.rule)["severity"] == fault.severity


def twins() -> list[Any]:
    """Each healthy machine once, with the faults that must not be found on it: many have the same twin."""
    of_twin: dict[tuple[Change, ...], list[Fault]] = {(build,): [] for build in MACHINES}
    for fault in FAULTS:
        changes = (fault.base, fault.well) if fault.well else (fault.base,)
        of_twin.setdefault(changes, []).append(fault)
    return [
        pytest.param(changes, faults, id=" like ".join([changes[0].__name__, *map(str, faults[: len(changes) - 1])]))
        for changes, faults in of_twin.items()
    ]


@pytest.mark.parametrize(("changes", "faults"), twins())
def test_a_healthy_machine_stays_silent(ward, changes, faults):
    told = ward.judged(*changes)
    assert told.code == 0, told.stdout
    assert told.roots == [], told.stdout
    assert not {fault.rule for fault in faults} & {*told.rules}, told.stdout
    facts = told.report["facts"]
    ran = {(run["device_index"], run["ok"]) for run in facts["KernelRun"]}
    assert ran == {(gpu["index"], True) for gpu in facts["Gpu"]}
    # In most containers nobody may read the kernel log.
    unfinished = {run["probe"] for run in told.report["probes"] if run["outcome"] != "ok"}
    assert unfinished <= {"benchmark", "kernel_log"}, told.report["probes"]


@pytest.mark.parametrize("rule", ["driver-too-old", "cudnn-conflict"])
def test_the_installed_command_says_the_same(ward, rule):
    fault = next(fault for fault in FAULTS if fault.rule == rule)
    patient = ward.machine(fault.base, fault.sicken).patient
    here, installed = patient.doctor_in_this_process(bench=False), patient.doctor(bench=False)
    assert installed.code == here.code
    for part in ("verdict", "findings", "unchecked"):
        assert installed.report[part] == here.report[part]
    assert installed.report["facts"].keys() == here.report["facts"].keys()
    outcomes = [{probe["probe"]: probe["outcome"] for probe in told.report["probes"]} for told in (here, installed)]
    assert outcomes[0] == outcomes[1]
