"""One node's report, boiled down to what a fleet is judged by. Of thousands, what is equal is read once."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cudacheck import __version__, knowledge
from cudacheck.bench import kinds
from cudacheck.comparing.fleet.blocks import MOST_KEPT, Block, blocks_of, items_of
from cudacheck.judging.gate import REQUIREMENT
from cudacheck.judging.judge import judge
from cudacheck.judging.verdict import verdict
from cudacheck.model import untrusted
from cudacheck.model.findings import Finding, Severity
from cudacheck.model.report import Health, Report, State
from cudacheck.probes.chosen import Required
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.host.pci import PciGpu
from cudacheck.probes.host.system import System
from cudacheck.probes.patient.bench_kernels import GpuConditions, LaunchOverhead
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.reports.read import ReportError, of_json, of_known_schema
from cudacheck.speed import axes
from cudacheck.speed.evidence import is_believed
from cudacheck.speed.runs import of as runs_of
from cudacheck.speed.runs import spoken

MOST_FINDINGS = 100
LONGEST = 300
FOUND = ("findings", "questions", "unchecked", "speed", "requirements")
"""Of a report, what judging its facts tells anew."""
AXES = {"matmul": "matmul", "copy": "memory", "attention": "attention"}
"""By the first word of a case, the axis whose verdict says whether its times can be believed."""
KINDS = {"matmul": kinds.MATMUL, "memory": kinds.COPY, "attention": kinds.ATTENTION}
"""By axis, what it was measured with."""
MEASURED = {
    kind.__name__
    for kind in (TorchDevice, Gpu, GpuConditions, LaunchOverhead, Measurement, System, EnvironmentVariables)
}

_NO_NAME = re.compile(r"[^\w.:-]+")
"""What no node is called by, and what would be more than one word to a scheduler."""


@dataclass(frozen=True, slots=True)
class Found:
    rule: str
    severity: Severity
    message: str


@dataclass(frozen=True, slots=True)
class Timed:
    """One case on the GPUs of a node."""

    case: str
    us: dict[int, float]
    """By GPU."""
    work: float | None
    """What is done in it: over its time, the speed in `unit`; None where it is not told."""
    unit: str

    def spoken(self, us: float) -> str:
        """A time as what is moved or computed in it, where that is known."""
        return f"{us:,.1f} µs" if self.work is None else f"{self.work / us:,.0f} {self.unit}"


@dataclass(frozen=True, slots=True)
class NodeSummary:
    source: str
    node: str
    boot_id: str
    created: float | None
    """Seconds since 1970; None where the report does not say."""
    version: str
    schema: str
    state: State
    headline: str
    roots: tuple[Found, ...]
    """What stands for itself, errors first."""
    models: tuple[str, ...]
    """Of its GPUs, in order; empty where it tells of none."""
    devices: tuple[str, ...]
    """What the PCI bus says that they are."""
    blocks: dict[str, bytes]
    """By type the digest of its block."""
    timed: tuple[Timed, ...]


@dataclass(frozen=True)
class Asking:
    """What findings are to be told of each node, where those that its report holds are not enough."""

    ignore: tuple[str, ...] = ()
    require: tuple[str, ...] = ()


@dataclass
class SummaryReader:
    """Reads reports one after the other, and hands out each block once."""

    fresh: dict[bytes, Block] = dataclasses.field(default_factory=dict)
    """Since they were last taken away."""
    known: set[bytes] = dataclasses.field(default_factory=set)

    def read(self, text: str, source: str, name: str, asked: Asking = Asking()) -> NodeSummary:
        """The summary of a report; `name` is what the node is called where the report does not say.

        Raises ReportError with one line for what is no report of ours.
        """
        raw = _parsed(text)
        report = None if asked == Asking() and _is_of_today(raw) else _judged(raw, asked)
        return _summary(raw, report, source, name, self._blocks(raw))

    def taken(self) -> dict[bytes, Block]:
        taken, self.fresh = self.fresh, {}
        return taken

    def _blocks(self, raw: Mapping[str, Any]) -> dict[str, bytes]:
        digests = {}
        for digest, block in blocks_of(raw):
            digests[block.kind] = digest
            if digest not in self.known:
                self.known.add(digest)
                self.fresh[digest] = block
        return digests


def _parsed(text: str) -> dict[str, Any]:
    """JSON that has the form of a report; what is in it is looked at where it is used."""
    try:
        raw = of_known_schema(untrusted.parse(text))
    except untrusted.MalformedError as error:
        raise ReportError(str(error)) from None
    if "verdict" not in raw:
        raise ReportError("JSON, but not a cudacheck report: it has no verdict")
    if not isinstance(raw.get("facts", {}), dict) or not isinstance(raw.get("findings", []), list):
        raise ReportError("report: `facts` is not an object or `findings` is not a list")
    return raw


def _is_of_today(raw: Mapping[str, Any]) -> bool:
    """Whether what it found is what we would find."""
    return (raw.get("cudacheck_version"), raw.get("knowledge_date")) == (__version__, _knowledge_date())


@lru_cache
def _knowledge_date() -> str:
    return knowledge.as_of()


def _judged(raw: dict[str, Any], asked: Asking) -> Report:
    """By today's rules; what the report found by others does not count."""
    report = of_json({**raw, **{kind: [] for kind in FOUND}})
    facts = report.facts
    for fact in (*report.probes, *(Required(spec) for spec in asked.require)):
        facts.add(fact)
    judgement, speed = judge(facts, ignore=asked.ignore), axes.judged(facts)
    return dataclasses.replace(
        report,
        findings=judgement.findings,
        unchecked=judgement.unchecked,
        speed=speed,
        verdict=verdict(facts, judgement.findings, judgement.unchecked, speed),
    )


def _summary(
    raw: Mapping[str, Any], report: Report | None, source: str, name: str, blocks: dict[str, bytes]
) -> NodeSummary:
    subject = raw.get("subject") if isinstance(raw.get("subject"), dict) else {}
    told = str(subject.get("node", ""))[:LONGEST] if subject else ""
    told_verdict = raw["verdict"] if isinstance(raw["verdict"], dict) else {}
    try:
        state = report.verdict.state if report else State(str(told_verdict.get("state")))
    except ValueError:
        raise ReportError("report: its verdict cannot be read") from None
    return NodeSummary(
        source=source,
        # A redacted report calls every machine <host-1>.
        node=_NO_NAME.sub("_", told if told and not told.startswith("<") else name)[:LONGEST],
        boot_id=str(subject.get("boot_id", ""))[:60] if subject else "",
        created=_seconds(raw.get("created")),
        version=str(raw.get("cudacheck_version", ""))[:40],
        schema=raw["schema_version"][:20],
        state=state,
        headline=(report.verdict.headline if report else str(told_verdict.get("headline", "")))[:LONGEST],
        roots=tuple(_roots(report.findings) if report else _stored_roots(raw)),
        models=tuple(_texts(raw, Gpu, "name") or _texts(raw, TorchDevice, "name")),
        devices=tuple(_texts(raw, PciGpu, "device_id")),
        blocks=blocks,
        timed=tuple(_timed(raw, report)),
    )


def _stored_roots(raw: Mapping[str, Any]) -> Iterator[Found]:
    """What the report found; evidence and remedies are the node's own business."""
    for found in raw.get("findings", ())[:MOST_FINDINGS]:
        try:
            told = {name: found[name] for name in ("rule", "severity", "message", "caused_by")}
            finding = untrusted.record(Finding, told)
        except (untrusted.MalformedError, TypeError, KeyError) as error:
            raise ReportError(f"report: a finding cannot be read: {str(error)[:200]}") from None
        yield from _roots([finding])


def _roots(findings: Collection[Finding]) -> Iterator[Found]:
    for finding in findings:
        if finding.caused_by is None or finding.rule == REQUIREMENT:
            yield Found(finding.rule[:80], finding.severity or Severity.NOTE, finding.message[:LONGEST])


def _seconds(created: Any) -> float | None:
    try:
        moment = datetime.datetime.fromisoformat(str(created))
        return moment.replace(tzinfo=moment.tzinfo or datetime.UTC).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _texts(raw: Mapping[str, Any], kind: type, field: str) -> list[str]:
    values = (one.get(field) for one in items_of(raw, kind.__name__))
    return [value[:LONGEST] for value in values if isinstance(value, str)]


# What was timed


def _timed(raw: Mapping[str, Any], report: Report | None) -> Iterator[Timed]:
    """The quicker attempt of each case on each GPU whose times can be believed."""
    doubtful = _doubtful(raw, report)
    found: dict[str, Timed] = {}
    for one in items_of(raw, Measurement.__name__):
        gpu, us, named = one.get("device_index"), one.get("median_us"), _name_of(one)
        if named is None or type(gpu) is not int or not isinstance(us, (int, float)) or one.get("ok") is False:
            continue
        case, axis, figure, unit = named
        if us > 0 and (gpu, axis) not in doubtful:
            speed = one.get(figure)
            work = speed * us if type(speed) is float else None
            times = found.setdefault(case, Timed(case, {}, work, unit)).us
            times[gpu] = min(float(us), times.get(gpu, float(us)))
    yield from found.values()


def _name_of(one: Mapping[str, Any]) -> tuple[str, str, str, str] | None:
    words = tuple(one.get(name) for name in ("case", "dtype", "shape", "backend"))
    if any(not isinstance(word, str) for word in words[:3]) or not isinstance(words[3], (str, type(None))):
        return None
    return _named_case(*(word and word[:LONGEST] for word in words))


@lru_cache(maxsize=MOST_KEPT)
def _named_case(case: str, dtype: str, shape: str, backend: str | None) -> tuple[str, str, str, str] | None:
    """In words; the axis that says whether it can be believed; the field that says how much that is, and its unit."""
    axis = AXES.get(case.partition(" ")[0])
    if axis is None or "new length" in case:  # at a new length the host is timed
        return None
    words = spoken(Measurement(case, dtype, shape, 0, backend=backend))
    words = f"{case} {words}" if case == "matmul" else words
    return words, axis, *(("gb_per_s", "GB/s") if case == "copy" else ("tflops", "TFLOP/s"))


def _doubtful(raw: Mapping[str, Any], report: Report | None) -> set[tuple[int, str]]:
    """The axes of GPUs whose times say nothing: busy, shared, not settled.

    That an axis is inconclusive is not enough: nobody may know what this model should reach.
    """
    shaky = {(gpu, axis) for gpu, axis in _inconclusive(raw, report) if axis in KINDS}
    if not shaky:
        return set()
    facts = report.facts if report else of_json(_measured_in(raw)).facts
    runs = {run.device.index: run for run in runs_of(facts)}
    return {(gpu, axis) for gpu, axis in shaky if gpu not in runs or not is_believed(runs[gpu], KINDS[axis])}


def _inconclusive(raw: Mapping[str, Any], report: Report | None) -> set[tuple[Any, Any]]:
    if report:
        return {(axis.device_index, axis.axis) for axis in report.speed if axis.health is Health.INCONCLUSIVE}
    stored = raw.get("speed")
    told = [one for one in stored if isinstance(one, dict)] if isinstance(stored, list) else []
    shaky = [one for one in told if one.get("health") == Health.INCONCLUSIVE.value]
    return {(one.get("device_index"), str(one.get("axis"))) for one in shaky if type(one.get("device_index")) is int}


def _measured_in(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The report without what says nothing of its times."""
    facts = {name: items for name, items in raw.get("facts", {}).items() if name in MEASURED}
    return {**raw, **{kind: [] for kind in FOUND}, "facts": facts}
