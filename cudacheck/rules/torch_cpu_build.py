"""The installed PyTorch was built without CUDA: it cannot use any NVIDIA GPU.

## What it does
Reads in `torch/version.py` which CUDA the build is for. The name of the wheel is no witness: the metadata of a CPU
wheel lists NVIDIA packages all the same, behind markers. It is an error where anything in sight is NVIDIA's or asks for
CUDA (a GPU, a driver, a toolkit, an error text), else a warning; where there is surely no GPU it is the right build.

## Why it matters
`torch.cuda.is_available()` is False without any warning, and `.cuda()` raises "Torch not compiled with CUDA
enabled". CPU builds come from the `+cpu` index, from the default index on Windows and macOS, on ARM up to
PyTorch 2.10, from conda when its solver prefers them, and from another package that replaced the CUDA build.

## What to do
Install the CUDA build; for macOS there is none, and a program runs there on `mps` or `cpu`. A plain upgrade answers "already satisfied": remove the CPU build in the same step.

## References
- https://github.com/pytorch/pytorch/issues/49325
- https://github.com/pytorch/pytorch/issues/168065
- https://github.com/pytorch/pytorch/issues/160162
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Severity
from cudacheck.model.rule import Ask, Family, Rule
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.pci import PciBus
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _driver, _machine, _torch


def check(build: TorchBuild, system: System | None, facts: Facts) -> Iterator[Finding]:
    known = build.cuda_known or re.search(r"\+(?:cpu|xpu)", build.version) is not None
    if not known or build.cuda or build.hip or "+rocm" in build.version or (system and system.os == "darwin"):
        return
    if _driver.owner_of_silence(facts.one(Nvml), facts) == "no-gpu":
        return  # there it is the right build
    kind = "an Intel GPU build" if "+xpu" in build.version else "a CPU-only build"
    yield Finding(
        f"PyTorch cannot use any NVIDIA GPU: {_torch.spoken(build)} is {kind}",
        (Evidence(f"{_torch.spoken(build)}, no CUDA version", build.found_in), *_origin(build, system)),
        _torch.right_build(facts, "install a CUDA build of PyTorch for this platform"),
        severity=None if _machine.wants_cuda(facts) else Severity.WARNING,
    )


def _origin(build: TorchBuild, system: System | None) -> tuple[Evidence, ...]:
    """Where such a build comes from, where that is known."""
    if build.conda_build:
        return (Evidence(f"conda build {build.conda_build}", "conda's record"),)
    if system and system.os == "windows":
        return (Evidence("the default index has only CPU wheels for Windows"),)
    if system and system.machine == "aarch64" and not _torch.at_least(build.version, "2.11"):
        return (Evidence("up to PyTorch 2.10 the default index had only CPU wheels for aarch64"),)
    return ()


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    build = facts.one(TorchBuild)
    version = match[1] if match.re.groups else build.version if build and not build.cuda else ""
    which = f"torch {version}" if version else "the PyTorch that said this"
    yield Finding(
        f"PyTorch cannot use any NVIDIA GPU: {which} was built without CUDA",
        (),
        _torch.right_build(facts, "install a CUDA build of PyTorch for this platform"),
    )


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.TORCH_BUILD,
    fix_by=FixBy.ENVIRONMENT,
    joins=(Family.NO_CUDA_BUILD,),
    explained_by=(
        "no-gpu",
        "torch-shadowed",
    ),
    check=check,
    heard=heard,
    messages=(r"(?i)torch not compiled with CUDA enabled", r"\(you have (\d[\w.]*\+cpu)\)"),
    asks=(Ask(TorchBuild, "`+cpu`, or `None` for its CUDA", "2.8.0+cpu None []"),),
    fires={
        "a +cpu wheel beside an NVIDIA A10": (TorchBuild("2.8.0+cpu"), Gpu(0, "NVIDIA A10", compute_capability="8.6")),
        "aarch64 wheel of the default index on a GB200": (
            TorchBuild("2.10.0+cpu"),
            System("linux", machine="aarch64"),
            Gpu(0, "NVIDIA GB200"),
        ),
        "the words of torch.cuda under macOS, where no build has CUDA": (
            System("darwin", machine="arm64"),
            ErrorMessage("AssertionError: Torch not compiled with CUDA enabled", "paste"),
        ),
        "the words of torch.cuda": (ErrorMessage("AssertionError: Torch not compiled with CUDA enabled", "paste"),),
        "a paste that names the build by its tag alone": (
            TorchBuild("2.8.0+cpu", cuda_known=False),
            Gpu(0, "NVIDIA A10"),
        ),
        "Intel's build": (TorchBuild("2.8.0+xpu"), Gpu(0, "NVIDIA A10")),
        "the words of a program name its version": (ErrorMessage("requires CUDA (you have 2.3.1+cpu)", "paste"),),
        "the words of torch.cuda, and the build is known": (
            TorchBuild("2.8.0+cpu"),
            ErrorMessage("AssertionError: Torch not compiled with CUDA enabled", "paste"),
        ),
        "the words of torch.cuda beside a CUDA build: another environment's": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            ErrorMessage("AssertionError: Torch not compiled with CUDA enabled", "paste"),
        ),
    },
    quiet={
        "a CUDA build": (TorchBuild("2.8.0+cu128", cuda="12.8"),),
        "a machine without a GPU": (
            TorchBuild("2.15.0+cpu"),
            System("linux", container="", wsl=0, jetson=False),
            PciBus(readable=True),
            Nvml(library_found=False, init_code=12),
        ),
        "a paste that does not name the CUDA version": (TorchBuild("2.8.0", cuda_known=False),),
        "a ROCm build": (TorchBuild("2.5.1+rocm6.2", hip="6.2"),),
        "macOS": (TorchBuild("2.8.0"), System("darwin", machine="arm64")),
    },
)
