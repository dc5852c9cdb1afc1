"""WSL does not get through to the NVIDIA driver of Windows.

## What it does
Under WSL the driver is Windows'. The rule speaks for WSL 1, which has no GPU at all; when NVML says that the operating
system blocks access (17); when /dev/dxg or the libraries under /usr/lib/wsl/lib are missing; when a Linux driver
package put its own libcuda before Windows'; when Windows is older than 10 21H2; and when the board runs in TCC mode, which WSL cannot use. It is silent
while CUDA works.

## Why it matters
WSL hands the GPU through a device of its own (/dev/dxg) to libraries that Windows brings along. A Linux driver inside
the distribution cannot drive anything, and its libraries hide the right ones.

## What to do
Update Windows, WSL (`wsl --update`) and the NVIDIA driver of Windows; take Linux driver packages off the distribution,
and install no more of CUDA there than the toolkit. A board in TCC mode has to go to WDDM or MCDM.

## References
- https://github.com/microsoft/WSL/issues/9272
- https://github.com/microsoft/WSL/issues/7056
- https://docs.nvidia.com/cuda/wsl-user-guide/
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Ask, Family, Rule
from cudacheck.probes.host.device_nodes import DeviceNode
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.rules import _driver, _gpus, _machine

FIRST_BUILD = 19044
"""Of Windows 10 21H2, the first that NVIDIA's guide names."""
WINDOWS_LIBRARIES = re.compile(r"/usr/lib/wsl/|/nv_dispi|/DriverStore/", re.IGNORECASE)
UPDATE = Remedy(
    "update Windows' NVIDIA driver (https://www.nvidia.com/drivers), then run wsl --update and wsl --shutdown there",
    verify="nvidia-smi",
)
UNDO_LINUX_DRIVER = Remedy(
    "remove the Linux driver from the distribution",
    ("sudo apt purge 'nvidia-driver-*' 'libnvidia-compute-*' 'nvidia-utils-*'", "sudo ldconfig"),
    needs_root=True,
    verify="nvidia-smi",
)


def check(
    system: System,
    nvml: Nvml | None,
    libcuda: LibCuda | None,
    nodes: tuple[DeviceNode, ...] | None,
    gpus: tuple[Gpu, ...] | None,
    facts: Facts,
) -> Iterator[Finding]:
    version = _machine.wsl(system)
    if not version or _driver.computes(facts) or _is_left_to_container(system, nodes or ()):
        return
    if version == 1:
        convert = Remedy("in Windows, convert the distribution to WSL 2: wsl --set-version NAME 2 (names: wsl --list)")
        seen = Evidence(f"WSL 1, kernel {system.kernel or system.distribution or 'unknown'}", system.found_in)
        yield Finding("WSL 1 cannot use a GPU at all: only WSL 2 can", (seen,), (convert,))
        return
    for message, seen, remedies in (
        *_blocked(nvml),
        *_tcc(gpus or ()),
        *_shadowed(libcuda),
        *_sees_none(libcuda, nvml, facts),
        *_not_passed_on(nodes or ()),
        *_without_libraries(nvml, libcuda),
    ):
        yield Finding(message, (seen,), remedies)


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    if "ERR!" in match[0]:
        yield from _unanswered(facts)
        return
    if "adapters" in match[0]:
        # which WSL 1 has none of, either, nor a machine without an NVIDIA GPU
        message = "WSL shows no GPU to containers: Windows' NVIDIA driver is missing or too old, this is WSL 1, or there is no NVIDIA GPU"
        yield Finding(message, (), (UPDATE,), severity=Severity.WARNING)
        return
    if "libcuda" in match[0] or "Version" in match[0]:
        yield from _too_early(match.groupdict().get("build"), facts)
        return
    if "NO_DEVICE" in match[0]:
        if _machine.wsl(facts.one(System)) and not _driver.computes(facts) and not facts.is_answered(LibCuda):
            message = "CUDA finds no GPU under WSL: a Linux driver may lie in front of Windows' own libcuda"
            yield Finding(message, (), (UNDO_LINUX_DRIVER, UPDATE))
        return
    message = "Windows does not let WSL use the GPU: GPU access blocked by the operating system"
    remedies = [r for _, _, fix in _tcc(facts.all(Gpu)) for r in fix]
    yield Finding(message, (), (*remedies, UPDATE, UNDO_LINUX_DRIVER))


def _unanswered(facts: Facts) -> Iterator[Finding]:
    """nvidia-smi of WSL reached Windows' driver, and libcuda did not tell it its version."""
    if _machine.wsl(facts.one(System)) == 2 and not _driver.computes(facts):
        message = "libcuda does not work under WSL: nvidia-smi gets no CUDA version from it"
        yield Finding(message, (), (UPDATE, UNDO_LINUX_DRIVER))


def _too_early(build: str | None, facts: Facts) -> Iterator[Finding]:
    """Before 21H2, and where Windows' driver is too old or missing, no libcuda is passed on to WSL."""
    system = facts.one(System)
    if _machine.wsl(system) != 2 or _machine.in_container(system) or _driver.computes(facts) or _driver.answers(facts):
        return
    if build is None:
        yield Finding("WSL gets no NVIDIA driver from Windows: libcuda.so.1 is not there", (), (UPDATE,))
    elif int(build) < FIRST_BUILD:
        newer = Remedy("update Windows to 10 21H2 (build 19044) or 11, which hand the GPU on to WSL 2")
        yield Finding(f"this Windows (build {build}) does not hand a GPU on to WSL 2", (), (newer, UPDATE))


Fault = tuple[str, Evidence, tuple[Remedy, ...]]


def _is_left_to_container(system: System, nodes: tuple[DeviceNode, ...]) -> bool:
    """A container under WSL that was started without its GPU is container-without-gpu's."""
    return _machine.in_container(system) and not any(n.path == "/dev/dxg" and n.exists for n in nodes)


def _blocked(nvml: Nvml | None) -> Iterator[Fault]:
    if nvml is not None and nvml.init_code == 17:
        seen = Evidence(
            f"nvmlInit 17: {nvml.init_error or 'GPU access blocked by the operating system'}", nvml.found_in
        )
        yield "Windows does not let WSL use the GPU: access is blocked", seen, (UPDATE, UNDO_LINUX_DRIVER)


def _tcc(gpus: tuple[Gpu, ...]) -> Iterator[Fault]:
    boards = [gpu for gpu in gpus if gpu.driver_model == "TCC"]
    if boards:
        remedy = Remedy(
            "as administrator in Windows, put the board into WDDM mode: nvidia-smi -dm 0; then restart Windows"
        )
        seen = Evidence(f"{_machine.gpu_label(boards[0])}: driver model TCC", boards[0].found_in)
        yield "WSL cannot use a board in TCC mode", seen, (remedy,)


def _shadowed(libcuda: LibCuda | None) -> Iterator[Fault]:
    path = libcuda.path if libcuda is not None else None
    if libcuda is None or not path or libcuda.init_code in {None, 0}:
        return
    if not (WINDOWS_LIBRARIES.search(path) or _machine.is_compat(path) or _machine.is_stub(path)):
        seen = Evidence(f"{path}, cuInit {libcuda.init_code}", libcuda.found_in)
        yield "a Linux driver's libcuda hides the one that Windows provides", seen, (UNDO_LINUX_DRIVER, UPDATE)


def _sees_none(libcuda: LibCuda | None, nvml: Nvml | None, facts: Facts) -> Iterator[Fault]:
    """Windows' own library finds no GPU: the driver of Windows, or the kernel of WSL, is too old."""
    path = libcuda.path if libcuda is not None else None
    if nvml is not None and nvml.init_code not in {None, 0, 9}:
        return  # NVML's own code tells more
    if libcuda is None or libcuda.init_code != 100 or not WINDOWS_LIBRARIES.search(path or ""):
        return
    if not _gpus.hides_all(facts):
        seen = Evidence(f"{path}, cuInit 100", libcuda.found_in)
        yield "the CUDA library that Windows provides finds no GPU", seen, (UPDATE,)


def _not_passed_on(nodes: tuple[DeviceNode, ...]) -> Iterator[Fault]:
    if any(node.path == "/dev/dxg" and not node.exists for node in nodes):
        yield "WSL shows no GPU device: /dev/dxg is missing", Evidence("no /dev/dxg", "/dev"), (UPDATE,)


def _without_libraries(nvml: Nvml | None, libcuda: LibCuda | None) -> Iterator[Fault]:
    if nvml is not None and _driver.library_absent(nvml) and libcuda is not None and not libcuda.found:
        seen = Evidence("no libcuda.so.1 and no libnvidia-ml.so.1", "/usr/lib/wsl/lib")
        yield "WSL gets no NVIDIA driver from Windows", seen, (UPDATE,)


WINDOWS_LIBCUDA = "/usr/lib/wsl/drivers/nv_dispi.inf_amd64_1/libcuda.so.1.1"
WSL2 = System(os="linux", container="", wsl=2, jetson=False)


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.CONTAINER,
    fix_by=FixBy.NODE,
    joins=(
        Family.NO_DRIVER,
        Family.NO_KERNEL_MODULE,
    ),
    check=check,
    heard=heard,
    messages=(
        r"GPU access blocked(?: by the operating system)?",
        r"cuInit[^\n]{0,60}CUDA_ERROR_NO_DEVICE",
        r"Microsoft Windows \[Version 10\.0\.(?P<build>\d{5})\b",
        r"libcuda\.so\.1: cannot open shared object file",
        r"Driver Version: [\d.]+\s+CUDA Version: ERR!",
    ),
    asks=(
        Ask(
            Nvml,
            "`GPU access blocked by the operating system`",
            "Failed to initialize NVML: GPU access blocked by the operating system",
        ),
    ),
    fires={
        "WSL 1": (System(os="linux", kernel="4.4.0-19041-Microsoft", container="", wsl=1),),
        "access blocked": (WSL2, Nvml(library_found=True, init_code=17)),
        "a board in TCC mode": (WSL2, Gpu(0, "NVIDIA L40S", driver_model="TCC")),
        "a Linux libcuda in front": (
            WSL2,
            Nvml(library_found=True, init_code=0, gpu_count=1),
            LibCuda(found=True, path="/usr/lib/x86_64-linux-gnu/libcuda.so.535.183.01", init_code=100),
        ),
        "Windows' own library finds no GPU": (WSL2, LibCuda(found=True, path=WINDOWS_LIBCUDA, init_code=100)),
        "no device": (WSL2, DeviceNode("/dev/dxg", exists=False), Nvml(library_found=False, init_code=12)),
        "a Windows from before 21H2": (
            WSL2,
            ErrorMessage("Microsoft Windows [Version 10.0.19042.1052]", "ticket.txt"),
        ),
        "TensorFlow finds no libcuda": (
            System(os="linux", wsl=2, found_in="what is said"),
            ErrorMessage(
                "dlerror: libcuda.so.1: cannot open shared object file: No such file or directory", "ticket.txt"
            ),
        ),
        "nvidia-smi gets no version from libcuda": (
            WSL2,
            ErrorMessage("| NVIDIA-SMI 545.46    Driver Version: 546.80    CUDA Version: ERR!     |", "ticket.txt"),
        ),
        "Numba finds none": (
            WSL2,
            ErrorMessage("Error at driver init: Call to cuInit results in CUDA_ERROR_NO_DEVICE (100)", "ticket.txt"),
        ),
        "nvidia-smi says so": (
            ErrorMessage("Failed to initialize NVML: GPU access blocked by the operating system", "ticket.txt"),
        ),
        "a container under WSL that got the GPU": (
            System(os="linux", container="docker", wsl=2),
            DeviceNode("/dev/dxg", exists=True),
            Nvml(library_found=True, init_code=17),
        ),
        "Windows' own library finds no GPU, and NVML's is not loaded": (
            WSL2,
            Nvml(library_found=True, init_code=9),
            LibCuda(found=True, path=WINDOWS_LIBCUDA, init_code=100),
        ),
        "no library of the driver at all": (
            WSL2,
            DeviceNode("/dev/dxg", exists=True),
            Nvml(library_found=False, init_code=12),
            LibCuda(found=False),
        ),
    },
    quiet={
        "a Windows from before 21H2, without WSL": (
            ErrorMessage("Microsoft Windows [Version 10.0.19042.1052]", "ticket.txt"),
        ),
        "nvidia-smi gets no version from libcuda, elsewhere": (
            ErrorMessage("| NVIDIA-SMI 545.46    Driver Version: 546.80    CUDA Version: ERR!     |", "ticket.txt"),
        ),
        "a Windows of today": (WSL2, ErrorMessage("Microsoft Windows [Version 10.0.22631.3593]", "ticket.txt")),
        "a container under WSL finds no libcuda": (
            System(os="linux", container="docker", wsl=2),
            ErrorMessage("libcuda.so.1: cannot open shared object file", "ticket.txt"),
        ),
        "Numba finds none on Linux": (
            System(os="linux", container="", wsl=0),
            ErrorMessage("Error at driver init: Call to cuInit results in CUDA_ERROR_NO_DEVICE (100)", "ticket.txt"),
        ),
        "WSL 2 in order: no PCI, no /dev/nvidia0, no kernel module": (
            WSL2,
            DeviceNode("/dev/dxg", exists=True),
            DeviceNode("/dev/nvidiactl", exists=False),
            Nvml(library_found=True, init_code=0, gpu_count=1),
            LibCuda(found=True, path=WINDOWS_LIBCUDA, init_code=0, device_count=1),
        ),
        "CUDA_VISIBLE_DEVICES hides it": (
            WSL2,
            LibCuda(found=True, path=WINDOWS_LIBCUDA, init_code=100),
            EnvironmentVariables({_gpus.VARIABLE: "-1"}),
        ),
        "a TCC board in Windows itself": (System(os="windows", wsl=0), Gpu(0, "NVIDIA L40S", driver_model="TCC")),
        "AMD's board under WSL, in a paste": (WSL2, Gpu(0, "AMD Radeon RX 7900 XT")),
        "a container under WSL without the GPU": (
            System(os="linux", container="docker", wsl=2),
            DeviceNode("/dev/dxg", exists=False),
            DeviceNode("/dev/null", exists=True),
            Nvml(library_found=False, init_code=12),
            LibCuda(found=False),
        ),
        "another device is missing": (
            WSL2,
            DeviceNode("/dev/nvidiactl", exists=False),
            DeviceNode("/dev/dxg", exists=True),
        ),
        "NVML's code tells more than Windows' own library": (
            WSL2,
            Nvml(library_found=True, init_code=999),
            LibCuda(found=True, path=WINDOWS_LIBCUDA, init_code=100),
        ),
        "NVML is missing, and libcuda is there": (
            WSL2,
            DeviceNode("/dev/dxg", exists=True),
            Nvml(library_found=False, init_code=12),
            LibCuda(found=True, path=WINDOWS_LIBCUDA),
        ),
    },
)
