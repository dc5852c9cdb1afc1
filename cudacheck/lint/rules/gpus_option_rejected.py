"""docker rejects this form of --gpus.

## What it does
Reads the value as docker does, after the shell: comma-separated, `all`, a count, or the keys driver, count, device,
capabilities and options.

## Why it matters
docker answers `unexpected key` or `cannot set both Count and DeviceIDs on device request`, and starts nothing. A list
of devices needs quotes of its own, which the shell must not take away.

## What to do
`--gpus all`, `--gpus 2`, `--gpus device=0`, `--gpus '"device=0,1"'`.

## References
- https://github.com/docker/cli/blob/master/opts/gpus.go
- https://docs.docker.com/engine/containers/gpu/
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

from cudacheck.lint.facts import ContainerRun, Recipe
from cudacheck.lint.rule import Edit, Example, LintFinding, LintRule
from cudacheck.model.findings import Severity

KEYS = {"driver", "count", "device", "capabilities", "options"}


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for run in recipe.all(ContainerRun):
        if run.gpus is None or run.gpus_place is None or any(mark in run.gpus for mark in "$<`{"):
            continue
        why, instead = _rejected(run.gpus)
        if why:
            option = f"--gpus {instead}" if instead else ""
            place = run.gpus_place
            certain = bool(instead) and place.line == place.end_line and place.column > 1
            yield LintFinding(why, place, option, (Edit(place, instead),) if certain else ())


def _rejected(value: str) -> tuple[str, str]:
    """Why docker rejects it, and what was meant."""
    fields = next(csv.reader([value]), [])
    keys = [field.partition("=") for field in fields]
    devices = [key for key in keys if key[0] == "device"]
    for name, equals, given in keys:
        if equals and name not in KEYS:
            rest = "all" if fields[0] == "all" else ""
            return f"docker knows no key {name!r} of --gpus", rest
        if name == "count" and not re.fullmatch(r"all|-?\d+", given):
            return f"docker takes a number or all for count, not {given!r}", ""
    loose = [name for name, equals, _ in keys if not equals]
    if devices and loose and all(re.fullmatch(r"[\w-]+", name) for name in loose):
        listed = ",".join([devices[0][2], *loose])
        return "a list of devices needs quotes of its own: docker splits it at the comma", f"'\"device={listed}\"'"
    if not devices and any(not re.fullmatch(r"all|-?\d+", name) for name in loose):
        return f"docker takes all, a number or key=value for --gpus, not {loose[0]!r}", ""
    return "", ""


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "the article's": Example("docker run -d --gpus all,allow=12.8 -p 7860:7860 app\n"),
        "devices without quotes": Example("docker run --gpus device=0,1 app\n"),
        "devices in the shell's quotes alone": Example('docker run --gpus "device=0,1" app\n'),
        "a word": Example("docker run --gpus gpu0 app\n"),
    },
    quiet={
        "all": Example("docker run --gpus all app\n"),
        "a count": Example("docker run --gpus=2 app\n"),
        "one device": Example("docker run --gpus device=0 app\n"),
        "devices in quotes": Example("docker run --gpus '\"device=0,1\"' app\n"),
        "capabilities": Example("docker run --gpus 'all,capabilities=utility' app\n"),
        "a variable": Example('docker run --gpus "$GPUS" app\n'),
    },
)
