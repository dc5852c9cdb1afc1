"""The clock and the power while a GPU is measured: looked at, kept in the report, told where it matters, drawn."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import pytest
from present import present

from cudacheck.bench.nvml import Counters
from cudacheck.bench.trace import MOST, Trace
from cudacheck.commands import doctor as inspecting
from cudacheck.model.report import Report
from cudacheck.probes.patient.benchmark import ClockTrace
from cudacheck.render import as_text
from cudacheck.speed import runs, traces

REPLAYS = Path(__file__).parent / "replays"
HOT = ClockTrace(
    0,
    at_s=tuple(n / 20 for n in range(40)),
    sm_clock_mhz=tuple(1980 if n < 20 else 1980 - 30 * (n - 20) for n in range(40)),
    power_w=tuple(120 + 14.0 * n for n in range(40)),
    reasons=("gpu_idle",) + ("",) * 9 + ("sw_power_cap",) * 10 + ("hw_slowdown hw_thermal_slowdown",) * 20,
)
CALM = dataclasses.replace(HOT, sm_clock_mhz=(1980,) * 40, reasons=("sw_power_cap",) * 40)


def with_trace(trace: ClockTrace, name: str = "h200-doctor") -> Report:
    facts = inspecting.pasted([str(REPLAYS / f"{name}.json")]).report.facts
    facts.add(trace)
    return inspecting.judged(facts, (), (), None)


def looks_of(trace: ClockTrace) -> list[traces.Look]:
    return traces.looks(runs.of(with_trace(trace).facts)[0])


class Counted(Counters):
    """A GPU that answers; no library is asked."""

    def __init__(self, power: float | None) -> None:
        self.power, self.asked = power, 0
        self.enough = threading.Event()

    found = True

    def sm_clock_mhz(self) -> int:
        self.asked += 1
        if self.asked > 10:
            self.enough.set()
        return 1000 + self.asked

    def power_w(self) -> float | None:
        return self.power

    def reasons(self) -> tuple[str, ...]:
        return "sw_power_cap", "hw_slowdown"


def test_a_thread_looks_until_the_block_is_over():
    counters = Counted(99.5)
    with Trace(counters, every_s=0.001) as trace:
        assert counters.enough.wait(30)
    seen = ClockTrace(0, **present(trace.told()))
    assert not trace._thread.is_alive()
    assert list(seen.at_s) == sorted(seen.at_s)
    assert seen.sm_clock_mhz[:2] == (1001, 1002)
    assert set(seen.power_w) == {99.5}
    assert set(seen.reasons) == {"sw_power_cap hw_slowdown"}


def test_of_many_looks_every_second_one_goes():
    trace = Trace(Counted(None), every_s=1.0)
    for second in range(10 * MOST):
        trace.look(float(second))
    seen = ClockTrace(0, **present(trace.told()))
    assert MOST // 2 <= len(seen.at_s) <= MOST
    assert seen.at_s[0] == 0
    assert trace.every_s > 1
    assert seen.power_w == ()


def test_where_nvml_knows_nothing_there_is_nothing():
    with Trace(Counters(None)) as trace:
        pass
    assert trace.told() is None


def test_what_held_the_clock_back_is_told_in_words():
    said = traces.told(looks_of(HOT))
    why = "held back by heat in 50%, at its power limit in 25%"
    assert said == f"1410 to 1980 MHz and up to 666 W in 1.9 s; of 40 looks {why}"
    assert traces.told(looks_of(CALM)) == "1980 MHz and up to 666 W in 1.9 s; of 40 looks at its power limit in 100%"


@pytest.mark.parametrize(("trace", "told"), [(HOT, True), (CALM, False)])
def test_the_screen_tells_it_only_where_something_was_odd(trace, told):
    words = " ".join(as_text(with_trace(trace)).split())  # however wide the screen is
    assert ("held back by heat" in words) is told


def test_the_page_draws_clock_and_power_over_time():
    hot, calm, none = (as_text(report, "html") for report in (with_trace(HOT), with_trace(CALM), by_case()))
    assert hot.count("<polyline") == 2
    assert hot.count('class="held"') == 2  # one stretch in each line
    assert "1410 to 1980 MHz; upper edge 1980, its highest" in hot
    assert calm.count("<polyline") == 2
    assert 'class="held"' not in calm
    assert none.count("<polyline") == 1


def by_case() -> Report:
    """Of the time before traces."""
    return inspecting.pasted([str(REPLAYS / "h200-bench-kernels.json")]).report


@pytest.mark.parametrize(
    "damaged",
    [
        dataclasses.replace(HOT, at_s=(1.0,)),
        dataclasses.replace(HOT, power_w=(1.0, 2.0), reasons=("x",)),
        dataclasses.replace(HOT, sm_clock_mhz=(0.0,) * 40),
        dataclasses.replace(HOT, sm_clock_mhz=(float("nan"),) * 40),
        dataclasses.replace(HOT, at_s=(5.0,) * 40),
        dataclasses.replace(HOT, at_s=(-1.0, *HOT.at_s[1:]), power_w=(float("inf"),) * 40),
        dataclasses.replace(HOT, device_index=7),
    ],
)
def test_a_damaged_trace_costs_no_report(damaged):
    report = with_trace(damaged)
    for format_name in ("text", "html", "markdown"):
        shown = as_text(report, format_name)
        assert "nan" not in shown.partition("<polyline")[2].partition("/>")[0]


@pytest.mark.whole
def test_a_live_benchmark_keeps_it(tmp_path, fake_driver):
    from patients import in_this_process
    from test_bench_kernels import kernels, patient_with_a_gpu

    patient = patient_with_a_gpu(tmp_path / "venv", fake_driver, FAKE_SM_CLOCK="1200", FAKE_POWER_MW="65500")
    told = in_this_process(kernels(patient, "--quick", "--format", "json"), patient.environment, tmp_path)
    (trace,) = told.report["facts"]["ClockTrace"]
    assert set(trace["sm_clock_mhz"]) == {1200}
    assert set(trace["power_w"]) == {65.5}
    assert len(trace["at_s"]) == len(trace["reasons"]) >= 1
