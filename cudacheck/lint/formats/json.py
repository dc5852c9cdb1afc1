"""For programs: `findings`, `unread`, with a schema version."""

from __future__ import annotations

import json
from typing import Any

from cudacheck import __version__
from cudacheck.lint.linting import Linted
from cudacheck.lint.rule import LintFinding
from cudacheck.lint.showing import LintFormat

SCHEMA_VERSION = "1.0"


def render(linted: Linted, _width: int | None) -> str:
    return json.dumps(as_dict(linted), indent=2, ensure_ascii=False) + "\n"


def as_dict(linted: Linted) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "cudacheck_version": __version__,
        "files": linted.files,
        "findings": [_finding(finding) for finding in linted.findings],
        "unread": [{"file": path, "line": note.place.line, "reason": note.reason} for path, note in linted.unread],
    }


def _finding(finding: LintFinding) -> dict[str, Any]:
    place = finding.place
    edits = [
        {
            "line": e.place.line,
            "column": e.place.column,
            "end_line": e.place.end_line,
            "end_column": e.place.end_column,
            "text": e.text,
        }
        for e in finding.edits
    ]
    return {
        "rule": finding.rule,
        "severity": str(finding.severity),
        "message": finding.message,
        "file": finding.path,
        "line": place.line,
        "column": place.column,
        "end_line": place.end_line,
        "end_column": place.end_column,
        "instead": finding.instead,
        "fix": edits,
    }


FORMAT = LintFormat(render=render)
