"""The NVIDIA kernel module: loaded or not, which flavour, and whether one exists for the running kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

TIMEOUT_S = 3.0


@dataclass(frozen=True)
class KernelModule:
    loaded: bool | None
    """None where the kernel does not show its modules."""
    version: str | None = None
    flavour: str | None = None
    """`open` or `proprietary`."""
    uvm_loaded: bool | None = None
    nouveau_loaded: bool | None = None
    kernel: str | None = None
    """The running kernel's release."""
    built_for_kernel: bool | None = None
    """Whether /lib/modules/<running kernel> holds an nvidia module; None where /lib/modules is not there (containers)."""
    other_kernels: Tuple[str, ...] = ()
    """Other kernels under /lib/modules that do have one."""
    dkms: Tuple[str, ...] = ()
    """Module versions that DKMS knows (/var/lib/dkms/nvidia)."""
    hmm_disabled: bool | None = None
    """nvidia_uvm's parameter uvm_disable_hmm."""
    found_in: str = ""
