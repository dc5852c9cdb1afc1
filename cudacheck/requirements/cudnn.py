"""The version of the cuDNN that PyTorch uses."""

from __future__ import annotations

from collections.abc import Sequence

from cudacheck.model.facts import Facts
from cudacheck.model.findings import FixBy, Remedy
from cudacheck.model.rule import Family
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.requirements import _comparing, _libraries, _remedies
from cudacheck.requirements._requirement import Requirement, Seen, Wanted


def look(facts: Facts) -> Sequence[Seen]:
    cuda = facts.one(TorchCuda)
    if cuda and cuda.cudnn_version:
        return [Seen(cuda.cudnn_version, f"PyTorch uses cuDNN {cuda.cudnn_version}", "torch.backends.cudnn")]
    return _libraries.of(facts, r"libcudnn\.so", r"nvidia-cudnn-cu\d+|cudnn", "cuDNN")


def with_torch(facts: Facts, wanted: Wanted) -> tuple[Remedy, ...]:
    return _remedies.advice(facts, f"install a PyTorch that brings {wanted.spec}: each build pins its cuDNN")


REQUIREMENT = Requirement(
    compare=_comparing.versions,
    look=look,
    fix_by=FixBy.ENVIRONMENT,
    remedies=with_torch,
    title="the version of the cuDNN that PyTorch uses",
    example="cudnn>=9",
    explained_by=("cudnn-missing", "torch-missing", Family.NO_CUDA_BUILD),
    alike=_comparing.same,
)
