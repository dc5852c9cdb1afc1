"""A function of Gradio is called with an argument that it does not have.

## What it does
Compares `launch`, `queue`, `Interface` and `ChatInterface` with the signatures of nine releases from 3.0 to 6.31. The
Gradio that the file or its project asks for decides. Where that leaves old ones and new ones, it is a warning.

## Why it matters
Python raises `TypeError: … got an unexpected keyword argument`, before the page is there. In 4.x
`queue(concurrency_count=)` raises, too.

## What to do
From Gradio 4 on write `concurrency_limit=` on the event, or `demo.queue(default_concurrency_limit=)`.

## References
- https://www.gradio.app/guides/queuing
- https://github.com/gradio-app/gradio/issues/9977
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint import known
from cudacheck.lint.facts import Argument, Call, Recipe
from cudacheck.lint.rule import Edit, Example, LintFinding, LintRule
from cudacheck.model.findings import Severity

FUNCTIONS = {
    "gradio.Interface": "Interface",
    "gradio.ChatInterface": "ChatInterface",
    "gradio.Blocks.launch": "launch",
    "gradio.Interface.launch": "launch",
    "gradio.ChatInterface.launch": "launch",
    "gradio.TabbedInterface.launch": "launch",
    "gradio.Blocks.queue": "queue",
    "gradio.Interface.queue": "queue",
    "gradio.ChatInterface.queue": "queue",
    "gradio.TabbedInterface.queue": "queue",
}


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for call in recipe.all(Call):
        function = FUNCTIONS.get(call.function)
        if function is None:
            continue
        for name, argument in call.arguments.items():
            took = known.gradio_took(function, name)
            if took is not None:
                yield from _judged(recipe, function, name, argument, took)


def _judged(
    recipe: Recipe, function: str, name: str, argument: Argument, took: tuple[bool, ...]
) -> Iterator[LintFinding]:
    place, instead = argument.place, _instead(function, name, argument)
    if not any(took):
        yield LintFinding(f"no Gradio has {function}({name}=): it raises TypeError", place, instead)
        return
    allowed = known.gradio_allowed([(pin.specifier, pin.public) for pin in recipe.pins("gradio") if not pin.dynamic])
    if not allowed:
        return
    if not any(took[index] for index in allowed):
        message = f"the Gradio asked for here has no {function}({name}=)"
        yield LintFinding(message, place, instead, _edits(function, name, argument))
    elif len(allowed) > 2 and not took[allowed[-1]]:
        last = known.gradio_releases()[max(index for index, has in enumerate(took) if has)]
        message = f"no Gradio after {last} has {function}({name}=), and the newest that is allowed is installed"
        yield LintFinding(message, place, instead, severity=Severity.WARNING)


def _instead(function: str, name: str, argument: Argument) -> str:
    if "concurrency" in name:
        return f"demo.queue(default_concurrency_limit={argument.source})"
    return "btn.click(..., queue=False)" if (function, name) == ("launch", "queue") else ""


def _edits(function: str, name: str, argument: Argument) -> tuple[Edit, ...]:
    if (function, name) == ("queue", "concurrency_count") and argument.name_place:
        return (Edit(argument.name_place, "default_concurrency_limit"),)
    return ()


APP = "import gradio as gr\nwith gr.Blocks() as demo:\n    pass\n"

RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "the article's call": Example(APP + "demo.launch(queue=False, concurrency_count=3, max_threads=3)\n", "app.py"),
        "gone in the Gradio that is pinned": Example(
            APP + "demo.queue(concurrency_count=3).launch()\n", "app.py", {"requirements.txt": "gradio==4.44.1\n"}
        ),
        "gone in the newest": Example(APP + "demo.launch(enable_queue=True)\n", "app.py"),
        "an Interface": Example(
            "import gradio\ngradio.Interface(f, 'text', 'text', interpretation='default').launch()\n", "app.py"
        ),
    },
    quiet={
        "Gradio 3 pinned": Example(
            APP + "demo.queue(concurrency_count=3).launch()\n", "app.py", {"requirements.txt": "gradio==3.50.2\n"}
        ),
        "Gradio 3 by the Space": Example(
            APP + "demo.queue(concurrency_count=3).launch()\n",
            "app.py",
            {"README.md": "---\nsdk: gradio\nsdk_version: 3.39.0\n---\n"},
        ),
        "below 4": Example(
            APP + "demo.queue(concurrency_count=3).launch()\n", "app.py", {"requirements.txt": "gradio>=3.20,<4\n"}
        ),
        "queue=False on an event": Example(
            "import gradio as gr\nwith gr.Blocks() as demo:\n    b = gr.Button()\n    b.click(print, queue=False)\ndemo.queue(default_concurrency_limit=3).launch()\n",
            "app.py",
        ),
        "max_threads": Example(APP + "demo.launch(max_threads=40)\n", "app.py"),
    },
)
