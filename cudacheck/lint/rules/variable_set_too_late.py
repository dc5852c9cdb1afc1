"""A variable is set for CUDA after CUDA has read it.

## What it does
Sees `os.environ["CUDA_VISIBLE_DEVICES"]`, `CUDA_LAUNCH_BLOCKING` or `PYTORCH_CUDA_ALLOC_CONF` set on the level of the
module after something there used the GPU. After `import torch` alone it is in time. Files that start processes, which
get the variable, are left alone.

## Why it matters
CUDA reads its variables once, when it is initialised, and the allocator at the first allocation: later values change
nothing.

## What to do
Set it before the first use, best above `import torch` or outside of the program.

## References
- https://docs.nvidia.com/cuda/cuda-c-programming-guide/index.html#cuda-environment-variables
- https://docs.pytorch.org/docs/stable/notes/cuda.html#environment-variables
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint.facts import Call, Recipe, Setter, Variable
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity

READ_BY_CUDA = {"CUDA_VISIBLE_DEVICES", "CUDA_LAUNCH_BLOCKING", "CUDA_DEVICE_ORDER", "CUDA_DEVICE_MAX_CONNECTIONS"}
READ_BY_ALLOCATOR = {"PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF"}
PROCESSES = ("subprocess.", "multiprocessing.", "torch.multiprocessing.", "os.exec", "os.spawn", "os.system")


def check(recipe: Recipe) -> Iterator[LintFinding]:
    if any(call.function.startswith(PROCESSES) for call in recipe.all(Call)):
        return
    for variable in recipe.all(Variable):
        if variable.setter is not Setter.PYTHON or variable.after in {"", "import torch"}:
            continue
        allocates = not variable.after.startswith("torch.cuda.")
        if variable.name in READ_BY_CUDA or (variable.name in READ_BY_ALLOCATOR and allocates):
            message = f"set too late: {variable.after}() above has made CUDA read {variable.name}"
            yield LintFinding(message, variable.place)


RULE = LintRule(
    severity=Severity.WARNING,
    check=check,
    finds={
        "after a model went to the GPU": Example(
            'import os\nimport torch\nmodel = torch.nn.Linear(2, 2)\nmodel.cuda()\nos.environ["CUDA_VISIBLE_DEVICES"] = "1"\n',
            "a.py",
        ),
        "after CUDA was initialised": Example(
            'import os\nimport torch\ntorch.cuda.set_device(0)\nos.environ["CUDA_VISIBLE_DEVICES"] = "1"\n', "a.py"
        ),
        "the allocator": Example(
            'import os\nimport torch\nx = torch.zeros(1, device="cuda")\nos.environ["PYTORCH_CUDA_ALLOC_CONF"] = "expandable_segments:True"\n',
            "a.py",
        ),
    },
    quiet={
        "before the import": Example(
            'import os\nos.environ["CUDA_VISIBLE_DEVICES"] = "1"\nimport torch\nx = torch.zeros(1).cuda()\n', "a.py"
        ),
        "after the import alone": Example(
            'import os\nimport torch\nos.environ["CUDA_VISIBLE_DEVICES"] = "1"\nx = torch.zeros(1).cuda()\n', "a.py"
        ),
        "in a function of its own": Example(
            'import os\nimport torch\nx = torch.zeros(1).cuda()\ndef f():\n    os.environ["CUDA_VISIBLE_DEVICES"] = "1"\n',
            "a.py",
        ),
        "for a process of its own": Example(
            'import os, subprocess\nimport torch\nx = torch.zeros(1).cuda()\nos.environ["CUDA_VISIBLE_DEVICES"] = "1"\nsubprocess.run(["python", "b.py"])\n',
            "a.py",
        ),
    },
)
