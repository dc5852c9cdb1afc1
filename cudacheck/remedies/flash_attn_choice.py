"""Chooses the official flash-attn wheel for the installed PyTorch, or says why there is none."""

from __future__ import annotations

from cudacheck import knowledge
from cudacheck.model.facts import Facts
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.remedies import torch_choice
from cudacheck.remedies.torch_choice import Machine

UNKNOWN = "which flash-attn wheel fits is not known"


def wheel(facts: Facts) -> tuple[str | None, str]:
    """The official wheel for this environment, or why there is none."""
    build, machine = facts.one(TorchBuild), torch_choice.machine_of(facts)
    if build is None or build.cuda is None:
        return None, _too_old(machine) or UNKNOWN
    return wheel_for(machine, build.version, build.cuda, build.cxx11_abi)


def wheel_for(machine: Machine, torch_version: str, cuda: str, cxx11_abi: bool | None = None) -> tuple[str | None, str]:
    """The official wheel for this PyTorch (`2.8.0`, `12.8`) on that machine, or why there is none."""
    if too_old := _too_old(machine):
        return None, too_old
    if machine.python is None:
        return None, UNKNOWN
    row = knowledge.build_of(torch_version, knowledge.tag_of_cuda(cuda), machine.machine, machine.os)
    abi = cxx11_abi if cxx11_abi is not None or row is None else row.cxx11_abi
    found = None
    if machine.os == "linux":
        blackwell = any(knowledge.as_version(capability) >= (10,) for capability in machine.capabilities)
        found = knowledge.flash_attn_wheel(
            torch_version, cuda, machine.python, abi, machine.machine, blackwell=blackwell
        )
    if found is None:
        return None, f"there is no official flash-attn wheel for PyTorch {torch_version} and Python {machine.python}"
    needed = knowledge.flash_attn_wheel_glibc()
    if machine.glibc and knowledge.as_version(machine.glibc) < knowledge.as_version(needed):
        return None, f"the official flash-attn wheels need glibc {needed}, this is {machine.glibc}"
    return found, ""


def _too_old(machine: Machine) -> str:
    old = [cc for cc in machine.capabilities if not knowledge.flash_attn_supports(cc)]
    return f"flash-attn has no kernels for compute capability {old[0]}" if old else ""
