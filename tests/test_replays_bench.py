"""Reports of `cudacheck bench kernels` on real H200s, judged again by today's rules: healthy, busy, planted faults."""

from __future__ import annotations

from pathlib import Path

import pytest
from present import present

from cudacheck import sources
from cudacheck.judging.judge import judge
from cudacheck.judging.verdict import verdict
from cudacheck.model.findings import Severity
from cudacheck.model.report import Health, State
from cudacheck.probes.patient.bench_kernels import BenchPlan, GpuConditions, LaunchOverhead, PeerBandwidth
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.speed import axes, runs

REPLAYS = Path(__file__).with_name("replays")


def replay(name):
    path = REPLAYS / f"{name}.json"
    return sources.read([(path.name, path.read_text(encoding="utf-8"))])


def judged(facts):
    """The rules that stand for themselves, and every axis."""
    found = judge(facts).findings
    roots = {f.rule for f in found if f.caused_by is None and f.severity is not Severity.NOTE}
    return roots, {(axis.device_index, axis.axis): axis for axis in axes.judged(facts)}


STALLS = {"attention-plan-per-length"}
"""On every H200 with torch 2.11: cuDNN builds a plan for each new length."""


@pytest.mark.parametrize(("name", "gpus"), [("h200-bench-kernels", 1), ("h200-x2-bench-kernels", 2)])
def test_healthy_but_for_the_plans(name, gpus):
    facts = replay(name)
    roots, found = judged(facts)
    assert roots == STALLS
    for index in range(gpus):
        health = {axis: judged.health for (device, axis), judged in found.items() if device == index}
        assert health.pop("new lengths") is Health.SLOW_PATH
        assert {*health.values()} == {Health.HEALTHY}
        assert {*health} == {"correctness", "matmul", "memory", "attention", "launch", "clocks"}
        shares = found[index, "matmul"].shares
        assert 0.6 < shares["datasheet"] < 0.75 < shares["clock"] < 0.95
    assert len(facts.all(Measurement)) == facts.one(BenchPlan).cases + 2 * gpus  # the variable, tried in a process
    assert all(told.nvml and told.limited_ms["thermal"] == 0 for told in facts.all(GpuConditions))
    assert all(told.launch_us < 20 for told in facts.all(LaunchOverhead))


def test_two_gpus_in_another_order():
    facts = replay("h200-x2-bench-kernels")
    first, second = runs.of(facts)
    gpus = (present(first.gpu), present(second.gpu))
    assert (first.device.index, gpus[0].index, second.device.index, gpus[1].index) == (0, 1, 1, 0)
    assert first.label == "GPU 0 (NVIDIA H200, nvidia-smi's GPU 1)"
    pairs = facts.all(PeerBandwidth)
    assert {(p.source_index, p.destination_index) for p in pairs} == {(0, 1), (1, 0)}
    assert all(pair.peer_access and pair.ok and 300 < pair.gb_per_s < 450 for pair in pairs)


def test_short_calls_are_replayed_on_the_second_gpu_too():
    """Once its graphs were captured on the first GPU's stream: empty, and replayed in no time."""
    for row in replay("h200-x2-bench-kernels").all(Measurement):
        assert row.method != "graph" or row.median_us > 1, row
        assert row.error is None


def test_a_busy_gpu_is_inconclusive():
    """Its products ran at 266 TFLOP/s beside another process: no slow path, no fault."""
    facts = replay("h200-bench-busy")
    roots, found = judged(facts)
    assert roots == set()
    timed = {axis.health for (_, name), axis in found.items() if name not in ("correctness", "launch")}
    assert timed == {Health.INCONCLUSIVE}
    assert verdict(facts, (), (), axes.judged(facts)).state is State.NOT_PROVEN


@pytest.mark.parametrize(
    ("name", "rule", "axis", "health"),
    [
        ("h200-bench-float32", "matmul-slow", "matmul", Health.SLOW_PATH),
        ("h200-bench-math-only", "attention-falls-back-to-math", "attention", Health.SLOW_PATH),
        ("h200-bench-wrong-result", "kernel-failed", "correctness", Health.WRONG),
    ],
)
def test_a_planted_fault_is_named_for_what_it_is(name, rule, axis, health):
    roots, found = judged(replay(name))
    assert roots - STALLS == {rule}
    sick = {name: judged.health for (_, name), judged in found.items() if judged.health is not Health.HEALTHY}
    sick.pop("new lengths", None)
    assert sick == {axis: health}


def test_a_starved_gpu_takes_no_blame():
    """A thread held Python's lock: the product that takes 0.02 ms was timed at 31."""
    roots, found = judged(replay("h200-bench-starved"))
    assert roots == set()
    assert found[0, "matmul"].health is Health.INCONCLUSIVE
