"""Kernels in depth on every visible GPU in turn, and what surrounded them: for `cudacheck bench kernels`."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import Any, Iterator

from cudacheck.bench import kinds
from cudacheck.bench.options import BenchOptions, of_environment
from cudacheck.model import holds
from cudacheck.model.identity import Identity
from cudacheck.probes import Probe, Skipped
from cudacheck.probes.patient.benchmark import ClockTrace, Measurement

FULL_S, QUICK_S, ALL_S = 22.0, 6.0, 240.0
"""For one GPU, for one with --quick, for all. An H200 takes half of the first two."""


@dataclass(frozen=True)
class BenchPlan:
    """What `cudacheck bench kernels` set out to measure."""

    quick: bool
    device_indices: tuple[int, ...]
    cases: int
    """On all GPUs together: so many Measurements follow."""
    dtype: holds.Term | None = None
    """The one 16-bit type that was asked for; None for both."""

    IDENTITY = Identity(never=True)


@dataclass(frozen=True)
class LaunchOverhead:
    """What a kernel costs before it computes anything."""

    device_index: int
    device_uuid: holds.Uuid | None = None
    launch_us: float | None = None
    """The host's time to queue one small kernel through PyTorch, on average over thousands."""
    event_pair_us: float | None = None
    """Between two CUDA events with nothing in between."""
    graph_node_us: float | None = None
    """A small kernel within a CUDA graph."""
    synchronize_us: float | None = None
    """`tensor.item()`: a launch, a wait and a copy of one number."""
    attempt: int = 1

    IDENTITY = Identity(never=True)


@dataclass(frozen=True)
class GpuConditions:
    """What surrounded the measurements on one GPU: whether it was ours alone, and what held its clock back."""

    device_index: int
    device_uuid: holds.Uuid | None = None
    spin_median_us: float | None = None
    """Of the burst of spins that was spread most, out of three: before, between and after the cases."""
    spin_p95_us: float | None = None
    spin_mad_rel: float | None = None
    queue_us: float | None = None
    """The host's time to queue an event, a spin and an event: what a call that is timed costs it at least."""
    seconds: float | None = None
    limited_ms: dict[holds.Term, float] | None = None
    """For how long each policy held the clock back meanwhile: `power`, `thermal`, `board limit`, `reliability`."""
    reasons_seen: tuple[holds.Term, ...] | None = None
    """NVML's clock event reasons, looked at after each case."""
    energy_j: float | None = None
    temperature_c: int | None = None
    """At the end."""
    nvml: bool = False
    """Whether NVML knew this GPU by its UUID."""
    attempt: int = 1

    IDENTITY = Identity(never=True)


@dataclass(frozen=True)
class HostCopy:
    """64 MiB between host memory and one GPU."""

    device_index: int
    device_uuid: holds.Uuid | None = None
    pinned_to_gpu_gb_per_s: float | None = None
    pinned_from_gpu_gb_per_s: float | None = None
    pageable_to_gpu_gb_per_s: float | None = None
    pcie_generation: int | None = None
    """Of the link, while it was copying."""
    pcie_width: int | None = None

    IDENTITY = Identity(
        gpu=("device_index", "device_uuid"),
        aside=("pinned_to_gpu_gb_per_s", "pinned_from_gpu_gb_per_s", "pageable_to_gpu_gb_per_s"),
        asked=True,
    )


@dataclass(frozen=True)
class PeerBandwidth:
    """A copy from one GPU to another."""

    source_index: int
    destination_index: int
    gb_per_s: float | None = None
    peer_access: bool | None = None
    """Whether the GPUs reach each other's memory directly; else the copy goes through the host."""
    ok: bool | None = None
    error: holds.FreeText | None = None

    IDENTITY = Identity(
        key=("source_index", "destination_index"), aside=("gb_per_s",), why=(("ok", "error"),), asked=True
    )


def collect() -> Iterator[object]:
    from cudacheck.probes.patient._gpus import working_gpus
    from cudacheck.probes.patient._torch import imported_torch

    torch = imported_torch()
    options = of_environment()
    gpus = working_gpus(torch)
    unknown = sorted(set(options.devices or gpus) - set(gpus))
    if unknown:
        raise Skipped("no kernel runs on a GPU %s here: PyTorch has %s" % (unknown[0], gpus))
    gpus = [*options.devices] or gpus
    cases = {index: chosen_cases(torch.device("cuda", index), options) for index in gpus}
    yield BenchPlan(
        quick=options.quick,
        device_indices=tuple(gpus),
        cases=sum(map(len, cases.values())),
        dtype=options.dtype,
    )
    budget_s = min(options.budget_s or (QUICK_S if options.quick else FULL_S), ALL_S / len(gpus))
    for index in gpus:
        yield from on_gpu(torch.device("cuda", index), cases[index], budget_s, options.only)
    if not options.only:
        for source, destination in itertools.permutations(gpus, 2):
            yield between(torch, source, destination)


def chosen_cases(device: Any, options: BenchOptions) -> list[Any]:
    """The list that was asked for. A test asks for tiny sizes, too."""
    from functools import lru_cache

    from cudacheck.bench import cases

    size_of = lru_cache(maxsize=None)(lambda dtype: options.size or cases.filling_size(dtype, device))
    listed = cases.quick_cases if options.quick else cases.standard_cases
    numbers = options.copied_numbers or cases.copied_numbers(device)
    chosen = listed(size_of, length=options.length, copied_numbers=numbers)
    if options.dtype:
        chosen = cases.in_one_dtype(chosen, options.dtype)
    return [case for case in chosen if case.kind.name in options.only] if options.only else chosen


def on_gpu(device: Any, cases: list[Any], budget_s: float, only: tuple[str, ...]) -> Iterator[object]:
    from cudacheck.bench import launch, transfers
    from cudacheck.bench.device import uuid
    from cudacheck.bench.nvml import Counters
    from cudacheck.bench.trace import Trace
    from cudacheck.bench.watch import Watch

    named: dict[str, Any] = {"device_index": device.index, "device_uuid": uuid(device.index)}
    counters = Counters(uuid(device.index))
    watch = Watch(device, counters)
    if not only or kinds.LAUNCH.name in only:
        yield LaunchOverhead(**named, **launch.overheads(device))
    with Trace(counters) as trace:
        for number, row in enumerate(measured(cases, device, budget_s)):
            watch.look()
            yield Measurement(**row)
            if number == len(cases) // 2:
                watch.look_closely()
    yield GpuConditions(**named, **watch.told())
    if seen := trace.told():
        yield ClockTrace(**named, **seen)
    if not only:
        yield HostCopy(**named, **transfers.host_copies(device, counters))


def measured(cases: list[Any], device: Any, budget_s: float) -> Iterator[dict[str, Any]]:
    """The rows of the cases; what draws the most power first, and for longer."""
    from cudacheck.bench import engine
    from cudacheck.bench.timing import AT_THE_POWER_LIMIT

    deadline = time.perf_counter() + budget_s
    heavy = [case for case in cases if case.kind is kinds.MATMUL and case.dtype in ("float16", "bfloat16")]
    yield from engine.measured(heavy, device, budget_s, patience=AT_THE_POWER_LIMIT)
    rest = [case for case in cases if case not in heavy]
    yield from engine.measured(rest, device, deadline - time.perf_counter())


def between(torch: Any, source: int, destination: int) -> PeerBandwidth:
    from cudacheck.bench.transfers import peer_copy

    try:
        told = peer_copy(torch.device("cuda", source), torch.device("cuda", destination))
    except Exception as error:
        return PeerBandwidth(source, destination, error="%s: %s" % (type(error).__name__, error))
    return PeerBandwidth(source, destination, **told)


PROBE = Probe(
    collect,
    timeout_s=300.0,
    facts=(
        BenchPlan,
        LaunchOverhead,
        GpuConditions,
        HostCopy,
        PeerBandwidth,
        ClockTrace,
        Measurement,
    ),
    after=("kernels",),
    on_request=True,
    instead_of=("benchmark",),
)
