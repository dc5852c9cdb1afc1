"""A compiled module was built for another NumPy than the one installed.

## What it does
Hears what NumPy, Cython and PyTorch say of it, and compares the installed PyTorch with the installed NumPy: releases
before 2.3 (on Windows before 2.4.1) were compiled against NumPy 1.

## Why it matters
NumPy 2 changed its binary interface. PyTorch then goes on without NumPy: tensors cannot be made from arrays or turned
into them ("Numpy is not available"), and data loaders stop. Other modules do not import at all, or crash.

## What to do
Stay with NumPy 1 until every compiled module in the environment has a release for NumPy 2, or upgrade the module that
the message or the traceback above it names.

## References
- https://github.com/pytorch/pytorch/issues/107302
- https://github.com/pytorch/pytorch/issues/131668
- https://numpy.org/devdocs/dev/depending_on_numpy.html#numpy-2-abi-handling
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _kernels, _messages, _torch

FIRST, FIRST_ON_WINDOWS = "2.3", "2.4.1"
"""PyTorch's first wheels that were compiled against NumPy 2."""


def check(
    build: TorchBuild, dists: tuple[Distribution, ...] | None, system: System | None, facts: Facts
) -> Iterator[Finding]:
    numpy = next((d for d in dists or () if d.name == "numpy" and not d.shadowed_by), None)
    first = FIRST_ON_WINDOWS if system is not None and system.os == "windows" else FIRST
    if numpy is None or not _torch.at_least(numpy.version, "2") or not _is_before(build, first):
        return
    yield Finding(
        f"{_torch.spoken(build)} was compiled against NumPy 1, and NumPy {numpy.version} is installed",
        (_torch.build_evidence(build), Evidence(f"numpy {numpy.version}", "installed packages")),
        (_older(facts),),
        severity=Severity.WARNING,  # kernels run all the same
    )


def _is_before(build: TorchBuild, first: str) -> bool:
    """Whether this is a wheel of the PyTorch project from before a release; others are compiled for their own NumPy."""
    return (
        _torch.release(build.version) is not None
        and _kernels.from_index(build)
        and not _torch.at_least(build.version, first)
    )


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    newer = _is_newer(match, whole=match.end() < len(said.text.rstrip()))
    if newer is False:
        yield Finding("a compiled module was built for an older NumPy than the one installed", (), (_older(facts),))
        return
    which = "a newer" if newer else "another"
    advice = "upgrade NumPy, or install an older release of the module"
    if newer is None:
        advice = "install the module and NumPy again in one command, in releases that were built for each other"
    yield Finding(f"a compiled module was built for {which} NumPy than the one installed", (), (Remedy(advice),))


def _is_newer(match: re.Match[str], *, whole: bool) -> bool | None:
    """Whether the module was built for a newer NumPy; None where the number that would tell may be cut short."""
    told, text = match.groupdict(), _messages.printed(match)
    if "built" not in told:
        return False  # NumPy 2 speaks of modules for NumPy 1
    if "from PyObject" in text:
        return int(told["built"]) > int(told["found"])
    return int(told["built"], 16) > int(told["found"], 16) if whole else None


def _older(facts: Facts) -> Remedy:
    return remedies.install(facts, ["numpy<2"], title="install NumPy 1, or upgrade what was compiled against it")


CU121 = TorchBuild("2.2.2+cu121", cuda="12.1")


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.EXTENSIONS,
    fix_by=FixBy.ENVIRONMENT,
    check=check,
    heard=heard,
    fires={
        "PyTorch 2.2 beside NumPy 2": (CU121, Distribution("numpy", "2.1.3")),
        "PyTorch 2.4.0 on Windows": (
            TorchBuild("2.4.0+cu121", cuda="12.1"),
            Distribution("numpy", "2.0.1"),
            System(os="windows"),
        ),
        "what NumPy says": (
            ErrorMessage(
                "A module that was compiled using NumPy 1.x cannot be run in\nNumPy 2.1.3 as it may crash.", "paste"
            ),
        ),
        "what PyTorch says": (ErrorMessage("UserWarning: Failed to initialize NumPy: _ARRAY_API not found", "paste"),),
        "a module for a newer NumPy": (
            ErrorMessage(
                "RuntimeError: module compiled against API version 0x10 but this version of numpy is 0xe . Check the section",
                "paste",
            ),
        ),
        "a module for another NumPy": (
            ErrorMessage(
                "RuntimeError: module compiled against ABI version 0x1000009 but this version of numpy is 0x2000000",
                "paste",
            ),
        ),
        "what Cython's modules say": (
            ErrorMessage(
                "ValueError: numpy.dtype size changed, may indicate binary incompatibility. Expected 88 from C header, "
                "got 96 from PyObject",
                "paste",
            ),
        ),
        "what Cython's modules say of an older NumPy": (
            ErrorMessage(
                "ValueError: numpy.dtype size changed, may indicate binary incompatibility. Expected 96 from C header, "
                "got 88 from PyObject",
                "paste",
            ),
        ),
    },
    quiet={
        "PyTorch 2.3 beside NumPy 2": (TorchBuild("2.3.0+cu121", cuda="12.1"), Distribution("numpy", "2.1.3")),
        "PyTorch 2.2 beside NumPy 1": (CU121, Distribution("numpy", "1.26.4")),
        "a build of conda-forge": (
            TorchBuild("2.2.2", cuda="12.1", conda_build="cuda121py311h"),
            Distribution("numpy", "2.1.3"),
        ),
        "no NumPy": (CU121, ErrorMessage("UserWarning: Failed to initialize NumPy: No module named 'numpy'", "paste")),
        "Cython's harmless warning": (
            ErrorMessage(
                "RuntimeWarning: numpy.ufunc size changed, may indicate binary incompatibility. Expected 192 from C "
                "header, got 216 from PyObject",
                "paste",
            ),
        ),
    },
)
