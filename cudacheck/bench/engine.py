"""Runs cases one after another within a time and memory budget, and gives everything back."""

from __future__ import annotations

import time
import warnings
from typing import Any, Callable, Dict, Iterator, Sequence

import torch

from cudacheck.bench.cases import Case
from cudacheck.bench.device import current, uuid, wait_for, why_broken
from cudacheck.bench.memory import DoesNotFitError, copies_of, give_back, is_rotated
from cudacheck.bench.new_length import NewLength
from cudacheck.bench.sdpa import reasons, was_refused
from cudacheck.bench.timing import Patience, Timing, time_call, within

Row = Dict[str, Any]
"""The fields of a Measurement (cudacheck/probes/patient/benchmark.py)."""

Progress = Callable[[int, int, Case], None]
"""Told before each case: its number from 0, how many there are, and the case."""


class RefusedError(Exception):
    """PyTorch would not run the call with this backend; the words are its own."""


def run(
    cases: Sequence[Case],
    device: torch.device,
    budget_s: float,
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> list[Row]:
    """Measure the cases in order; those for which no time is left are told as skipped, unless they convict."""
    return list(measured(cases, device, budget_s, progress, patience))


def measured(
    cases: Sequence[Case],
    device: torch.device,
    budget_s: float,
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> Iterator[Row]:
    """As `run`, each row as soon as it is known."""
    deadline = time.perf_counter() + budget_s
    broken = ""
    for number, case in enumerate(cases):
        left_s = deadline - time.perf_counter()
        if progress:
            progress(number, len(cases), case)
        if broken:
            yield row_of(case, device, skipped=f"an earlier case broke the CUDA context: {broken}")
        elif left_s <= 0 and not (isinstance(case, NewLength) and case.convicts):
            yield row_of(case, device, skipped=f"the time budget of {round(budget_s, 1):g} s was used up")
        else:
            yield row_of(case, device, **outcome_of(case, device, within(patience or Patience(), left_s)))
            broken = why_broken(device)


def row_of(case: Case, device: torch.device, **fields: Any) -> Row:
    return {
        "case": case.kind.name,
        "dtype": case.dtype,
        "shape": case.shape,
        "backend": case.backend,
        "device_index": device.index or 0,
        "device_uuid": uuid(device.index or 0) if device.type == "cuda" else None,
        **fields,
    }


def outcome_of(case: Case, device: torch.device, patience: Patience) -> Row:
    """What a case measured, or why it did not; whatever it raised, its memory is free again."""
    try:
        with torch.no_grad(), current(device):
            if isinstance(case, NewLength):
                return case.measure(device)
            return measure_steady(case, device, patience)
    except DoesNotFitError as reason:
        return {"skipped": str(reason)}
    except RefusedError as reason:
        return {"skipped": str(reason), "refused": True}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    finally:
        give_back(device)


def measure_steady(case: Any, device: torch.device, patience: Patience) -> Row:
    """First call, steady time, and the result of a last call: right, and the same bits as the first."""
    copies = copies_of(case, device)
    with case.settings():
        sets = [case.inputs(device, seed=3 * number) for number in range(copies)]
        wait_for(device)
        started = time.perf_counter()
        first = first_call(case, sets[0])
        wait_for(device)
        first_call_ms = (time.perf_counter() - started) * 1e3
        timing = time_call(lambda number: case.call(sets[number % copies]), device, copies, patience)
        last = case.call(sets[0])
        check = case.check(sets[0], last)
        repeatable = torch.equal(first, last)
    return {
        **timing_fields(case, timing),
        "first_call_ms": first_call_ms,
        "cache": "rotated" if is_rotated(case, copies, device) else "hot",
        "ok": check.ok,
        "max_error": check.error,
        "tolerance": check.tolerance,
        "error": "the result is not finite" if check.error is None else None,
        "bitwise_repeatable": repeatable,
    }


def first_call(case: Any, tensors: Any) -> torch.Tensor:
    """The output of a first call, kept; an SDPA backend that refuses the call says why."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            return case.call(tensors).clone()
        except RuntimeError as error:
            if not was_refused(error):
                raise
            words = reasons(case.backend, [str(warning.message) for warning in said])
            raise RefusedError(f"refused by PyTorch: {words or error}") from error


def timing_fields(case: Any, timing: Timing) -> Row:
    summary = timing.summary
    return {
        "median_us": summary.median,
        "min_us": summary.minimum,
        "p05_us": summary.p05,
        "p95_us": summary.p95,
        "ci95_rel": summary.ci95_rel,
        "drift_rel": summary.drift_rel,
        "repetitions": summary.count,
        "discarded": timing.discarded,
        "converged": timing.converged,
        "method": timing.method,
        "sm_clock_mhz": timing.clock_mhz,
        "tflops": case.flop / summary.median / 1e6 if case.flop else None,
        "gb_per_s": case.bytes / summary.median / 1e3,
    }
