"""Reports of many nodes, from files, folders, patterns and streams, summed up on all cores and judged together."""

from __future__ import annotations

import dataclasses
import itertools
import os
import shlex
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cudacheck.commands._fleet_texts import Text, content, read_file, texts
from cudacheck.commands.doctor import InputError
from cudacheck.comparing.fleet import document, nodeset
from cudacheck.comparing.fleet.blocks import Block
from cudacheck.comparing.fleet.document import Told
from cudacheck.comparing.fleet.judge import (
    MAX_AGE_S,
    Broken,
    Expected,
    Fleet,
    FleetFinding,
    Level,
    is_proven,
    judge_fleet,
    level_of,
)
from cudacheck.comparing.fleet.summary import Asking, NodeSummary, SummaryReader
from cudacheck.judging.gate import CODES, NotProven
from cudacheck.model.findings import FixBy, Severity
from cudacheck.probing._processes import when_orphaned
from cudacheck.registry import rule
from cudacheck.render import out
from cudacheck.reports.read import MAX_BYTES, ReportError
from cudacheck.requirements import SpecError, understood

CHUNK = 64
"""Reports that a process is given at a time."""
AHEAD = 4
"""Chunks for each process that are read from a stream before they are asked for."""
MAX_RESULT_BYTES = 1024 * 1024 * 1024
"""Of an earlier result: 100,000 nodes have 60 MiB."""


@dataclass(frozen=True)
class Batch:
    """What one process made of its reports."""

    summaries: list[NodeSummary]
    broken: list[Broken]
    blocks: dict[bytes, Block]


def judged(
    sources: Sequence[str],
    *,
    expect: str | None = None,
    max_age_s: float = MAX_AGE_S,
    ignore: Collection[str] = (),
    require: Collection[str] = (),
) -> Fleet:
    """The fleet whose reports these are: files, folders of them, patterns, JSON lines; - is standard input.

    Raises InputError where there is nothing to be judged, or the list of expected nodes cannot be read.
    """
    expected = expected_in(expect) if expect is not None else None
    return _judged(texts(sources), expected, max_age_s, asking(ignore, require))


def told(
    sources: Sequence[str],
    *,
    expect: str | None = None,
    max_age_s: float = MAX_AGE_S,
    ignore: Collection[str] = (),
    require: Collection[str] = (),
    since: str | None = None,
) -> Told:
    """The same, and what changed since an earlier result (JSON), where one is named."""
    before = _earlier(since) if since else None
    fleet = judged(sources, expect=expect, max_age_s=max_age_s, ignore=ignore, require=require)
    if since is None or before is None:
        return Told(fleet)
    return Told(fleet, since, document.changes(before, document.document(Told(fleet))))


def _earlier(name: str) -> document.FleetDocument:
    try:
        return document.loads(read_file(name, MAX_RESULT_BYTES).decode("utf-8", "replace"))
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror}") from None
    except (document.DocumentError, ReportError) as error:
        raise InputError(f"{name}: {error}") from None


def exit_code(fleet: Fleet, *, fail_on: str = "error", not_proven: str = "pass") -> int:
    """0: nothing at or above `fail_on`. 1: something is, a node is missing or unreadable, a requirement not fulfilled.

    Where every node is not proven ready and like its kind, the code of `not_proven`.
    """
    failing = {"error": Level.FAILING, "warning": Level.DEVIATING}.get(fail_on)
    if failing is not None and level_of(fleet) >= failing:
        return 1
    return 0 if is_proven(fleet) else CODES[NotProven(not_proven)]


def exclude(fleet: Fleet, form: str, name: str) -> None:
    """Write the nodes where nothing should be run, in the form that a scheduler takes; - is stdout."""
    text = excluded(fleet, form)
    if name == "-":
        out.tell(text)
        return
    try:
        Path(name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {name}: {error.strerror}") from None


def excluded(fleet: Fleet, form: str) -> str:
    """`slurm`: for `--exclude`; `hostfile`: a line for each of the other nodes; `kubectl`, `drain`: lines to type."""
    bad = {*fleet.bad}
    if form == "hostfile":
        return "".join(f"{node.node}\n" for node in fleet.nodes if node.node not in bad)
    if form == "kubectl":
        return "".join(f"kubectl cordon {shlex.quote(node)}\n" for node in sorted(bad))
    if form == "drain":
        return "".join(_drain(finding) for finding in fleet.findings if _is_of_the_node(finding))
    return nodeset.folded(bad) + "\n"


def _is_of_the_node(finding: FleetFinding) -> bool:
    """Whether its nodes cannot work, and whoever runs them is to mend that: not the environment, not a program."""
    known = rule(finding.rule)
    return finding.severity is Severity.ERROR and known is not None and known.fix_by is FixBy.NODE


def _drain(finding: FleetFinding) -> str:
    reason = shlex.quote(f"cudacheck: {finding.rule}: {finding.message}")
    return f"scontrol update NodeName={nodeset.folded(finding.nodes)} State=DRAIN Reason={reason}\n"


def of_reports(
    reports: Mapping[str, str],
    missing: Mapping[str, str],
    *,
    ignore: Collection[str] = (),
    require: Collection[str] = (),
) -> Fleet:
    """The fleet of these reports, JSON by node; `missing` says why others have none."""
    given = (Text(node, node, report.encode("utf-8", "replace")) for node, report in reports.items())
    expected = Expected(names=(*reports, *missing), why=missing)
    return _judged(given, expected, MAX_AGE_S, asking(ignore, require))


def asking(ignore: Collection[str], require: Collection[str]) -> Asking:
    """Raises InputError for what is no requirement."""
    for spec in require:
        try:
            understood(spec)
        except SpecError as error:
            raise InputError(str(error)) from None
    return Asking(tuple(sorted(ignore)), tuple(require))


def _judged(given: Iterable[Text], expected: Expected | None, max_age_s: float, asked: Asking) -> Fleet:
    summaries: list[NodeSummary] = []
    broken: list[Broken] = []
    blocks: dict[bytes, Block] = {}
    once: dict[object, object] = {}
    for batch in _batches(given, asked):
        summaries += (_sharing(summary, once) for summary in batch.summaries)
        broken += batch.broken
        blocks.update(batch.blocks)
    if not summaries and not broken and (expected is None or not expected.names):
        raise InputError("no report in this: name files, folders or patterns of them, or - for standard input")
    return judge_fleet(summaries, blocks, broken, expected, now_s=time.time(), max_age_s=max_age_s)


def _sharing(summary: NodeSummary, once: dict[object, object]) -> NodeSummary:
    """What is equal on thousands of nodes is kept once; it came from several processes."""

    def one(value: Any) -> Any:
        return once.setdefault(value, value)

    names = {one(kind): one(digest) for kind, digest in summary.blocks.items()}
    timed = tuple(dataclasses.replace(t, case=one(t.case), unit=one(t.unit)) for t in summary.timed)
    return dataclasses.replace(summary, blocks=names, timed=timed, models=one(summary.models), roots=one(summary.roots))


def expected_in(expect: str) -> Expected:
    """A number of nodes, or a file with their names."""
    if expect.isdecimal():
        return Expected(count=int(expect[:9]))
    try:
        with Path(expect).open("rb") as file:
            names = nodeset.unfolded(file.read(MAX_BYTES).decode("utf-8", "replace"))
    except OSError as error:
        raise InputError(f"cannot read {expect}: {error.strerror}") from None
    except nodeset.NodesetError as error:
        raise InputError(f"{expect}: {error}") from None
    return Expected(names=tuple(names))


# On all cores


def _batches(given: Iterable[Text], asked: Asking) -> Iterator[Batch]:
    """In this process where there are few; else in one process a core, never many chunks ahead of what is done."""
    given = iter(given)
    first = [*itertools.islice(given, CHUNK)]
    if len(first) < CHUNK:
        yield _read(first, asked, SummaryReader())
        return
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    pool = ProcessPoolExecutor(workers, initializer=_end_with, initargs=(os.getpid(),))
    waiting: deque[Future[Batch]] = deque()
    try:
        for batch in itertools.chain([first], iter(lambda: [*itertools.islice(given, CHUNK)], [])):
            waiting.append(pool.submit(_read_there, batch, asked))
            if len(waiting) >= AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _end_with(parent: int) -> None:
    when_orphaned(parent, lambda: os._exit(1))


@cache
def _workers_reader() -> SummaryReader:
    """One a process: what is equal is read, and sent, once by it."""
    return SummaryReader()


def _read_there(batch: Sequence[Text], asked: Asking) -> Batch:
    return _read(batch, asked, _workers_reader())


def _read(batch: Sequence[Text], asked: Asking, reader: SummaryReader) -> Batch:
    summaries, broken = [], []
    for text in batch:
        try:
            summaries.append(reader.read(content(text), text.source, text.name, asked))
        except ReportError as error:
            broken.append(Broken(text.source, str(error)[:300]))
    return Batch(summaries, broken, reader.taken())
