"""Reads the paths of tracebacks: which system and which Python they are from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cudacheck.probes.host.system import System
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.sources._source import Source

FOUND_IN = "traceback"
_FRAME = re.compile(r"\s*File \"([^\"\n]{1,400})\", line \d")
_PYTHON = re.compile(r"/python(3\.\d{1,2})/")
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]")
_WSL = re.compile(r"/mnt/[a-z]/|/usr/lib/wsl/")


def facts(lines: Sequence[str]) -> Iterator[object]:
    r"""Of the first frame that tells each; a folder's Python has no third number.

    >>> [system] = facts(['  File "C:\\venv\\Lib\\site-packages\\torch\\__init__.py", line 1, in <module>'])
    >>> system.os
    'windows'
    """
    paths = [match.group(1) for line in lines if 'File "' in line and (match := _FRAME.match(line))]
    if any(map(_WINDOWS.match, paths)):
        yield System("windows", wsl=0, found_in=FOUND_IN)
    elif any(path.startswith("/") for path in paths):
        mac = any(path.startswith(("/Users/", "/opt/homebrew/", "/Library/")) for path in paths)
        wsl = 2 if any(map(_WSL.match, paths)) else None
        yield System("darwin" if mac else "linux", wsl=None if mac else wsl, found_in=FOUND_IN)
    if python := next((m.group(1) for m in map(_PYTHON.search, paths) if m), None):
        yield Interpreter(python)


SOURCE = Source(facts=facts, trust=5)
