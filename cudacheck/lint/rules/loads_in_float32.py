"""A language model is loaded without a dtype by a transformers that then takes float32.

## What it does
Sees `from_pretrained` of a class for text generation without `torch_dtype`, `dtype` and quantisation, where the
transformers that the project asks for is older than 5.

## Why it matters
Until 5.0 the default was float32, whatever the checkpoint holds: twice the memory, and a fraction of the speed.

## What to do
Write `torch_dtype="auto"`; it takes what the checkpoint holds.

## References
- https://huggingface.co/docs/transformers/v4.57.1/en/main_classes/model
- https://huggingface.co/docs/transformers/main/en/models
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint import known
from cudacheck.lint.facts import Call, Recipe
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity

SAID = {"torch_dtype", "dtype", "quantization_config", "load_in_8bit", "load_in_4bit", "config"}
OWN_CODE = {"trust_remote_code"}
"""The model brings code of its own, which may choose: Qwen-VL's does."""
LATER = {"half", "bfloat16", "to"}
"""What may still turn it into 16 bit."""


def check(recipe: Recipe) -> Iterator[LintFinding]:
    pins = [pin for pin in recipe.pins("transformers") if not pin.dynamic and not pin.url]
    if not pins or not all(known.stays_below(pin.specifier, "5") for pin in pins):
        return
    later = {call.function.rpartition(".")[2] for call in recipe.all(Call)} & LATER
    for call in recipe.all(Call):
        kind = call.function.removesuffix(".from_pretrained").rpartition(".")[2]
        generates = call.function.startswith("transformers.") and kind.endswith(("ForCausalLM", "LMHeadModel"))
        said = call.starred or later or (SAID | OWN_CODE) & call.arguments.keys()
        if generates and call.function.endswith(".from_pretrained") and not said:
            yield LintFinding("loaded in float32: transformers before 5 does so by default", call.place, ADVICE)


ADVICE = 'torch_dtype="auto"'


RULE = LintRule(
    severity=Severity.NOTE,
    check=check,
    finds={
        "no dtype": Example(
            'from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("a", device_map="cuda")\n',
            "a.py",
            {"requirements.txt": "transformers==4.44.2\n"},
        ),
    },
    quiet={
        "a model with code of its own": Example(
            'from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("Qwen/Qwen-VL", trust_remote_code=True)\n',
            "a.py",
            {"requirements.txt": "transformers==4.32.0\n"},
        ),
        "an exact transformers 5": Example(
            'from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("a")\n',
            "a.py",
            {"requirements.txt": "transformers==5.14.1\n"},
        ),
        "a dtype": Example(
            'from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("a", torch_dtype="auto")\n',
            "a.py",
            {"requirements.txt": "transformers==4.44.2\n"},
        ),
        "transformers 5": Example(
            'from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("a", device_map="cuda")\n',
            "a.py",
            {"requirements.txt": "transformers>=5\n"},
        ),
        "any transformers": Example(
            'from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("a", device_map="cuda")\n',
            "a.py",
        ),
        "quantised": Example(
            'from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("a", load_in_4bit=True)\n',
            "a.py",
            {"requirements.txt": "transformers==4.44.2\n"},
        ),
        "turned later": Example(
            'from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("a", device_map="cuda").half()\n',
            "a.py",
            {"requirements.txt": "transformers==4.44.2\n"},
        ),
    },
)
