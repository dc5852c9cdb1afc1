"""The entry point: keeps the patient's PYTHONPATH away from our own imports, then starts the command line."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run `cudacheck`.

    A module on PYTHONPATH that shadows the standard library (a `json.py`, an old `pynvml`) is something to
    diagnose, not something to die of: what PYTHONPATH names goes to the end of our path, but for the entry that
    holds cudacheck itself. The environment variable is left alone, so the inspected interpreter sees it as it is.
    """
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib is not imported yet
    entries = [os.path.abspath(e) for e in os.environ.get("PYTHONPATH", "").split(os.pathsep) if e]  # noqa: PTH100
    last = [p for p in sys.path if os.path.abspath(p) in entries and os.path.abspath(p) != ours]  # noqa: PTH100
    sys.path[:] = [p for p in sys.path if p not in last] + last

    from cudacheck.cli import app

    try:
        app()
    except Exception as error:
        # A fault of ours is no finding: exit code 2, one line, and the traceback for those who ask for it.
        if "CUDACHECK_DEBUG" in os.environ:
            raise
        if sys.stderr is not None:
            print(f"cudacheck: internal error, please report it: {type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
