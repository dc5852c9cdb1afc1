"""The files, folders and commands that environment variables name, and whether they are there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from cudacheck.model import holds
from cudacheck.model.identity import Identity
from cudacheck.probes import Probe, _roots

PATHS = ("CUDA_HOME", "CUDA_PATH", "CUDNN_HOME", "CUDNN_PATH", "TRITON_LIBCUDA_PATH", "TRITON_PTXAS_PATH")
COMMANDS = ("CC", "CXX", "CUDACXX", "CUDAHOSTCXX")
PRELOAD = "LD_PRELOAD"
MOST = 20
LONGEST = 4096


@dataclass(frozen=True)
class NamedPath:
    variable: holds.Term
    path: holds.Path
    exists: bool
    """On this machine; a command without a slash is looked for on PATH."""
    found_in: holds.FreeText = "environment"

    IDENTITY = Identity(key=("variable",), finer=("path",))


def collect() -> Iterator[object]:
    for name in PATHS:
        if value := os.environ.get(name, "").strip():
            yield NamedPath(name, value[:LONGEST], _exists(value))
    for name in COMMANDS:
        if value := os.environ.get(name, "").strip():
            # options may follow the compiler, and its path may have spaces in it
            first = value.split()[0]
            there = _is_command(value)
            yield NamedPath(name, (value if there else first)[:LONGEST], there or _is_command(first))
    # a name without a slash is the loader's to find, and so is one with its own variables in it
    named = [word for word in re.split(r"[\s:]+", os.environ.get(PRELOAD, "")) if "/" in word and "$" not in word]
    for word in named[:MOST]:
        yield NamedPath(PRELOAD, word[:LONGEST], _exists(word))


def _exists(path: str) -> bool:
    return os.path.exists(_roots.path(path) if os.path.isabs(path) else path)


def _is_command(word: str) -> bool:
    import shutil

    return _exists(word) if "/" in word else shutil.which(word) is not None


PROBE = Probe(
    collect,
    timeout_s=3.0,
    facts=(NamedPath,),
)
