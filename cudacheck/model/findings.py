"""What is wrong, why, and what to type: the values that rules yield."""

from __future__ import annotations

import dataclasses
import enum

from cudacheck.model import holds


def cut(text: str, most: int) -> str:
    """No more characters of a line than that, and a sign that there were more."""
    return text if len(text) <= most else f"{text[:most]}…"


class Severity(enum.StrEnum):
    ERROR = "error"
    """What was asked cannot work, or gives wrong results."""
    WARNING = "warning"
    """It works, but slowly or at risk."""
    NOTE = "note"
    """Good to know; never changes the verdict or the exit code."""


class Layer(enum.IntEnum):
    """Where in the stack a fault sits. A deeper fault explains the higher ones, so it is printed first."""

    HARDWARE = 1
    KERNEL = 2
    CONTAINER = 3
    NVML = 4
    LIBCUDA = 5
    DRIVER = 6
    TORCH_BUILD = 7
    LIBRARIES = 8
    TORCH_IMPORT = 9
    EXTENSIONS = 10
    RUN_TIME = 11
    SPEED = 12
    ADVICE = 13
    INSPECTION = 14
    """Faults of the inspection itself: a probe that did not finish."""


class Gap(enum.StrEnum):
    """Why a rule stayed unchecked."""

    NOT_SAID = "not-said"
    """The paste is silent on what it asks for."""
    SKIPPED = "skipped"
    """The probe had nothing to ask, or was not to run."""
    UNFINISHED = "unfinished"
    """The probe did not come to its end."""
    OWN_FAULT = "own-fault"
    """The rule itself failed: a fault of cudacheck's."""


class FixBy(enum.StrEnum):
    """Who can mend a fault."""

    NODE = "node"
    """Who runs the machine: driver, hardware, kernel, limits."""
    CONTAINER = "container"
    """Who starts the container: its flags, mounts, image."""
    ENVIRONMENT = "environment"
    """Who installs packages."""
    PROGRAM = "program"
    """Who writes or starts the program: its code and its variables."""


@dataclasses.dataclass(frozen=True)
class Evidence:
    fact: str
    """What convicts: `driver 535.129.03`."""
    found_in: str = ""
    """Where it was read: `/proc/driver/nvidia/version`."""


@dataclasses.dataclass(frozen=True)
class Remedy:
    """What to type, kept apart from prose. Printed, never run."""

    title: str
    commands: tuple[holds.Shell, ...] = ()
    """Shell commands, one a line, safe to paste. Empty where only advice can be given."""
    edit: holds.Shell = ""
    """Lines for a file that the title names, where the cure is not a command."""
    needs_root: bool = False
    needs_reboot: bool = False
    verify: holds.Shell = ""
    """The command that shows whether it worked."""


@dataclasses.dataclass(frozen=True)
class Finding:
    message: str
    evidence: tuple[Evidence, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    sources: tuple[holds.Term, ...] = ()
    """Addresses behind the claim."""
    severity: Severity | None = None
    """None: the rule's own."""
    rule: holds.Term = ""
    """Filled in by judging, like the severity,"""
    fix_by: FixBy | None = None
    """and who can mend it; where a rule says None, its own counts."""
    caused_by: holds.Term | None = None
    """The root finding that explains this one; None for a root."""


@dataclasses.dataclass(frozen=True)
class PossibleAnswer:
    says: str
    """How this cause looks in what the command prints."""
    rule: holds.Term
    """What it would be then."""
    means: str
    """The same in words."""


@dataclasses.dataclass(frozen=True)
class Question:
    """What to find out where a paste leaves the cause open, and what each answer would mean."""

    command: holds.Shell
    answers: tuple[PossibleAnswer, ...]
    about: holds.Term = ""
    """The finding whose cause it splits; empty where nothing was found."""


@dataclasses.dataclass(frozen=True)
class Unchecked:
    """A rule that nobody could check: neither a pass nor a finding."""

    rule: holds.Term
    reason: str
    why: Gap | None = None
    """The same for programs; None in reports before schema 1.2."""
    probe: holds.Term = ""
    """The one that would have had to answer, where there is one."""
    severity: Severity | None = None
    """Of what it would have found."""
