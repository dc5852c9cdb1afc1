"""One file for one attachment: the report for people, and folded below it the report for `--from`."""

from __future__ import annotations

from cudacheck.model.report import Report
from cudacheck.render import Shown, as_text
from cudacheck.render.formats import markdown
from cudacheck.reports import folding

MOST_CHARACTERS = 65_536
"""Of an issue's or a comment's text on GitHub; https://github.com/orgs/community/discussions/41331"""
HOW_TO_READ = "the whole report, for <code>cudacheck doctor --from FILE</code>"


def as_markdown(report: Report, encoding: str = "utf-8") -> str:
    """What people read, then the report: as JSON, or packed where all of it would be too long for an issue."""
    people = markdown.render(report, Shown(verbose=True, encoding=encoding))
    json = folding.inert(as_text(report, "json", encoding=encoding))
    whole = _joined(people, json)
    return whole if len(whole) <= MOST_CHARACTERS else _joined(people, folding.packed(json), "text")


def _joined(people: str, report: str, language: str = "json") -> str:
    fold = markdown.folded(HOW_TO_READ, markdown.block(report.rstrip("\n").split("\n"), language))
    return "\n\n".join([folding.BEGIN, people.rstrip("\n"), folding.REPORT, fold, folding.END]) + "\n"
