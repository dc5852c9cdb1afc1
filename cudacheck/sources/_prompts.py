"""Finds the answer to a command that cudacheck asks for: what stands between its prompt and the next one."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from cudacheck.probes import Probe

MAX_ANSWER = 200
"""Lines."""
_PROMPT = re.compile(r"((?:[^'\"$#>|;]{0,100}\$|[^'\"$#>|;]{0,60}@[^'\"$#>|;]{1,60}#|\+) ?)(\S.{0,300})?$")
"""Not a mere `#`: that may be a heading."""


def answers(lines: Sequence[str], probe: Probe) -> Iterator[list[str]]:
    """The lines of each answer, be it none; one after which no other prompt comes may be cut off, and is left out.

    >>> from cudacheck.probes.host.pci import PROBE
    >>> list(answers(["ada@box:~$ lspci -nnk -d 10de:", "$ nvidia-smi"], PROBE))
    [[]]
    >>> list(answers(["$ lspci -nnk -d 10de:"], PROBE))
    []
    """
    command = probe.by_hand.command if probe.by_hand else ""
    for number, line in enumerate(lines):
        if command and line.endswith(command) and (asked := _PROMPT.match(line)) and asked.group(2) == command:
            following = lines[number + 1 : number + 1 + MAX_ANSWER]
            answer = [*itertools.takewhile(lambda one: not _PROMPT.match(one), following)]
            if len(answer) < len(following):
                yield answer
