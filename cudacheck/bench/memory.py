"""How much memory a case may take, and how many sets of inputs it needs for none to stay in the cache."""

from __future__ import annotations

import contextlib
import gc
from typing import Any

import torch

SHARE = 0.15
"""Of what is free: the GPU may be somebody's, and our run must never cost them an allocation."""
ROTATED_OVER_L2 = 3
"""Inputs are taken in turn from so many times the L2 cache that none is still there when its turn comes."""
MOST_COPIES = 1024
L2_WHERE_UNTOLD = 64 << 20
"""Old PyTorch does not tell; larger than most, so that rotation still empties the cache."""
FREE_ON_CPU = 1 << 30


class DoesNotFitError(Exception):
    """What is to be measured needs more memory than is free, or than the share of it that we allow ourselves."""


def copies_of(case: Any, device: torch.device) -> int:
    """How many sets of inputs to take in turn."""
    room = SHARE * free_bytes(device)
    fixed = case.scratch_bytes + case.bytes  # the first output is kept to compare with the last
    if fixed + case.bytes > room:
        needed, allowed = (fixed + case.bytes) / 2**30, room / 2**30
        raise DoesNotFitError(f"needs {needed:.1f} GiB; {SHARE:.0%} of the free memory is {allowed:.1f} GiB")
    wanted = -(-ROTATED_OVER_L2 * l2_bytes(device) // case.bytes)
    return int(max(1, min(wanted, (room - fixed) // case.bytes, MOST_COPIES)))


def is_rotated(case: Any, copies: int, device: torch.device) -> bool:
    return device.type == "cuda" and bool(copies * case.bytes >= ROTATED_OVER_L2 * l2_bytes(device))


def l2_bytes(device: torch.device) -> int:
    """Size of the L2 cache; 0 on the CPU, where nothing is rotated."""
    if device.type != "cuda":
        return 0
    return getattr(torch.cuda.get_device_properties(device), "L2_cache_size", 0) or L2_WHERE_UNTOLD


def free_bytes(device: torch.device) -> int:
    return int(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else FREE_ON_CPU


def require_free(needed: int, device: torch.device) -> None:
    """Raises DoesNotFitError where a GPU has less free; a CPU is not asked."""
    if device.type == "cuda" and needed > free_bytes(device):
        raise DoesNotFitError(f"needs {needed / 2**30:.1f} GiB; {free_bytes(device) / 2**30:.1f} GiB are free")


def let_go(device: torch.device) -> None:
    """Of what nobody uses any more, of engines too: their graphs hold them in a circle."""
    gc.collect()
    give_back(device)


def give_back(device: torch.device) -> None:
    if device.type == "cuda":
        with contextlib.suppress(RuntimeError):  # a broken context, which others tell of
            torch.cuda.empty_cache()
