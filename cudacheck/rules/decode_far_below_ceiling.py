"""Decoding by CUDA graph is far slower than the model's matrix-vector products alone.

## What it does
Compares `bench steps`' rows with a CUDA graph for decode with a ceiling that it measures on the same GPU: the model's
matrix-vector products alone, in one graph. An H200 reaches 0.58 to 0.62 of it; slower GPUs come nearer, because what
lies between the products takes about as long on each. It speaks below 0.45 and where at least 1.5 ms a token go
elsewhere, in the quickest of these rows. Rows without graphs are the host's speed, and convict nobody.

## Why it matters
In a graph no launch and no Python is left to blame: the GPU itself spends most of each token on something other than
reading weights. Every program on it that decodes pays the same.

## What to do
See what the GPU does: `cudacheck bench kernels` tells a clock that is held back, another process and attention that
takes a slow kernel apart; look for other processes on the GPU while it runs.

## References
- https://pytorch.org/blog/accelerating-pytorch-with-cuda-graphs/
- https://pytorch.org/blog/accelerating-generative-ai-2/
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.chosen import Patient
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.patient.bench_steps import DecodeCeiling, RowLaunches, StepRow
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _torch
from cudacheck.speed.runs import disturbed_by, excuse
from cudacheck.speed.steps import ladder, measured
from cudacheck.speed.steps.ladder import Rung

LEAST_OF_GEMV = 0.45
"""Of the products alone. The worst of eight healthy captures on an H200 reached 0.58."""
MOST_BESIDE_MS = 1.5
"""A healthy H200 spends 0.8 to 0.9 ms a token beside the products; a faster GPU has a lower share for that reason."""
FULL_SIZE_BYTES = 10**9
"""A model that is smaller than the one of `bench steps` is all launches."""
SETTLED_REL = 0.15
"""Passes of a graph differ by 0.4 % on an idle GPU."""
FUSED_NORM = "2.9"
"""Before, F.rms_norm was several kernels: some 400 more a token (pytorch#153666)."""
IMPOSSIBLE = 0.8
"""Products in less time than their bytes take: that timing is not believed."""


def check(
    rows: tuple[StepRow, ...] | None, ceilings: tuple[DecodeCeiling, ...] | None, facts: Facts
) -> Iterator[Finding]:
    build = facts.one(TorchBuild)
    if build and not _torch.at_least(build.version, FUSED_NORM):
        return  # what is healthy there was never measured
    for run in measured.of(facts) if rows and ceilings else ():
        slow = _slow(run)
        if slow and not disturbed_by(run.gpu) and not excuse(run.gpu):
            beside = (slow.row.itl_free_ms or slow.row.itl_ms or 0.0) - (slow.gemv_ms or 0.0)
            yield Finding(
                f"decoding spends {beside:.1f} ms a token beside its matrix-vector products on {run.gpu.label}: "
                f"{slow.of_gemv or 0:.0%} of their speed",
                tuple(Evidence(said, f"measured on GPU {run.device_index}") for said in _said(slow)),
                (_look_closer(facts), Remedy("see which other processes use the GPU while it runs", ("nvidia-smi",))),
            )


def _slow(run: measured.StepRun) -> Rung | None:
    """The quickest row by graph, where it is too slow and can be believed."""
    rungs = [rung for rung in ladder.ladder(run) if rung.row.row in ("decode-graph", "prefill-graph") and rung.of_gemv]
    quickest = max(rungs, key=lambda rung: rung.of_gemv or 0.0, default=None)
    ceiling = run.ceiling
    if quickest is None or ceiling is None or ceiling.decode_bytes < FULL_SIZE_BYTES:
        return None
    gemv, floor = quickest.gemv_ms or 0.0, quickest.floor_ms or 0.0
    settled = (quickest.row.itl_spread_rel or 0.0) <= SETTLED_REL and gemv >= IMPOSSIBLE * floor > 0
    ms = quickest.row.itl_free_ms or quickest.row.itl_ms or 0.0
    return quickest if settled and ms > max(gemv / LEAST_OF_GEMV, gemv + MOST_BESIDE_MS) else None


def _look_closer(facts: Facts) -> Remedy:
    patient = facts.one(Patient)
    python = f" --python {shlex.quote(patient.python)}" if patient else ""
    return Remedy(
        "see whether clocks, memory, attention or another process is to blame", (f"cudacheck bench kernels{python}",)
    )


def _said(slow: Rung) -> Iterator[str]:
    speed = slow.tokens_per_s_free or slow.tokens_per_s or 0.0
    yield f"{slow.row.row}: {speed:.0f} tokens/s, {slow.of_floor or 0:.2f} of the bandwidth's"
    yield f"its matrix-vector products alone: {1e3 / (slow.gemv_ms or 1):.0f} tokens/s"
    if slow.launches and slow.gpu_ms:
        yield f"{slow.launches} kernels a token keep the GPU busy for {slow.gpu_ms:.2f} ms"


H200 = TorchDevice(0, "NVIDIA H200", uuid="GPU-1", compute_capability="9.0", multiprocessors=132)
CEILING = DecodeCeiling(0, decode_bytes=3_090_500_000, read_gb_per_s=4256.0, gemv_ms=1.248, matmul_tflops=754.0)


def _row(tokens_per_s: float, row: str = "decode-graph") -> StepRow:
    ms = 1e3 / tokens_per_s
    return StepRow(row, "ladder", 0, itl_ms=ms, itl_free_ms=ms, itl_spread_rel=0.004, ok=True)


RULE = Rule(
    severity=Severity.WARNING,
    layer=Layer.SPEED,
    fix_by=FixBy.PROGRAM,
    explained_by=(
        "ecc-uncorrectable",
        "gpu-throttled",
        "kernel-failed",
        "attention-falls-back-to-math",
    ),
    check=check,
    fires={
        "attention by a kernel for prefill, on an H200": (
            H200,
            CEILING,
            _row(214.0),
            RowLaunches("decode-graph", "ladder", 0, 1223, 4.4),
        ),
        "each of two captures": (H200, CEILING, _row(300.0), _row(310.0, "prefill-graph")),
        "at 0.35 of its products": (H200, CEILING, _row(270.0)),
        "a spread that is still calm": (H200, CEILING, dataclasses.replace(_row(214.0), itl_spread_rel=0.15)),
        "kernels whose time nobody took": (H200, CEILING, _row(214.0), RowLaunches("decode-graph", "ladder", 0, 1223)),
        "a model of exactly a billion bytes": (
            H200,
            dataclasses.replace(CEILING, decode_bytes=10**9, gemv_ms=0.4),
            _row(214.0),
        ),
    },
    quiet={
        "a PyTorch whose norm is several kernels": (H200, TorchBuild("2.8.0+cu128"), CEILING, _row(214.0)),
        "an H200": (H200, CEILING, _row(497.0), _row(466.0, "prefill-graph")),
        "one of two captures is slow": (H200, CEILING, _row(290.0), _row(466.0, "prefill-graph")),
        "only rows that the host launches are slow": (H200, CEILING, _row(154.0, "fused"), _row(71.0, "static-cache")),
        "a faster GPU, with as much between the products": (
            TorchDevice(0, "NVIDIA B200", compute_capability="10.0"),
            dataclasses.replace(CEILING, read_gb_per_s=7300.0, gemv_ms=0.7),
            _row(600.0),
        ),
        "a GPU of low bandwidth": (
            TorchDevice(0, "NVIDIA L4", compute_capability="8.9"),
            dataclasses.replace(CEILING, read_gb_per_s=270.0, gemv_ms=11.9),
            _row(75.0),
        ),
        "nobody measured the ceiling": (H200, _row(214.0)),
        "its products were not timed": (H200, dataclasses.replace(CEILING, gemv_ms=None), _row(214.0)),
        "wrong, which is told elsewhere": (H200, CEILING, dataclasses.replace(_row(214.0), ok=False)),
        "passes that differ": (H200, CEILING, dataclasses.replace(_row(214.0), itl_spread_rel=0.6)),
        "another process works on the GPU": (H200, Gpu(0, uuid="GPU-1", utilization_percent=97), CEILING, _row(214.0)),
        "launches that are made to wait": (
            H200,
            EnvironmentVariables({"CUDA_LAUNCH_BLOCKING": "1"}),
            CEILING,
            _row(214.0),
        ),
        "a MIG slice": (TorchDevice(0, "NVIDIA H200 MIG 1g.18gb"), CEILING, _row(90.0)),
        "a small model": (H200, dataclasses.replace(CEILING, decode_bytes=990_000_000, gemv_ms=0.4), _row(214.0)),
        "products that took less time than their bytes": (H200, dataclasses.replace(CEILING, gemv_ms=0.5), _row(214.0)),
        "products in three quarters of what their bytes take": (
            H200,
            dataclasses.replace(CEILING, gemv_ms=0.545),
            _row(214.0),
        ),
        "a bandwidth that nobody measured": (H200, dataclasses.replace(CEILING, read_gb_per_s=None), _row(214.0)),
        "passes that differ by a fifth": (H200, CEILING, dataclasses.replace(_row(214.0), itl_spread_rel=0.2)),
        "at half of its products": (H200, CEILING, _row(400.0)),
    },
)
