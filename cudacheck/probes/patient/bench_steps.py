"""What each step towards a fast answer wins on one GPU, on a decoder of Qwen2-1.5B's shape with random weights.

`cudacheck bench steps` runs this probe once for each group of rows, every time in a fresh child: what a row leaves
behind, or breaks, is its own group's business.
"""

from __future__ import annotations

import gc
import importlib
import os
import time
from dataclasses import dataclass
from typing import Any, Callable, Iterator

from cudacheck.bench.options import BenchOptions, of_environment
from cudacheck.model import holds
from cudacheck.model.identity import Identity
from cudacheck.probes import Probe, Skipped


@dataclass(frozen=True)
class StepRow:
    """One way to run the model, and how fast it answers. Times are what the host's clock saw, batch 1, greedy."""

    row: holds.Term
    """`fp32`, `16bit`, `kv-cache`, `sdpa`, `cudnn-off`, `static-cache`, `fused`, `decode-graph`, `prefill-graph`;
    the same name in table `without`: everything but that step. `triton`, `compile`, `flash-attn` as extras; in table
    `stack` what transformers was told: `eager`, `sdpa`, `sdpa static cache`, `sdpa static cache, compiled`,
    `flash-attention-2`."""
    table: holds.Term
    """`ladder` (each row adds one step), `without`, `extra` or `stack`."""
    device_index: int
    device_uuid: holds.Uuid | None = None
    dtype: holds.Term = "bfloat16"
    what: holds.FreeText = ""
    """What is switched on, in one line."""
    ttft_first_ms: float | None = None
    """Time to first token: from token ids on the host to the first answer's id on the host. The very first call of
    this row, 128 tokens: loading, planning and capturing are in it."""
    ttft_new_ms: float | None = None
    """Median over lengths around 128 that the process had not met."""
    ttft_ms: float | None = None
    """128 tokens, steady."""
    ttft_long_first_ms: float | None = None
    """1024 tokens, the first call."""
    ttft_long_ms: float | None = None
    """1024 tokens, steady."""
    itl_first_ms: float | None = None
    """Inter-token latency on a first pass, where every length of the cache is new; the host reads each token."""
    itl_ms: float | None = None
    """The same again, steady; the host reads each token. Median of the passes' means."""
    itl_free_ms: float | None = None
    """Steady, without the host reading any token before the last."""
    itl_spread_rel: float | None = None
    """Largest less smallest pass, over the median."""
    e2e_ms: float | None = None
    """End-to-end latency of 256 tokens after a prompt of 128; the host reads each."""
    weights_bytes: int | None = None
    peak_bytes: int | None = None
    """Most that was allocated at a time, less the weights."""
    capture_s: float | None = None
    """Capturing CUDA graphs, all of them."""
    compile_s: float | None = None
    """The same where capturing compiles first; of transformers' own compile the first call."""
    logits_error: float | None = None
    """||logits - reference|| / ||reference||, the worst of the prompt's end and three decoded tokens; the reference
    is float32, eager and without a cache, on the same rounded weights."""
    tolerance: float | None = None
    ok: bool | None = None
    error: holds.FreeText | None = None
    """What it raised, or how its process died."""
    skipped: holds.FreeText | None = None
    """Why it was not run; no fault by itself."""

    IDENTITY = Identity(
        key=("row", "table", "dtype"),
        gpu=("device_index", "device_uuid"),
        only=("ok",),  # the times have no interval
        figure="itl_ms",
        why=(("ok", "error"),),
        asked=True,
    )


@dataclass(frozen=True)
class RowLaunches:
    """Kernels, copies and fills for one decoded token; the profiler counts them when every row is measured."""

    row: holds.Term
    table: holds.Term
    device_index: int
    launches: int | None = None
    gpu_ms: float | None = None
    """The time that these kept the GPU busy."""
    error: holds.FreeText | None = None

    IDENTITY = Identity(never=True)


@dataclass(frozen=True)
class NewLengthStalls:
    """What lengths that are new cost, in a process that did nothing else before: eager SDPA, growing cache."""

    setting: holds.Term
    """`default`, or `cudnn off`: `torch.backends.cuda.enable_cudnn_sdp(False)`."""
    device_index: int
    device_uuid: holds.Uuid | None = None
    first_ms: tuple[float, ...] = ()
    """Time to first token of prompts whose lengths were all new, in order."""
    again_ms: tuple[float, ...] = ()
    """The same prompts a second time."""
    decoded: int = 0
    decode_first_ms: float | None = None
    """All of the decoded tokens together, where each made the cache as long as it had never been."""
    decode_again_ms: float | None = None
    error: holds.FreeText | None = None

    IDENTITY = Identity(never=True)


@dataclass(frozen=True)
class ColdStart:
    """A fresh process until its first token, split up. Weights are random: a real checkpoint is read from disk."""

    setting: holds.Term
    """As in NewLengthStalls."""
    device_index: int
    device_uuid: holds.Uuid | None = None
    import_s: float | None = None
    """`import torch`."""
    context_s: float | None = None
    """The CUDA context."""
    weights_s: float | None = None
    matmul_ms: float | None = None
    """The first matmul: cuBLAS loads."""
    attention_ms: float | None = None
    """The first attention."""
    prefill_ms: float | None = None
    """The first prompt, of 257 tokens."""
    again_ms: float | None = None
    """The same prompt again."""

    IDENTITY = Identity(never=True)


@dataclass(frozen=True)
class DecodeCeiling:
    """How fast one token could come, measured on this GPU."""

    device_index: int
    device_uuid: holds.Uuid | None = None
    decode_bytes: int = 0
    """What one token must read: the weights but for the embedding, and a cache of 128 tokens."""
    prefill_flop: int = 0
    """Of 128 tokens; only the last one's logits."""
    prefill_long_flop: int = 0
    """Of 1024 tokens."""
    read_gb_per_s: float | None = None
    """Summing 1 GiB."""
    gemv_ms: float | None = None
    """The model's matrix-vector products alone, by PyTorch, in one CUDA graph."""
    matmul_tflops: float | None = None
    """A large matmul of the rows' 16-bit type."""

    IDENTITY = Identity(never=True)


@dataclass(frozen=True)
class PrefixReuse:
    """A prompt whose beginning is in the cache already, against prefilling all of it."""

    device_index: int
    device_uuid: holds.Uuid | None = None
    tokens: int = 0
    kept: int = 0
    """So many of them were in the cache."""
    full_ms: float | None = None
    """Time to first token, everything prefilled."""
    reused_ms: float | None = None
    restored_ms: float | None = None
    """The same with the kept part copied in from a saved cache first."""
    logits_error: float | None = None
    """Against the full prefill's logits."""
    ok: bool | None = None
    error: holds.FreeText | None = None

    IDENTITY = Identity(never=True)


@dataclass(frozen=True)
class Concurrency:
    """Several requests that arrive together, served in one of four ways."""

    mode: holds.Term
    """`one after another`, `batched`, `threads`, `processes`."""
    device_index: int
    device_uuid: holds.Uuid | None = None
    requests: int = 3
    tokens: int = 0
    """Of each answer."""
    makespan_ms: float | None = None
    """From the common arrival to the last token of all."""
    ttft_mean_ms: float | None = None
    ttft_max_ms: float | None = None
    tokens_per_s: float | None = None
    peak_bytes: int | None = None
    """Weights included; of all processes together."""
    same_tokens: bool | None = None
    """Whether each answer is what it is when the request is served alone."""
    error: holds.FreeText | None = None
    skipped: holds.FreeText | None = None
    """Why it was not tried: no memory for so many copies of the weights."""

    IDENTITY = Identity(never=True)


def collect() -> Iterator[object]:
    """The parts of one group, in order. The first may be the cold start: until then nothing touches the GPU."""
    from cudacheck.probes.patient._torch import imported_torch

    started = time.perf_counter()
    torch = imported_torch()
    import_s = round(time.perf_counter() - started, 3)
    gc.freeze()  # looking through what an import made takes 0.1 s; rows and captures collect garbage a hundred times

    from cudacheck.bench.device import uuid, why_broken
    from cudacheck.bench.memory import DoesNotFitError

    options = of_environment()
    wait_until_exists(options.go)
    device = torch.device("cuda", options.device)
    for part in options.parts:
        if part != "stalls":
            torch.cuda.set_device(device)  # streams and graphs belong to the current one
        try:
            for kind, fields in measured(part, options, device):
                known = {"device_index": device.index, "device_uuid": uuid(device.index), "import_s": import_s}
                known = {name: value for name, value in known.items() if name in kind.__dataclass_fields__}
                yield kind(**{**fields, **known})
                if fields.get("error") and why_broken(device):
                    return  # every later row of this process would raise the same
        except DoesNotFitError as reason:
            raise Skipped(str(reason)) from None


def wait_until_exists(path: str) -> None:
    """Another process is being measured; this one has used the time to import torch."""
    while not os.path.exists(path):
        time.sleep(0.02)


def measured(part: str, options: BenchOptions, device: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Facts as their type and their fields, without those about the device."""
    from cudacheck.bench.steps import SHAPES

    def engine(name: str) -> Any:
        return importlib.import_module("cudacheck.bench." + name)  # no child imports what it does not run

    shape = SHAPES[options.shape]
    if part == "stalls":
        kinds = {"ColdStart": ColdStart, "NewLengthStalls": NewLengthStalls}
        for name, fields in engine("stalls").measured(options.setting, device, shape):
            yield kinds[name], fields
        return
    parts: dict[str, tuple[Any, Callable[[], Any]]] = {
        "ceiling": (DecodeCeiling, lambda: [engine("ceilings").measured(device, shape)]),
        "rows": (StepRow, lambda: engine("step_rows").measured(options.rows, device, shape, options.quick)),
        "prefix": (PrefixReuse, lambda: [engine("prefix").measured(device, shape)]),
        "launches": (RowLaunches, lambda: engine("step_rows").launches(options.launched, device, shape)),
        "stack": (StepRow, lambda: engine("stack").measured(device, shape, [row for _, row in options.rows])),
        "concurrency": (Concurrency, lambda: engine("concurrency").measured(device, shape)),
    }
    kind, answers = parts[part]
    for fields in answers():
        yield kind, fields


PROBE = Probe(
    collect,
    timeout_s=60.0,
    facts=(
        StepRow,
        RowLaunches,
        NewLengthStalls,
        ColdStart,
        DecodeCeiling,
        PrefixReuse,
        Concurrency,
    ),
    on_request=True,
    instead_of=("benchmark",),
    per_fact=True,
)
