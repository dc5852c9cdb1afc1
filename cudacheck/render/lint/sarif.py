"""SARIF 2.1.0, for code scanning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cudacheck import __version__
from cudacheck.lint.facts import Place
from cudacheck.lint.linting import Linted
from cudacheck.lint.rule import LintFinding, NamedRule, rules
from cudacheck.render import Format, Shown
from cudacheck.render.formats.json import escaped

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render(linted: Linted, shown: Shown) -> str:
    named = {finding.rule for finding in linted.findings}
    listed = [rule for rule in rules() if rule.id in named]
    numbers = {rule.id: number for number, rule in enumerate(listed)}
    run = {
        "tool": {"driver": {"name": "cudacheck", "version": __version__, "rules": [_rule(rule) for rule in listed]}},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": _notes(linted)}],
        "results": [_result(finding, numbers[finding.rule]) for finding in linted.findings],
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return escaped(json.dumps(log, indent=2, ensure_ascii=False) + "\n", shown.encoding)


def _rule(rule: NamedRule) -> dict[str, Any]:
    described = {"id": rule.id, "shortDescription": {"text": f"{rule.title}."}, "fullDescription": {"text": rule.title}}
    usual = {"defaultConfiguration": {"level": str(rule.rule.severity)}}
    return described | usual | {"help": {"text": rule.doc, "markdown": rule.doc}, "helpUri": rule.references[0]}


def _result(finding: LintFinding, number: int) -> dict[str, Any]:
    message = finding.message + (f"; instead: {finding.instead}" if finding.instead else "")
    told = {
        "ruleId": finding.rule,
        "ruleIndex": number,
        "level": str(finding.severity),
        "message": {"text": message},
        "locations": [{"physicalLocation": _location(finding.path, finding.place)}],
    }
    if finding.edits:
        changes = [
            {"deletedRegion": _region(edit.place), "insertedContent": {"text": edit.text}} for edit in finding.edits
        ]
        told["fixes"] = [{"artifactChanges": [{"artifactLocation": _artifact(finding.path), "replacements": changes}]}]
    return told


def _notes(linted: Linted) -> list[dict[str, Any]]:
    """What could not be read: no fault of the recipe's that anybody knows of."""
    return [
        {
            "level": "note",
            "message": {"text": note.reason},
            "locations": [{"physicalLocation": _location(path, note.place)}],
        }
        for path, note in linted.unread
    ]


def _location(path: str, place: Place) -> dict[str, Any]:
    return {"artifactLocation": _artifact(path), "region": _region(place)}


def _artifact(path: str) -> dict[str, str]:
    return {"uri": Path(path).as_uri() if path.startswith("/") else quote(path, errors="surrogateescape")}


def _region(place: Place) -> dict[str, int]:
    begin = {"startLine": place.line, "startColumn": place.column}
    return begin | ({"endLine": place.end_line, "endColumn": place.end_column} if place.end_line else {})


FORMAT = Format(render=render, endings=(".sarif",), media_type="application/sarif+json")
