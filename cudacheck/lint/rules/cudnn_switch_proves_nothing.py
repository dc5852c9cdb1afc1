"""`torch.backends.cudnn.enabled` is taken for a proof that cuDNN is there.

## What it does
Sees the switch printed or asserted.

## Why it matters
It is the user's switch, True by default even where there is no cuDNN at all.

## What to do
Ask `torch.backends.cudnn.is_available()` and `torch.backends.cudnn.version()`.

## References
- https://docs.pytorch.org/docs/stable/backends.html#torch-backends-cudnn
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint.facts import Recipe, SwitchRead
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for read in recipe.all(SwitchRead):
        yield LintFinding(
            "cudnn.enabled is a switch, True even without cuDNN", read.place, "torch.backends.cudnn.is_available()"
        )


RULE = LintRule(
    severity=Severity.NOTE,
    check=check,
    finds={"printed": Example("import torch\nprint(torch.backends.cudnn.enabled)\n", "a.py")},
    quiet={
        "switched off": Example("import torch\ntorch.backends.cudnn.enabled = False\n", "a.py"),
        "the right question": Example("import torch\nprint(torch.backends.cudnn.is_available())\n", "a.py"),
    },
)
