"""The report as JSON."""

from __future__ import annotations

import re

from cudacheck.model.report import Report
from cudacheck.render import Format, Shown
from cudacheck.render._clean import encodes, is_harmless
from cudacheck.reports.write import dumps

_NOT_ASCII = re.compile("[^\n -~]")


def render(report: Report, shown: Shown) -> str:
    """The versioned report; docs/report.schema.json describes it."""
    return escaped(dumps(report), shown.encoding)


def escaped(text: str, encoding: str) -> str:
    """JSON in which what is harmful to a terminal, or what the encoding lacks, is escaped: once parsed, the same."""
    return "\n".join(
        line if is_harmless(line) and encodes(line, encoding) else _escaped(line, encoding) for line in text.split("\n")
    )


def _escaped(line: str, encoding: str) -> str:
    def escape(match: re.Match[str]) -> str:
        one = match.group()
        if is_harmless(one) and encodes(one, encoding):
            return one
        units = one.encode("utf-16-be", "surrogatepass")
        return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))

    return _NOT_ASCII.sub(escape, line)


FORMAT = Format(render=render, endings=(".json",), media_type="application/json")
