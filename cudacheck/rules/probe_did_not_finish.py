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

import shlex
from collections.abc import Sequence

from cudacheck.facts import Facts
from cudacheck.report import Evidence, Finding, Layer, Outcome, ProbeRun, Remedy, Severity
from cudacheck.target import Target

ID = "probe-did-not-finish"
SEVERITY = Severity.ERROR
LAYER = Layer.LIBCUDA  # a driver that hangs, or an interpreter that dies, comes before what is wrong with PyTorch
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
    "kernels": ("kernel-failed", "gpu-too-new-for-build", "gpu-too-old-for-build"),
    "bench_steps": ("step-failed",),
    "flash_attn": ("flash-attn-abi-mismatch", "flash-attn-unsupported-gpu"),
}
"""Probe → the findings that account for its death; without one of them it stands for itself."""
KERNEL_LOG = "sudo dmesg | grep -iE 'nvrm|xid' | tail -n 20"
EXPLAINED_BY = tuple(dict.fromkeys(owner for owners in OWNERS.values() for owner in owners))


def finding(runs: Sequence[ProbeRun], unchecked_reasons: Sequence[str], facts: Facts) -> Finding:
    """One finding about these runs. `unchecked_reasons` are those of error rules that stayed unchecked."""
    blocks = any(_blames(reason, run) for reason in unchecked_reasons for run in runs)
    first = runs[0]
    others = f" (and {len(runs) - 1} more)" if len(runs) > 1 else ""
    driver = first.probe in {"nvml", "libcuda"}
    return Finding(
        f"{'the NVIDIA driver does not answer: ' if driver else 'the probe '}{first.probe} {_ending(first)}{others}",
        evidence=tuple(Evidence(f"{run.probe} {_ending(run)}", _last_line(run)) for run in runs),
        remedies=(*(_driver_remedies() if driver else ()), _look_closer(facts)),
        severity=Severity.ERROR if blocks else Severity.WARNING,
    )


def _driver_remedies() -> tuple[Remedy, ...]:
    return (
        Remedy("read what the driver says in the kernel log", (KERNEL_LOG,), needs_root=True),
        Remedy("restart the machine: a driver that hangs seldom recovers", needs_root=True, needs_reboot=True),
    )


def _look_closer(facts: Facts) -> Remedy:
    target = facts.one(Target)
    python = f" --python {shlex.quote(target.python)}" if target else ""
    return Remedy("see what the process printed last", (f"cudacheck doctor{python} --verbose",))


def _blames(reason: str, run: ProbeRun) -> bool:
    """Whether a rule stayed unchecked because of this run: itself, or as what a skipped probe waited for."""
    return (
        reason.startswith(f"{run.probe} ") or f": {run.probe} " in reason or bool(run.detail and run.detail in reason)
    )


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


FIRES = {
    "import torch was killed by a signal": (
        ProbeRun("torch_import", "target", Outcome.CRASHED, 0.4, "died of SIGSEGV (11)"),
    ),
    "NVML never answered": (ProbeRun("nvml", "host", Outcome.TIMED_OUT, 10.0, "no answer within 10 s"),),
}
QUIET = {
    "a probe that had nothing to ask": (
        ProbeRun("benchmark", "target", Outcome.SKIPPED, None, "CUDA is not available"),
    ),
}
