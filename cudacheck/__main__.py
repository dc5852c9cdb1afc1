"""The entry point: keeps the patient's PYTHONPATH away from our own imports, then starts the command line."""

from __future__ import annotations

import gc
import os
import sys


def trusted(path: list[str], pythonpath: str) -> list[str]:
    """Our own import path: cudacheck and its interpreter's packages first, what PYTHONPATH names last.

    The current folder, which `python -m` and an empty entry put there, and the folder of a script that lies in it, are
    left out, unless cudacheck or the interpreter's packages are in it.
    """

    def absolute(entry: str) -> str:
        try:
            return os.path.realpath(entry or os.curdir)
        except OSError:  # the current folder was deleted
            return entry

    ours = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))  # noqa: PTH120
    named = {absolute(entry) for entry in pythonpath.split(os.pathsep)} if pythonpath else set()
    site = sys.modules.get("site")  # imported by now, or not wanted (-S)
    packages = {ours, *map(absolute, getattr(site, "getsitepackages", list)())}
    here = absolute("")
    own = [e for e in path if absolute(e) in packages or absolute(e) not in {*named, here}]
    last = [e for e in path if absolute(e) in named - packages - {here}]
    return own + last


def main() -> None:
    """Run `cudacheck`.

    A module on PYTHONPATH or in the current folder that shadows the standard library (a `json.py`, an old `pynvml`)
    is something to diagnose, not something to die of. The environment variable is left alone, so the inspected
    interpreter sees it as it is.
    """
    gc.set_threshold(100_000)  # importing makes many objects and hardly any garbage: a tenth of the start
    sys.path[:] = trusted(sys.path, os.environ.get("PYTHONPATH", ""))

    from cudacheck.cli import interrupts

    interrupts.take_over()

    from cudacheck.cli.app import run

    sys.exit(run())


if __name__ == "__main__":
    main()
