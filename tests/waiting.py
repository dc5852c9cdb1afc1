"""What runs on this machine in the name of a test, and waiting for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cudacheck.collecting import _travel
from cudacheck.collecting.on_node import NAME

LONG = 600.0
"""Seconds that whatever happens at all has happened by, on the busiest machine. No test takes them that passes."""
HELD = """
import io, os, sys, time
sys.stdin = io.TextIOWrapper(io.BytesIO(sys.stdin.buffer.read()))  # else srun would wait for us to take it
place = os.path.join({folder!r}, os.environ[{name!r}])
if os.path.exists(place):
    open(place + ".waits", "w").close()
while os.path.exists(place):
    time.sleep(0.05)
"""


def wait_until(true: Callable[[], object], timeout_s: float = LONG, log: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, log()
        time.sleep(0.05)


def inspections(**environment: str) -> dict[str, int]:
    """The interpreters that inspect a node of a cluster, by the node's name; only those with these variables."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
            told = (entry / "environ").read_text(errors="replace").split("\0") if words else []
        except OSError:
            continue
        variables = dict(one.partition("=")[::2] for one in told)
        if words[1:3] == [b"-I", b"-c"] and NAME in variables and environment.items() <= variables.items():
            found[variables[NAME]] = int(entry.name)
    return found


def hold(monkeypatch: pytest.MonkeyPatch, folder: Path, *nodes: str) -> None:
    """What begins to inspect these nodes from now on waits while `folder/NODE` is there: see `waits`."""
    for node in nodes:
        (folder / node).touch()
    monkeypatch.setattr(_travel, "START", HELD.format(folder=str(folder), name=NAME) + _travel.START)


def waits(folder: Path, *nodes: str) -> bool:
    """Whether the inspections of all of them have begun, and go no further."""
    return all((folder / f"{node}.waits").exists() for node in nodes)
