"""`cudacheck diff`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cudacheck.cli import interrupts
from cudacheck.cli.options import (
    Color,
    Colour,
    Output,
    Python,
    Quiet,
    Redact,
    Timeout,
    Verbose,
    format_option,
    usage_error,
)
from cudacheck.cli.output import check_first, deliver, refusing
from cudacheck.render import out

if TYPE_CHECKING:
    from cudacheck.model.report import Report

FOLDER = "diff"
DIFFERENT = 1


def diff(
    files: Annotated[
        list[str],
        typer.Argument(
            help="Saved reports, tickets or pastes; the first is what the others are compared with. - is stdin.",
            metavar="A B",
        ),
    ],
    live: Annotated[bool, typer.Option("--live", help="Compare this machine with A as well.")] = False,
    python: Python = None,
    bench: Annotated[
        bool, typer.Option("--bench/--no-bench", help="For --live: measure FP16 matmul and attention.")
    ] = True,
    timeout: Timeout = None,
    output_format: Annotated[str | None, format_option(FOLDER)] = None,
    output: Output = None,
    redact: Redact = False,
    quiet: Quiet = False,
    color: Colour = Color.AUTO,
    verbose: Verbose = False,
) -> None:
    """Tell what is different in B, what of it matters first, and why it is likely that B fails.

    Exit code 0: nothing is different. 1: something is. 2: bad usage or unreadable input.
    """
    from cudacheck.commands import diff as comparing

    shown_as = output_format or "text"
    ways = check_first(None, output, shown_as, FOLDER)
    if python and not live:
        usage_error("--python names an interpreter for --live, which was not asked for")

    def inspected() -> Report:
        from cudacheck.commands import doctor
        from cudacheck.configuration import DEFAULTS

        with interrupts.raised(), out.Line() as line:
            found = doctor.live(python, bench=bench, timeout_s=timeout or DEFAULTS["timeout"], progress=line.show)
        if found.interrupted:
            raise typer.Exit(interrupts.CODE)  # half of a machine differs in everything
        return found.report

    def prepared(report: Report) -> Report:
        from cudacheck.reports.redact import redacted

        return redacted(report) if redact else report

    with refusing():
        found = comparing.diff(files, inspected if live else None, prepared=prepared)
    deliver(found, shown_as, ways, folder=FOLDER, verbose=verbose, quiet=quiet, color=color)
    raise typer.Exit(0 if found.is_same else DIFFERENT)
