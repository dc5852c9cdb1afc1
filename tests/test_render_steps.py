"""What `cudacheck bench steps` measured, as text and as a picture: from an example, from half of it, from nonsense."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import steps_example as example
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from present import present

from cudacheck.bench import steps
from cudacheck.model.findings import Evidence, Finding, Severity
from cudacheck.probes.patient.bench_steps import (
    ColdStart,
    Concurrency,
    DecodeCeiling,
    NewLengthStalls,
    PrefixReuse,
    RowLaunches,
    StepRow,
)
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.render import as_text
from cudacheck.render._clean import packed, wrapped
from cudacheck.render._kernels import meter
from cudacheck.render.steps import plot
from cudacheck.reports.read import loads
from cudacheck.reports.write import dumps
from cudacheck.speed.steps import measured as judged

pytestmark = pytest.mark.whole

WIDTHS = (80, 120)
SECTIONS = ("stalls", "ladder", "without", "extras", "your stack", "prefix reuse", "concurrency", "cold start")


def rendered(*facts, width=80, colour=False):
    return as_text(example.report(*facts), width=width, colour=colour)


def line_of(screen, start):
    return next(line for line in screen.splitlines() if line.strip().startswith(start))


def test_the_example_has_every_row():
    assert [row.row for row in example.LADDER] == [*steps.ladder()]
    assert [row.row for row in example.WITHOUT] == [*steps.without()]
    assert [row.row for row in example.EXTRAS] == [*steps.extras()]


# Text


@pytest.mark.parametrize("width", WIDTHS)
def test_the_tables_come_in_order(width):
    screen = rendered(*example.EVERYTHING, width=width)
    assert screen.splitlines()[0].startswith(("✓", "?", "!"))
    places = [screen.index(f"\n  {name}  ") for name in ("advice", *SECTIONS, "the article")]
    assert places == sorted(places)


@pytest.mark.parametrize("width", WIDTHS)
def test_only_what_must_be_copied_is_wider_than_the_screen(width):
    screen = rendered(*example.EVERYTHING, width=width)
    code = [line for line in screen.splitlines() if line.startswith(" " * 10) and re.search(r"[=(]\w*", line)]
    assert all(len(line) <= width for line in screen.splitlines() if line not in code)
    assert "                torch.backends.cuda.enable_cudnn_sdp(False)".strip() in screen


def test_a_row_tells_its_speed_its_gain_and_its_share():
    fused = line_of(rendered(*example.FULL), "+ fused")
    assert re.search(r"154 +2\.2× +▇?▁+ +12%", fused)
    assert "9.10" in fused
    stack = line_of(rendered(*example.EVERYTHING), "sdpa  ")
    assert re.search(r"60 +7\.7×.* 68\.0 +26×", stack)


def test_a_wide_screen_tells_more():
    wide, narrow = (line_of(rendered(*example.FULL, width=width), "+ decode graph") for width in (120, 80))
    assert "431" in wide
    assert "431" not in narrow


def test_the_ladder_names_every_step_between_its_rows():
    screen = rendered(*example.QUICK)
    assert "16 bit, KV cache, SDPA" in screen
    assert "+ static cache + fused weights" in screen
    assert "+ decode graph + prefill graphs" in screen
    assert "…" not in screen


@pytest.mark.parametrize("width", WIDTHS)
def test_what_did_not_run_says_so_in_its_line(width):
    rows = example.failing("sdpa", "fused", "decode-graph")
    screen = rendered(*example.MACHINE, example.CEILING, *rows, width=width)
    assert "failed: died of SIGSEGV (11)" in line_of(screen, "+ SDPA")
    assert "not run: flash-attn does not import" in line_of(screen, "+ fused")
    assert "WRONG RESULT, logits off by 0.71" in line_of(screen, "+ decode graph")


def test_headings_tell_units():
    screen = rendered(*example.EVERYTHING)
    for unit in ("tokens/s", "TTFT, ms", "decoding, ms", "of floor", "until its first token, ms", "first token, s"):
        assert unit in screen
    assert "floor: bytes ÷ measured read bandwidth = 0.73 ms a token" in " ".join(screen.split())


def test_colour_adds_no_information():
    plain = rendered(*example.EVERYTHING)
    coloured = rendered(*example.EVERYTHING, colour=True)
    bare = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in bare.splitlines()] == plain.splitlines()


def test_code_keeps_its_indentation():
    screen = rendered(*example.FULL, width=120)
    graph = next(line for line in screen.splitlines() if "torch.cuda.graph(" in line)
    inside = screen.splitlines()[screen.splitlines().index(graph) + 1]
    assert len(inside) - len(inside.lstrip()) == len(graph) - len(graph.lstrip()) + 4


def test_without_steps_nothing_is_said_of_them():
    screen = rendered(*example.MACHINE)
    assert not any(word in screen for word in ("advice", "ladder", "the article", "TTFT"))


def test_a_saved_report_looks_the_same():
    told = example.report(*example.EVERYTHING)
    again = loads(dumps(told))
    assert as_text(again, width=100) == as_text(told, width=100)


def test_captures_are_the_ladders_and_what_compiles_is_named():
    triton = dataclasses.replace(example.EXTRAS[0], capture_s=2.1)
    screen = rendered(*example.MACHINE, *example.LADDER, triton, example.EXTRAS[1])
    assert "capturing CUDA graphs: 0.14 s · Triton decode: 2.10 s at first" in screen
    assert "torch.compile: 4.40 s at first" in screen


@pytest.mark.parametrize("width", [5, 7, 10, 12])
def test_a_bar_follows_the_percentage_beside_it(width):
    shares = [number / 10_000 for number in range(10_300)]
    bars = {(f"{min(share, 1):.0%}", meter(share, width)) for share in shares}
    assert len(bars) == 101
    lengths = [bar.count("▇") for percentage, bar in sorted(bars, key=lambda told: int(told[0][:-1]))]
    assert lengths == sorted(lengths)
    assert (lengths[0], lengths[-1]) == (0, width)


def test_extras_hold_prefill_too():
    assert "extras  beside plain PyTorch; gain: over the ladder's best" in rendered(*example.EVERYTHING)


@pytest.mark.parametrize("width", WIDTHS)
def test_less_one_step_says_what_it_is_compared_with(width):
    fused = next(row for row in example.WITHOUT if row.row == "fused")

    def about(*ladder):
        screen = rendered(*example.MACHINE, example.CEILING, *ladder, fused, width=width)
        assert all(len(line) <= width for line in screen.splitlines() if not line.startswith(" " * 10))
        return " ".join(screen[screen.index("\n  without  ") :].split())

    assert about().startswith("without all steps less one; the row of all of them was not measured, so no gain decode")
    assert "was not measured, so no gain" in about(example.LADDER[4])
    assert "does not work, so no gain" in about(*example.failing("x", "y", "prefill-graph"))
    assert about(*example.LADDER).startswith("without the last row less one step; gain: what that step brings")


def test_no_gain_is_promised_where_nothing_was_measured():
    screen = rendered(*example.MACHINE, *example.EXTRAS, *example.STACK)
    assert "gain:" not in screen
    assert "gain: over that one" not in rendered(*example.MACHINE, example.LADDER[4])


def test_a_prefix_that_died_shows_its_error():
    screen = rendered(*example.MACHINE, PrefixReuse(0, error="died of SIGSEGV (11)"))
    assert "failed: died of SIGSEGV (11)" in screen
    assert "0 tokens" not in screen


def test_requests_that_were_not_tried_say_why():
    why = "no memory for so many copies of the weights"
    skipped = Concurrency("processes", 0, skipped=why)
    screen = rendered(*example.MACHINE, skipped, example.CONCURRENCY[1])
    assert line_of(screen, "processes").split("not run: ")[1] == why
    assert "3 requests of 128 tokens that arrive together" in screen
    assert "several requests that arrive together" in rendered(*example.MACHINE, skipped)


@pytest.mark.parametrize("width", range(20, 60))
def test_units_stay_with_their_numbers(width):
    told = "prompts of 128 tokens took 1.07 s on GPU 0, at 4.2 × the speed, 12 % of 1 ÷ tokens/s, 3.6 GB and 0.72 ms"
    lines = wrapped(told, width)
    assert " ".join(lines) == told
    assert not any(re.match(r"(tokens|s|GB|ms)\b|[×%÷]", line) for line in lines)
    assert not any(line.endswith(("GPU", "÷")) for line in lines)


@pytest.mark.parametrize("width", [10, 20, 30, 80])
def test_phrases_stay_in_one_line(width):
    lines = packed(["one two", "", "three four", "a phrase of more than twenty letters"], width)
    assert all(len(line) <= width for line in lines)
    assert "one two" in lines[0]
    assert not any(line.startswith("·") or line.endswith("·") for line in lines)
    assert packed(iter(()), width) == []


# Floods


def gpus(count):
    return [dataclasses.replace(row, device_index=index) for index in range(count) for row in example.LADDER[4:7]]


def test_facts_are_grouped_by_gpu():
    other = [dataclasses.replace(fact, device_index=3) for fact in (*example.STALLS, *example.COLD, example.CEILING)]
    both = judged.of(example.report(*example.FULL, *other, TorchDevice(3, "another")).facts)
    assert [run.device_index for run in both] == [0, 3]
    assert both[0] == judged.of(example.report(*example.FULL).facts)[0]
    assert both[0].gpu.gpu is not None
    assert both[1].gpu.label == "GPU 3 (another)"
    assert (both[1].rows, both[1].launches, len(both[1].stalls), len(both[1].cold)) == ({}, {}, 2, 2)
    assert present(both[1].ceiling).device_index == 3


def test_many_gpus_stay_a_screen():
    assert "more GPUs" not in rendered(*example.MACHINE, *gpus(16))
    screen = rendered(*example.MACHINE, *gpus(633))
    assert screen.count("\n  ladder  ") == 16
    assert screen.count("and 617 more GPUs") == 2
    assert len(re.findall(r"^ *advice  GPU \d+: ", screen, re.MULTILINE)) == 16
    assert len(screen.splitlines()) < 1500


def test_thousands_of_rows_stay_a_screen():
    failed = [
        StepRow(f"row {n}", table, 0, error="died") for n in range(600) for table in ("stack", "extra", "without")
    ]
    served = [Concurrency(f"way {n}", 0, error="died") for n in range(100)]
    screen = rendered(*example.MACHINE, *example.LADDER, *failed, *served)
    assert screen.count("\n  and 560 more\n") == 3
    assert screen.count("\n  and 60 more\n") == 1
    assert len(screen.splitlines()) < 500


def test_evidence_of_one_finding_is_counted_not_listed():
    told = tuple(Evidence(f"row {n} died", "bench_steps") for n in range(1200))
    whole = example.report(*example.MACHINE)
    finding = Finding("rows died", told, severity=Severity.ERROR, rule="step-failed")
    screen = as_text(dataclasses.replace(whole, findings=(finding,)), width=80)
    assert screen.count("evidence ") == 20
    assert "and 1180 more" in screen


# Hostile facts: a report may come from anybody

number = st.one_of(
    st.none(),
    st.sampled_from([0.0, -1.0, 1e-30, 1e30, float("nan"), float("inf"), 5e-324, 10**20, -(10**20)]),
    st.floats(0.01, 1e4),
)
count = st.sampled_from([0, 1, -1, 128, 10**20, -(10**20)])
word = st.one_of(
    st.sampled_from(
        ["", "fp32", "sdpa", "fused", "decode-graph", "default", "cudnn off", "batched", "\x1b[2J", "x" * 300]
    ),
    st.text(max_size=20),
)
BY_TYPE = {
    "float | None": number,
    "int | None": st.one_of(st.none(), count),
    "int": count,
    "str": word,
    "str | None": st.one_of(st.none(), word),
    "bool | None": st.sampled_from([None, True, False]),
    "tuple[float, ...]": st.lists(number.filter(lambda value: value is not None), max_size=4).map(tuple),
}


def facts_of(cls):
    fields = {field.name: BY_TYPE[re.sub(r"holds\.\w+", "str", str(field.type))] for field in dataclasses.fields(cls)}
    fields["device_index"] = st.sampled_from([0, 0, 0, 1, -7])
    if "table" in fields:
        fields["table"] = st.sampled_from(["ladder", "without", "extra", "stack", "nonsense"])
    if "row" in fields:
        fields["row"] = st.one_of(st.sampled_from([row.row for row in example.LADDER]), word)
    return st.builds(cls, **fields)


TOLD = (StepRow, StepRow, StepRow, RowLaunches, NewLengthStalls, ColdStart, DecodeCeiling, PrefixReuse, Concurrency)
hostile = st.lists(st.one_of(*map(facts_of, TOLD)), max_size=12)
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)


@settings(max_examples=80, deadline=None, suppress_health_check=SLOW, phases=[Phase.generate])
@given(hostile, st.sampled_from(WIDTHS))
def test_no_facts_break_the_tables(facts, width):
    screen = rendered(*example.MACHINE, *facts, width=width)
    assert "\x1b" not in screen


@pytest.mark.parametrize("change", [{"itl_ms": float("nan")}, {"itl_ms": 1e-30, "ttft_ms": 1e30}, {"row": "$\\frac{"}])
def test_no_facts_break_the_plot(change, tmp_path):
    rows = [dataclasses.replace(row, **change) for row in example.LADDER]
    name = TorchDevice(0, "$\\frac{\x1b[2J<script>" + "x" * 500)
    ceiling = DecodeCeiling(0, decode_bytes=10**20, read_gb_per_s=1e-30, gemv_ms=float("inf"))
    facts = (name, TorchBuild("$x_{"), *rows, example.row("sdpa", "stack", what="x"), ceiling)
    drawn = tmp_path / "plot.svg"
    plot.write(example.report(*facts), drawn)
    assert ET.parse(drawn).getroot().tag.endswith("svg")
    assert "<script" not in drawn.read_text()


@settings(max_examples=8, deadline=None, suppress_health_check=SLOW, phases=[Phase.generate])
@given(st.lists(facts_of(StepRow), min_size=1, max_size=8))
def test_no_rows_break_the_plot(facts):
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(plot.PlotError):  # no row of a table it draws
        plot.write(example.report(*facts), Path(folder, "plot.svg"))


def test_thousands_of_rows_stay_a_picture(tmp_path):
    facts = [example.row("sdpa", "stack", what="x")]
    facts += [dataclasses.replace(facts[0], row=f"row {n}") for n in range(1500)]
    plot.write(example.report(*facts), tmp_path / "plot.png")
    assert png_size(tmp_path / "plot.png")[1] < 4000


# The picture


def png_size(path):
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG")
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


@pytest.mark.parametrize("facts", [example.FULL, example.QUICK, example.EVERYTHING], ids=["full", "quick", "all"])
def test_a_png_grows_with_its_rows(facts, tmp_path):
    plot.write(example.report(*facts), tmp_path / "plot.png")
    width, height = png_size(tmp_path / "plot.png")
    assert width == 1725
    assert 400 < height < 1500


def words_of(drawn):
    """matplotlib draws letters as shapes, and leaves each text in a comment."""
    return re.findall(r"<!-- (.+?) -->", drawn.read_text())


def test_an_svg_says_what_was_measured(tmp_path):
    drawn = tmp_path / "plot.svg"
    plot.write(example.report(*example.EVERYTHING), drawn)
    words = words_of(drawn)
    assert any("NVIDIA H200" in word and "torch 2.11.0+cu130" in word and "2026-11-22" in word for word in words)
    assert {"float32", "+ decode graph", "Triton decode", "steady", "at a new length", "487", "53.0"} <= {*words}
    assert any(word.startswith("floor") and word.endswith("1377") for word in words)
    assert any("alone" in word and word.endswith("801") for word in words)
    assert any(word.startswith("not run: flash-attn") for word in words)


def test_the_picture_is_of_one_gpu_and_says_so(tmp_path):
    drawn = tmp_path / "plot.svg"
    plot.write(example.report(*example.MACHINE, *gpus(40)), drawn)
    assert any("NVIDIA H200" in word and "and 39 more, not drawn" in word for word in words_of(drawn))


def test_the_same_report_gives_the_same_svg_without_scripts_and_links(tmp_path):
    drawn = [tmp_path / "one.svg", tmp_path / "two.svg"]
    for path in drawn:
        plot.write(example.report(*example.QUICK), path)
    assert drawn[0].read_bytes() == drawn[1].read_bytes()
    tags = {element.tag.rpartition("}")[2] for element in ET.parse(drawn[0]).iter()}
    assert not tags & {"script", "image", "a", "foreignObject"}


def test_a_fresh_process_leaves_nothing_but_the_file(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    code = (
        "import pathlib, steps_example as e; from cudacheck.render.steps import plot;"
        "plot.write(e.report(*e.QUICK), pathlib.Path('plot.png'))"
    )
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "TMPDIR": str(tmp_path),
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, env=environment, check=True)
    assert {*tmp_path.rglob("*")} == {home, tmp_path / "plot.png"}


def test_refusals_are_one_line(tmp_path):
    told = example.report(*example.QUICK)
    with pytest.raises(plot.PlotError, match=r"cannot draw \.pdf; the endings are \.svg \.png"):
        plot.write(told, tmp_path / "plot.pdf")
    with pytest.raises(plot.PlotError, match="no row of `cudacheck bench steps`"):
        plot.write(example.report(*example.MACHINE), tmp_path / "plot.svg")
    with pytest.raises(OSError, match="No such file"):
        plot.write(told, tmp_path / "nowhere" / "plot.svg")


def test_without_matplotlib_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(plot.PlotError, match="python -m pip install matplotlib"):
        plot.write(example.report(*example.QUICK), tmp_path / "plot.svg")
