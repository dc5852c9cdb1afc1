"""`cudacheck ticket`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cudacheck.cli import interrupts
from cudacheck.cli.doctor import Bench, From, either, look
from cudacheck.cli.options import Ignore, Python, Timeout, usage_error
from cudacheck.cli.output import check_first, show, way_to
from cudacheck.render import out

if TYPE_CHECKING:
    from cudacheck.commands.ticket import Ticket

MOST_TOLD = 10
"""Suspicions."""


def ticket(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file: .md, .html or .json; else stdout, Markdown.", metavar="FILE"),
    ] = None,
    python: Python = None,
    source: From = None,
    bench: Bench = True,
    timeout: Timeout = None,
    ignore: Ignore = None,
    redact: Annotated[
        bool, typer.Option("--redact/--no-redact", help="Take people, machines and secrets out of it.")
    ] = True,
    minimal: Annotated[bool, typer.Option("--minimal", help="Keep only the facts that the findings rest on.")] = False,
) -> None:
    """Write one file for a support ticket: to read, safe to post, and whole for `cudacheck doctor --from`.

    Exit code 0: it was written, whatever was found. 2: bad usage or unreadable input.
    """
    from cudacheck.commands import ticket as making
    from cudacheck.configuration import DEFAULTS

    either(source, python)
    usual = making.FORMATS[0]
    format_name = way_to(str(output), usual).format if output else usual
    check_first(ignore, None, format_name)
    if format_name not in making.FORMATS:
        usage_error(f"a ticket that can be read back is .md, .html or .json, not {output.suffix if output else ''}")
    found = look(source, python, bench=bench is not False, timeout_s=timeout or DEFAULTS["timeout"], ignore=ignore)
    encoding = "utf-8" if output else out.encoding()
    made = making.ticket_of(found.report, format_name, redact=redact, least=minimal, encoding=encoding)
    _write(made, output)
    _tell(made, output, redact=redact)
    if found.interrupted:
        raise typer.Exit(interrupts.CODE)


def _write(made: Ticket, output: Path | None) -> None:
    if output is None:
        show(made.text)
        return
    try:
        output.write_text(made.text, encoding="utf-8")
    except OSError as error:
        usage_error(f"cannot write {output}: {error.strerror}")


def _tell(made: Ticket, output: Path | None, *, redact: bool) -> None:
    name = output or "the ticket"
    if not redact:
        out.say(f"{name} is not redacted: it names people and machines as they are called")
    for one in made.suspicions[:MOST_TOLD]:
        out.say(f"look before you post: {one.shown} in {one.where} looks like {one.what}")
    if (more := len(made.suspicions) - MOST_TOLD) > 0:
        out.say(f"look before you post: {more} more look like secrets")
    if made.is_too_long:
        out.say(f"{name} has {len(made.text)} characters, an issue takes {made.most}: attach the file")
    elif output:
        out.say(f"{name} is written: {len(made.text)} characters; read it before you post it")
