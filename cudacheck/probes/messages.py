"""What software said when it failed, word for word: the same fact from a live exception and from a paste."""

from __future__ import annotations

from dataclasses import dataclass

from cudacheck.model import holds
from cudacheck.model.identity import Identity

LONGEST = 4000
"""Longer texts are not searched further: no message that software prints about itself is."""


@dataclass(frozen=True)
class ErrorMessage:
    text: holds.FreeText
    """The message as printed, without the traceback above it; may hold several lines."""
    found_in: holds.FreeText
    """Who said it: `import torch`, `kernel log`, or the paste it was read from."""

    IDENTITY = Identity(key=("text",))


@dataclass(frozen=True)
class ContainerStart:
    """A command that starts a container, as somebody showed it; the command itself is not kept."""

    engine: holds.Term
    """`docker`, `podman`, `docker compose`."""
    gpus: bool
    """Whether it asks for the host's GPUs, in any way."""
    found_in: holds.FreeText = "paste"

    IDENTITY = Identity(key=("engine", "gpus"))


@dataclass(frozen=True)
class Contradiction:
    """Two pastes, or two dumps in one, are of different environments: the first counts."""

    what: holds.Term
    """`PyTorch`, `driver`."""
    first: holds.Term
    other: holds.Term

    IDENTITY = Identity(key=("what", "first", "other"))
