"""Ctrl-C: at once and without a traceback, but where there is something to tell or to end first."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

CODE = 130
"""What shells say of a program that SIGINT ended."""


def leave(*_: object) -> None:
    """The handler while nothing is known and no child runs. An exception could surface in the middle of an import."""
    with contextlib.suppress(OSError):
        os.write(2, b"cudacheck: interrupted\n")
    os._exit(CODE)


def take_over() -> None:
    """Whoever had SIGINT ignored when we were started (`nohup`, a job in the background) keeps it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, leave)


@contextlib.contextmanager
def raised() -> Iterator[None]:
    """Within, Ctrl-C is a KeyboardInterrupt: children are to be ended, and what they told is to be printed."""
    ours = signal.getsignal(signal.SIGINT) is leave
    if ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        if not ours:
            raise
        leave()  # twice, or where nothing was known yet: all is cleaned up
    finally:
        if ours:
            signal.signal(signal.SIGINT, leave)
