"""`cudacheck bench steps`: groups in children of their own, whatever becomes of these, and the whole command."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
from pathlib import Path

import pytest
from patients import CUDACHECK, Doctor, Patient, clean_environment
from present import present
from typer.testing import CliRunner

from cudacheck.bench.options import VARIABLE
from cudacheck.cli.app import app
from cudacheck.commands import bench_steps
from cudacheck.commands.doctor import Stopwatch
from cudacheck.model.facts import Facts
from cudacheck.model.report import Outcome
from cudacheck.probes import chosen
from cudacheck.probes.patient.bench_steps import DecodeCeiling, NewLengthStalls, PrefixReuse, RowLaunches, StepRow
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.probing import children
from cudacheck.speed.steps.groups import COUNTED, STACK, plan, row_names

pytestmark = pytest.mark.whole

SCRIPTED = '''
"""A torch whose engine does what FATES says of each row and part."""
import json, os, sys, threading, types

__version__ = "2.8.0"
fates = json.loads(os.environ["FATES"])
broken = []

def fate(name):
    how = fates.get(name)
    if how == "hang":
        threading.Event().wait()
    elif how == "abort":
        os.abort()
    elif how == "raise":
        raise RuntimeError("no engine")
    elif how == "break":
        broken.append(name)
    return {"error": "RuntimeError: illegal memory access"} if how in ("break", "error") else {}

def synchronize(device):
    if broken:
        raise RuntimeError("illegal memory access")

def properties(index):
    raise RuntimeError("there is none")

class device:
    type = "cuda"
    def __init__(self, _, index):
        self.index = index

def rows(names, device, shape, quick):
    for table, row in names:
        yield {"table": table, "row": row, **fate(row)}

def launches(names, device, shape):
    for table, row in names:
        yield {"table": table, "row": row, "launches": 1}

def stalls(setting, device, shape):
    yield "ColdStart", {"setting": setting}
    yield "NewLengthStalls", {"setting": setting, **fate("stalls")}

def engine(name, **functions):
    sys.modules["cudacheck.bench." + name] = types.SimpleNamespace(**functions)

engine("step_rows", measured=rows, launches=launches)
engine("stalls", measured=stalls)
engine("ceilings", measured=lambda device, shape: fate("ceiling"))
engine("prefix", measured=lambda device, shape: fate("prefix"))
cuda = types.SimpleNamespace(synchronize=synchronize, get_device_properties=properties, set_device=lambda device: None)
'''


@pytest.fixture
def bench(tmp_path, monkeypatch, request):
    """Work through a plan on a patient with the scripted torch."""
    patient = Patient(tmp_path / "venv")
    patient.write("torch/__init__.py", SCRIPTED)

    def run(planned, fates, *, device=0, timeout_s=60.0, heard=lambda _: None):
        monkeypatch.setenv("FATES", json.dumps(fates))
        each_s = 4 if "hang" in fates.values() else 30
        early = getattr(request, "param", False)
        monkeypatch.setenv(VARIABLE, json.dumps({"timeout_s": each_s, "early": early}))
        done = on_one_gpu(patient, device=device, timeout_s=timeout_s, heard=heard)
        done.measure(planned)
        return done

    return run


both_ways = pytest.mark.parametrize("bench", [False, True], ids=["one by one", "the next gets ready"], indirect=True)


def on_one_gpu(patient, *, timeout_s, device=0, **more) -> bench_steps.GroupRunner:
    known = Facts([KernelRun(0, "addition", ok=True), TorchDevice(0, "a GPU", uuid="GPU-1")])
    return bench_steps.GroupRunner(
        chosen.Patient(str(patient.python), "--python"), known, Stopwatch(timeout_s), device, **more
    )


def rows(bench) -> dict[str, str]:
    """What each row ended with."""
    return {row.row: row.error or row.skipped or "ok" for row in bench.facts.all(StepRow)}


def endings(bench) -> list[tuple[str, str]]:
    return [(run.outcome, run.detail) for run in bench.runs]


@both_ways
def test_a_healthy_run_is_one_child_a_group(bench):
    heard: list[object] = []
    done = bench(plan(), {}, heard=heard.append)
    assert endings(done) == [("ok", name) for name in ("default", "cudnn off", "eager", "graphs")]
    assert set(rows(done).values()) == {"ok"}
    assert len(heard) == 1 + 4 + plan().facts  # the plan, the groups, and so many facts as were planned
    assert done.facts.is_complete(StepRow)
    assert len(done.facts.all(RowLaunches)) == len(COUNTED)
    assert {row.device_index for row in done.facts.all(StepRow)} == {0}


@both_ways
def test_what_kills_a_child_costs_one_row(bench):
    chosen = plan(rows=["static-cache", "fused", "decode-graph", "prefill-graph"])
    done = bench(chosen, {"ceiling": "abort", "fused": "abort", "decode-graph": "hang"})
    assert rows(done) == {
        "static-cache": "ok",
        "fused": "died of SIGABRT (6)",
        "decode-graph": "no answer within 4 s",
        "prefill-graph": "ok",
    }
    assert endings(done) == [
        ("crashed", "ceiling: died of SIGABRT (6)"),
        ("crashed", "row fused: died of SIGABRT (6)"),
        ("timed-out", "row decode-graph: no answer within 4 s"),
        ("ok", "graphs"),
    ]
    assert done.facts.one(DecodeCeiling) is None
    assert next(row for row in done.facts.all(StepRow) if row.error).device_uuid == "GPU-1"
    assert not done.facts.is_complete(StepRow)


def test_a_row_that_breaks_the_gpu_for_its_process_does_not_take_the_others(bench):
    done = bench(plan(rows=["fp32", "16bit", "kv-cache"]), {"fp32": "error", "16bit": "break"})
    assert rows(done) == dict.fromkeys(("fp32", "16bit"), "RuntimeError: illegal memory access") | {"kv-cache": "ok"}
    assert [outcome for outcome, _ in endings(done)] == ["ok", "ok"]


@both_ways
def test_stalls_and_prefix_that_die_say_so(bench):
    done = bench(plan(), {"stalls": "abort", "prefix": "raise"})
    assert {stall.error for stall in done.facts.all(NewLengthStalls)} == {"died of SIGABRT (6)"}
    assert done.facts.one(PrefixReuse).error == "RuntimeError: no engine"
    assert set(rows(done).values()) == {"ok"}
    assert done.facts.all(RowLaunches)


@both_ways
def test_a_child_that_got_ready_waits_for_its_turn(bench):
    """What it tells comes after all that the group before told."""
    told: list[object] = []
    done = bench(plan(rows=["sdpa", "cudnn-off"]), {}, heard=told.append)
    assert [type(fact).__name__ for fact in told] == [
        *(
            "Plan",
            "Group",
            "ColdStart",
            "NewLengthStalls",
            "StepRow",
            "Group",
            "ColdStart",
            "NewLengthStalls",
            "StepRow",
        )
    ]
    assert done.ready is None


@pytest.mark.parametrize("bench", [True], indirect=True)
def test_a_child_that_is_not_needed_is_ended(bench):
    def press(fact):
        if isinstance(fact, StepRow) and not fact.skipped:
            raise KeyboardInterrupt

    done = bench(plan(rows=["sdpa", "cudnn-off"]), {}, heard=press)
    assert done.interrupted
    assert done.ready is None
    left = subprocess.run(["pgrep", "-f", done.patient.python], capture_output=True, text=True, check=False)
    assert left.stdout == ""


def test_an_engine_that_does_not_start_is_asked_once(bench):
    done = bench(plan(rows=["fp32", "16bit"]), {"fp32": "raise"})
    assert [outcome for outcome, _ in endings(done)] == ["failed"]
    assert rows(done) == dict.fromkeys(("fp32", "16bit"), "RuntimeError: no engine")


def test_ctrl_c_keeps_what_is_known(bench):
    def press(fact):
        if isinstance(fact, StepRow) and not fact.skipped:
            raise KeyboardInterrupt

    done = bench(plan(rows=["fp32", "16bit", "triton"]), {"16bit": "hang"}, heard=press)
    assert done.interrupted
    assert rows(done) == {"fp32": "ok", "16bit": "interrupted", "triton": "interrupted"}
    assert endings(done) == [(Outcome.SKIPPED, "interrupted")]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"timeout_s": 5.0}, "no time was left (--timeout)"),
        ({"device": 3}, "no kernel ran on a GPU 3 here: PyTorch has [0]"),
    ],
    ids=["no time", "no such GPU"],
)
def test_nothing_is_started_in_vain(bench, options, why):
    done = bench(plan(quick=True), {}, **options)
    assert endings(done) == [(Outcome.SKIPPED, why)]
    assert set(rows(done).values()) <= {why}


def test_a_limit_for_each_fact_begins_anew():
    probe = children.named("bench_steps")
    assert probe.per_fact
    child = children.Child("patient", ["/bin/true"], [probe])
    for event in (
        {"event": "start", "probe": probe.name},
        {"event": "fact", "type": "DecodeCeiling", "fields": {"device_index": 0}},
    ):
        child.timeout_since = 0.0
        child._event(event)
        assert child.timeout_since > 0


def test_what_is_no_number_is_not_known():
    """A NaN would make a report that nobody can read."""
    probe = children.named("bench_steps")
    child = children.Child("patient", ["/bin/true"], [probe])
    fields = '{"row": "fused", "table": "ladder", "device_index": 0, "logits_error": NaN, "itl_ms": Infinity}'
    child._told(f'{{"event": "fact", "type": "StepRow", "fields": {fields}}}\n'.encode())
    (row,) = child.facts
    assert (row.row, row.logits_error, row.itl_ms) == ("fused", None, None)


def test_what_is_planned():
    everything = plan(stack=True, concurrency=True, compile=True)
    assert [group.name for group in everything.groups] == [
        *("default", "cudnn off", "eager", "graphs", "compile", "stack", "concurrency")
    ]
    measured = {row for group in everything.groups for row in group.rows if row[0] != "stack"}
    assert measured == {*row_names().values()}
    quick = [name for group in plan(quick=True).groups for _, name in group.rows]
    assert quick == ["sdpa", "cudnn-off", "fused", "prefill-graph"]
    assert [group.name for group in plan(quick=True, compile=True).groups][-1] == "compile"
    only = plan(rows=["without-fused", "fp32"])
    assert [group.work for group in only.groups] == [(("ladder", "fp32"),), (("ceiling", ""), ("without", "fused"))]


def test_the_stack_has_the_rows_that_are_planned():
    source = Path(bench_steps.__file__).parents[1] / "bench" / "stack.py"
    tree = ast.parse(source.read_text(encoding="utf-8"))  # importing it would import torch
    (variants,) = [n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "VARIANTS"]
    assert isinstance(variants, ast.Dict)
    assert tuple(ast.literal_eval(present(key)) for key in variants.keys) == STACK
    (measured,) = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "measured"]
    assert [argument.arg for argument in measured.args.args] == ["device", "shape", "rows"]


RTX_3090 = {
    "FAKE_NAME": "NVIDIA GeForce RTX 3090",
    "FAKE_CC": "86",
    "FAKE_MEM_MB": "24564",
    "FAKE_DRIVER": "570.124.06",
    "FAKE_CUDA_VERSION": "12080",
    "STUB_GB_PER_S": "936",
    "STUB_LAUNCH_US": "50",
    "CUDACHECK_BENCH": json.dumps({"shape": "tiny"}),
}


@pytest.fixture
def tiny(tmp_path, fake_driver):
    """A patient with a GPU whose time is virtual (stubs/gpu_on_cpu), on which the decoder is tiny."""
    patient = Patient(tmp_path / "venv", environment=fake_driver(**RTX_3090, HOME=tmp_path / "home"))
    patient.torch("2.8.0+cu126", "12.6", "sm_50 sm_80 sm_86 sm_90", gpu=True)
    return patient


def test_the_command_on_a_healthy_gpu(tiny, tmp_path):
    told = subprocess.run(
        [*CUDACHECK, "bench", "steps", "--python", tiny.python, "--rows", "cudnn-off", "--output", "report.json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=tmp_path,
        env={**clean_environment(), **tiny.environment},
    )
    assert told.returncode == 0
    assert told.stderr == ""
    assert "\x1b" not in told.stdout
    saved = Doctor(0, (tmp_path / "report.json").read_text(), "")
    assert saved.roots == [], saved.stdout
    assert saved.report["verdict"]["state"] == "ready"
    facts = saved.report["facts"]
    (row,) = facts["StepRow"]
    assert (row["row"], row["ok"], row["error"]) == ("cudnn-off", True, None)
    assert row["ttft_ms"] > 0
    assert facts["ColdStart"][0]["import_s"] > 0
    assert len(facts["NewLengthStalls"][0]["first_ms"]) == 20
    runs = [(run["outcome"], run["detail"]) for run in saved.report["probes"] if run["probe"] == "bench_steps"]
    assert runs == [("ok", "cudnn off")]
    assert not (tmp_path / "home").exists()


def test_rows_that_abort_raise_and_are_wrong(tiny, monkeypatch):
    """F.rms_norm does so, which only fused rows call; what is captured in a CUDA graph is checked like the rest."""
    for name, value in {**tiny.environment, "STUB_RMS_NORM": "abort raise wrong"}.items():
        monkeypatch.setenv(name, value)
    bench = on_one_gpu(tiny, timeout_s=100, quick=True)
    bench.measure(plan(rows=["fused", "decode-graph", "prefill-graph", "without-fused"]))
    told = {(row.table, row.row): row for row in bench.facts.all(StepRow)}
    assert told["ladder", "fused"].error == "died of SIGABRT (6)"
    assert "the stub was told to raise" in present(told["ladder", "decode-graph"].error)
    assert told["ladder", "prefill-graph"].ok is False
    graphs = told["without", "fused"]
    assert graphs.ok is True
    assert present(graphs.itl_ms) < present(graphs.ttft_first_ms)
    (ceiling,) = bench.facts.all(DecodeCeiling)
    assert present(ceiling.gemv_ms) > 0
    assert [outcome for outcome, _ in endings(bench)] == ["crashed", "ok"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--rows", "fp32", "--quick"), "--quick and --rows both choose rows: give one of them"),
        (("--rows", "fp32,fp64"), "no row is called 'fp64'; the rows are fp32 16bit kv-cache"),
        (("--rows", ""), "no row is called ''"),
        (("--plot", "steps.pdf"), "cannot draw .pdf files; the endings are .svg .png"),
        (("--plot", "/no/such/steps.svg"), "cannot write /no/such/steps.svg: no such folder"),
        (("--python", "/no/such/python"), "no Python interpreter at /no/such/python"),
        (("--ignore", "no-such-rule"), "no rule is called 'no-such-rule'"),
    ],
    ids=lambda value: "" if isinstance(value, str) else value[0],
)
def test_bad_usage_is_one_clear_line(options, said):
    told = CliRunner().invoke(app, ["bench", "steps", *options])
    assert told.exit_code == 2
    assert said in told.stderr
    assert len(told.stderr.splitlines()) == 1


def test_a_plot_needs_matplotlib_before_the_work(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr("cudacheck.cli.output.find_spec", lambda name: None if name == "matplotlib" else found(name))
    told = CliRunner().invoke(app, ["bench", "steps", "--plot", "steps.svg"])
    assert told.exit_code == 2
    assert told.stderr == "cudacheck: --plot needs matplotlib: python -m pip install matplotlib\n"


def test_what_opt_ins_cost_is_said_up_front():
    told = CliRunner().invoke(app, ["bench", "steps", "--stack", "--compile", "--python", "/no/such/python"])
    assert told.stderr.splitlines()[:2] == [
        "cudacheck: --stack takes about 55 s more",
        "cudacheck: --compile takes about 15 s more",
    ]
