"""Probes ask the machine one question each and yield facts; a probe holds no threshold and no opinion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterator, Optional


class Skipped(Exception):  # noqa: N818 - an outcome, not an error
    """Raised by a probe that cannot ask its question here; the words say why."""


def told_by(fact_type: type) -> str:
    """The name of the probe in whose file a fact is declared, which is the one that owns it."""
    return fact_type.__module__.rpartition(".")[2]


@dataclass(frozen=True)
class ByHand:
    """What somebody types to see without cudacheck what a probe sees; a reader of sources/ understands the answer."""

    command: str
    """Without single quotes, so that it can be printed above its answer."""
    on_windows: bool = False


@dataclass(frozen=True)
class Probe:
    """What a module of probes/host or probes/patient declares of itself: one question to the machine."""

    collect: Callable[[], Iterator[object]]
    timeout_s: float
    facts: tuple[type, ...]
    """The types that are its own: where it ended well, it told all of them that there are."""
    also: tuple[type, ...] = ()
    """What it may tell besides. Anything else ends it as failed."""
    after: tuple[str, ...] = ()
    """The probes that must have come to their end."""
    on_request: bool = False
    """It runs only where a command asks for it by name."""
    instead_of: tuple[str, ...] = ()
    """The probes that it stands in for where it runs."""
    per_fact: bool = False
    """Its timeout is counted anew from every fact that it tells."""
    by_hand: Optional[ByHand] = None  # noqa: UP045 - Python 3.8 reads it
    name: str = ""
    """The file's; filled in by the registry, as is"""
    child: str = ""
    """`host` or `patient`: which interpreter asks."""
