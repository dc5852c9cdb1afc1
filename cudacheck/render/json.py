"""The report as JSON."""

from __future__ import annotations

from cudacheck.report import Report, dumps


def render(report: Report) -> str:
    """The versioned report; docs/report.schema.json describes it."""
    return dumps(report)
