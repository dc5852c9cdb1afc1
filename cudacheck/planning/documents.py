"""The files that a plan is written into: each tool's own form, escaped by the library of its format."""

from __future__ import annotations

import dataclasses
import importlib
import json
from typing import Any

from packaging.requirements import Requirement

from cudacheck.model.extras import installing
from cudacheck.planning.answer import Chosen
from cudacheck.planning.target import Target
from cudacheck.planning.wanted import FLASH_ATTN, Wish
from cudacheck.remedies import installers

PROJECT = "planned"
CONDA_PLATFORMS = {
    ("linux", "x86_64"): "linux-64",
    ("linux", "aarch64"): "linux-aarch64",
    ("windows", "x86_64"): "win-64",
    ("windows", "aarch64"): "win-arm64",
}


class EmitError(ValueError):
    """A plan that this tool cannot say; the words say why, in one line."""


class MissingExtraError(ValueError):
    """A format whose library is not installed; the words name the line that installs it."""


@dataclasses.dataclass(frozen=True)
class Order:
    """What is to be installed, as requirements."""

    chosen: Chosen
    target: Target
    wanted: Wish

    @property
    def family(self) -> tuple[str, ...]:
        """PyTorch and its partners: `torch==2.14.1`."""
        partners = (("torchvision", self.chosen.torchvision), ("torchaudio", self.chosen.torchaudio))
        return (f"torch=={self.chosen.torch}", *(f"{name}=={version}" for name, version in partners if version))

    @property
    def others(self) -> tuple[str, ...]:
        """What else was asked for, as pip takes it."""
        flash_attn = (self.chosen.flash_attn,) if self.chosen.flash_attn else ()
        return (*flash_attn, *self.plain_others)

    @property
    def plain_others(self) -> tuple[str, ...]:
        """Without flash-attn, whose wheel is an address."""
        return tuple(self._spec(name, asked) for name, asked in self.wanted.others)

    def _spec(self, name: str, asked: Requirement) -> str:
        version = self.chosen.packages.get(name)
        extras = f"[{','.join(sorted(asked.extras))}]" if asked.extras else ""
        if asked.url:
            return f"{name}{extras} @ {asked.url}"
        return f"{name}{extras}=={version}" if version else f"{name}{extras}{asked.specifier}"

    @property
    def requirements(self) -> tuple[str, ...]:
        """All as PEP 508 has it."""
        flash_attn = (f"{FLASH_ATTN} @ {self.chosen.flash_attn}",) if self.chosen.flash_attn else ()
        return (*self.family, *flash_attn, *self.plain_others)

    @property
    def labelled(self) -> tuple[str, ...]:
        """The same, but that the wrong index has no such PyTorch: `torch==2.14.1+cu126`."""
        if not self.chosen.index:
            return self.requirements
        return (f"{self.family[0]}+{self.chosen.tag}", *self.requirements[1:])

    @property
    def pythons(self) -> str:
        """As requires-python has it."""
        if self.chosen.python:
            return f"=={self.chosen.python}.*"
        last = int(self.chosen.pythons[-1].partition(".")[2])
        return f">={self.chosen.pythons[0]},<3.{last + 1}"

    @property
    def marker(self) -> str:
        """The kind of machine that the plan is for."""
        machine = self.target.machine
        if machine.os == "windows":
            return "sys_platform == 'win32'"
        return f"sys_platform == 'linux' and platform_machine == '{machine.machine}'"

    @property
    def source(self) -> str:
        """A name for PyTorch's index."""
        return f"pytorch-{self.chosen.tag}"


def requirements(order: Order) -> str:
    """https://pip.pypa.io/en/stable/reference/requirements-file-format"""
    index = order.chosen.index
    if not index:
        return "\n".join(order.requirements) + "\n"
    if not order.others:
        return "\n".join([f"--index-url {index}", *order.requirements]) + "\n"
    return "\n".join([f"--extra-index-url {index}", *order.labelled]) + "\n"


def pyproject(order: Order) -> str:
    """PEP 621, which has no word for an index: the label of the version keeps other builds out."""
    tomlkit = _library("tomlkit")
    document = tomlkit.document()
    if order.chosen.index:
        document.add(tomlkit.comment(f"install with --extra-index-url {order.chosen.index}"))
    document["project"] = _project(order, order.labelled)
    return str(tomlkit.dumps(document))


def uv(order: Order) -> str:
    """https://docs.astral.sh/uv/guides/integration/pytorch: what `uv sync` and `uv run` keep to."""
    tomlkit = _library("tomlkit")
    chosen, document = order.chosen, tomlkit.document()
    flash_attn = (FLASH_ATTN,) if chosen.flash_attn else ()
    document["project"] = _project(order, (*order.family, *flash_attn, *order.plain_others))
    tool: dict[str, Any] = {"environments": [order.marker]}
    sources: dict[str, Any] = {}
    if chosen.index:
        names = [spec.partition("==")[0] for spec in order.family]
        sources |= {name: [{"index": order.source, "marker": order.marker}] for name in names}
    if chosen.flash_attn:
        sources[FLASH_ATTN] = {"url": chosen.flash_attn}
    if sources:
        tool["sources"] = sources
    if chosen.index:
        tool["index"] = [{"name": order.source, "url": chosen.index, "explicit": True}]
    document["tool"] = {"uv": tool}
    return str(tomlkit.dumps(document))


def poetry(order: Order) -> str:
    """https://python-poetry.org/docs/repositories/#explicit-package-sources"""
    tomlkit = _library("tomlkit")
    chosen, document = order.chosen, tomlkit.document()
    document["project"] = _project(order, order.requirements)
    tool: dict[str, Any] = {"package-mode": False}
    if chosen.index:
        names = [spec.partition("==")[0] for spec in order.family]
        tool["dependencies"] = {name: {"source": order.source} for name in names}
        tool["source"] = [{"name": order.source, "url": chosen.index, "priority": "explicit"}]
    document["tool"] = {"poetry": tool}
    return str(tomlkit.dumps(document))


def pixi(order: Order) -> str:
    """https://pixi.prefix.dev/latest/python/pytorch: PyTorch's wheels, one index a dependency."""
    tomlkit = _library("tomlkit")
    chosen, machine, document = order.chosen, order.target.machine, tomlkit.document()
    document["workspace"] = {
        "name": PROJECT,
        "channels": ["conda-forge"],
        "platforms": [CONDA_PLATFORMS[machine.os, machine.machine]],
    }
    document["dependencies"] = {"python": order.pythons}
    family = {spec.partition("==")[0]: "==" + spec.partition("==")[2] for spec in order.family}
    listed: dict[str, Any] = {name: _indexed(version, chosen.index) for name, version in family.items()}
    if chosen.flash_attn:
        listed[FLASH_ATTN] = {"url": chosen.flash_attn}
    for spec in map(Requirement, order.plain_others):
        listed[spec.name] = _pixi_entry(spec)
    document["pypi-dependencies"] = listed
    return str(tomlkit.dumps(document))


def _indexed(version: str, index: str | None) -> Any:
    return {"version": version, "index": index} if index else version


def _pixi_entry(spec: Requirement) -> Any:
    if spec.url:
        return {"url": spec.url}
    version = str(spec.specifier) or "*"
    return {"version": version, "extras": sorted(spec.extras)} if spec.extras else version


def _project(order: Order, dependencies: tuple[str, ...]) -> dict[str, Any]:
    tomlkit = _library("tomlkit")
    listed = tomlkit.array()
    listed.extend(dependencies)
    listed.multiline(multiline=True)
    return {"name": PROJECT, "version": "0", "requires-python": order.pythons, "dependencies": listed}


def dockerfile(order: Order) -> str:
    """The wheels bring their CUDA along: the image needs Python alone, and the host its driver."""
    if order.target.machine.os != "linux":
        raise EmitError("an image runs Linux: --emit dockerfile goes with --os linux or wsl")
    chosen = order.chosen
    python = chosen.python or chosen.pythons[-1]
    index = f" --index-url {chosen.index}" if chosen.index else ""
    env = installers.Environment("pip", None)
    install = "RUN python -m pip install --no-cache-dir"
    lines = [
        f"FROM python:{python}-slim",
        "ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility",
        f"{install} {' '.join(installers.quoted(spec, env) for spec in order.family)}{index}",
    ]
    if order.others:
        lines.append(f"{install} {' '.join(installers.quoted(spec, env) for spec in order.others)}")
    return "\n".join(lines) + "\n"


def conda_packages(order: Order) -> list[str]:
    """conda-forge's packages for the build: `pytorch-gpu=2.13.0 cuda-version=12.9`."""
    chosen, cuda = order.chosen, f"{order.chosen.tag[2:-1]}.{order.chosen.tag[-1]}"
    python = [f"python={chosen.python}"] if chosen.python else []
    partners = [name for name in ("torchvision", "torchaudio") if getattr(chosen, name)]
    return [*python, f"pytorch-gpu={chosen.torch}", f"cuda-version={cuda}", *partners]


def environment(order: Order) -> str:
    """An environment.yml, as conda's user guide (manage-environments) has it. JSON's strings are YAML's."""
    lines = ["name: torch", "channels:", "  - conda-forge", "  - nodefaults", "dependencies:"]
    return "\n".join([*lines, *(f"  - {json.dumps(package)}" for package in conda_packages(order))]) + "\n"


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingExtraError(f"this format takes {name}: {installing('plan')}") from None
