"""Chooses the PyTorch build that works on all that a machine has: its GPUs, driver, Python and glibc."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal

from cudacheck import knowledge
from cudacheck.knowledge import Build, Release, as_version
from cudacheck.model.facts import Facts
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.system import System
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.probes.patient.torch_files import TorchBuild

# https://pytorch.org/get-started/previous-versions installs with --index-url from this release on.
FIRST_RELEASE = "2.0.0"

JETSON_WITH_STOCK_BUILDS = "11.0"
"""Thor, with JetPack 7: OpenRAL/openral#167, and 11.0 in PyTorch's RELEASE.md."""

NEWEST = ("10.0", "12.0")
"""The GPUs that most builds leave out, B200 and RTX 50: where nobody has seen the GPU, it may be one of them."""

MACHINES = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64"}


@dataclasses.dataclass(frozen=True)
class Machine:
    """What a build must suit; None is unknown and rules nothing out."""

    capabilities: tuple[str, ...] = ()
    driver: str | None = None
    driver_os: str = "linux"
    """Whose driver it is: under WSL the one of Windows."""
    os: str = "linux"
    machine: str = "x86_64"
    python: str | None = None
    glibc: str | None = None
    companions: tuple[str, ...] = ()
    """torchvision and torchaudio, where installed."""
    jetson: bool = False
    """Its drivers are numbered apart within a branch, and only from Thor (11.0) on does it run the stock builds."""


@dataclasses.dataclass(frozen=True)
class Choice:
    """One build of one release, with its partners."""

    release: Release
    build: Build
    companions: tuple[str, ...] = ()

    @property
    def specs(self) -> tuple[str, ...]:
        partners = self.release.companions
        versions = {"torchvision": partners and partners.torchvision, "torchaudio": partners and partners.torchaudio}
        return (f"torch=={self.release.version}", *(f"{name}=={versions[name]}" for name in self.companions))


@dataclasses.dataclass(frozen=True)
class Obstacle:
    """Why a build cannot be taken."""

    by: Literal["gpu", "driver", "python", "glibc", "requirement", "partner"]
    """What is in the way; the last two are a plan's."""
    reason: str
    source: str = ""


def machine_of(facts: Facts) -> Machine:
    """The machine and the environment, as far as the facts tell."""
    interpreter, system, nvml = facts.one(Interpreter), facts.one(System), facts.one(Nvml)
    os = (interpreter and interpreter.os) or (system and system.os) or "linux"
    machine = ((interpreter and interpreter.machine) or (system and system.machine) or "x86_64").lower()
    under_windows = os == "windows" or bool(system and system.wsl)
    names = {dist.name for dist in facts.all(Distribution)}
    seen = capabilities(facts)
    jetson = bool(system and system.jetson) or JETSON_WITH_STOCK_BUILDS in seen
    return Machine(
        capabilities=seen,
        driver=_driver(nvml, jetson=jetson),
        driver_os="windows" if under_windows else "linux",
        os=os,
        machine=MACHINES.get(machine, machine),
        python=".".join(interpreter.version.split(".")[:2]) if interpreter else None,
        glibc=system.glibc if system and os == "linux" else None,
        companions=tuple(name for name in ("torchvision", "torchaudio") if name in names),
        jetson=jetson,
    )


def _driver(nvml: Nvml | None, *, jetson: bool) -> str | None:
    """Of a Jetson's driver, the branch alone: `580.00` → `580`."""
    version = nvml.driver_version if nvml else None
    return version.partition(".")[0] if version and jetson else version


def capabilities(facts: Facts) -> tuple[str, ...]:
    """The compute capabilities of all GPUs that are known of, lowest first."""
    told = [gpu.compute_capability or knowledge.capability_of(gpu.name or "") for gpu in facts.all(Gpu)]
    told += [device.compute_capability for device in facts.all(TorchDevice)]
    return tuple(sorted({cc for cc in told if cc and re.fullmatch(r"\d+\.\d", cc)}, key=as_version))


def choose(
    machine: Machine,
    installed: TorchBuild | None,
    *,
    keep_version: bool = False,
    pool: Sequence[Choice] | None = None,
) -> Choice | None:
    """The best build: the installed one where it suits, else its release with another tag, else the newest release.

    `pool`: the builds to choose among, else all that PyTorch's and the default index hold for this kind of machine.
    """
    same = knowledge.release_of(installed.version) if installed else None
    tag = knowledge.tag_of_cuda(installed.cuda) if installed and installed.cuda else None
    fitting = candidates(machine, same, only=keep_version, pool=pool)
    return max(fitting, key=lambda choice: _rank(choice, machine, same, tag), default=None)


def candidates(
    machine: Machine, same: str | None = None, *, only: bool = False, pool: Sequence[Choice] | None = None
) -> list[Choice]:
    """Every verified build that suits this machine, with as many of the wanted companions as some build has.

    `same`: the installed release, alone where any of its builds suits. `only`: no other release.
    """
    known = published(machine.machine, machine.os) if pool is None else pool
    fitting = [c for c in known if next(obstacles(c, machine), None) is None]
    kept = [c for c in fitting if c.release.version == same]
    left = kept if kept or only else [c for c in fitting if _serves_unseen(c.build, machine)]
    for wanted in (machine.companions, machine.companions[:1], ()):
        whole = [c for c in (with_companions(c, wanted, machine) for c in left) if c]
        if whole:
            return whole
    return []


@lru_cache
def published(machine: str, os: str) -> tuple[Choice, ...]:
    """Every verified build of a verified release for a kind of machine."""
    pairs = itertools.product(knowledge.releases(), knowledge.builds(machine, os))
    return tuple(
        Choice(release, build)
        for release, build in pairs
        if build.torch in (release.version, release.version.rpartition(".")[0])
        and as_version(release.version) >= as_version(FIRST_RELEASE)
        and release.verified
        and build.verified
        and build.archs
    )


def obstacles(choice: Choice, machine: Machine) -> Iterator[Obstacle]:
    """What keeps this build from running on that machine: nothing where it suits."""
    build = choice.build
    for capability in machine.capabilities:
        if not knowledge.covers(build.archs, capability):
            yield Obstacle("gpu", f"it has no kernels for compute capability {capability}", build.source)
    if machine.driver is not None:
        yield from _driver_obstacles(build, machine, machine.driver)
    yield from _wheel_obstacles(choice, machine)


def _driver_obstacles(build: Build, machine: Machine, driver: str) -> Iterator[Obstacle]:
    minimum, major = knowledge.minimum_driver(build.cuda, machine.driver_os), build.cuda.partition(".")[0]
    if minimum is None:
        yield Obstacle("driver", f"which driver CUDA {build.cuda} needs is not known")
    elif not knowledge.driver_at_least(driver, minimum):
        source = knowledge.minimum_driver_source(build.cuda)
        yield Obstacle("driver", f"CUDA {major} needs driver {minimum}, this is {driver}", source)
    for capability in machine.capabilities:
        first = knowledge.first_driver(capability, machine.driver_os)
        if first is not None and not _knows(machine, capability):
            yield Obstacle("driver", f"compute capability {capability} begins with driver {first}, this is {driver}")


def _knows(machine: Machine, capability: str) -> bool:
    """Whether the driver is of a branch that can know this GPU; unknown counts as yes."""
    first = knowledge.first_driver(capability, machine.driver_os)
    return first is None or machine.driver is None or knowledge.driver_at_least(machine.driver, first.split(".")[0])


def oldest_driver(cuda: str, machine: Machine) -> str:
    """What a build with this CUDA asks for, or the first driver of the GPUs where that is newer."""
    needs = [knowledge.minimum_driver(cuda, machine.driver_os)]
    needs += [knowledge.first_driver(capability, machine.driver_os) for capability in machine.capabilities]
    return max((need for need in needs if need), key=knowledge.parse_driver)


def _wheel_obstacles(choice: Choice, machine: Machine) -> Iterator[Obstacle]:
    """Why its wheel does not install here."""
    pythons, glibc = choice.release.pythons, choice.build.glibc
    if machine.python is not None and machine.python not in pythons:
        has = f"it has wheels for Python {pythons[0]} to {pythons[-1]}, this is {machine.python}"
        yield Obstacle("python", has, choice.release.source)
    if machine.glibc and glibc and as_version(machine.glibc) < as_version(glibc):
        yield Obstacle("glibc", f"its wheel needs glibc {glibc}, this is {machine.glibc}", choice.build.source)


def _serves_unseen(build: Build, machine: Machine) -> bool:
    """Where nobody has seen the GPU: whether the build serves the newest ones, as far as this driver knows them."""
    return bool(machine.capabilities) or all(
        knowledge.covers(build.archs, capability) for capability in NEWEST if _knows(machine, capability)
    )


def choose_cpu(machine: Machine) -> Choice | None:
    """The newest CPU build of PyTorch's index for this Python; None where none is known."""
    linux = [c for c in published("x86_64", "linux") if knowledge.has_cpu_build(c.release)]
    # the CPU builds ask for a glibc as new as the strictest CUDA build of their release
    built = {c.release.version: c for c in sorted(linux, key=lambda c: as_version(c.build.glibc or "0"))}
    pool = [c for c in built.values() if next(_wheel_obstacles(c, machine), None) is None]
    for wanted in (machine.companions, machine.companions[:1], ()):
        whole = [c for c in (with_companions(c, wanted, machine) for c in pool) if c]
        if whole:
            return max(whole, key=lambda c: as_version(c.release.version))
    return None


def installed_suits(facts: Facts) -> bool:
    """Whether the installed PyTorch is a CUDA build that nothing known about this machine rules out."""
    machine, installed = machine_of(facts), facts.one(TorchBuild)
    if installed is None or installed.cuda is None:
        return False
    archs = installed.arch_list or ()
    minimum = knowledge.minimum_driver(installed.cuda, machine.driver_os)
    return (not archs or all(knowledge.covers(archs, capability) for capability in machine.capabilities)) and (
        machine.driver is None or minimum is None or knowledge.driver_at_least(machine.driver, minimum)
    )


def with_companions(choice: Choice, wanted: tuple[str, ...], machine: Machine) -> Choice | None:
    """The same build with these partners; None where one of them has no wheel that belongs to it."""
    release, partners = choice.release, choice.release.companions
    lacking = {"torchvision": release.pythons_without_torchvision, "torchaudio": release.pythons_without_torchaudio}
    for name in wanted:
        version = getattr(partners, name) if partners else None
        if version is None or machine.python in lacking[name]:
            return None
        if name == "torchaudio" and not _has_torchaudio(version, choice):
            return None
    return dataclasses.replace(choice, companions=wanted)


def _has_torchaudio(version: str, choice: Choice) -> bool:
    """From 2.12 on torchaudio stays at 2.11.0, which was built for the tags of its own time."""
    same_minor = version.rpartition(".")[0] == choice.release.version.rpartition(".")[0]
    return same_minor or not choice.build.index or knowledge.exists(version, choice.build.tag) is True


def _rank(choice: Choice, machine: Machine, same: str | None, same_tag: str | None) -> tuple[object, ...]:
    build, release = choice.build, choice.release
    served = knowledge.driver_serves(machine.driver) if machine.driver else None
    return (
        release.version == same,
        release.version == same and build.tag == same_tag,
        _serves_unseen(build, machine),
        # Where the driver is unknown, nothing newer than what every driver since 525 (2022) runs.
        machine.driver is not None or as_version(build.cuda)[0] <= 12,
        not build.experimental,
        as_version(release.version),
        # Code that some libraries compile at run time (PTX) wants a driver of the same CUDA.
        served is None or as_version(build.cuda) <= as_version(served),
        build.tag == release.default,
        as_version(build.cuda),
    )
