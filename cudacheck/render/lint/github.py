"""GitHub's annotations: the worst first, for a step shows ten of a kind."""

from __future__ import annotations

from cudacheck.lint.linting import Linted
from cudacheck.lint.rule import LintFinding
from cudacheck.model.findings import Severity
from cudacheck.render import Format, Shown
from cudacheck.render._clean import clean, passing
from cudacheck.render.formats.github import COMMANDS, command


def render(linted: Linted, shown: Shown) -> str:
    ordered = sorted(linted.findings, key=lambda finding: [*COMMANDS].index(finding.severity or Severity.NOTE))
    return passing("".join(f"{_annotation(finding)}\n" for finding in ordered), shown.encoding)


def _annotation(finding: LintFinding) -> str:
    place = finding.place
    lines = {"line": place.line, "endLine": place.end_line or place.line}
    parts: dict[str, object] = {"file": finding.path, **lines, "title": finding.rule}
    if place.end_line == place.line:
        parts |= {"col": place.column, "endColumn": place.end_column}
    message = finding.message + (f"; instead: {finding.instead}" if finding.instead else "")
    return command(finding.severity or Severity.NOTE, clean(message, 1000), **parts)


FORMAT = Format(render=render, endings=(), media_type="text/plain")
