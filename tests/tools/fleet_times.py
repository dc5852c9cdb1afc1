"""How long `cudacheck fleet judge` takes, and how much memory, over the number of reports: measured, and drawn.

`PYTHONPATH=tests python tests/tools/fleet_times.py` judges fleets of tests/tools/fleet.py, of this version's reports
and of another's, and writes docs/pictures/fleet-times.json; `--draw` draws what is written there into fleet-times.svg
(matplotlib). More than 9,900 reports are the same under other names. Who is planted must be named, and nobody else.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from tools.fleet import Fleet

from cudacheck import __version__

FILE = Path(__file__).parents[2] / "docs" / "pictures" / "fleet-times.json"
SIZES = (100, 1000, 10_000, 100_000)
MADE = 10_000
"""Of more, the text is too much to make each."""
VERSIONS = {"of this version": __version__, "of another version, judged again": "0.0.1"}


def reports(fleet: Path, count: int, version: str) -> Iterator[bytes]:
    """So many nodes' reports, with those that are left out among them."""
    ours, theirs = (json.dumps({"cudacheck_version": each})[1:-1].encode() for each in (__version__, version))
    for turn in range(max(1, count // MADE)):
        with fleet.open("rb") as stream:
            for line in stream:
                yield line.replace(ours, theirs, 1).replace(b'"node": "gpu-', b'"node": "c%d-gpu-' % turn)


def feed(pipe: IO[bytes], fleet: Path, count: int, version: str) -> None:
    with pipe:
        pipe.writelines(reports(fleet, count, version))


def measured(fleet: Path, planted: set[str], count: int, version: str) -> dict[str, Any]:
    """Seconds of a processor of all processes, and the memory of the largest."""
    with tempfile.TemporaryFile() as told:
        command = [sys.executable, "-m", "cudacheck", "fleet", "judge", "-", "--format", "json"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=told) as process:
            assert process.stdin
            feeding = threading.Thread(target=feed, args=(process.stdin, fleet, count, version))
            feeding.start()
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            feeding.join()
        told.seek(0)
        result = json.load(told)
    named = {each["node"].partition("-")[2] for key in ("outliers", "slow") for each in result[key]}
    named |= {n.partition("-")[2] for f in result["findings"] if f["severity"] != "note" for n in f["nodes"]}
    assert named == planted, named ^ planted
    return {
        "reports": len(result["nodes"]),
        "cpu_s": round(used.ru_utime + used.ru_stime, 2),
        "memory_mib": round(used.ru_maxrss / 1024),
    }


def measure(sizes: list[int], versions: list[str]) -> None:
    found: dict[str, list[dict[str, Any]]] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        for count in sizes:
            fleet = Fleet(min(count, MADE))
            text = Path(folder, "fleet.jsonl")
            with text.open("w", encoding="utf-8") as stream:
                stream.writelines(f"{report}\n" for _, report in fleet.reports())
            for name in versions:
                row = measured(text, {*fleet.planted}, count, VERSIONS[name])
                sys.stdout.write(f"{name}: {row}\n")
                rows = [one for one in found.get(name, []) if one["reports"] != row["reports"]]
                found[name] = sorted([*rows, row], key=lambda one: one["reports"])
                FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def draw() -> None:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams.update({"svg.hashsalt": "cudacheck", "svg.fonttype": "path", "font.size": 9})
    found = json.loads(FILE.read_text(encoding="utf-8"))
    figure = Figure(figsize=(7.5, 3.2), layout="constrained")
    drawn = (("cpu_s", "seconds of a processor", "all processes"), ("memory_mib", "MiB", "the largest process"))
    for axes, (key, label, title) in zip(figure.subplots(1, 2), drawn, strict=True):
        for (name, rows), mark in zip(found.items(), ("o-", "s--"), strict=True):
            axes.plot([row["reports"] for row in rows], [row[key] for row in rows], mark, label=name)
        axes.set(xscale="log", yscale="log", xlabel="reports", ylabel=label, title=title)
        axes.grid(visible=True, alpha=0.3)
    figure.axes[0].legend()
    figure.savefig(FILE.with_suffix(".svg"), metadata={"Date": None})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draw", action="store_true", help="only draw what was measured before")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--versions", nargs="+", choices=list(VERSIONS), default=list(VERSIONS))
    asked = parser.parse_args()
    if not asked.draw:
        measure(asked.sizes, asked.versions)
    draw()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
