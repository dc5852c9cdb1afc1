"""Reads environment variables: vLLM's section of them, and lines such as `export CUDA_HOME=/usr/local/cuda`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cudacheck.probes.host.environment import ALLOWED, LONGEST_VALUE, PREFIXES, PROBE, EnvironmentVariables
from cudacheck.sources import _prompts
from cudacheck.sources._source import Source

_ASSIGNED = re.compile(r"\s*(?:(?:export |set |setx |ENV |\$env:|\$ |-e |--env )\s*)?([A-Z][A-Z0-9_]{1,60})=(.*)$")
_QUOTED = re.compile(r"(['\"])(.*)\1")


def facts(lines: Sequence[str]) -> Iterator[EnvironmentVariables]:
    r"""All variables in one fact; only those that the probe would keep.

    >>> [found] = facts(["CUDA_VISIBLE_DEVICES=1 python x.py", "CUDA_HOME=C:\\Program Files\\CUDA", "SECRET=1"])
    >>> found.values
    {'CUDA_VISIBLE_DEVICES': '1', 'CUDA_HOME': 'C:\\Program Files\\CUDA'}
    """
    values: dict[str, str] = {}
    for line in lines:
        match = _ASSIGNED.match(line)
        if match and (match.group(1) in ALLOWED or match.group(1).startswith(PREFIXES)):
            values.setdefault(match.group(1), _value(match.group(2))[:LONGEST_VALUE])
    if values or any(_prompts.answers(lines, PROBE)):
        yield EnvironmentVariables(values, complete=False, found_in="paste")


def _value(text: str) -> str:
    """Without quotes, and without a command that the variable was set for; Windows' paths have spaces in them."""
    quoted = _QUOTED.match(text.strip())
    if quoted:
        return quoted.group(2)
    return text.strip() if "\\" in text else (text.split() or [""])[0]


SOURCE = Source(facts=facts, trust=25)
