"""Patients whose PyTorch or driver dies under examination: all survived, all named, the GPU still reported."""

from __future__ import annotations

import subprocess
import time

import pytest
from patients import Patient, told_by

pytestmark = pytest.mark.whole

GPU = {"FAKE_NAME": "NVIDIA A10", "FAKE_CC": "86", "FAKE_DRIVER": "580.95.05", "FAKE_CUDA_VERSION": "13000"}


@pytest.fixture
def patient(tmp_path, fake_driver):
    return Patient(tmp_path / "venv", environment=fake_driver(**GPU))


@pytest.fixture(scope="module", autouse=True)
def hanging(tmp_path_factory, fake_driver_folder):
    """Doctors whose patients hang: they wait while other tests run, and what they say is looked at last."""
    environment = {**GPU, "LD_LIBRARY_PATH": str(fake_driver_folder)}
    with_torch, with_nvml = (Patient(tmp_path_factory.mktemp("hanging") / "venv", dict(environment)) for _ in range(2))
    with_torch.torch("2.8.0+cu128", "12.8", "sm_80 sm_86", on_import="import time; time.sleep(1000)")
    with_nvml.torch("2.8.0+cu128", "12.8", "sm_80 sm_86")
    with_nvml.environment["FAKE_NVML_HANG"] = "1"
    doctors = {
        "torch": with_torch.start_doctor("--timeout", "8", bench=False),
        "nvml": with_nvml.start_doctor("--timeout", "40", bench=False),
        "nvml, for the whole time": with_nvml.start_doctor("--timeout", "8", bench=False),
    }
    yield doctors
    for doctor in doctors.values():
        with doctor:
            doctor.terminate()


@pytest.mark.parametrize(
    ("on_import", "rules", "named"),
    [
        (
            "raise ImportError('libcudnn.so.8: cannot open shared object file: No such file or directory')",
            {"cudnn-missing"},
            "libcudnn.so.8",
        ),
        ("import os; os.abort()", {"torch-import-failed"}, "SIGABRT"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", {"torch-import-failed"}, "SIGSEGV"),
        ("import sys; sys.exit(3)", {"torch-import-failed"}, "SystemExit"),
        ("import os; os._exit(3)", {"torch-import-failed"}, "exited with status 3"),
    ],
    ids=["missing cuDNN", "abort", "segmentation fault", "sys.exit", "os._exit"],
)
def test_a_torch_that_dies(patient, on_import, rules, named):
    patient.torch("2.8.0+cu128", "12.8", "sm_80 sm_86 sm_90", on_import=on_import)
    told = patient.doctor(bench=False)
    assert told.code == 1
    assert set(told.roots) & rules, told.stdout
    assert named in told.stdout
    assert told.report["facts"]["Gpu"][0]["name"] == "NVIDIA A10"
    assert told.report["facts"]["Nvml"][0]["driver_version"] == "580.95.05"
    assert told.report["facts"]["TorchBuild"][0]["cuda"] == "12.8"


def test_an_nvml_that_crashes_leaves_the_rest_standing(patient):
    patient.torch("2.8.0+cu128", "12.8", "sm_80 sm_86")
    patient.environment["FAKE_NVML_CRASH"] = "1"
    only_nvml_is_named(patient.doctor(bench=False), "crashed")


def only_nvml_is_named(told, outcome):
    runs = {run["probe"]: run for run in told.report["probes"]}
    assert runs["nvml"]["outcome"] == outcome
    assert runs["libcuda"]["outcome"] == "ok"
    assert told.code == 1
    assert "probe-did-not-finish" in told.rules
    assert told.report["facts"]["TorchBuild"]


@pytest.mark.parametrize(
    ("code", "rule"), [(9, "driver-not-loaded"), (18, "driver-library-mismatch"), (999, "nvml-access-lost")]
)
def test_nvml_error_codes_have_owners(patient, tmp_path, code, rule):
    patient.torch("2.8.0+cu128", "12.8", "sm_80 sm_86")
    patient.environment["FAKE_NVML_INIT"] = str(code)
    patient.environment["FAKE_CUINIT"] = "999" if code == 999 else "100"
    patient.environment["CUDACHECK_ROOT"] = str(machine_with_a_gpu(tmp_path / "root"))
    told = patient.doctor_in_this_process(bench=False)
    assert told.code == 1
    assert told.roots[0] == rule
    assert str(code) in told.stdout


def machine_with_a_gpu(root):
    """/proc, /sys and /dev of a server with an A10, whose driver is loaded or not as nobody can tell."""
    device = root / "sys/bus/pci/devices/0000:01:00.0"
    device.mkdir(parents=True)
    for name, text in {"vendor": "0x10de", "device": "0x2236", "class": "0x030200"}.items():
        (device / name).write_text(f"{text}\n")
    (root / "proc").mkdir()
    (root / "proc/version").write_text("Linux version 6.8.0-45-generic (buildd@lcy02)\n")
    return root


def test_an_nvml_that_answers_driver_not_loaded_where_there_is_no_gpu(patient):
    patient.torch("2.8.0+cu128", "12.8", "sm_80 sm_86")
    patient.environment.update(FAKE_NVML_INIT="9", FAKE_CUINIT="100")
    told = patient.doctor_in_this_process(bench=False)
    assert told.code == 1
    assert told.roots[0] in {"no-gpu", "driver-not-loaded"}
    assert "NVML" in told.stdout


@pytest.mark.parametrize(
    ("code", "rules"),
    [
        (3, {"uvm-broken"}),
        (100, {"cuda-init-failed", "gpus-hidden"}),
        (802, {"fabric-manager-down"}),
        (803, {"driver-library-mismatch", "forward-compat-libcuda"}),
        (804, {"forward-compat-libcuda"}),
        (999, {"uvm-broken", "cuda-init-failed"}),
        (304, {"uvm-broken", "cuda-init-failed"}),
        (719, {"cuda-init-failed"}),
    ],
)
def test_cuinit_codes_have_owners(patient, code, rules):
    patient.torch("2.8.0+cu128", "12.8", "sm_80 sm_86")
    patient.environment["FAKE_CUINIT"] = str(code)
    told = patient.doctor_in_this_process(bench=False)
    assert told.code == 1
    assert told.roots[0] in rules, told.roots
    assert f"{code}" in told.stdout


def test_a_json_module_on_pythonpath_is_one_more_death(patient, tmp_path):
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    (shadow / "json.py").write_text("raise RuntimeError('a json.py of my own')\n")
    patient.torch("2.8.0+cu128", "12.8", "sm_80 sm_86")
    patient.environment["PYTHONPATH"] = str(shadow)
    told = patient.doctor(bench=False)
    assert told.code == 1
    assert "a json.py of my own" in told.stdout
    assert f"suspect {shadow / 'json.py'}" in told.stdout
    assert told.report["facts"]["Gpu"][0]["name"] == "NVIDIA A10"


def test_a_target_that_is_no_python(patient):
    patient.python.unlink()
    patient.python.symlink_to("/bin/true")
    told = patient.doctor(bench=False)
    assert told.code == 1
    assert "exited with status 0 before its first probe: it runs no Python code" in told.stdout


def test_a_torch_that_closes_every_descriptor_and_prints_rubbish(patient):
    patient.torch(
        "2.8.0+cu128", "12.8", "sm_80 sm_86", on_import="import os; print('{' * 1000); os.closerange(3, 4096)"
    )
    told = patient.doctor(bench=False)
    runs = {run["probe"]: run["outcome"] for run in told.report["probes"]}
    assert runs["torch_import"] == "ok"
    assert runs["torch_cuda"] == "ok"


def test_a_torch_that_prints_for_ever_is_stopped_before_the_disk_is_full(patient):
    endless = "import sys\nblock = 'x' * 2**20\nwhile True: sys.stdout.write(block)"
    patient.torch("2.8.0+cu128", "12.8", "sm_80 sm_86", on_import=endless)
    told = patient.doctor(bench=False)
    assert told.code == 1
    runs = {run["probe"]: run for run in told.report["probes"]}
    assert runs["torch_import"]["outcome"] == "failed"
    assert len(runs["torch_import"]["log"]) < 10_000


def test_a_torch_that_sleeps_for_ever(hanging):
    told = told_by(hanging["torch"])
    assert told.report["seconds"] < 30  # hangs are what is tested: 8 s are asked for, 1000 would be the fault
    assert told.code == 1
    assert "probe-did-not-finish" in told.roots
    assert "torch-import-failed" not in told.rules  # 8 s are no fault of PyTorch's
    assert "8 s" in told.stdout
    assert told.report["facts"]["Gpu"][0]["name"] == "NVIDIA A10"
    outcomes = {run["probe"]: run["outcome"] for run in told.report["probes"]}
    assert outcomes["torch_import"] == "timed-out"


def test_an_nvml_that_hangs_leaves_the_rest_standing(hanging):
    only_nvml_is_named(told_by(hanging["nvml"]), "timed-out")


def test_a_time_that_is_over_is_no_interruption(hanging):
    told = told_by(hanging["nvml, for the whole time"])
    assert told.report["verdict"]["headline"].startswith("the NVIDIA driver does not answer")
    skipped = [run for run in told.report["probes"] if run["outcome"] == "skipped"]
    assert "libcuda" in {run["probe"] for run in skipped}
    assert not any(run["cut_short"] for run in skipped)


def test_children_do_not_outlive_a_doctor_that_is_killed(tmp_path, fake_driver):
    """SIGKILL leaves the doctor no time to end them, and this PyTorch never comes to an end by itself."""
    patient = Patient(tmp_path / "venv", environment=fake_driver(**GPU))
    sign = tmp_path / "imported"
    patient.torch(
        "2.8.0+cu128", "12.8", "sm_80", on_import=f"open({str(sign)!r}, 'w').close(); import time; time.sleep(1000)"
    )
    with patient.start_doctor("--timeout", "100", bench=False) as doctor:
        until(sign.exists)
        doctor.kill()
    until(lambda: not running(str(patient.python)))


def running(command: str) -> str:
    return subprocess.run(["pgrep", "-f", command], capture_output=True, text=True, check=False).stdout


def until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
