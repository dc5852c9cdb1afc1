"""Which fact of one machine stands where which of the other stood, and what of the two is otherwise."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cudacheck.comparing.difference import Difference
from cudacheck.model.facts import Facts
from cudacheck.model.identity import ALWAYS_ASIDE, Identity, identity
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.probes.patient.torch_files import TorchBuild

UNKNOWN = object()
LONGEST_NAME = 100
"""A message is no name."""
MOST_PLACES = 20
"""An environment and what it stands on have a handful."""
ENVIRONMENT = "<environment>"
SITE = "<site-packages>"


@dataclass(frozen=True)
class Changed:
    """A difference together with the facts that it was found in."""

    told: Difference
    kind: type
    before: Any
    """None: there is none."""
    after: Any
    aside: bool = False
    """Of a field that is not compared for its own sake: only shown where a finding rests on it."""
    entry: str | None = None
    """Of a field that is a dictionary."""


class Side:
    """One machine's facts, and what in them is only how that machine calls its own."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.places = _places(facts)
        self.gpus: dict[str, int] = {}
        """By UUID the number of the first machine's GPU that it stands for."""

    def plain(self, value: Any) -> Any:
        return without_places(value, self.places)

    def which(self, fact: Any, told: Identity) -> tuple[Any, ...]:
        """What must be the same for two facts to be about the same thing."""
        return (self.gpu(fact, told), *(self.plain(getattr(fact, name)) for name in told.key))

    def gpu(self, fact: Any, told: Identity) -> int | None:
        if not told.gpu:
            return None
        number: int
        number, *uuid = (getattr(fact, name) for name in told.gpu)
        return self.gpus.get(uuid[0], number) if uuid else number


def without_places(value: Any, places: Sequence[tuple[str, str]]) -> Any:
    """A value without the folders that only one machine's environment has."""
    if isinstance(value, str):
        for place, name in places:
            if place in value:
                value = value.replace(place, name)
        return value
    return tuple(without_places(one, places) for one in value) if isinstance(value, (tuple, list)) else value


def _places(facts: Facts) -> list[tuple[str, str]]:
    """The longest first: folders within folders. A system's own Python lives in /usr, which is nobody's environment."""
    build, python = facts.one(TorchBuild), facts.one(Interpreter)
    sites = {fact.location for fact in facts.all(Distribution) if fact.location}
    if build and build.path:
        sites.add(build.path.rpartition("/")[0])
    named = dict.fromkeys(filter(_is_deep, sites), SITE)
    if python and python.prefix and python.prefix != python.base_prefix:
        named[python.prefix] = ENVIRONMENT
    if python and python.conda_prefix:
        named[python.conda_prefix] = ENVIRONMENT
    return sorted(((k, v) for k, v in named.items() if _is_deep(k)), key=lambda item: -len(item[0]))[:MOST_PLACES]


def _is_deep(path: str) -> bool:
    return path.count("/") > 1


def match_gpus(a: Side, b: Side) -> None:
    """Number each GPU of both by the first machine's: by UUID where they share any, else by place."""
    kinds: tuple[Any, ...] = (Gpu, TorchDevice)
    for kind in kinds:
        ours = {fact.uuid: fact.index for fact in a.facts.all(kind) if fact.uuid}
        theirs = {fact.uuid: fact.index for fact in b.facts.all(kind) if fact.uuid}
        shared = ours.keys() & theirs.keys()
        free = sorted((n, u) for u, n in ours.items() if u not in shared)
        for uuid, number in ours.items():
            a.gpus.setdefault(uuid, number)
        for uuid in shared:
            b.gpus.setdefault(uuid, a.gpus[uuid])
        others = [uuid for _, uuid in sorted((n, u) for u, n in theirs.items() if u not in shared)]
        taken = set(a.gpus.values())
        beyond = (number for number in itertools.count() if number not in taken)
        for uuid, (_, twin) in zip(others, free, strict=False):
            b.gpus.setdefault(uuid, a.gpus[twin])
        for uuid in others[len(free) :]:
            b.gpus.setdefault(uuid, next(beyond))


def pairs(kind: type, a: Side, b: Side) -> Iterator[tuple[Any, Any]]:
    """Facts about the same thing, and those that only one has, beside None."""
    told = identity(kind)
    ours, theirs = _grouped(kind, a, told), _grouped(kind, b, told)
    for which in [*ours, *(w for w in theirs if w not in ours)]:
        yield from _matched(ours.get(which, []), theirs.get(which, []), told, a, b)


def _grouped(kind: type, side: Side, told: Identity) -> dict[tuple[Any, ...], list[Any]]:
    groups: dict[tuple[Any, ...], list[Any]] = {}
    facts: Sequence[Any] = side.facts.all(kind)
    for fact in facts:
        groups.setdefault(side.which(fact, told), []).append(fact)
    return groups


def _matched(ours: list[Any], theirs: list[Any], told: Identity, a: Side, b: Side) -> Iterator[tuple[Any, Any]]:
    """By their finer keys; what is left over, in order."""
    of_finer: dict[tuple[Any, ...], list[Any]] = {}
    for fact in reversed(theirs):
        of_finer.setdefault(_finer(fact, told, b), []).append(fact)
    lone = []
    for fact in ours:
        twins = of_finer.get(_finer(fact, told, a))
        if twins:
            yield fact, twins.pop()
        else:
            lone.append(fact)
    left = {id(fact) for twins in of_finer.values() for fact in twins}
    yield from itertools.zip_longest(lone, (fact for fact in theirs if id(fact) in left))


def _finer(fact: Any, told: Identity, side: Side) -> tuple[Any, ...]:
    return tuple(side.plain(getattr(fact, name)) for name in told.finer)


def changes(kind: type, a: Side, b: Side) -> tuple[list[Changed], int, int]:
    """What is otherwise in the facts of a type, how many facts are the same, and how many only one side knows of."""
    told = identity(kind)
    found: list[Changed] = []
    same = unknown = 0
    for before, after in pairs(kind, a, b):
        if before is not None and after is not None:
            these = [*_fields(kind, told, before, after, a, b)]
            found += these
            same += all(change.aside for change in these)
        elif (a if before is None else b).facts.is_complete(kind) and not told.asked and not told.never:
            found.append(_lone(kind, told, before, after, a, b))
        else:
            unknown += not told.never
    return found, same, unknown


def _lone(kind: type, told: Identity, before: Any, after: Any, a: Side, b: Side) -> Changed:
    side, fact = (b, after) if before is None else (a, before)
    expected, found = (None if one is None else summary(one) for one in (before, after))
    return Changed(Difference(kind.__name__, which_of(fact, told, side), "", expected, found), kind, before, after)


def which_of(fact: Any, told: Identity, side: Side) -> str:
    number = side.gpu(fact, told)
    parts = [f"GPU {number}"] if number is not None else []
    named = (str(getattr(fact, name)) for name in told.key if getattr(fact, name) is not None)
    return " ".join([*parts, *(name for name in named if len(name) <= LONGEST_NAME)])


def summary(fact: Any) -> str:
    """A whole fact in short: its version or where it lies, else that it is there."""
    told = (getattr(fact, name, None) for name in ("version", "path", "wanted_by"))
    other = next(filter(None, (getattr(fact, name, None) for name in ("name", "text"))), "there")
    return " ".join(filter(None, told)) or str(other)


@lru_cache
def names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def _fields(kind: type, told: Identity, before: Any, after: Any, a: Side, b: Side) -> Iterator[Changed]:
    which = which_of(before, told, a)
    for name in names(kind):
        aside = is_aside(name, told)
        if name in told.key or name in told.gpu or any(name == words for _, words in told.why):
            continue
        if told.only and name not in (*told.only, told.figure):
            continue
        values = told_value(before, name, told), told_value(after, name, told)
        if UNKNOWN in values or values[0] == values[1] or a.plain(values[0]) == b.plain(values[1]):
            continue
        if isinstance(values[0], dict) and isinstance(values[1], dict):
            yield from _entries(kind, which, name, before, after, a, b, aside=aside)
        else:
            yield Changed(Difference(kind.__name__, which, name, *values), kind, before, after, aside)


def is_aside(name: str, told: Identity) -> bool:
    return told.never or name in told.aside or name in ALWAYS_ASIDE or bool(told.only and name not in told.only)


def told_value(fact: Any, name: str, told: Identity) -> Any:
    value = getattr(fact, name)
    known = getattr(fact, f"{name}_known", True)
    words = next((getattr(fact, words) for field, words in told.why if field == name), None)
    if words and value is not None:
        return words
    return UNKNOWN if not known or (value is None and name not in told.none) else value


def _entries(
    kind: type, of: str, name: str, before: Any, after: Any, a: Side, b: Side, *, aside: bool
) -> Iterator[Changed]:
    """Of a dictionary, one by one; where a side does not hold them all, what it lacks is not known."""
    ours, theirs = getattr(before, name), getattr(after, name)
    whole = getattr(before, "complete", True), getattr(after, "complete", True)
    for key in sorted({*ours, *theirs}):
        if (key not in ours and not whole[0]) or (key not in theirs and not whole[1]):
            continue
        values = ours.get(key), theirs.get(key)
        if a.plain(values[0]) != b.plain(values[1]):
            which = f"{of} {key}" if of else key
            yield Changed(Difference(kind.__name__, which, name, *values), kind, before, after, aside, key)
