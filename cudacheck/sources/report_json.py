"""Finds a report of cudacheck's own: as JSON, alone or in an issue, in a ticket, packed."""

from __future__ import annotations

import json
import re

from cudacheck.model.report import Report
from cudacheck.reports import folding
from cudacheck.reports.read import loads

MOST_LAYERS = 3
"""A ticket that somebody packed and pasted as base64 has two."""

_START = re.compile(r"^[^\S\n]*(\{)\s*(?:$|\"schema_version\")", re.MULTILINE)
_KEY = '"schema_version"'


def split(text: str, layers: int = MOST_LAYERS) -> tuple[Report | None, str]:
    """The report, and the text that somebody wrote around it; None where the text holds none.

    Raises ReportError and DamagedError for a report that cannot be read.
    """
    ticket, around = folding.apart(text)
    if _KEY in ticket and (start := _START.search(ticket)):
        begin = start.start(1)
        end = _end(ticket, begin)
        return loads(ticket[begin:end]), around or f"{ticket[:begin]}\n{ticket[end:]}"
    if layers and (packed := folding.unpacked(ticket)):
        report, beside = split(packed[0], layers - 1)
        return report, "\n".join([around or packed[1], beside])
    return None, text


def may_hold_one(text: str) -> bool:
    return "schema_version" in text or "H4sI" in text or folding.PACKED in text


def _end(text: str, begin: int) -> int:
    """Where the JSON value ends; the end of the text where it is none."""
    try:
        return json.JSONDecoder().raw_decode(text, begin)[1]
    except (ValueError, RecursionError):
        return len(text)
