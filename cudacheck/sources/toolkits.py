"""Reads `nvcc --version`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cudacheck.probes.host.toolkits import CudaToolkit
from cudacheck.sources._source import Source

_RELEASE = re.compile(r"Cuda compilation tools, release \d+\.\d+, V(\d+\.\d+\.\d+)")


def facts(lines: Sequence[str]) -> Iterator[CudaToolkit]:
    """The compiler that a shell finds first; where it is, is not told.

    >>> [toolkit] = facts(["Cuda compilation tools, release 12.4, V12.4.131"])
    >>> toolkit.version
    '12.4.131'
    """
    for line in lines:
        if "Cuda compilation tools" in line and (match := _RELEASE.search(line)):
            yield CudaToolkit("", version=match.group(1), nvcc="nvcc", found_via="paste")


SOURCE = Source(facts=facts, trust=30)
