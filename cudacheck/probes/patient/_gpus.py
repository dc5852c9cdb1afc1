"""The GPUs on which PyTorch gets as far as running a kernel: the others are for the kernels probe to tell of."""

from __future__ import annotations

from typing import Any

from cudacheck.probes import Skipped


def working_gpus(torch: Any) -> list[int]:
    """Their indices; Skipped where there is none."""
    if not torch.cuda.is_available():
        raise Skipped("no GPU")
    working = [index for index in range(torch.cuda.device_count()) if _runs_a_kernel(torch, index)]
    if not working:
        raise Skipped("no kernel ran on any GPU")
    return working


def _runs_a_kernel(torch: Any, index: int) -> bool:
    try:
        return bool(torch.ones(1, device="cuda:%d" % index).item() == 1)
    except Exception:
        return False
