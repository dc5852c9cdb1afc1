"""Sources: text that people paste, read into the same facts that the probes yield."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cudacheck.model import untrusted
from cudacheck.model.declared import declared, modules_of
from cudacheck.model.facts import Facts
from cudacheck.model.report import Report
from cudacheck.reports.folding import DamagedError
from cudacheck.reports.read import ReportError
from cudacheck.sources import _clean, _merge, messages, prose, report_json
from cudacheck.sources._environments import Environments, parts
from cudacheck.sources._source import Source

MAX_CHARACTERS = 4 * 1024 * 1024
MAX_LINES = 200_000
MAX_FACTS = 2000
"""Of one parser: no paste of a real machine has more."""

UNDERSTOOD = (
    "a cudacheck report (JSON), torch.utils.collect_env and other software's dumps, "
    "nvidia-smi (also -q, -L, --query-gpu), pip list, pip freeze, conda list, Python's answers about torch, "
    "environment variables and known error messages"
)

_OWN_TEXT = re.compile("more: `?cudacheck explain ")
"""The last line of `cudacheck doctor`, at a terminal and as Markdown."""


@lru_cache
def readers() -> tuple[Source, ...]:
    """Every module that declares SOURCE, the most trusted first; others are part of one, or tools."""
    parts = [module for module in modules_of(sys.modules[__name__]) if hasattr(module, "SOURCE")]
    return tuple(sorted((declared(part, "SOURCE", Source) for part in parts), key=lambda source: -source.trust))


class SourceError(ValueError):
    """A paste that cannot be made use of; the words say why, in one line."""


@dataclass(frozen=True)
class Gathered:
    facts: Facts
    reports: tuple[tuple[str, Report], ...]
    """The saved ones among the texts, as they were judged then, each with the name of its text."""
    silent: tuple[str, ...]
    """The names of the texts in which nothing was understood."""


def read(texts: Sequence[tuple[str, str]]) -> Facts:
    """The facts alone of what `gather` finds."""
    return gather(texts).facts


def gather(texts: Sequence[tuple[str, str]]) -> Gathered:
    """The facts in these (name, text) pairs, whatever kinds of paste they hold; what none of them says is unknown.

    Raises SourceError where nothing is recognised in any text, not even an exception that has to do with CUDA.
    """
    reports: list[tuple[str, Report]] = []
    found: list[object] = []
    silent: list[str] = []
    environments = Environments()
    for name, text in texts:
        report, rest = _split(name, text)
        if len(rest) > MAX_CHARACTERS or rest.count("\n") > MAX_LINES:
            limits = f"{MAX_CHARACTERS // 1024 // 1024} MiB or {MAX_LINES} lines"
            raise SourceError(f"{name} is larger than {limits}: paste the part that matters")
        if _OWN_TEXT.search(rest):
            raise SourceError(f"{name} is the text for people; ask for the report: cudacheck ticket -o ticket.md")
        said = list(_said(name, rest, environments)) or [*messages.unknown(_clean.lines(rest), name)]
        if report:
            reports.append((name, report))
        elif not said:
            silent.append(name)
        found.extend(said)
    if not found and not reports:
        raise SourceError(_not_understood(silent[0] if len(silent) == 1 else "any of these files"))
    environments.heard_of(found)
    pasted = _merge.merged([*_but_hearsay(found), *environments.named])
    return Gathered(_with_reports([report for _, report in reports], pasted), tuple(reports), tuple(silent))


def _but_hearsay(found: Sequence[object]) -> list[object]:
    """Without what somebody says in words where software printed something of the same kind."""
    printed = {type(fact) for fact in found if not _is_hearsay(fact)}
    return [fact for fact in found if not (_is_hearsay(fact) and type(fact) in printed)]


def _is_hearsay(fact: object) -> bool:
    return getattr(fact, "found_in", "") == prose.FOUND_IN


def _not_understood(where: str) -> str:
    return f"nothing about CUDA, PyTorch or a GPU was understood in {where}: understood are {UNDERSTOOD}"


def _said(name: str, text: str, environments: Environments) -> Iterator[object]:
    if not text.strip():  # a report alone: to be ready for messages takes as long as to judge it
        return
    lines = [line[: untrusted.MAX_TEXT] for line in _clean.lines(text)]
    for number, part in enumerate(parts(lines)):
        told = [fact for source in readers() for fact in itertools.islice(source.facts(part), MAX_FACTS)]
        yield from environments.counted(told, same_text=number > 0)
    yield from messages.facts(lines, name)


def _split(name: str, text: str) -> tuple[Report | None, str]:
    """A report, as it is or as it looks quoted in an issue, and what stands around it."""
    if not report_json.may_hold_one(text):
        return None, text
    report, rest = _first_report(name, text)
    # Copied from a page the marks are lost: what we wrote ourselves says no more than the report.
    return (report, "" if _OWN_TEXT.search(rest) else rest) if report else (None, text)


def _first_report(name: str, text: str) -> tuple[Report | None, str]:
    """In the text as it is, else without what trackers and mail put around lines."""
    wrong: ValueError | None = None
    for cleaned in (False, True)[: 1 + (len(text) <= MAX_CHARACTERS)]:
        try:
            report, rest = report_json.split("\n".join(_clean.lines(text)) if cleaned else text)
        except (ReportError, DamagedError) as error:
            wrong = wrong if isinstance(wrong, ReportError) else error  # quoted, it only seems damaged
            continue
        if report:
            return report, rest
    if wrong:
        raise SourceError(f"{name}: {wrong}")
    return None, text


def _with_reports(reports: Sequence[Report], pasted: Facts) -> Facts:
    """A report's facts as they are and before all others; its probes' outcomes are facts too."""
    facts = Facts()
    for bag in (*(report.facts for report in reports), pasted):
        for fact_type in bag.types():
            for fact in bag.all(fact_type):
                facts.add(fact)
            if bag.is_complete(fact_type):
                facts.mark_complete(fact_type)
    for report in reports:
        for run in report.probes:
            facts.add(run)
    return facts
