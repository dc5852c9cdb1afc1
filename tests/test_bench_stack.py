"""The tiny model through whatever transformers is installed; none is, where only the test extra is."""

from __future__ import annotations

import dataclasses
import sys

import pytest
from present import present

torch = pytest.importorskip("torch")

from cudacheck.bench import stack, steps  # noqa: E402
from cudacheck.probes.patient.bench_steps import StepRow  # noqa: E402

CPU = torch.device("cpu")
TINY = dataclasses.replace(steps.TINY, layers=1)


def rows(shape: steps.Shape) -> dict[str, StepRow]:
    told = [StepRow(**fields, device_index=0) for fields in stack.measured(CPU, shape)]
    return {row.row: row for row in told}


def test_without_transformers_one_row_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    (row,) = rows(TINY).values()
    assert present(row.skipped).startswith("transformers does not import: ModuleNotFoundError")
    assert row.error is None


def test_every_variant_is_measured_or_says_why_not():
    pytest.importorskip("transformers", reason="the test extra does not install transformers")
    told = rows(TINY)
    assert [*told] == [*stack.VARIANTS]
    for name in ("eager", "sdpa", "sdpa static cache"):
        row = told[name]
        assert (row.error, row.skipped, row.compile_s) == (None, None, None)
        times = row.ttft_first_ms, row.ttft_new_ms, row.ttft_ms, row.ttft_long_first_ms, row.ttft_long_ms
        assert all(present(ms) > 0 for ms in (*times, row.itl_first_ms, row.itl_ms))
        assert 2 * TINY.parameters < present(row.weights_bytes) < 2.02 * TINY.parameters  # biases and norms besides
    assert told["sdpa static cache, compiled"].skipped == "generate compiles on a GPU only"


def test_a_variant_that_raises_is_an_error_in_its_row():
    pytest.importorskip("transformers", reason="the test extra does not install transformers")
    told = rows(dataclasses.replace(TINY, heads=3))
    assert [*told] == [*stack.VARIANTS]
    assert all(told[name].error for name in ("eager", "sdpa", "sdpa static cache"))
    assert told["sdpa static cache, compiled"].skipped
