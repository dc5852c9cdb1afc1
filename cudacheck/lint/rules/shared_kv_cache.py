"""One KV cache is kept for everybody who asks.

## What it does
Sees a class that loads the model itself, or whose one instance a web app uses, and that keeps `past_key_values` of
its last call in an attribute of its own.

## Why it matters
Requests of different users write into one cache: each answers with the other's context, and threads corrupt it.

## What to do
Keep a cache for each conversation and pass it to each call.

## References
- https://huggingface.co/docs/transformers/main/en/kv_cache
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint.facts import Recipe, SharedCache
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for cache in recipe.all(SharedCache):
        yield LintFinding(f"{cache.owner} keeps one KV cache, {cache.attribute}, for all its callers", cache.place)


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "the article's engine": Example(
            "from transformers import AutoModelForCausalLM\nclass Engine:\n    def __init__(self):\n        self.model = AutoModelForCausalLM.from_pretrained('a')\n        self.past_key_values = None\n    def prefill(self, ids):\n        out = self.model(ids, use_cache=True)\n        self.past_key_values = out.past_key_values\n",
            "a.py",
        ),
    },
    quiet={
        "one for each conversation": Example(
            "class Session:\n    def __init__(self, model):\n        self.model = model\n        self.cache = None\n    def ask(self, ids):\n        out = self.model(ids, past_key_values=self.cache)\n        self.cache = out.past_key_values\n",
            "a.py",
        ),
    },
)
