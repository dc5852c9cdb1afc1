"""What the measurements of `bench steps` mean, by examples: gains, shares, stalls, starts, advice, the article."""

from __future__ import annotations

import ast
import builtins
import contextlib
import dataclasses
import functools
import types
import typing
from typing import Any

import pytest
import steps_example as example
from present import present

from cudacheck.bench import steps as options
from cudacheck.model.facts import Facts
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.patient.bench_steps import (
    ColdStart,
    Concurrency,
    DecodeCeiling,
    NewLengthStalls,
    PrefixReuse,
    StepRow,
)
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.speed.steps import advice, article_table, first_answer, ladder, measured
from cudacheck.speed.steps import code as step_code

A10 = TorchDevice(0, "NVIDIA A10", compute_capability="8.6")


def run_of(*facts):
    (run,) = measured.of(Facts(facts))
    return run


def row(name, table="ladder", **fields):
    return StepRow(name, table, 0, **fields)


FULL = run_of(*example.EVERYTHING)
QUICK = run_of(*example.QUICK)


def by_name(rungs):
    return {rung.row.row: rung for rung in rungs}


# The ladder


def test_the_steps_are_those_of_the_options():
    assert [*measured.ACTS_ON] == [*options.ladder()]
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
    assert measured.gains(slow, quick)["decode"].verdict == "same"
    assert measured.gains(quick, slow)["decode"].verdict == "same"


def test_passes_that_differ_make_small_gains_none():
    slow, quick = row("fused", itl_ms=12.0, itl_spread_rel=0.5), row("decode-graph", itl_ms=10.0)
    assert measured.gains(slow, quick)["decode"].verdict == "same"
    steady = dataclasses.replace(slow, itl_spread_rel=0.01)
    assert measured.gains(steady, quick)["decode"].verdict == "faster"


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
    first, second = measured.of(Facts([*example.LADDER, *other]))
    assert present(first.best).itl_ms == pytest.approx(1e3 / 463)
    assert present(second.best).itl_ms == 9.0
    assert measured.of(Facts(example.MACHINE)) == []


# Stalls and cold starts


def stalled(setting, first_ms, again_ms, decode=(430.0, 430.0), **more):
    return NewLengthStalls(setting, 0, None, (first_ms,) * 20, (again_ms,) * 20, 32, *decode, **more)


def test_the_stall_of_an_h200_and_its_cure():
    found = present(first_answer.stalls(FULL))
    assert (found.stalled, found.cured) == (True, True)
    default, off = present(found.default), present(found.off)
    assert default.extra_ms == pytest.approx(46.8)
    assert default.decode_extra_ms == pytest.approx((1616 - 465) / 32)
    assert off.extra_ms == pytest.approx(2.8)
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
    found = present(first_answer.stalls(run_of(*facts)))
    assert (found.stalled, found.cured) == (is_stalled, cured)
    assert line in found.lines[-1]


def test_a_failed_setting_says_so():
    found = present(first_answer.stalls(run_of(NewLengthStalls("default", 0, error="died of SIGSEGV (11)"))))
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
    return {step.step: step for step in advice.advice(run).steps}


def test_what_to_take_on_an_h200():
    told = advice.advice(FULL)
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
        "KV cache (no difference beyond the host's noise)",
        "static KV cache (no difference beyond the host's noise; CUDA graphs need it)",
    )
    assert "CUDA graph for decode (3.3 × tokens per second)" in told.sentence
    assert "\n" not in told.sentence


def test_a_gain_that_only_the_host_s_noise_may_have_made_is_not_advised():
    """SDPA's 1.2 × between rows that the host launches counts only where leaving it out says so, too."""
    alone = [found for found in example.LADDER if found.row in ("kv-cache", "sdpa")]
    assert "sdpa" not in advised(run_of(*alone))
    assert "sdpa" in advised(FULL)
    assert advised(FULL)["sdpa"].but == "first token at a new length 0.3 × over kv-cache"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"itl_ms": 1e3 / 36}, "no difference beyond the host's noise"),  # of 63: an H200 once
        ({"itl_ms": 1e3 / 20}, "0.32 × tokens per second"),
    ],
)
def test_the_host_s_noise_is_no_figure(changed, said):
    rows = [dataclasses.replace(row, **changed) if row.row == "kv-cache" else row for row in example.LADDER[:3]]
    assert f"KV cache ({said})" in advice.advice(run_of(*rows)).nothing


def test_of_two_tables_that_differ_the_one_with_graphs_is_told():
    told = advice.advice(run_of(*example.LADDER, *example.WITHOUT))
    rows = [dataclasses.replace(row, ttft_ms=2.6, ttft_new_ms=2.6, ttft_long_ms=7.5) for row in example.WITHOUT[1:2]]
    assert "sdpa" in {step.step for step in told.steps}
    assert "SDPA (1.00 × tokens per second)" in advice.advice(run_of(*example.LADDER, *rows)).nothing


def test_more_than_two_steps_at_once_say_which_rows_to_add():
    run = run_of(*(row for row in example.LADDER if row.row in ("fp32", "prefill-graph")))
    told = advice.advice(run)
    (step,) = told.steps
    assert step.name == "8 steps together, from 16-bit weights to CUDA graphs for prefill"
    assert step.code == ""
    assert f"--rows={','.join(options.ladder())}`" in step.where
    assert len(told.sentence) < 120


def test_steps_between_which_every_row_failed_are_not_told_apart():
    step = advised(run_of(*example.failing("kv-cache", "sdpa", "cudnn-off", "static-cache")))
    told = advice.advice(run_of(*example.failing("static-cache", "sdpa", "fused")))
    assert all(not found.code for found in told.steps if found.step.count("+") > 1)
    assert "--rows" not in " ".join(found.where for found in (*step.values(), *told.steps))


def test_what_your_stack_gave_is_told_with_the_code():
    timed = dataclasses.replace(example.STACK[3], compile_s=24.0)
    told = advised(run_of(*example.LADDER, *example.STACK[:3], timed))["decode-graph"]
    assert told.where.endswith("on your stack: 5.1 × the tokens per second of a growing cache, after 24 s of compiling")
    unknown = advised(run_of(*example.LADDER))["decode-graph"]
    assert "compiling took 24 s at first on an H200: `--stack` measures yours" in unknown.where
    assert unknown.code.startswith("model.generate(")


@pytest.mark.parametrize("why", [{"skipped": "transformers 4.44.2 has no static cache for Qwen2"}, {"error": "OOM"}])
def test_what_your_stack_cannot_run_is_not_printed(why):
    refused = dataclasses.replace(example.STACK[3], itl_ms=None, **why)
    told = advised(run_of(*example.LADDER, refused))
    assert told["decode-graph"].code == ""
    assert told["decode-graph"].where.endswith(f"not on your stack: {next(iter(why.values()))}")
    assert "static_x" in told["prefill-graph"].code


def test_what_compiling_costs_at_first_is_told():
    quick = [dataclasses.replace(found, itl_ms=1.0) for found in example.EXTRAS if found.row == "compile"]
    assert "a model of your own with a static cache" in advised(run_of(*example.LADDER, *quick))["compile"].where
    assert "compiling took 4 s at first" in advised(run_of(*example.LADDER, *quick))["compile"].where
    older = dataclasses.replace(quick[0], compile_s=None, capture_s=5.7)
    assert "compiling took 6 s at first" in advised(run_of(*example.LADDER, older))["compile"].where


def test_what_is_a_default_already_is_called_one():
    where = advised(FULL)["16bit"].where
    assert "5 loads the checkpoint's own type by default, 4 float32" in where
    assert "by default" not in advised(FULL)["fused"].where
    assert "a server that batches continuously: `cudacheck explain article`, block C7" in advised(FULL)["batched"].where


def test_quick_advises_what_was_measured_together():
    assert [*advised(QUICK)] == ["cudnn-off", "decode-graph + prefill-graph", "static-cache + fused"]
    assert advised(QUICK)["static-cache + fused"].name == "static KV cache and fused weights"


def test_no_step_is_named_below_a_gain_of_eight_percent():
    flat = [
        dataclasses.replace(found, itl_ms=10.0, ttft_ms=5.0, ttft_new_ms=5.0, ttft_long_ms=9.0)
        for found in example.LADDER
    ]
    told = advice.advice(run_of(*flat))
    assert told.steps == ()
    assert told.sentence.startswith("no step is worth it on this GPU")
    assert len(told.nothing) == len(example.LADDER) - 1


def test_the_stall_alone_is_enough_to_advise_its_cure():
    (step,) = advice.advice(run_of(*example.STALLS)).steps
    assert (step.step, step.code) == ("cudnn-off", "torch.backends.cuda.enable_cudnn_sdp(False)")
    assert step.by == "in processes of their own"
    assert advice.advice(run_of(stalled("default", 61.0, 14.0))).steps == ()


@pytest.mark.parametrize(
    "why", [Gpu(0, uuid=example.UUID, utilization_percent=97), EnvironmentVariables({"CUDA_LAUNCH_BLOCKING": "1"})]
)
def test_nothing_is_advised_from_a_disturbed_run(why):
    facts = [fact for fact in example.EVERYTHING if type(fact) is not type(why)]
    told = advice.advice(run_of(*facts, why))
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


def test_no_word_of_a_report_comes_into_the_code():
    assert step_code.of("16bit", "float16); import os  #")[0].endswith("dtype=torch.bfloat16)")
    assert step_code.of("16bit", "float16")[0].endswith("dtype=torch.float16)")


def test_two_steps_at_once_are_told_apart():
    code, where = step_code.of("kv-cache + sdpa", "")
    assert code.index("from_pretrained") < code.index("model.generate")
    assert where == "in transformers, where it is the default"
    code, where = step_code.of("decode-graph + prefill-graph", "")
    assert code.count("\n\nstatic_x = ") == 1
    assert where.startswith("CUDA graph for decode: in transformers 4.48 or newer")
    assert "; CUDA graphs for prefill: in a program of your own" in where
    ast.parse(code)


def names_of(code):
    """What a piece of Python reads before it is defined there, builtins left out."""
    needed, defined = set(), {*dir(builtins)}
    for statement in ast.parse(code).body:
        nodes = [*ast.walk(statement)]
        arguments = {node.arg for node in nodes if isinstance(node, ast.arg)}
        named = [node for node in nodes if isinstance(node, ast.Name)]
        needed |= {node.id for node in named if isinstance(node.ctx, ast.Load)} - defined - arguments
        defined |= {node.id for node in named if isinstance(node.ctx, ast.Store)}
        defined |= {node.asname or node.name for node in nodes if isinstance(node, ast.alias)}
    return needed


@pytest.mark.parametrize(
    ("step", "theirs"),
    [
        ("16bit", {"AutoModelForCausalLM", "name", "torch"}),
        ("sdpa", {"AutoModelForCausalLM", "name"}),
        ("kv-cache", {"model", "inputs"}),
        ("static-cache", {"model", "inputs"}),
        ("decode-graph", {"model", "inputs"}),
        ("cudnn-off", {"torch"}),
        ("fused", {"torch", "q_proj", "k_proj", "v_proj", "o_proj", "norm", "eps", "x", "attention"}),
        ("prefill-graph", {"torch", "fn"}),
        ("compile", {"torch", "decode_layer"}),
        ("prefix", {"torch", "model", "ids"}),
        ("batched", {"tok", "model", "prompts"}),
    ],
)
def test_the_code_needs_only_names_that_its_reader_has(step, theirs):
    assert names_of(step_code.of(step, "")[0]) == theirs


@pytest.mark.parametrize("shape", [(2, 5, 16), (5, 16)])
def test_the_code_that_fuses_weights_computes_the_same(shape):
    """On modules as those of transformers' Qwen2: biases for query, key and value, none for the rest."""
    import torch
    import torch.nn.functional as F  # noqa: N812 - its name everywhere

    torch.manual_seed(0)
    sizes = {"q_proj": 16, "k_proj": 8, "v_proj": 8}
    maps = {name: torch.nn.Linear(16, size) for name, size in sizes.items()}
    o_proj, norm = torch.nn.Linear(16, 16, bias=False), torch.nn.RMSNorm(16, eps=1e-6)
    torch.nn.init.normal_(norm.weight)
    x = torch.randn(*shape)

    def attention(q, k, v):
        q, k, v = (tensor.unflatten(-1, (-1, 4)).transpose(-3, -2) for tensor in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return y.transpose(-3, -2).flatten(-2)

    names = {**maps, "o_proj": o_proj, "norm": norm, "eps": 1e-6, "attention": attention, "x": x, "torch": torch}
    with torch.inference_mode():
        y = norm(x)
        expected = x + o_proj(attention(*(maps[name](y) for name in sizes)))
        exec(step_code.of("fused", "")[0], names)
    torch.testing.assert_close(names["x"], expected)


def test_the_code_that_captures_a_graph_answers_each_prompt():
    """All but the GPU's part: a graph on a CPU only notes down what it would replay."""
    import torch

    def fn(ids):
        return ids.float().cumsum(-1)

    names: dict[str, Any] = {"fn": fn}
    calls: list[str] = []

    class Graph:
        def replay(self):
            calls.append("replay")
            names["static_y"].copy_(fn(names["static_x"]))

    class Stream:
        def wait_stream(self, other):
            calls.append("wait")

    def within(what):
        calls.append(type(what).__name__)
        return contextlib.nullcontext()

    cuda = types.SimpleNamespace(
        CUDAGraph=Graph, Stream=Stream, current_stream=Stream, graph=within, stream=within, synchronize=lambda: None
    )
    names["torch"] = types.SimpleNamespace(
        zeros=lambda *size, dtype, device: torch.zeros(*size, dtype=dtype),
        long=torch.long,
        inference_mode=torch.inference_mode,
        cuda=cuda,
    )
    exec(step_code.of("prefill-graph", "")[0], names)
    assert calls == ["wait", "Stream", "wait", "Graph"]
    for seed in (0, 1):
        ids = torch.randint(9, names["static_x"].shape, generator=torch.Generator().manual_seed(seed))
        with torch.inference_mode():
            torch.testing.assert_close(names["run"](ids), fn(ids))
    assert calls.count("replay") == 2


def test_the_code_that_compiles_a_layer_does_so_for_a_cache_that_stays():
    """Dynamo alone, without the compiler behind it: that is where it raises where something grows."""
    import torch

    def decode_layer(x, weight, cache, position):
        cache.index_copy_(0, position, x)
        seen = torch.arange(len(cache)) <= position
        return x + torch.softmax((x @ cache.t()).masked_fill(~seen, -9e9), -1) @ cache @ weight

    eager = functools.partial(torch.compile, backend="eager")
    names: dict[str, Any] = {"torch": types.SimpleNamespace(compile=eager), "decode_layer": decode_layer}
    exec(step_code.of("compile", "")[0], names)
    torch.manual_seed(0)
    weights, caches = torch.randn(3, 8, 8), [torch.zeros(32, 8), torch.zeros(32, 8)]
    for position in range(20):
        x, at = torch.randn(1, 8), torch.tensor([position])
        for weight in weights:
            found = names["decode_layer"](x, weight, caches[0], at)
            torch.testing.assert_close(found, decode_layer(x, weight, caches[1], at))


def test_the_switch_of_cudnn_s_attention_exists():
    import torch

    before = torch.backends.cuda.cudnn_sdp_enabled()
    try:
        exec(step_code.of("cudnn-off", "")[0], {"torch": torch})
        assert torch.backends.cuda.cudnn_sdp_enabled() is False
    finally:
        torch.backends.cuda.enable_cudnn_sdp(before)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A tiny Qwen2 with random weights, from a folder: nothing is downloaded."""
    transformers = pytest.importorskip("transformers")
    import torch

    torch.manual_seed(0)
    sizes = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    config = transformers.Qwen2Config(**sizes, num_attention_heads=4, num_key_value_heads=2)
    config.bos_token_id, config.eos_token_id, config.pad_token_id = None, None, 0
    folder = tmp_path_factory.mktemp("tiny")
    transformers.Qwen2ForCausalLM(config).save_pretrained(folder)
    return folder


def executed(step, **names):
    """What the step's code leaves behind; its last call by the name `value`."""
    import torch

    code = step_code.of(step, "")[0].replace("\nmodel.generate(", "\nvalue = model.generate(")
    code = code if not code.startswith("model.generate(") else f"value = {code}"
    found = {"torch": torch, **names}
    exec(code.replace("max_new_tokens=256", "max_new_tokens=6"), found)
    return found


def loaded(step, saved):
    import transformers

    return executed(step, AutoModelForCausalLM=transformers.AutoModelForCausalLM, name=str(saved))["model"]


def test_the_code_that_loads_a_model_works(saved):
    import torch
    import transformers

    if int(transformers.__version__.partition(".")[0]) < 5:
        pytest.skip("before 4.56 the argument has another name, as the advice says")
    assert loaded("16bit", saved).dtype == torch.bfloat16
    assert loaded("sdpa", saved).config._attn_implementation == "sdpa"


@pytest.mark.parametrize("step", ["kv-cache", "static-cache", "decode-graph", "prefix"])
def test_the_code_that_generates_gives_the_same_tokens(step, saved):
    import torch

    model, ids = loaded("sdpa", saved), torch.arange(1, 9)[None]
    asked = {"attention_mask": torch.ones_like(ids), "do_sample": False}
    expected = model.generate(ids, **asked, max_new_tokens=6, use_cache=False)
    told = executed(step, model=model, ids=ids, inputs={"input_ids": ids, **asked})
    assert torch.equal(told["ids" if step == "prefix" else "value"], expected)


def test_the_code_that_reuses_a_prefix_does_so(saved):
    import torch

    model = loaded("sdpa", saved)
    told = executed("prefix", model=model, ids=torch.arange(1, 9)[None])
    kept = told["cache"].get_seq_length()
    assert kept == 13  # all but the last of 8 + 6
    turn = [line for line in step_code.CODE["prefix"].splitlines() if "generate" in line]
    told["ids"] = longer = torch.cat([told["ids"], torch.arange(20, 25)[None]], -1)
    widths = []
    hook = model.model.embed_tokens.register_forward_hook(lambda _, given, __: widths.append(given[0].shape[1]))
    exec(turn[0].replace("256", "4"), told)
    hook.remove()
    assert widths[0] == longer.shape[1] - kept
    expected = model.generate(longer, attention_mask=torch.ones_like(longer), max_new_tokens=4, use_cache=False)
    assert torch.equal(told["ids"], expected)


def test_the_code_that_batches_takes_a_tokenizer_that_pads_with_nothing(saved):
    pytest.importorskip("tokenizers")
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({f"w{n}": n for n in range(64)}, unk_token="w0"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tok = PreTrainedTokenizerFast(
        tokenizer_object=words, eos_token="w1", model_input_names=["input_ids", "attention_mask"]
    )
    model = loaded("sdpa", saved)
    prompts = ["w3 w4 w5 w6", "w7 w8"]
    value = executed("batched", model=model, tok=tok, prompts=prompts)["value"]
    for prompt, answer in zip(prompts, value, strict=True):
        alone = model.generate(**tok(prompt, return_tensors="pt"), max_new_tokens=6)
        assert torch.equal(answer[-6:], alone[0, -6:])


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
    assert found["decode"].before_row == "stack sdpa, steady"
    assert (found["ttft"].before_row, found["ttft"].after_row) == (
        "stack sdpa, at new lengths",
        "ladder prefill-graph, at new lengths",
    )
    assert found["e2e"].after_row == found["prefill"].after_row == "ladder prefill-graph, steady"
    assert found["memory"].after_row == "ladder prefill-graph"
    assert found["concurrent"].before_row == "one after another, until all are done"
    assert found["concurrent"].after_row == "batched, until all are done"
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


def test_a_first_token_of_a_known_length_is_called_so():
    found = article(row("sdpa", ttft_ms=13.0, ttft_new_ms=53.0), row("fused", ttft_ms=6.0, itl_ms=6.5))["ttft"]
    assert (found.before_row, found.after_row) == ("ladder sdpa, at new lengths", "ladder fused, steady")


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
    assert advice.advice(run).sentence
    assert present(first_answer.stalls(run)).lines
    assert len(article_table.compared(run)) == 7
    assert len(first_answer.starts(run)) == 2


def test_without_compares_with_the_last_row_alone():
    """Where that was not run, another row is no measure of a step."""
    rows = [row for row in example.LADDER if row.row == "cudnn-off"], [r for r in example.WITHOUT if r.row == "fused"]
    (left_out,) = ladder.without(run_of(*rows[0], *rows[1]))
    assert (left_out.over, left_out.gains) == ("", {})
