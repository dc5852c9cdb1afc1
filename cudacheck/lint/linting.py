"""Files in, findings out: what each file's project says, every rule, what is ignored."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import re
from collections.abc import Callable, Collection, Iterable, Iterator

from cudacheck.lint.facts import Install, Place, Recipe
from cudacheck.lint.readers._base import Unread
from cudacheck.lint.reading import recipe
from cudacheck.lint.rule import LintFinding, rules
from cudacheck.remedies.torch_choice import Machine

_IGNORE = re.compile(r"cudacheck:\s*ignore(?:\[([\w, -]*)\])?")
_COMMENT = ("#", "<!--", "//")


@dataclasses.dataclass(frozen=True)
class Linted:
    """What was found, and what could not be read."""

    findings: tuple[LintFinding, ...]
    unread: tuple[tuple[str, Unread], ...]
    files: int
    texts: dict[str, str]
    """The text of each file with a finding."""
    again: Callable[[Iterable[tuple[str, str]]], Linted]
    """Other texts of these files, judged as part of the same project."""


def lint(
    files: Iterable[tuple[str, str]],
    *,
    beside: Iterable[tuple[str, str]] = (),
    machine: Machine | None = None,
    ignore: Collection[str] = (),
) -> Linted:
    """Every rule over these files (path and text). `beside` are files that only say what is installed."""
    recipes = _read(files)
    installs = _by_folder([found for found, _, _ in [*recipes, *_read(beside)] if found])
    return _judged_all(recipes, installs, machine, ignore)


def _read(files: Iterable[tuple[str, str]]) -> list[tuple[Recipe | None, str, list[tuple[str, Unread]]]]:
    """Each file's recipe with its text, and what of it could not be read."""
    read = []
    with _no_search_for_circles():
        for path, text in files:
            found, notes = recipe(path, text)
            read.append((found, text, [(path, note) for note in notes]))
    return read


@contextlib.contextmanager
def _no_search_for_circles() -> Iterator[None]:
    """Syntax trees hold none, and to look for some among a million nodes takes a quarter of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _judged_all(
    read: Iterable[tuple[Recipe | None, str, list[tuple[str, Unread]]]],
    installs: dict[str, list[tuple[str, Install]]],
    machine: Machine | None,
    ignore: Collection[str],
) -> Linted:
    findings: list[LintFinding] = []
    unread: list[tuple[str, Unread]] = []
    texts, count = {}, 0
    for found, text, notes in read:
        unread += notes
        if found is None:
            continue
        count += 1
        whole = dataclasses.replace(found, project=_around(found.path, installs), machine=machine)
        lines = text.split("\n")
        if told := [finding for finding in _judged(whole, ignore) if not _ignored(finding, lines)]:
            findings += told
            texts[found.path] = text

    def again(files: Iterable[tuple[str, str]]) -> Linted:
        return _judged_all(_read(files), installs, machine, ignore)

    return Linted(tuple(findings), tuple(unread), count, texts, again)


def _by_folder(recipes: list[Recipe]) -> dict[str, list[tuple[str, Install]]]:
    found: dict[str, list[tuple[str, Install]]] = {}
    for one in recipes:
        folder = one.path.rpartition("/")[0]
        found.setdefault(folder, []).extend((one.path, install) for install in one.all(Install))
    return found


def _around(path: str, installs: dict[str, list[tuple[str, Install]]]) -> tuple[Install, ...]:
    """What the other files of its folder, and of those above, install."""
    folder = path.rpartition("/")[0]
    found: list[Install] = []
    while True:
        found += [install for other, install in installs.get(folder, []) if other != path]
        if not folder:
            return tuple(found)
        folder = folder.rpartition("/")[0]


def _judged(found: Recipe, ignore: Collection[str]) -> list[LintFinding]:
    told: dict[tuple[str, Place], LintFinding] = {}
    for named in rules():
        if named.id in ignore:
            continue
        for finding in named.rule.check(found):
            severity = finding.severity or named.rule.severity
            edits = finding.edits if all(edit.place.exact for edit in finding.edits) else ()
            whole = dataclasses.replace(finding, severity=severity, edits=edits, rule=named.id, path=found.path)
            told.setdefault((named.id, finding.place), whole)
    return sorted(_causes([*told.values()]), key=lambda finding: (finding.place, finding.rule))


def _causes(found: list[LintFinding]) -> Iterator[LintFinding]:
    """Without what another finding explains: one cause is told once, with the remedy that mends all of it."""
    explained = {(finding.rule, place) for finding in found for place in finding.explains}
    by = {named.id: named.rule.explained_by for named in rules()}
    for finding in found:
        if not any((cause, finding.place) in explained for cause in by[finding.rule]):
            yield finding


def _ignored(finding: LintFinding, lines: list[str]) -> bool:
    """`# cudacheck: ignore[rule]` on a line of the finding, or in a comment of its own above it."""
    first, last = finding.place.line, max(finding.place.end_line, finding.place.line)
    here = lines[first - 1 : last]
    if first > 1 and lines[first - 2].lstrip().startswith(_COMMENT):
        here.insert(0, lines[first - 2])
    return any(_names(line, finding.rule) for line in here)


def _names(line: str, rule: str) -> bool:
    match = _IGNORE.search(line)
    if match is None:
        return False
    names = {name.strip() for name in (match[1] or "").split(",")} - {""}
    return not names or rule in names
