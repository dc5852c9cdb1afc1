"""A service that needs a GPU asks compose for none.

## What it does
Sees a service whose image serves models on NVIDIA GPUs alone, or that sets NVIDIA_VISIBLE_DEVICES, without
`deploy.resources.reservations.devices`, `gpus` or `runtime`. Tags for other hardware, and services that take over parts
from elsewhere, are left alone.

## Why it matters
The container starts without a driver: `CUDA driver version is insufficient`, `libcuda.so.1: cannot open shared object
file`. Only where Docker's default runtime is nvidia does the variable alone do.

## What to do
Reserve the device.

## References
- https://docs.docker.com/compose/how-tos/gpu-support/
- https://docs.vllm.ai/en/latest/deployment/docker.html
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint.facts import Recipe, Service
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity

IMAGES = ("vllm/vllm-openai", "lmsysorg/sglang", "huggingface/text-generation-inference")
OTHER_HARDWARE = ("cpu", "rocm", "xpu", "intel", "gaudi", "hpu", "tpu", "neuron", "npu", "musa")
RESERVE = "deploy: {resources: {reservations: {devices: [{driver: nvidia, count: all, capabilities: [gpu]}]}}}"


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for service in recipe.all(Service):
        why = _why(service)
        if why and not service.gpu_reserved:
            place = service.image.place if service.image else service.place
            yield LintFinding(f"{service.name} needs a GPU ({why}), and compose is asked for none", place, RESERVE)


def _why(service: Service) -> str:
    """What says that it needs a GPU of NVIDIA's; empty where nothing does."""
    image = service.image
    if image and not image.dynamic and any(word in (image.tag or "") for word in OTHER_HARDWARE):
        return ""
    named = image and next((name for name in IMAGES if image.reference.partition(":")[0].endswith(name)), "")
    return named or service.asks_for_gpu


RULE = LintRule(
    severity=Severity.WARNING,
    check=check,
    finds={
        "an image that needs one": Example("services:\n  llm:\n    image: vllm/vllm-openai:v0.9.2\n", "compose.yaml"),
        "a variable that asks for one": Example(
            "services:\n  a:\n    image: a\n    environment:\n      NVIDIA_VISIBLE_DEVICES: all\n", "docker-compose.yml"
        ),
    },
    quiet={
        "handed over by CDI": Example(
            'services:\n  a:\n    image: vllm/vllm-openai:latest\n    devices: ["nvidia.com/gpu=all"]\n', "compose.yml"
        ),
        "handed over as files": Example(
            "services:\n  a:\n    image: vllm/vllm-openai:latest\n    devices:\n    - /dev/nvidia0\n    - /dev/nvidiactl\n",
            "compose.yml",
        ),
        "reserved": Example(
            "services:\n  llm:\n    image: vllm/vllm-openai:v0.9.2\n    deploy: {resources: {reservations: {devices: [{driver: nvidia, count: 1, capabilities: [gpu]}]}}}\n",
            "compose.yaml",
        ),
        "by the short form": Example(
            "services:\n  llm:\n    image: vllm/vllm-openai:v0.9.2\n    gpus: all\n", "compose.yaml"
        ),
        "by the runtime": Example(
            "services:\n  llm:\n    image: vllm/vllm-openai:v0.9.2\n    runtime: nvidia\n", "compose.yaml"
        ),
        "for other hardware": Example("services:\n  llm:\n    image: vllm/vllm-openai:v0.9.2-rocm\n", "compose.yaml"),
        "parts from elsewhere": Example(
            "services:\n  llm:\n    image: vllm/vllm-openai:v0.9.2\n    extends: {file: gpu.yaml, service: gpu}\n",
            "compose.yaml",
        ),
        "no GPU asked for": Example("services:\n  db:\n    image: postgres:16\n", "compose.yaml"),
        "it runs on the CPU, too": Example("services:\n  o:\n    image: ollama/ollama\n", "compose.yaml"),
    },
)
