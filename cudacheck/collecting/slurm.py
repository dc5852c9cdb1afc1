"""Slurm: one task a node through `srun`, inside an allocation or with options that make one.

Nothing is shared but srun's own streams: what a node needs comes by stdin, its report goes by stdout. Where this Python
stands at the same path on the node (a shared file system), it is the one that inspects, else the node's `python3`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence

from cudacheck.collecting import Asked, EngineError, NodeAnswer, _frames, _travel
from cudacheck.collecting.on_node import MARK, NAME

SRUN = (
    "srun",
    "--ntasks-per-node=1",
    "--no-kill",  # a node that fails ends neither the others' tasks
    "--kill-on-bad-exit=0",  # nor does a task that fails
    "--wait=0",  # nor the first that ends
    "--input=all",
    "--mpi=none",
)
UNREACHED = " failed on node "
"""In srun's words about a node on which no task could be started."""

TASK = """
export PATH="${PATH:-/usr/bin:/bin}" %(name)s="$SLURMD_NODENAME"
echo "%(mark)s $SLURMD_NODENAME among $SLURM_STEP_NODELIST"
for python in %(ours)s python3; do
    command -v "$python" >/dev/null 2>&1 && exec "$python" -I -c %(start)s %(asked)s
done
cat >/dev/null
echo "%(mark)s $SLURMD_NODENAME failed there is no python3 on its PATH"
"""


def collect(asked: Asked, srun_options: Sequence[str] = ()) -> Generator[NodeAnswer, None, None]:
    """Raises EngineError where there is no srun, or no task was started."""
    without_gpus = _without_gpus()
    with contextlib.closing(_answers(asked, [*SRUN, *_within(os.environ), *srun_options])) as answers:
        for answer in answers:
            yield dataclasses.replace(answer, without_gpus=answer.node in without_gpus)


def _answers(asked: Asked, command: list[str]) -> Generator[NodeAnswer, None, None]:
    deadline = time.monotonic() + asked.timeout_s
    payload, ended, unreached = _travel.payload(), [], False
    for answer in _frames.answers([*command, *_task(asked)], payload, asked.timeout_s, named=_hostnames):
        yield answer
        unreached = unreached or UNREACHED in answer.failure
        if answer.failure.startswith("srun:") and UNREACHED not in answer.failure:
            ended.append(answer.node)
    left_s = deadline - time.monotonic()
    if ended and (unreached or len(ended) > 1) and left_s > 1:
        # srun ends every task where it cannot reach one node, or one died before it had its input: asked without it
        command += [f"--nodelist={','.join(ended)}", f"--nodes={len(ended)}", f"--ntasks={len(ended)}"]
        again = [*command, *_task(dataclasses.replace(asked, timeout_s=left_s))]
        with contextlib.suppress(EngineError):
            yield from _frames.answers(again, payload, left_s, named=_hostnames)


def _task(asked: Asked) -> list[str]:
    words = {
        "ours": sys.executable,
        "start": _travel.START,
        "asked": _travel.asked_of_node(asked),
    }
    quoted = {name: shlex.quote(word) for name, word in words.items()}
    return ["/bin/sh", "-c", TASK % {"mark": MARK, "name": NAME, **quoted}]


def _within(environ: Mapping[str, str]) -> list[str]:
    """One task on each node of the allocation that we run in, beside what else runs there; nothing outside of one."""
    nodes = environ.get("SLURM_JOB_NUM_NODES", "")
    return [f"--nodes={nodes}", f"--ntasks={nodes}", "--overlap"] if nodes else []


def _hostnames(listed: str) -> Sequence[str]:
    """`n[1-3]` is n1, n2, n3: Slurm's own answer; empty where it gives none, as each node names itself as well."""
    return _asked("scontrol", "show", "hostnames", listed)


def _without_gpus() -> set[str]:
    """The nodes for which slurm.conf counts no GPU."""
    told = (line.split("=", 1) for line in _asked("sinfo", "--noheader", "--Node", "--format=%N=%G"))
    return {node for node, resources in told if "gpu" not in resources}


def _asked(*command: str) -> Sequence[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return ()
