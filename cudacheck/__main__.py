"""The entry point: keeps the patient's PYTHONPATH away from our own imports, then starts the command line."""

from __future__ import annotations

import os
import sys

from cudacheck import interrupts


def main() -> None:
    """Run `cudacheck`.

    A module on PYTHONPATH that shadows the standard library (a `json.py`, an old `pynvml`) is something to
    diagnose, not something to die of: what PYTHONPATH names goes to the end of our path, but for the entry that
    holds cudacheck itself. The environment variable is left alone, so the inspected interpreter sees it as it is.
    """
    interrupts.take_over()
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib is not imported yet
    entries = [os.path.abspath(e) for e in os.environ.get("PYTHONPATH", "").split(os.pathsep) if e]  # noqa: PTH100
    last = [p for p in sys.path if os.path.abspath(p) in entries and os.path.abspath(p) != ours]  # noqa: PTH100
    sys.path[:] = [p for p in sys.path if p not in last] + last

    from cudacheck.cli import run

    sys.exit(run())


if __name__ == "__main__":
    main()
