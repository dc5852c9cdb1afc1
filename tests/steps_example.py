"""Example facts of `cudacheck bench steps`, to render: what prototypes measured on one H200 on 2026-11-22.

NVIDIA H200, driver 580.159.04, torch 2.11.0+cu130, transformers 5.17: the numbers are those of one run, two where the
rows ran twice. What was not measured then is None. It is an example for renderers, no reference for speed.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from cudacheck.bench.steps import options_of
from cudacheck.judging.judge import judge
from cudacheck.judging.verdict import verdict
from cudacheck.model.facts import Facts
from cudacheck.model.report import Report
from cudacheck.probes.chosen import Patient
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.patient.bench_steps import (
    ColdStart,
    Concurrency,
    DecodeCeiling,
    NewLengthStalls,
    PrefixReuse,
    RowLaunches,
    StepRow,
)
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.torch_cuda import TorchCuda, TorchDevice
from cudacheck.probes.patient.torch_files import TorchBuild

UUID = "GPU-00000000-0000-0000-0000-000000000001"
GB = 1e9
EAGER_ERROR, TOLERANCE = 0.034, 0.051

MACHINE = (
    Patient("/opt/torch/.venv/bin/python3", "PATH"),
    Nvml(library_found=True, driver_version="580.159.04", cuda_version="13.0", init_code=0, gpu_count=1),
    Gpu(0, "NVIDIA H200", uuid=UUID, memory_total_bytes=150754820096, power_limit_w=700.0),
    TorchBuild("2.11.0+cu130", cuda="13.0"),
    TorchCuda(True, 1, cudnn_version="9.19.0"),
    TorchDevice(0, "NVIDIA H200", uuid=UUID, compute_capability="9.0", multiprocessors=132),
    KernelRun(0, "float16 matmul", ok=True, device_uuid=UUID),
)


def row(
    name: str,
    table: str = "ladder",
    *,
    ttft: tuple[float | None, float | None, float | None, float | None] = (None, None, None, None),
    tokens_per_s: tuple[float | None, float | None, float | None] = (None, None, None),
    **more: Any,
) -> StepRow:
    """TTFT of 128 tokens: first, new length, steady; then of 1024. Tokens per second: first pass, steady, unread."""
    first, new, steady, long = ttft
    itl_first, itl, itl_free = (1e3 / speed if speed else None for speed in tokens_per_s)
    options = options_of(table, name) if table != "stack" else None
    float32 = options is not None and options.dtype == "float32"
    values: dict[str, Any] = {
        "device_uuid": UUID,
        "dtype": options.dtype if options else "bfloat16",
        "what": options.what() if options else f"transformers 5.17, {name}",
        "ttft_first_ms": first,
        "ttft_new_ms": new,
        "ttft_ms": steady,
        "ttft_long_ms": long,
        "itl_first_ms": itl_first,
        "itl_ms": itl,
        "itl_free_ms": itl_free,
        "e2e_ms": steady + 255 * itl if steady and itl else None,
        "weights_bytes": 7107379200 if float32 else 3553689600,
        "peak_bytes": 90_000_000,
        "logits_error": 5e-6 if float32 else EAGER_ERROR - 0.003 * (options is not None and options.fused),
        "tolerance": TOLERANCE,
        "ok": True,
    }
    return StepRow(name, table, 0, **{**values, **more})


LADDER = (
    row("fp32", ttft=(18, 16, 15.8, 80.5), tokens_per_s=(52, 52, None)),
    row("16bit", ttft=(101, 17, 17.0, 17.8), tokens_per_s=(45, 63, None)),
    row("kv-cache", ttft=(17, 15.7, 15.6, 15.7), tokens_per_s=(68, 67, None)),
    row("sdpa", ttft=(754, 53, 13.0, 13.2), tokens_per_s=(22, 73, None)),
    row("cudnn-off", ttft=(22, 12.9, 12.7, 12.8), tokens_per_s=(61, 70, 73)),
    row("static-cache", ttft=(15, 15, 15.2, 14.9), tokens_per_s=(66, 71, 73)),
    row("fused", ttft=(15, 9.1, 6.2, 8.3), tokens_per_s=(162, 154, 159)),
    row("decode-graph", ttft=(None, 11, 10.1, 10.9), tokens_per_s=(488, 487, 497), capture_s=0.04),
    row(
        "prefill-graph",
        ttft=(30, 2.61, 2.61, 7.5),
        tokens_per_s=(462, 463, 466),
        capture_s=0.14,
        peak_bytes=210_000_000,
        itl_spread_rel=0.004,
    ),
)
WITHOUT = (
    row("16bit", "without", ttft=(140, 12.6, 12.7, 73.6), tokens_per_s=(200, 200, 200)),
    row("sdpa", "without", ttft=(None, 3.1, 3.1, 11.5), tokens_per_s=(None, 461, 466)),
    row("cudnn-off", "without", ttft=(None, 2.53, 2.53, 7.2), tokens_per_s=(None, 456, 458)),
    row("fused", "without", ttft=(None, 4.2, 4.2, 9.2), tokens_per_s=(None, 280, 282)),
    row("decode-graph", "without", ttft=(None, 2.6, 2.61, 7.5), tokens_per_s=(None, 142, 142)),
    row("prefill-graph", "without", ttft=(None, 11, 10.1, 10.9), tokens_per_s=(488, 487, 497)),
)
EXTRAS = (
    row("triton", "extra", ttft=(None, 2.61, 2.61, 7.5), tokens_per_s=(None, 671, 681), logits_error=0.026),
    row(
        "compile",
        "extra",
        ttft=(None, 2.44, 2.44, 6.3),
        tokens_per_s=(None, 487, 493),
        compile_s=4.4,
        logits_error=0.026,
    ),
    StepRow("flash-attn", "extra", 0, skipped="flash-attn is not installed"),
)
STACK = (
    row("eager", "stack", tokens_per_s=(None, 34, None)),
    row("sdpa", "stack", ttft=(1074, 68, 22.0, None), tokens_per_s=(16, 60, None)),
    row("sdpa static cache", "stack", tokens_per_s=(None, 48, None)),
    row("sdpa static cache, compiled", "stack", ttft=(None, None, 27.8, None), tokens_per_s=(None, 307, None)),
    StepRow("flash-attention-2", "stack", 0, skipped="flash-attn does not import"),
)
LAUNCHES = (
    RowLaunches("decode-graph", "ladder", 0, 431, 1.98),
    RowLaunches("prefill-graph", "ladder", 0, 431, 1.98),
    RowLaunches("fused", "without", 0, 1223, 3.4),
    RowLaunches("triton", "extra", 0, 203, 1.45),
)


def lengths(median: float, largest: float) -> tuple[float, ...]:
    """Twenty times with that median and largest: only these were noted down."""
    return (*(median - 1 for _ in range(9)), median, median, *(median + 1 for _ in range(8)), largest)


STALLS = (
    NewLengthStalls("default", 0, UUID, lengths(61, 90), lengths(14.2, 15), 32, 1616, 465),
    NewLengthStalls("cudnn off", 0, UUID, lengths(16, 28), lengths(13.2, 14), 32, 566, 429),
)
COLD = (
    ColdStart("default", 0, UUID, 2.9, 0.13, 0.1, 91, 92, 228, 16),
    ColdStart("cudnn off", 0, UUID, 3.1, 0.11, 0.1, 95, 3.8, 158, 13),
)
CEILING = DecodeCeiling(0, UUID, 3_090_500_000, 395_000_000_000, 2_770_000_000_000, 4256.0, 1.248, 754.0)
PREFIX = PrefixReuse(0, UUID, 1024, 896, 7.5, 2.7, 2.9, 0.004, ok=True)
CONCURRENCY = (
    Concurrency("one after another", 0, UUID, 3, 128, 834.0, 279.0, 555.0, 460.0, 3_800_000_000, same_tokens=True),
    Concurrency("batched", 0, UUID, 3, 128, 300.0, 4.1, 4.1, 1280.0, 3_900_000_000, same_tokens=True),
    Concurrency("threads", 0, UUID, 3, 128, 842.0, 8.9, 9.8, 456.0, 3_900_000_000, same_tokens=True),
    Concurrency("processes", 0, UUID, 3, 128, 700.0, 7.0, 7.9, 548.0, 11_400_000_000, same_tokens=True),
)
"""Not measured then at all: figures that such a GPU might give, to have something in every table."""

QUICK_ROWS = ("sdpa", "cudnn-off", "fused", "prefill-graph")
QUICK = (*MACHINE, *STALLS, *COLD, CEILING, *(row for row in LADDER if row.row in QUICK_ROWS))
FULL = (*MACHINE, *STALLS, *COLD, CEILING, *LADDER, *WITHOUT, EXTRAS[0], PREFIX, *LAUNCHES)
EVERYTHING = (*FULL, EXTRAS[1], *STACK, *CONCURRENCY)


def failing(*names: str) -> tuple[StepRow, ...]:
    """The ladder, where these rows raised, were skipped and were wrong, in turn."""
    broken: tuple[dict[str, Any], ...] = (
        {"error": "died of SIGSEGV (11)", "itl_ms": None, "ttft_ms": None, "ttft_new_ms": None, "ok": None},
        {"skipped": "flash-attn does not import", "itl_ms": None, "ttft_ms": None, "ttft_new_ms": None, "ok": None},
        {"ok": False, "logits_error": 0.71},
    )
    changes = dict(zip(names, broken, strict=False))
    return tuple(dataclasses.replace(row, **changes.get(row.row, {})) for row in LADDER)


def report(*facts: object) -> Report:
    """Judged by today's rules."""
    bag = Facts(facts)
    judged = judge(bag)
    return Report(
        verdict(bag, judged.findings, judged.unchecked),
        tuple(judged.findings),
        tuple(judged.unchecked),
        (),
        bag,
        created="2026-11-22T22:00:00+00:00",
        seconds=52.0,
    )
