"""The Slurm job was given no GPU.

## What it does
Looks at Slurm's variables where a job finds no GPU: a job that was given some has SLURM_JOB_GPUS, SLURM_STEP_GPUS or
CUDA_VISIBLE_DEVICES. In a paste it reads `CUDA_VISIBLE_DEVICES=NoDevFiles`, which Slurm set until version 20, and what
`scontrol show job` says was allocated.

## Why it matters
Slurm keeps the devices of a node from jobs that did not ask for them. The driver then counts no GPUs, on a machine
that has some.

## What to do
Ask for a GPU when the job is started: `--gres=gpu:1`, or `--gpus=1`, for `sbatch`, `srun` and `salloc` alike; a step
inside an allocation takes part in its GPUs only where it is started with `srun`.

## References
- https://slurm.schedmd.com/gres.html
- https://slurm.schedmd.com/cgroup.conf.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import knowledge
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Ask, Family, Rule
from cudacheck.probes.host.device_nodes import DeviceNode
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.nvml import Nvml
from cudacheck.probes.host.pci import PciBus, PciGpu
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.rules import _driver

NONE_THERE = r"No devices were found|[Nn]o CUDA-capable device|No CUDA GPUs are available|Found no NVIDIA driver"


def check(environment: EnvironmentVariables, facts: Facts) -> Iterator[Finding]:
    if sign := _driver.slurm_without_gpu(facts):
        yield _finding(Evidence(sign, environment.found_in), *_driver.silence_evidence(facts))


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    if (row := knowledge.message_of(match)) is not None:
        names = Remedy("see what the cluster calls its GPUs, and ask for one of those", ("sinfo -o '%N %G'",))
        yield Finding(f"the job was refused its GPU: {row.means}", (), (names,))
        return
    torch = facts.one(TorchCuda)
    none_there = any(re.search(NONE_THERE, message.text) for message in facts.all(ErrorMessage))
    if not _driver.answers(facts) and (none_there or (torch is not None and not torch.available)):
        yield _finding()


def _finding(*told: Evidence) -> Finding:
    return Finding(
        "this Slurm job was given no GPU",
        told,
        (Remedy("start the job with a GPU: add --gres=gpu:1 to sbatch, srun or salloc"),),
    )


JOB = EnvironmentVariables({"SLURM_JOB_ID": "4242"})
NONE = Nvml(library_found=True, init_code=0, gpu_count=0)
TRES = ErrorMessage("   AllocTRES=cpu=4,mem=16G,node=1,billing=4", "paste")


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.CONTAINER,
    fix_by=FixBy.PROGRAM,
    joins=(Family.NO_DRIVER,),
    check=check,
    heard=heard,
    messages=(r"\b(?:Alloc)?TRES=(?=\S{0,200}\bnode=\d)(?!\S{0,200}gres/gpu)\S{1,200}",),
    asks=(
        Ask(
            EnvironmentVariables,
            "`CUDA_VISIBLE_DEVICES=NoDevFiles`: a job of Slurm's without a GPU",
            "CUDA_VISIBLE_DEVICES=NoDevFiles",
        ),
    ),
    fires={
        "Slurm knows no such GPUs": (
            ErrorMessage(
                "srun: error: Unable to allocate resources: Invalid generic resource (gres) specification", "paste"
            ),
        ),
        "NVML counts none, and Slurm names none": (JOB, NONE),
        "the devices are there, and closed to the job": (
            JOB,
            DeviceNode("/dev/nvidia0", exists=True, open_error="EPERM"),
            Nvml(library_found=True, init_code=0, gpu_count=0),
        ),
        "an older Slurm, in a paste": (
            EnvironmentVariables({"CUDA_VISIBLE_DEVICES": "NoDevFiles"}, complete=False),
            TorchCuda(available=False),
        ),
        "what scontrol says was allocated": (TRES, ErrorMessage("No devices were found", "paste")),
    },
    quiet={
        "a job with a GPU": (EnvironmentVariables({"SLURM_JOB_ID": "4242", "SLURM_JOB_GPUS": "0"}), NONE),
        "a node without a GPU": (JOB, PciBus(readable=True), Nvml(library_found=False, init_code=12)),
        "no job": (EnvironmentVariables({}), NONE),
        "a job whose GPU answers": (JOB, Nvml(library_found=True, init_code=0, gpu_count=1)),
        "a paste that names the job alone": (EnvironmentVariables({"SLURM_JOB_ID": "4242"}, complete=False), NONE),
        "a GPU that is open to the job, and does not start": (
            JOB,
            NONE,
            DeviceNode("/dev/nvidia0", exists=True),
        ),
        "a node whose driver is missing": (
            JOB,
            PciBus(readable=True),
            PciGpu("0000:01:00.0", "0x2684", driver=""),
            Nvml(library_found=False, init_code=12),
        ),
        "a driver that does not fit": (JOB, Nvml(library_found=True, init_code=18)),
        "an allocation, and nothing is amiss": (TRES,),
    },
)
