"""The report of one inspection, as values."""

from __future__ import annotations

import dataclasses
import enum

from cudacheck.model import holds
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Finding, Question, Severity, Unchecked
from cudacheck.model.identity import Identity

SCHEMA_VERSION = "1.3"
"""MAJOR.MINOR: fields are added with a new minor; a new major is refused by older readers."""


class Outcome(enum.StrEnum):
    OK = "ok"
    FAILED = "failed"
    """It raised."""
    CRASHED = "crashed"
    """A signal, or an exit before the end line."""
    TIMED_OUT = "timed-out"
    """Its whole process group was killed."""
    STUCK = "stuck"
    """It survived SIGKILL for two seconds: in the kernel."""
    SKIPPED = "skipped"


class State(enum.StrEnum):
    READY = "ready"
    READY_BUT = "ready-but"
    """A kernel ran and was right on every visible GPU, with warnings."""
    NOT_PROVEN = "not-proven"
    BROKEN = "broken"


class Health(enum.StrEnum):
    """Of one axis of a GPU's speed."""

    HEALTHY = "healthy"
    SLOW_PATH = "slow path"
    """Software could do better: another kernel, setting or build."""
    DEGRADED = "degraded"
    """The hardware gives less than it should: heat, power, clocks, memory."""
    WRONG = "wrong"
    """A result was not right; that outranks any speed."""
    INCONCLUSIVE = "inconclusive"
    """Busy, shared, not settled or not known: no fault, and no proof."""


@dataclasses.dataclass(frozen=True)
class Axis:
    """One axis of one GPU's speed, judged."""

    device_index: int
    axis: holds.Term
    """`correctness`, `matmul`, `memory`, `attention`, `new lengths`, `launch`, `clocks`."""
    health: Health
    reasons: tuple[str, ...] = ()
    """One line each, what decides first."""
    shares: dict[holds.Term, float] = dataclasses.field(default_factory=dict)
    """Of what decides, over each peak that is known: `datasheet`, `clock` (at the clock measured), `achieved` (the
    best known on this model), `siblings`."""


@dataclasses.dataclass(frozen=True)
class ProbeRun:
    """How one probe ended. A fact like any other: rules may ask for them."""

    probe: holds.Term
    child: holds.Term
    outcome: Outcome
    seconds: float | None = None
    detail: str = ""
    """One line: the exception, the signal, the deadline, or why it was skipped."""
    log: str = ""
    """What the child printed last, or its traceback; for a support ticket."""
    waited_for: holds.Term = ""
    """The probe without whose end this one could not begin, where that is why it was skipped."""
    cut_short: bool = False
    """The whole run was over: its time (`--timeout`), or, where it was skipped, by Ctrl-C. That says nothing of what it
    examined."""

    IDENTITY = Identity(never=True)


class Fulfilment(enum.StrEnum):
    """What became of a requirement."""

    FULFILLED = "fulfilled"
    UNMET = "unmet"
    UNCHECKED = "unchecked"
    """Nobody could tell: it never counts as fulfilled."""


@dataclasses.dataclass(frozen=True)
class RequirementResult:
    """One requirement, checked."""

    spec: holds.Term
    state: Fulfilment
    said: str
    """One line: what there is, or why nobody could tell."""
    found_in: holds.FreeText = ""
    """Where it was asked for."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    state: State
    headline: str
    not_judged: tuple[str, ...] = ()
    """The axes of speed that were measured and are inconclusive, each with its reason; the headline says it shortly."""


@dataclasses.dataclass(frozen=True)
class Subject:
    """Whom a report is about; empty where a paste does not say."""

    node: holds.Host = ""
    """The machine's name."""
    boot_id: holds.Uuid = ""
    """Of the running kernel: two reports with the same are of one machine between two starts."""


@dataclasses.dataclass(frozen=True)
class Report:
    verdict: Verdict
    findings: tuple[Finding, ...]
    unchecked: tuple[Unchecked, ...]
    probes: tuple[ProbeRun, ...]
    facts: Facts
    questions: tuple[Question, ...] = ()
    """What would decide where a paste leaves the cause open, the shortest answer first; empty before schema 1.3."""
    speed: tuple[Axis, ...] = ()
    """What the measurements say, by GPU and axis; empty where nothing was measured."""
    requirements: tuple[RequirementResult, ...] = ()
    """What was required, each checked; the findings `requirement-failed` tell of those that are not fulfilled."""
    subject: Subject = Subject()
    created: holds.Term = ""
    """ISO 8601, UTC."""
    seconds: float | None = None
    """Wall time of the inspection."""
    cudacheck_version: holds.Term = ""
    knowledge_date: holds.Term = ""
    """The day on which the tables were last compared with their sources; empty before schema 1.1."""
    schema_version: holds.Term = SCHEMA_VERSION

    def count(self, severity: Severity) -> int:
        return sum(finding.severity is severity for finding in self.findings)
