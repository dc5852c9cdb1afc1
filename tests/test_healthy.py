"""Healthy and out of the ordinary: no error is found in these pastes, and none on these machines."""

from __future__ import annotations

import pytest
from healthy_machines import MACHINES
from healthy_pastes import EARLY, LATE
from machine import Machine
from workshop import Workshop

from cudacheck import sources
from cudacheck.judging.judge import judge
from cudacheck.model.findings import Severity
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.torch_files import TorchBuild

pytestmark = pytest.mark.whole

PASTES = {**EARLY, **LATE}


@pytest.fixture(scope="module")
def workshop(tmp_path_factory, fake_driver_folder) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("parts"), fake_driver_folder)


@pytest.mark.parametrize("name", PASTES)
def test_a_paste_without_an_error(name):
    facts = sources.read([("paste", PASTES[name])])
    assert any(map(facts.all, (TorchBuild, Distribution)))  # it was understood
    judgement = judge(facts)
    assert [f.message for f in judgement.findings if f.severity is Severity.ERROR] == []
    assert not [u for u in judgement.unchecked if "failed" in u.reason]


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_without_an_error(name, workshop, tmp_path):
    machine = Machine(tmp_path, workshop)
    MACHINES[name](machine)
    told = machine.patient.doctor_in_this_process(bench=False)
    errors = [finding["message"] for finding in told.report["findings"] if finding["severity"] == "error"]
    assert errors == []
    assert told.code == 0
    hidden = [finding for finding in told.report["findings"] if finding["rule"] == "gpu-too-old-for-build"]
    assert all(finding["severity"] == "warning" and finding["remedies"][0]["commands"] for finding in hidden)
    assert len(hidden) == ("display" in name)
