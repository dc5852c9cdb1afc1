"""What the inspected interpreter runs, under every Python from 3.8 on that this machine has."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from patients import PYTHONS, STUBS, Patient, clean_environment, interpreter_or_skip

from cudacheck.registry import probes

pytestmark = [
    pytest.mark.whole,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="crafts Linux environments"),
]

PACKAGE = Path(__file__).parents[1] / "cudacheck"
CHILD = PACKAGE / "probing" / "_child.py"
PROBES = [probe for probe in probes() if probe.child == "patient"]
NEEDS_TRITON = {"triton_step"}


@pytest.fixture(params=PYTHONS)
def patient(request, tmp_path):
    """An environment of that Python with a PyTorch, and nothing of ours."""
    return Patient(tmp_path / "venv", interpreter=interpreter_or_skip(request.param))


def outcomes(patient: Patient, names: list[str], events: Path) -> dict[str, str]:
    """How each probe ended, with its reason, in the order in which they did."""
    events.touch()
    done = subprocess.run(
        [patient.python, "-B", CHILD, events, "patient", "", *names],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    told = [json.loads(line) for line in events.read_text("utf-8").splitlines()]
    versions = [event["fields"]["version"] for event in told if event.get("type") == "Interpreter"]
    assert [version.rpartition(".")[0] for version in versions] == [patient.version], done.stderr
    return {event["probe"]: f"{event['outcome']}: {event['detail']}" for event in told if event["event"] == "end"}


def test_every_probe_comes_to_its_end(patient, tmp_path):
    """Without a PyTorch also those that a command asks for, and then with one that has no GPU."""
    ended = outcomes(patient, [probe.name for probe in PROBES], tmp_path / "without")
    assert [*ended] == [probe.name for probe in PROBES]
    assert [told for told in ended.items() if not told[1].startswith(("ok", "skipped"))] == []

    patient.torch("2.8.0+cu128", "12.8", "sm_80 sm_90")
    names = [probe.name for probe in PROBES if not probe.on_request]
    ended = outcomes(patient, names, tmp_path / "with")
    assert [*ended] == names
    assert [told for told in ended.items() if not told[1].startswith(("ok", "skipped"))] == []
    assert ended["torch_import"].startswith("ok")


def test_every_module_is_imported(patient):
    """Also those that a patient without a GPU never comes to: a type spelled anew fails where it is read."""
    patient.torch("2.8.0+cpu", None)
    shutil.copytree(STUBS / "torch_on_driver", patient.site / "torch", dirs_exist_ok=True)
    names = [
        ".".join(("cudacheck", *path.relative_to(PACKAGE).with_suffix("").parts))
        for folder in ("bench", "probes/patient")
        for path in sorted((PACKAGE / folder).glob("*.py"))
        if path.stem not in NEEDS_TRITON
    ]
    code = "import importlib, runpy, sys; runpy.run_path(sys.argv[1]); [*map(importlib.import_module, sys.argv[2:])]"
    done = subprocess.run(
        [patient.python, "-B", "-c", code, CHILD, *names],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
