"""Why an interpreter dies before it does anything: found out by starting it without what could be to blame.

Nothing is guessed from what it printed: where it starts without `site`, or without PYTHONPATH, these are at fault.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path

from cudacheck.probing._processes import SharedFile, kill_session

CHILD = Path(__file__).with_name("_child.py")
OLDEST = (3, 8)
TRY_S = 3.0
"""For one attempt: an interpreter that starts takes a fraction of this."""
MAX_NAMED = 3
MAX_SAID = 8000

ABOUT = """
import json, os, site, sys
home = os.path.dirname(os.path.dirname(sys.executable))
sites = getattr(site, "getsitepackages", list)([home, sys.prefix, sys.base_prefix])
user = site.getusersitepackages() if hasattr(site, "getusersitepackages") else ""
own = sorted(set(sys.stdlib_module_names)) if hasattr(sys, "stdlib_module_names") else []
print(json.dumps([list(sys.version_info[:2]), sites, user, own, os.path.dirname(os.__file__)]))
"""
"""Asked with -E -S, so of the bare interpreter."""


def why_not(python: str, log: str, deadline: float) -> str:
    """One line on what keeps `python` from starting; empty where it starts by now, or the time is over.

    `log` is what it printed before it died; `deadline` is in time.monotonic()'s seconds.
    """
    code, told = _tried([python, "-E", "-S", "-B", "-c", ABOUT], deadline)
    try:
        version, sites, user, own, library = json.loads(told.strip().rpartition("\n")[2])
    except ValueError:
        return "" if code is None else _no_python(python, told or log, deadline)
    if tuple(version) < OLDEST:
        return f"it is Python {version[0]}.{version[1]}, and cudacheck inspects {OLDEST[0]}.{OLDEST[1]} and newer"

    def starts(*flags: str) -> bool:
        return _tried([python, *flags, "-B", str(CHILD), os.devnull, "patient", ""], deadline)[0] == 0

    if starts():
        return ""
    if not starts("-E", "-S"):
        cause, suspects = "its standard library is broken", []
    elif starts("-E"):
        cause = "it starts without PYTHONPATH and the other PYTHON… variables"
        entries = [entry or os.curdir for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        suspects = [*_shadows(entries, own or _modules(library)), *_customized(entries)]
    elif starts("-E", "-s"):
        cause, suspects = "it starts without the user's site-packages", _customized([user])
    else:
        cause, suspects = "it starts without site-packages", _customized(sites)
    if time.monotonic() > deadline:
        return ""
    return f"{cause}{_named(suspects, log)}{_said(log)}"


def _no_python(python: str, told: str, deadline: float) -> str:
    """It ran no line of Python, or not this one's: a Python 2 still tells its version."""
    _, version = _tried(
        [python, "-E", "-S", "-c", "import sys; print('Python %d.%d' % sys.version_info[:2])"], deadline
    )
    if old := re.search(r"^Python (\d+\.\d+)$", version, re.MULTILINE):
        return f"it is Python {old[1]}, and cudacheck inspects {OLDEST[0]}.{OLDEST[1]} and newer"
    return f"it runs no Python code{_said(told)}"


def _tried(command: list[str], deadline: float) -> tuple[int | None, str]:
    """The exit code, None where it did not end in time, and what was printed."""
    timeout_s = min(TRY_S, deadline - time.monotonic())
    if timeout_s <= 0:
        return None, ""
    said = SharedFile()
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said.fileno(), stderr=subprocess.STDOUT, start_new_session=True
        )
        code: int | None = None
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            pass
        finally:
            kill_session(process)
            process.wait(1.0)
        return code, said.read(MAX_SAID, max(0, said.size - MAX_SAID)).decode("utf-8", "replace")
    except (OSError, subprocess.TimeoutExpired):
        return None, ""
    finally:
        said.close()


def _entries(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _modules(library: str) -> list[str]:
    """The standard library's, of a Python before 3.10 that does not list them."""
    return [name.removesuffix(".py") for name in _entries(library) if not name.startswith(("_", "site-packages"))]


def _shadows(folders: list[str], own: list[str]) -> list[str]:
    """What the standard library has under the same name, and would find first in these folders."""
    names = {*own}
    return [
        os.path.abspath(os.path.join(folder, entry))
        for folder in folders
        for entry in _entries(folder)
        if entry.removesuffix(".py") in names and (entry.endswith(".py") or _is_package(folder, entry))
    ]


def _is_package(folder: str, name: str) -> bool:
    return os.path.isfile(os.path.join(folder, name, "__init__.py"))


def _customized(folders: list[str]) -> list[str]:
    """The files in these folders whose code runs at every start."""
    return [
        os.path.abspath(os.path.join(folder, entry))
        for folder in folders
        for entry in _entries(folder)
        if entry.removesuffix(".py") in {"sitecustomize", "usercustomize"}
        or (entry.endswith(".pth") and _runs_code(os.path.join(folder, entry)))
    ]


def _runs_code(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            lines = file.read(65536).splitlines()
    except OSError:
        return False
    return any(line.startswith((b"import ", b"import\t")) for line in lines)


def _named(suspects: list[str], log: str) -> str:
    """Those that the traceback names, else all that there are."""
    blamed = [path for path in suspects if path in log] or suspects
    more = f" and {len(blamed) - MAX_NAMED} more" if len(blamed) > MAX_NAMED else ""
    return f"; suspect {', '.join(blamed[:MAX_NAMED])}{more}" if blamed else ""


def _said(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return f"; it said: {lines[-1][:160]}" if lines else ""
