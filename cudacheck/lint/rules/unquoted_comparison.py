"""A comparison stands without quotes, so the shell takes it for a redirection.

## What it does
Sees `package>=1.0` and `package<=1.0` as the shell does: a redirection to the file `=1.0`, or from it.

## Why it matters
`>` writes pip's output into a file called `=1.0` and installs any version; `<` looks for that file and never runs.

## What to do
Put the requirement into quotes.

## References
- https://www.gnu.org/software/bash/manual/html_node/Redirections.html
- https://pip.pypa.io/en/stable/cli/pip_install/#examples
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint.facts import Install, Recipe
from cudacheck.lint.rule import Edit, Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for install in recipe.all(Install):
        for redirection in install.redirections:
            target = redirection.target
            if not (target.startswith("=") or target[:1].isdigit()):
                continue
            spec = f'"{redirection.package}{redirection.operator}{target}"'
            does = (
                f"writes a file called {target}"
                if redirection.operator == ">"
                else f"reads a file called {target}: it never runs"
            )
            yield LintFinding(
                f"without quotes the shell {does}", redirection.place, spec, (Edit(redirection.place, spec),)
            )


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "at least": Example("pip install flash-attn>=2.6.3 --no-build-isolation\n"),
        "at most": Example("pip install torch<=2.3.1\n"),
        "less than": Example("pip install numpy<2\n"),
        "in an image": Example("FROM python:3.11\nRUN pip install gradio>=4.40.0\n", "Dockerfile"),
    },
    quiet={
        "quoted": Example('pip install "flash-attn>=2.6.3" --no-build-isolation\n'),
        "single quotes": Example("pip install 'numpy<2'\n"),
        "a log": Example("pip install torch > install.log 2>&1\n"),
        "a requirements file": Example("gradio>=4.40.0\n", "requirements.txt"),
    },
)
