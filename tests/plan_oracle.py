"""What is wrong with a plan, by stored listings and wheel metadata (tests/data/) instead of our own tables.

    python tests/plan_oracle.py [--sample N]

plans for {60 GPUs} × {15 drivers} × {Python 3.8 to 3.15} × {linux x86_64, aarch64, windows, wsl}, and prints figures.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import itertools
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.version import Version

from cudacheck import planning
from cudacheck.planning import InstallPlan
from cudacheck.planning.target import PlannedGpu

DATA = Path(__file__).parent / "data"
DEFAULT = json.loads((DATA / "default_index.json").read_text(encoding="utf-8"))["packages"]
_LISTED = json.loads((DATA / "pytorch_index.json").read_text(encoding="utf-8"))
INDEX, DATE = _LISTED["releases"], _LISTED["date"]
BUILDS = json.loads((DATA / "architectures.json").read_text(encoding="utf-8"))["builds"]

# https://developer.nvidia.com/cuda-gpus and cuda-legacy-gpus, in the words of NVML, shops and people
GPUS = {
    **dict.fromkeys(("Tesla K80", "K80"), 37),
    **dict.fromkeys(("Tesla M10", "GeForce GTX 750 Ti"), 50),
    **dict.fromkeys(("Tesla M40", "Tesla M60", "GTX 980 Ti"), 52),
    **dict.fromkeys(("Tesla P100-PCIE-16GB", "P100", "Quadro GP100"), 60),
    **dict.fromkeys(("Tesla P4", "Tesla P40", "GTX 1080 Ti", "GeForce GTX 1060 6GB", "Quadro P2000"), 61),
    **dict.fromkeys(("Tesla V100-SXM2-16GB", "V100", "TITAN V", "Quadro GV100"), 70),
    **dict.fromkeys(("Tesla T4", "RTX 2080 Ti", "GTX 1660 SUPER", "Quadro RTX 6000", "TITAN RTX", "T1000"), 75),
    **dict.fromkeys(("A100", "NVIDIA A100-SXM4-80GB", "NVIDIA A30", "A800"), 80),
    **dict.fromkeys(
        ("RTX 3090", "rtx3060", "NVIDIA A10", "A10G", "NVIDIA A40", "RTX A6000", "NVIDIA RTX A4000", "A16", "RTX 3050"),
        86,
    ),
    **dict.fromkeys(("Jetson AGX Orin",), 87),
    **dict.fromkeys(("RTX 4090", "NVIDIA L4", "L40S", "RTX 4060 Ti", "NVIDIA RTX 6000 Ada Generation"), 89),
    **dict.fromkeys(("H100", "NVIDIA H100 PCIe", "NVIDIA H100 80GB HBM3", "NVIDIA H200", "GH200", "H20"), 90),
    **dict.fromkeys(("NVIDIA B200", "GB200"), 100),
    **dict.fromkeys(("B300", "GB300"), 103),
    **dict.fromkeys(("Jetson Thor",), 110),
    **dict.fromkeys(
        ("RTX 5090", "NVIDIA GeForce RTX 5070", "RTX 5060 Ti", "NVIDIA RTX PRO 6000 Blackwell Workstation Edition"), 120
    ),
    **dict.fromkeys(("GB10",), 121),
}
DRIVERS = (
    *("450.80.02", "470.161.03", "510.47.03", "525.60.13", "535.129.03", "550.54.15", "560.35.05", "570.86.15"),
    *("570.172.08", "575.57.08", "580.65.06", "580.95.05", "590.48.01", "595.58.03", "620.70.06"),
)
OF_WINDOWS = {"570.172.08": "582.53"}
"""A number that only Windows has."""
PYTHONS = tuple(f"3.{minor}" for minor in range(8, 16))
SYSTEMS = ("linux x86_64", "linux aarch64", "windows x86_64", "wsl x86_64")

# https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html
FLOORS = {"11": {"linux": "450.80.02", "windows": "452.39"}, "12": {"linux": "525.60.13", "windows": "527.41"}}
FLOORS["13"] = {"linux": "580.65.06", "windows": "580"}
# The branch of the driver that came with the first toolkit for it; the last branch that serves it.
FIRST = {80: 450, 86: 455, 89: 520, 90: 520, 100: 570, 103: 575, 110: 580, 120: 570, 121: 575}
# CUDA 12.9's own driver for Windows, 576.02, is the first of its branch there.
FIRST_WINDOWS = FIRST | {103: 576, 121: 576}
LAST = {37: 470, 50: 580, 52: 580, 60: 580, 61: 580, 70: 580}
NUMBERED_ON = 9
"""A branch is numbered on for Windows: 582.53 is the driver of R580 for a GTX 1050 (keylase/nvidia-patch#1076)."""
INTEGRATED = {87, 110}
FIRST_AARCH64 = (2, 9)
"""https://pytorch.org/blog/pytorch-2-9: from then on wheels for every CUDA, before it by report alone."""
LINUX_ALONE = {"cu129"}
"""https://github.com/pytorch/test-infra/pull/7652: a limited release."""


@dataclasses.dataclass(frozen=True)
class Case:
    gpu: str
    driver: str
    python: str
    system: str
    glibc: str | None = None

    @property
    def code(self) -> int:
        return GPUS[self.gpu]

    @property
    def plan(self) -> InstallPlan:
        os, machine = self.system.split()
        target = planning.described([self.gpu], self.driver, self.python, os, machine, self.glibc)
        assert target.machine.capabilities == (f"{self.code // 10}.{self.code % 10}",), self.gpu
        return planned(dataclasses.replace(target, gpus=(PlannedGpu("", target.machine.capabilities[0]),)))


@functools.cache
def planned(target: planning.Target) -> InstallPlan:
    """GPUs of one compute capability have one plan."""
    return planning.plan(target)


def cases() -> list[Case]:
    return [
        Case(gpu, driver if system.startswith("linux") else OF_WINDOWS.get(driver, driver), python, system)
        for gpu, driver, python, system in itertools.product(GPUS, DRIVERS, PYTHONS, SYSTEMS)
    ]


def number(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", text)))


def runs(code: int, device: int) -> bool:
    """CUDA's binary compatibility: code for X.Y runs on X.Z with Z >= Y; integrated GPUs run their own alone."""
    if INTEGRATED & {code, device}:
        return code == device
    return code // 10 == device // 10 and code <= device


def kernels(version: str, tag: str, machine: str) -> list[int] | None:
    """What a build holds code for; None where no sample tells."""
    for row in BUILDS:
        if row["tag"] == tag and number(row.get("first", "0")) <= number(version) <= number(row.get("last", "99")):
            found: list[int] | None = row.get(machine)
            return found
    return None


@functools.cache
def default_tag(version: str) -> str | None:
    """The CUDA of the default index's Linux wheel, by what it requires."""
    for line in DEFAULT["torch"][version]["requires"]:
        if match := re.match(r"(?:cuda-toolkit\S*|nvidia-cuda-runtime-cu\d+ ?\(?)==?=?(\d+)\.(\d+)", line):
            return f"cu{match[1]}{match[2]}"
    return None


@functools.cache
def published(system: str) -> tuple[tuple[str, str], ...]:
    """Every (version, tag) that a sample has for this kind of machine."""
    machine = system.split()[1]
    found = []
    for version, row in DEFAULT["torch"].items():
        tags = set(INDEX.get(version, {"tags": []})["tags"])
        if machine == "aarch64" and number(version) < FIRST_AARCH64:
            continue
        default = default_tag(version)
        if system == "windows x86_64":
            tags -= LINUX_ALONE
        elif default:
            tags.add(default)
        found += [(version, tag) for tag in sorted(tags) if _has_code(version, tag, machine) and row]
    return tuple(found)


def _has_code(version: str, tag: str, machine: str) -> bool:
    return kernels(version, tag, machine) is not None


def has_wheel(package: str, version: str, python: str, system: str, glibc: str | None) -> bool:
    """Whether the default index has a wheel of it for this Python; PyTorch's index is built for the same ones."""
    row = DEFAULT[package].get(version, {"wheels": {}})
    base = system.replace("wsl", "linux")
    for platform, pythons in row["wheels"].items():
        needs = platform.removeprefix(base).strip()
        if platform.startswith(base) and python in pythons and not (glibc and needs and number(glibc) < number(needs)):
            return True
    return False


def driver_serves(case: Case, tag: str) -> bool:
    os = "linux" if case.system.startswith("linux") else "windows"
    floor, branch = FLOORS[tag[2:4]][os], number(case.driver)[0]
    first, last = (FIRST if os == "linux" else FIRST_WINDOWS).get(case.code, 0), LAST.get(case.code, 9999)
    return number(case.driver) >= number(floor) and first <= branch <= last + NUMBERED_ON


def fits(case: Case, version: str, tag: str) -> str:
    """What is wrong with a build there; empty where nothing is."""
    machine = case.system.split()[1]
    if (version, tag) not in published(case.system):
        return "does not exist for this kind of machine"
    if not any(runs(code, case.code) for code in kernels(version, tag, machine) or ()):
        return "has no kernels for the GPU"
    if not driver_serves(case, tag):
        return "needs another driver"
    if not has_wheel("torch", version, case.python, case.system, case.glibc):
        return "has no wheel for this Python or glibc"
    return ""


def partner_fault(case: Case, package: str, version: str, torch: str) -> str:
    if version not in DEFAULT[package]:
        return f"{package} {version} does not exist"
    if not has_wheel(package, version, case.python, case.system, case.glibc):
        return f"{package} {version} has no wheel there"
    for line in DEFAULT[package][version]["requires"]:
        required = Requirement(re.sub(r"\((.*?)\)", r"\1", line))
        if required.name == "torch" and not required.specifier.contains(Version(torch)):
            return f"{package} {version} requires {required}"
    return ""


def faults(case: Case, plan: InstallPlan) -> Iterator[str]:
    """What is wrong with this plan."""
    chosen = plan.choice
    if chosen:
        if why := fits(case, chosen.torch, chosen.tag):
            yield f"{chosen.torch} {chosen.tag} {why}"
        for package in ("torchvision", "torchaudio"):
            version = getattr(chosen, package)
            if version and (why := partner_fault(case, package, version, chosen.torch)):
                yield why
        if chosen.index not in (None, f"https://download.pytorch.org/whl/{chosen.tag}"):
            yield f"{chosen.index} is no index of {chosen.tag}"
        if chosen.index is None and default_tag(chosen.torch) != chosen.tag:
            yield f"the default index has {default_tag(chosen.torch)}, not {chosen.tag}"
        if not chosen.commands:
            yield "a plan without a command"
    least = number(chosen.torch) if chosen else ()
    told = {(row.torch, row.tag) for row in plan.ruled_out} | {(row.torch, row.tag) for row in plan.alternatives}
    for version, tag in published(case.system):
        if number(version) > least and not fits(case, version, tag) and (version, tag) not in told:
            yield f"{version} {tag} fits, is newer, and was passed over without a word"
    if chosen is None and not plan.cannot_tell and not plan.ruled_out:
        yield "neither a plan nor a reason"


def wrongly_ruled_out(case: Case, plan: InstallPlan) -> Iterator[str]:
    """Builds that fit by the samples, and that the plan denies."""
    for row in plan.ruled_out:
        if row.by not in ("unverified", "partner") and not fits(case, row.torch, row.tag):
            yield f"{row.torch} {row.tag} fits, and was ruled out: {row.reason}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, help="so many of them, by a fixed seed")
    chosen = cases()
    if size := parser.parse_args().sample:
        chosen = random.Random(14).sample(chosen, size)
    wrong: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    examples: dict[str, Any] = {}
    for case in chosen:
        plan = case.plan
        kinds["a plan" if plan.choice else "none possible"] += 1
        for fault in {*faults(case, plan), *wrongly_ruled_out(case, plan)}:
            wrong[fault] += 1
            examples.setdefault(fault, case)
    print(f"{len(chosen)} machines: {dict(kinds)}")
    for fault, count in wrong.most_common():
        print(f"{count:6} x {fault}, such as {examples[fault]}")
    print(f"{sum(wrong.values())} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
