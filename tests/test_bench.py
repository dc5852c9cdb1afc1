"""The engine of the benchmarks on the CPU at tiny sizes: statistics, checks, budgets and planted faults.

No test asks how long anything took: where timing decides, the samples are scripted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import random
from typing import Any

import pytest
from present import present

torch = pytest.importorskip("torch")

from cudacheck.bench import attention, cases, checks, engine, kernels, new_length, samplers, sdpa, stats, timing  # noqa: E402
from cudacheck.bench.kinds import CaseKind  # noqa: E402
from cudacheck.probes.patient.benchmark import Measurement  # noqa: E402

CPU = torch.device("cpu")
HASTY = timing.Patience(budget_s=0.005, min_s=0.0, warm_up_s=0.0, longest_warm_up_s=0.002)


# --- statistics


def test_median_and_spread_of_known_samples():
    summary = stats.summarize([float(n) for n in range(1, 101)])
    assert (summary.count, summary.median, summary.minimum) == (100, 50.5, 1.0)
    assert summary.p05 == pytest.approx(5.95)
    assert summary.p95 == pytest.approx(95.05)
    # Ranks 40 and 61 of 100: tables of the sign test.
    assert summary.ci95_rel == pytest.approx((61 - 40) / 2 / 50.5)
    assert summary.drift_rel == pytest.approx(90.5 / 10.5 - 1)


@pytest.mark.parametrize(("count", "ranks"), [(5, None), (6, (0, 5)), (10, (1, 8)), (20, (5, 14)), (50, (17, 32))])
def test_ranks_of_the_sign_test(count, ranks):
    assert stats.median_interval(count) == ranks


def test_the_interval_holds_the_median_as_often_as_it_says():
    draw = random.Random(0)
    held = 0
    for _ in range(1000):
        samples = sorted(draw.lognormvariate(0, 1) for _ in range(25))  # skewed, true median 1
        low, high = present(stats.median_interval(25))
        held += samples[low] <= 1 <= samples[high]
    assert 940 <= held <= 985


def test_few_samples_have_no_interval():
    assert stats.summarize([1.0, 2.0, 3.0]).ci95_rel is None
    assert stats.summarize([1.0] * 19).drift_rel is None


# --- the sampling loop


def scripted(chunks):
    """A sampler that tells these chunks, then the last one for ever."""
    left = list(chunks)
    return lambda _count: left.pop(0) if len(left) > 1 else left[0]


STEADY = samplers.Chunk((10.0, 10.01, 9.99, 10.0, 10.0), clock_mhz=1500.0)


def test_steady_samples_converge():
    result = timing.settle("events", scripted([STEADY]), 10.0, timing.Patience(min_s=0.0, warm_up_s=0.0))
    assert result.converged
    assert result.summary.count == 20
    assert (result.summary.median, result.clock_mhz, result.discarded) == (10.0, 1500.0, 0)


def test_scattered_samples_are_told_as_not_converged():
    noisy = samplers.Chunk((5.0, 10.0, 20.0, 40.0, 80.0))
    patience = timing.Patience(min_s=0.0, warm_up_s=0.0, longest_warm_up_s=0.0, max_samples=100)
    result = timing.settle("events", scripted([noisy]), 10.0, patience)
    assert not result.converged
    assert result.summary.count == 100


def test_a_spent_budget_ends_the_sampling_at_once():
    spent = timing.within(timing.Patience(), 0.0)
    result = timing.settle("events", scripted([STEADY]), 10.0, spent)
    assert not result.converged
    assert result.summary.count == len(STEADY.us)


def test_warm_up_is_left_out():
    cold = [samplers.Chunk((us,) * 5) for us in (900.0, 500.0, 300.0)]
    result = timing.settle("events", scripted([*cold, STEADY]), 10.0, timing.Patience(min_s=0.0, warm_up_s=0.0))
    assert result.summary.p95 < 11


def test_a_moment_of_low_clock_is_discarded_and_counted():
    dip = samplers.Chunk((30.0,) * 5, clock_mhz=500.0)
    kept = timing.without_clock_drops([STEADY, dip, STEADY])
    assert kept == [STEADY, STEADY]


def test_a_power_capped_clock_is_not_discarded():
    """An H200's matmul begins at 1980 MHz and goes on at 1430: that is its speed, not a fault of the samples."""
    capped = samplers.Chunk((13.0,) * 5, clock_mhz=1430.0)
    first = samplers.Chunk((10.0,) * 5, clock_mhz=1980.0)
    assert timing.without_clock_drops([first, capped, capped]) == [first, capped, capped]


def test_events_that_go_backwards_are_not_believed():
    def backwards(_count):
        raise samplers.ClockBrokenError

    with pytest.raises(samplers.ClockBrokenError):
        timing.settle("events", backwards, 10.0, HASTY)


# --- checks


def product(dtype="float16"):
    case = kernels.Matmul(dtype, 96, 80, 64)
    tensors = case.inputs(CPU, seed=0)
    return case, tensors, case.call(tensors)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_a_right_product_passes(dtype):
    case, tensors, out = product(dtype)
    check = case.check(tensors, out)
    assert check.ok
    assert 0 <= check.error <= check.tolerance


def wrong_element(out):
    out[0, 0] += out.std() * 0.2


def wrong_tile(out):
    out[64:, 48:] = 0


def not_a_number(out):
    out[-1, -1] = math.nan


def all_zero(out):
    out.zero_()


def slightly_scaled(out):
    out *= 1.01


@pytest.mark.parametrize("fault", [wrong_element, wrong_tile, not_a_number, all_zero, slightly_scaled])
def test_a_wrong_product_is_rejected(fault):
    case, tensors, out = product()
    fault(out)
    assert not case.check(tensors, out).ok


def test_a_result_that_is_not_finite_is_told_in_words():
    """And not as a number: JSON has no infinity."""
    case = Overflowing("float16", 64, 64, 64)
    (row,) = rows_of(case)
    assert (row.ok, row.max_error, row.error) == (False, None, "the result is not finite")
    json.dumps(dataclasses.asdict(row), allow_nan=False)


class Overflowing(kernels.Matmul):
    def call(self, tensors):
        return super().call(tensors) * 60000


def test_what_a_kernel_does_not_write_is_rejected():
    case = kernels.Matmul("float16", 64, 64, 64)
    tensors = case.inputs(CPU, seed=0)
    assert not case.check(tensors, tensors[2]).ok


def rounded_to_tf32(tensor):
    bits = tensor.view(torch.int32)
    return ((bits + (1 << 12)) & ~((1 << 13) - 1)).view(torch.float32)


def test_tf32_does_not_pass_for_float32():
    a, weight, _ = kernels.Matmul("float32", 64, 64, 64).inputs(CPU, seed=0)
    out = rounded_to_tf32(a) @ rounded_to_tf32(weight).t()
    assert checks.check_matmul(a, weight, out, "tf32").ok
    assert not checks.check_matmul(a, weight, out, "float32").ok


@pytest.mark.parametrize("case", [attention.Attention("float16", 40, 40), attention.Attention("float16", 1, 40)])
def test_attention_of_pytorch_passes(case):
    tensors = case.inputs(CPU, seed=0)
    assert case.check(tensors, case.call(tensors)).ok


def test_wrong_attention_is_rejected():
    case = attention.Attention("float32", 40, 40)
    q, k, v = case.inputs(CPU, seed=0)
    seen_all = sdpa.sdpa(q, k, v, causal=False)
    wrong_groups = sdpa.sdpa(q, k.repeat(1, 6, 1, 1), v.repeat(1, 6, 1, 1), causal=True)
    one_head = case.call((q, k, v)).clone()
    one_head[:, 7] = one_head[:, 6]
    stale_key = sdpa.sdpa(q, k.roll(1, dims=2), v, causal=True)
    for out in (seen_all, wrong_groups, one_head, stale_key):
        assert not case.check((q, k, v), out).ok


def test_rows_looked_at_hold_both_ends_and_never_change():
    rows = checks.some_of(1000, 16)
    assert (len(rows), int(rows[0]), int(rows[-1])) == (16, 0, 999)
    assert torch.equal(rows, checks.some_of(1000, 16))
    assert checks.some_of(3, 16).tolist() == [0, 1, 2]


# --- the engine


PLANTED = CaseKind("planted")


@dataclasses.dataclass(frozen=True)
class Planted:
    """A case that goes wrong where it is told to."""

    fault: str = ""
    kind: CaseKind = PLANTED
    dtype: str = "float32"
    shape: str = "8"
    backend: str | None = None
    flop: int = 8
    bytes: int = 64
    scratch_bytes: int = 0
    calls: list[int] = dataclasses.field(default_factory=list)

    def settings(self):
        return contextlib.nullcontext()

    def inputs(self, device, seed):
        if self.fault == "no memory":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return (torch.arange(8.0, device=device),)

    def call(self, tensors):
        self.calls.append(0)
        if self.fault == "raises":
            raise RuntimeError("an illegal memory access was encountered")
        if self.fault == "raises later" and len(self.calls) > 20:
            raise RuntimeError("an illegal memory access was encountered")
        return tensors[0] * (len(self.calls) if self.fault == "changes" else 1)

    def check(self, tensors, out):
        right = self.fault not in ("wrong", "changes")
        return checks.Check(right, 0.0 if right else 1.0, 0.1)


def rows_of(*planted, budget_s=60.0):
    rows = engine.run(planted, CPU, budget_s, patience=HASTY)
    return [Measurement(**row) for row in rows]


def test_a_planted_fault_costs_its_own_row_only():
    faults = ["", "raises", "raises later", "no memory", "wrong", "changes", ""]
    rows = rows_of(*map(Planted, faults))
    assert [row.error is not None for row in rows] == [False, True, True, True, False, False, False]
    assert [row.ok for row in rows] == [True, None, None, None, False, False, True]
    assert [row.bitwise_repeatable for row in rows[4:]] == [True, False, True]
    assert rows[1].error == "RuntimeError: an illegal memory access was encountered"
    assert rows[3].error == "OutOfMemoryError: CUDA out of memory"


def test_without_time_every_case_is_told_as_skipped():
    rows = rows_of(Planted(), Planted(), budget_s=0.0)
    assert [row.skipped for row in rows] == ["the time budget of 0 s was used up"] * 2
    assert [row.median_us for row in rows] == [None, None]


def test_what_does_not_fit_our_share_of_memory_is_not_tried():
    (row,) = rows_of(kernels.Matmul("float32", 20000, 20000, 20000))
    assert row.skipped == "needs 8.9 GiB; 15% of the free memory is 0.1 GiB"
    scores = attention.Attention("float16", 8192, 8192, backend="math")
    assert rows_of(scores)[0].skipped


def test_progress_is_told_before_each_case():
    told: list[tuple[int, int]] = []
    planted: list[Any] = [Planted(), Planted("raises")]
    engine.run(planted, CPU, 60.0, lambda done, total, _: told.append((done, total)), HASTY)
    assert told == [(0, 2), (1, 2)]


def test_inputs_are_taken_in_turn():
    taken: list[int] = []
    timing.time_call(taken.append, CPU, 1, HASTY)
    assert taken == list(range(len(taken)))


@pytest.mark.parametrize("listed", ["doctor", "standard"])
def test_every_case_runs_and_is_right(listed):
    if listed == "doctor":
        chosen = cases.doctor_cases(lambda _dtype: 64, length=16)
    else:
        layers = (("qkv", 64, 96), ("lm_head", 64, 200))
        chosen = cases.standard_cases(lambda _dtype: 64, length=16, copied_numbers=4096, layers=layers)
    rows = rows_of(*chosen)
    assert len(rows) == len(chosen)
    for row in rows:
        assert row.error is None, row
        assert row.skipped is None or row.skipped.startswith("refused by PyTorch"), row
        assert row.skipped or row.median_us > 0
        assert row.ok in (True, None)


def test_no_two_cases_share_a_new_length():
    for chosen in (cases.doctor_cases(lambda _: 64), cases.standard_cases(lambda _: 64)):
        lengths = [n for case in chosen if isinstance(case, new_length.NewLength) for n in case.lengths]
        assert len(lengths) == len(set(lengths)) >= 6


def test_a_refused_backend_says_so():
    (row,) = rows_of(attention.Attention("float16", 16, 16, backend="efficient"))
    assert row.skipped.startswith("refused by PyTorch: ")
    assert row.ok is None
    assert row.error is None


def fail_within(setting, during):
    with setting:
        assert during()
        raise ZeroDivisionError


@pytest.mark.parametrize("precision", ["ieee", "tf32"])
def test_precision_is_put_back_after_a_fault(precision):
    matmul = torch.backends.cuda.matmul
    before = matmul.fp32_precision
    with pytest.raises(ZeroDivisionError):
        fail_within(kernels.float32_precision(precision), lambda: matmul.fp32_precision == precision)
    assert matmul.fp32_precision == before


def test_cudnn_attention_is_switched_on_again_after_a_fault():
    cuda = torch.backends.cuda
    with pytest.raises(ZeroDivisionError):
        fail_within(sdpa.without_cudnn(), lambda: not cuda.cudnn_sdp_enabled())
    assert cuda.cudnn_sdp_enabled()


def test_work_is_counted_as_others_count_it():
    """FlashAttention's benchmark counts 4·B·S²·H·D, half of it under a causal mask; a matmul is 2·m·n·k."""
    assert kernels.Matmul("float16", 2, 3, 5).flop == 60
    assert attention.Attention("float16", 2048, 2048).flop == 2 * 2048**2 * 12 * 128
    assert attention.Attention("float16", 1, 512).flop == 4 * 512 * 12 * 128
    assert kernels.Copy(1 << 20).bytes == 8 << 20
    assert kernels.Matmul("bfloat16", 1, 151936, 1536).bytes == pytest.approx(467e6, rel=0.001)


def test_what_convicts_is_measured_as_a_pair_whatever_time_is_left():
    planned = cases.doctor_cases(lambda _: 64, length=64)
    rows = [Measurement(**row) for row in engine.run(planned, CPU, 0.0, patience=HASTY)]
    ran = [(row.case, row.backend) for row in rows if not row.skipped]
    assert ran == [("attention at a new length", "default"), ("attention at a new length", "cudnn off")]
