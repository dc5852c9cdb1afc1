"""CUDA_VISIBLE_DEVICES is set to a word that CUDA does not know.

## What it does
Sees a value that begins neither with a number nor with `GPU-` or `MIG-`.

## Why it matters
CUDA takes what it cannot read for the end of the list: no GPU is visible, and `torch.cuda.is_available()` is False.
`all` is a value of NVIDIA_VISIBLE_DEVICES, which the container runtime reads.

## What to do
Leave the variable out, or list the GPUs: `0,1`.

## References
- https://docs.nvidia.com/cuda/cuda-programming-guide/05-appendices/environment-variables.html
- https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.lint.facts import Recipe, Variable
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity

# What is set to hide every GPU on purpose.
_HIDES = {"", "-1", "none", "None", "NoDevFiles", "void"}


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for variable in recipe.all(Variable):
        value = variable.value
        if (
            variable.name != "CUDA_VISIBLE_DEVICES"
            or value is None
            or value.strip() in _HIDES
            or variable.value_type != "str"
        ):
            continue
        if re.match(r"all$|(cuda|gpu):?\d|cuda$|gpu$", value.strip(), re.IGNORECASE):
            yield LintFinding(f"CUDA does not know {value!r} and sees no GPU", variable.place, "CUDA_VISIBLE_DEVICES=0")


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "all": Example("export CUDA_VISIBLE_DEVICES=all\n"),
        "a device of PyTorch": Example("CUDA_VISIBLE_DEVICES=cuda:0 python train.py\n"),
        "in Python": Example('import os\nos.environ["CUDA_VISIBLE_DEVICES"] = "all"\n', "a.py"),
        "in an image": Example("FROM x\nENV CUDA_VISIBLE_DEVICES=all\n", "Dockerfile"),
    },
    quiet={
        "numbers": Example("export CUDA_VISIBLE_DEVICES=0,1\n"),
        "a UUID": Example("export CUDA_VISIBLE_DEVICES=GPU-8932f937\n"),
        "none on purpose": Example('export CUDA_VISIBLE_DEVICES=""\nCUDA_VISIBLE_DEVICES=-1 python a.py\n'),
        "the runtime's variable": Example("FROM x\nENV NVIDIA_VISIBLE_DEVICES=all\n", "Dockerfile"),
        "a variable": Example("export CUDA_VISIBLE_DEVICES=$GPUS\n"),
    },
)
