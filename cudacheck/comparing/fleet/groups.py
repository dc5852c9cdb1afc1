"""Nodes of one kind, and who among them is other than the majority."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cudacheck.comparing._order import leaders, place
from cudacheck.comparing._pairs import Changed
from cudacheck.comparing.difference import UNITS, Difference
from cudacheck.comparing.fleet.blocks import Block, Item
from cudacheck.comparing.fleet.summary import NodeSummary
from cudacheck.registry import fact_types

LEAST_NODES = 3
"""Of two that differ nobody is the majority."""
MAJORITY = 2 / 3
"""Of the nodes that tell: seven against six are two halves."""
WITHIN = 0.02
"""Amounts (bytes, watts, MHz) that are closer are the same: firmware takes its share of a machine's memory."""
MOST_VALUES = 4
"""A field with more values and no majority belongs to each node: its rank, its address."""
NO_GPU = "no GPU told"
_UNTOLD: Any = object()


@dataclass(frozen=True)
class Outlier:
    node: str
    what: str
    found: str
    expected: str
    share: float
    """Of the nodes that tell, those that have what is expected."""
    telling: int
    also: tuple[str, ...] = ()
    """Where the same shows."""


@dataclass(frozen=True)
class Split:
    """Something that must be equal and has no majority: half of a rollout."""

    what: str
    values: dict[str, tuple[str, ...]]
    """Nodes by what they have."""


@dataclass
class NodeGroup:
    name: str
    """`NVIDIA H200`"""
    nodes: list[NodeSummary] = field(default_factory=list)
    typical: dict[str, str] = field(default_factory=dict)
    """Of what must be equal, in words: driver, PyTorch."""
    outliers: list[Outlier] = field(default_factory=list)
    splits: list[Split] = field(default_factory=list)


def grouped(nodes: Sequence[NodeSummary]) -> list[NodeGroup]:
    """By the models of their GPUs, however many: the largest group first."""
    groups: dict[str, NodeGroup] = {}
    by_device: dict[str, Counter[str]] = {}
    for node in nodes:
        if node.models:
            name = " + ".join(sorted(set(node.models)))
            groups.setdefault(name, NodeGroup(name)).nodes.append(node)
            for device in node.devices:
                by_device.setdefault(device, Counter())[name] += 1
    for node in nodes:
        if not node.models:  # its driver does not answer: the bus may tell
            known = [by_device[device].most_common(1)[0][0] for device in node.devices if device in by_device]
            name = known[0] if known else NO_GPU
            groups.setdefault(name, NodeGroup(name)).nodes.append(node)
    return sorted(groups.values(), key=lambda group: (-len(group.nodes), group.name))


def judge_group(group: NodeGroup, blocks: Mapping[bytes, Block]) -> None:
    """Fill in what is typical of it, who deviates, and where nobody is the majority."""
    verdicts = [verdict for kind in _kinds(group) for verdict in _verdicts(group, kind, blocks)]
    deviating: dict[int, list[tuple[Difference, _Verdict]]] = {}
    for verdict in verdicts:
        if (name := TYPICAL.get((verdict.kind, verdict.field))) and verdict.majority is not _UNTOLD:
            group.typical.setdefault(name, verdict.told(verdict.majority).spoken(verdict.majority))
        for difference, numbers in verdict.deviating():
            for number in numbers:
                deviating.setdefault(number, []).append((difference, verdict))
    for number, differences in deviating.items():
        of = dict(differences)
        for told, also in _in_order(tuple(of)):
            words = told.what, told.spoken(told.found), told.spoken(told.expected)
            counts = round(of[told].share, 6), of[told].telling
            group.outliers.append(Outlier(group.nodes[number].node, *words, *counts, also))
    group.splits = _splits(group, verdicts)


def _kinds(group: NodeGroup) -> list[str]:
    return sorted({name for node in group.nodes for name in node.blocks})


@dataclass(frozen=True)
class _Verdict:
    """One thing that must be equal, over a group."""

    kind: str
    which: str
    field: str
    values: list[tuple[Any, list[int]]]
    """What nodes have that tell of it, with the nodes' numbers."""
    majority: Any
    share: float

    @property
    def telling(self) -> int:
        return sum(len(numbers) for _, numbers in self.values)

    def told(self, value: Any) -> Difference:
        sides = self.majority, value
        if not self.field:
            sides = tuple("there" if side else None for side in sides)  # type: ignore[assignment]
        return Difference(self.kind, self.which, self.field, *map(_hashable, sides))

    def deviating(self) -> Iterator[tuple[Difference, list[int]]]:
        if self.majority is not _UNTOLD:
            for value, numbers in self.values:
                if not _is_near(value, self.majority, self.field):
                    yield self.told(value), numbers


def _verdicts(group: NodeGroup, kind: str, blocks: Mapping[bytes, Block]) -> Iterator[_Verdict]:
    of_block: dict[bytes, list[int]] = {}
    for number, node in enumerate(group.nodes):
        if kind in node.blocks:
            of_block.setdefault(node.blocks[kind], []).append(number)
    weighed = [(blocks[digest], numbers) for digest, numbers in of_block.items()]
    for which, name in {item: None for block, _ in weighed for item in block.items}:
        values = [(_value(block, (which, name)), numbers) for block, numbers in weighed]
        told = [(value, numbers) for value, numbers in values if value is not _UNTOLD]
        if sum(len(numbers) for _, numbers in told) >= LEAST_NODES:
            yield _Verdict(kind, which, name, told, *_majority(told, name))


TYPICAL = {
    ("Nvml", "driver_version"): "driver",
    ("TorchBuild", "version"): "torch",
    ("Gpu", "power_limit_w"): "power limit",
    ("KernelModule", "kernel"): "kernel",
}
"""What a group is shown with."""


def _value(block: Block, item: Item) -> Any:
    """What a node has; what it does not tell of, or what belongs to a fact that it lacks altogether, is no value."""
    _, name = item
    if not name:
        return True if item in block.items else False if block.complete else _UNTOLD
    if item in block.items:
        return block.items[item]
    return None if name in block.dictionaries and block.complete else _UNTOLD


def _majority(told: Sequence[tuple[Any, list[int]]], field: str) -> tuple[Any, float]:
    """What most of the nodes have that tell, and their share; nothing where there is no clear majority."""
    if _is_amount(field) and all(isinstance(value, (int, float)) for value, _ in told):
        candidate: Any = _median(told)
    else:
        counts: Counter[Hashable] = Counter()
        for value, numbers in told:
            counts[_hashable(value)] += len(numbers)
        candidate = counts.most_common(1)[0][0]
    holding = sum(len(numbers) for value, numbers in told if _is_near(value, candidate, field))
    telling = sum(len(numbers) for _, numbers in told)
    return (candidate, holding / telling) if holding >= MAJORITY * telling else (_UNTOLD, 0.0)


def _median(told: Sequence[tuple[float, list[int]]]) -> float:
    """Of the values, each as often as nodes have it; one that really occurs."""
    ordered = sorted(((value, len(numbers)) for value, numbers in told))
    middle, passed = sum(weight for _, weight in ordered) / 2, 0
    for value, weight in ordered:
        passed += weight
        if passed >= middle:
            return value
    return ordered[-1][0]


def _is_amount(name: str) -> bool:
    return name.rpartition("_")[2] in UNITS


def _is_near(value: Any, majority: Any, name: str) -> bool:
    if _is_amount(name) and isinstance(value, (int, float)) and isinstance(majority, (int, float)):
        return abs(value - majority) <= WITHIN * abs(majority)
    return bool(_hashable(value) == _hashable(majority))


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, (list, tuple)) else value


def _splits(group: NodeGroup, verdicts: Sequence[_Verdict]) -> list[Split]:
    """Told where few values share the nodes, for then each is many nodes'; once for what divides them alike."""
    found: dict[frozenset[tuple[int, ...]], tuple[Any, Split]] = {}
    for verdict in verdicts:
        nodes: dict[str, list[int]] = {}
        named = verdict.told(verdict.majority) if verdict.field else Difference(verdict.kind, verdict.which, "", "", "")
        for value, numbers in verdict.values:
            nodes.setdefault(named.spoken(value or None if not verdict.field else value), []).extend(numbers)
        telling = sum(map(len, nodes.values()))
        if verdict.majority is _UNTOLD and 1 < len(nodes) <= MOST_VALUES and telling >= 2 * len(nodes):
            alike = frozenset(tuple(sorted(some)) for some in nodes.values())
            split = Split(named.what, {value: _names(group, some) for value, some in nodes.items()})
            rank = place(_changed(named))
            if alike not in found or rank < found[alike][0]:
                found[alike] = rank, split
    return [split for _, split in sorted(found.values(), key=lambda pair: pair[0])]


def _names(group: NodeGroup, numbers: Iterable[int]) -> tuple[str, ...]:
    return tuple(sorted(group.nodes[number].node for number in numbers))


def _changed(told: Difference) -> Changed:
    return Changed(told, fact_types()[told.fact], None, None)


def _alike(change: Changed) -> tuple[Any, ...]:
    """What several facts of a node may share: that they are there, or are not; what is the same on several GPUs."""
    told = change.told
    if not told.field:
        return change.kind, told.found is None
    gpu, _, rest = told.which.partition(" ")[2].partition(" ")
    on_gpu = told.which.startswith("GPU ") and gpu.isdecimal()
    return (change.kind, rest, told.field, told.expected, told.found) if on_gpu else ()


@lru_cache(maxsize=4096)
def _in_order(differences: tuple[Difference, ...]) -> tuple[tuple[Difference, tuple[str, ...]], ...]:
    """What matters first, each with what only shows the same in another place."""
    changes = sorted(map(_changed, differences), key=place)
    lead = leaders(changes)
    first_alike: dict[Hashable, int] = {}
    for number, change in enumerate(changes):
        if (alike := _alike(change)) and (first := first_alike.setdefault(alike, number)) != number:
            lead[number] = first
    return tuple(
        (change.told, tuple(changes[n].told.what for n, leading in lead.items() if leading == number))
        for number, change in enumerate(changes)
        if number not in lead
    )


def nodes_of(outliers: Iterable[Outlier]) -> dict[tuple[str, str, str], list[Outlier]]:
    """The same deviation on several nodes, together."""
    found: dict[tuple[str, str, str], list[Outlier]] = {}
    for outlier in outliers:
        found.setdefault((outlier.what, outlier.found, outlier.expected), []).append(outlier)
    return found
