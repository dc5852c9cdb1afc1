"""The options that several commands share, and what is said about them before the work."""

from __future__ import annotations

import enum
from typing import Annotated, Any, NoReturn

import typer

from cudacheck import render
from cudacheck.render import out

USAGE, FAULT = 2, 4
"""Exit codes: what was asked cannot be done; a fault of our own."""


class Dtype(enum.StrEnum):
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"


class FailOn(enum.StrEnum):
    ERROR = "error"
    WARNING = "warning"
    NEVER = "never"


class Proof(enum.StrEnum):
    """What it means where nothing proves the machine ready, as judging/gate.py has it."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    RETRY = "retry"


class Color(enum.StrEnum):
    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class PageFormat(enum.StrEnum):
    TEXT = "text"
    JSON = "json"


def format_option(folder: str = "formats") -> Any:
    """`--format` with the names of this folder's formats."""
    names = render.formats(folder)

    def known(name: str | None) -> str | None:
        if name is not None and name not in names:
            raise typer.BadParameter(f"{name!r} is not one of {', '.join(map(repr, names))}")
        return name

    words = "What to print; text unless said otherwise."
    return typer.Option("--format", help=words, metavar=f"<{'|'.join(names)}>", callback=known)


def _known_timeout(seconds: float | None) -> float | None:
    if seconds is not None and not 1 <= seconds <= 86400:
        raise typer.BadParameter("it is between 1 and 86400 seconds")
    return seconds


Python = Annotated[
    str | None,
    typer.Option(help="The interpreter (or environment folder) to inspect; else the active one.", metavar="PATH"),
]
Timeout = Annotated[float | None, typer.Option(help="Seconds for the whole run.", metavar="S", callback=_known_timeout)]
Strict = Annotated[bool, typer.Option("--strict", help="The same as --not-proven fail.")]
NotProven = Annotated[
    Proof | None,
    typer.Option(help="Where nothing proves the machine ready: exit code 0, 1 or 3; pass unless said otherwise."),
]
ExitZero = Annotated[bool, typer.Option("--exit-zero", help="Exit code 0, whatever is found.")]
FailingFrom = Annotated[
    FailOn | None, typer.Option(help="The least severity that makes the exit code 1; error unless said otherwise.")
]
Ignore = Annotated[list[str] | None, typer.Option(help="Leave a rule out (repeatable).", metavar="RULE")]
OutputFormat = Annotated[str | None, format_option()]
Output = Annotated[
    list[str] | None,
    typer.Option(
        "--output",
        "-o",
        help="Write the report to a file as well (repeatable); a prefix or its ending chooses the format.",
        metavar="[FORMAT:]FILE",
    ),
]
Redact = Annotated[bool, typer.Option("--redact", help="Take people, machines and secrets out of the report.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Probes, logs, sources, unchecked rules.")]
PageFormatOption = Annotated[PageFormat, typer.Option("--format", help="What to print.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Of the text, the first line alone.")]
Colour = Annotated[Color, typer.Option("--color", help="Colours on the screen.")]


def usage_error(message: str) -> NoReturn:
    """One clear line on stderr, exit code 2."""
    out.say(message)
    raise typer.Exit(USAGE)


def known_rules(asked: list[str]) -> None:
    if not asked:
        return
    from cudacheck import configuration

    for rule_id in asked:
        try:
            configuration.known_rule(rule_id)
        except configuration.ConfigurationError as error:
            usage_error(str(error))


def not_proven_of(asked: Proof | None, *, strict: bool) -> Proof | None:
    """--strict and --not-proven say the same thing in two ways."""
    if strict and asked not in {None, Proof.FAIL}:
        usage_error(f"--strict is --not-proven fail, and --not-proven {asked} was given")
    return Proof.FAIL if strict else asked
