"""What a supervisor of hostile processes needs: to end all of them, to be ended cleanly, a file they cannot spoil."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import IO

SUBREAPER_SET, SUBREAPER_GET = 36, 37
"""PR_SET_CHILD_SUBREAPER and PR_GET_CHILD_SUBREAPER of prctl(2), in Linux since 3.4."""
POLL_S = 0.005


class NoRoomError(OSError):
    """There is no folder to write the children's events to."""


def temporary_place() -> str:
    """The usual temporary folder, or shared memory where the file system is read-only. Raises NoRoomError."""
    with contextlib.suppress(OSError):
        return tempfile.gettempdir()
    if os.access("/dev/shm", os.W_OK):  # noqa: S108 - what is put there has a random name, and is this user's only
        return "/dev/shm"  # noqa: S108
    raise NoRoomError("no writable temporary folder; set TMPDIR to one")


def when_orphaned(parent: int, then: Callable[[], None]) -> None:
    """Whoever is killed ends nobody: a process that its parent alone wants looks by itself whether that still is."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        then()

    threading.Thread(target=watch, daemon=True).start()


class SharedFile:
    """A file that other processes write and this one reads, whatever they do to the folder it is in.

    It has no name (and so leaves nothing behind, however this process ends): others open it as one of our descriptors.
    Where /proc does not give it to them, it has one, and a folder that is lost takes what is told later along.
    """

    def __init__(self) -> None:
        place = temporary_place()
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="cudacheck-", dir=place)  # noqa: SIM115
        self.path = f"/proc/{os.getpid()}/fd/{self._file.fileno()}"
        try:
            os.close(os.open(self.path, os.O_WRONLY | os.O_APPEND))
        except OSError:
            self._file.close()
            self._file = tempfile.NamedTemporaryFile(prefix="cudacheck-", dir=place)  # noqa: SIM115
            self.path = self._file.name

    def fileno(self) -> int:
        return self._file.fileno()

    @property
    def size(self) -> int:
        return os.fstat(self.fileno()).st_size

    def read(self, limit: int, begin: int) -> bytes:
        return os.pread(self.fileno(), limit, begin)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # somebody took its name away
            self._file.close()


@contextlib.contextmanager
def ended_gently() -> Iterator[None]:
    """Every signal that asks this process to end is one KeyboardInterrupt here, so that children and files go first.

    They live in sessions of their own: a SIGTERM, or a terminal that is gone, does not reach them. What the caller
    ignores (`nohup`, a shell's background job) stays ignored; so does a second one, until the first is done with.
    """
    asked = [
        signal.SIGINT,
        *(getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)),
    ]
    previous = {number: signal.getsignal(number) for number in asked}
    ours = [number for number, handler in previous.items() if handler not in {signal.SIG_IGN, None}]

    def interrupt(*_: object) -> None:
        for number in ours:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    try:
        for number in ours:
            signal.signal(number, interrupt)
    except ValueError:  # not the main thread: a caller's own business
        ours = []
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, previous[number])


def kill_session(process: subprocess.Popen[bytes]) -> None:
    """The process and all that it started and that did not leave its session."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def adopt_orphans(adopt: bool) -> None:
    """Let what our descendants leave behind become our children, or init's as usual. Silent where that cannot be."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(SUBREAPER_SET, int(adopt), 0, 0, 0)


def living_children() -> set[int]:
    """The processes whose parent this one is; empty where the kernel keeps no list of them (Linux with /proc does)."""
    found: set[int] = set()
    for path in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found.update(map(int, path.read_text(encoding="ascii").split()))
    return found


def end_orphans(kept: Collection[int], timeout_s: float) -> None:
    """End every child in another session than ours but those to keep: it left its own by setsid or a double fork.

    Each that ends makes its own children ours in turn, until there are none or the time is over.
    """
    foreign = {*kept}
    deadline = time.monotonic() + timeout_s
    while orphans := {pid for pid in living_children() - foreign if _in_another_session(pid)}:
        for pid in orphans:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
            except OSError:  # another user's
                foreign.add(pid)
        if time.monotonic() > deadline:
            return
        time.sleep(POLL_S)


def _in_another_session(pid: int) -> bool:
    try:
        return os.getsid(pid) != os.getsid(0)
    except OSError:
        return False
