"""The facts of a node as blocks, one for each type: what must be equal on all nodes, bare of what is a node's own."""

from __future__ import annotations

import dataclasses
import hashlib
import marshal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cudacheck.comparing._order import ALONE, EARLY, LATE, PLACES
from cudacheck.comparing._pairs import UNKNOWN, Side, is_aside, names, told_value, without_places
from cudacheck.model import untrusted
from cudacheck.model.facts import MAX_OF_A_TYPE, Facts
from cudacheck.model.identity import ALWAYS_ASIDE, Identity, identity
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.registry import fact_types
from cudacheck.reports.read import ReportError, shared

MOST_KEPT = 4096
"""Of what is equal on many nodes: types times kinds of nodes."""

Places = tuple[tuple[str, str], ...]
"""Folders that only this node's environment has, and what they are called on all."""

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


def blocks_of(raw: Mapping[str, Any]) -> Iterator[tuple[bytes, Block]]:
    complete = raw.get("complete")
    whole = {name for name in complete if isinstance(name, str)} if isinstance(complete, list) else set()
    gpus = _gpu_numbers(raw)
    places = _places_of(raw)
    for name, kind in fact_types().items():
        told = identity(kind)
        if name not in raw.get("facts", {}) or told.never or not _kept(kind):
            continue
        numbers = gpus if len(told.gpu) > 1 else ()
        yield _told_alike(marshal.dumps(items_of(raw, name), 2), name, name in whole, places, numbers)


@shared(512)
def _told_alike(
    packed: bytes, name: str, complete: bool, places: Places, gpus: tuple[tuple[str, int], ...]
) -> tuple[bytes, Block]:
    """What many nodes tell word for word is not looked into again; `_block` is for what is bare of a node's own."""
    kind, numbers = fact_types()[name], dict(gpus)
    items = [_bare(one, _kept(kind), identity(kind), numbers) for one in marshal.loads(packed)]  # noqa: S302 - packed by us
    return _block(marshal.dumps(items, 2), name, complete, places)


def _gpu_numbers(raw: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    """By UUID: what only one node has, is its number on all of them."""
    numbers: dict[str, int] = {}
    for kind in (Gpu, TorchDevice):
        for one in items_of(raw, kind.__name__):
            uuid, number = one.get("uuid"), one.get("index")
            if isinstance(uuid, str) and isinstance(number, int):
                numbers.setdefault(uuid, number)
    return tuple(numbers.items())


def _places_of(raw: Mapping[str, Any]) -> Places:
    """What this node's environment calls its folders."""
    wanted = {"Interpreter": ("version", "prefix", "base_prefix", "conda_prefix"), "TorchBuild": ("version", "path")}
    told = {
        kind: {name: one[name] for name in fields if name in one}
        for kind, fields in wanted.items()
        for one in items_of(raw, kind)[:1]
    }
    return _places_in(marshal.dumps(told, 2))


@shared(MOST_KEPT)
def _places_in(packed: bytes) -> Places:
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
def _block(packed: bytes, name: str, complete: bool, places: Places) -> tuple[bytes, Block]:
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


def _which(fact: Any, told: Identity, places: Places) -> str:
    parts = [f"GPU {getattr(fact, told.gpu[0])}"] if told.gpu else []
    named = (without_places(getattr(fact, name), places) for name in told.key)
    return " ".join([*parts, *(str(name) for name in named if name is not None)])


def _of_field(fact: Any, field: str, which: str, told: Identity, places: Places) -> Iterator[tuple[Item, Any]]:
    skipped = field in told.key or field in told.gpu or is_aside(field, told) or field in {w for _, w in told.why}
    value = UNKNOWN if skipped else without_places(told_value(fact, field, told), places)
    if value is UNKNOWN:
        return
    if isinstance(value, dict):
        for key, entry in value.items():
            yield (f"{which} {key}" if which else key, field), without_places(entry, places)
    else:
        yield (which, field), value


def items_of(raw: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    found = raw.get("facts", {}).get(kind, [])
    if not isinstance(found, list):
        raise ReportError(f"report: `facts.{kind[:40]}` is not a list")
    if any(not isinstance(one, dict) for one in found):
        raise ReportError(f"report: an entry of `facts.{kind[:40]}` is not an object")
    return found[:MAX_OF_A_TYPE]
