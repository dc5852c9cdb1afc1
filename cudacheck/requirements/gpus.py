"""How many GPUs PyTorch sees; where it was not asked, how many CUDA or the driver does."""

from __future__ import annotations

from collections.abc import Sequence

from cudacheck.model.facts import Facts
from cudacheck.model.findings import FixBy
from cudacheck.model.rule import Family
from cudacheck.probes.chosen import Patient
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.patient.torch_cuda import TorchCuda, TorchDevice
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.requirements import _comparing, _gpus, _remedies
from cudacheck.requirements._requirement import Requirement, Seen, UnknownError


def look(facts: Facts) -> Sequence[Seen]:
    torch, cuda, nvml = facts.one(TorchCuda), facts.one(LibCuda), facts.one(Nvml)
    if torch:
        count = (torch.device_count or len(facts.all(TorchDevice))) if torch.available else 0
        return [Seen(count, f"PyTorch sees {_spoken(count)}{_beside(nvml, count)}", torch.found_in)]
    if facts.one(TorchBuild) and facts.one(Patient):
        raise UnknownError(TorchCuda)
    if cuda:
        count = (cuda.device_count or 0) if cuda.init_code == 0 else 0
        return [Seen(count, f"CUDA sees {_spoken(count)}{_beside(nvml, count)}", cuda.path or "libcuda")]
    if facts.one(Patient):
        raise UnknownError(LibCuda)
    if nvml and nvml.gpu_count is not None:
        return [Seen(nvml.gpu_count, f"NVML lists {_spoken(nvml.gpu_count)}", nvml.found_in)]
    if facts.is_complete(Gpu):
        count = sum(not gpu.error for gpu in facts.all(Gpu))
        return [Seen(count, f"{_spoken(count)} listed", "NVML")]
    raise UnknownError("nothing tells how many GPUs there are")


def _spoken(count: int) -> str:
    return f"{count or 'no'} GPU{'s' * (count > 1)}"


def _beside(nvml: Nvml | None, count: int) -> str:
    listed = nvml.gpu_count if nvml else None
    return f", NVML lists {listed}" if listed and listed != count else ""


REQUIREMENT = Requirement(
    compare=_comparing.counts,
    look=look,
    fix_by=FixBy.NODE,
    remedies=_remedies.other_machine,
    title="how many GPUs PyTorch sees; where it was not asked, CUDA or the driver",
    example="gpus>=1",
    explained_by=(*_gpus.EXPLAINED_BY, Family.NO_CUDA_BUILD),
    alike=_comparing.same,
)
