"""The report: facts and findings of one inspection, as values, as JSON, and back."""

from __future__ import annotations

import dataclasses
import enum
import json
from typing import Any

from cudacheck import __version__, untrusted
from cudacheck.facts import MAX_OF_A_TYPE, Facts
from cudacheck.probes import holds

SCHEMA_VERSION = "1.1"
"""MAJOR.MINOR: fields are added with a new minor; a new major is refused by older readers."""

MAX_BYTES = 16 * 1024 * 1024
"""A report larger than this is not one of ours."""


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
    """Filled in by judging, like the severity."""
    caused_by: holds.Term | None = None
    """The root finding that explains this one; None for a root."""


@dataclasses.dataclass(frozen=True)
class Unchecked:
    rule: holds.Term
    reason: str


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
    cut_short: bool = False
    """The whole run's time (`--timeout`) was over, not a limit of its own: that says nothing of what it examined."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    state: State
    headline: str


@dataclasses.dataclass(frozen=True)
class Report:
    verdict: Verdict
    findings: tuple[Finding, ...]
    unchecked: tuple[Unchecked, ...]
    probes: tuple[ProbeRun, ...]
    facts: Facts
    speed: tuple[Axis, ...] = ()
    """What the measurements say, by GPU and axis; empty where nothing was measured."""
    created: holds.Term = ""
    """ISO 8601, UTC."""
    seconds: float | None = None
    """Wall time of the inspection."""
    cudacheck_version: holds.Term = __version__
    knowledge_date: holds.Term = ""
    """The day on which the tables were last compared with their sources; empty before schema 1.1."""
    schema_version: holds.Term = SCHEMA_VERSION

    def count(self, severity: Severity) -> int:
        return sum(finding.severity is severity for finding in self.findings)


class ReportError(ValueError):
    """A report that cannot be read; the words say why, in one line."""


def as_dict(report: Report) -> dict[str, Any]:
    """The report as JSON-native values, keys in the order of a reader's interest."""
    plain = {field.name: getattr(report, field.name) for field in dataclasses.fields(report)}
    head = ("schema_version", "cudacheck_version", "knowledge_date", "created", "seconds")
    ordered = {key: plain[key] for key in head}
    ordered["verdict"] = dataclasses.asdict(report.verdict)
    for key in ("findings", "unchecked", "speed", "probes"):
        ordered[key] = [dataclasses.asdict(value) for value in plain[key]]
    ordered["facts"] = {
        fact_type.__name__: [dataclasses.asdict(fact) for fact in report.facts.all(fact_type)]
        for fact_type in report.facts.types()
        if fact_type is not ProbeRun
    }
    ordered["complete"] = [t.__name__ for t in report.facts.types() if report.facts.complete(t)]
    return ordered


def dumps(report: Report) -> str:
    return json.dumps(as_dict(report), indent=2, ensure_ascii=False) + "\n"


def loads(text: str) -> Report:
    """Read a report back. Unknown fields and facts are left out: a newer minor version may hold some.

    Raises ReportError with one clear line for anything that is not a report of ours.
    """
    if len(text) > MAX_BYTES:
        raise ReportError(f"larger than {MAX_BYTES // 1024 // 1024} MiB: not a cudacheck report")
    try:
        data = untrusted.parse(text)
    except untrusted.MalformedError as error:
        raise ReportError(str(error)) from None
    if not isinstance(data, dict) or not isinstance(data.get("schema_version"), str):
        raise ReportError("JSON, but not a cudacheck report: it has no schema_version")
    major = data["schema_version"].partition(".")[0]
    if major != SCHEMA_VERSION.partition(".")[0]:
        version = data["schema_version"][:20]
        raise ReportError(f"report of schema {version!r}; this cudacheck reads {SCHEMA_VERSION}: upgrade cudacheck")
    return _Reader(data).report()


def redacted(report: Report) -> Report:
    """The report without what identifies a person or a machine."""
    from cudacheck import redact

    return redact.redacted(report)


def exit_code(report: Report, *, fail_on: str = "error", strict: bool = False) -> int:
    """0: nothing at or above `fail_on`. 1: something is, or `strict` and nothing proves the machine ready."""
    failing = {"error": {Severity.ERROR}, "warning": {Severity.ERROR, Severity.WARNING}, "never": set()}[fail_on]
    if any(finding.severity in failing for finding in report.findings):
        return 1
    return int(strict and report.verdict.state not in {State.READY, State.READY_BUT})


class _Reader:
    """Typed values out of a report's JSON."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data

    def values(self, key: str, cls: type, source: Any = None) -> list[Any]:
        raw = self.data.get(key, []) if source is None else source
        if not isinstance(raw, list):
            raise ReportError(f"report: `{key}` is not a list")
        try:
            # one more than are kept, so that what is left out does not go unnoticed
            return [untrusted.record(cls, item) for item in raw[: MAX_OF_A_TYPE + 1]]
        except untrusted.MalformedError as error:
            raise ReportError(f"report: an entry of `{key}` cannot be read: {str(error)[:200]}") from None

    def report(self) -> Report:
        from cudacheck.registry import fact_types

        raw_facts, complete = self.data.get("facts", {}), self.data.get("complete", [])
        if not isinstance(raw_facts, dict) or not isinstance(complete, list):
            raise ReportError("report: `facts` is not an object or `complete` is not a list")
        types = fact_types()
        facts = Facts(known=[types[name] for name in complete if isinstance(name, str) and name in types])
        for name, items in raw_facts.items():
            if name in types:
                for read in self.values(f"facts.{name}"[:60], types[name], items):
                    facts.add(read)
        verdict = self.values("verdict", Verdict, [self.data.get("verdict")])[0]
        seconds = self.data.get("seconds")
        return Report(
            verdict=verdict,
            findings=tuple(self.values("findings", Finding)),
            unchecked=tuple(self.values("unchecked", Unchecked)),
            probes=tuple(self.values("probes", ProbeRun)),
            facts=facts,
            speed=tuple(self.values("speed", Axis)),
            created=str(self.data.get("created", ""))[:40],
            seconds=float(seconds) if isinstance(seconds, int | float) else None,
            cudacheck_version=str(self.data.get("cudacheck_version", ""))[:40],
            knowledge_date=str(self.data.get("knowledge_date", ""))[:40],
            schema_version=self.data["schema_version"][:20],
        )


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a report, generated from the types; docs/report.schema.json is its copy."""
    from pydantic import TypeAdapter

    from cudacheck.registry import fact_types

    defs: dict[str, Any] = {}

    def ref(cls: type) -> dict[str, Any]:
        schema = TypeAdapter(cls).json_schema(ref_template="#/$defs/{model}", mode="serialization")
        defs.update(schema.pop("$defs", {}))
        defs[cls.__name__] = schema
        return {"$ref": f"#/$defs/{cls.__name__}"}

    def many(cls: type) -> dict[str, Any]:
        return {"type": "array", "items": ref(cls)}

    properties: dict[str, Any] = {
        "schema_version": {"type": "string", "pattern": r"^\d+\.\d+$"},
        "cudacheck_version": {"type": "string"},
        "knowledge_date": {
            "type": "string",
            "description": "when the tables were last compared with their sources",
        },
        "created": {"type": "string", "description": "ISO 8601, UTC"},
        "seconds": {"type": ["number", "null"], "description": "wall time of the inspection"},
        "verdict": ref(Verdict),
        "findings": many(Finding),
        "unchecked": many(Unchecked),
        "speed": many(Axis),
        "probes": many(ProbeRun),
        "facts": {
            "type": "object",
            "description": "facts by type; a type that is absent was not asked for or could not be found out",
            "properties": {name: many(cls) for name, cls in sorted(fact_types().items())},
            "additionalProperties": {"type": "array"},
        },
        "complete": {
            "type": "array",
            "items": {"type": "string"},
            "description": "fact types whose list is whole: an empty one means there is none",
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"cudacheck report, schema {SCHEMA_VERSION}",
        "type": "object",
        "required": [name for name in properties if name != "knowledge_date"],  # which came with 1.1
        "properties": properties,
        "$defs": dict(sorted(defs.items())),
    }
