"""Every environment that a PyTorch is chosen for, and what is wrong with a choice by the tables alone.

    python tests/choices.py

goes through all 42,840 of them (a minute or two) and prints the figures; tests/test_choices.py takes a sample.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
import shlex
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from present import present

from cudacheck import knowledge, remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Remedy
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.system import System
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.probes.patient.torch_files import TorchBuild

BUILDS = tomllib.loads(files(knowledge).joinpath("torch_builds.toml").read_text())
DRIVERS = tomllib.loads(files(knowledge).joinpath("cuda_drivers.toml").read_text())
FLOORS = {"11": "450.80.02", "12": "525.60.13", "13": "580.65.06"}

INSTALLED = {
    "nothing": (),
    "2.15 trio": ("torch==2.15.0", "torchvision==0.29.2", "torchaudio==2.11.1"),
    "2.8 trio": ("torch==2.8.0", "torchvision==0.23.0", "torchaudio==2.8.0", "flash-attn==2.8.3", "xformers==0.0.32"),
}
TORCHES = {"2.15 trio": TorchBuild("2.15.0+cu132", cuda="13.2"), "2.8 trio": TorchBuild("2.8.0+cu128", cuda="12.8")}
CAPABILITIES = (
    *("3.5", "3.7", "5.0", "5.2", "6.0", "6.1", "7.0", "7.5", "8.0", "8.6", "8.7"),
    *("8.9", "9.0", "10.0", "10.3", "12.0", "12.1"),
)
DRIVER_VERSIONS = (
    *("450.80.02", "470.161.03", "510.47.03", "525.60.13", "535.129.03", "550.54.15"),
    *("560.35.05", "570.124.06", "575.57.08", "580.95.05", "595.58.03", "620.70.06"),
)
PYTHONS = tuple(f"3.{minor}" for minor in range(8, 15))
MACHINES = ("x86_64", "aarch64")
INSTALLERS = ("pip", "uv", "conda", "poetry", "pixi")


@dataclasses.dataclass(frozen=True)
class Environment:
    installed: str
    capability: str
    driver: str
    python: str
    machine: str
    installer: str

    @property
    def facts(self) -> Facts:
        facts = Facts([Gpu(0, compute_capability=self.capability), Nvml(True, driver_version=self.driver)])
        python = Interpreter(f"{self.python}.3", "/envs/a/bin/python", prefix="/envs/a", base_prefix="/usr")
        python = dataclasses.replace(python, os="linux", machine=self.machine, has_pip=True, installer=self.installer)
        facts.add(python)
        facts.add(System("linux", machine=self.machine, container="", wsl=0, jetson=False))
        by = "conda" if self.installer == "conda" else None
        for spec in INSTALLED[self.installed]:
            name, version = spec.split("==")
            facts.add(Distribution(name, version, installer=by))
        if self.installed in TORCHES:
            facts.add(TORCHES[self.installed])
        facts.mark_complete(Distribution, TorchBuild)
        return facts


def environments() -> list[Environment]:
    product = itertools.product(INSTALLED, CAPABILITIES, DRIVER_VERSIONS, PYTHONS, MACHINES, INSTALLERS)
    return [Environment(*values) for values in product]


def faults(environment: Environment) -> tuple[list[str], list[str]]:
    """What is wrong with the remedies for this environment, and what kinds of remedies they are."""
    wrong: list[str] = []
    kinds: list[str] = []
    for remedy in remedies.torch_build(environment.facts):
        if "torch==" in "\n".join([*remedy.commands, remedy.edit]).replace('torch = { version = "==', "torch=="):
            kinds.append("a build")
            wrong += _wrong_build(environment, remedy)
        elif driver := re.search(r"driver.* to ([\d.]+) or newer", remedy.title):
            kinds.append("a driver")
            if _number(driver[1]) < _number(_first_driver(environment.capability) or "0"):
                wrong.append(f"driver {driver[1]} is older than the GPU's first")
        else:
            kinds.append("words alone")
            wrong += ["a command that names nothing"] * bool(remedy.commands)
    return wrong, kinds


def _wrong_build(environment: Environment, remedy: Remedy) -> Iterator[str]:
    told = "\n".join([*remedy.commands, remedy.edit]).replace(' = { version = "==', "==")
    for command in remedy.commands:
        shlex.split(command)
    version = present(re.search(r"(?:^| )torch==([\d.]+)", told, re.MULTILINE))[1]
    release = next((row for row in BUILDS["releases"] if row["version"] == version), None)
    tag = next(iter(re.findall(r"https://download\.pytorch\.org/whl/(\w+)", told)), None)
    row = _row(version, tag or release["default"], environment.machine) if release else None
    verified = row and release and row["verified"] and release["verified"]
    if not release or not row or not verified or row.get("index", True) is not bool(tag):
        yield f"no row says that {version} {tag} exists"
        return
    if environment.python not in release["pythons"]:
        yield f"{version} has no wheels for this Python"
    for partner, named in re.findall(r"(torchvision|torchaudio)==([\d.]+)", told):
        if release.get(partner) != named or environment.python in release.get(f"pythons_without_{partner}", ()):
            yield f"{partner} {named} does not fit {version}"
    if not _runs(row, environment):
        yield f"driver {environment.driver} cannot run {version} {row['tag']} on {environment.capability}"
    yield from _wrong_change(environment, remedy, version, row["tag"])
    if "conda remove" in told and ("--yes" in told or "depends on" not in remedy.title):
        yield "conda takes others along, unasked"


def _wrong_change(environment: Environment, remedy: Remedy, version: str, tag: str) -> Iterator[str]:
    """A downgrade that need not be, and packages that the new PyTorch breaks without a word."""
    torch = TORCHES.get(environment.installed)
    if torch is None:
        return
    before = torch.version.partition("+")[0]
    own = [row for row in BUILDS["builds"] if row["torch"] in (before, before.rpartition(".")[0]) and row["verified"]]
    own = [row for row in own if row.get("machine", "x86_64") == environment.machine and "os" not in row]
    supports = next(row for row in BUILDS["releases"] if row["version"] == before)["pythons"]
    if _number(version) < _number(before) and environment.python in supports:
        yield from ("a downgrade" for row in own if row.get("archs") and _runs(row, environment))
    major = present(torch.cuda).partition(".")[0]
    changed = version.rpartition(".")[0] != before.rpartition(".")[0] or tag[2:4] != major
    for spec in INSTALLED[environment.installed]:
        name = spec.partition("==")[0]
        if changed and name in ("flash-attn", "xformers") and name not in remedy.title:
            yield f"{name} breaks without a word"


def _row(version: str, tag: str, machine: str) -> dict[str, Any] | None:
    fitting = [
        row
        for row in BUILDS["builds"]
        if row["torch"] in (version, version.rpartition(".")[0])
        and row["tag"] == tag
        and row.get("machine", "x86_64") == machine
        and "os" not in row
    ]
    return next(iter(fitting), None)


def _runs(row: dict[str, Any], environment: Environment) -> bool:
    archs = [f"sm_{arch.replace('.', '')}" for arch in row["archs"].split()]
    first = _first_driver(environment.capability)
    floors = [FLOORS[row["tag"][2:4]], *([first.partition(".")[0]] if first else [])]
    return knowledge.covers(archs, environment.capability) and all(
        _number(environment.driver) >= _number(floor) for floor in floors
    )


def _first_driver(capability: str) -> str | None:
    """The driver of the first toolkit that compiles for a GPU; None for those older than the table of toolkits."""
    first = next((row["first"] for row in DRIVERS["architectures"] if row["capability"] == capability), None)
    of_it = [row["linux"] for row in DRIVERS["toolkits"] if first and row["version"].startswith(f"{first}.")]
    return min(of_it, key=_number, default=None)


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def main() -> int:
    wrong: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    forms: set[tuple[str, ...]] = set()
    every = environments()
    for environment in every:
        found, seen = faults(environment)
        wrong.update(found)
        kinds.update(seen[:1])
        forms.update(remedy.commands for remedy in remedies.torch_build(environment.facts) if remedy.commands)
    print(f"{len(every)} environments: {dict(kinds)}; {len(forms)} distinct forms")
    print("\n".join(f"{count:6} x {fault}" for fault, count in wrong.most_common()) or "nothing wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
