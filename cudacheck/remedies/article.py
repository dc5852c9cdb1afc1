"""The article's steps, what is true of each, and the command block that really does it, filled in for this machine."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from cudacheck import knowledge
from cudacheck.knowledge._tables import rows, table
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Remedy
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.remedies import builders, installers, torch_choice
from cudacheck.remedies.torch_choice import Machine

MODEL = "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"


@dataclasses.dataclass(frozen=True)
class ArticleStep:
    """One thing the article says or tells people to do."""

    title: str
    """The part of the article it is in."""
    claim: str
    verdict: str
    """`true`, `false`, `outdated`, `misleading`, `missing`, `unverifiable` or `implausible`."""
    truth: str
    block: int
    """The command block that does what was intended; 0 where there is nothing to type. Several steps share one."""
    source: str


STEPS = tuple(ArticleStep(**row) for row in rows("article", "steps"))
"""In the article's own order."""


def block(n: int, facts: Facts) -> Remedy:
    """Command block C1-C9, filled in for this machine."""
    made = (_torch, _verify, _flash_attn, _kv_cache, _cuda_graphs, _gradio, _server, _cudnn, _docker)
    remedy = made[n - 1](facts)
    return dataclasses.replace(remedy, verify=remedy.verify or builders.verify(facts))


def _torch(facts: Facts) -> Remedy:
    installed = facts.one(TorchBuild)
    if installed and torch_choice.installed_suits(facts):
        return Remedy(f"keep PyTorch {installed.version}: it is a CUDA build, and suits what is known of this machine")
    return builders.torch_build(facts)[0]


def _verify(facts: Facts) -> Remedy:
    about = "import torch; print(torch.__version__, torch.version.cuda, torch.cuda.get_arch_list())"
    kernel = (
        "import torch; x = torch.randn(1024, 1024, device='cuda', dtype=torch.float16); "
        "print(torch.cuda.get_device_name(0), torch.cuda.get_device_capability(0), (x @ x).float().std().item())"
    )
    title = "see what PyTorch was built for, and whether a kernel runs (the last number is about 32)"
    return Remedy(title, (_run(facts, about), _run(facts, kernel)))


def _flash_attn(facts: Facts) -> Remedy:
    return builders.flash_attn(facts)[0]


def _kv_cache(facts: Facts) -> Remedy:
    title = "keep one KV cache per conversation, never one per process; in Python"
    # bfloat16 is the checkpoint's own; GPUs before Ampere have no tensor cores for it.
    old = any(knowledge.as_version(capability) < (8, 0) for capability in torch_choice.capabilities(facts))
    return Remedy(title, edit=_python("kv_cache").replace("bfloat16", "float16" if old else "bfloat16"))


def _cuda_graphs(_: Facts) -> Remedy:
    title = "let transformers capture CUDA graphs (the first line), or capture one by hand for a fixed shape; in Python"
    return Remedy(title, edit=f"{_python('static_cache')}\n\n{_python('cuda_graph')}")


def _gradio(_: Facts) -> Remedy:
    return Remedy("let three events run at a time (Gradio 4 and later); in Python", edit=_python("gradio"))


def _server(facts: Facts) -> Remedy:
    row, title = rows("article", "vllm")[-1], "serve several users at once by continuous batching: vLLM"
    machine = torch_choice.machine_of(facts)
    if why := _no_vllm(row, machine):
        return Remedy(f"{title}; {why}")
    python = installers.python(installers.environment(facts))
    commands = (
        f"{python} -m venv vllm-env",
        f"vllm-env/bin/python -m pip install vllm=={row['version']}",
        f"vllm-env/bin/vllm serve {MODEL} --max-model-len 32768",
    )
    needs = [] if machine.python else [f"Python {row['pythons'][0]} to {row['pythons'][-1]}"]
    if machine.driver is None:
        needs.append(f"driver {knowledge.minimum_driver(knowledge.cuda_of_tag(row['tag']))} or newer")
    wants = f" (needs {' and '.join(needs)})" if needs else ""
    own = f"in an environment of its own, because it pins torch {row['torch']} and would replace the one here"
    return Remedy(f"{title} {row['version']}, {own}{wants}", commands)


def _no_vllm(row: dict[str, Any], machine: Machine) -> str:
    """Why vLLM's wheel of the default index cannot work here; empty where it may."""
    cuda, name = knowledge.cuda_of_tag(row["tag"]), f"vLLM {row['version']}"
    minimum = knowledge.minimum_driver(cuda, machine.driver_os) or ""
    if machine.os != "linux":
        return "it does not run on Windows or macOS: use WSL 2 or Linux"
    if machine.python and machine.python not in row["pythons"]:
        return f"{name} wants Python {row['pythons'][0]} to {row['pythons'][-1]}, this is {machine.python}"
    if machine.jetson:
        return "on a Jetson take NVIDIA's container for it"
    if machine.driver and not knowledge.driver_at_least(machine.driver, minimum):
        return f"the wheel of {name} is for CUDA {cuda} and needs driver {minimum}: its own index has others"
    build = knowledge.build_of(row["torch"], row["tag"], machine.machine)
    without = [cc for cc in machine.capabilities if build is None or not knowledge.covers(build.archs, cc)]
    return f"{name} brings a PyTorch without kernels for compute capability {without[0]}" if without else ""


def _cudnn(facts: Facts) -> Remedy:
    asks = _run(facts, "import importlib.metadata as m; print([r for r in m.requires('torch') if 'cudnn' in r])")
    build = facts.one(TorchBuild)
    if build is None or not re.fullmatch(r"nvidia-cudnn-cu\d+==[\d.]+", build.cudnn_pin or ""):
        return Remedy("see which cuDNN this PyTorch wants, and reinstall that one", (asks,))
    again = builders.reinstall_wheels(facts, [build.cudnn_pin or ""])
    return dataclasses.replace(again, title=f"{again.title}, the cuDNN that this PyTorch wants")


def _docker(_: Facts) -> Remedy:
    smoke_test = "docker run --rm --gpus all ubuntu nvidia-smi"
    run = (
        "docker run -d --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility -p 7860:7860"
        " -v /root/.cache/huggingface:/root/.cache/huggingface --name deepseek-web deepseek-r1-1.5b:latest"
    )
    return Remedy(
        "see whether containers get the GPU, then run the article's image", (smoke_test, run), verify=smoke_test
    )


def _run(facts: Facts, code: str) -> str:
    return f'{installers.python(installers.environment(facts))} -c "{code}"'


def _python(name: str) -> str:
    return str(table("article")["blocks"][name])
