"""Chooses the official flash-attn wheel for the installed PyTorch, or says why there is none."""

from __future__ import annotations

from cudacheck import knowledge
from cudacheck.model.facts import Facts
from cudacheck.probes.host.system import System
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.remedies import torch_choice


def wheel(facts: Facts) -> tuple[str | None, str]:
    """The official wheel for this environment, or why there is none."""
    build, interpreter, system = facts.one(TorchBuild), facts.one(Interpreter), facts.one(System)
    machine = torch_choice.machine_of(facts)
    too_old = [cc for cc in machine.capabilities if not knowledge.flash_attn_supports(cc)]
    if too_old:
        return None, f"flash-attn has no kernels for compute capability {too_old[0]}"
    if build is None or build.cuda is None or interpreter is None:
        return None, "which flash-attn wheel fits is not known"
    row = knowledge.build_of(build.version, knowledge.tag_of_cuda(build.cuda), machine.machine, machine.os)
    abi = build.cxx11_abi if build.cxx11_abi is not None or row is None else row.cxx11_abi
    found = None
    if machine.os == "linux":
        blackwell = any(knowledge.as_version(capability) >= (10,) for capability in machine.capabilities)
        found = knowledge.flash_attn_wheel(
            build.version, build.cuda, interpreter.version, abi, machine.machine, blackwell=blackwell
        )
    if found is None:
        return None, f"there is no official flash-attn wheel for PyTorch {build.version} and Python {machine.python}"
    needed = knowledge.flash_attn_wheel_glibc()
    if system and system.glibc and knowledge.as_version(system.glibc) < knowledge.as_version(needed):
        return None, f"the official flash-attn wheels need glibc {needed}, this is {system.glibc}"
    return found, ""
