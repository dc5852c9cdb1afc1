"""`cudacheck doctor`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cudacheck.cli import interrupts, settings
from cudacheck.cli.options import (
    Color,
    Colour,
    ExitZero,
    FailingFrom,
    Ignore,
    NotProven,
    Output,
    OutputFormat,
    Python,
    Quiet,
    Redact,
    Strict,
    Timeout,
    Verbose,
    not_proven_of,
    usage_error,
)
from cudacheck.cli.output import Gate, check_first, leave, refusing, tell
from cudacheck.render import out

if TYPE_CHECKING:
    from cudacheck.commands.doctor import Inspected
    from cudacheck.probes.chosen import Required


From = Annotated[
    list[str] | None,
    typer.Option(
        "--from",
        help="Judge a paste, a ticket, a saved report or a folder of them instead of this machine; - is stdin.",
        metavar="FILE",
    ),
]
Bench = Annotated[bool | None, typer.Option("--bench/--no-bench", help="Measure FP16 matmul and attention.")]


def doctor(
    files: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    python: Python = None,
    source: From = None,
    require: Annotated[
        list[str] | None,
        typer.Option(help="What the machine must fulfil (repeatable): torch>=2.7, gpu-memory>=40GB.", metavar="SPEC"),
    ] = None,
    like: Annotated[
        str | None, typer.Option(help="The machine must be like the one of this report.", metavar="REPORT")
    ] = None,
    bench: Bench = None,
    timeout: Timeout = None,
    fail_on: FailingFrom = None,
    not_proven: NotProven = None,
    strict: Strict = False,
    exit_zero: ExitZero = False,
    select: Annotated[
        list[str] | None, typer.Option(help="Only this rule, and what is required (repeatable).", metavar="RULE")
    ] = None,
    ignore: Ignore = None,
    config: settings.Config = None,
    no_config: settings.NoConfig = False,
    output_format: OutputFormat = None,
    output: Output = None,
    redact: Redact = False,
    quiet: Quiet = False,
    color: Colour = Color.AUTO,
    verbose: Verbose = False,
) -> None:
    """Diagnose this machine, or what somebody pasted (--from).

    Exit code 0: no finding at or above --fail-on, and all that is required is fulfilled. 1: it is not so. 2: bad usage
    or unreadable input. 3: not proven, with --not-proven retry.
    """
    from cudacheck.commands import doctor as inspecting

    asked: dict[str, Any] = {
        "require": require,
        "ignore": ignore,
        "fail-on": fail_on,
        "not-proven": not_proven_of(not_proven, strict=strict),
        "bench": bench,
        "timeout": timeout,
        "format": output_format,
        "python": python,
        "output": output,
    }
    if files:
        usage_error(f"doctor takes no file by itself; `cudacheck doctor --from {files[0]}` judges it")
    either(source, python)
    force = settings.in_force(asked, config=config, no_config=no_config)
    ways = check_first(select, force.values["output"], force.values["format"])
    left_out = [*(one.rule for one in force.ignore), *settings.others_than(select)]
    if not source and not like and all(value is None for value in asked.values()):
        settings.hint_at_stdin()
    with refusing():
        alike = inspecting.alike(like) if like else ()
    found = look(
        source,
        force.values["python"],
        bench=force.values["bench"],
        timeout_s=force.values["timeout"],
        ignore=left_out,
        required=[*force.require, *alike],
    )
    gate = Gate(force.values["fail-on"], force.values["not-proven"], exit_zero)
    tell(found, force.values["format"], ways, redact=redact, verbose=verbose, quiet=quiet, color=color, gate=gate)
    leave(found, gate)


def either(source: list[str] | None, python: str | None) -> None:
    if source and python:
        usage_error("--from judges what was pasted, --python inspects this machine: give one of them")


def look(
    source: list[str] | None,
    python: str | None,
    *,
    bench: bool,
    timeout_s: float,
    ignore: list[str] | None,
    required: Sequence[Required] = (),
) -> Inspected:
    """At what was pasted, else at this machine."""
    from cudacheck.commands import doctor as inspecting

    with refusing():
        if source:
            found = inspecting.pasted(source, ignore=ignore or (), required=required)
            for told in found.told:
                out.say(told)
            return found
        with interrupts.raised(), out.Line() as line:
            return inspecting.live(
                python,
                bench=bench,
                timeout_s=timeout_s,
                ignore=ignore or (),
                required=required,
                progress=line.show,
            )
