"""A device reservation of compose says nothing of capabilities.

## What it does
Sees an entry of `deploy.resources.reservations.devices` without `capabilities`.

## Why it matters
The field must be set: compose refuses to deploy the service.

## What to do
Add `capabilities: [gpu]`.

## References
- https://docs.docker.com/compose/how-tos/gpu-support/
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint.facts import Recipe, Service
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for service in recipe.all(Service):
        if place := service.devices_without_capabilities:
            message = f"the device that {service.name} reserves has no capabilities, which compose asks for"
            yield LintFinding(message, place, "capabilities: [gpu]")


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "left out": Example(
            "services:\n  a:\n    image: a\n    deploy:\n      resources:\n        reservations:\n          devices:\n            - driver: nvidia\n              count: 1\n",
            "compose.yaml",
        ),
    },
    quiet={
        "there": Example(
            "services:\n  a:\n    image: a\n    deploy:\n      resources:\n        reservations:\n          devices:\n            - driver: nvidia\n              count: 1\n              capabilities: [gpu]\n",
            "compose.yaml",
        ),
    },
)
