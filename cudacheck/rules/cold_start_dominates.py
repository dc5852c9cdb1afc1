"""Most of a first answer is the start of the process, not the model's work.

## What it does
Splits the time from a fresh process to its first token: `import torch`, the CUDA context, the first matmul, the first
attention, the first prompt. It notes where what is paid once makes up at least three times the same prompt again, and
at least a second. Weights are left out: `bench steps` draws random ones, yours come from a disk.

## Why it matters
On an H200 a fresh process took 3.4 s to a first token whose prompt takes 0.016 s, and 85 to 95 % of it was
`import torch`. A time to first token that is measured by starting a program is a measurement of that program's start,
and no faster attention or CUDA graph shortens it.

## What to do
Load once and keep the process: a server that loads the model when it starts, before it accepts requests. Answer one
prompt of each length that is served first; capturing CUDA graphs does the same. Loading all of CUDA's kernels at the
start (`CUDA_MODULE_LOADING=EAGER`) moves the cost and adds to it: 2.5 s on that H200. An import that takes tens of
seconds reads from a slow disk: `python -X importtime -c "import torch"` shows where.

## References
- https://docs.nvidia.com/cuda/cuda-c-programming-guide/#lazy-loading
- https://docs.python.org/3/using/cmdline.html#cmdoption-X
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.patient.bench_steps import ColdStart
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.speed.runs import disturbed_by
from cudacheck.speed.steps import first_answer, measured
from cudacheck.speed.steps.first_answer import Start

TIMES_STEADY = 3.0
LEAST_S = 1.0
"""Nobody restarts a program for less."""


def check(starts: tuple[ColdStart, ...] | None, facts: Facts) -> Iterator[Finding]:
    for run in measured.of(facts) if starts else ():
        start = next(iter(first_answer.starts(run)), None)
        if start and _dominates(start) and not disturbed_by(run.gpu):
            again = start.measured.again_ms or 0.0
            yield Finding(
                f"starting takes {start.once_s:.1f} s of the first answer on {run.gpu.label}: "
                f"the same prompt again takes {again:.0f} ms",
                tuple(_said(start)),
                (
                    Remedy("load the model once, in a process that stays, before it accepts requests"),
                    Remedy("then answer one prompt of each length that is served, before the first user asks"),
                ),
            )


def _dominates(start: Start) -> bool:
    again, imported = start.measured.again_ms, start.measured.import_s
    if not again or imported is None:
        return False
    return start.once_s >= max(TIMES_STEADY * again / 1e3, LEAST_S)


def _said(start: Start) -> Iterator[Evidence]:
    where = f"measured on GPU {start.measured.device_index}"
    for part in start.parts:
        if part.name != first_answer.WEIGHTS:
            yield Evidence(f"{part.name}: {part.seconds:.2f} s, {part.share:.0%}", where)


H200 = TorchDevice(0, "NVIDIA H200", uuid="GPU-1", compute_capability="9.0", multiprocessors=132)
MEASURED = ColdStart(
    "default", 0, None, 2.9, 0.13, 0.1, matmul_ms=91.0, attention_ms=92.0, prefill_ms=228.0, again_ms=16.0
)


RULE = Rule(
    severity=Severity.NOTE,
    layer=Layer.ADVICE,
    fix_by=FixBy.PROGRAM,
    check=check,
    fires={
        "an H200, 2.9 s of import": (H200, MEASURED),
        "only the remedy's process was measured": (H200, ColdStart("cudnn off", 0, None, 3.1, 0.11, again_ms=13.0)),
        "four times the prompt": (H200, ColdStart("default", 0, None, 3.9, 0.1, again_ms=1000.0)),
        "a second and a half": (H200, ColdStart("default", 0, None, 1.2, 0.3, again_ms=16.0)),
    },
    quiet={
        "a start that is quick": (H200, ColdStart("default", 0, None, 0.7, 0.1, 0.1, 20.0, 1.0, 40.0, again_ms=16.0)),
        "a GPU on which the prompt takes as long": (
            TorchDevice(0, "NVIDIA GeForce GTX 1650", compute_capability="7.5"),
            ColdStart("default", 0, None, 2.9, 0.13, 4.0, 91.0, 92.0, 2300.0, again_ms=1900.0),
        ),
        "the import was not timed": (
            H200,
            ColdStart("default", 0, None, None, 0.13, 0.1, 91.0, 92.0, 228.0, again_ms=16.0),
        ),
        "no prompt was timed": (H200, ColdStart("default", 0, None, 2.9, 0.13)),
        "another process works on the GPU": (H200, Gpu(0, uuid="GPU-1", utilization_percent=97), MEASURED),
        "two and a half times the prompt": (H200, ColdStart("default", 0, None, 2.4, 0.1, again_ms=1000.0)),
        "as long as nobody minds": (H200, ColdStart("default", 0, None, 0.6, 0.3, again_ms=16.0)),
        "the prompt was timed, the import was not": (H200, ColdStart("default", 0, None, None, 1.6, again_ms=16.0)),
    },
)
