"""The probes that run something: kernels, attention backends, benchmark and flash-attn, in a real child process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from patients import Patient

torch = pytest.importorskip("torch")

from cudacheck.bench import attention, cases, engine, kernels  # noqa: E402
from cudacheck.probes.patient import attention_backends, flash_attn  # noqa: E402

pytestmark = pytest.mark.whole

CHILD = Path(__file__).parents[1] / "cudacheck" / "probing" / "_child.py"
GPUS = torch.cuda.device_count() if torch.cuda.is_available() else 0
needs_gpu = pytest.mark.skipif(not GPUS, reason="PyTorch sees no GPU here")


def told_by(tmp_path, *probes, path="", python=sys.executable):
    """What a child told: the facts by type, and the outcome of each probe."""
    events = tmp_path / "events"
    events.write_bytes(b"")
    subprocess.run([python, "-B", CHILD, events, "patient", str(path), *probes], check=True, timeout=120)
    lines = [json.loads(line) for line in events.read_text(encoding="utf-8").splitlines()]
    facts: dict[str, list[Any]] = {}
    for line in lines:
        if line["event"] == "fact":
            facts.setdefault(line["type"], []).append(line["fields"])
    return facts, {line["probe"]: (line["outcome"], line["detail"]) for line in lines if line["event"] == "end"}


@pytest.mark.skipif(GPUS > 0, reason="there is a GPU")
def test_without_a_gpu_nothing_is_measured(tmp_path):
    facts, outcomes = told_by(tmp_path, "kernels", "attention_backends", "benchmark")
    assert facts == {}
    assert set(outcomes.values()) == {("skipped", "no GPU")}


# --- flash-attn


def flash_attn_in(folder, extension="", package="__version__ = '2.8.3'"):
    """A site-packages with flash-attn 2.8.3, its extension compiled from C."""
    (folder / "flash_attn-2.8.3.dist-info").mkdir()
    (folder / "flash_attn").mkdir()
    (folder / "flash_attn" / "__init__.py").write_text(package)
    source = folder / "extension.c"
    source.write_text(extension or "int none;")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / "flash_attn_2_cuda.abi3.so", source], check=True)


ABI_MISMATCH = """
extern void _ZN3c105ErrorC2ENS_14SourceLocationESs(void);
void *PyInit_flash_attn_2_cuda(void) { _ZN3c105ErrorC2ENS_14SourceLocationESs(); return 0; }
"""


@pytest.fixture
def stub(tmp_path):
    """An interpreter whose PyTorch is a stub: where only flash-attn matters, the real one takes its time."""
    patient = Patient(tmp_path / "venv")
    patient.torch("2.8.0+cpu", None)
    return patient.python


def test_flash_attn_that_is_not_there_tells_nothing(tmp_path, stub):
    facts, outcomes = told_by(tmp_path, "flash_attn", python=stub)
    assert facts == {}
    assert outcomes["flash_attn"][0] == "ok"


def test_flash_attn_4_is_another_package(tmp_path, stub):
    (tmp_path / "flash_attn_4-4.0.0b2.dist-info").mkdir()
    (tmp_path / "flash_attn" / "cute").mkdir(parents=True)
    assert told_by(tmp_path, "flash_attn", path=tmp_path, python=stub)[0] == {}


def test_flash_attn_built_for_another_pytorch(tmp_path):
    flash_attn_in(tmp_path, ABI_MISMATCH)
    facts, _ = told_by(tmp_path, "flash_attn", path=tmp_path)
    (fact,) = facts["FlashAttention"]
    assert (fact["version"], fact["imports"], fact["error_type"]) == ("2.8.3", False, "ImportError")
    assert fact["missing_symbol"] == "_ZN3c105ErrorC2ENS_14SourceLocationESs"
    assert fact["ran"] is None
    (message,) = facts["ErrorMessage"]
    assert message["found_in"] == "import flash_attn"
    assert message["text"].startswith("ImportError: ")


@pytest.mark.parametrize("fault", ["raise SystemExit(3)", "raise OSError('libcudart.so.11.0: cannot open')"])
def test_flash_attn_that_will_not_be_imported(tmp_path, stub, fault):
    flash_attn_in(tmp_path, package=fault)
    facts, outcomes = told_by(tmp_path, "flash_attn", path=tmp_path, python=stub)
    assert facts["FlashAttention"][0]["imports"] is False
    assert outcomes["flash_attn"][0] == "ok"


def test_an_extension_without_metadata_counts(tmp_path, stub):
    (tmp_path / "flash_attn").mkdir()
    (tmp_path / "flash_attn" / "__init__.py").write_text("")
    (tmp_path / "flash_attn_2_cuda.py").write_text("")
    (tmp_path / "flash_attn_2_cuda.cpython-39-x86_64-linux-gnu.so").write_text("")
    facts, _ = told_by(tmp_path, "flash_attn", path=tmp_path, python=stub)
    assert facts["FlashAttention"][0]["version"] is None


def test_the_symbol_is_read_from_the_message():
    said = "/x/flash_attn_2_cuda.so: undefined symbol: _ZNK3c106SymInt6sym_neERKS0_"
    assert flash_attn.missing_symbol(said) == "_ZNK3c106SymInt6sym_neERKS0_"
    assert flash_attn.missing_symbol("No module named 'einops'") is None


# --- attention backends


def test_pytorch_is_asked_for_its_choice():
    tensors = attention.Attention("float16", 16, 16).inputs(torch.device("cpu"), seed=0)
    assert attention_backends.chosen(torch, tensors, causal=True) == "flash"
    assert set(attention_backends.switched_on(torch)) == {"flash", "efficient", "cudnn", "math"}
    assert set(attention_backends.refused(torch, tensors, causal=True)) <= {"flash", "efficient", "cudnn"}


def test_an_old_pytorch_tells_nothing_and_raises_nothing():
    class Old:
        class backends:  # noqa: N801
            cuda = object()

    tensors = attention.Attention("float16", 16, 16).inputs(torch.device("cpu"), seed=0)
    assert attention_backends.chosen(Old, tensors, causal=True) is None
    assert attention_backends.switched_on(Old) == {}
    assert attention_backends.refused(Old, tensors, causal=True) == {}


# --- on a GPU


@pytest.mark.gpu
@needs_gpu
def test_the_kernels_run_and_are_right(tmp_path):
    facts, outcomes = told_by(tmp_path, "kernels", "attention_backends")
    assert outcomes["kernels"][0] == outcomes["attention_backends"][0] == "ok"
    runs = facts["KernelRun"]
    assert {run["kernel"] for run in runs} == {"addition", "float16 matmul", "convolution"}
    assert {run["device_index"] for run in runs} == set(range(GPUS))
    for run in runs:
        assert run["ok"], run
        assert run["max_error"] <= run["tolerance"]
        assert run["device_uuid"].startswith(("GPU-", "MIG-"))
    assert any(library["soname"].startswith("libcudnn") for library in facts["LoadedLibrary"])
    for backend in facts["AttentionBackend"]:
        assert backend["chosen"] in {"flash", "efficient", "cudnn", "math"}
        assert all(backend["refused"].values()), backend


@pytest.mark.gpu
@needs_gpu
def test_the_doctors_cases_are_right_on_a_gpu(tmp_path):
    facts, outcomes = told_by(tmp_path, "benchmark")
    assert outcomes["benchmark"][0] == "ok"
    for row in facts["Measurement"]:
        assert row["error"] is None, row
        assert row["ok"] in (True, None), row
    matmul = facts["Measurement"][0]
    assert (matmul["case"], matmul["dtype"], matmul["method"]) == ("matmul", "float16", "events")
    assert 100 < matmul["sm_clock_mhz"] < 4000


@pytest.mark.gpu
@needs_gpu
def test_memory_is_given_back_and_short_calls_are_replayed():
    device = torch.device("cuda", 0)
    short = attention.Attention("float16", 1, 512)
    engine.run([short], device, 30)  # what libraries keep for themselves
    before = torch.cuda.memory_reserved(device)
    rows = engine.run([short, kernels.Matmul("float16", 4096, 4096, 4096)], device, 30)
    assert [row["method"] for row in rows] == ["graph", "events"]
    assert [row["cache"] for row in rows] == ["rotated", "rotated"]
    assert torch.cuda.memory_reserved(device) <= before + (64 << 20)


@pytest.mark.gpu
@pytest.mark.skipif(GPUS < 2, reason="PyTorch sees no two GPUs here")
def test_short_calls_are_replayed_on_a_second_gpu():
    """Captured on a stream of another GPU, a graph is empty and takes no time."""
    short = attention.Attention("float16", 1, 512)
    for index in range(2):
        (row,) = engine.run([short], torch.device("cuda", index), 30)
        assert row["method"] == "graph"
        assert row["median_us"] > 1


@pytest.mark.gpu
@needs_gpu
def test_the_kernels_of_the_command_on_a_gpu(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDACHECK_BENCH", json.dumps({"quick": True, "devices": [0]}))
    facts, outcomes = told_by(tmp_path, "bench_kernels")
    assert outcomes["bench_kernels"][0] == "ok"
    assert len(facts["Measurement"]) == facts["BenchPlan"][0]["cases"]
    assert all(row["error"] is None for row in facts["Measurement"])
    assert 0 < facts["LaunchOverhead"][0]["launch_us"] < 1000
    assert facts["GpuConditions"][0]["spin_median_us"] > 500
    assert facts["HostCopy"][0]["pageable_to_gpu_gb_per_s"] > 0.1


@pytest.mark.gpu
@needs_gpu
def test_a_wrong_product_is_rejected_on_a_gpu():
    device = torch.device("cuda", 0)
    case = kernels.Matmul("float16", 1024, 1024, 1024)
    tensors = case.inputs(device, seed=0)
    out = case.call(tensors)
    assert case.check(tensors, out).ok
    out[512:, 512:] *= 0.98
    assert not case.check(tensors, out).ok


@pytest.mark.gpu
@needs_gpu
def test_what_does_not_fit_is_skipped_on_a_gpu():
    device = torch.device("cuda", 0)
    torch.cuda.reset_peak_memory_stats(device)
    size = 1 << 18
    (row,) = engine.run([kernels.Matmul("float16", size, size, size)], device, 30)
    assert row["skipped"].startswith("needs ")
    assert cases.filling_size("float16", device) in (2048, 4096, 8192)


@pytest.mark.gpu
@needs_gpu
def test_tf32_does_not_pass_for_float32_on_a_gpu():
    device = torch.device("cuda", 0)
    case = kernels.Matmul("float32", 1024, 1024, 1024)
    tensors = case.inputs(device, seed=0)
    with case.settings():
        assert case.check(tensors, case.call(tensors)).ok
    if torch.cuda.get_device_capability(device) >= (8, 0):
        with kernels.float32_precision("tf32"):
            assert not case.check(tensors, case.call(tensors)).ok


BREAKS_THE_CONTEXT = """
import sys, torch
sys.path.insert(0, sys.argv[1])
from cudacheck.bench import engine, kernels

class Breaking(kernels.Matmul):
    def call(self, tensors):
        return tensors[0][torch.full((1,), 1 << 20, device=tensors[0].device)]

sound = kernels.Matmul("float32", 64, 64, 64)
rows = engine.run([Breaking("float32", 64, 64, 64), sound], torch.device("cuda", 0), 30)
assert "error" in rows[0], rows
assert rows[1]["skipped"].startswith("an earlier case broke the CUDA context: "), rows
"""


@pytest.mark.gpu
@needs_gpu
def test_a_broken_context_ends_the_run_with_words():
    subprocess.run([sys.executable, "-c", BREAKS_THE_CONTEXT, CHILD.parents[1]], check=True, timeout=120)
