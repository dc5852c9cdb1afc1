"""One node's report, boiled down to what a fleet is judged by. Of thousands, what is equal is read once."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import marshal
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cudacheck import __version__, knowledge
from cudacheck.comparing._order import ALONE, EARLY, LATE, PLACES
from cudacheck.comparing._pairs import UNKNOWN, Side, is_aside, names, told_value, without_places
from cudacheck.judging.gate import REQUIREMENT
from cudacheck.judging.judge import judge
from cudacheck.judging.verdict import verdict
from cudacheck.model import untrusted
from cudacheck.model.facts import MAX_OF_A_TYPE, Facts
from cudacheck.model.findings import Finding, Severity
from cudacheck.model.identity import ALWAYS_ASIDE, Identity, identity
from cudacheck.model.report import Health, Report, State
from cudacheck.probes.chosen import Required
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.host.pci import PciGpu
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.registry import fact_types
from cudacheck.reports.read import ReportError, of_json, of_known_schema, shared
from cudacheck.speed import axes
from cudacheck.speed.runs import spoken

MOST_KEPT = 4096
"""Blocks that are equal on many nodes: types times kinds of nodes."""
MOST_FINDINGS = 100
LONGEST = 300
FOUND = ("findings", "questions", "unchecked", "speed", "requirements")
"""Of a report, what judging its facts tells anew."""
AXES = {"matmul": "matmul", "copy": "memory", "attention": "attention"}
"""By the first word of a case, the axis whose verdict says whether its times can be believed."""

_NO_NAME = re.compile(r"[^\w.:-]+")
"""What no node is called by, and what would be more than one word to a scheduler."""

Item = tuple[str, str]
"""Which of several facts, and one of its fields."""


@dataclass(frozen=True)
class Block:
    """The facts of one type on a node, without what is its own business."""

    kind: str
    complete: bool
    items: dict[Item, Any]
    """A whole fact is True under no field; what is never told of it is not there."""
    dictionaries: frozenset[str]
    """The fields whose entries have an item each: what is not among them is not set."""


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
        for digest, block in _blocks_of(raw):
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


def _items(raw: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    found = raw.get("facts", {}).get(kind, [])
    if not isinstance(found, list):
        raise ReportError(f"report: `facts.{kind[:40]}` is not a list")
    if any(not isinstance(one, dict) for one in found):
        raise ReportError(f"report: an entry of `facts.{kind[:40]}` is not an object")
    return found[:MAX_OF_A_TYPE]


def _texts(raw: Mapping[str, Any], kind: type, field: str) -> list[str]:
    values = (one.get(field) for one in _items(raw, kind.__name__))
    return [value[:LONGEST] for value in values if isinstance(value, str)]


# What must be equal


def _blocks_of(raw: Mapping[str, Any]) -> Iterator[tuple[bytes, Block]]:
    complete = raw.get("complete")
    whole = {name for name in complete if isinstance(name, str)} if isinstance(complete, list) else set()
    gpus = _gpu_numbers(raw)
    places = _places_of(raw)
    for name, kind in fact_types().items():
        told = identity(kind)
        if name not in raw.get("facts", {}) or told.never or not _kept(kind):
            continue
        numbers = gpus if len(told.gpu) > 1 else ()
        yield _told_alike(marshal.dumps(_items(raw, name), 2), name, name in whole, places, numbers)


@shared(512)
def _told_alike(
    packed: bytes, name: str, complete: bool, places: tuple[tuple[str, str], ...], gpus: tuple[tuple[str, int], ...]
) -> tuple[bytes, Block]:
    """What many nodes tell word for word is not looked into again; `_block` is for what is bare of a node's own."""
    kind, numbers = fact_types()[name], dict(gpus)
    items = [_bare(one, _kept(kind), identity(kind), numbers) for one in marshal.loads(packed)]  # noqa: S302 - packed by us
    return _block(marshal.dumps(items, 2), name, complete, places)


def _gpu_numbers(raw: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    """By UUID: what only one node has, is its number on all of them."""
    numbers: dict[str, int] = {}
    for kind in (Gpu, TorchDevice):
        for one in _items(raw, kind.__name__):
            uuid, number = one.get("uuid"), one.get("index")
            if isinstance(uuid, str) and isinstance(number, int):
                numbers.setdefault(uuid, number)
    return tuple(numbers.items())


def _places_of(raw: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What this node's environment calls its folders."""
    wanted = {"Interpreter": ("version", "prefix", "base_prefix", "conda_prefix"), "TorchBuild": ("version", "path")}
    told = {
        kind: {name: one[name] for name in fields if name in one}
        for kind, fields in wanted.items()
        for one in _items(raw, kind)[:1]
    }
    return _places_in(marshal.dumps(told, 2))


@shared(MOST_KEPT)
def _places_in(packed: bytes) -> tuple[tuple[str, str], ...]:
    told = marshal.loads(packed)  # noqa: S302 - we packed it ourselves
    return tuple(Side(Facts(_record(kind, one) for kind, one in told.items())).places)


@lru_cache
def _kept(kind: type) -> frozenset[str]:
    """The fields that are compared, and those without which the fact cannot be read."""
    told = identity(kind)
    fields: Any = dataclasses.fields(kind)
    needed = {f.name for f in fields if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING}
    words = {words for _, words in told.why}
    needed |= words | {"complete"}
    compared = {name for name in names(kind) if not is_aside(name, told) and not is_late(kind, name)}
    return frozenset(compared | (needed & {*names(kind)})) if compared else frozenset()


def is_late(kind: type, field: str) -> bool:
    """Whether it only came of something else: findings tell of that."""
    return PLACES.get((kind, field), PLACES.get((kind, ""), (EARLY, 0)))[0] == LATE


def _bare(one: dict[str, Any], kept: frozenset[str], told: Identity, gpus: Mapping[str, int]) -> dict[str, Any]:
    bare = {name: value for name, value in one.items() if name in kept}
    for name in told.aside + ALWAYS_ASIDE:
        if type(bare.get(name)) in {int, float}:  # needed to read it, and another at each look
            bare[name] = 0
    if len(told.gpu) > 1:
        number, uuid = told.gpu
        if isinstance(bare.get(uuid), str):
            bare[number] = gpus.get(bare[uuid], bare.get(number))
            bare[uuid] = None
    return bare


@shared(MOST_KEPT)
def _block(packed: bytes, name: str, complete: bool, places: tuple[tuple[str, str], ...]) -> tuple[bytes, Block]:
    kind: Any = fact_types()[name]
    told = identity(kind)
    items: dict[Item, Any] = {}
    seen: set[str] = set()
    dictionaries: set[str] = set()
    counts = not told.asked and not is_late(kind, ALONE)
    for one in marshal.loads(packed):  # noqa: S302 - we packed it ourselves
        fact = _record(name, one)
        complete = complete and getattr(fact, "complete", True)
        which = _which(fact, told, places)
        base, number = which, 1
        while which in seen:  # a second of the same key
            number += 1
            which = f"{base} ({number})".strip()
        seen.add(which)
        if counts:
            items[which, ""] = True
        for field in names(kind):
            found = {} if is_late(kind, field) else dict(_of_field(fact, field, which, told, places))
            items.update(found)
            dictionaries |= {field} if isinstance(getattr(fact, field), dict) else set()
    key = repr((name, complete, sorted(items.items(), key=lambda item: item[0]), sorted(dictionaries)))
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return digest, Block(name, complete and counts, items, frozenset(dictionaries))


def _record(name: str, one: dict[str, Any]) -> Any:
    try:
        return untrusted.record(fact_types()[name], one)
    except untrusted.MalformedError as error:
        raise ReportError(f"report: an entry of `facts.{name}` cannot be read: {str(error)[:200]}") from None


def _which(fact: Any, told: Identity, places: tuple[tuple[str, str], ...]) -> str:
    parts = [f"GPU {getattr(fact, told.gpu[0])}"] if told.gpu else []
    named = (without_places(getattr(fact, name), places) for name in told.key)
    return " ".join([*parts, *(str(name) for name in named if name is not None)])


def _of_field(
    fact: Any, field: str, which: str, told: Identity, places: tuple[tuple[str, str], ...]
) -> Iterator[tuple[Item, Any]]:
    skipped = field in told.key or field in told.gpu or is_aside(field, told) or field in {w for _, w in told.why}
    value = UNKNOWN if skipped else without_places(told_value(fact, field, told), places)
    if value is UNKNOWN:
        return
    if isinstance(value, dict):
        for key, entry in value.items():
            yield (f"{which} {key}" if which else key, field), without_places(entry, places)
    else:
        yield (which, field), value


# What was timed


def _timed(raw: Mapping[str, Any], report: Report | None) -> Iterator[Timed]:
    """The quicker attempt of each case on each GPU whose times can be believed."""
    doubtful = _doubtful(raw, report)
    found: dict[str, Timed] = {}
    for one in _items(raw, Measurement.__name__):
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
    """The axes of GPUs that are inconclusive: busy, shared, not settled."""
    if report:
        return {(axis.device_index, axis.axis) for axis in report.speed if axis.health is Health.INCONCLUSIVE}
    stored = raw.get("speed")
    told = [one for one in stored if isinstance(one, dict)] if isinstance(stored, list) else []
    shaky = [one for one in told if one.get("health") == Health.INCONCLUSIVE.value]
    pairs = [(one.get("device_index"), one.get("axis")) for one in shaky]
    return {(gpu, axis) for gpu, axis in pairs if isinstance(gpu, int) and isinstance(axis, str)}
