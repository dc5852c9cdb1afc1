"""`cudacheck lint`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cudacheck.cli import interrupts, settings
from cudacheck.cli.options import (
    Color,
    Colour,
    ExitZero,
    FailingFrom,
    Ignore,
    Output,
    format_option,
    usage_error,
)
from cudacheck.cli.output import check_first, deliver, refusing, show
from cudacheck.model.extras import installing
from cudacheck.render import out

FOLDER = "lint"


def lint(
    paths: Annotated[list[str], typer.Argument(help="Files and folders; - is stdin.", metavar="PATH…")],
    since: Annotated[
        str | None, typer.Option(help="Only files that changed since this git revision.", metavar="REV")
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(help="Judge for the machine of a saved report, or of what its nvidia-smi says.", metavar="REPORT"),
    ] = None,
    gpu: Annotated[str | None, typer.Option(help="Judge for this GPU: a name, or a capability (9.0).")] = None,
    driver: Annotated[str | None, typer.Option(help="Judge for this NVIDIA driver.", metavar="VERSION")] = None,
    python: Annotated[str | None, typer.Option(help="Judge for this Python (3.12).", metavar="VERSION")] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Write what is mechanical and certain.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show what --fix would write, and write nothing.")] = False,
    fail_on: FailingFrom = None,
    exit_zero: ExitZero = False,
    select: Annotated[list[str] | None, typer.Option(help="Only this rule (repeatable).", metavar="RULE")] = None,
    ignore: Ignore = None,
    config: settings.Config = None,
    no_config: settings.NoConfig = False,
    output_format: Annotated[str | None, format_option(FOLDER)] = None,
    output: Output = None,
    color: Colour = Color.AUTO,
) -> None:
    """Check recipes before they are run: scripts, requirements, Dockerfiles, workflows, Python, articles.

    It reads, and runs nothing. Exit code 0: no finding at or above --fail-on. 1: there is one. 2: bad usage or
    unreadable input.
    """
    if fix and diff:
        usage_error("--fix writes, --diff shows what it would write: give one of them")
    from cudacheck.commands import lint as linting

    if lacking := linting.missing():
        usage_error(f"lint needs {lacking.replace('_', '-')}: {installing('lint')}")
    asked: dict[str, Any] = {
        "select": select,
        "ignore": ignore,
        "fail-on": fail_on,
        "gpu": gpu,
        "driver": driver,
        "python": python,
        "format": output_format,
        "output": output,
    }
    force = settings.in_force(asked, config=config, no_config=no_config, lint=True)
    shown_as = force.values["format"]
    ways = check_first(None, force.values["output"], shown_as, FOLDER)
    with refusing(), interrupts.raised():
        named = asked if on else force.values  # --on outranks a file's GPU as every option does
        machine = linting.machine(gpu=named["gpu"], driver=named["driver"], python=named["python"], on=on)
        left_out = [*(one.rule for one in force.ignore), *linting.others_than(force.values["select"])]
        linted = linting.lint(paths, since=since, machine=machine, ignore=left_out)
        if diff:
            show(linting.would_write(linted))
        else:
            deliver(linted, shown_as, ways, folder=FOLDER, color=color)
        if fix:
            count = linting.mend(linted)
            out.say(f"mended {count} file{'' if count == 1 else 's'}")
    raise typer.Exit(0 if exit_zero else int(linting.fails(linted, force.values["fail-on"])))
