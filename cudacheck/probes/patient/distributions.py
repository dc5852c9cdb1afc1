"""The installed distributions that matter to CUDA, by their metadata folders; and the files that two of them claim."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import Iterator

from cudacheck.model import holds
from cudacheck.model.identity import Identity
from cudacheck.probes import Probe
from cudacheck.probes.patient import _installed


@dataclass(frozen=True)
class Distribution:
    name: holds.Term
    """Normalised (PEP 503): `flash-attn`, `nvidia-cudnn-cu12`."""
    version: holds.Term
    location: holds.Path | None = None
    """The folder it is installed in; for conda packages the environment."""
    installer: holds.Term | None = None
    """`pip`, `uv`, `conda` …, as recorded at installation."""
    build: holds.Term | None = None
    """conda's build string, or the wheel's local tag."""
    requires: tuple[holds.Term, ...] = ()
    """Its Requires-Dist lines that name torch or an nvidia package, markers left on."""
    shadowed_by: holds.Path | None = None
    """The location of a same-named distribution earlier on the path."""

    IDENTITY = Identity(key=("name",), finer=("location",), aside=("requires",), none=("shadowed_by",))


@dataclass(frozen=True)
class FileClash:
    """One file that several installed distributions say is theirs; whoever was installed last won."""

    path: holds.Path
    owners: tuple[holds.Term, ...]
    """`name==version` of each."""
    winner: holds.Term | None = None
    """The owner whose recorded hash the file on disk has; None where none or several match."""

    IDENTITY = Identity(key=("path",))


_REQUIRES_READ = {"torch", "torchvision", "torchaudio", "xformers", "flash-attn", "vllm"}


def collect() -> Iterator[object]:
    yield from _python_distributions()
    for package in _installed.conda_packages():
        if _installed.matters(package.name):
            yield Distribution(package.name, package.version, sys.prefix, "conda", package.build)
    yield from _file_clashes()


def _python_distributions() -> Iterator[Distribution]:
    seen: dict[str, str] = {}
    for found in _installed.installed():
        yield Distribution(
            name=found.name,
            version=found.version,
            location=found.folder,
            installer=found.read("INSTALLER").strip().lower() or None,
            build=found.version.partition("+")[2] or None,
            requires=_requires(found) if found.name in _REQUIRES_READ else (),
            shadowed_by=seen.get(found.name),
        )
        seen.setdefault(found.name, found.folder)


def _requires(found: _installed.Installed) -> tuple[str, ...]:
    """Those that name torch or a package of NVIDIA's (cuda-toolkit and cuda-bindings are NVIDIA's too)."""
    lines = re.findall(r"^Requires-Dist: *(.+)$", found.headers(), re.MULTILINE)
    return tuple(line.strip() for line in lines if re.match(r"(?i)(?:torch|nvidia|cuda)", line))


def _file_clashes() -> Iterator[FileClash]:
    for path, claims in _installed.nvidia_files().items():
        owners = {claim.owner.name: "%s==%s" % (claim.owner.name, claim.owner.version) for claim in claims}
        # Equal contents harm nobody: every nvidia-*-cu12 wheel brings the same nvidia/__init__.py.
        differ = len({claim.digest for claim in claims}) > 1
        if len(owners) > 1 and differ and not path.endswith(".py"):
            winner = _installed.owner(path)
            yield FileClash(path, tuple(owners.values()), owners[winner.name] if winner else None)


PROBE = Probe(
    collect,
    timeout_s=10.0,
    facts=(
        Distribution,
        FileClash,
    ),
)
