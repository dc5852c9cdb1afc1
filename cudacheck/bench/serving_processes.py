"""Serves requests that arrive together by a process each: interpreters that share nothing but the GPU."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any, NamedTuple, Sequence

import torch

from cudacheck.bench.decoder import Weights
from cudacheck.bench.generation import Engine
from cudacheck.bench.serving import ROUNDS, WAIT_S, Reply, Round, answer
from cudacheck.bench.steps import Options, Shape

POLL_S = 0.001
NOTICE_S = 0.02
"""Told so long before the requests arrive: every process looks at least once meanwhile."""

BOOTSTRAP = """
import sys, types
if sys.path and not sys.path[0]:
    del sys.path[0]
package = types.ModuleType("cudacheck")
package.__path__ = [sys.argv[1]]
sys.modules["cudacheck"] = package
from cudacheck.bench.serving_processes import serve
serve(*sys.argv[2:])
"""
"""The package is found by its folder, as in _child.py: it need not be installed where the GPU's PyTorch is."""


class DiedError(Exception):
    """A process did not serve its request; in its words."""


class Served(NamedTuple):
    rounds: list[Round]
    peak_bytes: int


def by_processes(device: torch.device, shape: Shape, options: Options, prompts: Sequence[torch.Tensor]) -> Served:
    """The requests arrive when every process has its weights, and has answered once."""
    asked = {"device": str(device), "shape": dataclasses.asdict(shape), "options": dataclasses.asdict(options)}
    with tempfile.TemporaryDirectory(prefix="cudacheck-") as folder, contextlib.ExitStack() as ending:
        workers = []
        for number, ids in enumerate(prompts):
            command = [sys.executable, "-B", "-c", BOOTSTRAP, os.path.dirname(os.path.dirname(__file__)), folder]
            command += [str(number), json.dumps({**asked, "prompt": ids.tolist()})]
            with open(_log(folder, number), "wb") as log:
                worker = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            ending.callback(_end, worker)
            workers.append(worker)
        for number in range(ROUNDS):
            _wait_for_files(folder, f"ready-{number}", workers)
            _write(folder, f"go-{number}", time.time() + NOTICE_S)
        _wait_for_files(folder, "served", workers)
        served = [_read(folder, f"served-{number}") for number in range(len(workers))]
    rounds = [[Reply(*one["answers"][number]) for one in served] for number in range(ROUNDS)]
    return Served(rounds, sum(one["peak_bytes"] for one in served))


def _log(folder: str, number: int) -> str:
    return os.path.join(folder, f"{number}.log")


def _end(worker: Any) -> None:
    worker.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):  # stuck in the kernel; its own deadline ends it
        worker.wait(2)


def _wait_for_files(folder: str, name: str, workers: Sequence[Any]) -> None:
    """Until each worker has written its own. Raises DiedError when one ends without, or takes too long."""
    deadline = time.monotonic() + WAIT_S
    for number in range(len(workers)):
        while True:
            ended = [worker.poll() for worker in workers]  # asked first: what it wrote before it ended is there
            if os.path.exists(os.path.join(folder, f"{name}-{number}")):
                break
            if any(ended) or ended[number] is not None:
                raise DiedError(_last_words(folder, ended))
            if time.monotonic() > deadline:
                raise DiedError(f"process {number + 1} of {len(workers)}: no answer within {WAIT_S:g} s")
            time.sleep(POLL_S)


def _last_words(folder: str, ended: Sequence[Any]) -> str:
    number = next(number for number, code in enumerate(ended) if code is not None)
    with open(_log(folder, number), encoding="utf-8", errors="replace") as log:
        lines = log.read().strip().splitlines() or ["it said nothing"]
    return f"process {number + 1} of {len(ended)} ended with {ended[number]}: {lines[-1][:500]}"


def _write(folder: str, name: str, told: Any) -> None:
    """Whole or not at all."""
    path = os.path.join(folder, name)
    with open(path + ".part", "w", encoding="utf-8") as file:
        json.dump(told, file)
    os.replace(path + ".part", path)


def _read(folder: str, name: str) -> Any:
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return json.load(file)


def serve(folder: str, number: str, asked_json: str) -> None:
    """One process's life."""
    asked: dict[str, Any] = json.loads(asked_json)
    device, options = torch.device(asked["device"]), Options(**asked["options"])
    ids = torch.tensor(asked["prompt"])
    if device.type == "cuda":
        torch.cuda.set_device(device)
        ids = ids.pin_memory()
    answers = []
    with torch.no_grad():
        engine = Engine(Weights.drawn(Shape(**asked["shape"]), options.dtype, device), options)
        answer(engine, ids, time.perf_counter())
        for round_number in range(ROUNDS):
            _write(folder, f"ready-{round_number}-{number}", None)
            answers.append(answer(engine, ids, _arrival(folder, round_number)))
    peak_bytes = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
    _write(folder, f"served-{number}", {"answers": answers, "peak_bytes": peak_bytes})


def _arrival(folder: str, round_number: int) -> float:
    """Wait for the moment that all were told, and return it by this process's own clock."""
    deadline = time.monotonic() + WAIT_S
    while not os.path.exists(os.path.join(folder, f"go-{round_number}")):
        if time.monotonic() > deadline:
            raise SystemExit("nobody told when the requests arrive")
        time.sleep(POLL_S)
    in_s = float(_read(folder, f"go-{round_number}")) - time.time()
    arrived = time.perf_counter() + in_s
    time.sleep(max(in_s, 0.0))
    return arrived
