"""Reads what the nodes tell through one process of the engine's, while it runs and no longer than its time."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import select
import signal
import subprocess
import tempfile
import time
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

from cudacheck.collecting import EngineError, NodeAnswer
from cudacheck.collecting.on_node import MARK, PART
from cudacheck.reports.read import MAX_BYTES

LONGEST_LINE = 4096
"""Whatever else a prolog prints is no line of ours."""
MAX_PARTS = MAX_BYTES // PART
"""More than a report of the greatest size has, packed."""
OWN_WORDS = re.compile(r"\w+: ")
"""How programs begin what they have to say: not hints, not progress."""
LAST_WORDS_S = 3.0
"""For a process that has closed its stdout to say why, and end."""
ENDING = ((signal.SIGUSR1, 6.0), (signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0))
"""And how long each is given. srun hands SIGUSR1 on to the inspections, which clean up; at SIGTERM it kills them."""


class Running:
    """One process that prints the nodes' lines; what it says on stderr is evidence."""

    def __init__(self, command: Sequence[str], payload: bytes, environment: Mapping[str, str]) -> None:
        self.said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end()
        self.closed = False
        """Whether it has no more to print."""
        with tempfile.TemporaryFile() as stdin:  # a pipe would block us where the engine does not read
            stdin.write(payload)
            stdin.seek(0)
            try:
                self.process = subprocess.Popen(
                    command,
                    stdin=stdin,
                    stdout=subprocess.PIPE,
                    stderr=self.said,
                    env=environment,
                    start_new_session=True,
                )
            except OSError as error:
                self.said.close()
                raise EngineError(f"cannot start {command[0]}: {error.strerror}") from None

    def lines(self, timeout_s: float) -> Iterator[str]:
        """Each whole line, until the process has closed its stdout or the time is over."""
        deadline = time.monotonic() + timeout_s
        pipe = self.process.stdout
        assert pipe is not None  # noqa: S101 - as asked for above
        rest = b""
        while (left_s := deadline - time.monotonic()) > 0:
            if not select.select([pipe], [], [], min(left_s, 0.5))[0]:
                continue
            if not (data := os.read(pipe.fileno(), 65536)):
                self.closed = True
                return
            *whole, rest = (rest + data).split(b"\n")
            rest = rest[:LONGEST_LINE]
            for line in whole:
                yield line.decode("utf-8", "replace")

    def words(self) -> str:
        """What it has said by now; it is given a moment where it is about to end."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(LAST_WORDS_S if self.closed else 0)
        return os.pread(self.said.fileno(), 1 << 20, 0).decode("utf-8", "replace")

    def end(self) -> None:
        """Gently first, so that it ends what it has started. Ctrl-C only makes it harder, and is raised at the end."""
        interrupted = False
        for number, left_s in ENDING:
            if self.process.poll() is not None:
                break
            self.process.send_signal(number)
            try:
                self.process.wait(left_s)
            except subprocess.TimeoutExpired:
                pass
            except KeyboardInterrupt:
                interrupted = True
        self.said.close()
        if self.process.stdout is not None:
            self.process.stdout.close()
        if interrupted:
            raise KeyboardInterrupt


def answers(
    command: Sequence[str],
    payload: bytes,
    timeout_s: float,
    *,
    environment: Mapping[str, str] = os.environ,
    named: Callable[[str], Sequence[str]] = str.split,
) -> Generator[NodeAnswer, None, None]:
    """What the nodes tell by way of this command, as it comes.

    `named` are the nodes that the engine's list of them means. Raises EngineError where no node was heard of.
    """
    running, nodes = Running(command, payload, environment), Nodes(named)
    try:
        for line in running.lines(timeout_s):
            yield from nodes.heard(line)
        said = running.words()  # before it is ended, which it would say of every node
    finally:
        running.end()
    if not nodes.expected:
        lines = said.splitlines()
        why = _last([line for line in lines if OWN_WORDS.match(line)] or lines) or f"{command[0]} started nothing"
        raise EngineError(why if running.closed else f"no node within {timeout_s:.0f} s: {why}")
    for node in nodes.silent():
        about = [line for line in said.splitlines() if node in line.replace(":", " ").split()]
        yield nodes.answer(node, failure=_last(about) or f"no answer within {timeout_s:.0f} s")


def _last(lines: Sequence[str]) -> str:
    told = [" ".join(line.split()) for line in lines if line.strip()]
    return told[-1][:300] if told else ""


class Nodes:
    """Who is expected, and what each has told so far."""

    def __init__(self, named: Callable[[str], Sequence[str]]) -> None:
        self.named = named
        self.expected: dict[str, bool] = {}
        """By node: whether it has answered."""
        self.parts: dict[str, list[str]] = {}
        self.without_gpus: set[str] = set()

    def heard(self, line: str) -> Iterator[NodeAnswer]:
        _, _, told = line.partition(MARK + " ")  # `srun --label` writes before it
        node, _, said = told.partition(" ")
        kind, _, value = said.strip().partition(" ")
        if kind == "among":
            yield from (self.answer(other) for other in self._new([*self.named(value), node]))
        elif kind == "no-gpus":
            self.without_gpus.add(node)
        elif kind == "part" and len(parts := self.parts.setdefault(node, [])) < MAX_PARTS:
            parts.append(value)
        elif kind in {"end", "failed"} and not self.expected.get(node):
            self.expected[node] = True
            yield self.answer(node, **({"failure": value} if kind == "failed" else _told(self.parts.pop(node, []))))

    def _new(self, nodes: Sequence[str]) -> list[str]:
        new = [node for node in dict.fromkeys(nodes) if node not in self.expected]
        self.expected.update(dict.fromkeys(new, False))
        return new

    def silent(self) -> list[str]:
        return [node for node, answered in self.expected.items() if not answered]

    def answer(self, node: str, **told: str) -> NodeAnswer:
        return NodeAnswer(node, without_gpus=node in self.without_gpus, **told)


def _told(parts: Sequence[str]) -> dict[str, str]:
    try:
        unpacking = zlib.decompressobj()
        data = unpacking.decompress(base64.b64decode("".join(parts), validate=True), MAX_BYTES)
        if not unpacking.eof:
            raise ValueError("not whole")
        return {"report": data.decode("utf-8")}
    except (ValueError, zlib.error):
        return {"failure": "its report arrived broken"}
