"""What software said when it failed, word for word: the same fact from a live exception and from a paste."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ErrorMessage:
    text: str
    """The message as printed, without the traceback above it; may hold several lines."""
    found_in: str
    """Who said it: `import torch`, `kernel log`, or the paste it was read from."""
