"""A model is loaded in a function that serves each request.

## What it does
Sees `from_pretrained` of a model, or `pipeline(...)`, in a function that Gradio, FastAPI or Flask calls for a request,
where no cache and no condition stands around it.

## Why it matters
Every request reads the weights again, and what the last one loaded may still hold its memory.

## What to do
Load it once, on the level of the module or behind `functools.cache`.

## References
- https://www.gradio.app/guides/setting-up-a-demo-for-maximum-performance
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint.facts import Call, Handler, Recipe
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity

NAMES = ("model", "pretrained_model_name_or_path")


def check(recipe: Recipe) -> Iterator[LintFinding]:
    handlers = {handler.function: handler for handler in recipe.all(Handler)}
    for call in recipe.all(Call):
        handler = handlers.get(call.inside)
        if (
            handler
            and not call.guarded
            and not call.released
            and _loads_a_model(call.function)
            and _always_the_same(call)
        ):
            message = f"{handler.function}() serves each {handler.framework} request, and loads the model in it"
            yield LintFinding(message, call.place)


def _always_the_same(call: Call) -> bool:
    """Whether every request loads the same: its name is a text or a constant, not what the request asks for."""
    named = [*call.positional[:2], *(call.arguments[k] for k in NAMES if k in call.arguments)]
    return bool(named) and all(argument.literal or argument.source.isupper() for argument in named)


def _loads_a_model(function: str) -> bool:
    """Whether this reads weights: `transformers.AutoModel.from_pretrained`, and not a tokenizer's."""
    package, _, rest = function.partition(".")
    if package not in {"transformers", "diffusers"}:
        return False
    kind = rest.removesuffix(".from_pretrained")
    small = ("Tokenizer", "Processor", "Config", "FeatureExtractor", "Scheduler")
    return rest == "pipeline" or (kind != rest and not any(word in kind for word in small))


RULE = LintRule(
    severity=Severity.WARNING,
    check=check,
    finds={
        "a handler of Gradio": Example(
            'import gradio as gr\nfrom transformers import AutoModelForCausalLM, pipeline\ndef f(x):\n    m = AutoModelForCausalLM.from_pretrained("a")\n    return x\ngr.Interface(f, "text", "text").launch()\n',
            "a.py",
        ),
        "a route": Example(
            'from fastapi import FastAPI\nfrom transformers import pipeline\napp = FastAPI()\n@app.post("/")\ndef f(x: str):\n    return pipeline("text-generation", "a")(x)\n',
            "a.py",
        ),
    },
    quiet={
        "a model that makes room again": Example(
            'import gradio as gr\nfrom transformers import AutoModelForCausalLM\ndef f(x):\n    m = AutoModelForCausalLM.from_pretrained("a").to("cuda")\n    y = m(x)\n    del m\n    return y\ngr.Interface(f, "text", "text").launch()\n',
            "a.py",
        ),
        "once": Example(
            'import gradio as gr\nfrom transformers import AutoModelForCausalLM, pipeline\nm = AutoModelForCausalLM.from_pretrained("a")\ndef f(x):\n    return x\ngr.Interface(f, "text", "text").launch()\n',
            "a.py",
        ),
        "behind a condition": Example(
            'import gradio as gr\nfrom transformers import AutoModelForCausalLM, pipeline\nm = None\ndef f(x):\n    global m\n    if m is None:\n        m = AutoModelForCausalLM.from_pretrained("a")\n    return x\ngr.Interface(f, "text", "text").launch()\n',
            "a.py",
        ),
        "a function behind a cache": Example(
            'import gradio as gr\nfrom transformers import AutoModelForCausalLM, pipeline\nimport functools\n@functools.cache\ndef load():\n    return AutoModelForCausalLM.from_pretrained("a")\ndef f(x):\n    return load()\ngr.Interface(f, "text", "text").launch()\n',
            "a.py",
        ),
        "a tokenizer": Example(
            'import gradio as gr\nfrom transformers import AutoTokenizer\ndef f(x):\n    t = AutoTokenizer.from_pretrained("a")\n    return x\ngr.Interface(f, "text", "text").launch()\n',
            "a.py",
        ),
        "the button that loads it": Example(
            'import gradio as gr\nfrom transformers import AutoModelForCausalLM, pipeline\ndef load(name):\n    return str(AutoModelForCausalLM.from_pretrained(name))\nwith gr.Blocks() as d:\n    n = gr.Textbox()\n    gr.Button("Load").click(load, n, n)\n',
            "a.py",
        ),
    },
)
