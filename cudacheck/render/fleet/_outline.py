"""What of a fleet is shown, and in which words: the same in every format for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cudacheck.comparing.fleet import nodeset
from cudacheck.comparing.fleet.document import FleetChanges, Said
from cudacheck.comparing.fleet.groups import Outlier, nodes_of
from cudacheck.comparing.fleet.judge import Fleet, Judged, Level, level_of
from cudacheck.comparing.fleet.slow import SlowGpu
from cudacheck.model.findings import Severity
from cudacheck.render.outline import SEVERITY_MARKS

MOST_SHOWN = 25
"""Lines of a kind, unless all are asked for."""
MOST_LETTERS = 200
"""Of a list of nodes."""
MARKS = {Level.FINE: "✓", Level.NOT_PROVEN: "?", Level.DEVIATING: "!", Level.FAILING: "✗"}


@dataclass(frozen=True)
class Statement:
    """Something that is said of nodes."""

    mark: str
    words: str
    nodes: str
    details: tuple[str, ...] = ()


def listed(nodes: Sequence[str], most: int = MOST_LETTERS) -> str:
    """`n[001-128]`, cut where nobody would read on."""
    whole = nodeset.folded(nodes)
    return whole if len(whole) <= most else f"{whole[:most]}… ({len(nodes)} nodes)"


def headline(fleet: Fleet) -> tuple[str, str]:
    total = len(fleet.nodes)
    slow, deviating = {gpu.node for gpu in fleet.slow}, {outlier.node for outlier in fleet.outliers}
    parts = [
        (len(fleet.failing), "{} fail"),
        (len(fleet.missing) + fleet.unnamed, "{} missing"),
        (len(fleet.broken), "{} unreadable"),
        (len(slow), "{} slow"),
        (len(deviating), "{} other than their kind"),
        (len(fleet.nodes_with(Severity.WARNING)), "{} with warnings"),
        (len(fleet.stale), "{} stale"),
    ]
    said = [words.format(number) for number, words in parts if number]
    level = level_of(fleet)
    nodes = f"{total:,} node{'s' * (total != 1)}"
    if said:
        return MARKS[level], f"{nodes}: {', '.join(said)}"
    if level is Level.FINE:
        return MARKS[level], f"{nodes} ready and alike"
    return MARKS[level], f"{nodes} without a fault, not all proven"


def findings(fleet: Fleet) -> Iterator[Statement]:
    for finding in fleet.findings:
        if finding.severity is not Severity.NOTE:
            words = f"{finding.rule} on {len(finding.nodes)} of {len(fleet.nodes)}"
            other = f" (and {finding.messages - 1} in other words)" if finding.messages > 1 else ""
            told = (f"{finding.message}{other}",)
            yield Statement(SEVERITY_MARKS[finding.severity], words, listed(finding.nodes), told)


def absent(fleet: Fleet) -> Iterator[Statement]:
    if fleet.missing:
        why = tuple(f"{node}: {words}" for node, words in [*fleet.why_missing.items()][:MOST_SHOWN])
        yield Statement("✗", f"{len(fleet.missing)} missing", listed(fleet.missing), why)
    if fleet.unnamed:
        yield Statement("✗", f"{fleet.unnamed} fewer nodes reported than expected", "")
    for broken in fleet.broken:
        yield Statement("✗", "unreadable", broken.source, (broken.why,))


def slow(fleet: Fleet) -> Iterator[Statement]:
    """A line a GPU: its worst case."""
    of_gpu: dict[tuple[str, int], list[SlowGpu]] = {}
    for gpu in fleet.slow:
        of_gpu.setdefault((gpu.node, gpu.gpu), []).append(gpu)
    for (node, number), cases in of_gpu.items():
        worst = cases[0]
        also = f"; {len(cases) - 1} more case{'s' * (len(cases) > 2)} as well" if len(cases) > 1 else ""
        told = f"{worst.case}: {worst.found}, {worst.below:.0%} below the median of its kind, {worst.expected}{also}"
        yield Statement("!", f"GPU {number} slow", node, (told,))


def deviating(fleet: Fleet) -> Iterator[Statement]:
    alike = sorted(nodes_of(fleet.outliers).items(), key=lambda item: -len(item[1]))
    for (what, found, _), outliers in alike:
        share, also = typical(outliers[0]), outliers[0].also
        more = f"; also {', '.join(also[:3])}{f' and {len(also) - 3} more' if len(also) > 3 else ''}" if also else ""
        yield Statement("!", f"{what} {found}", listed([o.node for o in outliers]), (f"{share}{more}",))


def typical(outlier: Outlier) -> str:
    return f"{outlier.expected} on {round(outlier.share * outlier.telling):,} of {outlier.telling:,}"


def splits(judged: Judged) -> Iterator[Statement]:
    for split in judged.group.splits:
        values = sorted(split.values.items(), key=lambda item: -len(item[1]))
        told = tuple(f"{value}: {listed(nodes)}" for value, nodes in values)
        yield Statement("?", f"{split.what}: no majority", "", told)


def asides(fleet: Fleet) -> Iterator[tuple[str, str]]:
    """What was set aside, a line each."""
    if fleet.stale:
        hours = max(aged.hours for aged in fleet.stale)
        nodes = listed([aged.node for aged in fleet.stale])
        yield "stale", f"{nodes}, up to {hours:,.0f} h older than the newest: not judged"
    if fleet.ahead:
        yield "clock", f"{listed([aged.node for aged in fleet.ahead])}: dated in the future"
    for double in fleet.doubles:
        machines = f", of {double.machines} starts or machines" if double.machines > 1 else ""
        yield "double", f"{double.node}: {double.kept} counts, {len(double.left)} older{machines}: {double.left[0]}"
    if fleet.unexpected:
        yield "unexpected", listed(fleet.unexpected)
    for what, counted in (("cudacheck", fleet.versions), ("schema", fleet.schemas)):
        if len(counted) > 1:
            told = ", ".join(f"{version or '?'} on {n}" for version, n in sorted(counted.items(), key=lambda i: -i[1]))
            yield what, f"several versions: {told}"


def group_words(judged: Judged) -> str:
    """`124 nodes, driver 580.65.06, torch 2.9.0+cu130`"""
    typical = ", ".join(f"{name} {value}" for name, value in judged.group.typical.items())
    number = len(judged.group.nodes)
    return f"{number} node{'s' * (number != 1)}{', ' * bool(typical)}{typical}"


def resolution(judged: Judged) -> str:
    """How fine a slow GPU is told from its kind."""
    told = [one.below for one in judged.resolutions if one.below is not None]
    few = max((one.gpus for one in judged.resolutions), default=0)
    if told:
        finest, coarsest = min(told), max(told)
        span = f"{finest:.0%}" if round(finest, 2) == round(coarsest, 2) else f"{finest:.0%} to {coarsest:.0%}"
        return f"a GPU is named from {span} below the median of {few:,} on"
    return f"{few} GPUs measured: too few to tell a slow one by the others" if few else ""


def changed(changes: FleetChanges) -> Iterator[tuple[str, str]]:
    for label, some in (("new", changes.new), ("gone", changes.gone)):
        yield from ((label, said(one)) for one in some[:MOST_SHOWN])
        if len(some) > MOST_SHOWN:
            yield label, f"and {len(some) - MOST_SHOWN} more"


def said(one: Said) -> str:
    return f"{one.what}: {listed(one.nodes)}"
