"""The environment variables that change what CUDA and PyTorch do; no other variable is read or kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict

TIMEOUT_S = 2.0


@dataclass(frozen=True)
class EnvironmentVariables:
    values: Dict[str, str]
    """Only the variables of the allow-list that are set, values as they are."""
    complete: bool = True
    """False for a paste: a variable that is not in it may be set all the same."""
    found_in: str = "environment"
