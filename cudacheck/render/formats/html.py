"""The report as one page, with the report itself in it."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from cudacheck.model.report import Report
from cudacheck.render import Format, Shown, _glance, _html, _measured, _page, outline
from cudacheck.render.formats import json
from cudacheck.reports import folding

WIDTH = 100
"""Columns of the tables that are drawn as text."""


def render(report: Report, shown: Shown) -> str:
    """A page of its own, always with all there is, folded where only support needs it; the report itself is in it."""
    return _html.page(
        "report.html",
        shown.encoding,
        out=outline.of(report, verbose=True),
        facts=report.facts,
        report=report,
        glance=[*_glance.without_speed(report.facts)],
        advice=_text(_measured.advice(report, WIDTH)),
        measured=_text(_measured.lines(report, WIDTH)),
        page=_page,
        marks=folding,
        json=_html.ours(folding.inert(json.render(report, shown))),
    )


def _text(lines: Iterable[Text]) -> list[str]:
    return [line.plain.rstrip() for line in lines]


FORMAT = Format(render=render, endings=(".html",), media_type="text/html", needs=_html.NEEDS)
