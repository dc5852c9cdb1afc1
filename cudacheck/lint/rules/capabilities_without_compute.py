"""NVIDIA_DRIVER_CAPABILITIES leaves out compute where PyTorch runs.

## What it does
Sees a value without `compute` and without `all` for an image or a container that installs or is PyTorch.

## Why it matters
libcuda.so is then not mounted into the container: `torch.cuda.is_available()` is False although nvidia-smi works.

## What to do
`compute,utility`.

## References
- https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint.facts import Image, Install, Recipe, Setter, Variable
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity

PACKAGES = {"torch", "vllm", "sglang", "transformers", "tensorflow", "jax"}
IMAGES = ("pytorch/pytorch", "nvidia/pytorch", "vllm/", "lmsysorg/", "huggingface/text-generation")


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for variable in recipe.all(Variable):
        value = (variable.value or "").strip()
        if variable.name != "NVIDIA_DRIVER_CAPABILITIES" or variable.setter not in {Setter.IMAGE, Setter.CONTAINER}:
            continue
        if (
            value
            and "$" not in value
            and not {"compute", "all"} & {*value.split(",")}
            and _computes(recipe, variable.scope)
        ):
            yield LintFinding(
                f"{value!r} leaves out compute: PyTorch finds no libcuda.so",
                variable.place,
                f"NVIDIA_DRIVER_CAPABILITIES=compute,{value}",
            )


def _computes(recipe: Recipe, scope: str) -> bool:
    scopes = {scope, *recipe.parents(scope)}
    installed = {r.name for i in recipe.all(Install) if i.scope in scopes for r in i.requirements}
    stage = recipe.stage(scope)
    images = [image.name for image in recipe.all(Image) if image.scope in scopes] + (
        [stage.base.name] if stage and stage.base else []
    )
    return bool(installed & PACKAGES) or any(name.startswith(IMAGES) for name in images)


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "an image": Example(
            "FROM python:3.11\nENV NVIDIA_DRIVER_CAPABILITIES=utility\nRUN pip install torch\n", "Dockerfile"
        ),
        "a service": Example(
            "services:\n  a:\n    image: vllm/vllm-openai:v0.9.2\n    environment:\n      NVIDIA_DRIVER_CAPABILITIES: utility\n",
            "compose.yml",
        ),
    },
    quiet={
        "both": Example(
            "FROM python:3.11\nENV NVIDIA_DRIVER_CAPABILITIES=compute,utility\nRUN pip install torch\n", "Dockerfile"
        ),
        "an exporter": Example(
            "services:\n  dcgm:\n    image: nvidia/dcgm-exporter:4.2.0\n    environment:\n      NVIDIA_DRIVER_CAPABILITIES: utility\n",
            "compose.yml",
        ),
        "a video tool": Example(
            "FROM ubuntu:22.04\nENV NVIDIA_DRIVER_CAPABILITIES=video,utility\nRUN apt install ffmpeg\n", "Dockerfile"
        ),
    },
)
