"""What is in force for a run, from options, variables and a file; and what is hinted at before it."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from cudacheck import render
from cudacheck.cli.options import usage_error
from cudacheck.render import out

if TYPE_CHECKING:
    from cudacheck.configuration import Settings

Config = Annotated[
    Path | None,
    typer.Option(help="Take this configuration file, not the nearest one.", metavar="FILE"),
]
NoConfig = Annotated[bool, typer.Option("--no-config", help="Take no configuration file.")]


def in_force(options: Mapping[str, Any], *, config: Path | None, no_config: bool, lint: bool = False) -> Settings:
    """What counts for the doctor, or for lint. What is configured amiss is one line, and exit code 2."""
    import datetime

    from cudacheck import configuration

    try:
        found = configuration.gathered(
            {key: value for key, value in options.items() if value is not None},
            environment=os.environ,
            folder=_working_folder(),
            today=datetime.datetime.now(datetime.UTC).date(),
            formats=render.formats("lint" if lint else "formats"),
            config=config,
            no_config=no_config,
            of=configuration.LINT if lint else configuration.DOCTOR,
        )
    except configuration.ConfigurationError as error:
        usage_error(str(error))
    for left in found.expired:
        out.say(f"{left.found_in}: {left.rule} is judged again: it was left out until {left.until}")
    return found


def others_than(select: list[str] | None) -> list[str]:
    """The rules that are left out where only some are asked for."""
    if not select:
        return []
    from cudacheck.registry import rules

    return [rule.id for rule in rules() if {*select}.isdisjoint(rule.names)]


def hint_at_stdin() -> None:
    """Text that was piped to us, and that nobody asked us to read."""
    if sys.stdin is not None and sys.platform != "win32" and _holds_text(sys.stdin):
        out.say("standard input is not read; `cudacheck doctor --from -` judges what is piped to it")


def _holds_text(stream: TextIO) -> bool:
    import fcntl
    import struct
    import termios

    try:
        number = stream.fileno()
        seen = os.fstat(number)
        if stat.S_ISREG(seen.st_mode):
            return seen.st_size > 0
        waiting = struct.unpack("i", fcntl.ioctl(number, termios.FIONREAD, b"\0\0\0\0"))[0]
        return stat.S_ISFIFO(seen.st_mode) and waiting > 0
    except OSError:
        return False


def _working_folder() -> Path:
    try:
        return Path.cwd()
    except OSError:  # it was deleted
        return Path("/")
