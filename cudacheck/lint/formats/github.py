"""GitHub's annotations: the worst first, for a step shows ten of a kind."""

from __future__ import annotations

from cudacheck.lint.linting import Linted
from cudacheck.lint.rule import LintFinding
from cudacheck.lint.showing import LintFormat
from cudacheck.render._clean import clean

COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def render(linted: Linted, _width: int | None) -> str:
    ordered = sorted(linted.findings, key=lambda finding: [*COMMANDS].index(finding.severity or "note"))
    return "".join(f"{_annotation(finding)}\n" for finding in ordered)


def _annotation(finding: LintFinding) -> str:
    place = finding.place
    parts = {"file": finding.path, "line": place.line, "endLine": place.end_line or place.line, "title": finding.rule}
    if place.end_line == place.line:
        parts |= {"col": place.column, "endColumn": place.end_column}
    properties = ",".join(f"{key}={_escaped(str(value), property_=True)}" for key, value in parts.items())
    message = finding.message + (f"; instead: {finding.instead}" if finding.instead else "")
    return f"::{COMMANDS[str(finding.severity)]} {properties}::{_escaped(clean(message, 1000))}"


def _escaped(text: str, *, property_: bool = False) -> str:
    text = clean(text).replace("%", "%25")
    return text.replace(":", "%3A").replace(",", "%2C") if property_ else text


FORMAT = LintFormat(render=render)
