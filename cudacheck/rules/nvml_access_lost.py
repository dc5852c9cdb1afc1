"""A running container lost its permission to use the GPU.

## What it does
NVML answers "Unknown Error" (999), or a device file that everybody may open is refused with EPERM: so the kernel's
device control group refuses, not the file's mode. Outside of containers the same code means that the driver is in
disorder.

## Why it matters
The container worked when it was started. `systemctl daemon-reload` on the host, which package updates run, rewrites
the device rules of containers that were started through systemd, and those rules do not know the GPU.

## What to do
Create the container anew: it works until the next daemon-reload. For good, hand the GPU over as a CDI device, which
systemd knows of, or give the device files their /dev/char links, or let Docker use the cgroupfs driver.

## References
- https://github.com/NVIDIA/nvidia-container-toolkit/issues/1227
- https://github.com/NVIDIA/nvidia-docker/issues/1730
- https://github.com/NVIDIA/nvidia-docker/issues/1671
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Ask, Family, Rule
from cudacheck.probes.host.device_nodes import DeviceNode
from cudacheck.probes.host.nvml import Nvml
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.rules import _driver, _machine


def check(nvml: Nvml, nodes: tuple[DeviceNode, ...] | None, system: System | None, facts: Facts) -> Iterator[Finding]:
    if _driver.computes(facts):
        return
    refused = _machine.refused_nodes(nodes or (), "EPERM") if _machine.in_container(system) else []
    seen = [Evidence(f"{node.path} ({node.mode}): EPERM", "open()") for node in refused]
    if nvml.init_code == 999:
        seen.append(Evidence(f"nvmlInit 999: {nvml.init_error or 'Unknown Error'}", nvml.found_in))
    if not seen:
        return
    message = "the driver refuses to answer: NVML says Unknown Error"
    if _machine.in_container(system):
        message = "this container lost its access to the GPU: the kernel refuses the device files"
    yield Finding(message, tuple(seen), _remedies(system))


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    if _driver.answers(facts):
        return
    message = "the container lost its access to the GPU: NVML says Unknown Error"
    yield Finding(message, (), _remedies(facts.one(System)))


def _remedies(system: System | None) -> tuple[Remedy, ...]:
    if system is not None and system.container == "":
        return (remedies.reboot(),)
    generate = "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"
    return (
        Remedy("create the container anew: it works until the host's next systemctl daemon-reload"),
        Remedy(
            "for good: describe the GPUs on the host as CDI devices, and start with --device nvidia.com/gpu=all",
            (generate,),
            needs_root=True,
        ),
    )


DOCKER = System(os="linux", container="docker", wsl=0, jetson=False)


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.CONTAINER,
    fix_by=FixBy.CONTAINER,
    joins=(Family.NO_DRIVER,),
    explained_by=(
        "gpu-lost",
        "gpu-init-failed",
        "driver-library-mismatch",
    ),
    check=check,
    heard=heard,
    messages=(r"(?i)failed to initialize nvml:? unknown error|\bnvml initiali[sz]\w+ failed:? unknow",),
    asks=(Ask(Nvml, "`Failed to initialize NVML: Unknown Error`", "Failed to initialize NVML: Unknown Error"),),
    fires={
        "after systemctl daemon-reload on the host": (
            DOCKER,
            Nvml(library_found=True, init_code=999, init_error="Unknown Error"),
            DeviceNode("/dev/nvidiactl", exists=True, open_error="EPERM", mode="crw-rw-rw-"),
        ),
        "somebody says it from memory": (ErrorMessage("nvidia-smi: 'NVML initialize failed: Unknow'", "ticket.txt"),),
        "nvidia-smi says so": (ErrorMessage("Failed to initialize NVML: Unknown Error", "ticket.txt"),),
        "another program says so": (ErrorMessage("failed to initialize nvml unknown error", "ticket.txt"),),
    },
    quiet={
        "a container with its GPU": (
            DOCKER,
            Nvml(library_found=True, init_code=0, gpu_count=1),
            DeviceNode("/dev/nvidiactl", exists=True, open_error="", mode="crw-rw-rw-"),
        ),
        "the file's mode refuses: device-permission": (
            DOCKER,
            Nvml(library_found=True, init_code=4),
            DeviceNode("/dev/nvidiactl", exists=True, open_error="EACCES", mode="crw-------"),
        ),
        "another GPU of the host, which this container was not given": (
            DOCKER,
            Nvml(library_found=True, init_code=0, gpu_count=1),
            DeviceNode("/dev/nvidiactl", exists=True, open_error=""),
        ),
    },
)
