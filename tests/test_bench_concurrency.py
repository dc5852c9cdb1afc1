"""Several requests at a time, and prompts whose beginning is cached, on the tiny model and a CPU.

No test asks how long anything took.
"""

from __future__ import annotations

import dataclasses
import os
import time

import pytest
from present import present

torch = pytest.importorskip("torch")

from cudacheck.bench import concurrency, prefix, serving, serving_processes, steps  # noqa: E402
from cudacheck.bench.generation import Engine  # noqa: E402
from cudacheck.bench.step_rows import LARGEST_ERROR, Bench, worst_error  # noqa: E402
from cudacheck.probes.patient.bench_steps import Concurrency, PrefixReuse  # noqa: E402

pytestmark = pytest.mark.whole

CPU = torch.device("cpu")
TINY = steps.TINY


@pytest.fixture(autouse=True)
def _one_thread_for_each_matmul(monkeypatch):
    """Threads of OpenMP that wait for each other on two cores are what would take the time."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # of the processes that are started
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def served():
    """The weights, the best row's options and three prompts."""
    bench = Bench(CPU, TINY)
    prompts = [bench.prompt(TINY.prompt, seed) for seed in range(3)]
    return bench.weights_in(bench.half), steps.ladder(bench.half)[steps.BEST], prompts


def test_every_mode_gives_each_request_its_own_answer():
    told = [Concurrency(**fields, device_index=0) for fields in concurrency.measured(CPU, TINY)]
    assert [row.mode for row in told] == ["one after another", "batched", "threads", "processes"]
    for row in told:
        assert row.error is row.skipped is None
        assert (row.requests, row.tokens) == (3, serving.tokens_each(TINY))
        makespan_ms = present(row.makespan_ms)
        assert 0 < present(row.ttft_mean_ms) <= present(row.ttft_max_ms) < makespan_ms
        assert row.tokens_per_s == pytest.approx(3 * row.tokens / makespan_ms * 1e3)
    # In a batch another kernel rounds, and may choose another token; that it is another answer is still found.
    assert [row.same_tokens for row in told if row.mode != "batched"] == [True] * 3
    assert told[1].same_tokens is not False


def test_requests_of_different_lengths_share_a_batch(served):
    weights, options, prompts = served
    prompts = [ids[: 40 + 30 * number] for number, ids in enumerate(prompts)]
    batch, single = Engine(weights, options, slots=3), Engine(weights, options)
    answers = [[7, 8, 9, 10], [11, 12, 13, 14], [15, 16, 17, 18]]
    got = serving.forced_logits(batch, prompts, answers)
    alone = [serving.forced_logits(single, [ids], [tokens]) for ids, tokens in zip(prompts, answers, strict=True)]
    assert worst_error(got, torch.cat(alone)) <= LARGEST_ERROR
    assert worst_error(got.roll(1, 0), torch.cat(alone)) > LARGEST_ERROR


def test_what_one_thread_raises_is_told_and_no_other_waits_for_it(served):
    weights, options, prompts = served
    bad = torch.full_like(prompts[1], TINY.vocabulary)
    with pytest.raises(IndexError):
        serving.by_threads(weights, options, [prompts[0], bad, prompts[2]])


def test_a_process_that_dies_says_why(served):
    _, options, prompts = served
    bad = torch.full_like(prompts[1], TINY.vocabulary)
    with pytest.raises(serving_processes.DiedError, match=r"process 1 of 1 ended with 1: IndexError"):
        serving_processes.by_processes(CPU, TINY, options, [bad])


def test_processes_agree_when_the_requests_arrive(tmp_path):
    told = time.time() + 0.05
    serving_processes._write(str(tmp_path), "go-0", told)
    arrived = serving_processes._arrival(str(tmp_path), 0)
    assert time.time() >= told
    assert time.time() - (time.perf_counter() - arrived) == pytest.approx(told, abs=0.005)
    assert os.listdir(tmp_path) == ["go-0"]


def test_a_kept_prefix_gives_the_full_prompts_logits():
    told = PrefixReuse(**prefix.measured(CPU, TINY), device_index=0)
    assert told.error is None
    assert told.ok
    assert 0 < present(told.logits_error) <= LARGEST_ERROR
    assert (told.tokens, told.kept) == (TINY.long_prompt, TINY.long_prompt - prefix.NEW)
    assert all(present(ms) > 0 for ms in (told.full_ms, told.reused_ms, told.restored_ms))


def test_a_prefix_of_another_prompt_is_found_out(served):
    weights, options, _ = served
    bench = Bench(CPU, TINY)
    prompt, another = (bench.prompt(TINY.long_prompt, seed) for seed in (0, 1))
    engine = Engine(weights, options)
    expected = engine.prefill(prompt).clone()
    rest = prefix.Rest(engine, prompt)
    engine.prefill(another)
    rest.first_token()
    assert worst_error(rest.logits.float(), expected.float()) > LARGEST_ERROR
    rest.first_token_when_restored()
    assert worst_error(rest.logits.float(), expected.float()) <= LARGEST_ERROR


def test_a_shape_that_cannot_run_is_an_error_in_the_fact():
    assert prefix.measured(CPU, dataclasses.replace(TINY, heads=3))["error"]
