"""`cudacheck bench kernels` from end to end, on a GPU whose time is virtual (stubs/gpu_on_cpu)."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from patients import CUDACHECK, Doctor, Patient, clean_environment, in_this_process

from cudacheck.reports.schema import json_schema

pytestmark = pytest.mark.whole

TINY = {"size": 1024, "length": 512, "copied_numbers": 1 << 23, "budget_s": 60}
"""A 3050's virtual time for a matmul of 1024³ is 150 µs; the processor's real time is a tenth of a second."""
RTX_3050 = {
    "FAKE_NAME": "NVIDIA GeForce RTX 3050",
    "FAKE_CC": "86",
    "FAKE_SMS": "20",
    "FAKE_MEM_MB": "8192",
    "STUB_PEAK_TFLOPS": "18.2",
    "STUB_GB_PER_S": "224",
    "STUB_CLOCK_MHZ": "1777",
    "STUB_LAUNCH_US": "10",
    "FAKE_SM_CLOCK": "1777",
    "FAKE_SM_CLOCK_MAX": "1777",
    "FAKE_DRIVER": "570.124.06",
    "FAKE_CUDA_VERSION": "12080",
}
"""A slow one: fewer calls, each of which costs the processor its time, fill a measurement."""
RTX_3090 = {
    "FAKE_NAME": "NVIDIA GeForce RTX 3090",
    "FAKE_SMS": "82",
    "STUB_PEAK_TFLOPS": "71.2",
    "STUB_CLOCK_MHZ": "1695",
    "FAKE_SM_CLOCK": "1695",
    "FAKE_SM_CLOCK_MAX": "1695",
}
"""What is another: one whose bandwidth is known for sure."""
MATH_ONLY = """
for _switch in ("flash", "mem_efficient", "cudnn"):
    getattr(torch.backends.cuda, f"enable_{_switch}_sdp")(False)
"""
WRONG_RESULT = """
_right = multiplied
def multiplied(a, b, out):
    _right(a, b, out)
    if a.dtype == torch.bfloat16:
        out[-1, 512:] = 0
    return out
"""
SLOW_ONCE = """
_marker = HERE / "was-slow"
if not _marker.exists() and os.environ.get("CUDACHECK_BENCH"):
    _marker.touch()
    TENSOR_CORES = False
"""


def patient_with_a_gpu(folder, driver, appended: str = "", **variables: str) -> Patient:
    """A fresh patient; `appended` is run when its torch has been imported."""
    environment = {**driver(**RTX_3050), "CUDACHECK_BENCH": json.dumps(TINY), "COLUMNS": "100", **variables}
    patient = Patient(folder, environment=environment)
    patient.torch("2.8.0+cu126", "12.6", "sm_50 sm_80 sm_86 sm_90", gpu=True)
    init = patient.site / "torch" / "__init__.py"
    init.write_text(init.read_text() + appended)
    return patient


def kernels(patient: Patient, *options: str) -> list[str]:
    return ["bench", "kernels", "--python", str(patient.python), *options]


@pytest.fixture
def bench(tmp_path, fake_driver):
    def run(*options: str, **more: str) -> Doctor:
        patient = patient_with_a_gpu(tmp_path / "venv", fake_driver, **more)
        return in_this_process(kernels(patient, *options, "--format", "json"), patient.environment, tmp_path)

    return run


@pytest.fixture(scope="module")
def healthy(tmp_path_factory, fake_driver_folder):
    """The screen of one run of the installed command on a healthy GPU, and its report in a file."""
    folder = tmp_path_factory.mktemp("healthy")
    library = {"LD_LIBRARY_PATH": str(fake_driver_folder)}
    patient = patient_with_a_gpu(folder / "venv", lambda **asked: {**library, **asked})
    told = subprocess.run(
        [*CUDACHECK, *kernels(patient, "--quick", "--output", str(folder / "saved.json"))],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**clean_environment(), **patient.environment},
    )
    return Doctor(told.returncode, told.stdout, told.stderr), folder / "saved.json"


def health(told: Doctor) -> dict[str, str]:
    return {axis["axis"]: axis["health"] for axis in told.report["speed"]}


def test_a_healthy_gpu(healthy):
    told = Doctor(healthy[0].code, healthy[1].read_text(), "")
    assert told.roots == [], told.stdout
    assert told.code == 0
    assert told.report["verdict"]["state"] == "ready"
    assert health(told) == dict.fromkeys(
        ("correctness", "matmul", "memory", "attention", "new lengths", "launch", "clocks"), "healthy"
    )
    facts = told.report["facts"]
    (plan,) = facts["BenchPlan"]
    assert plan["cases"] == len(facts["Measurement"]) == 11
    assert all(row["ok"] in (True, None) for row in facts["Measurement"])
    assert facts["GpuConditions"][0]["nvml"] is True
    assert [probe["probe"] for probe in told.report["probes"]].count("benchmark") == 0
    matmul = next(axis for axis in told.report["speed"] if axis["axis"] == "matmul")
    assert matmul["shares"]["clock"] == pytest.approx(0.8 * 18.2e12 / (20 * 512 * 1777e6), rel=0.1)
    assert {*told.report} <= {*json_schema()["properties"]}


def test_the_screen(healthy):
    told, saved = healthy
    lines = told.stdout.splitlines()
    assert "\x1b" not in told.stdout + told.stderr
    assert max(map(len, lines)) <= 120
    assert any(line.startswith("  fp16 1024³") and "TFLOP/s" in line and "▇" in line for line in lines)
    assert any(line.split()[:2] == ["matmul", "healthy"] for line in lines)
    again = subprocess.run(
        [*CUDACHECK, "doctor", "--from", str(saved)],
        capture_output=True,
        text=True,
        check=False,
        env={**clean_environment(), "COLUMNS": "100"},
    )
    table = [line for line in lines if "TFLOP/s" in line]
    assert [line for line in again.stdout.splitlines() if "TFLOP/s" in line] == table


@pytest.mark.parametrize(
    ("options", "appended", "rule", "axis", "said"),
    [
        ({"STUB_NO_TENSOR_CORES": "1"}, "", "matmul-slow", "matmul", "times as fast as float32"),
        ({}, MATH_ONLY, "attention-falls-back-to-math", "attention", "flash is switched off"),
        ({"STUB_LAUNCH_US": "2000"}, "", "host-launch-slow", "launch", "2000.0 µs for a launch"),
        ({**RTX_3090, "STUB_GB_PER_S": "400"}, "", "memory-bandwidth-slow", "memory", "of the datasheet"),
        ({"FAKE_THERMAL_MS": "3000"}, "", "gpu-throttled", "clocks", "heat held it back"),
    ],
    ids=lambda value: value if isinstance(value, str) and "-" in value else "",
)
def test_each_fault_is_named_for_what_it_is(bench, options, appended, rule, axis, said):
    told = bench("--quick", appended=appended, **options)
    assert told.roots == [rule], told.stdout
    assert told.code == 0
    assert said in json.dumps(told.finding(rule), ensure_ascii=False)
    others = {name: found for name, found in health(told).items() if name != axis}
    assert health(told)[axis] in ("slow path", "degraded")
    assert {*others.values()} <= {"healthy", "inconclusive"}, others


def test_a_wrong_result_outranks_any_speed(bench):
    told = bench("--quick", appended=WRONG_RESULT, STUB_NO_TENSOR_CORES="1")
    assert told.code == 1
    assert told.roots == ["kernel-failed"], told.stdout
    assert "bfloat16 1024³" in told.finding("kernel-failed")["message"]
    assert health(told)["correctness"] == "wrong"


def test_what_is_slow_once_only_is_not_told(bench):
    told = bench("--quick", appended=SLOW_ONCE)
    assert told.roots == [], told.stdout
    attempts = {row["attempt"] for row in told.report["facts"]["Measurement"] if row["case"] == "matmul"}
    assert attempts == {1, 2}
    assert health(told)["matmul"] == "healthy"


def test_a_busy_gpu_is_inconclusive_and_no_fault(bench):
    told = bench("--quick", "--strict", FAKE_UTILIZATION="97", STUB_NO_TENSOR_CORES="1")
    assert told.roots == [], told.stdout
    assert told.code == 1  # --strict
    assert told.report["verdict"]["state"] == "not-proven"
    assert "97 %" in told.report["verdict"]["headline"]
    timed = {name: found for name, found in health(told).items() if name not in ("correctness", "launch")}
    assert {*timed.values()} == {"inconclusive"}


def test_the_whole_list_tries_the_variable_before_it_prints_it(bench):
    told = bench(STUB_PLAN_MS="40")
    facts = told.report["facts"]
    assert len(facts["Measurement"]) == facts["BenchPlan"][0]["cases"] + 2
    assert told.roots == ["attention-plan-per-length"], told.stdout
    assert health(told)["new lengths"] == "slow path"
    assert told.commands("attention-plan-per-length") == ["export TORCH_CUDNN_SDPA_DEPRIORITIZED=1"]
    backends = {row["backend"] for row in facts["Measurement"] if "new length" in row["case"]}
    assert backends == {"default", "cudnn off", "TORCH_CUDNN_SDPA_DEPRIORITIZED=1"}


def test_one_type_on_one_gpu(bench):
    told = bench("--quick", "--dtype", "bfloat16", "--device", "0")
    assert told.report["facts"]["BenchPlan"][0]["dtype"] == "bfloat16"
    assert {row["dtype"] for row in told.report["facts"]["Measurement"]} == {"bfloat16", "float32"}


def test_a_gpu_that_is_not_there(bench):
    told = bench("--quick", "--device", "3")
    assert told.report["verdict"]["state"] == "not-proven"
    assert "GPU 3" in told.report["verdict"]["headline"]


def test_a_baseline_tells_what_became_slower(bench, healthy):
    slower = bench("--quick", "--baseline", str(healthy[1]), "--fail-on", "warning", STUB_GB_PER_S="190")
    assert slower.roots == ["slower-than-baseline"], slower.stdout
    assert slower.code == 1
    assert "copy 32 MiB" in slower.finding("slower-than-baseline")["message"]
    assert len(slower.finding("slower-than-baseline")["evidence"]) == 1
    command = [*CUDACHECK, "doctor", "--from", "-", "--format", "json"]
    again = subprocess.run(command, input=slower.stdout, capture_output=True, text=True, check=False)
    assert "slower-than-baseline" in again.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--baseline", "/no/such/file"), "cannot read /no/such/file"),
        (("--baseline", "/dev/null"), "not JSON"),
        (("--python", "/no/such/python"), "no Python interpreter"),
        (("--ignore", "no-such-rule"), "no rule is called"),
        (("--output", "x.docx"), "cannot write .docx"),
    ],
)
def test_bad_usage_is_one_clear_line(arguments, said):
    told = subprocess.run(
        [sys.executable, "-m", "cudacheck", "bench", "kernels", *arguments], capture_output=True, text=True, check=False
    )
    assert told.returncode == 2
    assert said in told.stderr
    assert len(told.stderr.splitlines()) == 1
