"""A GPU has MIG switched on and no MIG instance, so CUDA cannot use it.

## What it does
Reads each GPU's MIG mode and its instances. Where other GPUs of the machine are in use by CUDA all the same, it is a
warning.

## Why it matters
In MIG mode a GPU is divided, and CUDA sees only the parts. Until some are made there is nothing to see:
`nvidia-smi` lists the GPU, and PyTorch says "No CUDA GPUs are available".

## What to do
Make instances (`nvidia-smi mig -lgip` lists the sizes, `-cgi … -C` makes them), or switch MIG off. Instances do not
survive a reboot.

## References
- https://docs.nvidia.com/datacenter/tesla/mig-user-guide/
- https://github.com/pytorch/pytorch/issues/130181
- https://github.com/XuehaiPan/nvitop/issues/5
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Ask, Family, Rule
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.messages import ErrorMessage
from cudacheck.rules import _driver, _machine


def check(_one: Gpu, gpus: tuple[Gpu, ...] | None, facts: Facts) -> Iterator[Finding]:
    bare = [gpu for gpu in gpus or () if gpu.mig_enabled and gpu.mig_instances == ()]
    works = _driver.computes(facts)
    if not bare or (works and len(bare) == len(gpus or ())):
        return
    seen = tuple(Evidence(f"{_machine.gpu_label(gpu)}: MIG on, 0 instances", gpu.found_in) for gpu in bare)
    severity = Severity.WARNING if works else None
    yield Finding(_message(bare), seen, _remedies(bare), severity=severity)


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    on = [gpu for gpu in facts.all(Gpu) if gpu.mig_enabled]
    if not _driver.computes(facts) and not any(gpu.mig_instances for gpu in on):
        yield Finding(_message(on), (), _remedies(on))


def _message(bare: list[Gpu]) -> str:
    if not bare:
        return "MIG is on and no MIG instance exists, so CUDA sees no GPU"
    verb = "has" if len(bare) == 1 else "have"
    return f"{_machine.names_of(bare)} {verb} MIG on and no MIG instance, so CUDA cannot use what is there"


def _remedies(bare: list[Gpu]) -> tuple[Remedy, ...]:
    which = f" -i {','.join(str(gpu.index) for gpu in bare)}" if bare else ""
    return (
        Remedy("switch MIG off", (f"sudo nvidia-smi{which} -mig 0",), needs_root=True, verify="nvidia-smi"),
        Remedy(
            "make instances: pick a profile id of the list, then sudo nvidia-smi mig -cgi ID -C",
            ("sudo nvidia-smi mig -lgip",),
            needs_root=True,
            verify="nvidia-smi -L",
        ),
    )


A100 = "NVIDIA A100-SXM4-40GB"


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.LIBCUDA,
    fix_by=FixBy.NODE,
    joins=(Family.NO_CUDA,),
    check=check,
    heard=heard,
    messages=(r"No MIG devices found",),
    asks=(
        Ask(
            Gpu,
            "`Enabled` under MIG M., and `No MIG devices found`",
            "|   0  NVIDIA A100-SXM4-80GB          On  |   00000000:07:00.0 Off |                   On |\n"
            "| N/A   31C    P0             62W /  400W |       1MiB /  81920MiB |     N/A      Default |\n"
            "|                                         |                        |              Enabled |\n"
            "|  No MIG devices found                                                                   |",
        ),
    ),
    fires={
        "MIG on, nothing made": (
            Nvml(library_found=True, init_code=0, gpu_count=1),
            Gpu(0, A100, mig_enabled=True, mig_instances=()),
            LibCuda(found=True, init_code=100),
        ),
        "one of four still works": (
            Gpu(0, A100, mig_enabled=False),
            Gpu(1, A100, mig_enabled=True, mig_instances=()),
            LibCuda(found=True, init_code=0, device_count=1),
        ),
        "nvidia-smi says so": (ErrorMessage("|  No MIG devices found                            |", "ticket.txt"),),
        "two boards, of which nvidia-smi tells": (
            Gpu(0, A100, mig_enabled=True),
            Gpu(1, A100, mig_enabled=True),
            Gpu(2, A100, mig_enabled=False),
            ErrorMessage("No MIG devices found", "ticket.txt"),
        ),
    },
    quiet={
        "instances are there": (
            Gpu(0, A100, mig_enabled=True, mig_instances=("MIG-feee0c61-26ec-5616-bb59-b6d777cc4f34",)),
            LibCuda(found=True, init_code=0, device_count=1),
        ),
        "MIG off": (Gpu(0, A100, mig_enabled=False),),
        "a board without MIG": (Gpu(0, "NVIDIA L4", mig_enabled=None),),
        "instances not told": (Gpu(0, A100, mig_enabled=True, mig_instances=None),),
        "nvidia-smi says so of another GPU, and CUDA works": (
            LibCuda(found=True, init_code=0, device_count=1),
            ErrorMessage("No MIG devices found", "ticket.txt"),
        ),
        "nvidia-smi says so, and the GPU has an instance": (
            Gpu(0, A100, mig_enabled=True, mig_instances=("MIG-feee0c61-26ec-5616-bb59-b6d777cc4f34",)),
            ErrorMessage("No MIG devices found", "ticket.txt"),
        ),
        "the only board is divided for nothing, and CUDA works all the same": (
            Gpu(0, A100, mig_enabled=True, mig_instances=()),
            LibCuda(found=True, init_code=0, device_count=1),
        ),
    },
)
