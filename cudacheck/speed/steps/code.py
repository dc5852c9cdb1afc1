"""The Python that takes each step, and where it belongs."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from cudacheck.bench.steps import STEPS
from cudacheck.knowledge._tables import table

NAMES = {
    **{step.name: step.words for step in STEPS},
    "compile": "torch.compile on each layer",
    "prefix": "reuse of a known prefix",
    "batched": "batching requests that come together",
}
TOGETHER = 2
"""Of more steps at once no code is printed: which of them won, nobody knows."""
HALVES = ("bfloat16", "float16")
"""A report may say anything: no other word comes into what is to be copied."""
COMPILED = ("static-cache", "decode-graph")
"""Both are the same call of transformers, which compiles where the cache is static."""

_BLOCKS = {name: str(block).strip() for name, block in table("article")["blocks"].items()}

CODE = {
    "16bit": "model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.{dtype})",
    "sdpa": 'model = AutoModelForCausalLM.from_pretrained(name, attn_implementation="sdpa")',
    "kv-cache": "model.generate(**inputs, max_new_tokens=256, use_cache=True)",
    "cudnn-off": "torch.backends.cuda.enable_cudnn_sdp(False)",
    "static-cache": _BLOCKS["static_cache"],
    "fused": """\
import torch.nn.functional as F

# once
qkv_weight = torch.cat([q_proj.weight, k_proj.weight, v_proj.weight])
qkv_bias = torch.cat([q_proj.bias, k_proj.bias, v_proj.bias])
sizes = [q_proj.out_features, k_proj.out_features, v_proj.out_features]
# in the layer
y = F.rms_norm(x, (x.shape[-1],), norm.weight, eps)
q, k, v = F.linear(y, qkv_weight, qkv_bias).split(sizes, -1)
y = attention(q, k, v)
x = x + F.linear(y, o_proj.weight)""",
    "decode-graph": _BLOCKS["static_cache"],
    "prefill-graph": _BLOCKS["cuda_graph"],
    "compile": "decode_layer = torch.compile(decode_layer, fullgraph=True, dynamic=False)",
    "prefix": """\
from transformers import DynamicCache

cache = DynamicCache()  # one for each conversation
# for each answer: ids hold the conversation so far, what is new last
ids = model.generate(ids, attention_mask=torch.ones_like(ids), past_key_values=cache, max_new_tokens=256)""",
    "batched": """\
tok.padding_side = "left"
tok.pad_token = tok.pad_token or tok.eos_token
model.generate(**tok(prompts, return_tensors="pt", padding=True).to(model.device), max_new_tokens=256)""",
}
"""In the order in which a program needs it: what loads the model comes first. Run with transformers 5.17, on a CPU."""

_COMPILES = "in transformers 4.48 or newer (tried: 4.57, 5.17), which compiles the decode step and captures it"
WHERE = {
    "16bit": "in transformers, of which 5 loads the checkpoint's own type by default, 4 float32; before 4.56 the "
    "argument is torch_dtype",
    "sdpa": "in transformers, where it is the default",
    "kv-cache": "in transformers, where it is the default",
    "cudnn-off": "anywhere in the program; CUDA graphs for a few lengths do without",
    "static-cache": f"{_COMPILES}; a static cache that is not compiled wins nothing by itself",
    "fused": "in a model of your own, with torch 2.4 or newer, in inference mode; attention is your own, with rotary "
    "embedding and mask; without biases leave qkv_bias out; gate and up likewise",
    "decode-graph": _COMPILES,
    "prefill-graph": "in a program of your own: fn is a function of yours from token ids to logits (not transformers' "
    "forward: it waits for the GPU, and cannot be captured); a graph for each of a few lengths, prompts padded to them",
    "compile": "in a model of your own with a static cache, before its CUDA graph is captured: decode_layer is the "
    "function of one layer, and takes weights, cache and position as tensors; transformers compiles by itself where "
    'generate is given cache_implementation="static"',
    "prefix": "in transformers; a whole class for it: `cudacheck explain article`, block C4",
    "batched": "in transformers; a server that batches continuously: `cudacheck explain article`, block C7",
}


def of(
    step: str, dtype: str, notes: Mapping[str, str] | None = None, impossible: Collection[str] = ()
) -> tuple[str, str]:
    """The code and its place; `step` may be two, joined by ` + `. `notes` are added to a step's place; of what is
    impossible here there is no code.
    """
    parts = [part for part in CODE if part in step.split(" + ")]
    if len(step.split(" + ")) > TOGETHER:
        return "", ""
    half = dtype if dtype in HALVES else HALVES[0]
    code = dict.fromkeys(CODE[part].replace("{dtype}", half) for part in parts if part not in impossible)
    places: dict[str, list[str]] = {}
    for part in parts:
        place = "; ".join(filter(None, [WHERE[part], (notes or {}).get(part)]))
        places.setdefault(place, []).append(NAMES[part])
    said = [f"{' and '.join(names)}: {place}" if len(places) > 1 else place for place, names in places.items()]
    return "\n\n".join(code), "; ".join(said)
