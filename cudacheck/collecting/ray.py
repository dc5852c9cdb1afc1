"""Ray: one task a node, tied to it, with no resource reserved unless GPUs are to be measured.

Ray is imported by a process of its own (`drive`), which prints what each task told: a GCS that does not answer ends or
hangs whoever asks it. Its Python must have the cluster's version of Ray.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import socket
import sys
from collections import Counter
from collections.abc import Generator, Sequence
from typing import Any

from cudacheck.collecting import Asked, EngineError, NodeAnswer, _frames, _travel, on_node
from cudacheck.collecting.on_node import MARK, NAME
from cudacheck.model.extras import installing
from cudacheck.render import out

OURS = "import sys; sys.path[:] = {path!r}; from cudacheck.collecting import ray; ray.drive(*sys.argv[1:])"


def collect(asked: Asked, address: str | None = None) -> Generator[NodeAnswer, None, None]:
    """`address` as `ray.init` takes it; None: $RAY_ADDRESS, or the cluster that runs on this machine.

    Raises EngineError where Ray is not installed, or no cluster answers.
    """
    if importlib.util.find_spec("ray") is None:
        raise EngineError(f"this Python has no Ray: {installing('ray')} (the cluster's version)")
    _listens(address or os.environ.get("RAY_ADDRESS", ""))
    drive = [sys.executable, "-P", "-c", OURS.format(path=sys.path)]
    told = [address or "auto", _travel.asked_of_node(asked), _travel.START]
    quiet = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    yield from _frames.answers([*drive, *told], _travel.payload(), asked.timeout_s, environment=quiet)


def _listens(address: str) -> None:
    """Said at once, as Ray tries for a minute. Only of HOST:PORT; raises EngineError."""
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except (OSError, OverflowError) as error:
        raise EngineError(f"nothing answers at {address}: {getattr(error, 'strerror', None) or error}") from None


def drive(address: str, asked: str, start: str) -> None:
    """Ask every living node of the cluster at once, and print what each tells."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    on_node.end_with_parent()
    payload = sys.stdin.buffer.read()
    try:
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except Exception as error:
        sys.exit(f"Ray: {' '.join(str(error).split())}")
    nodes = [node for node in ray.nodes() if node["Alive"]]
    names = _names(nodes)
    for node, name in zip(nodes, names, strict=True):
        if not node["Resources"].get("GPU"):
            _tell(name, "no-gpus")
    _tell(names[0], f"among {' '.join(names)}")
    files, inspect, bench = ray.put(payload), _task(ray), json.loads(asked)["bench"]
    running = {}
    for node, name in zip(nodes, names, strict=True):
        tied = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        gpus = node["Resources"].get("GPU", 0) if bench else 0
        task = inspect.options(num_cpus=0, num_gpus=gpus, max_retries=0, scheduling_strategy=tied)
        running[task.remote(start, asked, files, {NAME: name})] = name
    while running:
        for done in ray.wait(list(running))[0]:
            _hand_on(running.pop(done), ray, done)


def _task(ray: Any) -> Any:
    """The remote function: Ray sends its code along, because it is local, so it may use nothing of this module."""

    def inspect(start: str, asked: str, files: bytes, named: dict[str, str]) -> tuple[str, str]:
        import json
        import pathlib
        import subprocess
        import sys

        # As the raylet was given it: Ray sets CUDA_VISIBLE_DEVICES for a task, to nothing where it reserves no GPU.
        given = pathlib.Path("/proc/self/environ").read_bytes().decode("utf-8", "surrogateescape")
        environment = dict(entry.split("=", 1) for entry in given.split("\0") if "=" in entry)
        asked = json.dumps({**(fields := json.loads(asked)), "python": fields["python"] or sys.executable})
        command = [sys.executable, "-I", "-c", start, asked]
        done = subprocess.run(command, input=files, capture_output=True, env={**environment, **named}, check=False)
        return done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")[-2000:]

    return ray.remote(inspect)


def _hand_on(node: str, ray: Any, done: Any) -> None:
    try:
        told, said = ray.get(done)
    except Exception as error:  # NodeDiedError, WorkerCrashedError, RayTaskError, …: this node has no answer
        _tell(node, f"failed {type(error).__name__}: {' '.join(str(error).split()).partition('. ')[0]}")
        return
    out.tell(told)
    if MARK not in told:
        _tell(node, f"failed the inspection ended without an answer: {said.strip().rpartition(chr(10))[2]}")


def _names(nodes: Sequence[dict[str, Any]]) -> list[str]:
    """The hostname of each; where several share one, the name that Ray has for the node, else its number."""
    for key in ("NodeManagerHostname", "NodeName"):
        names = [node[key].replace(" ", "-") for node in nodes]
        if max(Counter(names).values()) == 1:
            return names
    return [node["NodeID"] for node in nodes]


def _tell(node: str, what: str) -> None:
    out.tell(f"{MARK} {node} {what[:400]}\n")
