"""The kernel module nvidia_uvm is missing, stale or refuses to start, so CUDA does not start.

## What it does
NVML answers, and cuInit returns 999, 304 or 3, or PyTorch says "CUDA unknown error". Tells three cases apart where it
can: /dev/nvidia-uvm is missing or the module is not loaded; the machine has slept since it booted; or, with code 3,
the module's HMM support is on, which fails on some kernels. Code 3 has many other causes: where a program merely
reports it, the module must also be told to be missing, or the kernel be one that has HMM for it (6.1 and newer).

## Why it matters
CUDA's memory goes through nvidia_uvm; `nvidia-smi` does not, so it shows a GPU that no program can use. After suspend
and resume the module often keeps a state that is no longer true.

## What to do
Load the module, or load it anew after ending what uses the GPU. For machines that sleep, let the driver preserve video
memory (NVreg_PreserveVideoMemoryAllocations=1, and the services nvidia-suspend and nvidia-resume). For code 3, switch
HMM off. In a container, /dev/nvidia-uvm and /dev/nvidia-uvm-tools must be passed in as well.

## References
- https://github.com/pytorch/pytorch/issues/49081
- https://github.com/pytorch/pytorch/issues/88639
- https://github.com/NVIDIA/open-gpu-kernel-modules/issues/947
- https://github.com/NVIDIA/open-gpu-kernel-modules/issues/901
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Ask, Family, Rule
from cudacheck.probes.host.device_nodes import DeviceNode
from cudacheck.probes.host.kernel_module import KernelModule
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Nvml
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.rules import _driver, _machine, _messages

PRESERVE = "options nvidia NVreg_PreserveVideoMemoryAllocations=1"


def check(
    libcuda: LibCuda,
    nvml: Nvml | None,
    system: System | None,
    module: KernelModule | None,
    nodes: tuple[DeviceNode, ...] | None,
    facts: Facts,
) -> Iterator[Finding]:
    if libcuda.init_code not in {3, 304, 999} or _driver.computes(facts) or not _machine.on_linux(system):
        return
    if nvml is not None and nvml.init_code not in {None, 0}:
        return  # NVML's own code tells more
    seen = [Evidence(f"cuInit {libcuda.init_code}: {libcuda.init_error or 'no words'}", libcuda.found_in)]
    node = next((n for n in nodes or () if n.path == "/dev/nvidia-uvm"), None)
    if node is not None and not node.exists:
        seen.append(Evidence("no /dev/nvidia-uvm", "/dev"))
    if module is not None and module.uvm_loaded is False:
        seen.append(Evidence("nvidia_uvm is not loaded", module.found_in))
    if system is not None and system.slept:
        seen.append(Evidence("the machine has slept since it booted", system.found_in))
    message = f"CUDA does not start (cuInit {libcuda.init_code}): {_case(libcuda.init_code, node, module, system)}"
    yield Finding(message, tuple(seen), _remedies(libcuda.init_code, node, module, facts))


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    system, module = facts.one(System), facts.one(KernelModule)
    if facts.is_answered(LibCuda) or not _machine.on_linux(system):
        return  # cuInit itself was asked
    code = _driver.code_said(_messages.printed(match))
    if code == 3 and not _driver.may_be_uvm(facts):
        return  # cuda-init-failed says what is known
    if "not loaded" in match[0]:
        module = KernelModule(loaded=None, uvm_loaded=False)
    message = f"CUDA does not start: {_case(code, None, module, system)}"
    yield Finding(message, (), _remedies(code, None, module, facts))


def _case(code: int | None, node: DeviceNode | None, module: KernelModule | None, system: System | None) -> str:
    if _is_missing(node, module):
        return "the kernel module nvidia_uvm is not there for it"
    if code == 3:
        return "the kernel module nvidia_uvm refuses to start, as with HMM on some kernels"
    if system is not None and system.slept:
        return "the kernel module nvidia_uvm did not survive the machine's sleep"
    return "the kernel module nvidia_uvm is missing or stale, as after suspend and resume"


def _is_missing(node: DeviceNode | None, module: KernelModule | None) -> bool:
    return (node is not None and not node.exists) or (module is not None and module.uvm_loaded is False)


def _remedies(
    code: int | None, node: DeviceNode | None, module: KernelModule | None, facts: Facts
) -> tuple[Remedy, ...]:
    if _machine.in_container(facts.one(System)):
        title = "pass them into the container: --device /dev/nvidia-uvm --device /dev/nvidia-uvm-tools"
        return (Remedy("on the host: load the module", ("sudo modprobe nvidia_uvm",), needs_root=True), Remedy(title))
    verify = remedies.verify(facts)
    if _is_missing(node, module):
        return (Remedy("load the module", ("sudo modprobe nvidia_uvm",), needs_root=True, verify=verify),)
    anew = ("sudo modprobe -r nvidia_uvm", "sudo modprobe nvidia_uvm")
    if code == 3 and not (module is not None and module.hmm_disabled):
        off = "echo 'options nvidia_uvm uvm_disable_hmm=1' | sudo tee /etc/modprobe.d/nvidia-uvm.conf"
        return (Remedy("switch HMM off, and load the module anew", (off, *anew), needs_root=True, verify=verify),)
    return (
        Remedy("end what uses the GPU, and load the module anew", anew, needs_root=True, verify=verify),
        Remedy(
            "so that it survives sleep: preserve video memory, and enable NVIDIA's suspend services",
            (
                f"echo '{PRESERVE}' | sudo tee /etc/modprobe.d/nvidia-sleep.conf",
                "sudo systemctl enable nvidia-suspend nvidia-resume",
            ),
            needs_root=True,
            needs_reboot=True,
        ),
    )


BARE = System(os="linux", container="", wsl=0, jetson=False, slept=False)
WITH_HMM = System(os="linux", kernel="6.8.0-45-generic")
ONE_GPU = Nvml(library_found=True, init_code=0, gpu_count=1)


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.LIBCUDA,
    fix_by=FixBy.NODE,
    joins=(Family.NO_CUDA,),
    explained_by=(
        Family.NO_DRIVER,
        "process-limit-too-low",
        "stub-libcuda",
        "forward-compat-libcuda",
        "fabric-manager-down",
    ),
    check=check,
    heard=heard,
    messages=(
        r"CUDA unknown error - this may be due to an incorrectly set up environment",
        r"Error 999: unknown error",
        r"Kernel module nvidia_uvm is not loaded",
        r"Error 304: OS call failed or operation not supported on this OS",
        r"cuInit[^\n]{0,60}CUDA_ERROR_(?:UNKNOWN|OPERATING_SYSTEM)",
        r"cuInit\(\): unknown error",
        r"failed to initialize CUDA: unknown error",
        r"panic: CUDA_ERROR_UNKNOWN\b[\s\S]{0,400}?\b(?:CtxCreate|cu\.Init)\(",
        r"cuda runtime error \((?:30|999)\) : unknown error at [^\n]{0,200}THCGeneral",
        r"THCGeneral\.c\w* line=\d+ error=(?:30|999) : unknown error",
        _driver.numbered(304, 999),
        *_driver.INITIALIZATION_ERROR,
    ),
    asks=(
        Ask(
            TorchCuda,
            "`CUDA unknown error`, or `CUDA driver initialization failed`",
            "RuntimeError: CUDA unknown error - this may be due to an incorrectly set up environment, e.g. changing env "
            "variable CUDA_VISIBLE_DEVICES after program start. Setting the available devices to be zero.",
            field="error",
        ),
    ),
    fires={
        "what llama.cpp prints": (
            ErrorMessage("CUDA error 999 at /llama.cpp/ggml-cuda.cu:5661: unknown error", "paste"),
        ),
        "what mumax³ prints": (
            ErrorMessage(
                "panic: CUDA_ERROR_UNKNOWN\n\ngoroutine 1 [running, locked to thread]:\n"
                "github.com/mumax/3/cuda/cu.CtxCreate(0x2, 0x0, 0xed834cb76d538e0c)",
                "paste",
            ),
        ),
        "what hashcat prints": (ErrorMessage("cuInit(): unknown error", "paste"),),
        "the module is not loaded": (
            BARE,
            ONE_GPU,
            LibCuda(found=True, init_code=999, init_error="CUDA_ERROR_UNKNOWN: unknown error"),
            DeviceNode("/dev/nvidia-uvm", exists=False),
            KernelModule(loaded=True, uvm_loaded=False),
        ),
        "after suspend and resume": (
            System(os="linux", container="", wsl=0, jetson=False, slept=True),
            ONE_GPU,
            LibCuda(found=True, init_code=999),
            DeviceNode("/dev/nvidia-uvm", exists=True, open_error=""),
            KernelModule(loaded=True, uvm_loaded=True),
        ),
        "HMM": (BARE, ONE_GPU, LibCuda(found=True, init_code=3), KernelModule(loaded=True, uvm_loaded=True)),
        "PyTorch says so": (
            ErrorMessage(
                "UserWarning: CUDA initialization: CUDA unknown error - this may be due to an incorrectly set up "
                "environment, e.g. changing env variable CUDA_VISIBLE_DEVICES after program start.",
                "ticket.txt",
            ),
        ),
        "Ollama prints the number alone": (
            ErrorMessage(
                'msg="unable to load cuda driver library" error="cuda driver library init failure: 999"', "log"
            ),
        ),
        "NVIDIA's deviceQuery says so": (
            WITH_HMM,
            ErrorMessage("cudaGetDeviceCount returned 3\n-> initialization error\nResult = FAIL", "ticket.txt"),
        ),
        "Numba says so": (
            ErrorMessage(
                "CudaSupportError: Error at driver init: Call to cuInit results in CUDA_ERROR_UNKNOWN", "ticket.txt"
            ),
        ),
        "enroot says so": (
            ErrorMessage(
                "[WARN] Kernel module nvidia_uvm is not loaded. Make sure the NVIDIA device driver is installed and loaded",
                "ticket.txt",
            ),
        ),
        "PyTorch 1.0 says so": (
            ErrorMessage(
                "RuntimeError: cuda runtime error (30) : unknown error at ../aten/src/THC/THCGeneral.cpp:50",
                "ticket.txt",
            ),
        ),
        "cuInit says 304": (BARE, ONE_GPU, LibCuda(found=True, init_code=304)),
        "its file is missing, and the module is not told": (
            BARE,
            ONE_GPU,
            LibCuda(found=True, init_code=999),
            DeviceNode("/dev/nvidia-uvm", exists=False),
        ),
        "its file is there, and the module is not": (
            BARE,
            ONE_GPU,
            LibCuda(found=True, init_code=999),
            DeviceNode("/dev/nvidia-uvm", exists=True),
            KernelModule(loaded=True, uvm_loaded=False),
        ),
        "llama.cpp prints 304 alone": (ErrorMessage("cuda driver library init failure: 304", "log"),),
        "PyTorch's Error 304 in words": (
            ErrorMessage("Error 304: OS call failed or operation not supported on this OS", "ticket.txt"),
        ),
        "PyTorch's newer words for 3": (
            BARE,
            DeviceNode("/dev/nvidia-uvm", exists=False),
            ErrorMessage("CUDA driver initialization failed, you might not have a CUDA gpu.", "ticket.txt"),
        ),
        "Ollama prints 3 alone": (
            KernelModule(loaded=True, uvm_loaded=False),
            ErrorMessage("cuda driver library init failure: 3", "log"),
        ),
    },
    quiet={
        "error 3, and nothing tells of the module": (
            ErrorMessage("[3] Call to cuInit results in CUDA_ERROR_NOT_INITIALIZED:", "ticket.txt"),
        ),
        "error 3 on a kernel that is older than HMM's": (
            System(os="linux", kernel="5.4.0-150-generic"),
            ErrorMessage("ggml_cuda_init: failed to initialize CUDA: initialization error", "ticket.txt"),
        ),
        "TensorFlow finds no libcuda at all": (
            ErrorMessage("failed call to cuInit: UNKNOWN ERROR (303)", "ticket.txt"),
        ),
        "slept, and works": (
            System(os="linux", container="", wsl=0, jetson=False, slept=True),
            ONE_GPU,
            LibCuda(found=True, init_code=0, device_count=1),
        ),
        "WSL has no nvidia_uvm": (
            System(os="linux", container="", wsl=2, jetson=False),
            ONE_GPU,
            LibCuda(found=True, init_code=0, device_count=1),
            DeviceNode("/dev/nvidia-uvm", exists=False),
            KernelModule(loaded=False, uvm_loaded=False),
        ),
        "NVML fails too: nvml-access-lost": (
            System(os="linux", container="docker", wsl=0, jetson=False),
            Nvml(library_found=True, init_code=999),
            LibCuda(found=True, init_code=999),
        ),
        "PyTorch says so where cuInit was asked": (
            BARE,
            ONE_GPU,
            LibCuda(found=True, init_code=0, device_count=1),
            ErrorMessage("Error 999: unknown error", "ticket.txt"),
        ),
        "PyTorch says so on Windows": (System(os="windows"), ErrorMessage("Error 999: unknown error", "ticket.txt")),
        "another code": (BARE, ONE_GPU, LibCuda(found=True, init_code=2)),
    },
)
