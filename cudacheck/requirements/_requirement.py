"""What a requirement declares of itself: one typed value at the end of its file; and what it sees of a machine."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from cudacheck.model.facts import Facts
from cudacheck.model.findings import FixBy, Remedy
from cudacheck.model.rule import Family


class AbsentError(Exception):
    """There is none of what is required; the words say so. That is no doubt: the requirement is not fulfilled."""


class UnknownError(Exception):
    """Nobody could tell: the fact type that is not answered, or why, in words."""

    def __init__(self, what: type | str) -> None:
        super().__init__(what)
        self.what = what


@dataclasses.dataclass(frozen=True)
class Seen:
    """One thing that has to fulfil it: the driver, or one GPU of several."""

    value: str | float
    said: str
    """In words: `driver 535.129.03`, `GPU 1 (NVIDIA A10): 22.5 GB`."""
    found_in: str = ""
    unsure: str = ""
    """Why this value proves nothing, whatever it is,"""
    unsure_if_unmet: str = ""
    """and why it convicts nobody where it does not fulfil it."""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """One requirement, understood."""

    name: str
    clauses: str
    """What follows the name, without blanks: `>=2.7,<3`; empty where any will do."""
    holds: Callable[[str | float], bool]
    """Whether a value fulfils it. Raises ValueError for one that cannot be compared."""

    @property
    def spec(self) -> str:
        return self.name + self.clauses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Requirement:
    """One thing that may be required. A field that is not there is a type error, and ends the import."""

    compare: Callable[[str], Callable[[str | float], bool]]
    """What follows the name → what a value must fulfil. Raises ValueError, whose words say what is wrong."""
    look: Callable[[Facts], Sequence[Seen]]
    """All that has to fulfil it. Raises AbsentError and UnknownError."""
    fix_by: FixBy
    remedies: Callable[[Facts, Wanted], tuple[Remedy, ...]]
    """What to type where it is not fulfilled."""
    title: str
    """What is compared, in a line for the docs."""
    example: str
    """`driver>=570`"""
    explained_by: tuple[str | Family, ...] = ()
    """The rules and families whose finding is why there is none of it, or nobody could tell."""
    case: str = ""
    """The case that the doctor's benchmark measures for it, with more care than its own; empty where it takes none."""
    alike: Callable[[Sequence[Seen]], str] | None = None
    """What is seen on one machine → what another one that is to be like it must fulfil."""
