"""What a PyTorch built for a newer CUDA would bring this GPU: often nothing.

## What it does
On a machine where kernels run, says what a newer CUDA tag would change for the GPUs in it. It speaks up in two cases:
where the build is so old that people are told to upgrade (CUDA before 12.6) and the GPU gains no kernels from it; and
where a Blackwell GPU runs on PTX alone, which a newer build replaces by real code.

## Why it matters
CUDA 12.8 added code for Blackwell (10.0 and 12.0), no other. An A10, RTX 4090 or H100 runs the same kernels under
cu121 and cu128; what changes with it are the versions of cuBLAS and cuDNN that come along.

## What to do
Nothing, unless a measurement shows a difference. With PTX alone, the first start compiles for minutes, and the kernels
are not tuned for the GPU: install the build with code for it.

## References
- https://github.com/pytorch/pytorch/blob/main/RELEASE.md
- https://docs.nvidia.com/cuda/blackwell-compatibility-guide/
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck import knowledge
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.torch_cuda import TorchCuda, TorchDevice
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _kernels, _torch

OLD = (12, 6)


def check(
    build: TorchBuild,
    torch: TorchCuda | None,
    devices: tuple[TorchDevice, ...],
    runs: tuple[KernelRun, ...],
    facts: Facts,
) -> Iterator[Finding]:
    archs = _kernels.architectures(build, torch, None)
    if not archs or not build.cuda:
        return
    code = [arch for arch in archs if arch.startswith("sm_")]
    for gpu in _torch.seen_gpus(None, devices, runs):
        if not gpu.ran or gpu.capability is None:
            continue
        evidence = (Evidence(gpu.label, gpu.found_in), _kernels.archs_evidence(build, archs))
        if knowledge.covers(code, gpu.capability):
            if not _torch.below(gpu.capability, "8.0") and _torch.numbers(build.cuda) < OLD:
                message = f"a PyTorch for a newer CUDA has no kernels for {gpu.label} that {_torch.spoken(build)} lacks"
                yield Finding(message, evidence)
        elif knowledge.covers(archs, gpu.capability):
            message = f"{gpu.label} runs code that is compiled at first use: {_torch.spoken(build)} has only PTX for it"
            yield Finding(message, evidence, _torch.right_build(facts, "install a PyTorch with code for this GPU"))


BEFORE_BLACKWELL = ("sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90")


RULE = Rule(
    severity=Severity.NOTE,
    layer=Layer.ADVICE,
    fix_by=FixBy.ENVIRONMENT,
    check=check,
    fires={
        "RTX 4090 on cu121: nothing to gain": (
            TorchBuild("2.4.1+cu121", cuda="12.1", arch_list=BEFORE_BLACKWELL),
            TorchDevice(0, "NVIDIA GeForce RTX 4090", compute_capability="8.9"),
            KernelRun(0, "addition", ok=True),
        ),
        "RTX 5090 on PTX alone": (
            TorchBuild("2.6.0", cuda="12.6", arch_list=(*BEFORE_BLACKWELL, "compute_90")),
            TorchDevice(0, "NVIDIA GeForce RTX 5090", compute_capability="12.0"),
            KernelRun(0, "addition", ok=True),
        ),
    },
    quiet={
        "H200 on cu130": (
            TorchBuild("2.11.0+cu130", cuda="13.0", arch_list=("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120")),
            TorchDevice(0, "NVIDIA H200", compute_capability="9.0"),
            KernelRun(0, "addition", ok=True),
        ),
        "no kernel ran": (
            TorchBuild("2.4.1+cu121", cuda="12.1", arch_list=BEFORE_BLACKWELL),
            TorchDevice(0, "NVIDIA GeForce RTX 5090", compute_capability="12.0"),
            KernelRun(0, "addition", ok=False, error="no kernel image is available"),
        ),
        "RTX 4090 on CUDA 12.6, which is new enough": (
            TorchBuild("2.6.0+cu126", cuda="12.6", arch_list=BEFORE_BLACKWELL),
            TorchDevice(0, "NVIDIA GeForce RTX 4090", compute_capability="8.9"),
            KernelRun(0, "addition", ok=True),
        ),
        "RTX 4090 on CUDA 12.8": (
            TorchBuild("2.8.0+cu128", cuda="12.8", arch_list=BEFORE_BLACKWELL),
            TorchDevice(0, "NVIDIA GeForce RTX 4090", compute_capability="8.9"),
            KernelRun(0, "addition", ok=True),
        ),
        "a GPU whose capability nobody told": (
            TorchBuild("2.4.1+cu121", cuda="12.1", arch_list=BEFORE_BLACKWELL),
            TorchDevice(0, "a GPU"),
            KernelRun(0, "addition", ok=True),
        ),
        "a build whose CUDA nobody told": (
            TorchBuild("2.4.1", arch_list=BEFORE_BLACKWELL),
            TorchDevice(0, "NVIDIA GeForce RTX 4090", compute_capability="8.9"),
            KernelRun(0, "addition", ok=True),
        ),
        "a build whose kernels nobody told": (
            TorchBuild("2.4.1a0+git", cuda="12.1"),
            TorchDevice(0, "NVIDIA GeForce RTX 4090", compute_capability="8.9"),
            KernelRun(0, "addition", ok=True),
        ),
    },
)
