"""Patients that turn on the doctor: it ends in time, tells what it knows, and leaves nothing behind or running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from patients import CUDACHECK, Doctor, Patient, clean_environment, told_by

pytestmark = pytest.mark.whole

TIMEOUT_S = 6
STARTING_S = 30
"""What a busy machine may need to start interpreters, on top of what is promised: a hang would be endless."""

FIND_EVENTS = "import os, sys\nevents = sys.argv[1]\nfolder = os.path.dirname(events)\n"
SLEEP = "import time\ntime.sleep(1000)\n"
HOSTILE = {
    "the events' file becomes a FIFO": FIND_EVENTS
    + "try:\n    os.unlink(events)\n    os.mkfifo(events)\nexcept OSError: pass\n",
    "the events' file becomes a folder": FIND_EVENTS
    + "try:\n    os.unlink(events)\n    os.mkdir(events)\nexcept OSError: pass\n",
    "every file of the doctor's is deleted": (
        "import glob, os, shutil, tempfile\n"
        "for path in glob.glob(tempfile.gettempdir() + '/cudacheck-*'):\n"
        "    shutil.rmtree(path, ignore_errors=True)\n"
        "    if os.path.isfile(path): os.unlink(path)\n"
    ),
    "the events are emptied": FIND_EVENTS + "open(events, 'w').close()\n",
    "deep JSON": FIND_EVENTS + "open(events, 'ab').write(b'[' * 200_000 + b'\\n')\n",
    "values of the wrong type": FIND_EVENTS
    + (
        "import json\n"
        "told = [[], {}, 'x', {'event': 'end', 'outcome': [], 'detail': 1, 'seconds': 'x'},\n"
        "        {'event': 'fact', 'type': [], 'fields': 1}, {'event': 'start', 'probe': {}},\n"
        "        {'event': 'fact', 'type': 'TorchBuild', 'fields': {'version': {'a': []}, 'cuda': 12}},\n"
        "        {'event': 'traceback', 'text': 10 ** 400}]\n"
        "open(events, 'a').write(''.join(json.dumps(one) + '\\n' for one in told))\n"
    ),
    "a flood of facts": FIND_EVENTS
    + (
        'line = b\'{"event":"fact","type":"ErrorMessage","fields":{"text":"%d","found_in":""}}\\n\'\n'
        "open(events, 'ab').write(b''.join(line % n for n in range(200_000)))\n"
    ),
    "one endless line": FIND_EVENTS + "open(events, 'ab').write(b'x' * 40_000_000)\n",
}
LEAVING = {
    "a new session": "os.setsid()",
    "a double fork": "os.setsid()\n    if os.fork(): os._exit(0)",
    "a chain that forks as it is killed": "os.setsid()\n    for _ in range(20):\n        if os.fork(): break",
}


@pytest.fixture
def patient(tmp_path):
    patient = Patient(tmp_path / "venv")
    patient.environment["TMPDIR"] = str(tmp_path / "tmp")
    (tmp_path / "tmp").mkdir()
    return patient


def is_over(patient, doctor) -> tuple[float, Doctor]:
    started = time.monotonic()
    told = told_by(doctor, timeout=TIMEOUT_S + STARTING_S)
    return time.monotonic() - started, told


@pytest.mark.parametrize("on_import", HOSTILE.values(), ids=HOSTILE)
def test_a_patient_that_touches_the_events(patient, on_import):
    patient.torch("2.8.0+cu128", "12.8", "sm_80", on_import=on_import + SLEEP)
    _, told = is_over(patient, patient.start_doctor("--timeout", str(TIMEOUT_S), bench=False))
    assert told.code == 1, told.stderr
    assert "Traceback" not in told.stderr
    assert told.report["seconds"] <= TIMEOUT_S + 2
    assert "probe-did-not-finish" in told.rules
    assert told.report["facts"]["System"]
    assert os.listdir(patient.environment["TMPDIR"]) == []
    assert not named(str(patient.folder))


@pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)
def test_what_leaves_the_session_is_ended_too(patient, tmp_path, leave):
    sign = tmp_path / "left"
    patient.torch(
        "2.8.0+cu128",
        "12.8",
        "sm_80",
        on_import=f"""
import os, subprocess, sys
if os.fork() == 0:
    {leave}
    os.execv(sys.executable, [sys.executable, "-S", "-c", "import time; open({str(sign)!r}, 'w'); time.sleep(1000)"])
import time
while not os.path.exists({str(sign)!r}): time.sleep(0.01)
""",
    )
    told = patient.doctor(bench=False)
    assert sign.exists()
    assert told.report["facts"]["TorchBuild"]
    assert not named(str(sign))


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_nothing_behind(patient, tmp_path, number):
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("whoever runs these tests ignores it (nohup), and the doctor keeps it so")
    sign = tmp_path / "imported"
    patient.torch("2.8.0+cu128", "12.8", "sm_80", on_import=f"open({str(sign)!r}, 'w').close()\n{SLEEP}")
    doctor = patient.start_doctor("--timeout", "100", bench=False)
    deadline = time.monotonic() + 60
    while not sign.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    doctor.send_signal(number)
    doctor.send_signal(number)  # impatience must not cut short what the first one began
    told = told_by(doctor)
    assert told.code == 130
    assert told.report["facts"]["TorchBuild"]
    assert os.listdir(patient.environment["TMPDIR"]) == []
    assert not named(str(patient.folder))


def named(word: str) -> list[str]:
    """The processes whose command line has this word in it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue
    return found


EARLY = {
    "sitecustomize": ("sitecustomize.py", "raise SystemExit('I stay at home')", "sitecustomize.py"),
    "sitecustomize that says nothing": ("sitecustomize.py", "import os; os._exit(3)", "sitecustomize.py"),
    "a .pth file": ("zz.pth", "import os; os._exit(4)", "zz.pth"),
    "a sitecustomize that takes json away": (
        "sitecustomize.py",
        "import sys; sys.modules['json'] = None",
        "sitecustomize.py",
    ),
}


@pytest.mark.parametrize(("name", "text", "suspect"), EARLY.values(), ids=EARLY)
def test_who_kills_the_interpreter_is_named(patient, name, text, suspect):
    patient.write(name, text + "\n")
    told = patient.doctor(bench=False)
    assert told.code == 1
    said = told.finding("probe-did-not-finish")["message"]
    assert "before its first probe: it starts without " in said
    assert f"suspect {patient.site / suspect}" in said
    assert "3.8" not in said


@pytest.mark.parametrize("name", ["json.py", "traceback.py", "threading.py", "signal/__init__.py"])
def test_a_shadowed_standard_library_is_named(patient, tmp_path, name):
    (tmp_path / "shadow" / name).parent.mkdir(parents=True)
    (tmp_path / "shadow" / name).write_text("raise ValueError('mine')\n")
    patient.environment["PYTHONPATH"] = str(tmp_path / "shadow")
    told = patient.doctor(bench=False)
    said = told.finding("probe-did-not-finish")["message"]
    assert f"suspect {tmp_path / 'shadow' / name.partition('/')[0]}" in said
    assert "ValueError: mine" in said


def test_a_python_that_is_too_old_is_told_so(patient):
    patient.python.unlink()
    patient.python.write_text("#!/bin/sh\necho 'Python 2.7'\nexit 1\n")
    patient.python.chmod(0o755)
    told = patient.doctor(bench=False)
    assert "it is Python 2.7, and cudacheck inspects 3.8 and newer" in told.stdout


def test_what_was_a_passing_fault_blames_nobody(patient, tmp_path):
    """It died once, and starts now: out of memory, a file system that was away."""
    patient.write(
        "sitecustomize.py",
        f"""
        import os
        if not os.path.exists({str(tmp_path / "once")!r}):
            open({str(tmp_path / "once")!r}, "w").close()
            os._exit(9)
    """,
    )
    said = patient.doctor(bench=False).finding("probe-did-not-finish")["message"]
    assert "suspect" not in said
    assert "exited with status 9 before its first probe" in said


MODULES = ("json", "dataclasses", "typer", "rich", "click", "attr", "shlex", "datetime", "IPython", "tomllib")
"""What pip's start script and `python -m` import before our first line is not ours to keep out: that is -I's."""


@pytest.mark.parametrize(
    ("command", "pythonpath", "elsewhere"),
    [
        (CUDACHECK, None, False),
        ([str(Path(sys.executable).with_name("cudacheck"))], ":/nonexistent", False),
        ([str(Path(sys.executable).with_name("cudacheck"))], ".", False),
        ([str(Path(sys.executable).with_name("cudacheck"))], "{folder}", True),
        ([sys.executable, "-I", "-m", "cudacheck"], ":{folder}", True),
    ],
    ids=["-m", "an empty entry", "a dot", "another folder", "isolated"],
)
def test_nothing_of_the_current_folder_runs_in_our_process(tmp_path, command, pythonpath, elsewhere):
    for name in MODULES:
        if elsewhere and name in {"attr", "IPython"}:
            continue  # no package of ours, so one that PYTHONPATH offers may be it
        (tmp_path / f"{name}.py").write_text(
            f"import os, sys\nopen({str(tmp_path)!r} + '/ran-%d' % os.getpid(), 'w')\n"
        )
    environment = {**clean_environment(), "PYTHONDONTWRITEBYTECODE": "1"}
    if pythonpath:
        environment["PYTHONPATH"] = pythonpath.format(folder=tmp_path)
    doctor = subprocess.Popen(
        [*command, "explain", "torch-missing"], stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    )
    said, _ = doctor.communicate(timeout=60)
    assert doctor.returncode == 0
    assert "torch" in said
    assert not list(tmp_path.glob("ran-*"))


def test_the_temporary_folder_is_not_needed(patient):
    patient.environment["TMPDIR"] = "/nonexistent"
    told = patient.doctor(bench=False)
    assert told.report["facts"]["System"]
    assert tempfile.gettempdir()
