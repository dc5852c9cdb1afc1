"""The report as one page: nothing is fetched, and nothing runs in it but a script of ours that copies commands."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cudacheck.model.report import Report
from cudacheck.render import Format, Shown, _glance, _measured, _page, outline
from cudacheck.render._clean import clean, harmless, typed
from cudacheck.render.formats import json
from cudacheck.reports import folding

if TYPE_CHECKING:
    from jinja2 import Template

PAGE = Path(__file__).parents[1] / "page"
WIDTH = 100
"""Columns of the tables that are drawn as text."""


def render(report: Report, shown: Shown) -> str:
    """A page of its own, always with all there is, folded where only support needs it; the report itself is in it."""
    script, style = (_file(f"page.{ending}") for ending in ("js", "css"))
    page = _template().render(
        out=outline.of(report, verbose=True),
        facts=report.facts,
        report=report,
        outline=outline,
        glance=[*_glance.lines(report.facts)],
        advice=_text(_measured.advice(report, WIDTH)),
        measured=_text(_measured.lines(report, WIDTH)),
        page=_page,
        typed=typed,
        marks=folding,
        script=_markup(script),
        style=_markup(style),
        policy=_policy(script, style),
        json=_markup(folding.inert(json.render(report, shown))),
    )
    page = page.lstrip()
    return page if shown.encoding.lower().replace("-", "") == "utf8" else _ascii(page)


def _ascii(page: str) -> str:
    return page.encode("ascii", "xmlcharrefreplace").decode()


@lru_cache
def _template() -> Template:
    """Every value passes `_shown`, then autoescape: what a stranger wrote is text, and nothing of it is hidden."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(PAGE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["clean"] = clean
    return environment.get_template("page.html")


def _shown(value: Any) -> Any:
    from markupsafe import Markup

    return value if isinstance(value, Markup | int | float) else harmless(str(value))


def _markup(text: str) -> Any:
    """What is ours, or holds no letter that means something to HTML."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - read from our own files, or inert


@lru_cache
def _file(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


def _policy(script: str, style: str) -> str:
    """Only this very script and this very style; no picture, no font, no form, no frame."""
    return (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _text(lines: Any) -> list[str]:
    return [line.plain.rstrip() for line in lines]


FORMAT = Format(render=render, endings=(".html",), media_type="text/html", needs=("jinja2", "html"))
