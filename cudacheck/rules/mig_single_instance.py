"""MIG divides the GPU, and one process can use only one of its instances.

## What it does
Notes that MIG is on and how many instances there are.

## Why it matters
CUDA enumerates one MIG instance per process. `torch.cuda.device_count()` is 1 however many there are, with the memory
and the cores of that instance alone: data parallelism over instances needs a process each.

## What to do
Start one process per instance, each with `CUDA_VISIBLE_DEVICES=MIG-…` (the UUIDs are in `nvidia-smi -L`), or switch
MIG off to use the whole GPU.

## References
- https://github.com/pytorch/pytorch/issues/102715
- https://github.com/pytorch/pytorch/issues/130181
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.host.nvml import Gpu
from cudacheck.rules import _machine


def check(_one: Gpu, gpus: tuple[Gpu, ...] | None) -> Iterator[Finding]:
    divided = [gpu for gpu in gpus or () if gpu.mig_enabled and len(gpu.mig_instances or ()) > 1]
    if divided:
        count = sum(len(gpu.mig_instances or ()) for gpu in divided)
        yield Finding(
            f"MIG divides {_machine.names_of(divided)} into {count} instances, and one process uses only one of them",
            evidence=tuple(
                Evidence(f"{_machine.gpu_label(gpu)}: {len(gpu.mig_instances or ())} MIG instances", gpu.found_in)
                for gpu in divided
            ),
            remedies=(Remedy("see their UUIDs, for CUDA_VISIBLE_DEVICES of one process each", ("nvidia-smi -L",)),),
            sources=("https://github.com/pytorch/pytorch/issues/102715",),
        )


UUIDS = ("MIG-feee0c61-26ec-5616-bb59-b6d777cc4f34", "MIG-0f5a3bd1-5b1a-5a25-8b3f-3b6d3f5a1c11")


RULE = Rule(
    severity=Severity.NOTE,
    layer=Layer.ADVICE,
    fix_by=FixBy.NODE,
    check=check,
    fires={"two instances": (Gpu(0, "NVIDIA A100-SXM4-40GB", mig_enabled=True, mig_instances=UUIDS),)},
    quiet={
        "one instance, as in a container": (Gpu(0, "NVIDIA A100", mig_enabled=True, mig_instances=UUIDS[:1]),),
        "MIG off": (Gpu(0, "NVIDIA A100", mig_enabled=False),),
    },
)
