"""Renderers: one file a format; they show a report and decide nothing."""

from __future__ import annotations

import importlib

from cudacheck.report import Report


def as_text(report: Report, output_format: str, **options: bool) -> str:
    """The report in the format that a module of this package is named after."""
    module = importlib.import_module(f"{__name__}.{output_format}")
    rendered: str = module.render(report, **options) if output_format == "text" else module.render(report)
    return rendered
