"""What --fix writes and --diff shows: edits that are certain, each proven by reading the mended file again."""

from __future__ import annotations

import collections
import itertools
import os
import tempfile
from pathlib import Path

from cudacheck.lint.facts import Place
from cudacheck.lint.linting import Linted
from cudacheck.lint.rule import Edit


def fixed(linted: Linted) -> dict[str, str]:
    """The new text of each file that changes."""
    wanted: dict[str, list[tuple[Edit, ...]]] = collections.defaultdict(list)
    for finding in linted.findings:
        if finding.edits and not finding.path.startswith("<"):
            wanted[finding.path].append(finding.edits)
    done = {path: _mended(linted, path, together) for path, together in wanted.items()}
    return {path: text for path, text in done.items() if text != linted.texts[path]}


def _mended(linted: Linted, path: str, together: list[tuple[Edit, ...]]) -> str:
    """All edits where the file read again has fewer findings and no new one; else those that pass one by one."""
    text = linted.texts[path]
    all_edits = [edit for edits in together for edit in edits]
    if (whole := _applied(text, all_edits)) is not None and _is_better(linted, path, text, whole):
        return whole
    # From the end to the beginning: what is above stays where it is.
    for edits in sorted(together, key=lambda edits: edits[0].place, reverse=True):
        if (one := _applied(text, edits)) is not None and _is_better(linted, path, text, one):
            text = one
    return text


def _is_better(linted: Linted, path: str, before: str, after: str) -> bool:
    was, now = _faults(linted, path, before), _faults(linted, path, after)
    return now < was


def _faults(linted: Linted, path: str, text: str) -> collections.Counter[str]:
    """How often each rule speaks of this text in this file; notes about what does not parse count as well."""
    again = linted.again([(path, text)])
    return collections.Counter(
        [*(finding.rule for finding in again.findings), *(note.reason for _, note in again.unread)]
    )


def _applied(text: str, edits: list[Edit] | tuple[Edit, ...]) -> str | None:
    """The text with these edits done; None where two overlap, or one would write over a variable."""
    starts = [0, *itertools.accumulate(len(line) + 1 for line in text.split("\n"))]
    spans = sorted({(*_span(edit.place, starts), edit.text) for edit in edits}, reverse=True)
    barrier = len(text)
    for start, end, new in spans:
        if end > barrier or "$" in text[start:end]:
            return None
        text = text[:start] + new + text[end:]
        barrier = start
    return text


def _span(place: Place, starts: list[int]) -> tuple[int, int]:
    return starts[place.line - 1] + place.column - 1, starts[place.end_line - 1] + place.end_column - 1


def write(linted: Linted) -> int:
    """Write the fixes, each file whole or not at all. Returns how many files changed. Raises OSError."""
    changes = fixed(linted)
    for path, text in changes.items():
        _replace(Path(path).resolve(), text)
    return len(changes)


def _replace(path: Path, text: str) -> None:
    mode = path.stat().st_mode
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".cudacheck-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        Path(temporary).chmod(mode & 0o777)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
