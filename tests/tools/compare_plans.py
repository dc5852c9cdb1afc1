"""The same described machines to cudacheck, rigsolve, uv and env-doctor, each answer judged by tests/plan_oracle.py.

    python tests/tools/compare_plans.py [--machines 100] [--rigsolve PATH] [--uv PATH] [--env-doctor PATH]

Run by hand; writes the table of docs/comparisons.md. uv is asked which of PyTorch's indexes it goes to first
(`--torch-backend=auto`, the driver in UV_CUDA_DRIVER_VERSION); the release is then the newest there for that Python, by
the stored listings. env-doctor sees the machine through an nvidia-smi that answers for it.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from plan_oracle import DEFAULT, Case, cases, default_tag, fits, has_wheel, number, published

Answer = tuple[str, str] | None


@dataclasses.dataclass(frozen=True)
class Tools:
    rigsolve: str
    uv: str
    env_doctor: str


def machines(count: int) -> list[Case]:
    """Of Linux on x86_64, where all four have something to say: GPUs and drivers that can belong together."""
    possible = [case for case in cases() if case.system == "linux x86_64" and case.code not in (87, 110, 121)]
    return random.Random(100).sample(possible, count)


def cudacheck(case: Case, _: Tools) -> Answer:
    chosen = case.plan.choice
    return (chosen.torch, chosen.tag) if chosen else None


def rigsolve(case: Case, tools: Tools) -> Answer:
    target = f"{case.gpu},driver={case.driver},python={case.python},linux"
    done = ask([tools.rigsolve, "solve", "--target", target, "--want", "torch"])
    return build_in(done.stdout) if done.returncode == 0 else None


def uv(case: Case, tools: Tools) -> Answer:
    with tempfile.TemporaryDirectory() as folder:
        options = ["--dry-run", "--torch-backend=auto", "--no-cache", "-v", "--target", f"{folder}/none", "torch"]
        done = ask([tools.uv, "pip", "install", *options], UV_CUDA_DRIVER_VERSION=case.driver, UV_HTTP_RETRIES="0")
    index = re.search(r"download\.pytorch\.org/whl/(cu\d+)/torch/", done.stderr)
    there = [v for v, tag in published(case.system) if index and tag == index[1]]
    installable = [version for version in there if has_wheel("torch", version, case.python, case.system, None)]
    return (max(installable, key=number), index[1]) if index and installable else None


def env_doctor(case: Case, tools: Tools) -> Answer:
    with tempfile.TemporaryDirectory() as folder:
        smi = Path(folder) / "nvidia-smi"
        asked = f"0, {case.gpu}, 16384 MiB, {case.code // 10}.{case.code % 10}"
        banner = f"| NVIDIA-SMI {case.driver}    Driver Version: {case.driver}    CUDA Version: 13.0 |"
        smi.write_text(f'#!/bin/sh\ncase "$*" in *query-gpu*) echo "{asked}";; *) echo "{banner}";; esac\n')
        smi.chmod(0o755)
        done = ask([tools.env_doctor, "install", "torch"], PATH=f"{folder}:{os.environ['PATH']}")
    return build_in(done.stdout)


def build_in(text: str) -> Answer:
    """The PyTorch and the index of an install command."""
    version = re.search(r"torch==(\d+\.\d+\.\d+)", text)
    index = re.search(r"download\.pytorch\.org/whl/(cu\d+)", text)
    if version is None:
        return None
    tag = index[1] if index else default_tag(version[1]) if version[1] in DEFAULT["torch"] else None
    return version[1], tag or "unknown"


def ask(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **environment}
    )


TOOLS: dict[str, Callable[[Case, Tools], Answer]] = {
    "cudacheck": cudacheck,
    "rigsolve": rigsolve,
    "uv": uv,
    "env-doctor": env_doctor,
}


def judged(case: Case, answer: Answer) -> str:
    possible = any(not fits(case, *build) for build in published(case.system))
    if answer is not None and answer[0] not in DEFAULT["torch"]:
        return "not judged: before 2.0"
    if answer is None:
        return "no answer, and one was possible" if possible else "rightly none"
    return "wrong" if fits(case, *answer) else "right"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machines", type=int, default=100)
    for name in ("rigsolve", "uv", "env-doctor"):
        parser.add_argument(f"--{name}", default=name)
    parser.add_argument("--only", choices=TOOLS, action="append", help="these tools alone")
    arguments = parser.parse_args()
    tools = Tools(arguments.rigsolve, arguments.uv, arguments.env_doctor)
    chosen = machines(arguments.machines)
    verdicts = ("right", "rightly none", "wrong", "no answer, and one was possible", "not judged: before 2.0")
    print(f"| of {len(chosen)} machines | {' | '.join(verdicts)} |\n|---|{'---|' * len(verdicts)}")
    for name in arguments.only or TOOLS:
        answer = TOOLS[name]
        counts: Counter[str] = Counter()
        why: Counter[str] = Counter()
        for case in chosen:
            found = answer(case, tools)
            verdict = judged(case, found)
            counts[verdict] += 1
            if verdict == "wrong" and found:
                why[fits(case, *found)] += 1
        print(f"| {name} | {' | '.join(str(counts[verdict]) for verdict in verdicts)} |", flush=True)
        print(f"{name}: {dict(why)}", file=sys.stderr, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
