"""Which ptxas each Triton brings along."""

from __future__ import annotations

from cudacheck.knowledge._tables import as_version, rows


def triton_ptxas(version: str, capability: str | None = None) -> str | None:
    """The CUDA of the ptxas that this Triton (`3.5.1`) runs for a GPU of this capability: `12.8`; None if unknown."""
    row = next((row for row in rows("triton", "ptxas") if as_version(row["triton"]) == as_version(version)[:2]), None)
    if row is None:
        return None
    newest = capability is not None and as_version(capability) >= (10,)
    return str(row.get("blackwell", row["cuda"]) if newest else row["cuda"])
