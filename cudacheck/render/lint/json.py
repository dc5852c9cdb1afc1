"""For programs: the findings, and what could not be read; docs/lint.schema.json describes it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from cudacheck import __version__, knowledge
from cudacheck.lint.linting import Linted
from cudacheck.lint.rule import Edit, LintFinding
from cudacheck.render import Format, Shown
from cudacheck.render.formats.json import escaped

SCHEMA_VERSION = "1.0"


@dataclasses.dataclass(frozen=True)
class Replacement:
    """Text to write instead of what stands there: lines and columns from 1, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int
    text: str


@dataclasses.dataclass(frozen=True)
class FindingTold:
    rule: str
    severity: str
    message: str
    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    instead: str
    """What to write instead, where that can be said in a line; else empty."""
    fix: tuple[Replacement, ...]
    """What --fix tries to write; else empty."""


@dataclasses.dataclass(frozen=True)
class PartUnread:
    file: str
    line: int
    reason: str


@dataclasses.dataclass(frozen=True)
class LintReport:
    schema_version: str
    cudacheck_version: str
    knowledge_date: str
    files: int
    """How many were read."""
    findings: tuple[FindingTold, ...]
    unread: tuple[PartUnread, ...]


def json_schema() -> dict[str, Any]:
    """The JSON Schema of this format, from the types above."""
    from pydantic import TypeAdapter

    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"cudacheck lint, schema {SCHEMA_VERSION}",
    }
    return head | TypeAdapter(LintReport).json_schema(mode="serialization") | {"title": head["title"]}


def render(linted: Linted, shown: Shown) -> str:
    report = LintReport(
        SCHEMA_VERSION,
        __version__,
        knowledge.as_of(),
        linted.files,
        tuple(map(_finding, linted.findings)),
        tuple(PartUnread(path, note.place.line, note.reason) for path, note in linted.unread),
    )
    return escaped(json.dumps(dataclasses.asdict(report), indent=2, ensure_ascii=False) + "\n", shown.encoding)


def _finding(finding: LintFinding) -> FindingTold:
    place = finding.place
    return FindingTold(
        finding.rule,
        str(finding.severity),
        finding.message,
        finding.path,
        place.line,
        place.column,
        max(place.end_line, place.line),
        place.end_column if place.end_line else place.column,
        finding.instead,
        tuple(map(_replacement, finding.edits)),
    )


def _replacement(edit: Edit) -> Replacement:
    place = edit.place
    return Replacement(place.line, place.column, place.end_line, place.end_column, edit.text)


FORMAT = Format(render=render, endings=(".json",), media_type="application/json")
