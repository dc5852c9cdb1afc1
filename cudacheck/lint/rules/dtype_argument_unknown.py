"""from_pretrained is called with `dtype`, which the transformers asked for does not know.

## What it does
Sees `dtype=` where every transformers that the project allows is older than 4.56.

## Why it matters
The argument is handed on to the model: `TypeError: __init__() got an unexpected keyword argument 'dtype'`.

## What to do
Write `torch_dtype=`, or ask for transformers 4.56 or newer.

## References
- https://github.com/huggingface/transformers/pull/39782
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint import known
from cudacheck.lint.facts import Call, Recipe
from cudacheck.lint.rule import Edit, Example, LintFinding, LintRule
from cudacheck.model.findings import Severity

FIRST = "4.56.0"


def check(recipe: Recipe) -> Iterator[LintFinding]:
    pins = [pin for pin in recipe.pins("transformers") if not pin.dynamic and not pin.url]
    if not pins or not all(known.stays_below(pin.specifier, FIRST) for pin in pins):
        return
    for call in recipe.all(Call):
        asked = call.arguments.get("dtype")
        ours = call.function.startswith("transformers.") and call.function.endswith(".from_pretrained")
        if ours and asked and asked.name_place:
            message = f"transformers before {FIRST} knows no dtype="
            yield LintFinding(message, asked.place, "torch_dtype=", (Edit(asked.name_place, "torch_dtype"),))


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "an exact one": Example(
            'from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("a", dtype="auto")\n',
            "a.py",
            {"requirements.txt": "transformers==4.44.2\n"},
        ),
        "a bound": Example(
            'from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("a", dtype="auto")\n',
            "a.py",
            {"requirements.txt": "transformers>=4.40,<4.50\n"},
        ),
    },
    quiet={
        "a much newer one": Example(
            'from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("a", dtype="auto")\n',
            "a.py",
            {"pyproject.toml": '[project]\nname = "a"\ndependencies = ["transformers==5.14.1"]\n'},
        ),
        "a newer one": Example(
            'from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("a", dtype="auto")\n',
            "a.py",
            {"requirements.txt": "transformers>=4.56\n"},
        ),
        "any": Example(
            'from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("a", dtype="auto")\n',
            "a.py",
        ),
        "the older name": Example(
            'from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("a", torch_dtype="auto")\n',
            "a.py",
            {"requirements.txt": "transformers==4.44.2\n"},
        ),
    },
)
