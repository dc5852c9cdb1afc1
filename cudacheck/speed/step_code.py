"""The Python that takes each step, and where it belongs."""

from __future__ import annotations

from cudacheck.knowledge._tables import table

NAMES = {
    "fp32": "float32",
    "16bit": "16-bit weights",
    "kv-cache": "KV cache",
    "sdpa": "SDPA",
    "cudnn-off": "cuDNN's attention off",
    "static-cache": "static KV cache",
    "fused": "fused weights",
    "decode-graph": "CUDA graph for decode",
    "prefill-graph": "CUDA graphs for prefill",
    "compile": "torch.compile on each layer",
    "prefix": "reuse of a known prefix",
    "batched": "batching requests that come together",
}

CODE = {
    "16bit": "model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.{dtype})",
    "kv-cache": "model.generate(**inputs, use_cache=True)",
    "sdpa": 'model = AutoModelForCausalLM.from_pretrained(name, attn_implementation="sdpa")',
    "cudnn-off": "torch.backends.cuda.enable_cudnn_sdp(False)",
    "static-cache": "{static_cache}",
    "fused": """\
qkv_weight = torch.cat([q_proj.weight, k_proj.weight, v_proj.weight])
q, k, v = F.linear(x, qkv_weight).split([q_proj.out_features, k_proj.out_features, v_proj.out_features], -1)
y = F.rms_norm(x, (x.shape[-1],), norm.weight, eps)
x.addmm_(y, o_proj.weight.t())""",
    "decode-graph": "{static_cache}",
    "prefill-graph": """\
# once for each length, after three calls on a side stream
with torch.inference_mode(), torch.cuda.graph(graph):
    static_logits = model(static_ids)
# for each prompt
static_ids.copy_(ids)
graph.replay()""",
    "compile": "layer.forward = torch.compile(layer.forward, fullgraph=True, dynamic=False)",
    "prefix": "model.generate(ids, attention_mask=torch.ones_like(ids), past_key_values=cache)",
    "batched": """\
tok.padding_side = "left"
model.generate(**tok(prompts, return_tensors="pt", padding=True).to(model.device))""",
}
WHERE = {
    "16bit": "in transformers; before 4.56 the argument is torch_dtype",
    "kv-cache": "in transformers, where it is the default",
    "sdpa": "in transformers, where it is the default",
    "cudnn-off": "anywhere in the program; CUDA graphs for a few lengths do without",
    "static-cache": "in transformers",
    "fused": "in a model of your own, in inference mode; its bias likewise, and gate and up as query, key and value",
    "decode-graph": "in transformers, which compiles the decode step and captures it",
    "prefill-graph": "in a program of your own: a graph for each of a few lengths, prompts padded to them",
    "compile": "before the CUDA graph is captured",
    "prefix": "in transformers, one cache per conversation",
    "batched": "in transformers; a server batches continuously",
}
BLOCKS = {"static-cache": 5, "decode-graph": 5, "prefill-graph": 5, "prefix": 4, "batched": 7}
"""Of `cudacheck explain article`, where the whole pattern is printed."""


def of(step: str, dtype: str) -> tuple[str, str]:
    """The code and its place; `step` may be several, joined by ` + `."""
    parts = [part for part in step.split(" + ") if part in CODE]
    known = table("article")["blocks"]
    values = {"dtype": dtype or "bfloat16", "static_cache": str(known["static_cache"]).strip()}
    code = dict.fromkeys(CODE[part].format(**values) for part in parts)
    blocks = sorted({f"C{BLOCKS[part]}" for part in parts if part in BLOCKS})
    more = [f"more: `cudacheck explain article`, block {' and '.join(blocks)}"] if blocks else []
    return "\n".join(code), "; ".join([*dict.fromkeys(WHERE[part] for part in parts), *more])
