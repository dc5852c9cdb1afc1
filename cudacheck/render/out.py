"""The way out: every byte for a person passes here. stdout is data, stderr is talk."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Sequence
from typing import TextIO

from cudacheck.render._clean import clean, passing

NARROWEST, USUAL, WIDEST = 40, 100, 120
"""Columns: a narrower terminal wraps by itself, a pipe gets the usual, and longer lines are hard to read."""


class UnwritableError(OSError):
    """stdout took not all of it: a full disk, a failing device."""


def encoding() -> str:
    """Of stdout."""
    return getattr(sys.stdout, "encoding", None) or "utf-8"


def width() -> int | None:
    """Of the terminal, or what COLUMNS says; None where neither does."""
    return shutil.get_terminal_size((0, 0)).columns or None


def columns(asked: int | None = None) -> int:
    """How wide a screen is drawn: as asked, else as the terminal is, else as reads well."""
    return max(NARROWEST, min(WIDEST, asked or width() or USUAL))


def is_terminal() -> bool:
    """Whether somebody reads stdout at one that can do more than print."""
    return sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def is_long(text: str) -> bool:
    """Whether its first lines would leave the terminal."""
    return text.count("\n") >= shutil.get_terminal_size().lines


def page(text: str) -> None:
    """A page at a time, by $PAGER or what the system has. What it is shown has passed `passing`."""
    import pydoc

    os.environ.setdefault("LESS", "-R")  # our colours
    pydoc.pager(text)


def tell(text: str, *, colour: bool = False) -> None:
    """To stdout. A reader that has gone (`| head`) is no error; whatever else goes wrong raises UnwritableError."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(passing(text, encoding(), colour=colour))
        sys.stdout.flush()
    except BrokenPipeError:
        give_up(sys.stdout)
    except OSError as error:
        give_up(sys.stdout)
        raise UnwritableError(error.errno, error.strerror) from None


def say(message: object) -> None:
    """One line to stderr, if anybody listens."""
    if sys.stderr is None:  # closed, as cron and some daemons leave it
        return
    try:
        sys.stderr.write(passing(f"cudacheck: {clean(message, 400)}\n", sys.stderr.encoding or "utf-8"))
        sys.stderr.flush()
    except OSError:
        give_up(sys.stderr)


class Line:
    """What is being probed, and for how long: one line on stderr, over and over, while that is a terminal."""

    def __init__(self) -> None:
        self.on = sys.stderr is not None and sys.stderr.isatty()
        self.last = 0.0

    def show(self, children: Sequence[tuple[str, str, float]]) -> None:
        now = time.monotonic()
        if not self.on or now - self.last < 0.1:
            return
        self.last = now
        text = "   ".join(f"{child}: {probe.replace('_', ' ')} {seconds:.1f} s" for child, probe, seconds in children)
        room = max(1, shutil.get_terminal_size().columns - 1)
        self._put(passing(clean(text, 400)[:room], sys.stderr.encoding or "utf-8"))

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        if self.on:
            self._put("")

    def _put(self, text: str) -> None:
        try:
            sys.stderr.write(f"\r\x1b[2K{text}")
            sys.stderr.flush()
        except OSError:  # the terminal has gone
            self.on = False


def give_up(stream: TextIO) -> None:
    """What is left in its buffer goes nowhere: else the interpreter tries again as it ends, and complains."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):  # no real file
        pass
