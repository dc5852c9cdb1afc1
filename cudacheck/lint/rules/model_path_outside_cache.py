"""A model is loaded from a path at which the Hugging Face cache keeps none.

## What it does
Sees `from_pretrained` with a path below `.cache/huggingface/` that begins with no folder of that cache (`hub`, `xet`,
`modules`, `datasets`, `assets`, `accelerate`, `transformers`, `diffusers`).

## Why it matters
The cache keeps models as `hub/models--ORG--NAME/snapshots/REVISION`. A path such as
`.cache/huggingface/ORG/NAME` is there only where somebody copied the files; `___` for a dot is how ModelScope names
folders.

## What to do
Name the model, `ORG/NAME`: from_pretrained finds it in the cache by itself.

## References
- https://huggingface.co/docs/huggingface_hub/en/guides/manage-cache
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint.facts import Call, Recipe
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity

FOLDERS = ("hub", "xet", "modules", "datasets", "assets", "accelerate", "transformers", "diffusers", "models--")


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for call in recipe.all(Call):
        # The path may reach from_pretrained through a class of the recipe's own.
        for argument in (*call.positional[:1], *call.arguments.values()):
            if isinstance(argument.value, str) and (below := _below_the_cache(argument.value)):
                name = "/".join(below.split("/")[:2]).replace("___", ".")
                yield LintFinding("the Hugging Face cache keeps no model at this path", argument.place, f'"{name}"')


def _below_the_cache(path: str) -> str:
    """`ORG/NAME` of a path that the cache has not; empty for another."""
    below = path.partition(".cache/huggingface/")[2]
    return below if below.count("/") == 1 and not below.startswith(FOLDERS) and "$" not in below else ""


RULE = LintRule(
    severity=Severity.NOTE,
    check=check,
    finds={
        "the article's path": Example(
            'from transformers import AutoModel\nm = AutoModel.from_pretrained("/root/.cache/huggingface/deepseek-ai/DeepSeek-R1-Distill-Qwen-1___5B")\n',
            "a.py",
        ),
    },
    quiet={
        "the name": Example(
            'from transformers import AutoModel\nm = AutoModel.from_pretrained("deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B")\n',
            "a.py",
        ),
        "a snapshot": Example(
            'from transformers import AutoModel\nm = AutoModel.from_pretrained("/root/.cache/huggingface/hub/models--a--b/snapshots/1")\n',
            "a.py",
        ),
        "a folder of models": Example(
            'from transformers import AutoModel\nm = AutoModel.from_pretrained("/models/a/b")\n', "a.py"
        ),
    },
)
