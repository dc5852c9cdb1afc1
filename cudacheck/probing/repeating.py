"""What looks slow is measured again, in a fresh process, before it is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from cudacheck import registry
from cudacheck.bench.options import BenchOptions
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Finding
from cudacheck.probes.chosen import Patient
from cudacheck.probing import children

LEAST_S = 10.0
"""With less time left nothing is started again: importing torch alone may take half of it."""


def cases(findings: Sequence[Finding]) -> list[str]:
    """The cases whose timing convicted."""
    told = [registry.rule(finding.rule) for finding in findings]
    return sorted({case for rule in told if rule for case in rule.timed})


def measure_again(
    facts: Facts,
    patient: Patient,
    probe: str,
    only: Sequence[str],
    timeout_s: float,
    options: BenchOptions | None = None,
    heard: Callable[[Any], None] = lambda _: None,
) -> bool:
    """Add a second attempt to the facts; the rules take the quicker one. Returns whether there is any."""
    if timeout_s < LEAST_S:
        return False
    asked = dataclasses.replace(options or BenchOptions(), only=(*only,))
    found = children.again(patient, probe, timeout_s=timeout_s, options=asked, heard=heard)
    attempts = [dataclasses.replace(fact, attempt=2) for fact in found if hasattr(fact, "attempt")]
    for fact in attempts:
        facts.add(fact)
    return bool(attempts)
