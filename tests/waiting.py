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
import os, time
while os.path.exists({folder!r} + "/" + os.environ[{name!r}]):
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
    """What begins to inspect these nodes from now on waits before it does anything, while `folder/NODE` is there."""
    for node in nodes:
        (folder / node).touch()
    monkeypatch.setattr(_travel, "START", HELD.format(folder=str(folder), name=NAME) + _travel.START)
