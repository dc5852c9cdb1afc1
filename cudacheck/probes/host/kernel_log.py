"""What the NVIDIA driver said in the kernel log (NVRM and Xid lines), where it may be read."""

from __future__ import annotations

TIMEOUT_S = 3.0
