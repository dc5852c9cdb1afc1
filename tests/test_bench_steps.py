"""The decoder of `bench steps` on the CPU: every way to run it computes what plain float32 does."""

import dataclasses

import pytest

torch = pytest.importorskip("torch")

from cudacheck.bench import ceilings, decoder, memory, sdpa, stalls, step_rows  # noqa: E402
from cudacheck.bench.generation import CACHE_BUCKETS, Engine, generate  # noqa: E402
from cudacheck.bench.memory import DoesNotFitError  # noqa: E402
from cudacheck.bench.steps import BEST, QWEN2_1_5B, TINY, Options, extras, ladder, without  # noqa: E402

CPU = torch.device("cpu")
torch.set_num_threads(1)  # many small kernels: threads would only wait for each other
GPU_TINY = dataclasses.replace(TINY, head_dim=64)
"""As wide as FlashAttention's kernels take."""
HALVES = ("bfloat16", "float16")


@pytest.fixture(autouse=True)
def _no_grad():
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def bench():
    return step_rows.Bench(CPU, TINY)


def all_rows(half):
    named = {**ladder(half), **{f"without {row}": options for row, options in without(half).items()}}
    return [pytest.param(half, options, id=f"{half}-{row}") for row, options in named.items()]


@pytest.mark.parametrize(("half", "options"), [row for half in HALVES for row in all_rows(half)])
def test_every_row_agrees_with_float32(bench, half, options):
    weights = bench.weights_in("bfloat16") if half == "bfloat16" else bench.weights_in("bfloat16").to("float16")
    checked = bench.check(Engine(weights if options.dtype != "float32" else weights.to("float32"), options))
    assert checked["ok"], checked
    # A 16-bit type is really used, and float32 is float32.
    assert (checked["logits_error"] > 1e-5) == (options.dtype != "float32")


def forgets_to_turn_keys(engine):
    engine.cos, engine.sin = torch.ones_like(engine.cos), torch.zeros_like(engine.sin)


def keeps_nothing(engine):
    engine.cache.keep_newest = lambda _: None


@pytest.mark.parametrize("spoil", [forgets_to_turn_keys, keeps_nothing])
def test_a_wrong_decoder_is_not_ok(bench, spoil):
    engine = Engine(bench.weights_in("bfloat16"), ladder()[BEST])
    spoil(engine)
    assert bench.check(engine)["ok"] is False


def test_nan_is_not_ok(bench):
    engine = Engine(bench.weights_in("bfloat16"), ladder()[BEST])
    engine.cos = engine.cos * float("nan")
    checked = bench.check(engine)
    assert (checked["ok"], checked["logits_error"]) == (False, None)  # a report holds no NaN


def test_without_grouped_queries_keys_are_repeated(bench, monkeypatch):
    """Before PyTorch 2.5; its signature is the one that refuses the argument."""
    attend = torch.nn.functional.scaled_dot_product_attention

    def of_2_4(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None):
        return attend(query, key, value, attn_mask, dropout_p, is_causal, scale=scale)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", of_2_4)
    sdpa.takes_grouped_queries.cache_clear()
    try:
        assert bench.check(Engine(bench.weights_in("bfloat16"), ladder()["sdpa"]))["ok"]
    finally:
        sdpa.takes_grouped_queries.cache_clear()


def test_a_pytorch_without_rms_norm(bench, monkeypatch):
    monkeypatch.delattr(torch.nn.functional, "rms_norm")
    unfused, fused = step_rows.measured([("ladder", "sdpa"), ("ladder", "fused")], CPU, TINY, quick=True)
    assert unfused["ok"]
    assert fused["skipped"] == "PyTorch has no rms_norm before 2.4"


def test_room_is_asked_for_before_weights_are_drawn(monkeypatch):
    bench = step_rows.Bench(CPU, QWEN2_1_5B)
    bench.device = torch.device("cuda", 0)
    for free_gib, fits in ((4.0, []), (5.0, ["bfloat16"]), (11.0, ["bfloat16", "float32"])):
        monkeypatch.setattr(memory, "free_bytes", lambda _, gib=free_gib: int(gib * 2**30))
        assert [dtype for dtype in ("bfloat16", "float32") if has_room(bench, dtype)] == fits
    bench.weights["bfloat16"] = None  # type: ignore[assignment]  # drawn: what is free is less by that
    monkeypatch.setattr(memory, "free_bytes", lambda _: int(7.5 * 2**30))
    assert bench.skipped(ladder()["fp32"]) == {"skipped": "needs 7.6 GiB; 7.5 GiB are free"}


def has_room(bench, dtype):
    try:
        bench.require_room(dtype)
    except DoesNotFitError:
        return False
    return True


def test_a_short_prompt_after_a_long_one(bench):
    """Once, a bucket captured after a longer prompt looked for its last token beyond its end."""
    engine = Engine(bench.weights_in("float32"), dataclasses.replace(ladder()[BEST], dtype="float32"))
    short = bench.prompt(40)
    engine.first_token(bench.prompt(300))
    assert generate(engine, short, 8) == generate(Engine(bench.weights_in("float32"), Options()), short, 8)


def test_an_answer_that_outgrows_its_bucket(bench):
    prompt = bench.prompt(CACHE_BUCKETS[0] - 4)
    best = dataclasses.replace(ladder()[BEST], dtype="float32")
    weights = bench.weights_in("float32")
    assert generate(Engine(weights, best), prompt, 10) == generate(Engine(weights, Options()), prompt, 10)


def test_sequences_do_not_see_each_other(bench):
    weights = bench.weights_in("float32")
    best = dataclasses.replace(ladder()[BEST], dtype="float32")
    prompts = [bench.prompt(length, seed) for seed, length in enumerate((30, 61, 17))]
    together = Engine(weights, best, slots=3)
    answers = [[together.first_token(prompt, slot)] for slot, prompt in enumerate(prompts)]
    for _ in range(6):
        together.step()
        for answer, token in zip(answers, together.token.tolist(), strict=True):
            answer.append(token)
    assert answers == [generate(Engine(weights, best), prompt, 7) for prompt in prompts]


def test_rows_are_measured_in_order_and_an_error_stays_in_its_row(bench, monkeypatch):
    def refuses(*_args, **_options):
        raise RuntimeError("no rms_norm here\nand more")

    monkeypatch.setattr(torch.nn.functional, "rms_norm", refuses)
    names = [("ladder", "cudnn-off"), ("ladder", "fused"), ("ladder", "static-cache")]
    sdpa, fused, static = step_rows.measured(names, CPU, TINY, quick=True)
    assert fused["error"] == "RuntimeError: no rms_norm here"
    assert "itl_ms" not in fused
    for row in (sdpa, static):
        assert row["ok"]
        assert row["ttft_ms"] > 0
        assert row["itl_free_ms"] > 0
        assert row["weights_bytes"] == 2 * TINY.parameters + 2 * small_tensors(TINY)


def small_tensors(shape):
    """Norms and biases, which `parameters` leaves out."""
    return shape.layers * (2 * shape.hidden + shape.all_heads * shape.head_dim) + shape.hidden


def test_no_new_length_is_met_twice():
    bench = step_rows.Bench(CPU, QWEN2_1_5B)
    new = [*bench.new_lengths]
    assert len(new) == len({*new})
    assert not {*new} & {*stalls.LENGTHS, QWEN2_1_5B.prompt, step_rows.CHECKED}
    # One child measures so many rows at most, each at three.
    assert 3 * len([*ladder(), *without(), *extras()]) <= len(new)


def test_stalls_are_told_for_both_settings():
    for setting in stalls.SETTINGS:
        (cold, start), (kind, lengths) = stalls.measured(setting, CPU, TINY)
        assert (cold, kind) == ("ColdStart", "NewLengthStalls")
        assert start["setting"] == lengths["setting"] == setting
        assert len(lengths["first_ms"]) == len(lengths["again_ms"]) == 20
        assert min(start["context_s"], start["prefill_ms"], lengths["decode_again_ms"]) > 0


def test_what_a_token_reads_and_a_prompt_computes():
    """The theory of Qwen2-1.5B: 1.5436 B parameters a token, 0.337 and 2.77 TFLOP a prompt."""
    shape = QWEN2_1_5B
    assert round((shape.parameters - shape.vocabulary * shape.hidden) / 1e9, 4) == 1.5436
    assert round(decoder.prefill_flop(shape, 128) / 1e12, 3) == 0.337
    assert round(decoder.prefill_flop(shape, 1024) / 1e12, 2) == 2.77


def test_ceilings_are_measured():
    told = ceilings.measured(CPU, TINY)
    weights = decoder.Weights.drawn(TINY, "bfloat16", CPU)
    cache = 2 * 2 * TINY.layers * TINY.kv_heads * TINY.head_dim * TINY.prompt
    embedding = 2 * TINY.vocabulary * TINY.hidden
    assert told["decode_bytes"] == weights.bytes - embedding + cache
    assert min(told["read_gb_per_s"], told["gemv_ms"], told["matmul_tflops"]) > 0


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU here")


@pytest.mark.gpu
@needs_gpu
def test_every_row_agrees_with_float32_on_a_gpu():
    """Graphs, FlashAttention with its lengths on the device, and Triton's kernels run nowhere else."""
    half = step_rows.half_type(torch.device("cuda", 0))
    names = [("ladder", row) for row in ladder(half)] + [("without", row) for row in without(half)]
    told = [*step_rows.measured([*names, ("extra", "triton")], torch.device("cuda", 0), GPU_TINY, quick=True)]
    assert [row for row in told if not row.get("ok") and "skipped" not in row] == []
    assert all(row["capture_s"] > 0 for row in told if row.get("e2e_ms"))
