"""Renderers: one file a format; they show a report and decide nothing."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cudacheck.model.report import Report


def as_text(report: Report, output_format: str, *, encoding: str = "utf-8", **options: bool) -> str:
    """The report in the format that a module of this package is named after, in letters that this encoding has."""
    module = importlib.import_module(f"{__name__}.{output_format}")
    if output_format != "text":
        options = {}
    rendered: str = module.render(report, encoding=encoding, **options)
    return rendered
