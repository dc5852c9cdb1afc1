"""The article's steps, what is true of each, and the command block that really does it, filled in for this machine."""

from __future__ import annotations

import dataclasses
import re

from cudacheck import installers, knowledge, remedies, torch_choice
from cudacheck.facts import Facts
from cudacheck.knowledge._tables import rows, table
from cudacheck.probes.target.torch_files import TorchBuild
from cudacheck.report import Remedy

MODEL = "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"


@dataclasses.dataclass(frozen=True)
class Step:
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


STEPS = tuple(Step(**row) for row in rows("article", "steps"))
"""In the article's own order."""


def block(n: int, facts: Facts) -> Remedy:
    """Command block C1-C9, filled in for this machine."""
    made = (_torch, _verify, _flash_attn, _kv_cache, _cuda_graphs, _gradio, _server, _cudnn, _docker)
    remedy = made[n - 1](facts)
    return dataclasses.replace(remedy, verify=remedy.verify or remedies.verify(facts))


def _torch(facts: Facts) -> Remedy:
    installed = facts.one(TorchBuild)
    if installed and torch_choice.installed_suits(facts):
        return Remedy(f"keep PyTorch {installed.version}: it is a CUDA build, and suits what is known of this machine")
    return remedies.torch_build(facts)[0]


def _verify(facts: Facts) -> Remedy:
    about = "import torch; print(torch.__version__, torch.version.cuda, torch.cuda.get_arch_list())"
    kernel = (
        "import torch; x = torch.randn(1024, 1024, device='cuda', dtype=torch.float16); "
        "print(torch.cuda.get_device_name(0), torch.cuda.get_device_capability(0), (x @ x).float().std().item())"
    )
    title = "see what PyTorch was built for, and whether a kernel runs (the last number is about 32)"
    return Remedy(title, (_run(facts, about), _run(facts, kernel)))


def _flash_attn(facts: Facts) -> Remedy:
    return remedies.flash_attn(facts)[0]


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
    env, machine = installers.environment(facts), torch_choice.machine_of(facts)
    wheel = table("article")["vllm"]
    title = "serve several users at once by continuous batching: vLLM"
    if machine.os == "windows":
        return Remedy(f"{title}, under WSL 2: it does not support Windows natively")
    needs = knowledge.minimum_driver(wheel["cuda"], machine.driver_os)
    if machine.driver and needs and not knowledge.driver_at_least(machine.driver, needs):
        return Remedy(f"{title}; its wheel is built for CUDA {wheel['cuda']}, so upgrade the driver to {needs} first")
    if machine.python and machine.python not in wheel["pythons"]:
        first, last = wheel["pythons"][0], wheel["pythons"][-1]
        return Remedy(f"{title}, in an environment with Python {first} to {last}: it has no wheel for {machine.python}")
    inside = "vllm-env\\Scripts\\" if env.windows else "vllm-env/bin/"
    commands = (
        f"{installers.python(env)} -m venv vllm-env",
        f"{inside}python -m pip install vllm",
        f"{inside}vllm serve {MODEL} --max-model-len 32768",
    )
    return Remedy(f"{title}, in an environment of its own: it brings PyTorch {wheel['torch']}", commands)


def _cudnn(facts: Facts) -> Remedy:
    asks = _run(facts, "import importlib.metadata as m; print([r for r in m.requires('torch') if 'cudnn' in r])")
    build = facts.one(TorchBuild)
    if build is None or not re.fullmatch(r"nvidia-cudnn-cu\d+==[\d.]+", build.cudnn_pin or ""):
        return Remedy("see which cuDNN this PyTorch wants, and reinstall that one", (asks,))
    again = remedies.reinstall_wheels(facts, [build.cudnn_pin or ""])
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
