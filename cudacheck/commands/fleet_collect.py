"""What a cluster's nodes answer, gathered until all are in, the time is over or somebody presses Ctrl-C."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Callable, Generator
from pathlib import Path

from cudacheck.collecting import NodeAnswer
from cudacheck.probing._processes import ended_gently

SILENT = "interrupted before it answered"


@dataclasses.dataclass(frozen=True)
class Collected:
    """Every node is in exactly one of these."""

    reports: dict[str, str]
    """By node: its report as JSON."""
    missing: dict[str, str]
    """By node: why it has none."""
    without_gpus: tuple[str, ...]
    """Nodes that have no GPU and, as the engine counts, should have none: not judged."""
    interrupted: bool = False


def collect(
    answers: Generator[NodeAnswer, None, None], heard: Callable[[NodeAnswer], None] = lambda _: None
) -> Collected:
    """`heard` is told each answer as it comes. Raises EngineError where the engine cannot be asked."""
    last: dict[str, NodeAnswer] = {}
    interrupted = False
    with ended_gently(), contextlib.closing(answers):
        try:
            for answer in answers:
                last[answer.node] = answer
                heard(answer)
        except KeyboardInterrupt:
            if not last:
                raise
            interrupted = True
    reports = {node: answer.report for node, answer in last.items() if answer.report}
    counted = not all(answer.without_gpus for answer in last.values())  # else the engine counts no GPUs at all
    bare = tuple(node for node in reports if counted and last[node].without_gpus and _has_none(reports[node]))
    return Collected(
        {node: report for node, report in reports.items() if node not in bare},
        {node: answer.failure or SILENT for node, answer in last.items() if not answer.report},
        bare,
        interrupted,
    )


def keep(folder: Path, answer: NodeAnswer) -> None:
    """A report as NODE.json, all of it at once, as somebody may read the folder meanwhile. Raises OSError."""
    if not answer.report:
        return
    name = re.sub(r"[^\w.-]", "-", answer.node)[:80].lstrip(".") or "node"
    beside = folder / f".{name}.new"
    beside.write_text(answer.report, encoding="utf-8")
    beside.replace(folder / f"{name}.json")


def _has_none(report: str) -> bool:
    """Whether our task saw no GPU: the machine was built so, or the engine's job has none."""
    return any(finding["rule"] in {"no-gpu", "slurm-job-without-gpu"} for finding in json.loads(report)["findings"])
