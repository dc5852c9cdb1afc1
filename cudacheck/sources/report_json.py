"""Reads a report of cudacheck's own: `cudacheck doctor --format json`, alone or in an issue."""

from __future__ import annotations

import json
import re

from cudacheck.model.report import Report
from cudacheck.reports.read import loads

_START = re.compile(r"^[^\S\n]*(\{)\s*(?:$|\"schema_version\")", re.MULTILINE)


def split(text: str) -> tuple[Report | None, str]:
    """The report, and the text around it; None where the text holds none.

    Raises report.ReportError for a report that cannot be read.
    """
    if '"schema_version"' not in text or (start := _START.search(text)) is None:
        return None, text
    begin = start.start(1)
    end = _end(text, begin)
    return loads(text[begin:end]), f"{text[:begin]}\n{text[end:]}"


def _end(text: str, begin: int) -> int:
    """Where the JSON value ends; the end of the text where it is none."""
    try:
        return json.JSONDecoder().raw_decode(text, begin)[1]
    except (ValueError, RecursionError):
        return len(text)
