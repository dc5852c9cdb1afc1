"""Layers that do not fit are put into the memory of the CPU, or on disk.

## What it does
Sees `from_pretrained` with `offload_folder`, `offload_state_dict=True` or a `max_memory` that names `"cpu"`, beside a
`device_map` that shares the model out.

## Why it matters
Each token then waits for weights to cross the bus: a tenth of the speed and less, without any error.

## What to do
Take a smaller or quantised model, or more GPUs; `model.hf_device_map` shows where the layers are.

## References
- https://huggingface.co/docs/accelerate/usage_guides/big_modeling
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint.facts import Call, Recipe
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity

SHARED_OUT = ["auto", "balanced", "balanced_low_0", "sequential"]


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for call in recipe.all(Call):
        shared = call.arguments.get("device_map")
        if shared is None or shared.value not in SHARED_OUT or not call.function.endswith(".from_pretrained"):
            continue
        folder, memory = call.arguments.get("offload_folder"), call.arguments.get("max_memory")
        to_cpu = memory if memory and isinstance(memory.value, dict) and memory.value.get("cpu") else None
        if asked := folder or to_cpu:
            yield LintFinding("layers that do not fit are offloaded, and each token waits for them", asked.place)


RULE = LintRule(
    severity=Severity.NOTE,
    check=check,
    finds={
        "to disk": Example(
            'from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("a", device_map="auto", offload_folder="/tmp/o")\n',
            "a.py",
        ),
        "to the CPU": Example(
            'from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("a", device_map="auto", max_memory={0: "10GiB", "cpu": "60GiB"})\n',
            "a.py",
        ),
    },
    quiet={
        "shared out among GPUs": Example(
            'from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("a", device_map="auto")\n',
            "a.py",
        ),
        "one GPU": Example(
            'from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("a", device_map="cuda")\n',
            "a.py",
        ),
        "a bound for GPUs alone": Example(
            'from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("a", device_map="auto", max_memory={0: "20GiB", 1: "20GiB"})\n',
            "a.py",
        ),
    },
)
