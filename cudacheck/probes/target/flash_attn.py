"""flash-attn's import, for real, and on a GPU its output against a float32 reference."""

from __future__ import annotations

from dataclasses import dataclass

TIMEOUT_S = 60.0
AFTER = ("torch_import",)


@dataclass(frozen=True)
class FlashAttention:
    """Yielded only where flash-attn is installed."""

    version: str | None
    imports: bool
    error_type: str | None = None
    error: str | None = None
    missing_symbol: str | None = None
    ran: bool | None = None
    """Whether its kernel ran on the first GPU; None where no GPU could be tried."""
    max_error: float | None = None
    """Largest relative error against the float32 reference."""
    run_error: str | None = None
    found_in: str = "import flash_attn"
