"""A way to run the model gave wrong logits, or did not run at all.

## What it does
Compares the logits of every row of `bench steps` with float32 on the same rounded weights: an error of more than
1.5 times what plain eager code has, or than 0.06, whichever is less, is wrong. Rows that raised or whose process died
are told as a warning. Beside the ladder (compiling, Triton, transformers) a wrong row is a warning, and one that did
not run a note. It is no verdict on the chip: `kernel-failed` checks single kernels.

## Why it matters
A step that makes answers wrong is none to take, however fast. One that kills its process here does so in a server, too.

## What to do
Read which row it is: the steps are taken one at a time, so the last one it added is to blame. Leave that step out, and
try another PyTorch. A row that was out of memory needs nothing but room.

## References
- https://pytorch.org/docs/stable/notes/numerical_accuracy.html
- https://pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.chosen import Patient
from cudacheck.probes.patient.bench_steps import Concurrency, NewLengthStalls, PrefixReuse, RowLaunches, StepRow
from cudacheck.rules import _torch

BESIDE = ("extra", "stack")
"""Tables of what is not plain PyTorch: Triton, compilers, flash-attn, transformers."""
Told = tuple[str, str]
"""What it was, and what went wrong."""
Others = PrefixReuse | NewLengthStalls | Concurrency | RowLaunches


def check(
    rows: tuple[StepRow, ...] | None,
    prefixes: tuple[PrefixReuse, ...] | None,
    stalls: tuple[NewLengthStalls, ...] | None,
    modes: tuple[Concurrency, ...] | None,
    launches: tuple[RowLaunches, ...] | None,
    facts: Facts,
) -> Iterator[Finding]:
    parts: tuple[Others, ...] = (*(prefixes or ()), *(stalls or ()), *(modes or ()))
    ladder = [row for row in rows or () if row.table not in BESIDE]
    extra = [row for row in rows or () if row.table in BESIDE]
    if wrong := _wrong(ladder, prefixes or ()):
        yield _gives_wrong(wrong, facts)
    if wrong := _wrong(extra):
        yield _gives_wrong(wrong, facts, Severity.WARNING)
    if died := _died([*ladder, *parts]):
        yield _did_not_run(died, Severity.WARNING)
    if died := _died([*extra, *(launches or ())]):
        yield _did_not_run(died, Severity.NOTE)


def _wrong(rows: Sequence[StepRow], prefixes: Sequence[PrefixReuse] = ()) -> list[Told]:
    found = [(_named(row), _size(row.logits_error, row.tolerance)) for row in rows if row.ok is False]
    return found + [(_named(prefix), _size(prefix.logits_error)) for prefix in prefixes if prefix.ok is False]


def _died(facts: Sequence[StepRow | Others]) -> list[Told]:
    return [(_named(fact), fact.error) for fact in facts if fact.error]


def _named(fact: StepRow | Others) -> str:
    """`row without fused on GPU 0`"""
    if isinstance(fact, StepRow):
        which = {"without": "row without ", "stack": "transformers' row "}.get(fact.table, "row ") + fact.row
    elif isinstance(fact, RowLaunches):
        which = f"counting the kernels of {fact.row}"
    elif isinstance(fact, NewLengthStalls):
        which = f"stalls, {fact.setting},"
    else:
        which = f"requests {fact.mode}" if isinstance(fact, Concurrency) else "prefix reuse"
    return f"{which} on GPU {fact.device_index}"


def _size(error: float | None, tolerance: float | None = None) -> str:
    if error is None:
        return "wrong logits"
    return f"logits are off by {error:.2g}" + (f", allowed {tolerance:.2g}" if tolerance is not None else "")


def _gives_wrong(told: Sequence[Told], facts: Facts, severity: Severity | None = None) -> Finding:
    patient = facts.one(Patient)
    python = f" --python {shlex.quote(patient.python)}" if patient else ""
    also = f", and {len(told) - 1} more" if len(told) > 1 else ""
    return Finding(
        f"{told[0][0]} gives wrong answers: {told[0][1]}{also}",
        tuple(Evidence(size, what) for what, size in told),
        (
            Remedy("leave out the step that this row adds"),
            Remedy("see whether single kernels are right on this GPU", (f"cudacheck bench kernels{python}",)),
        ),
        severity=severity,
    )


def _did_not_run(told: Sequence[Told], severity: Severity) -> Finding:
    what, error = told[0]
    also = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
    full = "out of memory" in error.lower()
    title = "free the GPU's memory, and run it again" if full else "do without this step, or try it in another PyTorch"
    return Finding(
        f"{what} did not run: {_torch.one_line(error, 120)}{also}",
        tuple(Evidence(_torch.one_line(said), where) for where, said in told),
        (Remedy(title, ("nvidia-smi",) if full else ()),),
        severity=severity,
    )


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.RUN_TIME,
    fix_by=FixBy.ENVIRONMENT,
    explained_by=(
        Family.BROKEN_HARDWARE,
        Family.NO_DRIVER,
        Family.NO_CUDA,
        Family.NO_CUDA_BUILD,
        Family.WRONG_KERNELS,
        Family.BROKEN_LIBRARIES,
        "driver-library-mismatch",
        "cuda-init-failed",
        "driver-too-old",
        "ptx-newer-than-driver",
        "gpu-memory-held",
        "compute-mode-exclusive",
        "malformed-setting",
        "torch-import-failed",
        "kernel-failed",
        "triton-without-compiler",
    ),
    check=check,
    fires={
        "wrong logits": (StepRow("fused", "ladder", 0, logits_error=0.71, tolerance=0.051, ok=False),),
        "only Triton's logits": (StepRow("triton", "extra", 0, logits_error=0.3, tolerance=0.051, ok=False),),
        "a process that died": (
            StepRow("sdpa", "ladder", 0, itl_ms=13.7, ok=True),
            StepRow("prefill-graph", "ladder", 0, error="died of SIGSEGV (11)"),
        ),
        "a kept prefix that gives other logits": (
            PrefixReuse(0, None, 1024, 896, 7.5, 2.7, logits_error=0.4, ok=False),
        ),
        "no room": (
            StepRow("fp32", "ladder", 0, error="OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"),
        ),
        "only compiling failed": (StepRow("compile", "extra", 0, error="InductorError: no C compiler"),),
        "one setting of the stalls": (NewLengthStalls("cudnn off", 0, error="no answer within 60 s"),),
        "one way of serving": (Concurrency("processes", 0, error="a worker exited with 1"),),
        "the profiler": (RowLaunches("fused", "ladder", 0, error="RuntimeError: CUPTI_ERROR_NOT_INITIALIZED"),),
    },
    quiet={
        "all right": (StepRow("fused", "ladder", 0, logits_error=0.031, tolerance=0.051, ok=True),),
        "not compared": (StepRow("sdpa", "stack", 0, itl_ms=16.7),),
        "not run, and why": (StepRow("flash-attention-2", "stack", 0, skipped="flash-attn does not import"),),
        "a batch rounds otherwise": (Concurrency("batched", 0, same_tokens=False, makespan_ms=300.0),),
        "a prefix that is right": (PrefixReuse(0, None, 1024, 896, 7.5, 2.7, logits_error=0.004, ok=True),),
    },
)
