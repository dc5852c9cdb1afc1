"""Reports of `cudacheck bench steps` on a real H200, judged again by today's rules."""

from __future__ import annotations

from pathlib import Path

import pytest
from present import present

from cudacheck import render, sources
from cudacheck.judging.judge import judge
from cudacheck.model.findings import Severity
from cudacheck.probes.patient.bench_steps import Concurrency, StepRow
from cudacheck.speed.steps import advice, first_answer, ladder, measured

REPLAYS = Path(__file__).with_name("replays")
BOTH = ("h200-steps", "h200-steps-all")


def replay(name):
    path = REPLAYS / f"{name}.json"
    return sources.read([(path.name, path.read_text(encoding="utf-8"))])


@pytest.fixture(scope="module", params=BOTH)
def facts(request):
    return replay(request.param)


@pytest.fixture
def run(facts):
    (only,) = measured.of(facts)
    return only


def rung(run, name):
    return next(rung for rung in (*ladder.ladder(run), *ladder.extras(run)) if rung.row.row == name)


def test_what_is_found(facts):
    found = judge(facts).findings
    assert {f.rule for f in found if f.severity is not Severity.NOTE} == {"attention-plan-per-length"}
    assert "cold-start-dominates" in {f.rule for f in found}


def test_every_row_is_right(facts):
    rows = [row for row in facts.all(StepRow) if not row.skipped]
    assert [row for row in rows if row.error or row.ok is False] == []
    assert all(row.ok for row in rows if row.table != "stack")


def test_how_near_the_ceilings(run):
    assert 0.36 < rung(run, "decode-graph").of_floor < 0.40
    assert 0.64 < rung(run, "decode-graph").of_gemv < 0.70
    assert rung(run, "prefill-graph").of_floor > 0.34
    assert rung(run, "prefill-graph").of_gemv > 0.58
    assert rung(run, "triton").of_floor > 0.48


def test_the_stall_and_its_cure(run):
    found = present(first_answer.stalls(run))
    assert found.stalled
    assert found.cured
    default = present(found.default)
    assert present(default.extra_ms) > 30
    assert present(default.decode_extra_ms) > 30


def test_the_advice(run):
    told = advice.advice(run)
    assert [step.step for step in told.steps][:3] == ["16bit", "cudnn-off", "decode-graph"]
    # The host's noise made rows of eager launches twice as slow; no step is advised for that.
    assert {"kv-cache", "static-cache"} & {step.step for step in told.steps} == set()
    assert all(step.times >= 1.08 for step in told.steps)


def test_beside_transformers():
    (run,) = measured.of(replay("h200-steps-all"))
    gains = next(rung.gains for rung in ladder.stack(run) if rung.row.row == "sdpa")
    assert 7 < gains["decode"].times < 11
    assert 18 < gains["ttft_new"].times < 30


def test_three_requests():
    told = {row.mode: row for row in replay("h200-steps-all").all(Concurrency)}
    assert all(row.same_tokens for row in told.values())
    assert told["batched"].tokens_per_s > 2 * told["one after another"].tokens_per_s


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", BOTH)
def test_the_tables_come_in_this_order(name, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    text = render.as_text(judged_report(replay(name)), "text")
    places = [
        text.index(f"\n  {title}  ") for title in ("advice", "stalls", "ladder", "cold start", "the article", "how")
    ]
    assert places == sorted(places)


def judged_report(facts):
    from cudacheck.commands.doctor import judged

    return judged(facts, (), (), 0.0)
