"""Reads what `torch.cuda.init()` answered when it was asked for: nothing where CUDA starts, else PyTorch's reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cudacheck.probes.patient.torch_cuda import PROBE, TorchCuda
from cudacheck.sources import _prompts
from cudacheck.sources._source import Source

FOUND_IN = "torch.cuda.init()"
_REASON = re.compile(r"(?:torch\.)?(?:Assertion|Runtime|Accelerator)Error: \S.{0,1000}")


def facts(lines: Sequence[str]) -> Iterator[TorchCuda]:
    """One for each answer; none where Python or PyTorch did not get as far.

    >>> asked = ['$ python -c "import torch; torch.cuda.init()"']
    >>> [fact.available for fact in facts([*asked, "$"])]
    [True]
    >>> [fact.error for fact in facts([*asked, "RuntimeError: No CUDA GPUs are available", "$"])]
    ['RuntimeError: No CUDA GPUs are available']
    >>> list(facts([*asked, "bash: python: command not found", "$"]))
    []
    """
    for answer in _prompts.answers(lines, PROBE):
        reason = next(filter(None, map(_REASON.match, answer)), None)
        if reason or not any(map(str.strip, answer)):
            yield TorchCuda(reason is None, error=reason and reason.group(), found_in=FOUND_IN)


SOURCE = Source(facts=facts, trust=85)
