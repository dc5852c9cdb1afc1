"""A package that pins another PyTorch is asked for beside this one.

## What it does
Compares exact versions of vLLM and xformers with the PyTorch asked for in the same install, by their published
metadata. Steps of a script are left alone: the later one wins.

## Why it matters
pip answers `ResolutionImpossible`.

## What to do
Leave PyTorch to the package that pins it, or take the release that pins yours.

## References
- https://docs.vllm.ai/en/latest/getting_started/installation/gpu.html
- https://github.com/facebookresearch/xformers#installing-xformers
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint import known
from cudacheck.lint.facts import Recipe
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for install, asked in recipe.requirements("vllm", "xformers"):
        torch = next((r for r in install.requirements if r.name == "torch"), None)
        pinned = known.pinned_torch(asked.name, asked.public) if asked.public else None
        if torch is None or pinned is None or torch.url or torch.dynamic or not torch.specifier:
            continue
        # A public version of the pin also takes builds with a local tag.
        if known.allows(torch.specifier.partition("+")[0], pinned) is False:
            message = (
                f"{asked.name} {asked.public} pins torch {pinned}, and torch{torch.specifier} is asked for beside it"
            )
            yield LintFinding(message, torch.place, f"torch=={pinned}")


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "vLLM": Example("pip install vllm==0.6.3.post1 torch==2.5.1\n"),
        "xformers": Example("torch==2.4.0\nxformers==0.0.28.post3\n", "requirements.txt"),
    },
    quiet={
        "the pinned one": Example("pip install vllm==0.9.2 torch==2.7.0\n"),
        "any PyTorch": Example("pip install vllm==0.9.2 torch\n"),
        "a release that nobody looked up": Example("pip install vllm==0.99.0 torch==2.5.1\n"),
    },
)
