"""A probe crashed, hung, was stuck or raised, so a question about this machine stayed open.

## What it does
Reports every probe that did not answer, with the signal, the deadline or the exception, and what the child
printed last. It is an error when a rule that finds errors could not be checked for it, else a warning.

## Why it matters
A doctor that dies with the patient, or quietly passes what it could not examine, is worse than none: a gate fails
closed. What hangs or crashes here (a sick driver, a broken wheel) does so in your program too.

## What to do
Read the evidence: it names the step and how it ended. `cudacheck doctor --verbose` shows what the process printed
last. A `stuck` probe is blocked inside the kernel: look at `dmesg`, and reboot. A probe that only timed out on a
slow disk deserves a second run with a longer `--timeout`.

## References
- https://docs.python.org/3/library/faulthandler.html
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator, Mapping, Sequence

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity, Unchecked
from cudacheck.model.report import Outcome, ProbeRun
from cudacheck.model.rule import Rule
from cudacheck.probes.chosen import Patient
from cudacheck.probes.patient.torch_import import TorchImport

ON_A_GPU = ("kernel-failed", "malformed-setting", "gpu-too-new-for-build", "gpu-too-old-for-build")
OWNERS = {
    "torch_import": (
        "torch-import-failed",
        "cudnn-missing",
        "cuda-library-missing",
        "nvidia-wheels-conflict",
        "nccl-conflict",
        "torch-shadowed",
        "glibc-too-old",
    ),
    "torch_cuda": ("malformed-setting",),
    "attention_backends": ON_A_GPU,
    "kernels": ON_A_GPU,
    "benchmark": ON_A_GPU,
    "bench_kernels": ON_A_GPU,
    "bench_steps": ("step-failed",),
    "flash_attn": ("flash-attn-abi-mismatch", "flash-attn-unsupported-gpu"),
}
"""Probe → the findings that account for its death; without one of them it stands for itself."""
OF_ANY = ("process-limit-too-low",)
"""What accounts for the death of every probe."""
KERNEL_LOG = "sudo dmesg | grep -iE 'nvrm|xid' | tail -n 20"


def closing(facts: Facts, findings: Mapping[str, Finding], unchecked: Sequence[Unchecked]) -> Iterator[Finding]:
    """One finding about all runs that did not finish; a consequence where other findings account for each of them."""
    died = [r for r in facts.all(ProbeRun) if r.outcome not in {Outcome.OK, Outcome.SKIPPED}]
    if not died:
        return
    accounts = {r: next((o for o in (*OWNERS.get(r.probe, ()), *OF_ANY) if _accounts(o, findings)), None) for r in died}
    orphans = [run for run, account in accounts.items() if account is None]
    blocks = _blocks(orphans or died, unchecked, facts)
    cause = None if orphans else accounts[died[0]]
    yield dataclasses.replace(
        _finding(orphans or died, facts), severity=Severity.ERROR if blocks else Severity.WARNING, caused_by=cause
    )


def _accounts(rule: str, findings: Mapping[str, Finding]) -> bool:
    """Whether that was found; a mere limit, of which nothing was seen to break, kills nobody."""
    return rule in findings and (rule not in OF_ANY or findings[rule].severity is Severity.ERROR)


def _blocks(runs: Sequence[ProbeRun], unchecked: Sequence[Unchecked], facts: Facts) -> bool:
    """Whether a rule that finds errors stayed unchecked for one of them, or for what waited for one of them."""
    blamed = {run.probe for run in runs}
    blamed |= {run.probe for run in facts.all(ProbeRun) if run.waited_for in blamed}
    return any(gap.probe in blamed for gap in unchecked if gap.severity is Severity.ERROR)


def _finding(runs: Sequence[ProbeRun], facts: Facts) -> Finding:
    first = runs[0]
    others = f" (and {len(runs) - 1} more)" if len(runs) > 1 else ""
    driver = first.probe in {"nvml", "libcuda"}
    return Finding(
        f"{'the NVIDIA driver does not answer: ' if driver else 'the probe '}{first.probe} {_ending(first)}{others}",
        evidence=tuple(Evidence(f"{run.probe} {_ending(run)}", _last_line(run)) for run in runs),
        remedies=(*(_driver_remedies() if driver else ()), _look_closer(facts)),
    )


def _driver_remedies() -> tuple[Remedy, ...]:
    return (
        Remedy("read what the driver says in the kernel log", (KERNEL_LOG,), needs_root=True),
        Remedy("restart the machine: a driver that hangs seldom recovers", needs_root=True, needs_reboot=True),
    )


def _look_closer(facts: Facts) -> Remedy:
    patient = facts.one(Patient)
    python = f" --python {shlex.quote(patient.python)}" if patient else ""
    return Remedy("see what the process printed last", (f"cudacheck doctor{python} --verbose",))


def _ending(run: ProbeRun) -> str:
    verb = {
        Outcome.FAILED: "failed",
        Outcome.CRASHED: "crashed",
        Outcome.TIMED_OUT: "timed out",
        Outcome.STUCK: "is stuck in the kernel",
    }.get(run.outcome, str(run.outcome))
    return f"{verb}: {run.detail}" if run.detail else verb


def _last_line(run: ProbeRun) -> str:
    """The line of the log that says most: where faulthandler saw it, else the last one."""
    lines = [line.strip() for line in run.log.splitlines() if line.strip()]
    fatal = "Fatal Python error" in run.log  # faulthandler's stack, innermost frame first
    frames = [line for line in lines if fatal and line.startswith('File "') and " in " in line]
    return (frames or lines[-1:] or [f"{run.child} child"])[0][:160]


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.LIBCUDA,
    fix_by=FixBy.NODE,
    explained_by=tuple(dict.fromkeys(owner for owners in (*OWNERS.values(), OF_ANY) for owner in owners)),
    closing=closing,
    fires={
        "import torch was killed by a signal": (
            ProbeRun("torch_import", "patient", Outcome.CRASHED, 0.4, "died of SIGSEGV (11)"),
        ),
        "NVML never answered": (ProbeRun("nvml", "host", Outcome.TIMED_OUT, 10.0, "no answer within 10 s"),),
        "two died, and of one another rule tells": (
            ProbeRun("torch_import", "patient", Outcome.FAILED, 0.4, "raised"),
            TorchImport(False, error_type="ImportError", error="boom"),
            ProbeRun("extensions", "patient", Outcome.CRASHED, 0.4, "died of SIGSEGV (11)"),
        ),
        "another rule tells of all that died": (
            ProbeRun("torch_import", "patient", Outcome.FAILED, 0.4, "raised"),
            TorchImport(False, error_type="ImportError", error="boom"),
        ),
        "faulthandler saw where": (
            ProbeRun(
                "extensions",
                "patient",
                Outcome.CRASHED,
                0.4,
                "died of SIGSEGV (11)",
                log='loading\nFatal Python error: Segmentation fault\n  File "<frozen>"\n  File "/env/a.py", line 3 in load\n  File "/env/b.py", line 9 in main\n[end]',
            ),
        ),
        "a traceback, and no fatal error": (
            ProbeRun(
                "extensions",
                "patient",
                Outcome.FAILED,
                0.4,
                "raised",
                log='  File "/env/a.py", line 3 in load\nValueError: no',
            ),
        ),
        "a last line that is long": (ProbeRun("extensions", "patient", Outcome.FAILED, 0.4, "raised", log="x" * 400),),
        "one that waited for it stayed unasked, and with it an error": (
            ProbeRun("extensions", "patient", Outcome.TIMED_OUT, 10.0, "no answer within 10 s"),
            ProbeRun("torch_cuda", "patient", Outcome.SKIPPED, None, "it waited", waited_for="extensions"),
        ),
    },
    quiet={
        "a probe that had nothing to ask": (
            ProbeRun("benchmark", "patient", Outcome.SKIPPED, None, "CUDA is not available"),
        ),
    },
)
