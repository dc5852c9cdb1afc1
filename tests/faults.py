"""One fault of a machine: what is sick, and on which healthy machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from machines import Machine

Change = Callable[[Machine], None]


@dataclass(frozen=True)
class Fault:
    rule: str
    """The rule that must name it."""
    name: str
    base: Change
    """Builds the healthy machine."""
    sicken: Change
    """Makes that machine sick."""
    well: Change | None = None
    """What looks much like it and is no fault; the healthy machine as it is where there is none."""
    severity: str = "error"

    def __str__(self) -> str:
        return f"{self.rule}: {self.name}"
