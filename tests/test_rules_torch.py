"""The rules about PyTorch together: which fault is the root, what folds under it, and what stays quiet in company."""

from __future__ import annotations

import dataclasses
import random
import types
import typing
from collections.abc import Callable

import pytest

from cudacheck import registry, sources
from cudacheck.judging.judge import judge
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Severity
from cudacheck.model.report import Outcome, ProbeRun
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.pci import PciBus, PciGpu
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.attention_backends import AttentionBackend
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.probes.patient.cuda_libraries import LibraryFile, MissingLibraryFile
from cudacheck.probes.patient.distributions import Distribution, FileClash
from cudacheck.probes.patient.extensions import ExtensionFile
from cudacheck.probes.patient.flash_attn import FlashAttention
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.loaded_libraries import LoadedLibrary
from cudacheck.probes.patient.torch_cuda import TorchCuda, TorchDevice
from cudacheck.probes.patient.torch_files import ShadowingModule, TorchBuild
from cudacheck.probes.patient.torch_import import TorchImport

EVERYTHING = {*registry.fact_types().values(), ProbeRun}
CU130 = ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120")
CU126 = ("sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90")


def found(*facts: object, known: set[type] | None = None) -> dict[str, str | None]:
    """Rule → the root that explains it; notes left out. All lists of facts are whole, unless `known` says otherwise."""
    bag = Facts(facts, complete=EVERYTHING if known is None else known)
    return {f.rule: f.caused_by for f in judge(bag).findings if f.severity is not Severity.NOTE}


def said(text: str) -> dict[str, str | None]:
    """The same for a paste, by way of its readers."""
    facts = sources.read([("ticket.txt", text)])
    return {f.rule: f.caused_by for f in judge(facts).findings if f.severity is not Severity.NOTE}


def failed(error: str, missing: str | None = None) -> tuple[object, ...]:
    """What the probe yields for an import that raised."""
    imported = TorchImport(False, error_type="ImportError", error=error, missing_library=missing)
    return (imported, ErrorMessage(f"ImportError: {error}", "import torch"))


GONE = "cannot open shared object file: No such file or directory"


@pytest.mark.parametrize(
    ("error", "missing", "root"),
    [
        (f"libcudnn.so.9: {GONE}", "libcudnn.so.9", "cudnn-missing"),
        (f"libcublas.so.12: {GONE}", "libcublas.so.12", "cuda-library-missing"),
        ("libtorch_cuda.so: undefined symbol: ncclCommRegister", None, "nccl-conflict"),
        ("libcusparse.so.12: undefined symbol: __nvJitLinkComplete_12_4", None, "nvidia-wheels-conflict"),
        ("/lib64/libc.so.6: version `GLIBC_2.28' not found (required by libtorch.so)", None, "glibc-too-old"),
        ("libtorch_cpu.so: undefined symbol: iJIT_NotifyEvent", None, "torch-import-failed"),
    ],
)
def test_the_finer_rule_owns_a_failed_import(error, missing, root):
    build = TorchBuild("2.8.0+cu128", cuda="12.8", cudnn_pin="nvidia-cudnn-cu12==9.10.2.21")
    roots = found(Gpu(0, "NVIDIA A10"), PciBus(True), PciGpu("0:1", "0x2236", "nvidia"), build, *failed(error, missing))
    assert roots.pop(root) is None
    assert set(roots.values()) <= {root}
    assert root == "torch-import-failed" or "torch-import-failed" in roots


def test_an_import_that_dies_is_convicted_by_the_files():
    died = ProbeRun("torch_import", "patient", Outcome.CRASHED, 0.4, "died of SIGSEGV (11)")
    lost = MissingLibraryFile("libcublas.so.12", "/env/torch/lib/libtorch_cuda.so")
    roots = found(TorchBuild("2.8.0+cu128", cuda="12.8"), died, lost, known={ProbeRun})
    assert roots == {
        "cuda-library-missing": None,
        "torch-import-failed": "cuda-library-missing",
        "probe-did-not-finish": "cuda-library-missing",
    }


WITHOUT_GPU = (System("linux", container="", wsl=0, jetson=False, sandbox=""), PciBus(True), Nvml(False))


def test_without_a_gpu_a_cpu_build_is_right():
    assert found(*WITHOUT_GPU, TorchBuild("2.8.0+cpu"), Interpreter("3.12.3", os="linux")) == {"no-gpu": None}


def test_without_a_gpu_and_without_torch_there_is_one_root_and_the_cpu_build():
    facts = Facts(
        [*WITHOUT_GPU, Interpreter("3.12.3", "/v/bin/python", os="linux", has_pip=True)], complete={TorchBuild}
    )
    findings = judge(facts).findings
    assert [finding.rule for finding in findings if finding.caused_by is None] == ["no-gpu"]
    commands = [command for finding in findings for remedy in finding.remedies for command in remedy.commands]
    assert {command.rpartition("/")[2] for command in commands} == {"cpu"}


def test_no_torch():
    assert found(Interpreter("3.12.3", os="linux"), known={TorchBuild}) == {"torch-missing": None}
    assert found(Interpreter("3.12.3", os="linux"), known=set()) == {}


@pytest.mark.parametrize(
    ("spec", "python", "says", "command"),
    [
        ("torch==2.9.1+cu129", "3.12.3", "on PyTorch's own under cu129", "torch==2.9.1 --index-url"),
        ("torch==2.9.1+cu129", "3.9.3", "has no wheels for Python 3.9", ""),
        ("torch==2.15.0+cu126", "3.12.3", "was never published: PyTorch 2.15.0 has no build for CUDA 12.6", ""),
        ("torch==2.4.7+cu121", "3.12.3", "was never published: there is no PyTorch 2.4.7", ""),
        ("torch==2.14.0+cu129", "3.12.3", "no wheel of torch==2.14.0+cu129 was found", ""),
        ("torch==2.16.0+cu126", "3.12.3", "no wheel of torch==2.16.0+cu126 was found", ""),
    ],
)
def test_what_pip_did_not_find(spec, python, says, command):
    said = ErrorMessage(f"ERROR: No matching distribution found for {spec}", "pip")
    (finding,) = judge(Facts([said, Interpreter(python, implementation="cpython", os="linux")])).findings
    assert says in finding.message
    assert command in " ".join(finding.remedies[0].commands)


def test_no_torch_because_no_release_has_wheels_for_this_python():
    roots = found(Interpreter("3.99.0", implementation="cpython", os="linux"), known={TorchBuild})
    assert roots == {"python-without-wheel": None, "torch-missing": "python-without-wheel"}


def test_collect_env_prints_no_version_for_a_torch_that_does_not_import():
    dll = '[WinError 126] The specified module could not be found. Error loading "C:\\py\\torch\\lib\\fbgemm.dll"'
    assert found(ErrorMessage(dll, "paste"), known={TorchBuild}) == {"torch-import-failed": None}


def test_two_cuda_majors_explain_everything_that_follows():
    both = ("nvidia-nccl-cu12==2.27.5", "nvidia-nccl-cu13==2.28.9")
    build = TorchBuild("2.11.0+cu130", cuda="13.0", nccl_pin=both[1])
    wheels = [Distribution(name, version) for name, version in (owner.split("==") for owner in both)]
    clash = FileClash("/env/nvidia/nccl/lib/libnccl.so.2", both, winner=both[0])
    error = failed("libtorch_cuda.so: undefined symbol: ncclCommResume")
    facts = Facts((build, *wheels, clash, *error), complete=EVERYTHING - {Nvml, Gpu, PciBus, PciGpu})
    findings = {f.rule: f for f in judge(facts).findings}
    assert findings["nvidia-wheels-conflict"].caused_by is None
    assert findings["nvidia-wheels-conflict"].severity is Severity.ERROR
    assert findings["nccl-conflict"].caused_by == "nvidia-wheels-conflict"
    assert findings["torch-import-failed"].caused_by == "nvidia-wheels-conflict"
    remove, install = findings["nvidia-wheels-conflict"].remedies[0].commands
    assert "uninstall" in remove
    assert "nvidia-nccl-cu12" in remove
    assert "nvidia-nccl-cu13" not in remove
    assert "nvidia-nccl-cu13==2.28.9" in install
    assert "--no-deps" in install


def test_missing_kernels_explain_the_failed_kernel():
    error = "CUDA error: no kernel image is available for execution on the device"
    roots = found(
        TorchBuild("2.4.1+cu121", cuda="12.1", arch_list=CU126),
        TorchDevice(0, "NVIDIA GeForce RTX 5090", compute_capability="12.0"),
        KernelRun(0, "addition", ok=False, error=error),
        ErrorMessage(f"RuntimeError: {error}", "kernel on GPU 0"),
        KernelRun(0, "float16 matmul", ok=True),  # cuBLAS brings kernels of its own
        known={KernelRun, TorchDevice, ErrorMessage, ProbeRun},
    )
    assert roots == {"gpu-too-new-for-build": None, "kernel-failed": "gpu-too-new-for-build"}


GB10 = """Found GPU0 NVIDIA GB10 which is of compute capability (CC) 12.1.
The following list shows the CCs this version of PyTorch was built for and the hardware CCs it supports:
- 8.0 which supports hardware CC >=8.0,<9.0 except {8.7}
- 9.0 which supports hardware CC >=9.0,<10.0
- 12.0 which supports hardware CC >=12.0,<13.0
Your installed torch==2.13.0+cu130 does not include kernels for this GPU.
"""


def test_a_warning_about_a_gpu_that_is_served_convicts_nobody():
    assert said(GB10) == {}
    assert said(GB10.replace("12.1.", "11.0.").replace("GB10", "Thor")) == {"gpu-too-old-for-build": None}


@pytest.mark.parametrize(
    ("gpu", "digits", "root"),
    [("NVIDIA B200", "100", "gpu-too-new-for-build"), ("Tesla K80", "37", "gpu-too-old-for-build")],
)
def test_what_torch_warns_of_names_the_gpu_and_the_list(gpu, digits, root):
    assert said(
        f"{gpu} with CUDA capability sm_{digits} is not compatible with the current PyTorch installation.\n"
        "The current PyTorch install supports CUDA capabilities sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90.\n"
    ) == {root: None}


@pytest.mark.parametrize(
    ("version", "cuda", "gpu", "root"),
    [
        ("2.6.0+cu126", "12.6", "NVIDIA GeForce RTX 5070 Ti", "gpu-too-new-for-build"),
        ("1.13.1+cu117", "11.7", "NVIDIA H100 PCIe", "gpu-too-new-for-build"),
        ("2.11.0+cu130", "13.0", "Tesla V100-SXM2-16GB", "gpu-too-old-for-build"),
        ("2.6.0+cu124", "12.4", "NVIDIA GeForce RTX 4090", None),
        ("2.4.1", "12.6", "NVIDIA GeForce RTX 5090", None),  # conda-forge's, whose kernels nobody lists
        ("2.7.0a0+ecf3bae40a.nv25.02", "12.8", "Tesla P100-PCIE-16GB", None),
    ],
)
def test_the_published_lists_judge_a_paste(version, cuda, gpu, root):
    os = System("windows") if "5070" in gpu else System("linux", machine="x86_64")
    assert found(TorchBuild(version, cuda=cuda), Gpu(0, gpu), os, known=set()) == ({root: None} if root else {})


def test_a_jetson_is_not_judged_by_the_lists_of_other_wheels():
    orin = (System("linux", machine="aarch64", jetson=True), Gpu(0, "Orin", compute_capability="8.7"))
    assert found(TorchBuild("2.12.0", cuda="13.0"), *orin, known=set()) == {}


def test_flash_attn_that_wants_another_runtime():
    roots = said(
        "[pip3] torch==2.7.1+cu118\nPyTorch version: 2.7.1+cu118\nCUDA used to build PyTorch: 11.8\n"
        "    import flash_attn_2_cuda as flash_attn_gpu\n"
        f"ImportError: libcudart.so.12: {GONE}\n"
    )
    assert roots == {"flash-attn-abi-mismatch": None, "cuda-library-missing": "flash-attn-abi-mismatch"}


STOCK = (
    System("linux", machine="x86_64", glibc="2.39", container="", wsl=0, jetson=False, sandbox=""),
    PciBus(True),
    PciGpu("0000:01:00.0", "0x2335", "nvidia"),
    Gpu(0, "NVIDIA H200", uuid="GPU-1", compute_capability="9.0", sm_clock_max_mhz=1980, utilization_percent=0),
    Interpreter("3.12.3", os="linux", machine="x86_64", compiler="/usr/bin/cc", python_headers=True, conda_prefix=""),
    TorchBuild(
        "2.13.0+cu130",
        cuda="13.0",
        arch_list=CU130,
        path="/env/torch",
        metadata_version="2.13.0",
        cudnn_pin="nvidia-cudnn-cu13==9.20.0.48",
        nccl_pin="nvidia-nccl-cu13==2.29.7",
        cxx11_abi=True,
    ),
    TorchImport(True, seconds=2.9),
    TorchCuda(True, device_count=1, arch_list=CU130),
    TorchDevice(0, "NVIDIA H200", uuid="GPU-1", compute_capability="9.0"),
    Distribution("torch", "2.13.0", installer="pip"),
    Distribution("torchvision", "0.28.0", installer="pip", requires=("torch==2.13.0",)),
    Distribution("nvidia-cudnn-cu13", "9.20.0.48", installer="pip"),
    Distribution("nvidia-cublas-cu12", "12.8.4.1", installer="pip"),
    Distribution("triton", "3.7.0", installer="pip"),
    LibraryFile("libcudnn.so.9", "/usr/lib/x86_64-linux-gnu/libcudnn.so.9.14.0", "9.14.0", "ld.so.cache"),
    LibraryFile("libcublas.so.13", "/env/nvidia/cu13/lib/libcublas.so.13", "13.1.0.3", "wheel"),
    MissingLibraryFile("libcudnn_engines_tensor_ir.so.9", "/env/nvidia/cudnn/lib/libcudnn_graph.so.9"),
    LoadedLibrary("libcudnn.so.9", "/env/nvidia/cudnn/lib/libcudnn.so.9", "9.20.0.48"),
    LoadedLibrary("libcudnn_graph.so.9", "/env/nvidia/cudnn/lib/libcudnn_graph.so.9", "9.20.0.48"),
    LoadedLibrary("libcublas.so.13", "/env/nvidia/cu13/lib/libcublas.so.13", "13.1.0.3"),
    ExtensionFile("torchvision", "/env/torchvision/_C.so", "0.28.0", cuda_major=13, glibc_required="2.17"),
    KernelRun(0, "addition", ok=True),
    KernelRun(0, "float16 matmul", ok=True),
    KernelRun(0, "convolution", ok=True),
    AttentionBackend(0, "prefill float16 1×12×512×128 causal", "cudnn", {"efficient": "no GQA"}, {"flash": True}),
    Measurement("matmul", "float16", "8192³", 0, tflops=690.0, sm_clock_mhz=1430.0, converged=True, ok=True),
    Measurement("matmul", "float32", "8192³", 0, tflops=50.0, sm_clock_mhz=1800.0, converged=True, ok=True),
    EnvironmentVariables({"LD_LIBRARY_PATH": "/usr/local/cuda/lib64"}),
)
TORCH_SIDE = {
    rule.id for rule in registry.rules() if rule.id.startswith(("torch", "cudnn", "nccl", "nvidia-", "cuda-library"))
} | {"gpu-too-new-for-build", "gpu-too-old-for-build", "kernel-failed", "matmul-slow", "attention-falls-back-to-math"}


def test_a_stock_pytorch_on_a_healthy_machine_is_left_alone():
    assert not TORCH_SIDE & set(found(*STOCK, known=EVERYTHING))
    assert not TORCH_SIDE & set(found(*STOCK, known=set()))


def test_what_nobody_told_convicts_nobody():
    unknown = (
        TorchBuild("2.8.0", cuda_known=False),
        TorchBuild("", cuda="12.8"),
        Gpu(0),
        TorchImport(False),
        FlashAttention(None, imports=False),
        ExtensionFile("flash-attn", "/env/flash_attn_2_cuda.so"),
        LoadedLibrary("libcudnn.so.9", "/env/nvidia/cudnn/lib/libcudnn.so.9"),
        LoadedLibrary("libcudnn_ops.so.9", "/env/nvidia/cudnn/lib/libcudnn_ops.so.9"),
        FileClash("/env/x", ("nvidia-nccl-cu12==1", "nvidia-nccl-cu13==2")),
        ShadowingModule("/env/torch", taken=False),
        Distribution("torchvision", "0.99.0"),
    )
    for fact in unknown:
        assert found(fact, known={type(fact)}) == {}, fact


WORDS = (
    "",
    "2.8.0+cu128",
    "12.8",
    "8.6",
    "sm_90",
    "linux",
    "libcudnn.so.9",
    "/usr/lib/libcudnn.so.9.1.0",
    "nvidia-cudnn-cu13",
    "nvidia-cudnn-cu12==9.1.0.70",
    "torch==2.8.0",
    "torchvision",
    "flash-attn",
    "NVIDIA A100-SXM4-80GB",
    "wheel",
    "convolution",
    "math",
    "undefined symbol: ncclCommRegister",
    "not a version",
)


def any_value(hint: object, chance: random.Random) -> object:
    """Something of this type, however senseless."""
    arguments = typing.get_args(hint)
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return any_value(chance.choice(arguments), chance)
    if hint is types.NoneType:
        return None
    if typing.get_origin(hint) is tuple:
        return tuple(any_value(arguments[0], chance) for _ in range(chance.randrange(3)))
    if typing.get_origin(hint) is dict:
        return {any_value(arguments[0], chance): any_value(arguments[1], chance)}
    if isinstance(hint, type) and issubclass(hint, Outcome):
        return chance.choice(list(Outcome))
    simple: dict[object, Callable[[], object]] = {
        bool: lambda: chance.random() < 0.5,
        int: lambda: chance.randrange(14),
        float: lambda: chance.uniform(0, 100),
    }
    return simple.get(hint, lambda: chance.choice(WORDS))()


def any_fact(chance: random.Random) -> object:
    fact_type = chance.choice(sorted(EVERYTHING, key=lambda each: each.__name__))
    hints = typing.get_type_hints(fact_type)
    return fact_type(**{field.name: any_value(hints[field.name], chance) for field in dataclasses.fields(fact_type)})


@pytest.mark.parametrize("seed", range(150))
def test_no_combination_of_facts_makes_a_rule_raise(seed):
    chance = random.Random(seed)
    facts = [any_fact(chance) for _ in range(30)]
    judge(Facts(facts, complete=EVERYTHING if seed % 2 else set()))


def test_a_path_that_led_nowhere_near_is_left_alone():
    """LD_LIBRARY_PATH of an image leads to the driver; cuDNN came from the system, as the wheel has lost its own."""
    said = (
        "RuntimeError: cuDNN version incompatibility: PyTorch was compiled against (9, 19, 0) but found runtime "
        "version (9, 14, 0)"
    )
    known = [
        ErrorMessage(said, "torch.cuda"),
        EnvironmentVariables({"LD_LIBRARY_PATH": "/usr/local/nvidia/lib64"}),
        LoadedLibrary("libcudnn.so.9", "/usr/lib/x86_64-linux-gnu/libcudnn.so.9.14.0", "9.14.0"),
    ]
    (found,) = [f for f in judge(Facts(known)).findings if f.rule == "cudnn-conflict"]
    assert not any("LD_LIBRARY_PATH" in line for remedy in found.remedies for line in remedy.commands)
    led = [*known[:1], EnvironmentVariables({"LD_LIBRARY_PATH": "/usr/lib/x86_64-linux-gnu/"}), *known[2:]]
    (found,) = [f for f in judge(Facts(led)).findings if f.rule == "cudnn-conflict"]
    assert found.remedies[0].commands == ("unset LD_LIBRARY_PATH",)
