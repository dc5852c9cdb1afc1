"""A build of PyTorch, or an image, needs a newer driver than the machine that it is judged for has.

## What it does
With `--driver`, or the driver of `--on`: looks up the least driver for the CUDA version of the PyTorch that is asked for
by its exact version, and for the CUDA major version of an `nvidia/cuda` image.

## Why it matters
CUDA does not start: `The NVIDIA driver on your system is too old`; the image is refused with `unsatisfied condition`.

## What to do
Take a build for an older CUDA version, or update the driver.

## References
- https://docs.nvidia.com/deploy/cuda-compatibility/
- https://docs.nvidia.com/cuda/cuda-toolkit-release-notes/
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.lint import known
from cudacheck.lint.facts import Image, Install, Place, Recipe
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity
from cudacheck.remedies.torch_choice import Machine


def check(recipe: Recipe) -> Iterator[LintFinding]:
    machine = recipe.machine
    if machine is None or machine.driver is None or machine.driver_os != "linux" or machine.jetson:
        return
    for install in recipe.all(Install):
        if build := known.build_of(recipe, install):
            version, tag, asked = build
            yield from _judged(f"torch {version} for {tag}", known.cuda_of_tag(tag), asked.place, machine.driver)
    for image in recipe.all(Image):
        number = re.match(r"\d+(?=\.\d+\.\d+-)", image.tag or "")
        if image.name == "nvidia/cuda" and number:
            yield from _judged(f"this image of CUDA {number[0]}", f"{number[0]}.0", image.place, machine.driver)


def _judged(what: str, cuda: str, place: Place, driver: str) -> Iterator[LintFinding]:
    least = known.minimum_driver(cuda)
    if least and not known.driver_at_least(driver, least):
        yield LintFinding(f"{what} needs driver {least}, and the machine has {driver}", place)


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "an index of CUDA 13": Example(
            "pip install torch==2.9.0 --index-url https://download.pytorch.org/whl/cu130\n",
            "a.sh",
            machine=Machine(driver="550.54.15"),
        ),
        "what the default index serves": Example(
            "torch==2.11.0\n", "requirements.txt", machine=Machine(driver="535.104.05")
        ),
        "an image": Example(
            "FROM nvidia/cuda:13.0.1-runtime-ubuntu24.04\n", "Dockerfile", machine=Machine(driver="570.124.06")
        ),
    },
    quiet={
        "new enough": Example(
            "pip install torch==2.9.0 --index-url https://download.pytorch.org/whl/cu130\n",
            "a.sh",
            machine=Machine(driver="580.65.06"),
        ),
        "an older minor version of the same major": Example(
            "pip install torch==2.8.0 --index-url https://download.pytorch.org/whl/cu128\n",
            "a.sh",
            machine=Machine(driver="535.104.05"),
        ),
        "an image of a newer minor version": Example(
            "FROM nvidia/cuda:12.8.1-base-ubuntu22.04\n", "Dockerfile", machine=Machine(driver="550.54.15")
        ),
        "no machine": Example("pip install torch==2.9.0 --index-url https://download.pytorch.org/whl/cu130\n", "a.sh"),
        "a version that is left open": Example(
            "pip install torch --index-url https://download.pytorch.org/whl/cu130\n",
            "a.sh",
            machine=Machine(python="3.12"),
        ),
    },
)
