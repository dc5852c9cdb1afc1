"""The command line: what there is to type, and the exit code of it all."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from cudacheck import __version__
from cudacheck.cli import interrupts
from cudacheck.cli.conversion import spared
from cudacheck.cli.options import FAULT, USAGE
from cudacheck.cli.output import show
from cudacheck.render import out

COMMANDS = ("doctor", "ticket", "diff", "explain", "plan", "config", "lint", "schema")
"""Each is a function in the file of its name."""
GROUPS = {"bench": "bench", "fleet": "collect"}
"""Each is the NAME_app of a file."""


class Commands(TyperGroup):
    """Sets up what is typed, and the others only where all are asked for: that takes longer than the help itself."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        spared(self)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - Click's
        return [*COMMANDS, *GROUPS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.list_commands(ctx):  # what it may have meant is looked for among all
            self.commands.update({name: self.get_command(ctx, name) for name in self.list_commands(ctx)})
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = _set_up(cmd_name)
        return self.commands[cmd_name]


def _set_up(name: str) -> Any:
    module = importlib.import_module(f"cudacheck.cli.{GROUPS.get(name, name)}")
    if name in GROUPS:
        command = get_command(getattr(module, f"{name}_app"))
        command.name = name
        return spared(command)
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(name)(getattr(module, name))
    return spared(get_command(alone))


app = typer.Typer(
    name="cudacheck",
    cls=Commands,
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
