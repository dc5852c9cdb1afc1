"""The GPUs that have to fulfil a requirement: those that PyTorch sees, where it sees any, else those of the driver."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from cudacheck import knowledge
from cudacheck.model.facts import Facts
from cudacheck.model.rule import Family
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.requirements._requirement import AbsentError, Seen, UnknownError

EXPLAINED_BY = (Family.NO_DRIVER, "gpus-hidden", Family.NO_CUDA)


@dataclasses.dataclass(frozen=True)
class OneGpu:
    """What NVML and PyTorch know of one GPU; None where neither tells."""

    label: str
    """`GPU 1 (NVIDIA A10)`"""
    name: str | None
    compute_capability: str | None
    memory_total_bytes: int | None
    memory_used_bytes: int | None
    found_in: str


def all_of(facts: Facts) -> list[OneGpu]:
    """Raises AbsentError where there is none, UnknownError where not every one of them is known."""
    listed, devices = facts.all(Gpu), facts.all(TorchDevice)
    if devices:
        by_uuid = {gpu.uuid: gpu for gpu in listed if gpu.uuid}
        return [_of_device(device, by_uuid.get(device.uuid or "")) for device in devices]
    if lost := next((gpu for gpu in listed if gpu.error), None):
        raise UnknownError(f"NVML cannot tell of GPU {lost.index}: {lost.error}")
    if listed and not facts.is_complete(Gpu):
        raise UnknownError("the list of GPUs may not be whole")
    if listed:
        return [_of_gpu(gpu) for gpu in listed]
    if not facts.is_complete(Gpu):
        raise UnknownError(Gpu)
    raise AbsentError("no NVIDIA GPU answers")


def each(facts: Facts, what: Callable[[OneGpu], str | float | None], spoken: Callable[[OneGpu], str]) -> list[Seen]:
    """One property of every GPU."""
    return [_seen(gpu, what(gpu), spoken(gpu)) for gpu in all_of(facts)]


def _seen(gpu: OneGpu, value: str | float | None, spoken: str) -> Seen:
    if value is None:
        return Seen("", gpu.label, gpu.found_in, unsure="neither NVML nor PyTorch tells")
    return Seen(value, spoken, gpu.found_in)


def _of_device(device: TorchDevice, gpu: Gpu | None) -> OneGpu:
    return OneGpu(
        f"GPU {device.index} ({device.name})",
        device.name,
        device.compute_capability or (gpu.compute_capability if gpu else None),
        (gpu.memory_total_bytes if gpu else None) or device.memory_total_bytes,
        gpu.memory_used_bytes if gpu else None,
        "torch.cuda",
    )


def _of_gpu(gpu: Gpu) -> OneGpu:
    return OneGpu(
        f"GPU {gpu.index}" + (f" ({gpu.name})" if gpu.name else ""),
        gpu.name,
        gpu.compute_capability or knowledge.capability_of(gpu.name or ""),
        gpu.memory_total_bytes,
        gpu.memory_used_bytes,
        gpu.found_in,
    )


def gigabytes(count: float) -> str:
    return f"{count / 1e9:.1f} GB"


def names(found: Sequence[OneGpu]) -> str:
    return ", ".join(gpu.label for gpu in found)
