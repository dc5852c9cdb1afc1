"""The container was started without its GPU.

## What it does
Inside a container, looks for the driver's device files and libraries, which the NVIDIA container runtime puts there
when it is asked to, while the PCI bus or the kernel still shows the host's GPU. Hears what Docker and
`nvidia-container-cli` say when they cannot do so.

## Why it matters
A container shares the host's kernel, not its driver libraries. Without `--gpus` (or its equivalent) CUDA finds no
driver inside, however well the host works. Installing a driver in the image does not help.

## What to do
On the host: see that `nvidia-smi` works there, install nvidia-container-toolkit, register it with the engine, and
start the container with the GPU: `docker run --gpus all`, `podman run --device nvidia.com/gpu=all`,
`apptainer exec --nv`, or a `nvidia.com/gpu` limit in Kubernetes. `--gpus` knows no other keys than driver, count,
device, capabilities and options.

## References
- https://github.com/NVIDIA/nvidia-container-toolkit/issues/871
- https://github.com/NVIDIA/nvidia-docker/issues/1034
- https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import knowledge
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Ask, Family, Missing, Rule
from cudacheck.probes.host.device_nodes import DeviceNode
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.kernel_module import KernelModule
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.pci import PciBus, PciGpu
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ContainerStart, ErrorMessage
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _driver, _machine, _messages

_NO_LIBRARY = r"lib(?:nvidia-ml|cuda)\.so\.1: cannot open shared object file"


def check(system: System | None, nvml: Nvml | None, module: KernelModule | None, facts: Facts) -> Iterator[Finding]:
    start = _driver.started_without(facts)
    if start:
        passing = "a line" if "compose" in start.engine else "an option"
        told = Evidence(f"{start.engine} without {passing} that passes the GPU on", start.found_in)
        message = f"this {start.engine} container was started without its host's GPU"
        yield Finding(message, (told,), _remedies(start.engine))
        return
    if system is None:
        raise Missing(System)
    if _driver.owner(nvml, facts) != "container-without-gpu":
        return
    seen = [Evidence(f"a {system.container} container", system.container_sign or system.found_in)]
    if not _machine.passed_nodes(facts):
        seen.append(Evidence("no /dev/nvidiactl", "/dev"))
    if module is not None and module.loaded:
        seen.append(Evidence("the host's kernel module nvidia is loaded", module.found_in))
    asked = _machine.variable(facts, "NVIDIA_VISIBLE_DEVICES")
    if asked is not None:
        seen.append(Evidence(f"NVIDIA_VISIBLE_DEVICES={asked}", "environment"))
    yield Finding(
        f"this {system.container} container was started without its host's GPU",
        evidence=(*seen, *_driver.silence_evidence(facts)),
        remedies=_remedies(system.container or ""),
    )


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    text = _messages.printed(match)
    library = re.match(r"lib(nvidia-ml|cuda)", text)
    if library and _has_another_owner(library[1], facts):
        return
    if "nvidia-smi" in text:
        yield from _without_smi(match, facts)
        return
    message = "the container got no GPU: its engine cannot reach the NVIDIA driver of the host"
    if library or "NVIDIA Driver" in text:
        message = "no NVIDIA driver library is here, as in a container that was started without a GPU"
    if "unknown device" in text:
        named = "let NVIDIA_VISIBLE_DEVICES, or --gpus, name a GPU that the host has: `nvidia-smi -L` there lists them"
        yield Finding("the container got no GPU: it was promised one that the host does not have", (), (Remedy(named),))
    elif "'nvidia' is configured" in text:
        commands = ("sudo nvidia-ctk runtime configure --runtime=containerd", "sudo systemctl restart containerd")
        known = Remedy("once, on the node: let containerd use the NVIDIA runtime", commands, needs_root=True)
        yield Finding("the container got no GPU: containerd does not know the NVIDIA runtime", (), (known,))
    elif "CDI host device" in text or "stat nvidia.com" in text:
        yield from _without_cdi(match)
    elif "Hook directly" in text:
        asked = (
            "ask for it with --runtime=nvidia -e NVIDIA_VISIBLE_DEVICES=all instead of --gpus: its mode is not `legacy`"
        )
        yield Finding("the container got no GPU: its engine is set up for the NVIDIA runtime", (), (Remedy(asked),))
    elif "nvidia-container-cli, see" in text:
        needed = Remedy("install libnvidia-container-tools on the host, which enroot's hook calls", needs_root=True)
        yield Finding("the container got no GPU: nvidia-container-cli is not installed on the host", (), (needed,))
    else:
        unsure = _may_have_no_driver(text, facts) or (library and _may_be_no_container(facts))
        system, severity = facts.one(System), Severity.WARNING if unsure else None
        yield Finding(message, (), _remedies((system.container if system else None) or "docker"), severity=severity)


def _may_have_no_driver(text: str, facts: Facts) -> bool:
    """Whether the engine's hook fails at the driver's first library, and nothing tells of a driver on its host."""
    at_first = re.search(r"initialization error: (?:load library failed|driver (?:rpc )?error)", text)
    nvml, module = facts.one(Nvml), facts.one(KernelModule)
    told = (nvml is not None and nvml.driver_version) or (module is not None and module.loaded) or facts.all(Gpu)
    return at_first is not None and not told


def _may_be_no_container(facts: Facts) -> bool:
    """Whether all that tells of a container is a library that is missing."""
    system, said = facts.one(System), " ".join(message.text for message in facts.all(ErrorMessage))
    told = _machine.in_container(system) or facts.all(ContainerStart) or re.search("docker|container|podman", said)
    return not told and re.search(_NO_LIBRARY, said) is not None


def _leaves_it_open(facts: Facts) -> bool:
    return _may_be_no_container(facts) or any(_may_have_no_driver(m.text, facts) for m in facts.all(ErrorMessage))


def _without_cdi(match: re.Match[str]) -> Iterator[Finding]:
    """The engine goes by a description of the host's GPUs, which is older than they are, or which it cannot read."""
    if "CDI host device" in _messages.printed(match):
        generate = ("sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",)
        again = Remedy("describe the host's GPUs to the engine again", generate, needs_root=True)
        yield Finding("the container got no GPU: the description of the host's GPUs (CDI) is out of date", (), (again,))
    else:
        newer = Remedy("take podman 4.1 or newer: older ones do not know devices by name")
        yield Finding("the container got no GPU: its engine takes the device's name for a file", (), (newer,))


def _without_smi(match: re.Match[str], facts: Facts) -> Iterator[Finding]:
    """The engine puts nvidia-smi into a container that gets a GPU, unless other capabilities were asked for."""
    system = facts.one(System)
    row = knowledge.message_of(match)
    if _has_another_owner("nvidia-ml", facts) or not (
        row or (_machine.in_container(system) and _driver.is_needed(facts))
    ):
        return
    message = "the container was started without a GPU: its engine did not put nvidia-smi into it"
    usual = "podman" if row and row.program == "crun" else "docker"
    yield Finding(message, (), _remedies((system.container if system else None) or usual))


def _has_another_owner(library: str, facts: Facts) -> bool:
    """A machine that was looked at is judged by `check`; capabilities and nvidia-smi tell of the other fault."""
    nvml, system = facts.one(Nvml), facts.one(System)
    if facts.is_answered(PciBus) or _driver.answers(facts):
        return True
    if _machine.wsl(system) and not _machine.in_container(system):
        return True  # Windows gives the library: wsl-driver-broken
    if _machine.lacks_capability(facts, "utility" if library == "nvidia-ml" else "compute"):
        return True
    return library == "cuda" and nvml is not None and bool(nvml.driver_version)


def _remedies(container: str) -> tuple[Remedy, ...]:
    if container == "apptainer":
        return (Remedy("start it with the GPU: add --nv to apptainer run, exec or shell"),)
    if container == "kubernetes":
        return (Remedy("ask for the GPU: nvidia.com/gpu: 1 under resources.limits, with the device plugin running"),)
    if container == "podman":
        generate = "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"
        return (
            Remedy("start it with the GPU: add --device nvidia.com/gpu=all to podman run"),
            Remedy("once, on the host: describe its GPUs to podman", (generate,), needs_root=True),
        )
    if container == "lxc":
        return (
            Remedy("pass /dev/nvidia* to the container, and install the host's driver version in it, libraries only"),
        )
    first = Remedy("start it with the GPU: add --gpus all to docker run", verify=SMOKE)
    if container == "docker compose":
        first = Remedy(
            "give it to the service in compose.yaml (Compose 2.30 and newer)", edit="gpus: all", verify=SMOKE
        )
    configure = ("sudo nvidia-ctk runtime configure --runtime=docker", "sudo systemctl restart docker")
    return (
        first,
        Remedy(
            "once, on the host: install nvidia-container-toolkit, and let docker use it",
            configure,
            needs_root=True,
            verify=SMOKE,
        ),
    )


SMOKE = "docker run --rm --gpus all ubuntu nvidia-smi"
DOCKER = System(os="linux", container="docker", wsl=0, jetson=False, container_sign="/.dockerenv")
ABSENT = Nvml(library_found=False, init_code=12)
A10 = PciGpu("0000:00:1e.0", "0x2236", driver="nvidia")


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.CONTAINER,
    fix_by=FixBy.CONTAINER,
    joins=(Family.NO_DRIVER,),
    explained_by=(
        "no-gpu",
        "nouveau-loaded",
        "driver-not-loaded",
        "driver-library-mismatch",
    ),
    check=check,
    heard=heard,
    messages=(
        r"could not select device driver (?:\S*nvidia\S* with capabilities|\S* with capabilities: \[\[[^\]]*gpu)",
        r"nvidia-container-cli(?:\.real)?: initialization error: (?:load library failed|(?:driver (?:rpc )?|cuda )error)",
        r"nvidia-container-cli(?:\.real)?: (?:container|mount|ldcache) error",
        r"nvidia-container-(?:cli|toolkit|runtime(?:-hook)?)[\\\"']*: (?:executable file not found|no such file)",
        r"(?i)unknown or invalid runtime name: nvidia|unknown runtime specified nvidia",
        r"unresolvable CDI devices \S*nvidia\.com/gpu",
        r"The NVIDIA Driver was not detected\.\s+GPU functionality will not be available",
        _NO_LIBRARY,
        _driver.NO_SMI,
    ),
    ambiguous=_leaves_it_open,
    asks=(
        Ask(System, "`/.dockerenv`: it is a container", "Linux 6.8.0-45-generic x86_64\n/.dockerenv"),
        Ask(
            KernelModule,
            "a version, in a container",
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05  Tue Sep 23 10:11:16 UTC 2025",
        ),
    ),
    fires={
        "containerd does not know the runtime": (
            ErrorMessage('failed to get sandbox runtime: no runtime for "nvidia" is configured', "ticket.txt"),
        ),
        "a GPU that the host does not have": (
            ErrorMessage("nvidia-container-cli: device error: 7: unknown device: unknown", "ticket.txt"),
        ),
        "a description of GPUs that is out of date": (
            ErrorMessage(
                "Error: setting up CDI devices: failed to inject devices: failed to stat CDI host device "
                '"/dev/dri/renderD129": no such file or directory',
                "ticket.txt",
            ),
        ),
        "a podman that does not know devices by name": (
            ErrorMessage("Error: stat nvidia.com/gpu=0: no such file or directory", "ticket.txt"),
        ),
        "crun finds no nvidia-smi": (
            ErrorMessage(
                "Error: crun: executable file `nvidia-smi` not found in $PATH: No such file or directory: OCI runtime "
                "attempted to invoke a command that was not found",
                "ticket.txt",
            ),
        ),
        "an engine that finds no nvidia-smi": (
            ErrorMessage(
                "docker: Error response from daemon: failed to create task for container: failed to create shim task: OCI "
                'runtime create failed: runc create failed: unable to start container process: exec: "nvidia-smi": '
                "executable file not found in $PATH: unknown.",
                "ticket.txt",
            ),
        ),
        "no nvidia-smi in a container whose PyTorch finds nothing": (
            System(os="linux", container="docker"),
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            TorchCuda(available=False),
            ErrorMessage("bash: nvidia-smi: command not found", "ticket.txt"),
        ),
        "an engine that is set up for the NVIDIA runtime": (
            ErrorMessage(
                "docker: Error response from daemon: failed to create task: invoking the NVIDIA Container Runtime Hook directly "
                "(e.g. specifying the docker --gpus flag) is not supported. Please use the NVIDIA Container Runtime instead",
                "ticket.txt",
            ),
        ),
        "enroot without nvidia-container-cli": (
            ErrorMessage(
                "[ERROR] Command not found: nvidia-container-cli, see https://github.com/NVIDIA/libnvidia-container",
                "ticket.txt",
            ),
        ),
        "docker run without --gpus": (
            DOCKER,
            PciBus(readable=True),
            A10,
            DeviceNode("/dev/nvidiactl", exists=False),
            ABSENT,
            LibCuda(found=False),
            KernelModule(loaded=True, version="580.95.05"),
            EnvironmentVariables({"NVIDIA_VISIBLE_DEVICES": "all"}),
        ),
        "an image with cuda-compat in it": (
            DOCKER,
            PciBus(readable=True),
            A10,
            ABSENT,
            LibCuda(found=True, path="/usr/local/cuda-13.0/compat/libcuda.so.580.95.05", init_code=100),
        ),
        "an image with NVML in it, but no device files": (
            DOCKER,
            PciBus(readable=True),
            A10,
            DeviceNode("/dev/nvidiactl", exists=False),
            Nvml(library_found=True, init_code=9),
        ),
        "Docker has no NVIDIA runtime": (
            ErrorMessage(
                'docker: Error response from daemon: could not select device driver "" with capabilities: [[gpu]]',
                "ticket.txt",
            ),
        ),
        "singularity without --nv": (
            ContainerStart("apptainer", gpus=False),
            ErrorMessage("You requested GPUs: [0]\n But your machine only has: []", "ticket.txt"),
        ),
        "the container hook finds no driver": (
            ErrorMessage(
                "nvidia-container-cli: initialization error: load library failed: libnvidia-ml.so.1: cannot open shared "
                "object file: no such file or directory: unknown",
                "ticket.txt",
            ),
        ),
        "Compose asks for compute and utility only": (
            ErrorMessage(
                'could not select device driver "nvidia" with capabilities: [[compute utility]]',
                "ticket.txt",
            ),
        ),
        "an old toolkit on a host with cgroup v2": (
            ErrorMessage(
                "nvidia-container-cli: container error: cgroup subsystem devices not found: unknown.", "ticket.txt"
            ),
        ),
        "the toolkit was removed": (
            ErrorMessage('exec: \\"nvidia-container-runtime-hook\\": executable file not found in $PATH', "ticket.txt"),
        ),
        "no driver library, says a program": (
            ErrorMessage("OSError: libnvidia-ml.so.1: cannot open shared object file", "ticket.txt"),
        ),
        **{
            f"an engine's error, told beside {engine}": (
                System(os="linux", container=engine),
                ErrorMessage("unresolvable CDI devices nvidia.com/gpu=all", "ticket.txt"),
            )
            for engine in ("podman", "kubernetes", "apptainer", "lxc", "docker")
        },
        "no NVML for a program, though nvidia-smi's table was pasted from elsewhere": (
            Nvml(library_found=None, driver_version="580.95.05"),
            ErrorMessage("OSError: libnvidia-ml.so.1: cannot open shared object file", "ticket.txt"),
        ),
        "no libcuda for a program, and no table": (
            ErrorMessage("libcuda.so.1: cannot open shared object file", "ticket.txt"),
        ),
        "docker run without --gpus, and PyTorch finds none": (
            ContainerStart("docker", gpus=False),
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            TorchCuda(available=False),
        ),
        "a file of Compose without a GPU": (
            ContainerStart("docker compose", gpus=False),
            ErrorMessage("RuntimeError: Found no NVIDIA driver on your system.", "ticket.txt"),
        ),
        "no libcuda for a program in a container": (
            DOCKER,
            ErrorMessage("libcuda.so.1: cannot open shared object file", "ticket.txt"),
        ),
        "nobody asked the driver, and the host's module shows": (
            DOCKER,
            KernelModule(loaded=True, version="580.95.05"),
            TorchCuda(available=False),
        ),
        "the image's banner": (
            ErrorMessage(
                "WARNING: The NVIDIA Driver was not detected.  GPU functionality will not be available.", "ticket.txt"
            ),
        ),
    },
    quiet={
        "no nvidia-smi in a container whose PyTorch computes": (
            System(os="linux", container="docker"),
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            TorchCuda(available=True, device_count=1),
            ErrorMessage("bash: nvidia-smi: command not found", "ticket.txt"),
        ),
        "no nvidia-smi on a machine": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            TorchCuda(available=False),
            ErrorMessage("zsh: command not found: nvidia-smi", "ticket.txt"),
        ),
        "docker run without --gpus, and PyTorch computes": (
            ContainerStart("docker", gpus=False),
            TorchCuda(available=True),
        ),
        "docker run without --gpus, and a CPU build": (
            ContainerStart("docker", gpus=False),
            TorchBuild("2.8.0+cpu"),
            TorchCuda(available=False),
        ),
        "one of two containers has the GPU": (
            ContainerStart("docker", gpus=False),
            ContainerStart("docker", gpus=True),
            TorchCuda(available=False),
        ),
        "a container of which nothing else is known": (DOCKER, TorchCuda(available=False)),
        "a container with its GPU": (
            DOCKER,
            PciBus(readable=True),
            A10,
            Nvml(library_found=True, init_code=0, gpu_count=1),
        ),
        "gVisor: no device files shown, NVML answers": (
            System(os="linux", container="docker", sandbox="gvisor"),
            PciBus(readable=False),
            DeviceNode("/dev/nvidiactl", exists=False),
            Nvml(library_found=True, init_code=0, gpu_count=1),
        ),
        "another maker's GPU": (
            ErrorMessage('could not select device driver "amd" with capabilities: [[compute]]', "ticket.txt"),
        ),
        "a container on a machine without a GPU": (DOCKER, PciBus(readable=True), ABSENT),
        "no container": (System(os="linux", container="", wsl=0), PciBus(readable=True), A10, ABSENT),
        "only the capability is missing": (
            EnvironmentVariables({"NVIDIA_DRIVER_CAPABILITIES": "compute"}, complete=False),
            ErrorMessage("libnvidia-ml.so.1: cannot open shared object file", "ticket.txt"),
        ),
        "no libcuda for a program, beside nvidia-smi's table": (
            Nvml(library_found=None, driver_version="580.95.05"),
            ErrorMessage("libcuda.so.1: cannot open shared object file", "ticket.txt"),
        ),
        "no libcuda for a program, where the bus was looked at": (
            PciBus(readable=True),
            ErrorMessage("libcuda.so.1: cannot open shared object file", "ticket.txt"),
        ),
        "no NVML for a program, and the driver answers": (
            Nvml(library_found=True, init_code=0, gpu_count=1),
            ErrorMessage("OSError: libnvidia-ml.so.1: cannot open shared object file", "ticket.txt"),
        ),
        "only the capability to compute is missing": (
            EnvironmentVariables({"NVIDIA_DRIVER_CAPABILITIES": "utility"}, complete=False),
            ErrorMessage("libcuda.so.1: cannot open shared object file", "ticket.txt"),
        ),
    },
)
