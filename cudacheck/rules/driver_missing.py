"""There is an NVIDIA GPU, but no NVIDIA driver is installed for it.

## What it does
Finds a GPU on the PCI bus, or another sign of one, and neither the driver's libraries (libcuda, NVML) nor a kernel
module that could be loaded. It leaves to finer rules what has a narrower cause: nouveau in the driver's place, a
kernel without its module, a container that was given no GPU, Windows' driver under WSL.

## Why it matters
Without the driver nothing of CUDA works. The CUDA toolkit, `nvidia-*` wheels and PyTorch itself contain no driver:
they bring all of CUDA but this part.

## What to do
Install the driver of your distribution or NVIDIA's own, reboot, and see whether `nvidia-smi` answers. In a container
the driver belongs on the host, never in the image.

## References
- https://github.com/pytorch/pytorch/issues/74733
- https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Ask, Family, Rule
from cudacheck.probes.host.driver_files import DriverLibrary
from cudacheck.probes.host.kernel_module import KernelModule
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Nvml
from cudacheck.probes.host.pci import PciBus, PciGpu
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ContainerStart, ErrorMessage
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _driver, _machine, _messages


def check(nvml: Nvml | None, module: KernelModule | None, facts: Facts) -> Iterator[Finding]:
    if _driver.owner(nvml, facts) != "driver-missing":
        return
    message = "no NVIDIA driver is installed for this machine's GPU"
    if module is not None and module.loaded:
        message = "the NVIDIA driver is only half installed: its kernel module is loaded, its libraries are missing"
    yield Finding(
        message,
        evidence=_driver.silence_evidence(facts),
        remedies=(_machine.install_driver(facts),),
    )


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    if facts.is_answered(PciBus) or _driver.answers(facts):
        return  # what was looked at itself is judged by `check`
    in_container = _machine.in_container(facts.one(System))
    if re.search(_driver.NO_SMI, match[0]) and not (_driver.is_needed(facts) and not in_container):
        return
    message = "PyTorch finds no NVIDIA driver" if "Found no" in match[0] else "no NVIDIA driver is installed"
    if any(start.gpus for start in facts.all(ContainerStart)):
        # an engine that is asked for a GPU starts nothing where its host has no driver
        message += " in a container that was to get the GPU: what it was given lacks the driver, or this ran elsewhere"
        look = Remedy("see what the container was given", ("ldconfig -p | grep libcuda; env | grep NVIDIA",))
        yield Finding(message, (), (look,), severity=Severity.WARNING)
        return
    yield Finding(message, evidence=(), remedies=(_machine.install_driver(facts),))


ABSENT = Nvml(library_found=False, init_code=12)
BARE = System(os="linux", distribution="Ubuntu 24.04.1 LTS", container="", wsl=0, jetson=False)
RTX_4090 = PciGpu("0000:01:00.0", "0x2684", driver="", found_in="/sys/bus/pci/devices/0000:01:00.0")


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.KERNEL,
    fix_by=FixBy.NODE,
    joins=(Family.NO_DRIVER,),
    explained_by=(
        Family.NO_KERNEL_MODULE,
        "driver-not-loaded",
        "driver-library-mismatch",
        "container-without-gpu",
        "container-missing-capability",
        "nvml-access-lost",
        "device-permission",
    ),
    check=check,
    heard=heard,
    messages=(
        r"Found no NVIDIA driver on your system",
        r"NVML Shared Library Not Found|NVMLError_LibraryNotFound",
        r"NVIDIA-SMI couldn't find libnvidia-ml\.so library",
        _driver.NO_SMI,
    ),
    ambiguous=_messages.leave_it_open,
    asks=(
        Ask(Nvml, "`command not found`", "bash: nvidia-smi: command not found"),
        Ask(
            PciGpu,
            "a GPU without `Kernel driver in use`",
            "01:00.0 VGA compatible controller [0300]: NVIDIA Corporation AD102 [10de:2684] (rev a1)\n"
            "\tKernel modules: nvidiafb, nouveau",
        ),
        Ask(KernelModule, "`No such file or directory`", "cat: /proc/driver/nvidia/version: No such file or directory"),
    ),
    fires={
        "zsh finds no nvidia-smi, and a CUDA build finds nothing": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            TorchCuda(available=False),
            ErrorMessage("zsh: command not found: nvidia-smi", "ticket.txt"),
        ),
        "what Numba says": (
            ErrorMessage(
                "numba.cuda.cudadrv.error.CudaSupportError: Error at driver init:\nCUDA driver library cannot be found.\n"
                "If you are sure that a CUDA driver is installed,\ntry setting environment variable NUMBA_CUDA_DRIVER",
                "ticket.txt",
            ),
        ),
        "a GPU on the bus, and nothing installed": (
            BARE,
            PciBus(readable=True),
            RTX_4090,
            ABSENT,
            LibCuda(found=False),
            KernelModule(loaded=False, built_for_kernel=False),
        ),
        "the kernel module without the libraries": (
            BARE,
            PciBus(readable=True),
            PciGpu("0000:01:00.0", "0x2684", driver="nvidia"),
            ABSENT,
            KernelModule(loaded=True, version="580.95.05"),
        ),
        "PyTorch says so": (
            ErrorMessage(
                "UserWarning: CUDA initialization: Found no NVIDIA driver on your system. Please check that you have an "
                "NVIDIA GPU and installed a driver from http://www.nvidia.com/Download/index.aspx",
                "ticket.txt",
            ),
        ),
        "nvidia-smi without its library": (
            ErrorMessage("NVIDIA-SMI couldn't find libnvidia-ml.so library in your system.", "ticket.txt"),
        ),
        "no nvidia-smi, and a CUDA build that finds nothing": (
            BARE,
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            TorchCuda(available=False),
            ErrorMessage("bash: nvidia-smi: command not found", "ticket.txt"),
        ),
        "no nvidia-smi, nobody drives the GPU, and PyTorch finds none": (
            BARE,
            PciBus(readable=True),
            RTX_4090,
            TorchCuda(available=False),
            ErrorMessage("bash: nvidia-smi: command not found", "ticket.txt"),
        ),
        "the same, and the system is not told": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            TorchCuda(available=False),
            ErrorMessage("bash: nvidia-smi: command not found", "ticket.txt"),
        ),
        "PyTorch says so, in a container that was started with the GPU": (
            ContainerStart("docker", gpus=True),
            ErrorMessage("RuntimeError: Found no NVIDIA driver on your system.", "ticket.txt"),
        ),
    },
    quiet={
        "no nvidia-smi in a container, which is another rule's": (
            System(os="linux", container="docker"),
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            TorchCuda(available=False),
            ErrorMessage("bash: nvidia-smi: command not found", "ticket.txt"),
        ),
        "nvidia-smi is not there, and nothing else is known": (
            ErrorMessage("bash: nvidia-smi: command not found", "ticket.txt"),
        ),
        "no GPU at all": (BARE, PciBus(readable=True), ABSENT),
        "nouveau has the GPU": (
            BARE,
            PciBus(readable=True),
            PciGpu("0000:01:00.0", "0x2684", driver="nouveau"),
            ABSENT,
        ),
        "NVML answers, PCI is hidden": (
            PciBus(readable=False),
            Nvml(library_found=True, init_code=0, gpu_count=1),
            KernelModule(loaded=None),
        ),
        "libraries there, module not loaded": (
            BARE,
            PciBus(readable=True),
            RTX_4090,
            Nvml(library_found=True, init_code=9),
            DriverLibrary("libcuda.so.1", "/usr/lib64/libcuda.so.1", "/usr/lib64/libcuda.so.580.95.05"),
        ),
        "PyTorch says so on a machine without a GPU": (
            ErrorMessage("RuntimeError: Found no NVIDIA driver on your system.", "torch.cuda"),
            BARE,
            PciBus(readable=True),
            ABSENT,
        ),
        "WSL, where the driver is Windows'": (
            System(os="linux", container="", wsl=2, jetson=False),
            PciBus(readable=True),
            ABSENT,
        ),
        **{
            f"no nvidia-smi, and {words}": (*facts, ErrorMessage("bash: nvidia-smi: command not found", "ticket.txt"))
            for words, facts in {
                "a CPU build": (BARE, TorchBuild("2.8.0+cpu", cuda=None), TorchCuda(available=False)),
                "PyTorch was not asked": (BARE, TorchBuild("2.8.0+cu128", cuda="12.8")),
                "nothing is known of PyTorch's build": (BARE, TorchCuda(available=False)),
                "PyTorch computes all the same": (
                    BARE,
                    TorchBuild("2.8.0+cu128", cuda="12.8"),
                    TorchCuda(available=True),
                ),
                "a Jetson": (
                    System(os="linux", jetson=True),
                    TorchBuild("2.8.0", cuda="12.6"),
                    TorchCuda(available=False),
                ),
                "a kernel of Jetson's": (
                    System(os="linux", kernel="5.15.148-tegra"),
                    TorchBuild("2.8.0", cuda="12.6"),
                    TorchCuda(available=False),
                ),
            }.items()
        },
    },
)
