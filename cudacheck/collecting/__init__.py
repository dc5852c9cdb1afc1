"""Collectors: the same inspection on every node of a cluster, each over one engine that exists.

A collector is a generator, `collect(asked, …)`. It names every node that it expects first, by a NodeAnswer with neither
report nor failure; then each node's answer as it comes, until all are in or the time is over. What a node said last
counts, so one that said nothing more is missing. Closing the generator ends what runs.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Asked:
    """What every node is asked."""

    timeout_s: float
    """For the whole run, waiting for the nodes included."""
    bench: bool = False
    python: str | None = None
    """The interpreter to inspect, as the nodes call it; None: the one that the engine or the node's PATH leads to."""

    @property
    def inspection_s(self) -> float:
        """What is left of it for the inspection on a node: a tenth, 5 s at least, goes to starting and answering."""
        return max(5.0, self.timeout_s - max(5.0, self.timeout_s / 10))


@dataclasses.dataclass(frozen=True)
class NodeAnswer:
    """What is known of a node."""

    node: str
    """As the engine calls it."""
    report: str = ""
    """JSON."""
    failure: str = ""
    """Why there is no report, in one line."""
    without_gpus: bool = False
    """The engine counts no GPU on it: that it has none is then no fault."""


class EngineError(ValueError):
    """The engine cannot be asked; the words say why, in one line."""
