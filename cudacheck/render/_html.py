"""Pages of our own: nothing is fetched, and nothing runs in one but a script of ours that copies commands."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cudacheck.render import outline
from cudacheck.render._clean import clean, harmless, typed

if TYPE_CHECKING:
    from jinja2 import Environment

PAGE = Path(__file__).parent / "page"
NEEDS = ("jinja2", "html")


def page(template: str, encoding: str, **values: Any) -> str:
    """A template of page/ with these values; letters that the encoding lacks are written as numbers."""
    script, style = (_file(f"page.{ending}") for ending in ("js", "css"))
    told = (
        _environment()
        .get_template(template)
        .render(
            outline=outline,
            typed=typed,
            script=ours(script),
            style=ours(style),
            policy=_policy(script, style),
            **values,
        )
    )
    told = told.lstrip()
    if encoding.lower().replace("-", "") == "utf8":
        return told
    return told.encode("ascii", "xmlcharrefreplace").decode()


def ours(text: str) -> Any:
    """What is ours, or holds no letter that means something to HTML: it is not escaped."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - read from our own files, or inert


@lru_cache
def _environment() -> Environment:
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
    return environment


def _shown(value: Any) -> Any:
    from markupsafe import Markup

    return value if isinstance(value, Markup | int | float) else harmless(str(value))


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
