"""Builds remedies: commands for the installer that the inspected environment really uses."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence

from cudacheck import knowledge
from cudacheck.knowledge import Build
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Remedy
from cudacheck.probes.host.system import System
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.remedies import driver_upgrade, flash_attn_choice, installers, torch_choice
from cudacheck.remedies.installers import Installation
from cudacheck.remedies.torch_choice import Choice, Machine

FAMILY = ("torch", "torchvision", "torchaudio")


def torch_build(facts: Facts, *, keep_version: bool = False) -> tuple[Remedy, ...]:
    """The PyTorch that works on all GPUs of this machine, with its driver, Python and glibc; verified rows only.

    Prefers the installed release with another tag, unless none works; then the newest release. `keep_version`: never
    another release. A remedy without commands where no verified row fits. Where the driver is all that is in the way
    of the installed PyTorch, the second remedy upgrades it.
    """
    machine, installed = torch_choice.machine_of(facts), facts.one(TorchBuild)
    if machine.jetson and torch_choice.JETSON_WITH_STOCK_BUILDS not in machine.capabilities:
        title = "install PyTorch from NVIDIA's index for this JetPack: before Thor, other builds do not run on a Jetson"
        return (Remedy(title, verify=verify(facts)),)
    if installed and knowledge.is_newer_than_known(installed.version):
        return (_beyond_knowledge(facts, installed),)
    choice = torch_choice.choose(machine, installed, keep_version=keep_version)
    if choice is not None:
        return (_install_torch(facts, choice, machine), *_driver_instead(facts, machine, installed))
    any_driver = dataclasses.replace(machine, driver=None)
    newer = torch_choice.choose(any_driver, installed, keep_version=keep_version)
    minimum = newer and knowledge.minimum_driver(newer.build.cuda, machine.driver_os)
    if minimum and machine.driver:
        return (upgrade_driver(facts, minimum),)
    what = f"build of PyTorch {installed.version}" if keep_version and installed else "PyTorch build"
    if not machine.capabilities:
        title = f"find out which GPU this is: no {what} is known that serves every GPU, for {_described(machine)}"
        return (Remedy(title, verify=verify(facts)),)
    return (Remedy(f"no published {what} is known for {_described(machine)}", verify=verify(facts)),)


def cpu_build(facts: Facts) -> Remedy:
    """The PyTorch for a machine without a GPU."""
    machine = torch_choice.machine_of(facts)
    choice = torch_choice.choose_cpu(machine) if machine.os in ("linux", "windows") else None
    if choice is None:
        return Remedy("install the CPU build of PyTorch, as its own page says for this platform", verify=verify(facts))
    title = f"where the CPU is enough, install PyTorch {choice.release.version} built without CUDA"
    kept = _with_family(facts, choice, machine)
    title += _unasked(kept, choice)
    return install(facts, kept.specs, title=title, index_tag="cpu", uninstall=_installed_family(facts, kept))


def _beyond_knowledge(facts: Facts, installed: TorchBuild) -> Remedy:
    known = f"{knowledge.releases()[-1].version}, as of {knowledge.as_of()}"
    title = (
        f"choose a build on https://pytorch.org/get-started/locally: torch {installed.version} is newer than all that "
        f"cudacheck knows ({known})"
    )
    return Remedy(title, verify=verify(facts))


def install(
    facts: Facts,
    specs: Sequence[str],
    *,
    title: str,
    index_tag: str | None = None,
    uninstall: Sequence[str] = (),
    force: bool = False,
    no_deps: bool = False,
    no_build_isolation: bool = False,
) -> Remedy:
    """Install these requirements in the inspected environment, from PyTorch's index when `index_tag` names one."""
    plan = Installation(tuple(specs), index_tag, tuple(uninstall), force, no_deps, no_build_isolation)
    return _remedy(title, plan, facts)


def reinstall_torch(facts: Facts) -> Remedy:
    """The same PyTorch again, files put back."""
    build, title = facts.one(TorchBuild), "reinstall the same PyTorch"
    version = knowledge.release_of(build.version) if build else None
    if build is None or version is None or build.cuda is None:
        return Remedy(f"{title}, from where it came", verify=verify(facts))
    tag = knowledge.tag_of_cuda(build.cuda)
    if knowledge.exists(version, tag) is not True:
        return Remedy(f"{title} ({build.version}), from where it came", verify=verify(facts))
    row = knowledge.build_of(version, tag)
    index_tag = tag if row is None or row.index else None
    return install(facts, [f"torch=={version}"], title=title, index_tag=index_tag, force=True, no_deps=True)


def reinstall_wheels(facts: Facts, specs: Sequence[str]) -> Remedy:
    """These wheels again (`nvidia-cudnn-cu13==9.24.0.43`), files put back, nothing else touched."""
    return install(facts, specs, title=f"reinstall {', '.join(specs)}", force=True, no_deps=True)


def uninstall(facts: Facts, names: Sequence[str]) -> Remedy:
    """Remove these distributions from the inspected environment."""
    return install(facts, (), title=f"remove {', '.join(names)}", uninstall=names)


def upgrade_driver(facts: Facts, minimum: str) -> Remedy:
    """Upgrade the NVIDIA driver to this version or newer, where it lives: host, Windows side of WSL, distribution."""
    return driver_upgrade.upgrade_driver(facts, minimum)


def reboot() -> Remedy:
    """Restart the machine."""
    return Remedy("restart the machine", ("sudo reboot",), needs_root=True, needs_reboot=True, verify="nvidia-smi")


def set_variable(facts: Facts, name: str, value: str) -> Remedy:
    """Set an environment variable for this shell."""
    env = installers.environment(facts)
    quoted = installers.quoted(value, env)
    if ":" in value and quoted == value and not env.windows:
        quoted = (
            f"'{value}'"  # folders: once redacted they hold marks that a shell would read, and the line is the same
        )
    command = f'set "{name}={quoted.strip(chr(34))}"' if env.windows else f"export {name}={quoted}"
    return Remedy(f"set {name} for this shell, and where it is started from", (command,), verify=verify(facts))


def unset_variable(facts: Facts, name: str) -> Remedy:
    """Take an environment variable away from this shell."""
    command = f'set "{name}="' if installers.environment(facts).windows else f"unset {name}"
    return Remedy(f"unset {name} in this shell, and where it is set", (command,), verify=verify(facts))


def flash_attn(facts: Facts) -> tuple[Remedy, ...]:
    """flash-attn for the installed PyTorch: an official wheel where there is one, else the advice to stay with SDPA."""
    wheel, why_not = flash_attn_choice.wheel(facts)
    if wheel is None:
        return (_stay_with_sdpa(facts, why_not),)
    installed = {dist.name for dist in facts.all(Distribution)}
    title = f"install the official flash-attn {wheel.split('/')[-2].lstrip('v')} wheel for this PyTorch"
    gone = ["flash-attn"] if "flash-attn" in installed else []
    return (install(facts, [wheel], title=title, uninstall=gone),)


def verify(facts: Facts, python: str | None = None) -> str:
    """The command that shows whether a remedy worked: cudacheck's own where it runs, PyTorch's elsewhere."""
    env = installers.environment(facts)
    target, system = python or env.python, facts.one(System)
    if system and system.os != "linux":
        interpreter = installers.quoted(target, env) if target else "python"
        return f"{interpreter} -c \"import torch; print(torch.ones(1, device='cuda'))\""
    return f"cudacheck doctor --python {installers.quoted(target, env)}" if target else "cudacheck doctor"


def _remedy(title: str, plan: Installation, facts: Facts) -> Remedy:
    env = installers.environment(facts)
    spelled = installers.spell(plan, env)
    whole = f"{title} {spelled.where}" if spelled.where else title
    return Remedy(whole, spelled.commands, edit=spelled.edit, verify=verify(facts, spelled.python))


def _install_torch(facts: Facts, choice: Choice, machine: Machine) -> Remedy:
    build, missing = choice.build, set(machine.companions) - set(choice.companions)
    title = f"install PyTorch {choice.release.version} built for CUDA {build.cuda}"
    if missing:
        title += f" (there is no {' and no '.join(sorted(missing))} for it)"
    if needs := ", ".join(_needs(build, machine)):
        title += f" ({needs})"
    kept = _with_family(facts, choice, machine)
    title += _unasked(kept, choice) + _left_behind(facts, choice)
    return _remedy(title, torch_installation(facts, kept), facts)


def torch_installation(facts: Facts, choice: Choice) -> Installation:
    """Put this build in the place of the PyTorch that is there."""
    return Installation(
        choice.specs,
        index_tag=choice.build.tag if choice.build.index else None,
        uninstall=(*_installed_family(facts, choice), *_wheels_of_other_major(facts, choice.build.cuda)),
    )


def _needs(build: Build, machine: Machine) -> Iterator[str]:
    """What the build asks of a driver or a GPU that nobody told of."""
    span = [f"{arch[3:-1]}.{arch[-1]}" for arch in (build.archs[0], build.archs[-1])]
    if not machine.capabilities:
        yield f"for GPUs of compute capability {' to '.join(dict.fromkeys(span))}"
    if machine.driver is None and not machine.jetson:
        oldest, first = (
            torch_choice.oldest_driver(build.cuda, machine),
            knowledge.first_driver(span[-1], machine.driver_os),
        )
        yield f"driver {oldest} or newer"
        if not machine.capabilities and first and not knowledge.driver_at_least(oldest, first):
            yield f"{first} for the newest of them"


BUILT_FOR_ONE_TORCH = re.compile(
    r"(flash-?attn|flash-attention|flashinfer|transformer-engine).*"
    r"|xformers|vllm|sglang|sgl-kernel|torchtext|torchcodec|torchao|torch-(scatter|sparse|cluster|spline-conv)"
)
"""What is compiled against PyTorch's C++ interface, which changes with its minor release, or pins one release."""


def _left_behind(facts: Facts, choice: Choice) -> str:
    """What becomes of the installed packages that were built for the PyTorch which goes: nothing comes with it."""
    build = facts.one(TorchBuild)
    minor = choice.release.version.rpartition(".")[0]
    same_minor = build is not None and re.match(re.escape(minor) + r"(?!\d)", build.version)
    if same_minor and build and build.cuda and build.cuda.partition(".")[0] == choice.build.cuda.partition(".")[0]:
        return ""
    names = sorted({dist.name for dist in facts.all(Distribution) if BUILT_FOR_ONE_TORCH.fullmatch(dist.name)})
    if not names:
        return ""
    those = f"{' and '.join(names)}, which {'were' if len(names) > 1 else 'was'} built for another PyTorch"
    return f"; afterwards reinstall or remove {those}"


def _with_family(facts: Facts, choice: Choice, machine: Machine) -> Choice:
    """Where nobody told which packages are there, with the partners that belong to it: those that are there must go."""
    if facts.is_complete(Distribution) or facts.one(TorchBuild) is None:
        return choice
    whole = (torch_choice.with_companions(choice, wanted, machine) for wanted in (FAMILY[1:], FAMILY[1:2]))
    return max((choice, *filter(None, whole)), key=lambda each: len(each.companions))


def _unasked(kept: Choice, choice: Choice) -> str:
    names = [name for name in kept.companions if name not in choice.companions]
    return f", with its {' and '.join(names)}: whether those are installed is not known" if names else ""


def _installed_family(facts: Facts, choice: Choice) -> tuple[str, ...]:
    """Uninstalled first: the same public version with another tag counts as satisfied already.

    What may be there, and is not installed again, stays.
    """
    names = {dist.name for dist in facts.all(Distribution)}
    there = names if facts.is_complete(Distribution) or facts.one(TorchBuild) is None else {*names, "torch"}
    return tuple(name for name in FAMILY if name in there or (name in choice.companions and there))


def _wheels_of_other_major(facts: Facts, cuda: str) -> tuple[str, ...]:
    """NVIDIA's wheels of another CUDA major: they claim the same files, and take them along when they are removed."""
    major = cuda.partition(".")[0]
    found = {dist.name: _cuda_major_of_wheel(dist) for dist in facts.all(Distribution)}
    return tuple(sorted(name for name, of_wheel in found.items() if of_wheel not in (None, major)))


# The parts of the CUDA toolkit that are wheels without a suffix from CUDA 13 on (Requires-Dist of cuda-toolkit 13).
_TOOLKIT_PARTS = re.compile(
    r"nvidia-(cublas|cuda-(cupti|nvrtc|runtime)|cufft|cufile|curand|cusolver|cusparse|nvjitlink|nvtx)$|cuda-toolkit$"
)


def _cuda_major_of_wheel(dist: Distribution) -> str | None:
    if match := re.match(r"nvidia-.+-cu(\d+)$", dist.name):
        return match[1]
    return dist.version.partition(".")[0] if _TOOLKIT_PARTS.match(dist.name) else None


def _driver_instead(facts: Facts, machine: Machine, installed: TorchBuild | None) -> tuple[Remedy, ...]:
    """The driver upgrade, where the installed PyTorch needs nothing else."""
    if installed is None or installed.cuda is None or machine.driver is None:
        return ()
    minimum = knowledge.minimum_driver(installed.cuda, machine.driver_os)
    if minimum is None or knowledge.driver_at_least(machine.driver, minimum):
        return ()
    archs = installed.arch_list or knowledge.archs_of(installed.version, installed.cuda, machine.machine, machine.os)
    if archs and not all(knowledge.covers(archs, capability) for capability in machine.capabilities):
        return ()
    return (upgrade_driver(facts, minimum),)


def _described(machine: Machine) -> str:
    parts = [f"{machine.os} {machine.machine}"]
    if machine.capabilities:
        parts.append(f"compute capability {' and '.join(machine.capabilities)}")
    parts += [f"Python {machine.python}"] if machine.python else []
    parts += [f"glibc {machine.glibc}"] if machine.glibc else []
    return ", ".join(parts)


def _stay_with_sdpa(facts: Facts, why: str) -> Remedy:
    title = f'use PyTorch\'s own attention, attn_implementation="sdpa": {why}'
    edit = 'model = AutoModelForCausalLM.from_pretrained(name, attn_implementation="sdpa")'
    return Remedy(title, edit=edit, verify=verify(facts))
