"""The container's shared memory is too small for data loaders and NCCL.

## What it does
Reads the size of /dev/shm in a container, and hears a data loader worker that died of a bus error.

## Why it matters
PyTorch's data loader workers hand batches over in shared memory, and NCCL's processes talk through it. Containers get
64 MiB unless asked: with workers, training dies sooner or later with "Bus error".

## What to do
Start the container with `--ipc=host` or `--shm-size=8g`; in Compose `shm_size: 8gb`; in Kubernetes mount an emptyDir
with `medium: Memory` at /dev/shm. Without any of that, `num_workers=0` works.

## References
- https://docs.pytorch.org/docs/stable/multiprocessing.html
- https://github.com/pytorch/pytorch#docker-image
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage

ENOUGH = 1 << 30
FOLDER = "/dev/shm"  # noqa: S108 - its size is judged, nothing is written there


def check(system: System) -> Iterator[Finding]:
    if system.container and system.shm_bytes and system.shm_bytes < ENOUGH:
        size = f"{system.shm_bytes / (1 << 20):.0f} MiB"
        yield Finding(
            f"the container's shared memory is {size}: data loader workers and NCCL need more",
            evidence=(Evidence(f"{size} in a {system.container} container", FOLDER),),
            remedies=_remedies(system.container),
        )


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    system = facts.one(System)
    message = "the data loader's workers or NCCL ran out of shared memory"
    yield Finding(message, (), _remedies(system.container if system else None))


def _remedies(container: str | None) -> tuple[Remedy, ...]:
    if container == "kubernetes":
        return (Remedy("mount an emptyDir with medium: Memory at /dev/shm in the pod"),)
    if container == "apptainer":
        return (Remedy("enlarge /dev/shm on the host: the container uses the host's"),)
    engine = container if container in {"docker", "podman"} else "docker"
    return (Remedy(f"start the container with more: add --ipc=host or --shm-size=8g to {engine} run"),)


RULE = Rule(
    severity=Severity.WARNING,
    layer=Layer.RUN_TIME,
    fix_by=FixBy.CONTAINER,
    check=check,
    heard=heard,
    messages=(
        r"DataLoader worker \(pid[^\n]{0,60}\) is killed by signal: Bus error",
        r"workers are out of shared memory",
        r"insufficient shared memory \(shm\)",
        r"Error while creating shared memory segment /dev/shm/nccl",
    ),
    fires={
        "Docker's 64 MiB": (System(os="linux", container="docker", shm_bytes=64 << 20),),
        "PyTorch says so": (
            ErrorMessage(
                "RuntimeError: DataLoader worker (pid 4711) is killed by signal: Bus error. It is possible that "
                "dataloader's workers are out of shared memory.",
                "ticket.txt",
            ),
        ),
        **{
            f"64 MiB under {engine}": (System(os="linux", container=engine, shm_bytes=64 << 20),)
            for engine in ("podman", "kubernetes", "apptainer", "lxc")
        },
        "just under a GiB": (System(os="linux", container="docker", shm_bytes=(1 << 30) - 1),),
    },
    quiet={
        "--shm-size=8g": (System(os="linux", container="docker", shm_bytes=8 << 30),),
        "no container": (System(os="linux", container="", shm_bytes=512 << 20),),
        "size not told": (System(os="linux", container="docker", shm_bytes=None),),
        "a GiB": (System(os="linux", container="docker", shm_bytes=1 << 30),),
    },
)
