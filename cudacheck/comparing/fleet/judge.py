"""All nodes of a fleet → who fails, who is other, who is slow, who is missing. Pure: reports in, one value out."""

from __future__ import annotations

import dataclasses
import enum
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cudacheck.comparing.fleet.blocks import Block
from cudacheck.comparing.fleet.groups import NodeGroup, Outlier, grouped, judge_group
from cudacheck.comparing.fleet.slow import Resolution, SlowGpu, slow_gpus
from cudacheck.comparing.fleet.summary import NodeSummary
from cudacheck.judging.gate import REQUIREMENT
from cudacheck.model.findings import Severity
from cudacheck.model.report import State

MAX_AGE_S = 24 * 3600.0
CLOCK_S = 3600.0
"""A report from farther in the future has another clock than ours."""
ORDER = list(Severity)


@dataclass(frozen=True)
class Broken:
    """Something that should have been a report."""

    source: str
    why: str


@dataclass(frozen=True)
class Expected:
    """The nodes that should have reported: their names, or only how many there are."""

    names: tuple[str, ...] = ()
    count: int = 0
    why: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """By node, where something is known of why it has not."""


@dataclass(frozen=True)
class FleetFinding:
    rule: str
    severity: Severity
    message: str
    """As on the first of the nodes."""
    nodes: tuple[str, ...]
    messages: int
    """So many different ones there are."""


@dataclass(frozen=True)
class Aged:
    node: str
    hours: float
    """Behind the newest report, or ahead of our clock."""


@dataclass(frozen=True)
class Double:
    """A node that reported several times: its newest report counts."""

    node: str
    kept: str
    left: tuple[str, ...]
    machines: int
    """So many machines, by what each start of a kernel is called; more than one may be a restart, or two of a name."""


@dataclass(frozen=True)
class Judged:
    """A group with what was measured on its GPUs."""

    group: NodeGroup
    slow: tuple[SlowGpu, ...]
    resolutions: tuple[Resolution, ...]


@dataclass(frozen=True)
class Fleet:
    nodes: tuple[NodeSummary, ...]
    """The newest report of each, stale ones left out."""
    groups: tuple[Judged, ...]
    findings: tuple[FleetFinding, ...]
    missing: tuple[str, ...]
    why_missing: Mapping[str, str]
    """By node, as far as it is known."""
    unnamed: int
    """So many more are missing, of which only the number is known."""
    unexpected: tuple[str, ...]
    stale: tuple[Aged, ...]
    ahead: tuple[Aged, ...]
    doubles: tuple[Double, ...]
    broken: tuple[Broken, ...]
    versions: Mapping[str, int]
    """Nodes by the cudacheck that inspected them."""
    schemas: Mapping[str, int]

    @property
    def outliers(self) -> tuple[Outlier, ...]:
        return tuple(outlier for judged in self.groups for outlier in judged.group.outliers)

    @property
    def slow(self) -> tuple[SlowGpu, ...]:
        return tuple(gpu for judged in self.groups for gpu in judged.slow)

    @property
    def failing(self) -> tuple[str, ...]:
        """Nodes with an error, or on which a requirement is not fulfilled or could not be checked."""
        unfulfilled = {node for finding in self.findings if finding.rule == REQUIREMENT for node in finding.nodes}
        return tuple(sorted({*self.nodes_with(Severity.ERROR), *unfulfilled}))

    def nodes_with(self, severity: Severity) -> tuple[str, ...]:
        found = {node for finding in self.findings if finding.severity is severity for node in finding.nodes}
        return tuple(sorted(found))

    @property
    def bad(self) -> tuple[str, ...]:
        """Where nothing should be run: nodes that fail, are missing, or have a GPU that is slow."""
        return tuple(sorted({*self.failing, *self.missing, *(gpu.node for gpu in self.slow)}))


class Level(enum.IntEnum):
    """How bad a fleet is: what its exit code hangs on."""

    FINE = 0
    NOT_PROVEN = 1
    DEVIATING = 2
    """Warnings, deviants, slow GPUs."""
    FAILING = 3


def level_of(fleet: Fleet) -> Level:
    if fleet.failing or fleet.missing or fleet.unnamed or fleet.broken or not fleet.nodes:
        return Level.FAILING
    if fleet.nodes_with(Severity.WARNING) or fleet.outliers or fleet.slow or fleet.unexpected:
        return Level.DEVIATING
    return Level.FINE if is_proven(fleet) else Level.NOT_PROVEN


def is_proven(fleet: Fleet) -> bool:
    """Whether every node was seen to be ready, lately, and none is of two equal halves."""
    ready = all(node.state in {State.READY, State.READY_BUT} for node in fleet.nodes)
    return ready and not fleet.stale and not any(judged.group.splits for judged in fleet.groups)


def judge_fleet(
    summaries: Iterable[NodeSummary],
    blocks: Mapping[bytes, Block],
    broken: Iterable[Broken] = (),
    expected: Expected | None = None,
    *,
    now_s: float,
    max_age_s: float = MAX_AGE_S,
) -> Fleet:
    """What all of them add up to. `blocks` holds what the summaries name by digest; `now_s` counts since 1970."""
    newest, doubles = _newest(summaries)
    fresh, stale, ahead = _by_age(newest, now_s, max_age_s)
    groups = grouped(fresh)
    judged = []
    for group in groups:
        judge_group(group, blocks)
        slow, resolutions = slow_gpus(group.nodes)
        judged.append(Judged(group, tuple(slow), tuple(resolutions)))
    missing, unnamed, unexpected = _expected(newest, expected)
    return Fleet(
        nodes=tuple(fresh),
        groups=tuple(judged),
        findings=tuple(_findings(fresh)),
        missing=missing,
        why_missing={node: expected.why[node] for node in missing if node in expected.why} if expected else {},
        unnamed=unnamed,
        unexpected=unexpected,
        stale=stale,
        ahead=ahead,
        doubles=doubles,
        broken=tuple(broken),
        versions=Counter(node.version for node in newest),
        schemas=Counter(node.schema for node in newest),
    )


def _newest(summaries: Iterable[NodeSummary]) -> tuple[list[NodeSummary], tuple[Double, ...]]:
    """One report a node; where two are as new, the one that was read last."""
    of_node: dict[str, list[NodeSummary]] = {}
    for summary in summaries:
        of_node.setdefault(summary.node, []).append(summary)
    doubles = []
    newest = []
    for node, several in sorted(of_node.items()):
        *left, kept = sorted(several, key=lambda summary: summary.created or 0.0)
        newest.append(kept)
        if left:
            boots = {summary.boot_id for summary in several}
            doubles.append(Double(node, kept.source, tuple(summary.source for summary in left), len(boots)))
    return newest, tuple(doubles)


def _by_age(
    nodes: Sequence[NodeSummary], now_s: float, max_age_s: float
) -> tuple[list[NodeSummary], tuple[Aged, ...], tuple[Aged, ...]]:
    """Those to be judged, those that are too old, and those whose clock is ahead, which makes no other old."""
    dated = [(node, node.created) for node in nodes if node.created is not None]
    ahead = {node.node: created - now_s for node, created in dated if created > now_s + CLOCK_S}
    newest = max((created for node, created in dated if node.node not in ahead), default=now_s)
    stale = {node.node: newest - created for node, created in dated if created < newest - max_age_s}
    fresh = [node for node in nodes if node.node not in stale]
    return fresh, _aged(stale), _aged(ahead)


def _aged(seconds: Mapping[str, float]) -> tuple[Aged, ...]:
    return tuple(Aged(node, round(s / 3600, 1)) for node, s in seconds.items())


def _expected(nodes: Sequence[NodeSummary], expected: Expected | None) -> tuple[tuple[str, ...], int, tuple[str, ...]]:
    """Missing by name, how many more are, and who was not expected. `a.b` and `a` are one node."""
    if expected is None:
        return (), 0, ()
    there = {_short(node.node): node.node for node in nodes}
    if not expected.names:
        return (), max(0, expected.count - len(nodes)), ()
    wanted = {_short(name): name for name in expected.names}
    missing = tuple(sorted(name for short, name in wanted.items() if short not in there))
    return missing, 0, tuple(sorted(name for short, name in there.items() if short not in wanted))


def _short(node: str) -> str:
    """Without its domain; the last part of an address is a number, which no domain ends in."""
    host, _, domain = node.lower().partition(".")
    return node if domain.rpartition(".")[2].isdecimal() else host


def _findings(nodes: Sequence[NodeSummary]) -> list[FleetFinding]:
    """Each rule once with the nodes that it speaks of: errors first, then what most nodes share."""
    found: dict[tuple[str, Severity], list[tuple[str, str]]] = {}
    for node in nodes:
        for root in node.roots:
            found.setdefault((root.rule, root.severity), []).append((node.node, root.message))
    told = [
        FleetFinding(rule, severity, of[0][1], tuple(node for node, _ in of), len({message for _, message in of}))
        for (rule, severity), of in found.items()
    ]
    return sorted(told, key=lambda finding: (ORDER.index(finding.severity), -len(finding.nodes), finding.rule))
