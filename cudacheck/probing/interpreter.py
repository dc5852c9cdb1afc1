"""Finds the interpreter to inspect."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping

from cudacheck.probes.chosen import Patient


class PatientError(ValueError):
    """The interpreter that was asked for cannot be inspected; the words say why, in one line."""


def find(python: str | None = None, environ: Mapping[str, str] = os.environ) -> Patient:
    """The interpreter to inspect: what was asked for, else the active environment's, else `python3`, else our own.

    `python` may be an interpreter, the folder of an environment, or a command on PATH.

    Raises PatientError when what was asked for is not there.
    """
    if python:
        return Patient(_asked_for(python), "--python")
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if environ.get(variable) and (inside := _inside(environ[variable])):
            return Patient(inside, variable)
    on_path = shutil.which("python3", path=environ.get("PATH")) or shutil.which("python", path=environ.get("PATH"))
    if on_path:
        return Patient(on_path, "PATH")
    return Patient(sys.executable, "cudacheck's own")


def _asked_for(python: str) -> str:
    # os.path, because pathlib raises where a folder on the way may not be read.
    path = os.path.expanduser(python)
    if os.path.isdir(path):
        if inside := _inside(path):
            return inside
        raise PatientError(f"no Python interpreter that this user may run in the folder {python}")
    if os.path.isfile(path):
        if os.access(path, os.X_OK):
            return os.path.abspath(path)  # not realpath, which would follow a venv's link out of it
        raise PatientError(f"{python} is not executable")
    if found := shutil.which(python):
        return found
    raise PatientError(f"no Python interpreter at {python}")


def _inside(folder: str) -> str | None:
    """The interpreter of an environment's folder."""
    for candidate in ("bin/python", "bin/python3", "Scripts/python.exe", "python.exe"):
        path = os.path.join(folder, candidate)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return os.path.abspath(path)
    return None
