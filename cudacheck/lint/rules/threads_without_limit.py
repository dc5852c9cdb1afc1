"""Gradio is given threads for requests that its limit runs one by one.

## What it does
Sees `launch(max_threads=)` in an app whose events name no `concurrency_limit` and whose queue has no
`default_concurrency_limit`, unless the project asks for a Gradio older than 4.

## Why it matters
From Gradio 4 on each event runs once at a time unless its limit says more: further threads stay idle.

## What to do
Write `concurrency_limit=` on the event, or `demo.queue(default_concurrency_limit=)`.

## References
- https://www.gradio.app/guides/queuing
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint import known
from cudacheck.lint.facts import Call, Recipe
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    limited = any({"concurrency_limit", "default_concurrency_limit"} & c.arguments.keys() for c in recipe.all(Call))
    if limited or any(pin.dynamic or known.stays_below(pin.specifier, "4") for pin in recipe.pins("gradio")):
        return
    for call in recipe.all(Call):
        threads = call.arguments.get("max_threads")
        if threads and call.function.startswith("gradio.") and call.function.endswith(".launch"):
            message = f"max_threads={threads.source}, and each event runs once at a time"
            yield LintFinding(message, threads.place, "demo.queue(default_concurrency_limit=3)")


RULE = LintRule(
    severity=Severity.NOTE,
    check=check,
    finds={
        "no limit": Example(
            "import gradio as gr\nwith gr.Blocks() as demo:\n    pass\ndemo.launch(max_threads=3)\n", "a.py"
        ),
    },
    quiet={
        "an older Gradio 3": Example(
            "import gradio as gr\nwith gr.Blocks() as demo:\n    pass\ndemo.launch(max_threads=3)\n",
            "a.py",
            {"requirements.txt": "gradio==3.40.1\n"},
        ),
        "a limit of the queue": Example(
            "import gradio as gr\nwith gr.Blocks() as demo:\n    pass\ndemo.queue(default_concurrency_limit=3).launch(max_threads=40)\n",
            "a.py",
        ),
        "a limit of the event": Example(
            "import gradio as gr\nwith gr.Blocks() as demo:\n    b = gr.Button()\n    b.click(print, concurrency_limit=3)\ndemo.launch(max_threads=40)\n",
            "a.py",
        ),
        "Gradio 3": Example(
            "import gradio as gr\nwith gr.Blocks() as demo:\n    pass\ndemo.launch(max_threads=3)\n",
            "a.py",
            {"requirements.txt": "gradio==3.50.2\n"},
        ),
        "no threads": Example("import gradio as gr\nwith gr.Blocks() as demo:\n    pass\ndemo.launch()\n", "a.py"),
    },
)
