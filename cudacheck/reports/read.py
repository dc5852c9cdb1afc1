"""Reads a report back: typed values out of untrusted JSON."""

from __future__ import annotations

import dataclasses
import marshal
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar

from cudacheck.model import untrusted
from cudacheck.model.facts import MAX_OF_A_TYPE, Facts
from cudacheck.model.findings import Finding, Question, Unchecked
from cudacheck.model.report import SCHEMA_VERSION, Axis, ProbeRun, Report, RequirementResult, Subject, Verdict
from cudacheck.probes.patient.benchmark import Measurement

MAX_BYTES = 16 * 1024 * 1024
"""A report larger than this is not one of ours."""

T = TypeVar("T")

SHARED_BYTES = 256 * 1024
"""Of a list that is kept: a healthy machine's longest one, of its packages, has 30 KiB."""

RENAMED = {"Target": "Patient"}
"""Facts by the names that they had before schema 1.2; the child `patient` was called `target`."""


class ReportError(ValueError):
    """A report that cannot be read; the words say why, in one line."""


def loads(text: str) -> Report:
    """Read a report back. Unknown fields and facts are left out: a newer minor version may hold some.

    Raises ReportError with one clear line for anything that is not a report of ours.
    """
    if len(text) > MAX_BYTES:
        raise ReportError(f"larger than {MAX_BYTES // 1024 // 1024} MiB: not a cudacheck report")
    try:
        data = untrusted.parse(text)
    except untrusted.MalformedError as error:
        raise ReportError(str(error)) from None
    return of_json(data)


def of_json(data: Any) -> Report:
    """The same, of what `untrusted.parse` made of its text."""
    return _Reader(of_known_schema(data)).report()


def of_known_schema(data: Any) -> dict[str, Any]:
    """The same, where it says that it is a report and of a schema that is read here. Raises ReportError."""
    if not isinstance(data, dict) or not isinstance(data.get("schema_version"), str):
        raise ReportError("JSON, but not a cudacheck report: it has no schema_version")
    major = data["schema_version"].partition(".")[0]
    if major != SCHEMA_VERSION.partition(".")[0]:
        version = data["schema_version"][:20]
        raise ReportError(f"report of schema {version!r}; this cudacheck reads {SCHEMA_VERSION}: upgrade cudacheck")
    return data


class _Reader:
    """Typed values out of a report's JSON."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data

    def values(self, key: str, cls: type, source: Any = None) -> tuple[Any, ...]:
        raw = self.data.get(key, []) if source is None else source
        if not isinstance(raw, list):
            raise ReportError(f"report: `{key}` is not a list")
        try:
            # one more than are kept, so that what is left out does not go unnoticed
            return _records(marshal.dumps(raw[: MAX_OF_A_TYPE + 1], 2), cls)
        except untrusted.MalformedError as error:
            raise ReportError(f"report: an entry of `{key}` cannot be read: {str(error)[:200]}") from None

    def report(self) -> Report:
        from cudacheck.registry import fact_types

        raw_facts, complete = self.data.get("facts", {}), self.data.get("complete", [])
        if not isinstance(raw_facts, dict) or not isinstance(complete, list):
            raise ReportError("report: `facts` is not an object or `complete` is not a list")
        types = fact_types()
        named = {**types, **{old: types[new] for old, new in RENAMED.items()}}
        facts = Facts(complete=[named[name] for name in complete if isinstance(name, str) and name in named])
        for name, items in raw_facts.items():
            if name in named:
                for read in self.values(f"facts.{name}"[:60], named[name], items):
                    facts.add(read)
        verdict = self.values("verdict", Verdict, [self.data.get("verdict")])[0]
        seconds = self.data.get("seconds")
        (subject,) = self.values("subject", Subject, [self.data.get("subject", {})])
        return Report(
            verdict=verdict,
            findings=self.values("findings", Finding),
            questions=self.values("questions", Question),
            unchecked=self.values("unchecked", Unchecked),
            probes=self.values("probes", ProbeRun),
            facts=facts,
            speed=self.values("speed", Axis),
            requirements=self.values("requirements", RequirementResult),
            subject=subject,
            created=str(self.data.get("created", ""))[:40],
            seconds=float(seconds) if isinstance(seconds, int | float) else None,
            cudacheck_version=str(self.data.get("cudacheck_version", ""))[:40],
            knowledge_date=str(self.data.get("knowledge_date", ""))[:40],
            schema_version=self.data["schema_version"][:20],
        )


def shared(most: int) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Keep that many results of a function of packed JSON, but for JSON so long that keeping it would cost memory."""

    def decorate(work: Callable[..., T]) -> Callable[..., T]:
        kept = lru_cache(maxsize=most)(work)

        @wraps(work)
        def once(packed: bytes, *others: Any) -> T:
            return (kept if len(packed) <= SHARED_BYTES else work)(packed, *others)

        return once

    return decorate


@shared(256)
def _records(packed: bytes, cls: type) -> tuple[Any, ...]:
    """Of many reports most lists are the same: each is read once, and shared, for nobody changes a fact."""
    items = marshal.loads(packed)  # noqa: S302 - we packed it ourselves
    return tuple(_of_today(untrusted.record(cls, item)) for item in items)


def _of_today(told: Any) -> Any:
    """What reports before schema 1.2 said otherwise."""
    if isinstance(told, ProbeRun) and told.child == "target":
        return dataclasses.replace(told, child="patient")
    if isinstance(told, Measurement) and (told.skipped or "").startswith("refused by PyTorch"):
        return dataclasses.replace(told, refused=True)
    return told
