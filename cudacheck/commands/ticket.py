"""`cudacheck ticket`: what the doctor found, made safe to post, as one file that `--from` reads back."""

from __future__ import annotations

from dataclasses import dataclass

from cudacheck.model.report import Report
from cudacheck.render import as_text, ticket
from cudacheck.reports import minimal, scan
from cudacheck.reports.redact import redacted
from cudacheck.reports.scan import Suspicion
from cudacheck.sources import report_json

FORMATS = ("markdown", "html", "json")
"""Those that `--from` reads back; the usual one first."""


@dataclass(frozen=True)
class Ticket:
    text: str
    suspicions: tuple[Suspicion, ...]
    """What still looks like a secret in it."""

    most: int | None = None
    """Characters that the place it is meant for takes; None for a file, which is attached."""

    @property
    def is_too_long(self) -> bool:
        return self.most is not None and len(self.text) > self.most


def ticket_of(
    report: Report,
    format_name: str = FORMATS[0],
    *,
    redact: bool = True,
    least: bool = False,
    encoding: str = "utf-8",
) -> Ticket:
    """The report in one of FORMATS; `least` keeps only the facts that the findings rest on.

    It is read back from what was written before that is looked through: what is hidden there is seen, too.
    """
    shared = minimal.minimal(report) if least else report
    shared = redacted(shared) if redact else shared
    if format_name == "markdown":
        text = ticket.as_markdown(shared, encoding)
    else:
        text = as_text(shared, format_name, verbose=True, encoding=encoding)
    read, _ = report_json.split(text)
    if read is None:
        raise RuntimeError("a ticket in which no report is found again")
    most = ticket.MOST_CHARACTERS if format_name == "markdown" else None
    return Ticket(text, tuple(scan.suspicions(read, text)), most)
