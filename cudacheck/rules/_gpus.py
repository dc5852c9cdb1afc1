"""What CUDA_VISIBLE_DEVICES leaves over, as CUDA and PyTorch read it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from cudacheck.model.facts import Facts
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.rules import _machine

VARIABLE = "CUDA_VISIBLE_DEVICES"


@dataclasses.dataclass(frozen=True)
class Selection:
    """The entries that name a GPU; the list ends at the first that names none."""

    chosen: tuple[str, ...]
    stopped_at: str | None = None
    """The entry that ended the list; None where none did."""


def select(value: str, gpus: Sequence[Gpu], count: int | None) -> Selection:
    """Read the variable's value as CUDA does; what cannot be looked up (a UUID in a paste) counts as there.

    torch.cuda._parse_visible_devices is the model: an index is what strtoul reads, and a repetition empties the list.
    """
    chosen: list[str] = []
    for entry in value.split(","):
        token = entry.strip()
        if not _names_a_gpu(token, gpus, count):
            return Selection(tuple(chosen), token)
        if token in chosen:
            return Selection((), token)
        chosen.append(token)
    return Selection(tuple(chosen))


def _names_a_gpu(token: str, gpus: Sequence[Gpu], count: int | None) -> bool:
    if token.startswith("MIG-"):
        return _among(token, [uuid for gpu in gpus for uuid in gpu.mig_instances or ()])
    if token.startswith("GPU-"):
        return _among(token, [gpu.uuid for gpu in gpus if gpu.uuid])
    digits = re.match(r"\+?(\d{1,9})", token)
    if not digits:
        return False
    # with MIG on, indices count instances, in an order that NVML does not tell
    return count is None or any(gpu.mig_enabled for gpu in gpus) or int(digits[1]) < count


def _among(token: str, uuids: Sequence[str]) -> bool:
    """Whether this is the start of a UUID; true where no UUIDs are known, and for MIG's old form with slashes."""
    known = [uuid.lower() for uuid in uuids if re.match(r"(GPU|MIG)-[0-9a-fA-F]{8}-", uuid)]
    return not known or "/" in token or any(uuid.startswith(token.lower()) for uuid in known)


def how_many(facts: Facts) -> int | None:
    """The number of GPUs that the driver has, whatever the variable hides; None where nobody told."""
    nvml = facts.one(Nvml)
    if nvml is not None and nvml.gpu_count is not None:
        return nvml.gpu_count
    return len(facts.all(Gpu)) or None


def hides_all(facts: Facts) -> bool | None:
    """Whether the variable surely hides every GPU; None where it is not known to be set."""
    value = _machine.variable(facts, VARIABLE)
    return None if value is None else not select(value, facts.all(Gpu), how_many(facts)).chosen
