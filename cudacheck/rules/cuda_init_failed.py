"""CUDA does not start on this machine, for a reason that no finer rule knows.

## What it does
Takes what is left: a code of cuInit, or of cudaGetDeviceCount in PyTorch's words, that belongs to no other rule; a
driver that answers while its CUDA library cannot be loaded; and a PyTorch built for CUDA that sees no GPU although
cuInit does.

## Why it matters
Every CUDA program starts with cuInit. When it fails, nothing runs on the GPU, and PyTorch falls back to the CPU.

## What to do
Look the code up in the list of the CUDA driver API, read what the kernel log says at that moment
(`sudo dmesg | grep -i nvrm`), end other programs that use the GPU, and reboot. If it stays, reinstall the driver.

## References
- https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__TYPES.html
- https://docs.nvidia.com/deploy/xid-errors/analyzing-xid-catalog.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.kernel_module import KernelModule
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.pci import PciBus, PciGpu
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _driver, _gpus, _machine, _messages

OWNED = {34, 802, 803, 804}
"""Codes with a rule of their own, wherever they come up."""
ECC = 214
"""The same, of a rule that asks for the GPUs first: where none was told of, it does not speak."""
OWNED_IN_WORDS = {35, 46, 222}
"""Codes that other rules know by PyTorch's words, not by cuInit."""
OWNED_OF_NVML = {4, 15, 16, 18, 999}
"""Codes of nvmlInit with a rule of their own, which then accounts for cuInit's; 9 and 12 have several."""
UVM = {3, 304, 999}
"""Codes that tell of nvidia_uvm on Linux; Windows and WSL do not have it."""
NO_DEVICE = {100, 101}
"""No GPU, or none with this number: mostly the consequence of something else that was seen."""


def check(
    libcuda: LibCuda,
    nvml: Nvml | None,
    system: System | None,
    torch: TorchCuda | None,
    build: TorchBuild | None,
    facts: Facts,
) -> Iterator[Finding]:
    if not libcuda.found or libcuda.init_code is None:
        if _driver.answers(facts) and not _driver.computes(facts) and not _is_left_to_container(libcuda, system):
            words = libcuda.load_error or "no libcuda.so.1"
            message = "the driver is there, but its CUDA library cannot be loaded"
            yield _finding(message, Evidence(words, libcuda.found_in), facts, _library_remedy(facts))
    elif libcuda.init_code == 0:
        if libcuda.device_count and torch is not None and not torch.available and _is_served(build, libcuda):
            seen = Evidence(torch.error or "CUDA is not available", torch.found_in)
            yield _finding("PyTorch sees no GPU, although the driver's cuInit works", seen, facts)
    elif not _is_owned(libcuda.init_code, nvml, system, facts):
        words = libcuda.init_error or "no words"
        seen = Evidence(f"cuInit {libcuda.init_code}: {words}", libcuda.path or libcuda.found_in)
        yield _finding(f"CUDA does not start: cuInit fails with error {libcuda.init_code}", seen, facts)


_NAMED = (
    r"cuInit[^\n]{0,60}(?P<name>CUDA_ERROR_(?:OUT_OF_MEMORY|INVALID_VALUE|INVALID_DEVICE|DEVICE_UNAVAILABLE"
    r"|DEVICE_NOT_LICENSED|NOT_PERMITTED|NOT_SUPPORTED|DEINITIALIZED))(?![A-Z_])"
)
"""A code of cuInit by its name, as Numba gives it, of those that no other rule knows by theirs."""


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    if _messages.has_own_words(match):
        if not facts.is_answered(LibCuda):
            yield Finding(match[0])
        return
    if name := match.groupdict().get("name"):
        if not facts.is_answered(LibCuda):
            yield _finding(f"CUDA does not start: cuInit fails with {name}", _messages.quote(match, said), facts)
        return
    code = int(match.groupdict().get("code") or _driver.code_said(_messages.printed(match)))
    if (
        facts.is_answered(LibCuda)
        or code in OWNED_IN_WORDS
        or _is_owned(code, facts.one(Nvml), facts.one(System), facts)
    ):
        return
    yield _finding(f"CUDA does not start: error {code}", _messages.quote(match, said), facts)


def _is_owned(code: int, nvml: Nvml | None, system: System | None, facts: Facts) -> bool:
    """Whether another rule surely accounts for it: what none does must not pass in silence."""
    if code in OWNED or (code == ECC and (facts.all(Gpu) or not facts.is_answered(LibCuda))):
        return True
    if nvml is not None and nvml.init_code:
        return _accounts_for_nvml(nvml.init_code, nvml, system, facts)
    by_words = code == 3 and not facts.is_answered(LibCuda) and not _driver.may_be_uvm(facts)
    if code in UVM and _machine.on_linux(system) and not by_words:
        return True
    if _driver.owner_of_silence(nvml, facts) is not None:
        return True
    if code not in NO_DEVICE:
        return False
    if not facts.is_answered(LibCuda):
        return True  # a mere message: gpus-hidden takes it
    bare_mig = any(gpu.mig_enabled and gpu.mig_instances == () for gpu in facts.all(Gpu))
    return bare_mig or bool(_gpus.hides_all(facts))


def _accounts_for_nvml(code: int, nvml: Nvml, system: System | None, facts: Facts) -> bool:
    if code in OWNED_OF_NVML or (code == 17 and _machine.wsl(system)):
        return True
    said_only = code in {9, 12} and not facts.is_answered(PciBus)  # a paste: its words have an owner
    return said_only or _driver.owner_of_silence(nvml, facts) is not None


def _is_served(build: TorchBuild | None, libcuda: LibCuda) -> bool:
    """Whether the driver serves the CUDA that this PyTorch was built for, so that nothing speaks against it."""
    wanted, served = _machine.major(build.cuda if build else None), _machine.major(libcuda.cuda_version)
    return wanted is not None and served is not None and wanted <= served


def _is_left_to_container(libcuda: LibCuda, system: System | None) -> bool:
    """container-missing-capability takes a container that lacks it; a file that is there and broken is ours."""
    return system is None or bool(system.jetson) or (bool(system.container) and not libcuda.found)


def _library_remedy(facts: Facts) -> Remedy:
    system = facts.one(System)
    if _machine.in_container(system):
        title = "delete that libcuda.so.1 from the image: when the container starts, the host's is put there"
    elif _machine.wsl(system):
        title = "update Windows' NVIDIA driver, which provides it in /usr/lib/wsl/lib, then run wsl --shutdown there"
    else:
        title = (
            "install the driver's CUDA library in the driver's own version: libnvidia-compute-BRANCH of Ubuntu, "
            "libcuda1 of Debian, nvidia-driver-cuda of Fedora and RHEL"
        )
    return Remedy(title, needs_root=True, verify=remedies.verify(facts))


def _finding(message: str, seen: Evidence, facts: Facts, *first: Remedy) -> Finding:
    return Finding(message, (seen,), first or _any_remedies(facts))


def _any_remedies(facts: Facts) -> tuple[Remedy, ...]:
    system, check = facts.one(System), remedies.verify(facts)
    if system is not None and system.os != "linux":
        title = "restart the machine; where that does not help, install NVIDIA's driver anew"
        return (Remedy(title, needs_root=True, needs_reboot=True, verify=check),)
    log = Remedy(
        "read what the driver says in the kernel log",
        ("sudo dmesg | grep -iE 'nvrm|xid' | tail -n 20",),
        needs_root=True,
        verify=check,
    )
    return log, remedies.reboot()


LINUX = System(os="linux", container="", wsl=0, jetson=False)
ONE_GPU = Nvml(library_found=True, init_code=0, gpu_count=1)


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.LIBCUDA,
    fix_by=FixBy.NODE,
    explained_by=(
        Family.NO_DRIVER,
        Family.NO_CUDA,
        "ecc-uncorrectable",
        "gpus-hidden",
        "compute-mode-exclusive",
        "driver-too-old",
        "ptx-newer-than-driver",
    ),
    check=check,
    heard=heard,
    messages=(
        r"Unexpected error from cudaGetDeviceCount\(\)[\s\S]{0,200}?Error (?P<code>\d+): (?P<words>[^\n]*)",
        r"CUDA unknown error - this may be due to an incorrectly set up environment",
        *_driver.INITIALIZATION_ERROR,
        _NAMED,
    ),
    asks=(_driver.in_pytorchs_words("2: out of memory"),),
    fires={
        "a code by its name": (
            ErrorMessage("CudaAPIError: [2] Call to cuInit results in CUDA_ERROR_OUT_OF_MEMORY", "ticket.txt"),
        ),
        "out of memory in cuInit": (
            LINUX,
            ONE_GPU,
            LibCuda(found=True, init_code=2, init_error="CUDA_ERROR_OUT_OF_MEMORY"),
        ),
        "no device, though NVML has one and nothing hides it": (
            LINUX,
            ONE_GPU,
            LibCuda(found=True, init_code=100, init_error="CUDA_ERROR_NO_DEVICE"),
            EnvironmentVariables({}),
        ),
        "NVML answers, and libcuda is not installed": (LINUX, ONE_GPU, LibCuda(found=False)),
        "an image that was saved with a GPU at hand keeps an empty libcuda": (
            System(os="linux", container="docker", wsl=0, jetson=False),
            ONE_GPU,
            LibCuda(found=True, load_error="/usr/lib/x86_64-linux-gnu/libcuda.so.1: file too short"),
        ),
        "NVML fails too, with a code that no rule knows": (
            LINUX,
            Nvml(library_found=True, init_code=14, init_error="infoROM is corrupted"),
            LibCuda(found=True, init_code=100),
        ),
        "cuInit works, PyTorch does not": (
            LINUX,
            ONE_GPU,
            LibCuda(found=True, init_code=0, device_count=1, cuda_version="13.0"),
            TorchBuild("2.15.0+cu132", cuda="13.2"),
            TorchCuda(available=False, error="RuntimeError: CUDA error: initialization error"),
        ),
        "PyTorch names a code": (
            ErrorMessage("Unexpected error from cudaGetDeviceCount(). Error 2: out of memory", "ticket.txt"),
        ),
        "uncorrectable memory, on a machine whose GPUs NVML does not list": (
            LINUX,
            ONE_GPU,
            LibCuda(found=True, init_code=214),
        ),
        "error 3 on Windows, which has no uvm": (System(os="windows"), ONE_GPU, LibCuda(found=True, init_code=3)),
        "101 with a GPU that is divided and has instances": (
            LINUX,
            ONE_GPU,
            Gpu(0, "NVIDIA A100", mig_enabled=True, mig_instances=("MIG-1",)),
            LibCuda(found=True, init_code=101),
            EnvironmentVariables({}),
        ),
        "100 with one GPU of two whose division is empty but off": (
            LINUX,
            ONE_GPU,
            Gpu(0, "NVIDIA A100", mig_enabled=False, mig_instances=()),
            LibCuda(found=True, init_code=100),
            EnvironmentVariables({}),
        ),
        "NVML's 17 without WSL": (LINUX, Nvml(True, init_code=17), LibCuda(found=True, init_code=100)),
        "NVML's 13": (LINUX, Nvml(True, init_code=13), LibCuda(found=True, init_code=100)),
        "PyTorch names no code, off Linux": (
            System(os="windows"),
            ErrorMessage(
                "RuntimeError: CUDA driver initialization failed, you might not have a CUDA gpu.", "ticket.txt"
            ),
        ),
        "PyTorch knows no more, off Linux": (
            System(os="windows"),
            ErrorMessage("CUDA unknown error - this may be due to an incorrectly set up environment", "ticket.txt"),
        ),
        "nobody answers for NVIDIA's MPS": (
            ErrorMessage(
                "RuntimeError: CUDA error: MPS client failed to connect to the MPS control daemon or the MPS server",
                "ticket.txt",
            ),
        ),
    },
    quiet={
        "all is well": (LINUX, ONE_GPU, LibCuda(found=True, init_code=0, device_count=1), TorchCuda(available=True)),
        "802 is fabric-manager-down": (LINUX, ONE_GPU, LibCuda(found=True, init_code=802)),
        "100 with all GPUs hidden": (
            LINUX,
            ONE_GPU,
            LibCuda(found=True, init_code=100),
            EnvironmentVariables({_gpus.VARIABLE: "-1"}),
        ),
        "no libcuda in a container: container-missing-capability": (
            System(os="linux", container="docker", wsl=0, jetson=False),
            ONE_GPU,
            LibCuda(found=False),
        ),
        "no driver at all": (LINUX, Nvml(library_found=False, init_code=12), LibCuda(found=False)),
        "a CPU build beside a driver that works": (
            LINUX,
            ONE_GPU,
            LibCuda(found=True, init_code=0, device_count=1),
            TorchBuild("2.8.0+cpu", cuda=None),
            TorchCuda(available=False),
        ),
        **{
            f"{code} has a rule of its own": (LINUX, ONE_GPU, LibCuda(found=True, init_code=code))
            for code in (34, 803, 804)
        },
        **{
            f"PyTorch's {words!r} has a rule of its own": (
                LINUX,
                ErrorMessage(f"Unexpected error from cudaGetDeviceCount(). Error {words}", "ticket.txt"),
            )
            for words in (
                "35: CUDA driver version is insufficient for CUDA runtime version",
                "46: CUDA-capable device(s) is/are busy or unavailable",
                "222: the provided PTX was compiled with an unsupported toolchain.",
                "101: invalid device ordinal",
                "214: uncorrectable ECC error encountered",
            )
        },
        **{
            f"{code} of NVML has a rule of its own": (
                LINUX,
                Nvml(True, init_code=code),
                LibCuda(found=True, init_code=100),
            )
            for code in (4, 15, 16, 18, 999)
        },
        **{
            f"{code} on Linux tells of uvm": (LINUX, ONE_GPU, LibCuda(found=True, init_code=code))
            for code in (3, 304, 999)
        },
        "214 with a GPU to blame is ecc-uncorrectable": (
            LINUX,
            ONE_GPU,
            Gpu(0, "NVIDIA A100"),
            LibCuda(found=True, init_code=214),
        ),
        "9 of NVML in a paste that lists the kernel's modules": (
            LINUX,
            Nvml(True, init_code=9),
            LibCuda(found=True, init_code=100),
            KernelModule(loaded=False),
        ),
        "100 with a division that is empty": (
            LINUX,
            ONE_GPU,
            Gpu(0, "NVIDIA A100", mig_enabled=True, mig_instances=()),
            LibCuda(found=True, init_code=100),
        ),
        "17 of NVML under WSL": (
            System(os="linux", wsl=2),
            Nvml(True, init_code=17),
            LibCuda(found=True, init_code=100),
        ),
        "9 of NVML in a paste": (LINUX, Nvml(True, init_code=9), LibCuda(found=True, init_code=100)),
        "12 of NVML in a paste": (LINUX, Nvml(True, init_code=12), LibCuda(found=True, init_code=100)),
        "PyTorch's message where cuInit is known": (
            System(os="windows"),
            ONE_GPU,
            LibCuda(found=True, init_code=0, device_count=1),
            ErrorMessage("Unexpected error from cudaGetDeviceCount(). Error 2: out of memory", "ticket.txt"),
        ),
        "a CUDA 13 build on a driver for CUDA 12 is driver-too-old": (
            LINUX,
            ONE_GPU,
            LibCuda(found=True, init_code=0, device_count=1, cuda_version="12.8"),
            TorchBuild("2.15.0+cu132", cuda="13.2"),
            TorchCuda(available=False),
        ),
        "a driver that does not tell which CUDA it serves": (
            LINUX,
            ONE_GPU,
            LibCuda(found=True, init_code=0, device_count=1),
            TorchBuild("2.15.0+cu132", cuda="13.2"),
            TorchCuda(available=False),
        ),
        **{
            f"{code} of NVML's words in a paste, whose library nobody looked for": (
                LINUX,
                Nvml(None, init_code=code),
                LibCuda(found=True, init_code=100),
            )
            for code in (9, 12)
        },
        "9 of NVML where the bus was looked at, too": (
            LINUX,
            PciBus(readable=True),
            PciGpu("0000:00:1e.0", "0x2236", driver=""),
            Nvml(True, init_code=9),
            LibCuda(found=True, init_code=100),
        ),
        "a message of MPS, and cuInit works here": (
            LibCuda(found=True, init_code=0, device_count=1),
            ErrorMessage(
                "RuntimeError: CUDA error: MPS client failed to connect to the MPS control daemon or the MPS server",
                "ticket.txt",
            ),
        ),
    },
)
