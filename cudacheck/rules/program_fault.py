"""A message tells of a fault of the program, not of this environment.

## What it does
Recognises what CUDA, PyTorch, NCCL, vLLM and the kernel log say when a program did something that no GPU could do, and
an "out of memory" whose own figures show that nobody else holds the memory.

## Why it matters
Reinstalling drivers and packages does not help here. The GPU, its driver and PyTorch did what they were told.

## What to do
Look where the message points. CUDA reports a kernel's fault late: CUDA_LAUNCH_BLOCKING=1 makes the traceback name the
call. `compute-sanitizer` names the kernel and the address. Where programs that are known to work show the same fault,
suspect the GPU: look for other Xid lines in the kernel log.

## References
- https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__TYPES.html
- https://docs.nvidia.com/deploy/xid-errors/
- https://docs.pytorch.org/docs/stable/notes/cuda.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import knowledge
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.messages import ErrorMessage
from cudacheck.rules import _memory

LATE = ("CUDA", "nvidia.ko")
"""Whose words come after the call that is to blame."""
HERE = "look for it in the program, where the message points"


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    row = knowledge.message_of(match)
    if row is None:
        yield from _too_large(said.text[match.start() :])
        return
    where = "run it with CUDA_LAUNCH_BLOCKING=1: the traceback then names the call" if row.program in LATE else HERE
    yield Finding(f"a fault of the program, not of this environment: {row.means}", (), (Remedy(where),))


def _too_large(text: str) -> Iterator[Finding]:
    told = _memory.figures(text)
    if told is not None and not _memory.is_held(told):
        yield Finding(
            "what the program itself asks for is more than the GPU's memory",
            (),
            (Remedy("take a smaller model or batch, a shorter context, 16-bit or quantized weights, or more GPUs"),),
        )


RULE = Rule(
    severity=Severity.NOTE,
    layer=Layer.RUN_TIME,
    fix_by=FixBy.PROGRAM,
    heard=heard,
    messages=(_memory.OUT_OF_MEMORY,),
    fires={
        "an illegal memory access": (
            ErrorMessage("RuntimeError: CUDA error: an illegal memory access was encountered", "paste"),
        ),
        "tensors on two devices": (
            ErrorMessage(
                "RuntimeError: Expected all tensors to be on the same device, but found at least two devices", "paste"
            ),
        ),
        "a page fault in the kernel log": (
            ErrorMessage("NVRM: Xid (PCI:0000:01:00): 31, pid=4242, name=python, MMU Fault", "kernel log"),
        ),
        "a model that is too large": (
            ErrorMessage(
                "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 23.68 GiB of which "
                "15.02 GiB is free. Including non-PyTorch memory, this process has 8.40 GiB memory in use.",
                "paste",
            ),
        ),
    },
    quiet={
        "others hold the memory": (
            ErrorMessage(
                "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.68 GiB of which "
                "0.02 GiB is free. Including non-PyTorch memory, this process has 1.40 GiB memory in use.",
                "paste",
            ),
        ),
        "nobody says who holds the memory": (ErrorMessage("RuntimeError: CUDA out of memory.", "paste"),),
    },
)
