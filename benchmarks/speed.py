"""How long the doctor takes beside the bare work it cannot avoid: whole processes, run in turn, medians and ratios.

python benchmarks/speed.py [--runs 5] [--torch-python PYTHON] [--no-torch-python PYTHON]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

GPU_WORK = "import torch; torch.cuda.init(); a=torch.ones(64,64,device='cuda',dtype=torch.half); (a@a).sum().item()"


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - started


def compare(name: str, ours: list[str], theirs: list[str] | None, runs: int, limit: str) -> None:
    """Print medians; with something to compare, the median of the pairwise ratios."""
    seconds(ours)
    pairs = [(seconds(ours), seconds(theirs) if theirs else float("nan")) for _ in range(runs)]
    mine = statistics.median(pair[0] for pair in pairs)
    line = f"{name:<44} {mine:6.2f} s"
    if theirs:
        other = statistics.median(pair[1] for pair in pairs)
        ratio = statistics.median(a / b for a, b in pairs)
        line += f"   beside {other:6.2f} s   ratio {ratio:5.2f}"
    print(f"{line}   (limit {limit})", flush=True)


def has_gpu(python: str) -> bool:
    probe = subprocess.run(
        [python, "-c", "import torch, sys; sys.exit(not torch.cuda.is_available())"],
        check=False,
        capture_output=True,
    )
    return probe.returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--torch-python", default=sys.executable, help="an interpreter with PyTorch")
    parser.add_argument("--no-torch-python", help="an interpreter without PyTorch")
    options = parser.parse_args()
    cudacheck = [sys.executable, "-m", "cudacheck"]
    doctor = [*cudacheck, "doctor", "--no-bench", "--format", "json", "--python"]
    torch = options.torch_python
    os.environ.pop("VIRTUAL_ENV", None)

    compare("--help", [*cudacheck, "--help"], None, options.runs, "0.25 s")
    if options.no_torch_python:
        collect = [torch, "-m", "torch.utils.collect_env"]
        compare(
            "doctor --no-bench, no torch, beside collect_env",
            [*doctor, options.no_torch_python],
            collect,
            options.runs,
            "0.6 s, ratio 0.35",
        )
    if has_gpu(torch):
        compare(
            "doctor --no-bench on a GPU, beside bare work",
            [*doctor, torch],
            [torch, "-c", GPU_WORK],
            options.runs,
            "ratio 1.25",
        )
        compare(
            "doctor with benchmark",
            [*doctor[:-4], "--format", "json", "--python", torch],
            None,
            options.runs,
            "none",
        )
    else:
        compare(
            "doctor --no-bench, beside `import torch`",
            [*doctor, torch],
            [torch, "-c", "import torch"],
            options.runs,
            "ratio 1.4",
        )


if __name__ == "__main__":
    main()
