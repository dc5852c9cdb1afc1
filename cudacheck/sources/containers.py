"""Reads commands and Compose files that start a container: whether they ask for the host's GPU. No more is kept."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from cudacheck.probes.messages import ContainerStart
from cudacheck.sources._source import Source

COMPOSE = "docker compose"
_SERVICES = re.compile(r"services:\s*$")
_OF_FILE = re.compile(r"\s|$|[a-z_]+: ?|\S+$")
"""Items of lists have lost their margin (sources/_clean.py)."""
_IMAGE = re.compile(r"\s+(?:image|build): ?\S|\s+build:\s*$")
_ASKS = re.compile(
    r"capabilities: ?\[|capabilities:\s*$|\sgpus: ?\S|runtime: ?['\"]?nvidia|nvidia\.com/gpu|/dev/nvidia"
)
_LEFT_OPEN = re.compile(
    r"NVIDIA_VISIBLE_DEVICES|privileged: ?true|/dev/(?:kfd|dri|dxg)|\s(?:extends|<<|include|profiles):|\.\.\.|…"
)
"""A default runtime may pass the GPU on, another maker's is meant, or another file says more."""
MAX_LINES = 40
"""Of one command, each but the last ending in a backslash."""
_START = re.compile(
    r"(?:[^'\"`|;&#>]{0,100}[\$#%] |\s*)(?:sudo )?"
    r"(?:(?P<engine>docker|podman|nerdctl) (?:run|create)|(?P<nv>apptainer|singularity) (?:run|exec|shell))(?=\s|$)"
)
_GPU = re.compile(r"--gpus\b|--runtime[= ]nvidia\b|nvidia\.com/gpu|--device[= ]/dev/nvidia|--gpu\b")
_NV = re.compile(r"--nv(?:ccli)?\b|--rocm\b")
_LIMIT = re.compile(r"(?<![\w./-])nvidia\.com/gpu['\"]?: ?['\"]?[1-9]")
"""A pod's request, which Kubernetes starts only where GPUs are; `kubectl describe` pads what a node has."""
_UNCLEAR = re.compile(r"NVIDIA_VISIBLE_DEVICES|--privileged|/dev/kfd|/dev/dri|/dev/dxg|\$\{?[A-Z_]|\.\.\.|…")
"""A default runtime may pass it on, another maker's GPU is meant, or a part is left out or filled in by a shell."""


def facts(lines: Sequence[str]) -> Iterator[ContainerStart]:
    r"""One fact for each command that is whole; those of which that is not sure are left out.

    >>> for start in facts(["$ docker run --rm -it \\", "    pytorch/pytorch:latest", "docker run --gpus all app"]):
    ...     print(start.engine, start.gpus)
    docker False
    docker True
    >>> print(next(facts(["$ singularity exec --bind /data app.sif python train.py"])).gpus)
    False
    """
    yield from _of_compose(lines)
    if any(map(_LIMIT.search, lines)):
        yield ContainerStart("kubernetes", gpus=True)
    for number, line in enumerate(lines):
        begun = _START.match(line)
        if not begun:
            continue
        command = _whole(lines[number : number + MAX_LINES])
        engine = begun["engine"] or "apptainer"
        if (_GPU if begun["engine"] else _NV).search(command):
            yield ContainerStart(engine, gpus=True)
        elif not _UNCLEAR.search(command) and _is_typed(command, begun.end()):
            yield ContainerStart(engine, gpus=False)


def _of_compose(lines: Sequence[str]) -> Iterator[ContainerStart]:
    """Of a file with one service: where there are more, nobody knows which of them the words around are about."""
    begins = [number for number, line in enumerate(lines) if _SERVICES.match(line)]
    if len(begins) != 1:
        return
    file = list(itertools.takewhile(_OF_FILE.match, lines[begins[0] + 1 :]))
    if any(map(_ASKS.search, file)):
        yield ContainerStart(COMPOSE, gpus=True)
    elif sum(bool(_IMAGE.match(line)) for line in file) == 1 and not any(map(_LEFT_OPEN.search, file)):
        yield ContainerStart(COMPOSE, gpus=False)


def _whole(lines: Sequence[str]) -> str:
    parts = []
    for line in lines:
        parts.append(line.rstrip("\\"))
        if not line.endswith("\\"):
            break
    return " ".join(parts)


def _is_typed(command: str, end: int) -> bool:
    """Whether it is a command, with an image, and no sentence about one: behind a prompt, or with an option."""
    words = command[end:].split()
    options = [word for word in words if word.startswith("-")]
    behind_prompt = re.match(r"[^a-z]*[$#] |.{0,100}[$#] ", command)
    image = re.search(r"\.s(?:if|img)\b|\b(?:docker|library|oras)://", command)  # no sentence names it so
    return len(options) < len(words) and bool(options or image or behind_prompt)


SOURCE = Source(facts=facts, trust=8)
