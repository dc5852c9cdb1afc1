"""The command line: what there is to type, and the exit code of it all."""

from __future__ import annotations

import errno
import os
import sys
from typing import Annotated

import typer

from cudacheck import __version__
from cudacheck.cli import interrupts
from cudacheck.cli.bench import bench_app
from cudacheck.cli.collect import PASSED_ON, kubernetes, ray, slurm
from cudacheck.cli.config import config
from cudacheck.cli.diff import diff
from cudacheck.cli.doctor import doctor
from cudacheck.cli.explain import explain
from cudacheck.cli.fleet import fleet_app
from cudacheck.cli.lint import lint
from cudacheck.cli.options import FAULT, USAGE
from cudacheck.cli.output import show
from cudacheck.cli.plan import plan
from cudacheck.cli.ticket import ticket
from cudacheck.render import out

app = typer.Typer(
    name="cudacheck",
    help="What is wrong with this CUDA and PyTorch environment, why, what to type, and is the GPU really fast?",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help starts 0.1 s sooner and pastes well
    context_settings={"help_option_names": ["-h", "--help"]},
)


def run() -> int:
    """The command line from end to end, in a process of its own. Returns the exit code, whatever was raised."""
    try:
        code = app(standalone_mode=False)
    except SystemExit:
        return 0  # Click's, where whoever read the help has read enough and closed the pipe
    except Exception as error:
        return _failed(error)
    if code == interrupts.CODE:  # Typer turns a KeyboardInterrupt into this code, and says nothing
        out.say("interrupted")
    return code if isinstance(code, int) else 0


def _failed(error: Exception) -> int:
    """One line instead of a traceback, but for those who ask for it."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None:
        out.say(f"cannot write to standard output: {error.strerror}")
        out.give_up(sys.stdout)
        return USAGE
    if type(error).__name__ == "NoArgsIsHelpError" and hasattr(error, "format_message"):  # Click's: the help, whole
        show(f"{error.format_message()}\n")
        return USAGE
    if hasattr(error, "format_message"):  # Click's: usage
        out.say(f"{error.format_message().rstrip('.')}; `cudacheck --help` lists what there is")
        return USAGE
    if "CUDACHECK_DEBUG" in os.environ:
        raise error
    out.say(f"internal error, please report it: {type(error).__name__}: {error}")
    return FAULT


def _version(asked: bool) -> None:
    if asked:
        from cudacheck import knowledge

        show(f"cudacheck {__version__} (knowledge of {knowledge.as_of()})\n")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The doctor for CUDA and PyTorch environments. It looks, measures and tells; it changes nothing."""


app.command()(doctor)
app.command()(ticket)
app.command()(diff)
app.command()(explain)
app.command()(plan)
app.command()(config)
app.command()(lint)
app.add_typer(bench_app, name="bench")
fleet_app.command()(ray)
fleet_app.command(context_settings=PASSED_ON)(slurm)
fleet_app.command()(kubernetes)
app.add_typer(fleet_app, name="fleet")
