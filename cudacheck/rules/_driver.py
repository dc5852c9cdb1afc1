"""Why a driver does not answer: one decision that the driver-side rules share, so that only one of them speaks."""

from __future__ import annotations

import re

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence
from cudacheck.model.rule import Ask, Missing
from cudacheck.probes.host.device_nodes import DeviceNode
from cudacheck.probes.host.driver_files import DriverLibrary
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.kernel_module import KernelModule
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.pci import PciBus, PciGpu
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ContainerStart, ErrorMessage
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _machine

UNSUPPORTED_COMBINATION = (
    r"system has unsupported display driver ?/ ?cuda driver combination"
    r"|CUDA_ERROR_SYSTEM_DRIVER_MISMATCH|cudaErrorSystemDriverMismatch"
)
"""Error 803: either an update of the driver is half done, or the libcuda is another's."""

_FINDS_NONE = r"Found no NVIDIA driver on your system|(?i:no CUDA GPUs are available)|But your machine only has: \[\]"


def numbered(*codes: int) -> str:
    """A pattern of what programs print that name CUDA's error by its number alone: Ollama, TensorRT, deviceQuery."""
    code = "(?:" + "|".join(map(str, codes)) + r")(?!\d)"
    failed = (
        r"init failure|failed to get device context|cuInit(?:\(0?\))? ?(?:err(?:or)?|failed|returned)?"
        r"|cudaSetDevice err|(?:CUDA|Cuda) initialization fail(?:ure|s|ed) with(?: error)?"
    )
    count = r"cudaGetDeviceCount(?:\(\))?"  # which may also "return 3" when there are three GPUs
    return rf"(?:{failed}|{count} (?:err|failed))[ :=]{{1,3}}{code}|{count} returned {code}\s{{1,12}}->"


INITIALIZATION_ERROR = (
    r"CUDA driver initialization failed, you might not have a CUDA gpu",
    r"Error 3: initialization error",
    r"cuInit[^\n]{0,60}CUDA_ERROR_NOT_INITIALIZED",
    r"failed to initialize CUDA: initialization error",
    r"cuda runtime error \(3\) : initialization error at [^\n]{0,200}THCGeneral",
    r"THCGeneral\.c\w* line=\d+ error=3 : initialization error",
    numbered(3),
)
"""Error 3 as the first call of a program meets it: nvidia_uvm may be why, and much else."""
_SAYS_3 = re.compile(r"initialization|NOT_INITIALIZED|[ :=]3(?:$|\s)")


def code_said(text: str) -> int:
    """Which of the errors 3 and 999 a message means that gives one of them in words, or as a bare number."""
    return 3 if _SAYS_3.search(text) else 999


def may_be_uvm(facts: Facts) -> bool:
    """Whether anything but the words tells of nvidia_uvm behind an error 3 that a program reports.

    It is not there or not loaded, or the kernel is one of those (6.1 and newer) with whose HMM it works together.
    """
    system, module = facts.one(System), facts.one(KernelModule)
    nodes = [node for node in facts.all(DeviceNode) if node.path == "/dev/nvidia-uvm"]
    kernel = re.match(r"(\d+)\.(\d+)", (system.kernel if system else None) or "")
    return (
        any(not node.exists for node in nodes)
        or (module is not None and module.uvm_loaded is False)
        or (kernel is not None and (int(kernel[1]), int(kernel[2])) >= (6, 1))
    )


def in_pytorchs_words(error: str) -> Ask:
    """What `torch.cuda.init()` says where CUDA gives a code that PyTorch has no words of its own for."""
    unexpected = (
        "RuntimeError: Unexpected error from cudaGetDeviceCount(). Did you run some cuda functions before calling "
        "NumCudaDevices() that might have already set an error?"
    )
    return Ask(TorchCuda, f"`Error {error}`", f"{unexpected} Error {error}", field="error")


NO_SMI = (
    r"nvidia-smi['\"]?:? (?:command )?not found|command not found: nvidia-smi|nvidia-smi['\"]? is not recognized"
    r"|/nvidia-smi: No such file or directory"
)
"""What shells say of a command that is not there; by itself it proves nothing."""


def is_needed(facts: Facts) -> bool:
    """Whether a PyTorch built for CUDA finds none: a missing nvidia-smi alone proves nothing, and Jetson has none."""
    torch, build, system = facts.one(TorchCuda), facts.one(TorchBuild), facts.one(System)
    on_jetson = system is not None and (system.jetson or "tegra" in (system.kernel or ""))
    built_for_cuda = build is not None and build.cuda is not None
    return torch is not None and not torch.available and built_for_cuda and not on_jetson


def answers(facts: Facts) -> bool:
    """Whether the driver answers with a GPU.

    Then what gVisor, WSL, Jetson and other sandboxes hide of /proc, /dev and PCI proves nothing.
    """
    nvml = facts.one(Nvml)
    return (nvml is not None and nvml.init_code == 0 and bool(nvml.gpu_count)) or computes(facts)


def computes(facts: Facts) -> bool:
    """Whether CUDA itself was seen to find a GPU: by cuInit, by PyTorch or by a kernel that ran."""
    libcuda = facts.one(LibCuda)
    return serves_torch(facts) or (libcuda is not None and libcuda.init_code == 0 and bool(libcuda.device_count))


def serves_torch(facts: Facts) -> bool:
    """Whether PyTorch was seen to use a GPU."""
    torch = facts.one(TorchCuda)
    return (torch is not None and torch.available) or any(run.ok for run in facts.all(KernelRun))


def library_absent(nvml: Nvml) -> bool:
    return nvml.library_found is False or nvml.init_code == 12


def sees_none(nvml: Nvml) -> bool:
    """Whether NVML works and finds no GPU."""
    return nvml.init_code == 0 and nvml.gpu_count == 0


def owner_of_silence(nvml: Nvml | None, facts: Facts) -> str | None:
    """The rule that accounts for a driver that does not answer; None where it does, or where nobody can tell.

    Only for no library (12), no kernel module (9) and no GPU (0): NVML's other codes have rules of their own.
    """
    system = facts.one(System)
    if nvml is None or answers(facts) or _refused(facts) or _fell_off(facts):
        return None
    if off_path(facts):
        return "driver-library-off-path"
    if slurm_without_gpu(facts):
        return "slurm-job-without-gpu"
    if not (library_absent(nvml) or nvml.init_code == 9 or sees_none(nvml)):
        return None
    if system is None:
        return _on_the_machine(facts, nvml)
    if system.os == "darwin":
        return "no-gpu"
    if system.jetson:
        return _on_jetson(facts, system)
    if system.container:
        return _in_container(facts, nvml)
    # under WSL the driver is Windows', and wsl-driver-broken looks for itself
    return None if _machine.wsl(system) else _on_the_machine(facts, nvml)


def owner(nvml: Nvml | None, facts: Facts) -> str | None:
    """The same where the driver may not have been asked. Raises Missing where then nothing else tells either."""
    found = owner_of_silence(nvml, facts) if nvml else owner_by_torch(facts)
    if nvml is None and found is None:
        raise Missing(Nvml)
    return found


def owner_by_torch(facts: Facts) -> str | None:
    """The rule that accounts for a program that finds no GPU, where nobody asked the driver: by what else is seen.

    A host's GPU is on the bus of a container, too, and its module is among the kernel's.
    """
    system, bus, gpus = facts.one(System), facts.one(PciBus), facts.all(PciGpu)
    if facts.all(Nvml) or not finds_none(facts) or not _machine.on_linux(system):
        return None
    if _machine.in_container(system):
        return "container-without-gpu" if _module_loaded(facts) and not _machine.passed_nodes(facts) else None
    if not gpus:
        return "no-gpu" if system is not None and bus is not None and bus.readable else None
    no_tool = any("nvidia-smi" in said.text and "found" in said.text for said in facts.all(ErrorMessage))
    return "driver-missing" if no_tool and all(gpu.driver == "" for gpu in gpus) else None


def finds_none(facts: Facts) -> bool:
    """Whether PyTorch, built for CUDA as far as is known, finds no GPU."""
    torch, build = facts.one(TorchCuda), facts.one(TorchBuild)
    if computes(facts) or (build is not None and build.cuda_known and not build.cuda):
        return False
    said = any(re.search(_FINDS_NONE, message.text) for message in facts.all(ErrorMessage))
    return said or (torch is not None and not torch.available)


def started_without(facts: Facts) -> ContainerStart | None:
    """The command that started a container without a GPU in which none is found; None where another asks for one."""
    starts = facts.all(ContainerStart)
    return starts[0] if starts and not any(start.gpus for start in starts) and finds_none(facts) else None


def _on_jetson(facts: Facts, system: System) -> str | None:
    """Older JetPacks have no NVML, and no Tegra GPU is on the PCI bus: libcuda alone tells."""
    libcuda = facts.one(LibCuda)
    if libcuda is None or libcuda.found:
        return None
    return "container-without-gpu" if system.container else "driver-missing"


def _in_container(facts: Facts, nvml: Nvml) -> str | None:
    nodes, bus, gpus = _machine.passed_nodes(facts), facts.one(PciBus), facts.all(PciGpu)
    if not nodes and _machine.foreign(gpus) and not any(gpu.driver == "nvidia" for gpu in gpus):
        return "nouveau-loaded"
    if sees_none(nvml) and any(re.search(r"\d$", node) for node in nodes):
        return _none_of_its_own(facts)
    if nvml.init_code == 9 and nodes:
        return "driver-not-loaded"
    seen = gpus or nodes or _module_loaded(facts) or _machine.wsl(facts.one(System))
    # an image may bring driver libraries along: they tell of a GPU only where the bus does not
    if not seen and (bus is None or bus.readable or not _installed(facts)):
        return "no-gpu" if bus is not None else None
    if library_absent(nvml) and nodes and _machine.lacks_capability(facts, "utility"):
        return "container-missing-capability"
    return "container-without-gpu"


def _on_the_machine(facts: Facts, nvml: Nvml) -> str | None:
    bus, gpus, module = facts.one(PciBus), facts.all(PciGpu), facts.one(KernelModule)
    if not gpus and bus is not None and bus.readable:
        return "no-gpu"
    if not gpus and not _installed(facts):
        return "no-gpu" if bus is not None else None
    if _machine.foreign(gpus) and not any(gpu.driver == "nvidia" for gpu in gpus):
        return "nouveau-loaded"
    if sees_none(nvml):
        return _none_of_its_own(facts)
    if module is not None and not module.loaded and (stopped := _why_not_loaded(facts, module)):
        return stopped
    return "driver-not-loaded" if nvml.init_code == 9 or _own_libraries(facts) else "driver-missing"


def _none_of_its_own(facts: Facts) -> str | None:
    """The driver runs, and takes none of the GPUs that are there."""
    module, gpus = facts.one(KernelModule), facts.all(PciGpu)
    if module is not None and module.flavour == "proprietary" and _machine.blackwell(gpus):
        return "open-module-required"
    return "gpu-init-failed" if gpus or _machine.passed_nodes(facts) else None


def _why_not_loaded(facts: Facts, module: KernelModule) -> str | None:
    system = facts.one(System)
    if module.built_for_kernel is False and (module.other_kernels or module.dkms):
        return "kernel-module-missing"
    if not module.built_for_kernel:
        return None
    return "secure-boot-unsigned" if system is not None and system.secure_boot else "driver-not-loaded"


def _installed(facts: Facts) -> bool:
    """Whether an installed driver hints at a GPU that this system does not show."""
    module, nvml = facts.one(KernelModule), facts.one(Nvml)
    has_module = module is not None and (
        module.loaded or module.built_for_kernel or module.other_kernels or module.dkms
    )
    has_library = nvml is not None and bool(nvml.library_found)
    return bool(has_module or has_library or facts.all(Gpu)) or _own_libraries(facts)


def _own_libraries(facts: Facts) -> bool:
    """Whether there are libraries of an installed driver, not an image's (compat) or a toolkit's (stubs)."""
    libcuda = facts.one(LibCuda)
    paths = [library.real_path for library in facts.all(DriverLibrary)]
    if libcuda is not None and libcuda.found and libcuda.path:
        paths.append(libcuda.path)
    return any(not _machine.is_compat(path) and not _machine.is_stub(path) for path in paths)


def _module_loaded(facts: Facts) -> bool:
    module = facts.one(KernelModule)
    return module is not None and bool(module.loaded)


def _refused(facts: Facts) -> bool:
    """Whether this user may not open the control file, or none of the GPUs' own."""
    nodes = {node.path: node.open_error in {"EACCES", "EPERM"} for node in facts.all(DeviceNode) if node.exists}
    gpus = [refused for path, refused in nodes.items() if re.fullmatch(r"/dev/nvidia\d+", path)]
    return nodes.get("/dev/nvidiactl", False) or (bool(gpus) and all(gpus))


def _fell_off(facts: Facts) -> bool:
    gpus = facts.all(PciGpu)
    return bool(gpus) and all(gpu.lost for gpu in gpus)


def off_path(facts: Facts) -> tuple[DriverLibrary, ...]:
    """The driver's libraries that lie where some system puts them, and that the loader was seen not to find there."""
    libcuda, nvml, system = facts.one(LibCuda), facts.one(Nvml), facts.one(System)
    missed = {
        "libcuda.so.1": libcuda is not None and not libcuda.found,
        "libnvidia-ml.so.1": nvml is not None and library_absent(nvml),
    }
    known = facts.all(DriverLibrary)
    seen = {library.soname for library in known if library.found_via != "directory"}
    return tuple(
        library
        for library in known
        if missed.get(library.soname, False)
        and library.soname not in seen
        and not _machine.is_compat(library.path)
        and not _machine.is_stub(library.path)
        and (system is None or system.os == "linux")
    )


_SLURM_GPUS = ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "SLURM_GPUS_ON_NODE", "CUDA_VISIBLE_DEVICES")


def slurm_sign(environment: EnvironmentVariables) -> str | None:
    """What tells that Slurm gave this job no GPU; None where it gave some, or there is no job, or nobody can tell."""
    values = environment.values
    if values.get("CUDA_VISIBLE_DEVICES") == "NoDevFiles":
        return "CUDA_VISIBLE_DEVICES=NoDevFiles"
    if "SLURM_JOB_ID" not in values or not environment.complete or any(values.get(name) for name in _SLURM_GPUS):
        return None
    return f"SLURM_JOB_ID is set, and none of {', '.join(_SLURM_GPUS)}"


def slurm_without_gpu(facts: Facts) -> str | None:
    """The same sign, where this job was also seen to find no GPU of a node that may have some: all are closed to it."""
    environment, nvml, torch = facts.one(EnvironmentVariables), facts.one(Nvml), facts.one(TorchCuda)
    sign = slurm_sign(environment) if environment is not None else None
    if sign is None or answers(facts):
        return None
    bus, nodes = facts.one(PciBus), [n for n in facts.all(DeviceNode) if re.fullmatch(r"/dev/nvidia\d+", n.path)]
    opened = any(node.exists and node.open_error is None for node in nodes)
    closed = nvml is not None and sees_none(nvml) and not opened
    empty = bus is not None and bus.readable and not facts.all(PciGpu)
    silent = "NoDevFiles" in sign and torch is not None and not torch.available
    return sign if (closed or silent) and not empty else None


def loads_foreign_libcuda(facts: Facts) -> bool:
    """Whether error 803 is about a libcuda that an image or a cuda-compat package brought, not a half-done update."""
    libcuda = facts.one(LibCuda)
    if _machine.in_container(facts.one(System)):
        return True
    if libcuda is not None and libcuda.path:
        return _machine.is_compat(libcuda.path)
    return any(_machine.is_compat(lib.path) for lib in facts.all(DriverLibrary) if lib.found_via != "directory")


def is_past(said: ErrorMessage, facts: Facts) -> bool:
    """Whether a line of the kernel log tells of a fault that is over, or of others' GPUs: all of ours answer."""
    if not said.found_in.startswith("kernel log") or not answers(facts):
        return False
    gpus = facts.all(Gpu)
    whole = len(gpus) >= len(facts.all(PciGpu)) or _machine.in_container(facts.one(System))
    return bool(gpus) and whole and not any(gpu.error for gpu in gpus)


def silence_evidence(facts: Facts) -> tuple[Evidence, ...]:
    """What was seen of a driver that does not answer."""
    nvml, libcuda, module = facts.one(Nvml), facts.one(LibCuda), facts.one(KernelModule)
    seen = [
        Evidence(f"NVIDIA GPU {gpu.device_id}".rstrip() + f" at {gpu.address}", gpu.found_in)
        for gpu in facts.all(PciGpu)
    ]
    if nvml is not None and library_absent(nvml):
        seen.append(Evidence("no libnvidia-ml.so.1", nvml.found_in))
    elif nvml is not None and nvml.init_code:
        seen.append(Evidence(f"nvmlInit {nvml.init_code}: {nvml.init_error or 'no words'}", nvml.found_in))
    elif nvml is not None and sees_none(nvml):
        seen.append(Evidence("NVML counts 0 GPUs", nvml.found_in))
    if libcuda is not None and not libcuda.found:
        seen.append(Evidence("no libcuda.so.1", libcuda.found_in))
    if module is not None and module.loaded is False:
        seen.append(Evidence("kernel module nvidia not loaded", module.found_in))
    return tuple(seen)
