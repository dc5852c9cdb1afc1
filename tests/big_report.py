"""A report as large as any that is read, of facts such as a cluster's nodes have: all different, many of them long."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

HEALTHY = Path(__file__).parent / "replays" / "h200-bench-kernels.json"
WORDS = re.split(
    " ",
    "error warning cannot open shared object file import torch RuntimeError: CUDA driver version is insufficient loaded"
    " from site-packages while reading gpu device node rank step loss epoch batch tokens=128 seconds 0.25 at 1980 MHz "
    "/usr/lib/x86_64-linux-gnu/libcuda.so.1 /opt/conda/lib/libstdc++.so.6 torch==2.11.0+cu130 nvidia-cudnn-cu13 9.19",
)
EACH = 2000
"""Of a type: no more are read."""
MESSAGES = 200
"""No paste gives more."""


def big_report(size: int, seed: int = 0) -> str:
    """JSON of about this many bytes: a quarter each packages, libraries, benchmark, and messages beside variables."""
    luck = random.Random(seed)
    report = json.loads(HEALTHY.read_text(encoding="utf-8"))
    facts = report["facts"]
    part = size // 4
    facts["Distribution"] = _many(part, lambda n: _package(luck, n))
    facts["LoadedLibrary"] = _many(part // 2, lambda n: _library(luck, n))
    facts["LibraryFile"] = _many(part // 2, lambda n: {**_library(luck, n), "found_via": f"{_home(luck)}/ld.conf"})
    sample = facts["Measurement"][0]
    facts["Measurement"] = _many(part, lambda n: {**sample, "case": f"case {n}", "median_us": luck.uniform(1, 9e5)})
    messages = range(min(MESSAGES, part // 8000))
    facts["ErrorMessage"] = [{"text": _log(luck, n), "found_in": f"{_home(luck)}/log.txt"} for n in messages]
    values = {f"VARIABLE_{n}": _folders(luck) for n in range((part - len(messages) * 4000) // 4000)}
    facts["EnvironmentVariables"] = [{"values": values, "complete": True, "found_in": "the environment"}]
    return json.dumps(report, indent=2)


def _many(size: int, made: Any) -> list[Any]:
    facts: list[Any] = []
    length = 0
    while length < size and len(facts) < EACH:
        facts.append(made(len(facts)))
        length += len(json.dumps(facts[-1], indent=2)) + 100
    return facts


def _home(luck: random.Random) -> str:
    return f"/home/user{luck.randrange(40)}/projects/p{luck.randrange(1000)}"


def _package(luck: random.Random, number: int) -> dict[str, Any]:
    wanted = [f"package-{luck.randrange(10**6)}>={luck.randrange(9)}.{luck.randrange(30)}" for _ in range(60)]
    location = f"{_home(luck)}/.venv/lib/python3.12/site-packages"
    return {"name": f"package-{number}", "version": f"{number}.1.0", "location": location, "requires": wanted}


def _library(luck: random.Random, number: int) -> dict[str, Any]:
    path = f"{_home(luck)}/lib/{'/'.join(luck.choices(WORDS, k=40)).replace('//', '/')}/lib{number}.so"
    return {"soname": f"lib{number}.so.1", "path": path, "version": "1.2.3"}


def _log(luck: random.Random, number: int) -> str:
    line = f"[rank{number}] gpu{luck.randrange(99):03d}.cluster.internal 10.0.7.{luck.randrange(255)}"
    return "\n".join(f"{line} {' '.join(luck.choices(WORDS, k=14))} {luck.randrange(10**9)}" for _ in range(20))


def _folders(luck: random.Random) -> str:
    return ":".join(f"{_home(luck)}/{luck.randrange(10**6)}" for _ in range(110))
