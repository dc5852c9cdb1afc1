"""Puts together what several pastes say of the same thing: one driver, one fact for each GPU, one PyTorch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from cudacheck.model.facts import Facts
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.kernel_module import KernelModule
from cudacheck.probes.host.nvml import Gpu, GpuProcess, Nvml
from cudacheck.probes.host.pci import PciBus
from cudacheck.probes.host.system import System
from cudacheck.probes.host.toolkits import CudaToolkit
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.probes.patient.torch_import import TorchImport
from cudacheck.sources import _gpu_names, _torch_builds, cuda_init, installs, nvidia_smi_query
from cudacheck.sources._whole import Whole

MAX_OF_A_TYPE = 500
"""No machine has more GPUs, processes or packages that matter."""

T = TypeVar("T")


def merged(found: Iterable[object]) -> Facts:
    """One bag of what all parsers yielded, in the order in which they are to be believed."""
    by_type: dict[type, list[Any]] = {}
    for fact in found:
        kept = by_type.setdefault(type(fact), [])
        if len(kept) < MAX_OF_A_TYPE:
            kept.append(fact)
    whole = {mark.fact_type for mark in by_type.pop(Whole, [])}
    by_type.get(TorchCuda, []).sort(key=lambda fact: fact.found_in != cuda_init.FOUND_IN)  # it was asked for since
    for fact_type in (System, Interpreter, Nvml, TorchCuda, KernelModule):
        if fact_type in by_type:
            by_type[fact_type] = [_one(by_type[fact_type])]
    if EnvironmentVariables in by_type:
        by_type[EnvironmentVariables] = [_variables(by_type[EnvironmentVariables])]
    by_type[Gpu] = _with_part(by_type.get(Gpu, []))
    by_type[Distribution] = _distributions(by_type.get(Distribution, []))
    by_type[CudaToolkit] = list({fact.version: fact for fact in reversed(by_type.get(CudaToolkit, []))}.values())
    _torch(by_type, whole)
    if System not in by_type:
        by_type.pop(PciBus, None)  # under WSL no GPU is on it, and nobody said that this is none
    if _processes_hidden(by_type):
        whole.discard(GpuProcess)
    return Facts((fact for facts in by_type.values() for fact in facts), complete=whole)


def _one(facts: Sequence[T]) -> T:
    """The first, its unknown fields filled in from the others."""
    first = facts[0]
    for other in facts[1:]:
        first = _filled(first, other)
    return first


def _filled(first: T, other: T) -> T:
    fields = [field.name for field in dataclasses.fields(first)]  # type: ignore[arg-type]
    unknown = [name for name in fields if getattr(first, name) is None and getattr(other, name) is not None]
    return dataclasses.replace(first, **{name: getattr(other, name) for name in unknown})  # type: ignore[type-var]


def _variables(facts: Sequence[EnvironmentVariables]) -> EnvironmentVariables:
    values = {name: value for fact in reversed(facts) for name, value in fact.values.items()}
    return dataclasses.replace(facts[0], values=values)


def _gpus(facts: Sequence[Gpu]) -> list[Gpu]:
    """One for each GPU. What has a name alone is a twin of one of that name from another source, whatever its number:
    PyTorch and nvidia-smi count in orders of their own.
    """
    kept: list[Gpu] = []
    paired: set[tuple[str, int]] = set()
    for gpu in facts:
        twin = next((number for number, other in enumerate(kept) if _same(gpu, other)), None)
        if twin is None and gpu.name and not (gpu.uuid or gpu.pci_address):
            elsewhere = (n for n, other in enumerate(kept) if other.found_in != gpu.found_in)
            free = (n for n in elsewhere if (gpu.found_in, n) not in paired)
            twin = next((n for n in free if _gpu_names.agree(gpu.name, kept[n].name)), None)
        if twin is not None:
            paired.add((gpu.found_in, twin))
        if twin is None:
            kept.append(gpu)
        else:
            name = max((kept[twin].name, gpu.name), key=_name_detail)
            kept[twin] = dataclasses.replace(_filled(kept[twin], gpu), name=name)
    return kept


def _with_part(gpus: Sequence[Gpu]) -> list[Gpu]:
    """What is said of a GPU whose heading is cut off is of the only one, else of nobody knows which."""
    parts = [gpu for gpu in gpus if gpu.found_in == nvidia_smi_query.PART]
    named = _gpus([gpu for gpu in gpus if gpu not in parts])
    return [_one([*named, *parts])] if parts and len(named) < 2 else named


def _same(one: Gpu, other: Gpu) -> bool:
    for mine, theirs in ((one.uuid, other.uuid), (one.pci_address, other.pci_address)):
        if mine and theirs:
            return mine == theirs
    return one.index == other.index and _gpu_names.agree(one.name, other.name)


def _name_detail(name: str | None) -> tuple[bool, int]:
    return not (name or "...").endswith("..."), len(name or "")


def _distributions(facts: Sequence[Distribution]) -> list[Distribution]:
    """One for each name, version and installer; a list that leaves the installer out adds nothing to one that tells."""
    kept: list[Distribution] = []
    for fact in facts:
        twin = next((number for number, other in enumerate(kept) if _same_package(fact, other)), None)
        if twin is None:
            kept.append(fact)
        else:
            kept[twin] = _filled(kept[twin], fact)
    return kept


def _same_package(one: Distribution, other: Distribution) -> bool:
    if (one.name, one.version) != (other.name, other.version):
        return False
    return one.installer == other.installer or None in {one.installer, other.installer}


def _torch(by_type: dict[type, list[Any]], whole: set[type]) -> None:
    """Decide on one PyTorch: collect_env's own words, else the package lists."""
    listed = [d for d in by_type.get(Distribution, []) if d.name in {"torch", "pytorch"}]
    failed = by_type.pop(TorchImport, [])
    told = by_type.pop(TorchBuild, [])
    asked = {build for build in told if build.found_in == installs.COMMAND}
    builds = [build for build in told if build not in asked]
    if not builds and not listed and len(asked) == 1 and not failed:
        builds = [*asked]
    system = next(iter(by_type.get(System, [])), None)
    if builds:
        build = _with_list(_one_build(builds), listed)
    elif listed:
        build = _of_list(listed)
    else:
        # collect_env says N/A, or a whole list lacks it, and nothing else tells of a PyTorch
        if not by_type.get(TorchCuda) and not by_type.get(ErrorMessage) and (failed or Distribution in whole):
            whole.add(TorchBuild)
        return
    if not build.cuda_known:
        build = _torch_builds.published(build, by_type.get(Distribution, []), Distribution in whole, system)
    by_type[TorchBuild] = [build]
    if failed and not builds:
        by_type[TorchImport] = failed[:1]


def _one_build(builds: Sequence[TorchBuild]) -> TorchBuild:
    """The first, with what others say of the same build: they leave out the version, or the CUDA."""
    build = builds[0]
    for other in builds[1:]:
        if build.version and other.version and _public(build.version) != _public(other.version):
            continue
        if build.cuda_known and other.cuda_known and (build.cuda, build.hip) != (other.cuda, other.hip):
            continue
        known = build if build.cuda_known else other
        version = build.version or other.version
        build = dataclasses.replace(
            _filled(build, other), version=version, cuda=known.cuda, hip=known.hip, cuda_known=known.cuda_known
        )
    return build


def _public(version: str) -> str:
    return version.partition("+")[0]


def _with_list(build: TorchBuild, listed: Sequence[Distribution]) -> TorchBuild:
    """collect_env's build, completed by what a list says of the same version."""
    same = [d for d in listed if not build.version or _public(d.version) == _public(build.version)]
    if not same:
        return build
    other = _of_list(same)
    if not build.version:
        build = dataclasses.replace(build, version=other.version)
    if not build.cuda_known and other.cuda_known:
        build = dataclasses.replace(build, cuda=other.cuda, hip=other.hip, cuda_known=True)
    return dataclasses.replace(build, conda_build=build.conda_build or other.conda_build)


def _of_list(listed: Sequence[Distribution]) -> TorchBuild:
    """Of conda's record first: its build string says more than the version that pip shows of the same package."""
    best = min(listed, key=lambda d: (d.installer != "conda", d.name != "torch"))
    if best.installer == "conda":
        return _torch_builds.of_conda(best.version, best.build or "", "conda list")
    return _torch_builds.named(best.version, "pip list")


def _processes_hidden(by_type: dict[type, list[Any]]) -> bool:
    """Under WSL and WDDM nvidia-smi cannot see who uses the GPU: an empty list proves nothing there."""
    systems, gpus = by_type.get(System, []), by_type.get(Gpu, [])
    return any(s.wsl or s.os == "windows" for s in systems) or any(g.driver_model == "WDDM" for g in gpus)
