"""The process may use so few of the machine's processors that the GPU waits for them.

## What it does
Compares the affinity mask (`taskset`, a batch system, a pinned container) and the control group's quota (`--cpus`, a
limit of Kubernetes) with the processors of the machine. It warns below two, and below one for each GPU that PyTorch
sees. A machine that has no more itself is no fault.

## Why it matters
One core must launch the kernels, feed the data, and serve the threads of driver and framework. With one core, or half of
one, launches are late and data loaders stand in line, and the GPU idles. Slurm gives a task one core unless asked.

## What to do
Ask for more: `--cpus-per-task=8` in Slurm, `--cpus` or `--cpuset-cpus` of `docker run`, `resources.limits.cpu` in
Kubernetes; start the program without `taskset`.

## References
- https://docs.kernel.org/admin-guide/cgroup-v2.html
- https://man7.org/linux/man-pages/man2/sched_setaffinity.2.html
- https://slurm.schedmd.com/sbatch.html
- https://docs.pytorch.org/tutorials/recipes/recipes/tuning_guide.html
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.host.limits import CpuShare
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.rules import _machine

LEAST = 2.0
ROOMY = 4
"""A machine with fewer processors was not narrowed by much."""


def check(share: CpuShare | None, devices: tuple[TorchDevice, ...] | None, facts: Facts) -> Iterator[Finding]:
    if share is None:
        return
    usable = min(float(share.allowed), share.quota or float(share.allowed))
    if not _machine.wants_cuda(facts) or not share.online or share.online < ROOMY or usable >= share.online:
        return
    wanted = max(LEAST, float(len(devices or ())))
    if usable >= wanted:
        return
    by_quota = share.quota is not None and share.quota < share.allowed
    seen = f"a quota of {share.quota:g}" if by_quota else f"an affinity mask of {share.allowed}"
    amount = f"{usable:g} of {share.online} processors"
    yield Finding(
        f"this process may use {amount}: the GPU will wait for {'it' if usable <= 1 else 'them'}",
        (Evidence(f"{seen}, {share.online} online", share.found_in if by_quota else "sched_getaffinity"),),
        (Remedy(QUOTA if by_quota else MASK),),
        fix_by=FixBy.CONTAINER if by_quota else None,
    )


QUOTA = "give the container or job more: --cpus of docker run, resources.limits.cpu in Kubernetes"
MASK = "start it with more: without taskset, with --cpus-per-task in Slurm, --cpuset-cpus of docker run"
H200 = Gpu(0, "NVIDIA H200")


RULE = Rule(
    severity=Severity.WARNING,
    layer=Layer.RUN_TIME,
    fix_by=FixBy.PROGRAM,
    check=check,
    fires={
        "one core of 16": (H200, CpuShare(allowed=1, online=16)),
        "half a core by quota": (H200, CpuShare(allowed=16, online=16, quota=0.5, found_in="/sys/fs/cgroup/cpu.max")),
        "four cores for eight GPUs": (
            CpuShare(allowed=4, online=128),
            *(TorchDevice(index, "NVIDIA H200") for index in range(8)),
            H200,
        ),
    },
    quiet={
        "all": (H200, CpuShare(allowed=16, online=16)),
        "eight of 128": (H200, CpuShare(allowed=8, online=128)),
        "a small machine": (H200, CpuShare(allowed=1, online=2)),
        "nobody knows how many there are": (H200, CpuShare(allowed=1)),
        "a machine without a GPU": (CpuShare(allowed=1, online=16),),
    },
)
