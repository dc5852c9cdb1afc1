"""What runs on a node of a cluster: one inspection, told in lines that survive the way back.

An engine mixes the nodes' lines with each other's and with what prologs and containers print, and may break long ones
(Slurm after 1,024 bytes). So each line carries a mark and the node's name, and a report travels packed, in parts.

    @cudacheck NODE among LIST      the nodes that take part, as the engine writes them
    @cudacheck NODE no-gpus         the engine counts none on it
    @cudacheck NODE part BASE64     of the zlib-packed report
    @cudacheck NODE end             the report is whole
    @cudacheck NODE failed WHY      there is none
"""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
import zlib
from collections.abc import Iterator

MARK = "@cudacheck"
PART = 720
"""Letters of one part: with mark and name the line stays below 1,024 bytes."""
NAME = "CUDACHECK_NODE"
"""The variable that says what the cluster calls this node."""


def main(asked: str) -> None:
    """Inspect this node and tell it; `asked` is JSON with the arguments of `cudacheck.inspect`."""
    from cudacheck.render import out

    end_with_parent()
    for line in lines(os.environ.get(NAME) or os.uname().nodename, asked):
        out.tell(f"{line}\n")


def end_with_parent() -> None:
    """Whoever started us may be killed, and cannot end us then: as if interrupted, so that all is cleaned up."""
    from cudacheck.probing._processes import when_orphaned

    when_orphaned(os.getppid(), lambda: os.kill(os.getpid(), signal.SIGINT))


def lines(node: str, asked: str) -> Iterator[str]:
    import cudacheck
    from cudacheck.reports.write import dumps

    try:
        report = dumps(cudacheck.inspect(**json.loads(asked)))
    except Exception as error:  # whatever it is: this node has no report, and the others go on
        yield f"{MARK} {node} failed {' '.join(str(error).split())[:PART] or type(error).__name__}"
        return
    yield from packed(node, report)


def packed(node: str, report: str) -> Iterator[str]:
    text = base64.b64encode(zlib.compress(report.encode("utf-8"), 9)).decode("ascii")
    for start in range(0, len(text), PART):
        yield f"{MARK} {node} part {text[start : start + PART]}"
    yield f"{MARK} {node} end"


if __name__ == "__main__":
    main(sys.argv[1])
