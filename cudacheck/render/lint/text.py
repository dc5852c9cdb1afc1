"""For people: each finding with its line and a caret below what it is about."""

from __future__ import annotations

import unicodedata

from cudacheck.lint.linting import Linted
from cudacheck.lint.rule import LintFinding
from cudacheck.render import Format, Shown, out
from cudacheck.render._clean import clean, harmless, passing

WIDTH = 160
"""Columns of a source line where the terminal does not say."""
MARGIN = "    | "
LONGEST = 2000
"""Of a longer source line only the place is told."""


def render(linted: Linted, shown: Shown) -> str:
    room = max((shown.width or out.width() or WIDTH) - len(MARGIN), 20)
    lines: list[str] = []
    for finding in linted.findings:
        lines += [*_told(finding, linted.texts.get(finding.path, ""), room), ""]
    lines += [f"{clean(path)}:{note.place.line}: note: {note.reason}" for path, note in linted.unread]
    return passing("\n".join([*lines, _summary(linted)]) + "\n", shown.encoding)


def _told(finding: LintFinding, text: str, room: int) -> list[str]:
    place = finding.place
    where = f"{clean(finding.path)}:{place.line}:{place.column}"
    lines = [f"{where}: {finding.severity}: {clean(finding.message, 400)} [{finding.rule}]"]
    source = text.split("\n")[place.line - 1 : place.line]
    if source and source[0].strip() and len(source[0]) <= LONGEST:
        end = place.end_column if place.end_line == place.line else len(source[0]) + 1
        lines += _marked(source[0], place.column, end, room)
    if finding.instead:
        lines.append(f"    instead: {clean(finding.instead, 400)}")
    return lines


def _marked(line: str, column: int, end: int, room: int) -> list[str]:
    """The line and a caret under the columns (from 1, the end exclusive); a long line is cut around them."""
    line = harmless(line.replace("\t", " ")).rstrip()
    start = max(column - 1 - room // 2, 0) if end - 1 > room else 0
    shown = _cut(line[start:], room)
    before = shown[: column - 1 - start]
    under = shown[column - 1 - start : end - 1 - start] or " "
    return [MARGIN + shown, f"{MARGIN}{' ' * _wide(before)}{'^' * _wide(under)}"]


def _cut(text: str, room: int) -> str:
    while _wide(text) > room:
        text = text[: min(len(text) - 1, room)]
    return text


def _wide(text: str) -> int:
    """Columns of a terminal: Chinese takes two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _summary(linted: Linted) -> str:
    files = f"{linted.files} file{'' if linted.files == 1 else 's'}"
    if not linted.findings:
        return f"nothing found in {files}"
    kinds = [
        (severity, sum(f.severity == severity for f in linted.findings)) for severity in ("error", "warning", "note")
    ]
    counted = ", ".join(f"{count} {severity}{'' if count == 1 else 's'}" for severity, count in kinds if count)
    fixable = sum(bool(finding.edits) for finding in linted.findings)
    return f"{counted} in {files}" + (f"; {fixable} can be mended: --diff shows how, --fix does it" if fixable else "")


FORMAT = Format(render=render, endings=(".txt",), media_type="text/plain")
