"""A fleet as `cudacheck fleet judge --format json` prints it; docs/fleet.schema.json describes it. And what changed."""

from __future__ import annotations

import dataclasses
from typing import Any

from cudacheck import __version__
from cudacheck.comparing.fleet.groups import Outlier
from cudacheck.comparing.fleet.judge import Aged, Broken, Double, Fleet, FleetFinding, level_of
from cudacheck.comparing.fleet.slow import Resolution, SlowGpu
from cudacheck.model import untrusted
from cudacheck.model.report import State

SCHEMA_VERSION = "1.0"
"""Of this document: within a major, fields are only added."""


@dataclasses.dataclass(frozen=True)
class NodeLine:
    node: str
    group: str
    state: State
    headline: str
    source: str
    created: float | None
    """Seconds since 1970."""
    cudacheck_version: str


@dataclasses.dataclass(frozen=True)
class SplitLine:
    what: str
    values: dict[str, tuple[str, ...]]
    """Nodes by what they have: none of them is the majority."""


@dataclasses.dataclass(frozen=True)
class GroupLine:
    name: str
    """The models of its GPUs."""
    nodes: tuple[str, ...]
    typical: dict[str, str]
    splits: tuple[SplitLine, ...]
    resolutions: tuple[Resolution, ...]


@dataclasses.dataclass(frozen=True)
class Said:
    """Something that is, or was, said of nodes."""

    what: str
    nodes: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class FleetChanges:
    """Since an earlier document."""

    new: tuple[Said, ...]
    gone: tuple[Said, ...]


@dataclasses.dataclass(frozen=True)
class FleetDocument:
    schema_version: str
    cudacheck_version: str
    level: str
    """`fine`, `not-proven`, `deviating`, `failing`."""
    nodes: tuple[NodeLine, ...]
    groups: tuple[GroupLine, ...]
    """Of one kind of GPU each, the largest first."""
    findings: tuple[FleetFinding, ...]
    outliers: tuple[Outlier, ...]
    slow: tuple[SlowGpu, ...]
    missing: tuple[str, ...]
    why_missing: dict[str, str]
    """By node, as far as it is known."""
    missing_unnamed: int
    """So many more are missing, where only a number was expected."""
    unexpected: tuple[str, ...]
    stale: tuple[Aged, ...]
    clocks_ahead: tuple[Aged, ...]
    doubles: tuple[Double, ...]
    broken: tuple[Broken, ...]
    new: tuple[Said, ...] = ()
    """With --since: what is said now and was not."""
    gone: tuple[Said, ...] = ()


@dataclasses.dataclass(frozen=True)
class Told:
    """A fleet, and what changed since an earlier document of it."""

    fleet: Fleet
    since: str = ""
    """What that document is called."""
    changes: FleetChanges | None = None


def document(told: Told) -> FleetDocument:
    fleet = told.fleet
    group_of = {node.node: judged.group.name for judged in fleet.groups for node in judged.group.nodes}
    return FleetDocument(
        schema_version=SCHEMA_VERSION,
        cudacheck_version=__version__,
        level=level_of(fleet).name.lower().replace("_", "-"),
        nodes=tuple(
            NodeLine(n.node, group_of[n.node], n.state, n.headline, n.source, n.created, n.version) for n in fleet.nodes
        ),
        groups=tuple(
            GroupLine(
                judged.group.name,
                tuple(node.node for node in judged.group.nodes),
                judged.group.typical,
                tuple(SplitLine(split.what, split.values) for split in judged.group.splits),
                judged.resolutions,
            )
            for judged in fleet.groups
        ),
        findings=fleet.findings,
        outliers=fleet.outliers,
        slow=fleet.slow,
        missing=fleet.missing,
        why_missing={**fleet.why_missing},
        missing_unnamed=fleet.unnamed,
        unexpected=fleet.unexpected,
        stale=fleet.stale,
        clocks_ahead=fleet.ahead,
        doubles=fleet.doubles,
        broken=fleet.broken,
        new=told.changes.new if told.changes else (),
        gone=told.changes.gone if told.changes else (),
    )


def json_schema() -> dict[str, Any]:
    """Generated from the types; docs/fleet.schema.json is its copy."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(FleetDocument).json_schema(mode="serialization")
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **schema, "title": f"cudacheck fleet, schema {SCHEMA_VERSION}"}


class DocumentError(ValueError):
    """A fleet's document that cannot be read; the words say why, in one line."""


def loads(text: str) -> FleetDocument:
    """Raises DocumentError with one line."""
    try:
        raw = untrusted.parse(text)
        if not isinstance(raw, dict) or "groups" not in raw or not isinstance(raw.get("schema_version"), str):
            raise DocumentError("not what `cudacheck fleet judge --format json` prints")
        if raw["schema_version"].partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
            version = raw["schema_version"][:20]
            raise DocumentError(f"of schema {version!r}; this cudacheck reads {SCHEMA_VERSION}: upgrade cudacheck")
        read: FleetDocument = untrusted.record(FleetDocument, raw)
    except untrusted.MalformedError as error:
        raise DocumentError(str(error)) from None
    return read


def changes(before: FleetDocument, now: FleetDocument) -> FleetChanges:
    """What is said now and was not, and the other way round, each with its nodes; of the same nodes once."""
    told, was = _said(now), _said(before)
    return FleetChanges(_only(told, was), _only(was, told))


def _only(these: dict[str, set[str]], those: dict[str, set[str]]) -> tuple[Said, ...]:
    found = ((what, nodes - those.get(what, set())) for what, nodes in these.items())
    return tuple(Said(what, tuple(sorted(nodes))) for what, nodes in found if nodes)


def _said(fleet: FleetDocument) -> dict[str, set[str]]:
    """Nodes by what is said of them."""
    said: dict[str, set[str]] = {}
    for finding in fleet.findings:
        said.setdefault(finding.rule, set()).update(finding.nodes)
    for outlier in fleet.outliers:
        said.setdefault(f"{outlier.what}: {outlier.found}", set()).add(outlier.node)
    for gpu in fleet.slow:
        said.setdefault(f"GPU {gpu.gpu} slow", set()).add(gpu.node)
    for what, nodes in (
        ("missing", fleet.missing),
        ("stale", tuple(aged.node for aged in fleet.stale)),
        ("in the fleet", tuple(node.node for node in fleet.nodes)),
    ):
        said.setdefault(what, set()).update(nodes)
    return said
