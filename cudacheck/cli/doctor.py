"""`cudacheck doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cudacheck.cli import interrupts
from cudacheck.cli.options import (
    FailingFrom,
    FailOn,
    Ignore,
    Output,
    OutputFormat,
    Python,
    Redact,
    Strict,
    Timeout,
    Verbose,
    usage_error,
)
from cudacheck.cli.output import check_first, leave, refusing, tell
from cudacheck.render import out

if TYPE_CHECKING:
    from cudacheck.commands.doctor import Inspected


From = Annotated[
    list[str] | None,
    typer.Option(
        "--from",
        help="Judge a paste, a ticket, a saved report or a folder of them instead of this machine; - is stdin.",
        metavar="FILE",
    ),
]
Bench = Annotated[bool, typer.Option("--bench/--no-bench", help="Measure FP16 matmul and attention.")]


def doctor(
    python: Python = None,
    source: From = None,
    bench: Bench = True,
    timeout: Timeout = 180,
    strict: Strict = False,
    fail_on: FailingFrom = FailOn.ERROR,
    ignore: Ignore = None,
    output_format: OutputFormat = "text",
    output: Output = None,
    redact: Redact = False,
    verbose: Verbose = False,
) -> None:
    """Diagnose this machine, or what somebody pasted (--from).

    Exit code 0: no finding at or above --fail-on. 1: there is one. 2: bad usage or unreadable input.
    """
    check_first(ignore, output, output_format)
    found = look(source, python, bench=bench, timeout_s=timeout, ignore=ignore)
    tell(found, output_format, output, redact=redact, verbose=verbose)
    leave(found, fail_on, strict=strict)


def look(
    source: list[str] | None, python: str | None, *, bench: bool, timeout_s: float, ignore: list[str] | None
) -> Inspected:
    """At what was pasted, else at this machine."""
    from cudacheck.commands import doctor as inspecting

    if source and python:
        usage_error("--from judges what was pasted, --python inspects this machine: give one of them")
    with refusing():
        if source:
            found = inspecting.pasted(source, ignore=ignore or ())
            for told in found.told:
                out.say(told)
            return found
        with interrupts.raised(), out.Line() as line:
            return inspecting.live(python, bench=bench, timeout_s=timeout_s, ignore=ignore or (), progress=line.show)
