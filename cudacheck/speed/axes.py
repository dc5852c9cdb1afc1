"""Is each axis of a GPU's speed healthy, a slow path, degraded, wrong, or inconclusive? And why."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from cudacheck.facts import Facts
from cudacheck.probes.target.benchmark import Measurement
from cudacheck.report import Axis, Health
from cudacheck.speed import peaks
from cudacheck.speed.runs import GpuRun, disturbed_by, excuse, of_facts, spoken, starved, unsure

GOOD_SHARE = 0.70
"""Of the 16-bit peak at the measured clock; large products reach 0.7 to 0.9, and 1.0 on a GeForce (MAMF tables)."""
SLOW_SHARE = 0.45
LEAST_GAIN = 1.2
"""16-bit over float32: at least 2 on every GPU with tensor cores, whatever its power limit."""
LOW_OF_DATASHEET = 0.60
GOOD_BANDWIDTH = 0.75
"""Copy over the datasheet: an H200 reaches 0.88, DCGM's own kernel 0.61 to 0.88 on good units."""
SLOW_BANDWIDTH = 0.55
LEAST_OVER_MATH = 1.2
"""Fused attention over the math backend: 29 times as fast on an H200 at 2048 tokens."""
MOST_OVER_BEST = 1.5
"""PyTorch's own choice over the quickest backend that serves the call."""
MANY_KEYS = 256
"""Attention over fewer keys is launch time."""
NEW_LENGTH_MS = 10.0
SETTLED_LENGTH_MS = 5.0
SLOW_LAUNCH_US = 20.0
"""An H200's host needs 6.5 to 9.7."""
BELOW_SIBLINGS = 0.92
"""GPUs of one node differ by 5 % (stas00/ml-engineering)."""
HELD_BACK_SHARE = 0.05
"""Of the time that was watched, by heat or a broken supply."""
LOW_CLOCK = 0.6


def judged(facts: Facts) -> tuple[Axis, ...]:
    """Every axis that was measured, by GPU."""
    runs = of_facts(facts)
    return tuple(axis for run in runs for axis in of_run(run, runs))


def of_run(run: GpuRun, runs: Sequence[GpuRun]) -> list[Axis]:
    found = [
        correctness(run),
        matmul(run, runs),
        memory(run, runs),
        attention(run),
        new_lengths(run),
        launch(run),
        clocks(run),
    ]
    return [axis for axis in found if axis]


def correctness(run: GpuRun) -> Axis | None:
    checked = [row for row in run.rows if row.ok is not None]
    if not checked:
        return None
    wrong = [row for row in checked if row.ok is False]
    if wrong:
        reasons = [f"{spoken(row)}: {_error(row)}" for row in wrong]
        return _axis(run, "correctness", Health.WRONG, *reasons)
    broken = [f"{spoken(row)}: {row.error}" for row in run.rows if row.error]
    said = f"{len(checked)} results within tolerance of float64 on the CPU"
    return _axis(run, "correctness", Health.INCONCLUSIVE if broken else Health.HEALTHY, *broken, said)


def matmul(run: GpuRun, runs: Sequence[GpuRun]) -> Axis | None:
    """Both 16-bit types are judged, and the worse one decides."""
    halves = [row for dtype in ("float16", "bfloat16") if (row := run.best("matmul", dtype)) and row.tflops]
    if not halves:
        return None
    if peaks.matmul(run, halves[0]).no_tensor_cores:
        return _axis(run, "matmul", Health.HEALTHY, f"{_speed(run, halves[0])}; this GPU has no tensor cores")
    single = run.best("matmul", "float32")
    verdicts = [_one_matmul(run, row, single) for row in halves if _has_type(run, row)]
    worst = min(verdicts, key=lambda axis: _ORDER.index(axis.health))
    best = max(halves, key=lambda row: row.tflops or 0)
    return _held_against(run, worst, best, _siblings(run, runs, "matmul", best.dtype))


def _one_matmul(run: GpuRun, row: Measurement, single: Measurement | None) -> Axis:
    known, shares = peaks.matmul(run, row), peaks.shares(run, row)
    gain = row.tflops / single.tflops if single and single.tflops and row.tflops else None
    share = shares.get("clock")
    said = _speed(run, row)
    if disturbed := disturbed_by(run):
        return _axis(run, "matmul", Health.INCONCLUSIVE, disturbed, said, shares=shares)
    no_gain = gain is not None and gain <= LEAST_GAIN
    low = share is not None and share < SLOW_SHARE and known.convicts
    if no_gain or low:
        slow = f"{said}; only {gain:.1f} times as fast as float32" if no_gain else said
        doubt = _doubt(run, [row, single] if no_gain else [row])
        health = Health.INCONCLUSIVE if doubt else Health.SLOW_PATH
        return _axis(run, "matmul", health, *filter(None, (doubt, slow)), shares=shares)
    if share is not None and share >= GOOD_SHARE:
        return _axis(run, "matmul", *_in_watts(run, row, shares), said, shares=shares)
    if share is None and gain is not None and gain >= 2 * LEAST_GAIN:
        return _axis(run, "matmul", Health.HEALTHY, f"{said}; {gain:.1f} times as fast as float32", shares=shares)
    why = "between what healthy GPUs reach and what a wrong kernel does"
    if not known.convicts:
        why = "no sure peak is known for this GPU"
    return _axis(run, "matmul", Health.INCONCLUSIVE, why, said, shares=shares)


def _in_watts(run: GpuRun, row: Measurement, shares: dict[str, float]) -> tuple[Health, str] | tuple[Health]:
    """Good at the clock that it had: then a low share of the datasheet is the clock's doing."""
    if shares.get("datasheet", 1.0) >= LOW_OF_DATASHEET:
        return (Health.HEALTHY,)
    gpu = run.gpu
    clock = f"it ran at {row.sm_clock_mhz:.0f} MHz"
    heat = _held_back(run)
    if heat:
        return Health.DEGRADED, f"{clock}: {heat}"
    if gpu and gpu.power_limit_w and gpu.power_default_w and gpu.power_limit_w < gpu.power_default_w:
        return Health.HEALTHY, f"{clock}: its power limit is set to {gpu.power_limit_w:g} of {gpu.power_default_w:g} W"
    if _limited(run, "power") >= HELD_BACK_SHARE:
        return Health.HEALTHY, f"{clock}: its power limit holds it there, as designed"
    highest = gpu.sm_clock_max_mhz if gpu else None
    if highest and row.sm_clock_mhz and row.sm_clock_mhz < LOW_CLOCK * highest and not excuse(run):
        return Health.DEGRADED, f"{clock} of {highest}, and NVML names nothing that holds it there"
    return Health.HEALTHY, clock


def memory(run: GpuRun, runs: Sequence[GpuRun]) -> Axis | None:
    row = run.best("copy")
    if row is None or not row.gb_per_s:
        return None
    shares = peaks.shares(run, row)
    share, said = shares.get("datasheet"), _speed(run, row)
    health, why = Health.HEALTHY, ""
    if disturbed := disturbed_by(run):
        health, why = Health.INCONCLUSIVE, disturbed
    elif share is None:
        health, why = Health.INCONCLUSIVE, "no bandwidth is known for this GPU"
    elif share < SLOW_BANDWIDTH:
        sure = run.model is not None and run.model.verified
        why = _doubt(run, [row]) or ("" if sure else "the datasheet's figure for this GPU is not sure")
        health = Health.INCONCLUSIVE if why else Health.DEGRADED
    elif share < GOOD_BANDWIDTH:
        health, why = Health.INCONCLUSIVE, "between what healthy GPUs reach and what a sick one does"
    axis = _axis(run, "memory", health, *filter(None, (why, said)), shares=shares)
    return _held_against(run, axis, row, _siblings(run, runs, "copy", None))


def attention(run: GpuRun) -> Axis | None:
    """PyTorch's own choice against its math backend, and against the quickest that serves the same call."""
    own = _own_choice(run)
    if own is None or not own.median_us:
        return None
    others = {r.backend: r for r in run.rows if _same_call(r, own) and r.median_us and r.backend != "default"}
    said = [_speed(run, own)]
    if disturbed := disturbed_by(run):
        return _axis(run, "attention", Health.INCONCLUSIVE, disturbed, *said)
    math = others.pop("math", None)
    over_math = math.median_us / own.median_us if math and math.median_us else None
    if over_math is not None:
        said.append(f"{over_math:.1f} times as fast as the math backend")
    if over_math is not None and over_math <= LEAST_OVER_MATH:
        doubt = _doubt(run, [own, math])
        if not doubt and _below(run.device.compute_capability, (8, 0)):
            doubt = "PyTorch has no fused kernel for grouped queries on this generation"
        health = Health.INCONCLUSIVE if doubt else Health.SLOW_PATH
        return _axis(run, "attention", health, *filter(None, (doubt,)), *said)
    if _doubt(run, [own]):
        return _axis(run, "attention", Health.INCONCLUSIVE, _doubt(run, [own]), *said)
    quickest = min(others.values(), key=lambda row: row.median_us or 0, default=None)
    if quickest and quickest.median_us and own.median_us > MOST_OVER_BEST * quickest.median_us:
        times = own.median_us / quickest.median_us
        said.append(f"{quickest.backend} would be {times:.1f} times as fast")
        return _axis(run, "attention", Health.INCONCLUSIVE, *said)
    return _axis(run, "attention", Health.HEALTHY, *said)


def _own_choice(run: GpuRun) -> Measurement | None:
    """The call with the most keys that the math backend was measured on, too."""
    rows = [r for r in run.rows if r.case == "attention" and r.backend == "default" and r.median_us]
    beside_math = [r for r in rows if any(_same_call(m, r) and m.backend == "math" and m.median_us for m in run.rows)]
    return max(beside_math or rows, key=lambda row: row.median_us or 0, default=None)


def _same_call(row: Measurement, other: Measurement) -> bool:
    return (row.case, row.dtype, row.shape) == (other.case, other.dtype, other.shape)


def new_lengths(run: GpuRun) -> Axis | None:
    """What the first call at a length costs over the second: by PyTorch's choice, and without cuDNN."""
    own = extra_ms(run, "default")
    if not own:
        return None
    said = [f"{case}: {extra:.1f} ms at each length that is new" for case, extra in own.items()]
    disturbed = disturbed_by(run)
    if disturbed:
        return _axis(run, "new lengths", Health.INCONCLUSIVE, disturbed, *said)
    if max(own.values()) <= NEW_LENGTH_MS:
        return _axis(run, "new lengths", Health.HEALTHY, *said)
    without = extra_ms(run, "cudnn off")
    said += [f"with cuDNN's attention off {extra:.1f} ms ({case})" for case, extra in without.items()]
    cured = any(own[case] > NEW_LENGTH_MS and extra <= SETTLED_LENGTH_MS for case, extra in without.items())
    return _axis(run, "new lengths", Health.SLOW_PATH if cured else Health.INCONCLUSIVE, *said)


def extra_ms(run: GpuRun, backend: str) -> dict[str, float]:
    """By case, the lower of the attempts."""
    extra: dict[str, float] = {}
    for row in run.rows:
        if "new length" in row.case and row.backend == backend and row.first_call_ms and row.median_us:
            ms = row.first_call_ms - row.median_us / 1e3
            extra[row.case] = min(ms, extra.get(row.case, ms))
    return extra


def launch(run: GpuRun) -> Axis | None:
    us = run.launch.launch_us if run.launch else None
    if us is None:
        return None
    said = f"the host needs {us:.1f} µs to launch a small kernel"
    if us <= SLOW_LAUNCH_US:
        return _axis(run, "launch", Health.HEALTHY, said)
    doubt = disturbed_by(run) or excuse(run)
    return _axis(run, "launch", Health.INCONCLUSIVE if doubt else Health.SLOW_PATH, *filter(None, (doubt, said)))


def clocks(run: GpuRun) -> Axis | None:
    """What held the clock back; a GPU at its power limit is healthy."""
    if not any(seen.nvml for seen in run.conditions):
        return None
    heat = _held_back(run)
    said = [f"{name}: {_limited(run, name):.0%} of the time" for name in ("power", "board limit", "reliability")]
    told = [line for line in said if not line.endswith(" 0% of the time")]
    if disturbed := disturbed_by(run):
        return _axis(run, "clocks", Health.INCONCLUSIVE, disturbed, *told)
    if heat:
        doubt = excuse(run)
        return _axis(run, "clocks", Health.INCONCLUSIVE if doubt else Health.DEGRADED, *filter(None, (doubt, heat)))
    return _axis(run, "clocks", Health.HEALTHY, *(told or ["nothing held the clock back"]))


def _held_back(run: GpuRun) -> str:
    """Heat, or a supply that gives way; empty where neither did for long."""
    seen = {reason for conditions in run.conditions for reason in conditions.reasons_seen or ()}
    if _limited(run, "thermal") >= HELD_BACK_SHARE:
        return f"heat held it back for {_limited(run, 'thermal'):.0%} of the time"
    if "hw_power_brake_slowdown" in seen:
        return "the power brake of the supply held it back"
    if "hw_thermal_slowdown" in seen or "sw_thermal_slowdown" in seen:
        return "heat held it back"
    return ""


def _limited(run: GpuRun, policy: str) -> float:
    """The share of the time for which this policy held the clock back."""
    timed = [c for c in run.conditions if c.limited_ms and c.seconds]
    seconds = sum(c.seconds or 0 for c in timed)
    return sum((c.limited_ms or {}).get(policy, 0) for c in timed) / 1e3 / seconds if seconds else 0.0


# Words and comparisons that several axes share

_ORDER = (Health.WRONG, Health.SLOW_PATH, Health.DEGRADED, Health.INCONCLUSIVE, Health.HEALTHY)


def _axis(run: GpuRun, axis: str, health: Health, *reasons: str, shares: dict[str, float] | None = None) -> Axis:
    return Axis(run.device.index, axis, health, reasons, shares or {})


def _doubt(run: GpuRun, rows: Sequence[Measurement | None]) -> str:
    """Why a slow result convicts nobody; empty where it does."""
    for row in rows:
        if row and row.method != "graph" and starved(run, row.median_us):
            launch_us = run.launch.launch_us if run.launch else 0
            return f"the host needs {launch_us:.0f} µs a launch, so the GPU waited for it"
    return excuse(run) or unsure(rows)


def _has_type(run: GpuRun, row: Measurement) -> bool:
    """Before Ampere no tensor core takes bfloat16."""
    return row.dtype == "float16" or not _below(run.device.compute_capability, (8, 0))


def _below(capability: str | None, wanted: tuple[int, int]) -> bool:
    numbers = [int(part) for part in (capability or "").split(".") if part.isdecimal()]
    return bool(numbers) and tuple(numbers) < wanted


def _siblings(run: GpuRun, runs: Sequence[GpuRun], case: str, dtype: str | None) -> list[Measurement]:
    """The same case on the other GPUs of this model."""
    others = [other for other in runs if other is not run and other.device.name == run.device.name]
    return [row for other in others if not disturbed_by(other) and (row := other.best(case, dtype))]


def _held_against(run: GpuRun, axis: Axis, row: Measurement, siblings: Sequence[Measurement]) -> Axis:
    """Degraded after all where its siblings do better: the best test that needs no table."""
    times = [sibling.median_us for sibling in siblings if sibling.median_us and sibling.shape == row.shape]
    if axis.health not in (Health.HEALTHY, Health.INCONCLUSIVE) or not times or not row.median_us:
        return axis
    if disturbed_by(run):
        return axis
    share = statistics.median(times) / row.median_us
    shares = {**axis.shares, "siblings": share}
    if share >= BELOW_SIBLINGS:
        return Axis(axis.device_index, axis.axis, axis.health, axis.reasons, shares)
    said = f"{1 - share:.0%} below its siblings ({spoken(row)})"
    doubt = _doubt(run, [row])
    health = axis.health if doubt else Health.DEGRADED
    return Axis(axis.device_index, axis.axis, health, (said, *filter(None, (doubt,)), *axis.reasons), shares)


def _speed(run: GpuRun, row: Measurement) -> str:
    """`float16 8192³: 665 TFLOP/s, 67 % of the datasheet, 86 % of the peak at 1430 MHz`"""
    shares = peaks.shares(run, row)
    speed = f"{row.gb_per_s:.0f} GB/s" if row.case == "copy" else f"{row.tflops or 0:.0f} TFLOP/s"
    words = {
        "datasheet": "of the datasheet",
        "clock": f"of the peak at {row.sm_clock_mhz or 0:.0f} MHz",
        "achieved": "of the best known",
    }
    parts = [f"{shares[name]:.0%} {said}" for name, said in words.items() if name in shares and row.case != "attention"]
    return ", ".join([f"{spoken(row)}: {speed}", *parts])


def _error(row: Measurement) -> str:
    if row.max_error is None:
        return row.error or "wrong"
    return f"off by {row.max_error:.2g}, allowed {row.tolerance:.2g}" if row.tolerance is not None else "wrong"
