"""attn_implementation names an attention that transformers does not have.

## What it does
Sees a misspelling of a name that transformers knows, and names of libraries that are no attention of its own. A kernel
of the hub (with a slash), a paged form (with a bar) and names that a project may register are left alone.

## Why it matters
from_pretrained raises `ValueError: Specified attn_implementation=… is not supported`.

## What to do
`sdpa` needs no package; `flash_attention_2` needs flash-attn and a GPU from 8.0 on.

## References
- https://huggingface.co/docs/transformers/main/en/attention_interface
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from cudacheck.lint.facts import Call, Recipe
from cudacheck.lint.rule import Edit, Example, LintFinding, LintRule
from cudacheck.model.findings import Severity
from cudacheck.model.nearest import nearest

NAMES = ("eager", "sdpa", "flash_attention_2", "flash_attention_3", "flash_attention_4", "flex_attention", "kernels")

MEANT = dict.fromkeys(
    ("flash", "fa2", "flash_attn", "flash-attn", "flashattention", "flash_attn_2"), "flash_attention_2"
)
MEANT |= dict.fromkeys(("xformers", "memory_efficient", "math", "torch"), "sdpa")
"""What people write for it, too far from the name to be a slip of the hand."""


def check(recipe: Recipe) -> Iterator[LintFinding]:
    if any(
        call.function.endswith((".register", "AttentionInterface", "_set_attn_implementation"))
        for call in recipe.all(Call)
    ):
        return
    for call in recipe.all(Call):
        asked = call.arguments.get("attn_implementation")
        value = asked.value if asked and call.function.startswith("transformers.") else None
        if asked is None or not isinstance(value, str) or value in NAMES or set("/|:") & set(value):
            continue
        meant = MEANT.get(value) or nearest(value, NAMES, least=0.75)
        if not meant:
            continue
        near = difflib.SequenceMatcher(None, value, meant).ratio() > 0.85 and value[-1:] == meant[-1:]
        spec = f'attn_implementation="{meant}"'
        message = f"transformers knows no attention called {value!r}"
        yield LintFinding(message, asked.place, spec, (Edit(asked.place, spec),) if near else ())


HEAD = "from transformers import AutoModelForCausalLM\n"

RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "no number": Example(
            HEAD + 'm = AutoModelForCausalLM.from_pretrained("a", attn_implementation="flash_attention")\n', "a.py"
        ),
        "dashes": Example(
            HEAD + 'm = AutoModelForCausalLM.from_pretrained("a", attn_implementation="flash-attention-2")\n', "a.py"
        ),
    },
    quiet={
        "flash_attention_2": Example(
            HEAD + 'm = AutoModelForCausalLM.from_pretrained("a", attn_implementation="flash_attention_2")\n', "a.py"
        ),
        "a kernel of the hub": Example(
            HEAD
            + 'm = AutoModelForCausalLM.from_pretrained("a", attn_implementation="kernels-community/flash-attn2")\n',
            "a.py",
        ),
        "an expression": Example(
            HEAD + 'm = AutoModelForCausalLM.from_pretrained("a", attn_implementation=name)\n', "a.py"
        ),
    },
)
