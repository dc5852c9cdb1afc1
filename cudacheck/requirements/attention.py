"""Which kernel PyTorch chooses for attention on every GPU."""

from __future__ import annotations

from collections.abc import Sequence

from cudacheck.model.facts import Facts
from cudacheck.model.findings import FixBy, Remedy
from cudacheck.probes.patient.attention_backends import AttentionBackend
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.requirements import _comparing, _remedies, _speed
from cudacheck.requirements._requirement import Requirement, Seen, UnknownError, Wanted


def look(facts: Facts) -> Sequence[Seen]:
    """By its choice for a causal prefill in float16; it may choose otherwise for other shapes."""
    devices = facts.all(TorchDevice)
    told = {one.device_index: one for one in facts.all(AttentionBackend) if one.case.startswith("prefill")}
    if not devices or not told:
        raise UnknownError(AttentionBackend)
    return [_seen(device, told.get(device.index)) for device in devices]


def _seen(device: TorchDevice, told: AttentionBackend | None) -> Seen:
    label = f"GPU {device.index} ({device.name})"
    if told is None or told.chosen is None:
        return Seen("", label, "torch.nn.attention", unsure="PyTorch does not tell what it would choose")
    return Seen(told.chosen, f"{label}: PyTorch chooses {told.chosen} for {told.case}", "torch.nn.attention")


def switch(facts: Facts, wanted: Wanted) -> tuple[Remedy, ...]:
    title = f"`torch.nn.attention.sdpa_kernel` chooses what is tried; see what keeps PyTorch from {wanted.spec}"
    return _remedies.advice(facts, title)


REQUIREMENT = Requirement(
    compare=_comparing.one_of("flash", "efficient", "cudnn", "math"),
    look=look,
    fix_by=FixBy.PROGRAM,
    remedies=switch,
    title="the kernel that PyTorch chooses for a causal prefill in float16: flash, cudnn, efficient or math",
    example="attention=flash",
    explained_by=_speed.EXPLAINED_BY,
)
