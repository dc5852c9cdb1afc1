"""What measurements mean, by examples: each axis, its shares and doubts, and the comparison with a baseline."""

from __future__ import annotations

import dataclasses

import pytest
from present import present

from cudacheck import knowledge
from cudacheck.model.facts import Facts
from cudacheck.model.report import Health
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.host.system import System
from cudacheck.probes.patient.bench_kernels import GpuConditions, LaunchOverhead
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.speed import axes, baseline, peaks, runs
from cudacheck.speed.baseline import Baseline, Change

H200 = TorchDevice(0, "NVIDIA H200", uuid="GPU-a", compute_capability="9.0", multiprocessors=132)
NVML = Gpu(0, "NVIDIA H200", uuid="GPU-a", sm_clock_max_mhz=1980, power_limit_w=700.0, power_default_w=700.0)
LAPTOP = TorchDevice(
    0, "NVIDIA GeForce RTX 4090 Laptop GPU", uuid="GPU-a", compute_capability="8.9", multiprocessors=76
)


def product(tflops, dtype="float16", clock=1430.0, device=0, **more):
    fields = {"converged": True, "ok": True, "sm_clock_mhz": clock, "method": "events", **more}
    return Measurement("matmul", dtype, "8192³", device, median_us=2 * 8192**3 / tflops / 1e6, tflops=tflops, **fields)


def copy(gb_per_s, device=0, **more):
    us = 2**31 / gb_per_s / 1e3
    fields = {"converged": True, "ok": True, **more}
    return Measurement("copy", "float32", "1024 MiB", device, median_us=us, gb_per_s=gb_per_s, **fields)


def attention(us, backend="default", **more):
    fields = {"converged": True, "ok": True, "backend": backend, "tflops": 12884.9 / us, **more}
    return Measurement("attention", "float16", "1×12×2048×128 causal", 0, median_us=us, **fields)


def new_length(first_ms, backend="default"):
    return Measurement(
        "attention at a new length", "float16", "L", 0, backend=backend, first_call_ms=first_ms, median_us=100.0
    )


def judged(axis, *facts, device=H200):
    """One axis of the first GPU."""
    found = [a for a in axes.judged(Facts([device, *facts])) if a.axis == axis and a.device_index == device.index]
    return found[0] if found else None


SINGLE = product(50.0, "float32", 1900.0)


@pytest.mark.parametrize(
    ("facts", "health", "said"),
    [
        ((product(665.0), SINGLE), Health.HEALTHY, "86% of the peak at 1430 MHz"),
        ((product(665.0), product(700.0, "bfloat16", 1500.0), SINGLE), Health.HEALTHY, "67% of the datasheet"),
        ((product(300.0, clock=1980.0), SINGLE), Health.SLOW_PATH, "28% of the peak at 1980 MHz"),
        ((product(52.0), SINGLE), Health.SLOW_PATH, "1.0 times as fast as float32"),
        ((product(600.0, clock=1980.0), SINGLE), Health.INCONCLUSIVE, "between what healthy GPUs reach"),
        ((product(52.0, converged=False), SINGLE), Health.INCONCLUSIVE, "did not settle"),
        ((product(5000.0), SINGLE), Health.INCONCLUSIVE, "faster than this GPU can be"),
        ((product(52.0), SINGLE, LaunchOverhead(0, launch_us=31.0)), Health.SLOW_PATH, "1.0 times"),
        ((product(300.0), SINGLE, LaunchOverhead(0, launch_us=5000.0)), Health.INCONCLUSIVE, "the GPU waited for it"),
        (
            (product(52.0), SINGLE, dataclasses.replace(NVML, utilization_percent=99)),
            Health.INCONCLUSIVE,
            "NVML read 99 %",
        ),
        (
            (product(665.0), GpuConditions(0, spin_median_us=1030.0, spin_p95_us=3445.0)),
            Health.INCONCLUSIVE,
            "up to 3.3 times as long",
        ),
        (
            (product(52.0), SINGLE, EnvironmentVariables({"CUDA_LAUNCH_BLOCKING": "1"})),
            Health.INCONCLUSIVE,
            "CUDA_LAUNCH_BLOCKING",
        ),
        (
            (product(52.0), SINGLE, System(os="linux", container="", on_battery=True)),
            Health.INCONCLUSIVE,
            "on battery",
        ),
        ((product(52.0), SINGLE, dataclasses.replace(NVML, mig_enabled=True)), Health.INCONCLUSIVE, "MIG"),
        ((product(52.0), product(660.0, attempt=2), SINGLE), Health.HEALTHY, "660 TFLOP/s"),
        ((product(52.0), product(53.0, attempt=2), SINGLE), Health.SLOW_PATH, "53 TFLOP/s"),
    ],
)
def test_matmul(facts, health, said):
    found = judged("matmul", *facts)
    assert found.health is health, found
    assert any(said in reason for reason in found.reasons), found


def test_a_host_too_slow_for_the_gpu_takes_the_blame_from_it():
    starving = LaunchOverhead(0, launch_us=5000.0)
    assert judged("matmul", product(300.0), SINGLE, starving).health is Health.INCONCLUSIVE
    assert judged("launch", product(300.0), SINGLE, starving).health is Health.SLOW_PATH


def test_between_good_and_slow_nothing_is_decided():
    """Of the peak at the clock: 0.7 is good, below 0.45 is slow; a product in between is neither."""
    peak = present(peaks.matmul(runs.of(Facts([H200, product(500.0)]))[0], product(500.0)).at_the_clock)
    for share, health in ((0.71, Health.HEALTHY), (0.69, Health.INCONCLUSIVE), (0.44, Health.SLOW_PATH)):
        assert judged("matmul", product(share * peak), SINGLE).health is health, share


def test_low_of_the_datasheet_and_good_at_the_clock_is_the_clocks_doing():
    slow_clock = product(330.0, clock=720.0)
    hot = GpuConditions(0, seconds=2.0, limited_ms={"power": 0.0, "thermal": 1500.0}, nvml=True)
    capped = GpuConditions(0, seconds=2.0, limited_ms={"power": 1900.0, "thermal": 0.0}, nvml=True)
    free = GpuConditions(0, seconds=2.0, limited_ms={"power": 0.0, "thermal": 0.0}, nvml=True)
    lowered = dataclasses.replace(NVML, power_limit_w=300.0)
    degraded = judged("matmul", slow_clock, NVML, hot)
    assert (degraded.health, degraded.reasons[0]) == (
        Health.DEGRADED,
        "it ran at 720 MHz: heat held it back for 75% of the time",
    )
    assert judged("matmul", slow_clock, NVML, free).health is Health.DEGRADED
    assert "as designed" in judged("matmul", slow_clock, NVML, capped).reasons[0]
    set_ = judged("matmul", slow_clock, lowered, capped)
    assert (set_.health, set_.reasons[0]) == (
        Health.HEALTHY,
        "it ran at 720 MHz: its power limit is set to 300 of 700 W",
    )
    assert judged("matmul", slow_clock).health is Health.HEALTHY  # the doctor does not ask NVML then


def test_the_clock_axis():
    hot = GpuConditions(0, seconds=2.0, limited_ms={"thermal": 1500.0}, nvml=True)
    assert judged("clocks", product(500.0), hot).health is Health.DEGRADED
    assert judged("clocks", product(500.0), hot, device=LAPTOP).health is Health.INCONCLUSIVE
    braked = GpuConditions(0, seconds=2.0, reasons_seen=("hw_power_brake_slowdown",), nvml=True)
    assert "power brake" in judged("clocks", product(500.0), braked).reasons[0]
    capped = judged("clocks", product(665.0), GpuConditions(0, seconds=2.0, limited_ms={"power": 1800.0}, nvml=True))
    assert (capped.health, capped.reasons) == (Health.HEALTHY, ("power: 90% of the time",))
    assert judged("clocks", product(665.0), GpuConditions(0, seconds=2.0)) is None


def test_a_gpu_that_nobody_knows_is_judged_by_its_own_float32():
    unknown = TorchDevice(0, "NVIDIA X900", compute_capability="13.0", multiprocessors=200)
    assert judged("matmul", product(900.0), SINGLE, device=unknown).health is Health.HEALTHY
    assert judged("matmul", product(55.0), SINGLE, device=unknown).health is Health.SLOW_PATH
    assert judged("matmul", product(55.0), device=unknown).health is Health.INCONCLUSIVE
    assert judged("memory", copy(100.0), device=unknown).health is Health.INCONCLUSIVE
    shares = peaks.shares(runs.of(Facts([unknown, product(900.0)]))[0], product(900.0))
    assert shares == {}


def test_the_formula_serves_where_the_datasheet_is_silent():
    """A laptop's chip: 76 multiprocessors × 512 FLOP × clock; its power limit is its own affair."""
    fast, slow = product(60.0, clock=1800.0), product(20.0, clock=1800.0)
    found = judged("matmul", fast, device=LAPTOP)
    assert found.health is Health.HEALTHY
    assert found.shares == {"clock": pytest.approx(60.0 / (76 * 512 * 1800 / 1e6))}
    assert judged("matmul", slow, product(19.0, "float32"), device=LAPTOP).health is Health.INCONCLUSIVE


def test_datasheets_that_leave_the_accumulation_open_never_convict():
    a10 = TorchDevice(0, "NVIDIA A10", compute_capability="8.6", multiprocessors=72)
    assert (
        judged("matmul", product(45.0, clock=1600.0), product(13.0, "float32"), device=a10).health
        is Health.INCONCLUSIVE
    )


def test_bfloat16_is_not_asked_of_tensor_cores_that_lack_it():
    t4 = TorchDevice(0, "Tesla T4", compute_capability="7.5", multiprocessors=40)
    rows = (product(40.0, clock=1200.0), product(2.0, "bfloat16", 1200.0), product(4.0, "float32"))
    assert judged("matmul", *rows, device=t4).health is Health.HEALTHY


def test_no_tensor_cores():
    gtx = TorchDevice(0, "NVIDIA GeForce GTX 1660 Ti", compute_capability="7.5", multiprocessors=24)
    assert judged("matmul", product(5.0), product(5.0, "float32"), device=gtx).health is Health.HEALTHY


@pytest.mark.parametrize(
    ("gb_per_s", "health"),
    [
        (4235.0, Health.HEALTHY),
        (3100.0, Health.INCONCLUSIVE),
        (2400.0, Health.DEGRADED),
        (64000.0, Health.INCONCLUSIVE),
    ],
)
def test_memory(gb_per_s, health):
    assert judged("memory", copy(gb_per_s)).health is health


def test_a_gpu_below_its_siblings_is_named():
    other = dataclasses.replace(H200, index=1, uuid="GPU-b")
    same = judged("matmul", other, product(700.0, "bfloat16"), product(680.0, "bfloat16", device=1))
    assert (same.health, same.shares["siblings"]) == (Health.HEALTHY, pytest.approx(700 / 680))
    facts = (H200, other, product(700.0, "bfloat16"), product(630.0, "bfloat16", clock=1330.0, device=1))
    slow = judged("matmul", *facts, device=other)
    assert (slow.health, slow.reasons[0]) == (Health.DEGRADED, "10% below its siblings (bfloat16 8192³)")
    busy = GpuConditions(1, spin_median_us=1000.0, spin_p95_us=3000.0)
    assert judged("matmul", *facts, busy, device=other).health is Health.INCONCLUSIVE
    stranger = dataclasses.replace(other, name="NVIDIA A10")
    assert "siblings" not in judged("memory", stranger, copy(4235.0), copy(520.0, device=1)).shares


@pytest.mark.parametrize(
    ("facts", "health", "said"),
    [
        ((attention(47.0), attention(1370.0, "math")), Health.HEALTHY, "29.1 times as fast as the math backend"),
        ((attention(1369.0), attention(1370.0, "math")), Health.SLOW_PATH, "1.0 times as fast"),
        ((attention(1369.0, converged=False), attention(1370.0, "math")), Health.INCONCLUSIVE, "did not settle"),
        (
            (attention(200.0), attention(1370.0, "math"), attention(47.0, "cudnn")),
            Health.INCONCLUSIVE,
            "cudnn would be 4.3 times as fast",
        ),
        ((attention(47.0),), Health.HEALTHY, "TFLOP/s"),
    ],
)
def test_attention(facts, health, said):
    found = judged("attention", *facts)
    assert found.health is health, found
    assert any(said in reason for reason in found.reasons), found


def test_before_ampere_grouped_queries_have_no_fused_kernel():
    t4 = TorchDevice(0, "Tesla T4", compute_capability="7.5", multiprocessors=40)
    assert judged("attention", attention(1369.0), attention(1370.0, "math"), device=t4).health is Health.INCONCLUSIVE


@pytest.mark.parametrize(
    ("rows", "health"),
    [
        ((new_length(37.4), new_length(0.2, "cudnn off")), Health.SLOW_PATH),
        ((new_length(0.3), new_length(0.2, "cudnn off")), Health.HEALTHY),
        ((new_length(37.4), new_length(31.0, "cudnn off")), Health.INCONCLUSIVE),
        ((new_length(37.4),), Health.INCONCLUSIVE),
        ((new_length(37.4), new_length(4.0), new_length(0.2, "cudnn off")), Health.HEALTHY),
    ],
)
def test_new_lengths(rows, health):
    assert judged("new lengths", *rows).health is health


def test_correctness_outranks_speed():
    wrong = product(665.0, ok=False, max_error=0.3, tolerance=0.002)
    found = judged("correctness", wrong, SINGLE)
    assert (found.health, found.reasons) == (Health.WRONG, ("float16 8192³: off by 0.3, allowed 0.002",))
    broken = Measurement("copy", "float32", "1024 MiB", 0, error="RuntimeError: an illegal memory access")
    assert judged("correctness", SINGLE, broken).health is Health.INCONCLUSIVE


def test_nvmls_gpus_are_matched_by_uuid():
    reordered = dataclasses.replace(H200, index=1)
    (run,) = runs.of(Facts([reordered, product(665.0, device=1), Gpu(1, "NVIDIA A10", uuid="GPU-z"), NVML]))
    assert run.gpu is NVML
    assert run.label == "GPU 1 (NVIDIA H200, nvidia-smi's GPU 0)"


def test_nothing_measured_is_nothing_judged():
    assert axes.judged(Facts([H200, NVML])) == ()
    assert axes.judged(Facts([product(665.0)])) == ()


def test_every_rate_agrees_with_a_datasheet():
    """Multiprocessors × FLOP × boost clock, of cards whose three numbers are published."""
    for name, capability, multiprocessors, boost_mhz in (
        ("NVIDIA A100-SXM4-80GB", "8.0", 108, 1410),
        ("NVIDIA H200", "9.0", 132, 1830),
        ("NVIDIA GeForce RTX 4090", "8.9", 128, 2520),
        ("NVIDIA GeForce RTX 3090", "8.6", 82, 1695),
        ("NVIDIA RTX A6000", "8.6", 84, 1800),
        ("Tesla T4", "7.5", 40, 1590),
        ("NVIDIA L40", "8.9", 142, 2490),
        ("NVIDIA B200", "10.0", 148, 1850),
    ):
        rate = present(knowledge.tensor_rate(name, capability))
        by_formula = multiprocessors * rate.flop_per_clock * boost_mhz / 1e6
        assert by_formula == pytest.approx(present(knowledge.gpu(name)).fp16_tflops, rel=0.02), name
    assert present(knowledge.tensor_rate("NVIDIA GeForce GTX 1650", "7.5")).flop_per_clock == 0
    assert knowledge.tensor_rate("NVIDIA GB10", "12.1") is None
    assert present(knowledge.achieved("nvidia h200")).bf16_tflops == 794.5


# --- the baseline


def then(us, clock=1400.0, **more):
    return Baseline("copy", "float32", "1024 MiB", "NVIDIA H200", "GPU-a", None, us, 0.002, clock, **more)


def now(us, clock=1400.0, **more):
    fields = {"device_uuid": "GPU-a", "ci95_rel": 0.002, "converged": True, "sm_clock_mhz": clock, **more}
    return Measurement("copy", "float32", "1024 MiB", 0, median_us=us, **fields)


@pytest.mark.parametrize(
    ("row", "change"),
    [
        (now(500.0), Change.SAME),
        (now(545.0), Change.SAME),
        (now(300.0), Change.SAME),
        (now(560.0), Change.SLOWER),
        (now(560.0, clock=1250.0), Change.SAME),
        (now(500.0, clock=1980.0), Change.SAME),
        (now(560.0, clock=None), Change.AMBIGUOUS),
        (now(560.0, converged=False), Change.AMBIGUOUS),
        (now(560.0, ci95_rel=0.2), Change.AMBIGUOUS),
        (now(560.0, ci95_rel=None), Change.AMBIGUOUS),
    ],
)
def test_slower_same_or_ambiguous(row, change):
    (compared,) = baseline.compare([row], [then(500.0)], [H200])
    assert compared.change is change


def test_a_baseline_is_of_the_same_gpu():
    other = then(500.0, found_in="other")
    elsewhere = dataclasses.replace(other, device_uuid="GPU-x", device_name="NVIDIA A10")
    twin = dataclasses.replace(other, device_uuid="GPU-x")
    assert baseline.compare([now(560.0)], [elsewhere], [H200]) == []
    assert baseline.compare([now(560.0)], [twin, then(550.0)], [H200])[0].then.median_us == 550.0
    assert baseline.compare([now(560.0)], [twin], [H200])[0].change is Change.SLOWER


def test_first_calls_are_no_steady_time_to_compare():
    facts = Facts([H200, new_length(37.0), now(500.0)])
    saved = baseline.baselines(facts, "saved.json")
    assert [(row.case, row.device_name, row.found_in) for row in saved] == [
        ("attention at a new length", "NVIDIA H200", "saved.json"),
        ("copy", "NVIDIA H200", "saved.json"),
    ]
    assert len(baseline.compare(facts.all(Measurement), saved, [H200])) == 1


def test_a_fact_that_is_added_later_counts():
    """The axes are worked out once for all that ask, until then."""
    facts = Facts([TorchDevice(0, "NVIDIA H200", compute_capability="9.0")])
    assert axes.judged(facts) == ()
    facts.add(LaunchOverhead(0, launch_us=8.0))
    assert [axis.axis for axis in axes.judged(facts)] == ["launch"]
