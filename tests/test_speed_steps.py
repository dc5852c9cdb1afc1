"""What the measurements of `bench steps` mean, by examples: gains, shares, stalls, starts, advice, the article."""

from __future__ import annotations

import ast
import dataclasses
import typing

import pytest
import steps_example as example

from cudacheck.bench import steps as options
from cudacheck.facts import Facts
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.target.bench_steps import (
    ColdStart,
    Concurrency,
    DecodeCeiling,
    NewLengthStalls,
    PrefixReuse,
    StepRow,
)
from cudacheck.probes.target.torch_cuda import TorchDevice
from cudacheck.speed import article_table, first_answer, ladder, step_advice, step_code, steps

A10 = TorchDevice(0, "NVIDIA A10", compute_capability="8.6")


def run_of(*facts):
    (run,) = steps.of(Facts(facts))
    return run


def row(name, table="ladder", **fields):
    return StepRow(name, table, 0, **fields)


FULL = run_of(*example.EVERYTHING)
QUICK = run_of(*example.QUICK)


def by_name(rungs):
    return {rung.row.row: rung for rung in rungs}


# The ladder


def test_the_steps_are_those_of_the_options():
    assert [*steps.ACTS_ON] == [*options.ladder()]
    assert {*options.ladder(), *options.without(), "compile"} <= {*step_code.NAMES}
    assert {*step_code.NAMES} - {"fp32"} == {*step_code.CODE} == {*step_code.WHERE}


def test_rows_stand_in_the_order_of_the_steps_however_they_were_measured():
    run = run_of(*reversed(example.LADDER))
    assert [rung.row.row for rung in ladder.ladder(run)] == [*options.ladder()]


def test_each_row_is_compared_with_the_one_below():
    found = by_name(ladder.ladder(FULL))
    assert (found["fused"].over, found["fused"].steps) == ("static-cache", ("fused",))
    assert found["decode-graph"].gains["decode"].times == pytest.approx(487 / 154)
    assert found["prefill-graph"].gains["ttft"].times == pytest.approx(10.1 / 2.61)
    assert found["sdpa"].gains["ttft_new"].verdict == "slower"
    assert found["fp32"].gains == {}


def test_what_a_step_cannot_change_is_no_gain_of_it():
    found = by_name(ladder.ladder(FULL))
    assert not found["kv-cache"].gains["ttft"].meant
    assert found["kv-cache"].gains["ttft"].verdict == "faster"
    assert not found["kv-cache"].gains["ttft"].pays


def test_rows_that_were_left_out_are_steps_of_the_next():
    found = by_name(ladder.ladder(QUICK))
    assert [*found] == ["sdpa", "cudnn-off", "fused", "prefill-graph"]
    assert found["fused"].steps == ("static-cache", "fused")
    assert found["prefill-graph"].steps == ("decode-graph", "prefill-graph")


def test_rows_that_failed_are_compared_with_nothing():
    found = by_name(ladder.ladder(run_of(*example.failing("sdpa", "kv-cache", "fused"))))
    assert [name for name, rung in found.items() if not rung.usable] == ["kv-cache", "sdpa", "fused"]
    assert found["cudnn-off"].over == "16bit"
    assert found["cudnn-off"].steps == ("kv-cache", "sdpa", "cudnn-off")
    assert found["decode-graph"].over == "static-cache"
    assert found["fused"].gains == {}


def test_two_captures_of_the_same_kernels_are_no_difference():
    slow, quick = row("decode-graph", itl_ms=1e3 / 466), row("prefill-graph", itl_ms=1e3 / 497)
    assert steps.gains(slow, quick)["decode"].verdict == "same"
    assert steps.gains(quick, slow)["decode"].verdict == "same"


def test_passes_that_differ_make_small_gains_none():
    slow, quick = row("fused", itl_ms=12.0, itl_spread_rel=0.5), row("decode-graph", itl_ms=10.0)
    assert steps.gains(slow, quick)["decode"].verdict == "same"
    steady = dataclasses.replace(slow, itl_spread_rel=0.01)
    assert steps.gains(steady, quick)["decode"].verdict == "faster"


def test_shares_of_the_ceilings():
    found = by_name(ladder.ladder(FULL))
    best = found["prefill-graph"]
    assert (best.of_floor, best.of_gemv) == (pytest.approx(0.338, abs=1e-3), pytest.approx(0.582, abs=1e-3))
    assert best.ttft_of_floor == pytest.approx(0.278, abs=1e-3)
    assert best.ttft_long_of_floor == pytest.approx(0.490, abs=1e-3)
    assert (best.launches, best.gpu_ms) == (431, 1.98)
    assert found["fp32"].floor_ms == pytest.approx(2 * found["16bit"].floor_ms)
    assert found["fp32"].of_gemv is None


def test_without_a_ceiling_there_are_no_shares():
    rung = by_name(ladder.ladder(run_of(*example.LADDER)))["prefill-graph"]
    assert (rung.of_floor, rung.of_gemv, rung.ttft_of_floor) == (None, None, None)


def test_leaving_one_step_out():
    found = by_name(ladder.without(FULL))
    assert found["fused"].gains["decode"].times == pytest.approx(463 / 280)
    assert found["16bit"].gains["ttft_long"].times == pytest.approx(73.6 / 7.5)
    assert found["cudnn-off"].gains["ttft_new"].verdict == "same"


def test_your_stack_beside_the_best():
    found = by_name(ladder.stack(FULL))
    assert found["sdpa"].gains["decode"].times == pytest.approx(463 / 60)
    assert found["sdpa"].gains["ttft_new"].times == pytest.approx(68 / 2.61)
    assert not found["flash-attention-2"].usable


def test_the_best_row_is_the_highest_that_works():
    assert FULL.best.row == "prefill-graph"
    assert run_of(*example.failing("prefill-graph")).best.row == "decode-graph"
    assert run_of(*example.STALLS).best is None


def test_gpus_are_kept_apart():
    other = [dataclasses.replace(found, device_index=1, itl_ms=9.0) for found in example.LADDER]
    first, second = steps.of(Facts([*example.LADDER, *other]))
    assert (first.best.itl_ms, second.best.itl_ms) == (pytest.approx(1e3 / 463), 9.0)
    assert steps.of(Facts(example.MACHINE)) == []


# Stalls and cold starts


def stalled(setting, first_ms, again_ms, decode=(430.0, 430.0), **more):
    return NewLengthStalls(setting, 0, None, (first_ms,) * 20, (again_ms,) * 20, 32, *decode, **more)


def test_the_stall_of_an_h200_and_its_cure():
    found = first_answer.stalls(FULL)
    assert (found.stalled, found.cured) == (True, True)
    assert found.default.extra_ms == pytest.approx(46.8)
    assert found.default.decode_extra_ms == pytest.approx((1616 - 465) / 32)
    assert found.off.extra_ms == pytest.approx(2.8)
    assert found.lines[0].startswith("default: 46.8 ms more at a new length (worst of 20: 75.0)")
    assert found.lines[-1].endswith("switched off, the stall is gone")


OFF = stalled("cudnn off", 16.0, 13.2, (566.0, 429.0))


@pytest.mark.parametrize(
    ("facts", "is_stalled", "cured", "line"),
    [
        ((stalled("default", 13.2, 13.0), OFF), False, None, "do not stall"),
        ((stalled("default", 61.0, 14.0),), True, None, "was not measured"),
        ((stalled("default", 61.0, 14.0), stalled("cudnn off", 55.0, 14.0)), True, False, "something else"),
        ((stalled("default", 14.0, 14.0, (1616.0, 465.0)), OFF), True, True, "the stall is gone"),
        (
            (stalled("default", 61.0, 14.0, (1616.0, 465.0)), stalled("cudnn off", 24.0, 14.0)),
            True,
            True,
            "10.0 ms are left",
        ),
        ((OFF,), None, None, "cudnn off: 2.8 ms more"),
        ((NewLengthStalls("default", 0, error="died of SIGSEGV (11)"), OFF), None, None, "cudnn off"),
        ((stalled("default", 61.0, 14.0), NewLengthStalls("cudnn off", 0, error="x")), True, None, "was not measured"),
    ],
)
def test_stalls(facts, is_stalled, cured, line):
    found = first_answer.stalls(run_of(*facts))
    assert (found.stalled, found.cured) == (is_stalled, cured)
    assert line in found.lines[-1]


def test_a_failed_setting_says_so():
    found = first_answer.stalls(run_of(NewLengthStalls("default", 0, error="died of SIGSEGV (11)")))
    assert found.lines == ("default: died of SIGSEGV (11)",)
    assert first_answer.stalls(run_of(*example.COLD)) is None


def test_a_cold_start_split_up():
    default, off = first_answer.starts(FULL)
    assert (default.measured.setting, off.measured.setting) == ("default", "cudnn off")
    assert default.total_s == pytest.approx(3.541)
    assert default.once_s == pytest.approx(3.541 - 0.1 - 0.016)
    assert default.complete
    assert sum(part.share for part in default.parts) == pytest.approx(1)
    assert max(default.parts, key=lambda part: part.share).name == "import torch"


def test_a_cold_start_of_which_parts_are_not_known():
    (start,) = first_answer.starts(run_of(ColdStart("default", 0, import_s=2.0)))
    assert (start.total_s, start.complete, start.once_s) == (2.0, False, 2.0)
    assert first_answer.starts(run_of(ColdStart("default", 0)))[0].parts == ()


# Advice


def advised(run):
    return {step.step: step for step in step_advice.advice(run).steps}


def test_what_to_take_on_an_h200():
    told = step_advice.advice(FULL)
    assert [step.step for step in told.steps] == [
        "16bit",
        "cudnn-off",
        "prefill-graph",
        "decode-graph",
        "batched",
        "prefix",
        "fused",
        "sdpa",
    ]
    assert [round(step.times, 1) for step in told.steps] == [4.9, 4.1, 3.9, 3.3, 2.8, 2.8, 1.7, 1.2]
    assert told.nothing == (
        "KV cache (1.06 × tokens per second)",
        "static KV cache (1.01 × tokens per second; CUDA graphs need it)",
    )
    assert "CUDA graph for decode (3.3 × tokens per second)" in told.sentence
    assert "\n" not in told.sentence


def test_a_gain_that_only_the_host_s_noise_may_have_made_is_not_advised():
    """SDPA's 1.2 × between rows that the host launches counts only where leaving it out says so, too."""
    alone = [found for found in example.LADDER if found.row in ("kv-cache", "sdpa")]
    assert "sdpa" not in advised(run_of(*alone))
    assert "sdpa" in advised(FULL)
    assert advised(FULL)["sdpa"].but == "first token at a new length 0.3 × over kv-cache"


def test_quick_advises_what_was_measured_together():
    assert [*advised(QUICK)] == ["cudnn-off", "decode-graph + prefill-graph", "static-cache + fused"]
    assert advised(QUICK)["static-cache + fused"].name == "static KV cache and fused weights"


def test_no_step_is_named_below_a_gain_of_eight_percent():
    flat = [
        dataclasses.replace(found, itl_ms=10.0, ttft_ms=5.0, ttft_new_ms=5.0, ttft_long_ms=9.0)
        for found in example.LADDER
    ]
    told = step_advice.advice(run_of(*flat))
    assert told.steps == ()
    assert told.sentence.startswith("no step is worth it on this GPU")
    assert len(told.nothing) == len(example.LADDER) - 1


def test_the_stall_alone_is_enough_to_advise_its_cure():
    (step,) = step_advice.advice(run_of(*example.STALLS)).steps
    assert (step.step, step.code) == ("cudnn-off", "torch.backends.cuda.enable_cudnn_sdp(False)")
    assert step.by == "in processes of their own"
    assert step_advice.advice(run_of(stalled("default", 61.0, 14.0))).steps == ()


@pytest.mark.parametrize(
    "why", [Gpu(0, uuid=example.UUID, utilization_percent=97), EnvironmentVariables({"CUDA_LAUNCH_BLOCKING": "1"})]
)
def test_nothing_is_advised_from_a_disturbed_run(why):
    facts = [fact for fact in example.EVERYTHING if type(fact) is not type(why)]
    told = step_advice.advice(run_of(*facts, why))
    assert told.steps == ()
    assert told.sentence.startswith("no step is advised: ")


def test_a_wrong_result_is_never_advised():
    wrong = [dataclasses.replace(found, ok=False) if found.row == "compile" else found for found in example.EXTRAS]
    quick = [dataclasses.replace(found, itl_ms=1.0) for found in wrong]
    assert "compile" not in advised(run_of(*example.LADDER, *quick))
    assert "compile" in advised(run_of(*example.LADDER, *[dataclasses.replace(found, ok=True) for found in quick]))
    bad = dataclasses.replace(example.PREFIX, ok=False)
    assert "prefix" not in advised(run_of(*example.LADDER, bad))


@pytest.mark.parametrize("step", [*step_code.CODE])
def test_the_code_of_each_step_is_python(step):
    code, where = step_code.of(step, "float16")
    assert code.strip()
    assert where
    assert "{" not in code
    ast.parse(code)


def test_the_code_that_fuses_weights_computes_the_same():
    import torch
    import torch.nn.functional as F  # noqa: N812 - its name everywhere

    torch.manual_seed(0)
    shapes = {"q_proj": (16, 16), "k_proj": (16, 4), "v_proj": (16, 4), "o_proj": (16, 16)}
    maps = {name: torch.nn.Linear(*sizes, bias=False) for name, sizes in shapes.items()}
    names = {**maps, "torch": torch, "F": F, "norm": torch.nn.RMSNorm(16), "eps": 1e-6, "x": torch.randn(3, 16)}
    x, added = names["x"].clone(), maps["o_proj"](F.rms_norm(names["x"], (16,), names["norm"].weight, 1e-6))
    with torch.inference_mode():
        exec(step_code.of("fused", "")[0], names)
        expected = [x, maps["q_proj"](x), maps["k_proj"](x), maps["v_proj"](x)]
        torch.testing.assert_close([names["q"], names["k"], names["v"]], expected[1:])
        torch.testing.assert_close(names["x"], x + added)


def test_the_switch_of_cudnn_s_attention_exists():
    import torch

    before = torch.backends.cuda.cudnn_sdp_enabled()
    try:
        exec(step_code.of("cudnn-off", "")[0], {"torch": torch})
        assert torch.backends.cuda.cudnn_sdp_enabled() is False
    finally:
        torch.backends.cuda.enable_cudnn_sdp(before)


# The article


def article(*facts):
    return {row.claim.measure: row for row in article_table.compared(run_of(*facts))}


def test_the_article_s_figures_beside_an_h200():
    found = article(*example.EVERYTHING)
    assert [*found] == ["ttft", "e2e", "decode", "memory", "attention", "prefill", "concurrent"]
    assert found["ttft"].bound == pytest.approx(0.000726, abs=1e-6)
    assert found["e2e"].bound == pytest.approx(0.1859, abs=1e-4)
    assert found["e2e"].after == pytest.approx((2.61 + 255e3 / 463) / 1e3)
    assert found["decode"].bound == pytest.approx(1377, abs=1)
    assert (found["decode"].before, found["decode"].after) == (pytest.approx(60), pytest.approx(463))
    assert found["decode"].before_row == "stack sdpa"
    assert found["memory"].before == pytest.approx(7.197, abs=1e-3)
    assert found["attention"].bound is None
    assert "neither bandwidth nor arithmetic" in found["attention"].bound_from
    assert found["attention"].after == pytest.approx(11.5 / 7.5)
    assert (found["prefill"].before, found["prefill"].after) == (10.9, 7.5)
    assert (found["concurrent"].before, found["concurrent"].after) == (0.834, 0.3)
    assert all(not row.why_not for row in found.values())
    assert all(row.possible in (True, None) for row in found.values())


def test_a_claim_that_a_gpu_cannot_meet():
    slow = dataclasses.replace(example.CEILING, read_gb_per_s=280.0, gemv_ms=11.5, matmul_tflops=100.0)
    found = article(A10, slow, *example.LADDER)
    assert found["e2e"].bound == pytest.approx(256 * 11.04 / 1e3, abs=0.01)
    assert found["e2e"].possible is False
    assert found["decode"].possible is True
    assert found["prefill"].bound == pytest.approx(27.7)


def test_what_nobody_measured_says_so():
    found = article(*example.STALLS)
    assert all(row.bound is None and row.possible is None and row.bound_from for row in found.values())
    assert all(row.before is None and row.after is None and row.why_not for row in found.values())
    assert article(*example.QUICK)["concurrent"].why_not == "measured with --concurrency"


def test_the_end_to_end_time_of_a_slow_row_is_put_together():
    found = article(row("sdpa", ttft_ms=13.0, itl_ms=14.0), row("fused", ttft_ms=6.0, itl_ms=6.5, e2e_ms=1700.0))
    assert (found["e2e"].before, found["e2e"].after) == (pytest.approx(3.583), 1.7)
    assert found["prefill"].why_not == "no row with a CUDA graph for prefill was measured"


# Reports from elsewhere


@pytest.mark.parametrize("value", [0.0, -1.0, 1e-30, 1e30, None])
def test_no_number_in_a_report_makes_it_raise(value):
    kinds = (StepRow, NewLengthStalls, ColdStart, DecodeCeiling, PrefixReuse, Concurrency)

    def garbled(fact):
        hints = typing.get_type_hints(type(fact))
        numbers = [f.name for f in dataclasses.fields(fact) if {float, type(None)} <= {*typing.get_args(hints[f.name])}]
        return dataclasses.replace(fact, **dict.fromkeys(numbers, value))

    run = run_of(*(garbled(fact) if isinstance(fact, kinds) else fact for fact in example.EVERYTHING))
    assert len(ladder.ladder(run)) == len(example.LADDER)
    assert ladder.without(run)
    assert ladder.stack(run)
    assert ladder.extras(run)
    assert step_advice.advice(run).sentence
    assert first_answer.stalls(run).lines
    assert len(article_table.compared(run)) == 7
    assert len(first_answer.starts(run)) == 2
