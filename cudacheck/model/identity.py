"""How facts of a type are told apart and compared, said in the fact's own class: `IDENTITY = Identity(…)`.

A class that says nothing is one of a kind, and every field of it is compared. A field that is None is not known, and
what one side does not know is no difference.
"""

from __future__ import annotations

from dataclasses import dataclass

ALWAYS_ASIDE = ("found_in", "seconds", "attempt")
"""Of any class."""


@dataclass(frozen=True)
class Identity:
    """Names of fields."""

    key: tuple[str, ...] = ()
    """What says which of several it is: a package's name, a library's soname."""
    finer: tuple[str, ...] = ()
    """What tells apart those of one key, and may itself be what differs: their paths."""
    gpu: tuple[str, ...] = ()
    """The fields that say which GPU it is about: its number and, where there is one, its UUID. Two machines' GPUs are
    matched by UUID where they share any, else by number."""
    aside: tuple[str, ...] = ()
    """Another value each time one looks (a time, a load, a temperature, a process id), or one that no two machines
    share (a serial number)."""
    why: tuple[tuple[str, str], ...] = ()
    """Pairs: a field, and the one that says in words why it is so. They are one difference."""
    only: tuple[str, ...] = ()
    """Besides what tells it from others only these fields are compared; empty: all that are not aside."""
    figure: str = ""
    """Where `only` leaves numbers out, the one that stands for them when a finding rests on them."""
    none: tuple[str, ...] = ()
    """Where None says that there is none; elsewhere it is not known."""
    asked: bool = False
    """Which of them there are follows from what was asked: one that only one side has is no difference."""
    never: bool = False
    """Says nothing about the machine."""


def identity(cls: type) -> Identity:
    """What a class says of itself."""
    found = getattr(cls, "IDENTITY", None)
    return found if isinstance(found, Identity) else Identity()
