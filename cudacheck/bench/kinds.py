"""The kinds of cases that are measured, as reports name them; needs no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CaseKind:
    """What the rows of one name have in common."""

    name: str
    """`Measurement.case`."""
    limited_by: str = "compute"
    """`compute` (its speed is TFLOP/s), `memory` (GB/s) or `host` (a time)."""
    has_dtype: bool = True
    """Whether the type of the numbers changes what is measured."""


MATMUL = CaseKind("matmul")
MATMUL_PREFILL = CaseKind("matmul prefill")
MATMUL_DECODE = CaseKind("matmul decode", "memory")
COPY = CaseKind("copy", "memory", has_dtype=False)
ATTENTION = CaseKind("attention")
ATTENTION_DECODE = CaseKind("attention decode", "memory")
NEW_LENGTH = CaseKind("attention at a new length", "host")
NEW_LENGTH_DECODE = CaseKind("attention decode at a new length", "host")
LAUNCH = CaseKind("launch", "host", has_dtype=False)
"""Not a row: `LaunchOverhead` holds it."""

NEW_LENGTHS = (NEW_LENGTH, NEW_LENGTH_DECODE)
KINDS = {
    kind.name: kind
    for kind in (MATMUL, MATMUL_PREFILL, MATMUL_DECODE, COPY, ATTENTION, ATTENTION_DECODE, *NEW_LENGTHS, LAUNCH)
}


def of(case: str) -> CaseKind:
    """The kind of that name; one that is not in the table, from a report of another version, is limited by compute."""
    return KINDS.get(case) or CaseKind(case)
