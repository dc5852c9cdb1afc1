"""A compiled package needs a newer C or C++ library than this system has.

## What it does
Compares the newest GLIBC version that the compiled extensions ask for with the system's, and listens to the loader's
words about GLIBC, GLIBCXX and CXXABI versions.

## Why it matters
The import fails, and nothing in the Python environment can be upgraded to cure it: glibc belongs to the system.
Official flash-attn wheels need glibc 2.32 since 2.7.4, PyTorch's wheels 2.28 since 2.7. A GLIBCXX complaint is about
libstdc++, of which conda environments bring their own.

## What to do
Use a newer system or container (Ubuntu 22.04, Debian 12 or newer), or a build for the older glibc, or compile the
package here. For GLIBCXX in conda: update libstdcxx-ng.

## References
- https://github.com/Dao-AILab/flash-attention/issues/1708
- https://github.com/Dao-AILab/flash-attention/issues/1762
- https://github.com/mjun0812/flash-attention-prebuild-wheels/issues/38
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.extensions import ExtensionFile
from cudacheck.probes.patient.torch_import import TorchImport
from cudacheck.rules import _messages, _torch

MESSAGES = (
    r"version [`'‘\"](GLIBC_[\d.]+)['’\"] not found(?: \(required by ([^)\n]+)\))?",
    r"version [`'‘\"]((?:GLIBCXX|CXXABI)_[\d.]+)['’\"] not found(?: \(required by ([^)\n]+)\))?",
)


def check(
    files: tuple[ExtensionFile, ...] | None, system: System | None, imported: TorchImport | None, facts: Facts
) -> Iterator[Finding]:
    for file in files or ():
        if system and system.glibc and file.glibc_required and _older(system.glibc, file.glibc_required):
            message = f"{file.package} needs glibc {file.glibc_required}, this system has {system.glibc}"
            found = (
                Evidence(f"GLIBC_{file.glibc_required}", file.path),
                Evidence(f"glibc {system.glibc}", system.found_in),
            )
            yield Finding(message, found, tuple(_remedies(f"GLIBC_{file.glibc_required}", facts)))
    match = _torch.in_import(MESSAGES, imported)
    if match:
        yield _finding(match, Evidence(_torch.one_line(match[0]), "import torch"), facts)


def _older(have: str, want: str) -> bool:
    return [int(part) for part in re.findall(r"\d+", have)] < [int(part) for part in re.findall(r"\d+", want)]


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    yield _finding(match, _messages.quote(match, said), facts)


def _finding(match: re.Match[str], evidence: Evidence, facts: Facts) -> Finding:
    who = re.split(r"[/\\]", match[2])[-1] if match[2] else "a compiled library"
    system = facts.one(System)
    have = f", this system has glibc {system.glibc}" if system and system.glibc and "GLIBC_" in match[1] else ""
    return Finding(f"{who} needs {match[1]}{have}", (evidence,), tuple(_remedies(match[1], facts)))


def _remedies(version: str, facts: Facts) -> Iterator[Remedy]:
    if version.startswith("GLIBC_"):
        yield Remedy("use a newer system or container image: Ubuntu 22.04 and Debian 12 have glibc 2.35 and 2.36")
        yield Remedy("do without the package, or install a build of it for this glibc, or compile it here")
    elif command := _torch.conda_install(facts, "libstdcxx-ng", "conda-forge"):
        yield Remedy("update conda's C++ library", command)
    else:
        yield Remedy("install a newer libstdc++, or take an older one off LD_LIBRARY_PATH")


FLASH = ExtensionFile("flash-attn", "/env/flash_attn_2_cuda.so", "2.8.3", glibc_required="2.32")


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.LIBRARIES,
    fix_by=FixBy.ENVIRONMENT,
    check=check,
    heard=heard,
    messages=MESSAGES,
    fires={
        "flash-attn's wheel on CentOS 8": (FLASH, System("linux", glibc="2.28")),
        "what the loader says": (
            ErrorMessage(
                "ImportError: /lib64/libc.so.6: version `GLIBC_2.32' not found (required by /env/flash_attn_2_cuda.so)",
                "paste",
            ),
        ),
        "conda's libstdc++": (ErrorMessage("libstdc++.so.6: version `GLIBCXX_3.4.30' not found", "paste"),),
        "the loader names a C++ library, on a system whose glibc is known": (
            System("linux", glibc="2.28"),
            ErrorMessage("libstdc++.so.6: version `GLIBCXX_3.4.30' not found", "paste"),
        ),
        "the loader names glibc, on a system whose glibc is known": (
            System("linux", glibc="2.28"),
            ErrorMessage("/lib64/libc.so.6: version `GLIBC_2.32' not found (required by /env/a.so)", "paste"),
        ),
    },
    quiet={
        "the same glibc": (FLASH, System("linux", glibc="2.32")),
        "cu124 on glibc 2.17: its wheels ask for no more": (System("linux", glibc="2.17"), TorchImport(True)),
        "nobody tells the system's": (FLASH, System("linux")),
    },
)
