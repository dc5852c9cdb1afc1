"""Why a question about the machine stayed open: the probe's outcome, or the silence of a paste."""

from __future__ import annotations

import re

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Gap
from cudacheck.model.report import Outcome, ProbeRun


def why(facts: Facts, fact_type: type, probe: str) -> tuple[str, Gap, str]:
    """In one line; the same for programs; the probe that would have had to answer, empty where none was to."""
    run = next((r for r in facts.all(ProbeRun) if r.probe == probe), None)
    if run is None:
        return f"nothing said about {_spoken(fact_type)}", Gap.NOT_SAID, ""
    if run.outcome is Outcome.SKIPPED:
        said = f"{run.probe} was skipped: {run.detail}" if run.detail else f"{run.probe} was skipped"
        return said, Gap.SKIPPED, run.probe
    return f"{run.probe} {run.outcome}: {run.detail}", Gap.UNFINISHED, run.probe


def _spoken(fact_type: type) -> str:
    """`TorchBuild` → `torch build`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", fact_type.__name__).lower()
