"""cuDNN is pinned to another major version than the PyTorch beside it needs.

## What it does
Compares an exact `nvidia-cudnn-cu11`, `-cu12` or `-cu13` with the exact PyTorch of the same install.

## Why it matters
PyTorch's wheels pin their cuDNN: pip answers `ResolutionImpossible`. Installed one after the other, PyTorch loses the
library it loads: 2.4 and newer load libcudnn.so.9, not libcudnn.so.8.

## What to do
Leave cuDNN to PyTorch's own requirement. What needs cuDNN 8 belongs in an environment of its own.

## References
- https://github.com/pytorch/pytorch/blob/main/RELEASE.md
- https://github.com/SYSTRAN/faster-whisper/issues/885
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint import known
from cudacheck.lint.facts import Recipe
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for install, asked in recipe.requirements("nvidia-cudnn-cu11", "nvidia-cudnn-cu12", "nvidia-cudnn-cu13"):
        torch = next((r for r in install.requirements if r.name == "torch"), None)
        wants = known.cudnn_major_of(torch.public) if torch and torch.public else None
        has = (asked.public or "").partition(".")[0]
        if torch and wants and has.isdigit() and int(has) != wants:
            yield LintFinding(f"torch {torch.public} loads cuDNN {wants}, and cuDNN {has} is pinned", asked.place)


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "8 for 2.5": Example("torch==2.5.1\nnvidia-cudnn-cu12==8.9.7.29\n", "requirements.txt"),
        "9 for 2.3": Example("pip install torch==2.3.1 nvidia-cudnn-cu12==9.1.0.70\n"),
    },
    quiet={
        "its own": Example("torch==2.4.0\nnvidia-cudnn-cu12==9.1.0.70\n", "requirements.txt"),
        "for what needs it": Example('pip install "ctranslate2<4.5" nvidia-cudnn-cu12==8.9.7.29\n'),
        "any": Example("torch==2.5.1\nnvidia-cudnn-cu12\n", "requirements.txt"),
        "of two environments": Example(
            "FROM a AS x\nRUN pip install torch==2.5.1\nFROM a\nRUN pip install nvidia-cudnn-cu12==8.9.7.29\n",
            "Dockerfile",
        ),
    },
)
