"""Branches that no example of a rule and no sample of a reader shows: severities, edges, what agrees with what."""

from __future__ import annotations

import dataclasses

import pytest

from cudacheck import knowledge, remedies, sources
from cudacheck.judging import verdict
from cudacheck.judging.judge import judge
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Finding, Severity
from cudacheck.model.report import Axis, Health, Outcome, ProbeRun
from cudacheck.probes.chosen import Patient
from cudacheck.probes.host.limits import ProcessLimit
from cudacheck.probes.host.nvml import Gpu, GpuProcess, Nvml
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.bench_kernels import LaunchOverhead
from cudacheck.probes.patient.bench_steps import PrefixReuse
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _torch, container_without_gpu
from cudacheck.speed import axes
from cudacheck.speed.baseline import Baseline

GIB = 1 << 30
ONE_GPU = (Gpu(0, "NVIDIA H200"), Nvml(library_found=True, init_code=0, gpu_count=1))


def severities(*facts: object) -> dict[str, Severity | None]:
    return {finding.rule: finding.severity for finding in judge(Facts(facts)).findings}


def pasted(text: str) -> Facts:
    return sources.read([("ticket.txt", text)])


@pytest.mark.parametrize(
    ("resource", "ran", "severity"),
    [
        ("address space", True, Severity.NOTE),
        ("address space", False, Severity.WARNING),
        ("open files", True, Severity.WARNING),
        ("processes", True, None),
    ],
)
def test_a_low_limit_by_which_nothing_failed(resource, ran, severity):
    kernels = [KernelRun(0, "addition", ok=True)] if ran else []
    limit = ProcessLimit(resource, 24, 24)
    assert severities(*ONE_GPU, limit, *kernels).get("process-limit-too-low") == severity


@pytest.mark.parametrize(
    ("version", "wanted", "is_so"),
    [("2.4.0", "2.4", True), ("2.3.9", "2.4", False), ("2.4.0.dev1+cu124", "2.4", True), (None, "2.4", False)],
)
def test_at_least(version, wanted, is_so):
    assert _torch.at_least(version, wanted) is is_so


def test_a_gpu_that_has_a_name_alone_is_one_of_that_name():
    gpus = pasted(
        "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-00000000-0000-0000-0000-000000000001)\n"
        "GPU 1: NVIDIA L4 (UUID: GPU-00000000-0000-0000-0000-000000000002)\n"
        ">>> torch.cuda.get_device_name()\n'NVIDIA L4'\n"
    ).all(Gpu)
    assert [(gpu.index, gpu.name) for gpu in gpus] == [(0, "NVIDIA A100-SXM4-40GB"), (1, "NVIDIA L4")]


def test_two_of_one_name_are_two():
    text = "0, NVIDIA L4, 550.54.15\n1, NVIDIA L4, 550.54.15\n"
    table = pasted("index, name, driver_version\n" + text)
    assert len(table.all(Gpu)) == 2


def test_a_file_whose_name_tells_no_version_is_no_package():
    whole = "flash_attn-2.8.3+cu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl"
    for name, version in ((whole, "2.8.3+cu12torch2.8cxx11abiTRUE"), ("flash_attn-main.zip", None)):
        found = pasted(f"torch==2.8.0\nflash-attn @ file:///tmp/{name}\n").all(Distribution)
        assert next((d.version for d in found if d.name == "flash-attn"), None) == version


def test_the_worst_of_two_slower_cases_is_told_and_the_other_counted():
    device = TorchDevice(0, "NVIDIA H200", uuid="GPU-1", compute_capability="9.0")

    def now(shape: str, us: float) -> Measurement:
        row = Measurement("matmul", "bfloat16", shape, 0, device_uuid="GPU-1", median_us=us, ci95_rel=0.002)
        return dataclasses.replace(row, sm_clock_mhz=1400.0, converged=True, ok=True)

    def then(shape: str) -> Baseline:
        return Baseline("matmul", "bfloat16", shape, "NVIDIA H200", "GPU-1", None, 1000.0, 0.002, 1400.0)

    one = [device, now("4096³", 2000.0), then("4096³")]
    (finding,) = (f for f in judge(Facts(one)).findings if f.rule == "slower-than-baseline")
    assert "more" not in finding.message
    two = [*one, now("8192³", 3000.0), then("8192³")]
    (finding,) = (f for f in judge(Facts(two)).findings if f.rule == "slower-than-baseline")
    assert "8192³" in finding.message
    assert finding.message.endswith("and 1 more")


# --- the verdict

RAN = (
    *ONE_GPU,
    Patient("/v/bin/python", "--python"),
    TorchDevice(0, "NVIDIA H200", uuid="GPU-1", compute_capability="9.0"),
    KernelRun(0, "addition", ok=True),
)


@pytest.mark.parametrize(
    ("outcome", "cut_short", "is_so"),
    [
        (Outcome.SKIPPED, True, True),
        (Outcome.SKIPPED, False, False),
        (Outcome.TIMED_OUT, True, False),
    ],
)
def test_what_ctrl_c_cut_short(outcome, cut_short, is_so):
    run = ProbeRun("torch_import", "patient", outcome, 1.0, "why", cut_short=cut_short)
    assert verdict.interrupted(Facts([run])) is is_so


@pytest.mark.parametrize(("probe", "doubtful"), [("kernel_log", False), ("torch_cuda", True)])
def test_only_a_skipped_probe_that_yields_facts_leaves_a_doubt(probe, doubtful):
    run = ProbeRun(probe, "patient", Outcome.SKIPPED, None, "not asked for")
    doubts = verdict.unproven(Facts([*RAN, run]), [])
    assert (f"{probe} was skipped (not asked for)" in doubts) is doubtful


@pytest.mark.parametrize(
    ("healths", "said"),
    [
        ({"matmul": Health.HEALTHY, "attention": Health.INCONCLUSIVE}, "attention not judged"),
        ({"matmul": Health.INCONCLUSIVE, "attention": Health.INCONCLUSIVE}, "speed not judged"),
        ({"correctness": Health.HEALTHY, "matmul": Health.INCONCLUSIVE}, "speed not judged"),
    ],
)
def test_what_of_the_speed_is_not_judged(healths, said):
    axes = [Axis(0, axis, health, ("the GPU is busy",)) for axis, health in healths.items()]
    assert f"{said}: the GPU is busy" in verdict.verdict(Facts(RAN), [], [], axes).headline


# --- rules


def finding(rule: str, *facts: object) -> Finding:
    known = {ErrorMessage, ProbeRun, *map(type, facts)}
    return next(found for found in judge(Facts(facts, complete=known)).findings if found.rule == rule)


def test_holders_are_of_this_gpu_and_the_largest_come_first():
    gib_of = {100 + number: number + 1 for number in range(7)}
    processes = [GpuProcess(0, pid, gib * GIB, "/usr/bin/python3", True) for pid, gib in gib_of.items()]
    other = GpuProcess(1, 999, 100 * GIB, "/usr/bin/python3", True)
    gpu = Gpu(0, "NVIDIA H200", memory_used_bytes=135 * GIB, memory_total_bytes=140 * GIB)
    full = dataclasses.replace(gpu, memory_used_bytes=29 * GIB, memory_total_bytes=30 * GIB)
    found = finding("gpu-memory-held", full, *processes, other)
    assert "process 106" in found.message
    assert len(found.evidence) == 5
    assert not any("999" in evidence.fact for evidence in found.evidence)


def test_only_the_gpu_that_is_closed_is_opened():
    open_, closed = (Gpu(n, "NVIDIA L4", compute_mode=mode) for n, mode in enumerate(("default", "exclusive-process")))
    said = ErrorMessage("CUDA error: all CUDA-capable devices are busy or unavailable", "ticket.txt")
    commands = [c for r in finding("compute-mode-exclusive", open_, closed, said).remedies for c in r.commands]
    assert "sudo nvidia-smi -i 1 -c DEFAULT" in commands


@pytest.mark.parametrize(("container", "word"), [("podman", "podman run"), ("apptainer", "--nv"), ("docker", "--gpus")])
def test_a_container_is_started_as_its_engine_wants_it(container, word):
    example = container_without_gpu.RULE.fires["docker run without --gpus"]
    there = (dataclasses.replace(f, container=container) if isinstance(f, System) else f for f in example)
    found = finding("container-without-gpu", *there).remedies
    assert any(word in remedy.title + " ".join(remedy.commands) for remedy in found), found


def test_a_prefix_that_gives_wrong_results_is_told():
    assert finding("step-failed", PrefixReuse(0, ok=False, logits_error=0.5))


# --- speed


def test_what_is_faster_than_can_be_is_not_believed():
    device = TorchDevice(0, "NVIDIA H200", uuid="GPU-1", compute_capability="9.0", multiprocessors=132)
    row = Measurement("matmul", "float16", "8192³", 0, median_us=800.0, tflops=1400.0, sm_clock_mhz=1900.0)
    (axis,) = (
        a for a in axes.judged(Facts([device, dataclasses.replace(row, converged=True, ok=True)])) if a.axis == "matmul"
    )
    assert axis.health is Health.INCONCLUSIVE
    assert "not believed" in axis.reasons[0]


@pytest.mark.parametrize(("us", "health"), [(19.0, Health.HEALTHY), (30.0, Health.SLOW_PATH)])
def test_a_slow_launch(us, health):
    device = TorchDevice(0, "NVIDIA H200", uuid="GPU-1", compute_capability="9.0")
    (axis,) = (a for a in axes.judged(Facts([device, LaunchOverhead(0, launch_us=us)])) if a.axis == "launch")
    assert axis.health is health


# --- readers, knowledge, remedies


def test_a_line_like_ultralytics_alone_is_no_gpu():
    banner = "Ultralytics 8.3.40 🚀 Python-3.11.7 torch-2.5.1+cu124 CUDA:0 (NVIDIA L4, 22693MiB)\n"
    assert [gpu.name for gpu in pasted(banner).all(Gpu)] == ["NVIDIA L4"]
    alone = pasted("PyTorch version: 2.5.1+cu124\nwords\nCUDA:0 (NVIDIA L4, 22693MiB)\n").all(Gpu)
    assert all(gpu.memory_total_bytes is None for gpu in alone)  # what is said in words counts, no more


def test_two_builds_of_one_paste_are_not_made_one():
    (build,) = pasted(
        "PyTorch version: 2.5.1\nCUDA used to build PyTorch: 12.4\n>>> torch.__version__\n'2.8.0+cu128'\n"
    ).all(TorchBuild)[:1]
    assert (build.version, build.cuda) in {("2.5.1", "12.4"), ("2.8.0+cu128", "12.8")}


def test_branches_that_are_maintained_have_an_end():
    branches = dict(knowledge.supported_branches())
    assert branches
    assert all(end[:2] == "20" for end in branches.values())
    assert 340 not in branches


def test_a_forced_install_is_spelled_for_pip_in_poetry():
    here = Interpreter(
        "3.12.3", "/v/bin/python", prefix="/v", os="linux", machine="x86_64", installer="poetry", has_pip=True
    )
    facts = Facts(
        [
            here,
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            Gpu(0, "NVIDIA L4", compute_capability="8.9"),
            Nvml(True, driver_version="580.65.06"),
        ]
    )
    commands = remedies.reinstall_torch(facts).commands
    assert any(command.startswith("poetry run python -m pip") for command in commands), commands
