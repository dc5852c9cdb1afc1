"""The GPU's device files may not be opened by this user.

## What it does
Tries to open /dev/nvidiactl, /dev/nvidia-uvm and /dev/dxg, asks whether it may open /dev/nvidia0 …, and reads NVML's
"Insufficient Permissions" (4). It is silent while CUDA works: a GPU that was given to somebody else is no fault.

## Why it matters
CUDA opens these files in every process. With `nvidia-smi` working for root only, PyTorch sees no GPU.

## What to do
See who owns the files (`ls -l /dev/nvidia*`). They are for all by default; a module option
(NVreg_DeviceFileMode) or a udev rule narrows them to a group, often `video`: join it and log in again. In rootless
podman keep your groups: `--group-add keep-groups`, and `--security-opt=label=disable` with SELinux.

## References
- https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/troubleshooting.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Ask, Family, Rule
from cudacheck.probes.host.device_nodes import DeviceNode
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Nvml
from cudacheck.probes.host.pci import PciBus, PciGpu
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.rules import _driver, _machine


def check(
    nvml: Nvml,
    nodes: tuple[DeviceNode, ...] | None,
    libcuda: LibCuda | None,
    system: System | None,
    facts: Facts,
) -> Iterator[Finding]:
    refused = _machine.refused_nodes(nodes or (), "EACCES")
    if not _machine.in_container(system):
        refused += _machine.refused_nodes(nodes or (), "EPERM")  # in a container that is nvml-access-lost
    cuda_fails = libcuda is None or libcuda.init_code != 0
    if _driver.computes(facts) or not cuda_fails or not (refused or nvml.init_code == 4):
        return
    if _driver.answers(facts) and all(re.search(r"nvidia\d+$", node.path) for node in refused):
        return  # NVML has a GPU, so these are others'
    seen = [Evidence(f"{node.path} ({node.mode or 'mode unknown'}): {node.open_error}", "open()") for node in refused]
    if nvml.init_code == 4:
        seen.append(Evidence(f"nvmlInit 4: {nvml.init_error or 'Insufficient Permissions'}", nvml.found_in))
    path = refused[0].path if refused else "the GPU's device files"
    yield Finding(f"this user may not open {path}", tuple(seen), _remedies(system, refused))


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    if not _driver.answers(facts):
        message = "this user may not open the GPU's device files"
        yield Finding(message, (), _remedies(facts.one(System), []))


def _remedies(system: System | None, refused: list[DeviceNode]) -> tuple[Remedy, ...]:
    if _machine.in_container(system):
        title = "start the container with your groups: podman run --group-add keep-groups --security-opt=label=disable"
        return (Remedy(title),)
    if refused and all((node.mode or "").endswith("rw-rw-rw-") for node in refused):
        title = (
            "no group helps, they are open to all: a control group or a security module refuses. Ask for a GPU where "
            "the job or service is started (Slurm: --gres=gpu:1, systemd: DeviceAllow=), or read SELinux's log"
        )
        return (Remedy(title),)
    look = Remedy("see who may open them", ("ls -l /dev/nvidia*",))
    of_group = any((node.mode or "")[4:6] == "rw" for node in refused)
    if refused and not of_group:
        return (
            look,
            Remedy("let the driver make them for all: options nvidia NVreg_DeviceFileMode=0666 in modprobe.d"),
        )
    join = 'sudo usermod -aG video,render "$USER"'
    return (
        look,
        Remedy("join their group (often video), and log in again", (join,), needs_root=True, verify="nvidia-smi"),
    )


BARE = System(os="linux", container="", wsl=0, jetson=False)


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.CONTAINER,
    fix_by=FixBy.NODE,
    joins=(Family.NO_DRIVER,),
    explained_by=("nvml-access-lost", "slurm-job-without-gpu"),
    check=check,
    heard=heard,
    messages=(
        r"(?i:failed to initialize nvml:? insufficient permissions|nvml error: insufficient permissions)",
        r"NVMLError_NoPermission",
    ),
    asks=(Ask(Nvml, "`Insufficient Permissions`", "Failed to initialize NVML: Insufficient Permissions"),),
    fires={
        "not in the group video": (
            BARE,
            Nvml(library_found=True, init_code=4, init_error="Insufficient Permissions"),
            DeviceNode("/dev/nvidiactl", exists=True, open_error="EACCES", mode="crw-rw----"),
        ),
        "only nvidia-uvm is refused": (
            BARE,
            Nvml(library_found=True, init_code=0, gpu_count=1),
            DeviceNode("/dev/nvidiactl", exists=True, open_error="", mode="crw-rw-rw-"),
            DeviceNode("/dev/nvidia-uvm", exists=True, open_error="EACCES", mode="crw-------"),
            LibCuda(found=True, init_code=304),
        ),
        "the only GPU's own file is refused, so that NVML counts none": (
            BARE,
            Nvml(library_found=True, init_code=0, gpu_count=0),
            PciBus(readable=True),
            PciGpu("0000:0a:00.0", "0x2335", driver="nvidia"),
            DeviceNode("/dev/nvidiactl", exists=True, open_error="", mode="crw-rw-rw-"),
            DeviceNode("/dev/nvidia0", exists=True, open_error="EACCES", mode="crw-------"),
            LibCuda(found=True, init_code=100),
        ),
        "nvidia-smi says so": (ErrorMessage("Failed to initialize NVML: Insufficient Permissions", "ticket.txt"),),
        "the container runtime says so": (
            ErrorMessage(
                "nvidia-container-cli: initialization error: nvml error: insufficient permissions", "ticket.txt"
            ),
        ),
        "NVML is refused, and no file was looked at": (
            BARE,
            Nvml(library_found=True, init_code=4, init_error="Insufficient Permissions"),
        ),
        "on the machine itself, the kernel says EPERM": (
            BARE,
            Nvml(library_found=True, init_code=9),
            DeviceNode("/dev/nvidia-uvm", exists=True, open_error="EPERM", mode="crw-rw-rw-"),
        ),
        "in a container without the user's groups": (
            System(os="linux", container="podman"),
            Nvml(library_found=True, init_code=999),
            DeviceNode("/dev/nvidia-uvm", exists=True, open_error="EACCES", mode="crw-rw----"),
        ),
    },
    quiet={
        "all open": (
            BARE,
            Nvml(library_found=True, init_code=0, gpu_count=1),
            DeviceNode("/dev/nvidiactl", exists=True, open_error="", mode="crw-rw-rw-"),
        ),
        "somebody else's GPU on a shared machine": (
            BARE,
            Nvml(library_found=True, init_code=0, gpu_count=1),
            DeviceNode("/dev/nvidia0", exists=True, open_error=None),
            DeviceNode("/dev/nvidia1", exists=True, open_error="EACCES"),
        ),
        "CUDA works all the same": (
            BARE,
            Nvml(library_found=True, init_code=0, gpu_count=1),
            DeviceNode("/dev/nvidia-uvm", exists=True, open_error="EACCES"),
            LibCuda(found=True, init_code=0, device_count=1),
        ),
        "in a container EPERM is nvml-access-lost": (
            System(os="linux", container="docker"),
            Nvml(library_found=True, init_code=999),
            DeviceNode("/dev/nvidia-uvm", exists=True, open_error="EPERM", mode="crw-rw-rw-"),
        ),
    },
)
