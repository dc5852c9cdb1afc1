"""What is required: how it is understood, what it is held against, and that no doubt is ever an exit code 0."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import pytest

from cudacheck import registry, requirements
from cudacheck.commands.doctor import judged
from cudacheck.judging.gate import NotProven, exit_code
from cudacheck.model.facts import Facts
from cudacheck.model.report import Fulfilment, Outcome, ProbeRun, Report
from cudacheck.probes import told_by
from cudacheck.probes.chosen import Patient, Required
from cudacheck.probes.host.device_nodes import DeviceNode
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.kernel_module import KernelModule
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.pci import PciBus, PciGpu
from cudacheck.probes.host.system import System
from cudacheck.probes.patient.attention_backends import AttentionBackend
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.probes.patient.cuda_libraries import LibraryFile
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.flash_attn import FlashAttention
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.loaded_libraries import LoadedLibrary
from cudacheck.probes.patient.required_packages import RequiredPackage
from cudacheck.probes.patient.torch_cuda import TorchCuda, TorchDevice
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.probes.patient.torch_import import TorchImport
from cudacheck.requirements import SpecError

MET, UNMET, UNCHECKED = Fulfilment.FULFILLED, Fulfilment.UNMET, Fulfilment.UNCHECKED
GIB = 1 << 30
TORCH = TorchBuild("2.11.0+cu130", "13.0", arch_list=("sm_80", "sm_90"))
LINUX = System("linux", kernel="6.8.0", machine="x86_64", container="", wsl=0, jetson=False, glibc="2.39")
H200: dict[str, Any] = {
    "compute_capability": "9.0",
    "memory_total_bytes": 140 * GIB,
    "memory_used_bytes": 1 * GIB,
    "uuid": "GPU-1",
}
MATMUL = Measurement(
    "matmul", "float16", "8192³", 0, median_us=1650.0, tflops=666.0, sm_clock_mhz=1430.0, ok=True, converged=True
)
COPY = Measurement("copy", "float32", "1024 MiB", 0, median_us=500.0, gb_per_s=4200.0, ok=True, converged=True)

HEALTHY: tuple[Any, ...] = (
    Patient("/env/bin/python", "PATH"),
    LINUX,
    DeviceNode("/dev/nvidiactl", exists=True, open_error=""),
    Nvml(True, init_code=0, driver_version="580.95.05", cuda_version="13.0", gpu_count=1),
    Gpu(0, "NVIDIA H200", **H200),
    LibCuda(True, init_code=0, cuda_version="13.0", device_count=1),
    EnvironmentVariables({}),
    Interpreter("3.12.3", os="linux", machine="x86_64", has_pip=True, python_headers=True, compiler="/usr/bin/cc"),
    TORCH,
    TorchImport(ok=True, version=TORCH.version),
    TorchCuda(available=True, device_count=1, cudnn_version="9.19.0"),
    TorchDevice(0, "NVIDIA H200", uuid="GPU-1", compute_capability="9.0", multiprocessors=132),
    KernelRun(0, "float16 matmul", ok=True),
    LoadedLibrary("libnccl.so.2", "/env/libnccl.so.2", "2.29.3"),
    FlashAttention("2.8.3", imports=True, ran=True),
    Distribution("flash-attn", "2.8.3"),
    Distribution("torch", "2.11.0"),
    RequiredPackage("transformers", "4.57.1"),
    AttentionBackend(0, "prefill float16 1×12×512×128 causal", "cudnn", {}, {}),
    MATMUL,
    COPY,
)
TRUE_AND_FALSE = {
    "driver": ("driver>=570", "driver>=590"),
    "torch": ("torch>=2.7", "torch<2.7"),
    "torch-cuda": ("torch-cuda>=12.8", "torch-cuda<13"),
    "cudnn": ("cudnn>=9", "cudnn>=10"),
    "nccl": ("nccl>=2.20", "nccl>=3"),
    "flash-attn": ("flash-attn>=2.7", "flash-attn>=3"),
    "python": ("python>=3.10", "python<3.12"),
    "glibc": ("glibc>=2.28", "glibc>=2.40"),
    "gpus": ("gpus>=1", "gpus>=8"),
    "gpu-name": ("gpu-name=H200", "gpu-name=H100"),
    "compute-capability": ("compute-capability>=8.0", "compute-capability>=10.0"),
    "gpu-memory": ("gpu-memory>=140GB", "gpu-memory>=180GB"),
    "gpu-memory-free": ("gpu-memory-free>=140GB", "gpu-memory-free>=150GB"),
    "matmul-fp16": ("matmul-fp16>=0.6", "matmul-fp16>=80%"),
    "copy": ("copy>=0.7", "copy>=0.95"),
    "attention": ("attention=cudnn", "attention=flash"),
    "any package": ("transformers>=4.50", "transformers>=5"),
}
ANSWERED_BY = {
    "driver": ("nvml",),
    "torch": ("torch_files",),
    "torch-cuda": ("torch_files",),
    "cudnn": ("torch_cuda", "loaded_libraries", "distributions", "cuda_libraries"),
    "nccl": ("loaded_libraries", "distributions", "cuda_libraries"),
    "flash-attn": ("flash_attn", "distributions"),
    "python": ("interpreter",),
    "glibc": ("system",),
    "gpus": ("torch_cuda",),
    "gpu-name": ("nvml", "torch_cuda"),
    "compute-capability": ("nvml", "torch_cuda"),
    "gpu-memory": ("nvml", "torch_cuda"),
    "gpu-memory-free": ("nvml", "torch_cuda"),
    "matmul-fp16": ("benchmark",),
    "copy": ("benchmark",),
    "attention": ("attention_backends",),
    "any package": ("required_packages", "distributions"),
}
"""Where all of these come to no good end, nobody can tell."""
NEEDS_A_GPU = {"gpus", "gpu-name", "compute-capability", "gpu-memory", "gpu-memory-free", "matmul-fp16", "copy"}
NEEDS_A_GPU |= {"attention"}


def test_the_table_has_every_requirement():
    assert {*requirements.requirements(), "any package"} == {*TRUE_AND_FALSE} == {*ANSWERED_BY}


def report(facts: tuple[Any, ...], *specs: str, incomplete: tuple[str, ...] = (), complete: bool = True) -> Report:
    types = registry.fact_types().values() if complete else ()
    known = [kind for kind in types if told_by(kind) not in incomplete]
    asked = [Required(spec) for spec in specs]
    runs = [fact for fact in facts if isinstance(fact, ProbeRun)]
    return judged(Facts([*facts, *asked], known), runs, (), None)


def dying(name: str, outcome: Outcome) -> Report:
    """Every probe that could answer ended so, and told nothing."""
    probes = ANSWERED_BY[name]
    left = tuple(fact for fact in HEALTHY if told_by(type(fact)) not in probes)
    runs = tuple(ProbeRun(probe, "patient", outcome, 1.0, "it did") for probe in probes)
    return report((*left, *runs), TRUE_AND_FALSE[name][0], incomplete=probes)


def without(*kinds: type) -> tuple[Any, ...]:
    return tuple(fact for fact in HEALTHY if not isinstance(fact, kinds))


def no_gpu(spec: str) -> Report:
    there = without(Gpu, TorchDevice, TorchCuda, LibCuda, Nvml, KernelRun, Measurement, AttentionBackend)
    silent = (
        Nvml(True, init_code=0, driver_version="580.95.05", gpu_count=0),
        LibCuda(True, init_code=100, init_error="CUDA_ERROR_NO_DEVICE", device_count=0),
        TorchCuda(available=False, device_count=0, cudnn_version="9.19.0"),
    )
    return report((*there, *silent), spec, incomplete=("attention_backends",))


def no_driver(spec: str) -> Report:
    there = without(Gpu, TorchDevice, TorchCuda, LibCuda, Nvml, KernelRun, Measurement, AttentionBackend, DeviceNode)
    silent = (
        PciBus(readable=True),
        PciGpu("0000:18:00.0", "0x2335", driver="", lost=False),
        KernelModule(loaded=False),
        DeviceNode("/dev/nvidiactl", exists=False),
        Nvml(False, init_code=12, init_error="NVML Shared Library Not Found"),
        LibCuda(False, load_error="libcuda.so.1: cannot open shared object file: No such file or directory"),
        TorchCuda(available=False, device_count=0, cudnn_version="9.19.0"),
    )
    return report((*there, *silent), spec, incomplete=("attention_backends",))


def cpu_torch(spec: str) -> Report:
    there = without(
        TorchDevice, TorchCuda, TorchBuild, KernelRun, Measurement, AttentionBackend, LoadedLibrary, FlashAttention
    )
    cpu = (TorchBuild("2.11.0+cpu", None), TorchCuda(available=False, device_count=0))
    broken = FlashAttention("2.8.3", imports=False, error_type="ImportError", error="libtorch_cuda.so: no such file")
    return report((*there, *cpu, broken), spec, incomplete=("attention_backends",))


def busy(spec: str) -> Report:
    there = (*without(Gpu), Gpu(0, "NVIDIA H200", **H200, utilization_percent=87))
    return report(there, spec)


def states(columns: Any) -> dict[str, Fulfilment]:
    return {name: columns(name).requirements[0].state for name in TRUE_AND_FALSE}


COLUMNS: dict[str, Any] = {
    "fulfilled": lambda name: report(HEALTHY, TRUE_AND_FALSE[name][0]),
    "not": lambda name: report(HEALTHY, TRUE_AND_FALSE[name][1]),
    "cannot tell": lambda name: report((HEALTHY[0],), TRUE_AND_FALSE[name][0], complete=False),
    "probe crashed": lambda name: dying(name, Outcome.CRASHED),
    "hung": lambda name: dying(name, Outcome.STUCK),
    "killed": lambda name: dying(name, Outcome.TIMED_OUT),
    "raised": lambda name: dying(name, Outcome.FAILED),
    "skipped": lambda name: dying(name, Outcome.SKIPPED),
    "no GPU": lambda name: no_gpu(TRUE_AND_FALSE[name][0]),
    "no driver": lambda name: no_driver(TRUE_AND_FALSE[name][0]),
    "CPU torch": lambda name: cpu_torch(TRUE_AND_FALSE[name][0]),
    "busy GPU": lambda name: busy(TRUE_AND_FALSE[name][0]),
}
SPEEDS = {"matmul-fp16", "copy"}
EXPECTED: dict[str, dict[str, Fulfilment]] = {
    "fulfilled": dict.fromkeys(TRUE_AND_FALSE, MET),
    "not": dict.fromkeys(TRUE_AND_FALSE, UNMET),
    **{
        column: dict.fromkeys(TRUE_AND_FALSE, UNCHECKED)
        for column in ("cannot tell", "probe crashed", "hung", "killed", "raised", "skipped")
    },
    "no GPU": {
        **dict.fromkeys(TRUE_AND_FALSE, MET),
        **dict.fromkeys(NEEDS_A_GPU, UNMET),
        **dict.fromkeys([*SPEEDS, "attention"], UNCHECKED),
    },
    "no driver": {
        **dict.fromkeys(TRUE_AND_FALSE, MET),
        **dict.fromkeys([*NEEDS_A_GPU, "driver"], UNMET),
        **dict.fromkeys([*SPEEDS, "attention"], UNCHECKED),
    },
    "CPU torch": {
        **dict.fromkeys(TRUE_AND_FALSE, MET),
        **dict.fromkeys(["torch-cuda", "cudnn", "nccl", "flash-attn", "gpus"], UNMET),
        **dict.fromkeys([*SPEEDS, "attention"], UNCHECKED),
    },
    "busy GPU": {**dict.fromkeys(TRUE_AND_FALSE, MET), **dict.fromkeys(SPEEDS, UNCHECKED)},
}


@pytest.mark.parametrize("column", COLUMNS)
def test_what_becomes_of_every_requirement(column):
    assert states(COLUMNS[column]) == EXPECTED[column]


@pytest.mark.parametrize(("column", "name"), [*itertools.product(COLUMNS, TRUE_AND_FALSE)])
def test_no_exit_option_but_exit_zero_turns_a_doubt_into_0(column, name):
    """The truth table: every requirement, all that may befall it, every exit option."""
    told = COLUMNS[column](name)
    (result,) = told.requirements
    others = {finding.severity for finding in told.findings if finding.rule != "requirement-failed"}
    for fail_on, not_proven in itertools.product(("error", "warning", "never"), NotProven):
        code = exit_code(told, fail_on=fail_on, not_proven=not_proven)
        failing = {"error": {"error"}, "warning": {"error", "warning"}, "never": set()}[fail_on] & others
        ready = told.verdict.state in ("ready", "ready-but") and not told.verdict.not_judged
        if result.state is UNMET or failing:
            wanted = 1
        elif result.state is UNCHECKED:
            wanted = 3 if not_proven is NotProven.RETRY else 1
        elif ready or not_proven is NotProven.PASS:
            wanted = 0
        else:
            wanted = 3 if not_proven is NotProven.RETRY else 1
        assert code == wanted, (fail_on, not_proven)
        assert exit_code(told, fail_on=fail_on, not_proven=not_proven, exit_zero=True) == 0


def test_a_failed_requirement_is_a_finding_that_no_ignore_takes_away():
    for spec in ("torch>=9", "matmul-fp16>=0.6"):
        facts = Facts([HEALTHY[0], TORCH, Required(spec)])
        told = judged(facts, [], ["requirement-failed"], None)
        (finding,) = [f for f in told.findings if f.rule == "requirement-failed"]
        assert finding.message.startswith(spec)
        assert exit_code(told, fail_on="never") == 1


def test_an_unmet_one_outranks_one_that_cannot_be_checked():
    told = report((HEALTHY[0], TORCH), "torch>=9", "glibc>=2.28", complete=False)
    assert [r.state for r in told.requirements] == [UNMET, UNCHECKED]
    assert exit_code(told, fail_on="never", not_proven=NotProven.RETRY) == 1


# Each on its own


def checked(spec: str, *facts: Any, complete: bool = True) -> tuple[Fulfilment, str]:
    (result,) = report(facts, spec, complete=complete).requirements
    return result.state, result.said


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("", "is no requirement"),
        ("torch >> 2", "is no version specifier"),
        ("torch=2.7", "compared with =="),
        ("torch[x]>=2", "is no requirement"),
        ("torch; python_version>'3'", "is no requirement"),
        ("https://x/y.whl", "is no requirement"),
        ("gpus>=one", "a whole number"),
        ("gpus", "a whole number"),
        ("gpu-memory>=40", "a size with its unit"),
        ("gpu-memory>=40 parsecs", "a size with its unit"),
        ("gpu-memori>=40GB", "did you mean gpu-memory?"),
        ("matmul-fp16>=fast", "a share of the peak"),
        ("attention=magic", "one of flash, efficient, cudnn, math"),
        ("attention>=flash", "one of flash"),
        ("gpu-name>=H200", "with = or !="),
        ("torch>=2.7\n", "is no requirement"),
        ("t" * 300, "is no requirement"),
        ("torch>=\x1b[31m2", "is no requirement"),
    ],
)
def test_what_is_no_requirement_is_refused_in_one_line(spec, said):
    with pytest.raises(SpecError) as caught:
        requirements.understood(spec)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("spec", "value", "wanted"),
    [
        ("torch>=2.7", "2.7.0+cu128", True),
        ("torch>=2.9", "2.9.0.dev20250901+cu130", False),  # as packaging has it: before 2.9.0
        ("torch>=2.9", "2.9.0a0+145a3a7bda.nv25.10", False),
        ("torch==2.8.*", "2.8.1", True),
        ("torch >= 2.7 , < 3", "2.10.0", True),
        ("Flash_Attn~=2.7", "2.8.3+cu12torch2.8", True),
        ("driver>=570", "570.124.06", True),
        ("driver>=570.124", "570.86.15", False),
        ("compute-capability>=8.9", "12.0", True),
        ("gpu-memory>=40GB", 40960 * 1024**2 * 0.985, True),  # what an A100 40GB shows
        ("gpu-memory>=40GiB", 40960 * 1024**2 * 0.985, False),
        ("gpu-memory>=24gb,<80GB", 25e9, True),
        ("gpus==8", 8, True),
        ("matmul-fp16>=60%", 0.6, True),
        ("gpu-name=A10", "NVIDIA A100-SXM4-40GB", False),
        ("gpu-name=A100", "NVIDIA A100-SXM4-40GB", True),
        ("gpu-name=RTX 4070", "NVIDIA GeForce RTX 4070 Ti", False),
        ("gpu-name=rtx 4070 ti", "NVIDIA GeForce RTX 4070 Ti", True),
        ("gpu-name=RTX 4070", "NVIDIA GeForce RTX 4070 Laptop GPU", False),
        ("gpu-name!=H100", "NVIDIA H200", True),
        ("attention!=math", "cudnn", True),
        ("numpy", "0.1", True),
    ],
)
def test_how_values_are_compared(spec, value, wanted):
    assert requirements.understood(spec)[1].holds(value) is wanted


def test_all_gpus_must_fulfil_it_and_the_message_names_the_one_that_does_not():
    gpus = (Gpu(0, "NVIDIA H200", **H200), Gpu(1, "NVIDIA A10", compute_capability="8.6", memory_total_bytes=24 * GIB))
    state, said = checked("gpu-memory>=40GB", HEALTHY[0], *gpus)
    assert (state, said) == (UNMET, "GPU 1 (NVIDIA A10): 25.8 GB")
    assert checked("compute-capability>=8.0", HEALTHY[0], *gpus)[0] is MET


def test_a_gpu_that_pytorch_does_not_see_need_not_fulfil_it():
    display = Gpu(1, "NVIDIA GT 1030", compute_capability="6.1", memory_total_bytes=2 * GIB)
    assert checked("compute-capability>=8.0", *HEALTHY, display)[0] is MET


def test_a_gpu_that_fell_off_the_bus_fulfils_nothing():
    lost = Gpu(1, error="GPU is lost", error_code=15)
    assert checked("gpu-name=H200", HEALTHY[0], Gpu(0, "NVIDIA H200"), lost) == (
        UNCHECKED,
        "NVML cannot tell of GPU 1: GPU is lost",
    )


def test_a_list_that_may_not_be_whole_proves_nothing_of_all():
    state, said = checked("gpu-name=H200", HEALTHY[0], Gpu(0, "NVIDIA H200"), complete=False)
    assert (state, said) == (UNCHECKED, "the list of GPUs may not be whole")


def test_a_version_that_is_none_is_no_pass():
    state, said = checked("driver>=570", HEALTHY[0], Nvml(True, init_code=0, driver_version="N/A"))
    assert (state, said) == (UNCHECKED, "N/A is no version that can be compared")


def test_a_driver_that_is_there_and_does_not_answer_is_not_fulfilled():
    state, said = checked("driver>=570", HEALTHY[0], Nvml(True, init_code=18, init_error="version mismatch"))
    assert (state, said) == (UNMET, "no NVIDIA driver answers: version mismatch")


def test_gpus_are_those_of_pytorch_where_there_is_one():
    hidden = (*without(TorchCuda, TorchDevice), TorchCuda(available=False, device_count=0))
    assert checked("gpus>=1", *hidden) == (UNMET, "PyTorch sees no GPU, NVML lists 1")
    torchless = without(TorchCuda, TorchDevice, TorchBuild, TorchImport)
    assert checked("gpus>=1", *torchless) == (MET, "CUDA sees 1 GPU")


def test_which_of_several_libraries_counts_is_not_guessed():
    files = [LibraryFile("libnccl.so.2", f"/env/{v}/libnccl.so.2", v) for v in ("2.20.5", "2.19.3")]
    state, said = checked("nccl>=2.10", HEALTHY[0], TORCH, *files)
    assert state is UNCHECKED
    assert "which of several is taken is not known" in said
    assert checked("nccl>=2.10", HEALTHY[0], TORCH, *files[:1])[0] is MET


@pytest.mark.parametrize(
    ("change", "wanted", "said"),
    [
        ({"converged": False}, UNCHECKED, "did not settle"),
        ({"tflops": 5000.0}, UNCHECKED, "faster than this GPU can be"),
        ({"ok": False}, UNMET, "gave a wrong result"),
        ({"error": "CUDA error", "median_us": None, "tflops": None}, UNMET, "CUDA error"),
        ({"skipped": "no memory left", "median_us": None, "tflops": None}, UNCHECKED, "no memory left"),
        ({"tflops": 300.0}, UNMET, "300 TFLOP/s, 30% of the datasheet"),
    ],
)
def test_a_speed_counts_only_where_it_can_be_believed(change, wanted, said):
    facts = (*without(Measurement), dataclasses.replace(MATMUL, **change))
    state, told = checked("matmul-fp16>=0.6", *facts)
    assert (state, said in told) == (wanted, True), told


@pytest.mark.parametrize("name", ["NVIDIA A10", "NVIDIA H100 MIG 1g.10gb", "NVIDIA B9000"])
def test_no_gpu_is_found_wanting_by_a_peak_that_is_not_sure(name):
    slow = dataclasses.replace(MATMUL, tflops=40.0)
    devices = (TorchDevice(0, name, compute_capability="8.6", multiprocessors=72), slow)
    assert checked("matmul-fp16>=0.6", *without(TorchDevice, Measurement, Gpu), *devices)[0] is UNCHECKED


def test_what_was_not_measured_says_why():
    skipped = ProbeRun("benchmark", "patient", Outcome.SKIPPED, None, "--no-bench")
    state, said = checked("matmul-fp16>=0.6", *without(Measurement), skipped)
    assert state is UNCHECKED
    assert "nothing was measured: benchmark skipped: --no-bench" in said


def test_a_flash_attn_that_does_not_import_is_not_fulfilled():
    broken = FlashAttention("2.8.3", imports=False, error_type="ImportError", error="undefined symbol: _ZN3c10")
    state, said = checked("flash-attn", *without(FlashAttention), broken)
    assert (state, "undefined symbol" in said) == (UNMET, True)


def test_a_name_that_nearly_is_one_of_ours_is_hinted_at():
    facts = (HEALTHY[0], RequiredPackage("drver", None))
    assert checked("drver>=570", *facts) == (UNMET, "drver is not installed; did you mean driver?")


def test_what_is_absent_is_explained_by_why():
    told = no_driver("driver>=570")
    (finding,) = [f for f in told.findings if f.rule == "requirement-failed"]
    assert finding.caused_by in {"driver-missing", "no-gpu", "driver-not-loaded", "kernel-module-missing"}
    unmet = report(HEALTHY, "driver>=590")
    (finding,) = [f for f in unmet.findings if f.rule == "requirement-failed"]
    assert finding.caused_by is None


def test_what_a_probe_cannot_tell_is_explained_by_its_death():
    told = dying("glibc", Outcome.CRASHED)
    (finding,) = [f for f in told.findings if f.rule == "requirement-failed"]
    assert finding.caused_by == "probe-did-not-finish"


def test_a_printed_remedy_leads_to_what_is_required():
    """Where the newest that suits the machine would not do, no command is printed."""
    for spec, commands in (("torch>=2.12", True), ("torch>=99", False), ("driver>=590", False), ("driver<560", False)):
        told = report((*HEALTHY, dataclasses.replace(LINUX)), spec)
        (finding,) = [f for f in told.findings if f.rule == "requirement-failed"]
        assert finding.remedies
        assert any(remedy.commands for remedy in finding.remedies) is commands, (spec, finding.remedies)


def test_every_fact_belongs_to_the_probe_in_whose_file_it_stands():
    for kind in registry.fact_types().values():
        owner = registry.probe_of(kind)
        assert owner is None or owner.name == told_by(kind)


def test_what_is_asked_for_is_measured_and_looked_for():
    assert requirements.cases(["copy>=0.7", "torch>=2", "matmul-fp16>=0.6"]) == ("copy", "matmul")
    assert requirements.packages(["numpy", "torch>=2", "Flash_Attn", "My.Package"]) == ("numpy", "my-package")


def test_the_reference_has_a_row_for_each():
    text = (Path(__file__).parents[1] / "docs" / "reference.md").read_text(encoding="utf-8")
    for name, requirement in requirements.requirements().items():
        assert requirements.understood(requirement.example)[1].name == name
        assert f"| `{requirement.example}` | {requirement.title} |" in text
