"""Copies between host and GPU, and between GPUs."""

from __future__ import annotations

from typing import Any

import torch

from cudacheck.bench.device import current, wait_for
from cudacheck.bench.memory import SHARE, free_bytes, give_back
from cudacheck.bench.nvml import Counters
from cudacheck.bench.samplers import event_sampler
from cudacheck.bench.stats import median

HOST_BYTES = 64 << 20
PEER_BYTES = 256 << 20
REPETITIONS = 7


def host_copies(device: torch.device, counters: Counters) -> dict[str, Any]:
    """The fields of a HostCopy; None for what could not be had."""
    if SHARE * free_bytes(device) < HOST_BYTES:
        return {}
    pageable = torch.ones(HOST_BYTES, dtype=torch.uint8)
    try:
        pinned = torch.ones(HOST_BYTES, dtype=torch.uint8, pin_memory=True)
    except RuntimeError:  # a limit on locked memory
        pinned = None
    there = torch.empty(HOST_BYTES, dtype=torch.uint8, device=device)
    told: dict[str, Any] = {"pageable_to_gpu_gb_per_s": _gb_per_s(there, pageable, device)}
    if pinned is not None:
        told["pinned_to_gpu_gb_per_s"] = _gb_per_s(there, pinned, device)
        told["pinned_from_gpu_gb_per_s"] = _gb_per_s(pinned, there, device)
        # The link slows down when idle: only under load do its generation and width mean anything.
        for _ in range(REPETITIONS):
            there.copy_(pinned, non_blocking=True)
        told["pcie_generation"], told["pcie_width"] = counters.pcie()
        wait_for(device)
    del there
    give_back(device)
    return told


def peer_copy(source: torch.device, destination: torch.device) -> dict[str, Any]:
    """The fields of a PeerBandwidth for one pair of GPUs, in one direction."""
    fits = all(SHARE * free_bytes(device) >= PEER_BYTES for device in (source, destination))
    size = PEER_BYTES if fits else 1 << 20
    here = torch.ones(size, dtype=torch.uint8, device=source)
    there = torch.empty(size, dtype=torch.uint8, device=destination)
    told = {
        "gb_per_s": _gb_per_s(there, here, source),
        "peer_access": bool(torch.cuda.can_device_access_peer(source, destination)),
        "ok": bool(torch.equal(here.cpu()[:4096], there.cpu()[:4096])),
    }
    del here, there
    give_back(source)
    return told


def _gb_per_s(destination: torch.Tensor, source: torch.Tensor, device: torch.device) -> float:
    """Timed by events of the device's own stream."""
    with current(device):
        sample = event_sampler(lambda _: destination.copy_(source, non_blocking=True), device)
        sample(2)
        us = median(sample(REPETITIONS).us)
    return float(source.numel() / us / 1e3)
