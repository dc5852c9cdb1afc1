"""Reads `uname -srm` and `uname -a`: the kernel's name and the machine; and that /.dockerenv is there."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence

from cudacheck.probes.host.system import System
from cudacheck.sources import _platforms
from cudacheck.sources._source import Source

_UNAME = re.compile(
    r"\s*Linux (?:[\w.-]{1,64} )?(\d\.\S{1,100}) (?:#.{1,100} )?(x86_64|aarch64)"
    r"(?: x86_64| aarch64){0,2}(?: GNU/Linux)?\s*$"
)
DOCKER_FILE = "/.dockerenv"


def facts(lines: Sequence[str]) -> Iterator[System]:
    """One system; `ls /.dockerenv` prints just that where the file is there.

    >>> [system] = facts(["Linux 5.15.167.4-microsoft-standard-WSL2 x86_64"])
    >>> system.kernel, system.wsl, system.machine
    ('5.15.167.4-microsoft-standard-WSL2', 2, 'x86_64')
    """
    docker = any(line.strip() == DOCKER_FILE for line in lines)
    for line in lines:
        if match := _UNAME.match(line):
            kernel, machine = match.groups()
            system = _platforms.system("", f"Linux {kernel} {machine}", "", "", "uname")
            if system and docker:
                system = dataclasses.replace(system, container="docker", container_sign=DOCKER_FILE)
            if system:
                yield system
            return


SOURCE = Source(facts=facts, trust=12)
