"""Something that was required of this machine is not fulfilled, or nobody could tell.

## What it does
Checks what `--require`, `CUDACHECK_REQUIRE` or a configuration file asks for, one finding for each requirement that is
not fulfilled. Of several GPUs all must fulfil it; the message names those that do not. What cannot be checked (a probe
that crashed, a busy GPU, a paste that does not say it) is never taken for fulfilled, and the message says why.

## Why it matters
A gate that passes what it could not examine is worse than none: the job behind it fails later, on a machine that was
called good.

## What to do
The message tells what there is. Change it, or the requirement. Where nobody could tell, remove what was in the way and
run the gate again: `--not-proven retry` gives such a run an exit code of its own, 3.

## References
- https://packaging.python.org/en/latest/specifications/version-specifiers/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cudacheck import requirements
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity, Unchecked
from cudacheck.model.report import Fulfilment, Outcome, ProbeRun
from cudacheck.model.rule import Apart, Family, Rule
from cudacheck.probes.chosen import Patient, Required
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.system import System
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.requirements import Checked

WORDS = {Fulfilment.UNMET: "is not fulfilled", Fulfilment.UNCHECKED: "cannot be checked"}


def closing(facts: Facts, _: Mapping[str, Finding], __: Sequence[Unchecked]) -> Iterator[Finding]:
    checked = requirements.checked(facts) if facts.all(Required) else ()
    for state in WORDS:
        yield from (_finding(check, facts) for check in checked if check.state is state)


def _finding(check: Checked, facts: Facts) -> Apart:
    asked = Evidence(f"required: {check.spec}", check.required.found_in)
    seen = [Evidence(one.said, one.found_in) for one in check.seen]
    return Apart(
        f"{check.spec} {WORDS[check.state]}: {check.said}",
        (asked, *seen),
        _remedies(check, facts),
        fix_by=check.requirement.fix_by if check.requirement else FixBy.PROGRAM,
        explained_by=_causes(check),
    )


def _causes(check: Checked) -> tuple[str | Family, ...]:
    """What there is convicts by itself; where there is none, or nobody could tell, there may be a reason."""
    if check.requirement is None or any(one.value for one in check.seen):
        return ()
    died = ("probe-did-not-finish",) if check.unfinished else ()
    return (*check.requirement.explained_by, *died)


def _remedies(check: Checked, facts: Facts) -> tuple[Remedy, ...]:
    if check.requirement is None or check.wanted is None:
        return (Remedy("write the requirement anew: a name, and what it is compared with: torch>=2.7"),)
    if check.state is Fulfilment.UNMET:
        return check.requirement.remedies(facts, check.wanted)
    return requirements.look_again(facts)


PATIENT = Patient("/env/bin/python", "PATH")

RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.INSPECTION,
    fix_by=FixBy.NODE,
    closing=closing,
    always=True,
    fires={
        "a driver that is too old": (
            PATIENT,
            System("linux", distribution="Ubuntu 24.04.1 LTS", container="", wsl=0, jetson=False),
            Gpu(0, "NVIDIA H200", compute_capability="9.0"),
            Nvml(True, init_code=0, driver_version="535.129.03", gpu_count=1),
            Required("driver>=570"),
        ),
        "one GPU of two": (
            PATIENT,
            Gpu(0, "NVIDIA H200", memory_total_bytes=150_754_820_096),
            Gpu(1, "NVIDIA A10", memory_total_bytes=25_757_220_864),
            Required("gpu-memory>=40GB"),
        ),
        "a probe that never answered": (
            PATIENT,
            ProbeRun("nvml", "host", Outcome.TIMED_OUT, 10.0, "no answer within 10 s"),
            Required("driver>=570", "cudacheck.toml:3"),
        ),
        "a paste that does not say it": (
            TorchBuild("2.8.0+cu128", "12.8"),
            Required("glibc>=2.28"),
        ),
        "a saved report with something that is no requirement": (PATIENT, Required("torch>=two")),
    },
    quiet={
        "it is fulfilled": (
            PATIENT,
            Nvml(True, init_code=0, driver_version="580.95.05", gpu_count=1),
            Required("driver>=570"),
        ),
        "nothing is required": (Nvml(True, init_code=0, driver_version="535.129.03"),),
    },
)
