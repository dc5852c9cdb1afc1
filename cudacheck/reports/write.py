"""The report as JSON."""

from __future__ import annotations

import dataclasses
import json
from functools import lru_cache
from typing import Any

from cudacheck.model.report import ProbeRun, Report


def as_dict(report: Report) -> dict[str, Any]:
    """The report as JSON-native values, keys in the order of a reader's interest."""
    plain = {field.name: getattr(report, field.name) for field in dataclasses.fields(report)}
    head = ("schema_version", "cudacheck_version", "knowledge_date", "created", "seconds")
    ordered = {key: plain[key] for key in head}
    ordered["subject"] = _plain(report.subject)
    ordered["verdict"] = _plain(report.verdict)
    for key in ("requirements", "findings", "questions", "unchecked", "speed", "probes"):
        ordered[key] = [_plain(value) for value in plain[key]]
    ordered["facts"] = {
        fact_type.__name__: [_plain(fact) for fact in report.facts.all(fact_type)]
        for fact_type in report.facts.types()
        if fact_type is not ProbeRun
    }
    ordered["complete"] = [t.__name__ for t in report.facts.types() if report.facts.is_complete(t)]
    return ordered


def _plain(value: Any) -> Any:
    """As `dataclasses.asdict`, which copies every text and number: half of the time of a large report."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    cls: Any = type(value)
    return {name: _plain(getattr(value, name)) for name in _names(cls)}


@lru_cache(maxsize=1000)
def _names(cls: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(cls))


def dumps(report: Report) -> str:
    return json.dumps(as_dict(report), indent=2, ensure_ascii=False) + "\n"
