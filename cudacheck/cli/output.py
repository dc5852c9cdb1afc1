"""Where a report goes: a file, stdout, a drawing; and the exit code it ends with."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from cudacheck import render
from cudacheck.cli import github, interrupts
from cudacheck.cli.options import Color, known_rules, usage_error
from cudacheck.model.extras import installing
from cudacheck.model.nearest import nearest
from cudacheck.render import out

if TYPE_CHECKING:
    from cudacheck.commands.doctor import Inspected
    from cudacheck.model.report import Report


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """What cannot be inspected is one line and exit code 2."""
    from cudacheck.commands.doctor import InputError

    try:
        yield
    except InputError as error:
        usage_error(str(error))


@dataclasses.dataclass(frozen=True)
class Way:
    """One file that a report goes to."""

    path: Path
    format: str


@dataclasses.dataclass(frozen=True)
class Gate:
    """What makes the exit code: some formats show what fails."""

    fail_on: str = "error"
    not_proven: str = "pass"
    exit_zero: bool = False


def check_first(
    ignore: list[str] | None, outputs: Sequence[str] | None, output_format: str, folder: str = "formats"
) -> list[Way]:
    """What was asked amiss is said before the work. Returns where the result goes, besides stdout."""
    known_rules(ignore or [])
    ways = [way_to(output, output_format, folder) for output in outputs or ()]
    # The usual one needs nothing, and is imported while the children work.
    for name in {output_format, *(way.format for way in ways)} - {render.formats(folder)[0]}:
        can_render(name, folder)
    return ways


def can_render(name: str, folder: str = "formats") -> None:
    """What a format needs and an extra brings is asked for before the work."""
    module, extra = render.format_of(name, folder).needs
    if module and find_spec(module) is None:
        usage_error(f"the format {name} needs {module}: {installing(extra)}")


def tell(
    found: Inspected,
    output_format: str,
    ways: Sequence[Way],
    *,
    redact: bool,
    verbose: bool,
    quiet: bool = False,
    color: Color = Color.AUTO,
    gate: Gate = Gate(),
) -> None:
    report = _redacted(found.report) if redact else found.report
    deliver(report, output_format, ways, verbose=verbose, quiet=quiet, color=color, gate=gate)


def deliver(
    what: Any,
    output_format: str,
    ways: Sequence[Way],
    *,
    folder: str = "formats",
    verbose: bool = False,
    quiet: bool = False,
    color: Color = Color.AUTO,
    gate: Gate = Gate(),
    instead: str | None = None,
) -> None:
    """To the files that --output names, then to stdout: what befalls one does not cost the others.

    `instead`: what stdout gets, where it is no format.
    """
    told: dict[str, Any] = {"folder": folder, "verbose": verbose}
    told |= {"fail_on": gate.fail_on, "not_proven": gate.not_proven}
    unwritten = [why for way in ways if (why := _written(what, way, **told))]
    if (folder, output_format) == ("formats", "github"):
        unwritten += github.left_behind(what, [way.path for way in ways if way.format == "json"], os.environ)
    colour = has_colour(color)
    text = instead
    if text is None:
        text = render.as_text(what, output_format, colour=colour, encoding=out.encoding(), **told)
    show(_first_line(text) if quiet and output_format == "text" else text, colour=colour)
    if unwritten:
        usage_error(unwritten[0])


def leave(found: Inspected, gate: Gate) -> NoReturn:
    from cudacheck.judging.gate import NotProven, exit_code

    code = exit_code(
        found.report, fail_on=gate.fail_on, not_proven=NotProven(gate.not_proven), exit_zero=gate.exit_zero
    )
    raise typer.Exit(interrupts.CODE if found.interrupted else code)


def can_plot(path: Path | None) -> None:
    """What cannot be drawn is said before the work."""
    if path is None:
        return
    from cudacheck.render.steps import plot

    _can_write(path)
    if path.suffix.lower() not in plot.ENDINGS:
        usage_error(f"cannot draw {path.suffix or path.name} files; the endings are {' '.join(plot.ENDINGS)}")
    if find_spec("matplotlib") is None:
        usage_error(f"--plot needs matplotlib: {plot.INSTALL}")


def draw(found: Inspected, path: Path | None, *, redact: bool) -> None:
    if path is None:
        return
    from cudacheck.render.steps import plot

    try:
        plot.write(_redacted(found.report) if redact else found.report, path)
    except plot.PlotError as error:
        out.say(f"nothing was drawn: {error}")
    except OSError as error:
        usage_error(f"cannot write {path}: {error.strerror}")


def way_to(output: str, asked: str, folder: str = "formats") -> Way:
    """`FORMAT:FILE`; without the prefix the ending tells the format, and --format where there is none."""
    prefix, colon, rest = output.partition(":")
    if colon and prefix in render.formats(folder):
        path, chosen = Path(rest), prefix
    else:
        path, chosen = Path(output), ""
    if folder == "formats" and _is_folder(path):
        _can_write(path / "x")
        return Way(path, chosen or "json")
    if output.endswith("/"):  # a file of this name would be every machine's
        usage_error(f"cannot write {output}: no such folder")
    _can_write(path)
    endings = render.endings(folder)
    if colon and not chosen and (near := nearest(prefix, render.formats(folder))):
        usage_error(f"no format is called {prefix!r}; did you mean {near}?")
    if not chosen and path.suffix and path.suffix.lower() not in endings:
        usage_error(f"cannot write {path.suffix} files; the endings are {' '.join(endings)}")
    return Way(path, chosen or endings.get(path.suffix.lower(), asked))


def _written(what: Any, way: Way, *, folder: str, **told: Any) -> str:
    """Why it could not be; empty where it was."""
    path = way.path
    if _is_folder(path):
        path /= _name_of(what, way.format)
    try:
        text = render.as_text(what, way.format, folder=folder, **told)
        if render.format_of(way.format, folder).renamed:
            _replace(path, text)
        else:
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        return f"cannot write {path}: {error.strerror}"
    return ""


def _name_of(report: Report, name: str) -> str:
    """In a folder that many machines write to, each its own file."""
    node = re.sub(r"[^\w.-]", "-", report.subject.node).strip(".-") or "report"
    return node[:80] + next(iter(render.format_of(name).endings), f".{name}")


def _replace(path: Path, text: str) -> None:
    """All of it at once: whoever reads the file meanwhile reads the old one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _redacted(report: Report) -> Report:
    """Imported where it is asked for: its patterns take a while."""
    from cudacheck.reports.redact import redacted

    return redacted(report)


def _first_line(text: str) -> str:
    return text.partition("\n")[0] + "\n"


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long
        return False


def _can_write(path: Path) -> None:
    try:
        folder = path.absolute().parent
        why = "it is a folder" if path.is_dir() else "" if folder.is_dir() else "no such folder"
    except OSError as error:  # a name that is too long, a working folder that is gone
        why = error.strerror or str(error)
    if why:
        usage_error(f"cannot write {path}: {why}")


def show(text: str, *, colour: bool = False) -> None:
    try:
        out.tell(text, colour=colour)
    except out.UnwritableError as error:
        usage_error(f"cannot write to standard output: {error.strerror}")


def has_colour(asked: Color) -> bool:
    """What was asked for, else what the variables say, else whether stdout is a terminal that has colours."""
    if asked is not Color.AUTO:
        return asked is Color.ALWAYS
    if os.environ.get("NO_COLOR"):
        return False
    if any(os.environ.get(name, "0") not in {"", "0"} for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
