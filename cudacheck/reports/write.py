"""The report as JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from cudacheck.model.report import ProbeRun, Report


def as_dict(report: Report) -> dict[str, Any]:
    """The report as JSON-native values, keys in the order of a reader's interest."""
    plain = {field.name: getattr(report, field.name) for field in dataclasses.fields(report)}
    head = ("schema_version", "cudacheck_version", "knowledge_date", "created", "seconds")
    ordered = {key: plain[key] for key in head}
    ordered["subject"] = dataclasses.asdict(report.subject)
    ordered["verdict"] = dataclasses.asdict(report.verdict)
    for key in ("requirements", "findings", "questions", "unchecked", "speed", "probes"):
        ordered[key] = [dataclasses.asdict(value) for value in plain[key]]
    ordered["facts"] = {
        fact_type.__name__: [dataclasses.asdict(fact) for fact in report.facts.all(fact_type)]
        for fact_type in report.facts.types()
        if fact_type is not ProbeRun
    }
    ordered["complete"] = [t.__name__ for t in report.facts.types() if report.facts.is_complete(t)]
    return ordered


def dumps(report: Report) -> str:
    return json.dumps(as_dict(report), indent=2, ensure_ascii=False) + "\n"
