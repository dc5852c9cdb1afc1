"""A tag of NVIDIA's CUDA images is named that never existed, or is gone.

## What it does
Takes the tag of `nvidia/cuda` apart: the version, base, runtime or devel, cuDNN, and the system. A digest is left
alone, and so is what is newer than the lists.

## Why it matters
docker answers `manifest unknown`. There is no `latest`; every tag names a version of three numbers, a flavour and a
system; images for CUDA 10 and older were deleted; `cudnn8` ended with 12.2.2, 12.3.2 has `cudnn9`, and from 12.4 on
it is `cudnn`.

## What to do
Take a tag of the list of supported tags.

## References
- https://gitlab.com/nvidia/container-images/cuda/-/blob/master/doc/supported-tags.md
- https://github.com/NVIDIA/nvidia-docker/issues/1454
- https://github.com/NVIDIA/nvidia-docker/issues/1768
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint import known
from cudacheck.lint.facts import Image, Recipe
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for image in recipe.all(Image):
        if image.name == "nvidia/cuda" and not image.pinned and not image.dynamic:
            why = known.cuda_image_missing(image.tag)
            if why:
                yield LintFinding(f"nvidia/cuda{':' + image.tag if image.tag else ''} {why}", image.place)


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "no tag": Example("docker run --rm --gpus all nvidia/cuda nvidia-smi\n"),
        "latest": Example("FROM nvidia/cuda:latest\n", "Dockerfile"),
        "CUDA 10": Example("FROM nvidia/cuda:10.2-cudnn7-devel-ubuntu18.04\n", "Dockerfile"),
        "two numbers": Example("FROM nvidia/cuda:12.4-devel-ubuntu22.04\n", "Dockerfile"),
        "cuDNN 8 after its end": Example("FROM nvidia/cuda:12.4.1-cudnn8-runtime-ubuntu22.04\n", "Dockerfile"),
        "a system that came later": Example("FROM nvidia/cuda:12.1.1-base-ubuntu24.04\n", "Dockerfile"),
        "no flavour": Example("services:\n  a:\n    image: nvidia/cuda:12.8.1\n", "compose.yml"),
    },
    quiet={
        "a tag": Example("FROM nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04\n", "Dockerfile"),
        "cuDNN 8 in its time": Example("FROM nvidia/cuda:12.1.1-cudnn8-devel-ubuntu22.04\n", "Dockerfile"),
        "CUDA 11": Example("FROM nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04\n", "Dockerfile"),
        "a digest": Example(
            "FROM nvidia/cuda@sha256:0e2d7e252847c334b056937e533683556926f5343a472b6b92f858a7af8ab880\n", "Dockerfile"
        ),
        "a variable": Example("ARG TAG\nFROM nvidia/cuda:${TAG}\n", "Dockerfile"),
        "newer": Example("FROM nvidia/cuda:14.0.0-base-ubuntu26.04\n", "Dockerfile"),
    },
)
