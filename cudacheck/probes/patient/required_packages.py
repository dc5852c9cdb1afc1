"""Whether the packages that are required are installed: those that have nothing to do with CUDA are not listed else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator

from cudacheck.bench.options import of_environment
from cudacheck.model import holds
from cudacheck.model.identity import Identity
from cudacheck.probes import Probe
from cudacheck.probes.patient import _installed


@dataclass(frozen=True)
class RequiredPackage:
    name: holds.Term
    """Normalised (PEP 503)."""
    version: holds.Term | None
    """None where it is not installed."""
    found_in: holds.FreeText = "installed packages"

    IDENTITY = Identity(key=("name",), asked=True)


def collect() -> Iterator[object]:
    for name in of_environment().packages:
        yield RequiredPackage(name, _installed.version_of(name))


PROBE = Probe(
    collect,
    timeout_s=10.0,
    facts=(RequiredPackage,),
    on_request=True,
)
