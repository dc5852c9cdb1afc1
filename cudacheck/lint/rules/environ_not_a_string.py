"""An environment variable is set to something that is no string.

## What it does
Sees `os.environ["NAME"] = ` with a number, a truth value or None.

## Why it matters
Python raises `TypeError: str expected, not int`.

## What to do
Put the value into quotes.

## References
- https://docs.python.org/3/library/os.html#os.environ
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint.facts import Recipe, Setter, Variable
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for variable in recipe.all(Variable):
        if variable.setter is Setter.PYTHON and variable.value_type in {"int", "float", "bool", "NoneType"}:
            value = variable.value if variable.value is not None else "None"
            message = f"os.environ takes strings alone: {variable.value_type} raises TypeError"
            yield LintFinding(message, variable.place, f'os.environ["{variable.name}"] = "{value}"')


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "a number": Example('import os\nos.environ["CUDA_VISIBLE_DEVICES"] = 0\n', "a.py"),
        "a truth value": Example('import os\nos.environ["TOKENIZERS_PARALLELISM"] = False\n', "a.py"),
    },
    quiet={
        "a string": Example('import os\nos.environ["CUDA_VISIBLE_DEVICES"] = "0"\n', "a.py"),
        "an expression": Example('import os\nos.environ["CUDA_VISIBLE_DEVICES"] = str(rank)\n', "a.py"),
    },
)
