"""transformers' Qwen2ForCausalLM with random weights, of whatever version is there, and what that cannot do."""

from __future__ import annotations

import os
import time
from typing import Any

import torch

from cudacheck.bench.steps import Shape


def imported() -> Any:
    """The package; a broken installation raises anything."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # nothing is downloaded, whatever a version may think of
    import transformers
    from transformers import Qwen2Config, Qwen2ForCausalLM  # noqa: F401 - the package is lazy: this really imports
    from transformers.utils import logging

    logging.set_verbosity_error()
    return transformers


def why_not(attention: str, cache: str, device: torch.device) -> str:
    """What this version, or this machine, lacks for it; empty when nothing. `cache` as in stack.VARIANTS."""
    import transformers

    version, model = f"transformers {transformers.__version__}", transformers.Qwen2ForCausalLM
    compiles = hasattr(model, "get_compiled_call")  # 4.44 does not
    if attention == "flash_attention_2" and not transformers.utils.is_flash_attn_2_available():
        return "transformers finds no flash_attn that it can use"
    if cache != "dynamic" and not getattr(model, "_supports_static_cache", True):  # later versions do not ask
        return f"{version} has no static cache for Qwen2"
    if cache == "compiled" and not compiles:
        return f"{version} does not compile by itself"
    if cache == "compiled" and device.type != "cuda":
        return "generate compiles on a GPU only"
    if cache == "static" and compiles and not _obeys_disable_compile():
        return f"{version} compiles where the cache is static and cannot be told not to"
    return ""


def _obeys_disable_compile() -> bool:
    from transformers import GenerationConfig

    return hasattr(GenerationConfig(), "disable_compile")  # 4.48 has no such switch


def asked_of_generate(cache: str) -> dict[str, Any]:
    """Further arguments for `answered`."""
    asked: dict[str, Any] = {} if cache == "dynamic" else {"cache_implementation": "static"}
    if cache == "static" and _obeys_disable_compile():
        asked["disable_compile"] = True
    return asked


def built(attention: str, device: torch.device, shape: Shape, dtype: str) -> Any:
    """The model, made where it runs: on the CPU the weights would take a minute."""
    import transformers

    config = transformers.Qwen2Config(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        max_position_embeddings=2048,
        tie_word_embeddings=False,
    )
    # No token ends an answer, so that each is as long as asked for.
    config.bos_token_id, config.eos_token_id, config.pad_token_id = None, None, 0
    name = "dtype" if int(transformers.__version__.partition(".")[0]) >= 5 else "torch_dtype"
    asked = {"attn_implementation": attention, name: getattr(torch, dtype)}
    with torch.device(device):
        model = transformers.AutoModelForCausalLM.from_config(config, **asked)
    return model.eval()


class Clock:
    """Where generate hands its tokens to be streamed: the prompt's, then each one when the host has it."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def put(self, _: torch.Tensor) -> None:
        self.seen.append(time.perf_counter())

    def end(self) -> None:
        pass


def answered(model: Any, ids: torch.Tensor, tokens: int, asked: dict[str, Any]) -> list[float]:
    """When each token of the answer was on the host, in ms from when the prompt, (1, length), was."""
    clock = Clock()
    started = time.perf_counter()
    ids = ids.to(model.device)
    model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=tokens,
        min_new_tokens=tokens,
        do_sample=False,
        streamer=clock,
        **asked,
    )
    return [(seen - started) * 1e3 for seen in clock.seen[1:]]
