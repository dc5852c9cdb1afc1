"""Gradio runs one request of an event at a time, and the argument that changed it has gone.

## What it does
Notes a Gradio of 4.0 or newer, and hears the TypeErrors about `concurrency_count` and `queue`.

## Why it matters
Each event function has a `concurrency_limit` of 1 by default: the second user waits for the first one's answer.
`queue(concurrency_count=)` went away in Gradio 4.0, and `launch()` never took `concurrency_count` or `queue`. More
requests at a time are threads in one process, with one model and one GIL: they make nobody faster, a server that
batches does.

## What to do
`demo.queue(default_concurrency_limit=3)`, or `concurrency_limit=` on the event. For many users put a batching server
(vLLM, SGLang) behind it.

## References
- https://github.com/gradio-app/gradio/issues/13483
- https://github.com/gradio-app/gradio/pull/6172
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.rules import _torch

LIMIT = Remedy("allow more than one request at a time", edit="demo.queue(default_concurrency_limit=3).launch()")


def check(dists: tuple[Distribution, ...]) -> Iterator[Finding]:
    package = next((d for d in dists if d.name == "gradio" and not d.shadowed_by), None)
    if package and _torch.at_least(package.version, "4.0"):
        message = (
            f"Gradio {package.version} answers one request of an event at a time unless concurrency_limit says more"
        )
        found = Evidence(f"gradio {package.version}", package.location or "installed packages")
        yield Finding(message, (found,), (LIMIT,))


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    message = f"this Gradio knows no argument {match[1]}"
    # It raises, and the program ends: Gradio 4.0 the deprecation too (gradio#6172).
    yield Finding(message, (), (LIMIT,), severity=Severity.ERROR)


RULE = Rule(
    severity=Severity.NOTE,
    layer=Layer.ADVICE,
    fix_by=FixBy.PROGRAM,
    check=check,
    heard=heard,
    messages=(
        r"(?:queue|launch)\(\) got an unexpected keyword argument ['\"](concurrency_count|enable_queue|queue)['\"]",
        r"(concurrency_count) has been deprecated",
    ),
    fires={
        "Gradio 5": (Distribution("gradio", "5.0.0"),),
        "what it says": (
            ErrorMessage("TypeError: Blocks.queue() got an unexpected keyword argument 'concurrency_count'", "paste"),
        ),
    },
    quiet={
        "Gradio 3": (Distribution("gradio", "3.50.2"),),
        "no Gradio": (Distribution("torch", "2.8.0"),),
        "a Gradio that another one hides": (Distribution("gradio", "5.0.0", shadowed_by="/other/gradio"),),
        "another package that another one hides": (Distribution("torch", "5.0.0", shadowed_by="/other/torch"),),
        "a package of a high version": (Distribution("pillow", "11.0.0"),),
    },
)
