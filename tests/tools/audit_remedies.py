"""The remedies of 42,840 environments: does each build exist and run there, and does it lead nowhere worse?

    python tests/tools/audit_remedies.py [--every N]

What is asked of each answer of `remedies.torch_build`: the build is a verified row, this driver runs it on this GPU, it
is no older than the installed release where that has a fitting build, what was built for the installed PyTorch is
named where PyTorch's minor release changes, and no driver is named that is older than the GPU's first.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import re

from cudacheck import knowledge, remedies, torch_choice
from cudacheck.facts import Facts
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.system import System
from cudacheck.probes.target.distributions import Distribution
from cudacheck.probes.target.interpreter import Interpreter
from cudacheck.probes.target.torch_files import TorchBuild

CAPABILITIES = (
    *("3.5", "3.7", "5.0", "5.2", "6.0", "6.1", "7.0", "7.5", "8.0", "8.6", "8.7", "8.9", "9.0", "10.0", "10.3"),
    *("12.0", "12.1"),
)
DRIVERS = (
    *("450.80.02", "470.161.03", "510.47.03", "525.60.13", "535.129.03", "550.54.15", "560.35.03", "570.26"),
    *("575.51.03", "580.65.06", "595.45.04", "610.43.02"),
)
PYTHONS = tuple(f"3.{minor}.1" for minor in range(8, 15))
MACHINES = ("x86_64", "aarch64")
INSTALLERS = ("pip", "uv", "conda", "poetry", "pixi")
INSTALLED = {
    "none": (None, ()),
    "2.15": (TorchBuild("2.15.0+cu132", cuda="13.2"), ("torch==2.15.0", "torchvision==0.29.2", "torchaudio==2.11.1")),
    "2.8": (
        TorchBuild("2.8.0+cu128", cuda="12.8"),
        ("torch==2.8.0", "torchvision==0.23.0", "torchaudio==2.8.0", "flash-attn==2.8.3", "xformers==0.0.32"),
    ),
}


def environments() -> itertools.product:
    return itertools.product(INSTALLED, CAPABILITIES, DRIVERS, PYTHONS, MACHINES, INSTALLERS)


def faults(trio: str, capability: str, driver: str, python: str, machine: str, installer: str) -> list[str]:
    """What is wrong with the answer for one environment."""
    build, specs = INSTALLED[trio]
    facts = Facts(
        [
            Gpu(0, compute_capability=capability),
            Nvml(True, driver_version=driver),
            System("linux", machine=machine, glibc="2.39", container="", wsl=0, jetson=False, distribution="Debian 12"),
            Interpreter(
                python, "/e/bin/python", installer=installer, os="linux", machine=machine, prefix="/e", has_pip=True
            ),
            *([build] if build else []),
            *(Distribution(*spec.split("=="), installer=installer) for spec in specs),
        ],
        known=[Distribution],
    )
    return [fault for remedy in remedies.torch_build(facts) for fault in _faults(remedy, facts, build, capability)]


def _faults(remedy: remedies.Remedy, facts: Facts, installed: TorchBuild | None, capability: str) -> list[str]:
    first = knowledge.first_driver(capability)
    named = re.search(r"driver to (\d[\d.]+)", remedy.title)
    found = []
    if named and first and not knowledge.driver_at_least(named[1], first):
        found.append("a driver older than the GPU's first")
    text = "\n".join([*remedy.commands, remedy.edit])
    chosen = re.search(r"(?:^| )torch(?: = \{ version = \")?==([\d.]+)", text, re.MULTILINE)
    if not chosen:
        return found
    version, machine = chosen[1], torch_choice.machine_of(facts)
    tag = next(iter(re.findall(r"/whl/(\w+)", text)), None) or knowledge.default_index_tag(version)
    row = knowledge.build_of(version, tag, machine.machine, machine.os) if tag else None
    if row is None or not row.verified:
        return [*found, f"a build that no verified row holds: {version} {tag}"]
    if first and not knowledge.driver_at_least(machine.driver or "", first):
        found.append("a build although this driver does not know the GPU")
    if not knowledge.covers(row.archs, capability):
        found.append("a build without kernels for the GPU")
    if installed is not None:
        found += _compared(remedy, facts, installed, version)
    return found


def _compared(remedy: remedies.Remedy, facts: Facts, installed: TorchBuild, version: str) -> list[str]:
    old = knowledge.release_of(installed.version) or ""
    found = []
    alone = torch_choice.Machine(**{**vars(torch_choice.machine_of(facts)), "companions": ()})
    fits = {choice.release.version for choice in torch_choice.candidates(alone)}
    if knowledge.as_version(version) < knowledge.as_version(old) and old in fits:
        found.append("a downgrade although the installed release has a fitting build")
    names = {dist.name for dist in facts.all(Distribution)} & {"flash-attn", "xformers", "vllm"}
    if version.split(".")[:2] != old.split(".")[:2] and not all(name in remedy.title for name in names):
        found.append("flash-attn, xformers or vLLM left behind without a word")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    count, wrong, examples = 0, collections.Counter(), {}
    for environment in itertools.islice(environments(), 0, None, options.every):
        count += 1
        for fault in faults(*environment):
            wrong[fault] += 1
            examples.setdefault(fault, environment)
    print(f"{count} environments")
    for fault, times in wrong.most_common():
        print(f"{times:6}  {fault}, e.g. {examples[fault]}")
    print("no fault" if not wrong else "")


if __name__ == "__main__":
    main()
