"""Live faults: each is found, with the right root, on a sick machine, and not on its healthy twin."""

from __future__ import annotations

import shutil
import sys

import faults_driver
import pytest
from faults import Fault
from machines import MACHINES, Ward
from patients import Doctor

FAULTS = (*faults_driver.FAULTS,)


@pytest.fixture(scope="session")
def ward(tmp_path_factory, fake_driver_folder) -> Ward:
    return Ward(tmp_path_factory.mktemp("ward"), fake_driver_folder)


def judged(ward: Ward, *changes) -> Doctor:
    machine = ward.machine()
    for change in changes:
        change(machine)
    return machine.doctor()


def roots(told: Doctor, severity: str) -> list[str]:
    """The findings of this severity that stand for themselves, in the order in which they are printed."""
    return [f["rule"] for f in told.report["findings"] if f["severity"] == severity and f["caused_by"] is None]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_the_fault_is_found(ward, fault):
    told = judged(ward, fault.base, fault.sicken)
    assert roots(told, "error") == [fault.rule] * (fault.severity == "error"), told.stdout
    assert fault.rule in roots(told, fault.severity), told.stdout
    assert told.code == (fault.severity == "error")


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_its_healthy_twin_is_not_accused(ward, fault):
    told = judged(ward, fault.base, fault.well) if fault.well else ward.healthy(fault.base)
    assert fault.rule not in told.rules, told.stdout
    assert roots(told, "error") == [], told.stdout
    assert told.code == 0
