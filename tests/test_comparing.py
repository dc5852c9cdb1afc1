"""Two reports: what differs, what of it comes first, and what the second one's findings rest on."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from faults import Fault
from test_faults import FAULTS, Ward, ward

from cudacheck.commands.doctor import judged
from cudacheck.comparing._reasons import Tries
from cudacheck.comparing.compare import Diff, compare
from cudacheck.comparing.difference import Difference
from cudacheck.model.facts import Facts
from cudacheck.model.identity import identity
from cudacheck.model.report import ProbeRun, Report
from cudacheck.probes.host.driver_files import DriverLibrary
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.kernel_module import KernelModule
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.limits import CpuShare
from cudacheck.probes.host.nvml import Gpu, GpuProcess, Nvml
from cudacheck.probes.host.system import System
from cudacheck.probes.patient.attention_backends import AttentionBackend
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.loaded_libraries import LoadedLibrary
from cudacheck.probes.patient.torch_cuda import TorchCuda, TorchDevice
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.registry import fact_types
from cudacheck.reports.read import loads

__all__ = ["ward"]  # the fixture

REPLAYS = Path(__file__).parent / "replays"


def replay(name: str) -> Report:
    return loads((REPLAYS / f"{name}.json").read_text(encoding="utf-8"))


def report_of(*facts: object, complete: Any = ()) -> Report:
    bag = Facts(facts, complete)
    return judged(bag, bag.all(ProbeRun), (), None)


def first(comparison: Diff) -> str:
    return comparison.differences[0].what if comparison.differences else "nothing"


# What a class says of itself


@pytest.mark.parametrize("kind", fact_types().values(), ids=fact_types())
def test_what_a_class_says_of_itself_names_its_fields(kind):
    told, fields = identity(kind), {field.name for field in dataclasses.fields(kind)}
    why = [name for pair in told.why for name in pair]
    named = {*told.key, *told.finer, *told.gpu, *told.aside, *told.only, *told.none, *why, *filter(None, [told.figure])}
    assert named <= fields


def test_what_tells_several_apart_is_declared():
    """A type of which the replays of real machines hold several that nothing tells apart would be compared by place."""
    for path in REPLAYS.glob("*.json"):
        facts = loads(path.read_text(encoding="utf-8")).facts
        for kind in facts.types():
            told = identity(kind)
            if len(facts.all(kind)) > 1 and not told.never:
                assert told.key or told.finer or told.gpu, f"{path.name}: {kind.__name__}"


# What is a difference


@pytest.mark.parametrize("path", sorted(REPLAYS.glob("*.json")), ids=lambda path: path.stem)
def test_a_report_is_the_same_as_itself(path):
    report = loads(path.read_text(encoding="utf-8"))
    comparison = compare(report, report)
    assert comparison.is_same
    assert comparison.equal > 50


def test_what_only_one_side_knows_is_no_difference():
    a = report_of(Nvml(library_found=True, driver_version="580.65.06", cuda_version="13.0"))
    b = report_of(Nvml(library_found=None, driver_version="580.65.06"), TorchBuild("2.8.0+cu128", cuda="12.8"))
    comparison = compare(a, b)
    assert (comparison.differences, comparison.unknown) == ((), 1)


def test_what_a_whole_list_lacks_is_one():
    a = report_of(Distribution("torchvision", "0.23.0"), complete=[Distribution])
    b = report_of(complete=[Distribution])
    assert compare(a, b).differences == (Difference("Distribution", "torchvision", "", "0.23.0", None),)


def test_a_paste_may_leave_variables_out():
    a = report_of(EnvironmentVariables({"CUDA_HOME": "/usr/local/cuda"}))
    assert compare(a, report_of(EnvironmentVariables({}, complete=False))).differences == ()
    assert [d.what for d in compare(a, report_of(EnvironmentVariables({}))).differences] == ["variable CUDA_HOME"]


@pytest.mark.parametrize("shares", [(None, 0.5), (0.5, None)], ids=str)
def test_none_where_it_says_that_there_is_none_is_a_difference(shares):
    before, after = (report_of(CpuShare(16, 16, quota)) for quota in shares)
    assert first(compare(before, after)) == "CPUs quota"


def test_a_libcuda_that_does_not_load_comes_before_what_came_of_it():
    before = report_of(LibCuda(found=True, init_code=0), TorchCuda(available=True, device_count=1))
    words = "libcuda.so.1: file too short"
    after = report_of(LibCuda(found=True, load_error=words), TorchCuda(available=False, device_count=0))
    assert first(compare(before, after)) == "libcuda found"


def test_time_load_and_processes_are_none():
    quiet = Gpu(0, "NVIDIA A10", "GPU-1", temperature_c=30, power_draw_w=20.0, utilization_percent=0)
    busy = dataclasses.replace(quiet, temperature_c=80, power_draw_w=140.0, utilization_percent=99)
    a = report_of(quiet, GpuProcess(0, 1, 2**20, "python3", visible=True))
    b = report_of(busy, GpuProcess(0, 2, 2**21, "python3", visible=True))
    assert compare(a, b).differences == ()


def test_the_environments_own_folder_is_none():
    def machine(venv: str) -> Report:
        site = f"{venv}/lib/python3.12/site-packages"
        return report_of(
            Interpreter("3.12.3", f"{venv}/bin/python", prefix=venv, base_prefix="/usr"),
            TorchBuild("2.8.0+cu128", cuda="12.8", path=f"{site}/torch"),
            LoadedLibrary("libcudnn.so.9", f"{site}/nvidia/cudnn/lib/libcudnn.so.9", "9.10.2"),
            Distribution("torch", "2.8.0", location=site),
        )

    assert compare(machine("/srv/a/.venv"), machine("/home/ada/venv")).differences == ()


def test_gpus_are_matched_by_uuid_and_where_none_is_shared_by_number():
    a = report_of(Gpu(0, "NVIDIA A10", "GPU-a"), Gpu(1, "NVIDIA L4", "GPU-b"), complete=[Gpu])
    swapped = report_of(Gpu(0, "NVIDIA L4", "GPU-b"), Gpu(1, "NVIDIA A10", "GPU-a"), complete=[Gpu])
    other = report_of(Gpu(0, "NVIDIA A10", "GPU-c"), Gpu(1, "NVIDIA L40S", "GPU-d"), complete=[Gpu])
    assert compare(a, swapped).differences == ()
    assert [(d.what, d.found) for d in compare(a, other).differences] == [("GPU 1 name", "NVIDIA L40S")]


def test_one_more_gpu_is_one_difference():
    a = report_of(Gpu(0, "NVIDIA A10", "GPU-a"), complete=[Gpu])
    b = report_of(Gpu(0, "NVIDIA A10", "GPU-b"), Gpu(1, "NVIDIA A10", "GPU-c"), complete=[Gpu])
    assert [d.what for d in compare(a, b).differences] == ["GPU 1"]


def test_a_version_in_other_places_follows_the_first():
    comparison = compare(H200, other_driver(H200))
    assert first(comparison) == "driver version"
    following = [d.what for d in comparison.differences if d.follows == "driver version"]
    assert {"kernel module version", "driver library libcuda.so.1 version", "libcuda path"} <= {*following}


def test_times_differ_beyond_their_intervals_and_at_the_same_clock():
    row = Measurement("matmul", "float16", "8192³", 0, "GPU-1", median_us=100.0, ci95_rel=0.01, converged=True)
    row = dataclasses.replace(row, sm_clock_mhz=1500.0, ok=True)
    device = TorchDevice(0, "NVIDIA H200", "GPU-1")

    def against(**changed: Any) -> list[tuple[str, Any]]:
        other = report_of(dataclasses.replace(row, **changed), device)
        return [(d.what, d.found) for d in compare(report_of(row, device), other).differences]

    assert against(median_us=105.0) == []
    assert against(median_us=140.0) == [("measurement GPU 0 float16 8192³ median", 140.0)]
    assert against(median_us=70.0) == [("measurement GPU 0 float16 8192³ median", 70.0)]
    assert against(median_us=140.0, sm_clock_mhz=1100.0) == [], "a cooler day"
    assert against(median_us=140.0, ci95_rel=0.3) == [], "too uncertain"


# Faults on a healthy H200, as its own report would show them

H200 = replay("h200-doctor")


def _all(facts: Facts, kind: Any) -> tuple[Any, ...]:
    return facts.all(kind)


def changed(report: Report, *edits: tuple[type, dict[str, Any]], gone: tuple[type, ...] = ()) -> Report:
    facts = report.facts
    for kind, fields in edits:
        facts = facts.having(kind, [dataclasses.replace(fact, **fields) for fact in _all(facts, kind)], complete=True)
    for kind in gone:
        facts = facts.having(kind, [], complete=True)
    return judged(facts, report.probes, (), None)


def variable(name: str, value: str) -> Any:
    (variables,) = H200.facts.all(EnvironmentVariables)
    return EnvironmentVariables, {"values": {**variables.values, name: value}}


def other_driver(report: Report) -> Report:
    old, new = "580.159.04", "535.129.03"
    facts = report.facts
    for kind in (Nvml, KernelModule, DriverLibrary, LibCuda):
        these: tuple[Any, ...] = facts.all(kind)
        texts = [{k: v.replace(old, new) for k, v in vars(f).items() if isinstance(v, str)} for f in these]
        facts = facts.having(
            kind, [dataclasses.replace(f, **t) for f, t in zip(these, texts, strict=True)], complete=True
        )
    (nvml,), (cuda,) = facts.all(Nvml), facts.all(LibCuda)
    facts = facts.having(Nvml, [dataclasses.replace(nvml, cuda_version="12.2")], complete=True)
    facts = facts.having(LibCuda, [dataclasses.replace(cuda, cuda_version="12.2")], complete=True)
    return judged(facts, report.probes, (), None)


def toolkits_cudnn(report: Report) -> Report:
    facts = [
        dataclasses.replace(f, path="/usr/local/cuda/lib64/libcudnn.so.9", version="9.1.0")
        if f.soname == "libcudnn.so.9"
        else f
        for f in report.facts.all(LoadedLibrary)
    ]
    changed_facts = report.facts.having(LoadedLibrary, facts, complete=True)
    return changed(judged(changed_facts, report.probes, (), None), variable("LD_LIBRARY_PATH", "/usr/local/cuda/lib64"))


def slower(report: Report) -> Report:
    rows = [
        dataclasses.replace(row, median_us=row.median_us * 1.25) if row.case == "matmul" and row.median_us else row
        for row in report.facts.all(Measurement)
    ]
    return judged(report.facts.having(Measurement, rows, complete=True), report.probes, (), None)


RUN = (TorchDevice, KernelRun, Measurement, AttentionBackend)
HIDDEN = (TorchCuda, {"available": False, "device_count": 0}), (LibCuda, {"init_code": 100, "device_count": 0})
PLANTED = {
    "driver version": other_driver(H200),
    "torch version": changed(H200, (TorchBuild, {"version": "2.11.0+cu126", "cuda": "12.6"})),
    "torch arch list": changed(H200, (TorchBuild, {"arch_list": ("sm_75", "sm_80", "sm_86")})),
    "mapped library libcudnn.so.9 version": toolkits_cudnn(H200),
    "GPU 0 power limit": changed(H200, (Gpu, {"power_limit_w": 400.0})),
    "GPU 0 pcie width": changed(H200, (Gpu, {"pcie_width": 8})),
    "GPU 0 rows remap pending": changed(H200, (Gpu, {"rows_remap_pending": True})),
    "GPU 0 compute mode": changed(H200, (Gpu, {"compute_mode": "exclusive-process"})),
    "variable CUDA_VISIBLE_DEVICES": changed(H200, variable("CUDA_VISIBLE_DEVICES", ""), *HIDDEN, gone=RUN),
    "variable CUDA_LAUNCH_BLOCKING": changed(H200, variable("CUDA_LAUNCH_BLOCKING", "1")),
    "kernel module uvm loaded": changed(
        H200, (KernelModule, {"uvm_loaded": False}), (LibCuda, {"init_code": 999}), *HIDDEN[:1], gone=RUN
    ),
    "system shm": changed(H200, (System, {"shm_bytes": 64 * 2**20})),
    "measurement GPU 0 float16 8192³ median": slower(H200),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_what_was_planted_comes_first(planted):
    assert first(compare(H200, PLANTED[planted])) == planted


NOISY = ("h200-x2-bench-kernels", "h200-bench-kernels", "h200-steps")


@pytest.mark.parametrize("planted", PLANTED)
@pytest.mark.parametrize("name", NOISY)
def test_where_a_finding_tells_of_it_no_other_difference_comes_before(planted, name):
    """The healthy one is another machine, with one GPU more, more processors and other variables."""
    comparison = compare(replay(name), PLANTED[planted])
    if comparison.likely_reasons:
        assert first(comparison).endswith(planted.removeprefix("GPU 0 "))
    else:
        assert planted in {d.what for d in comparison.differences} or planted.partition(" ")[0] in {
            "GPU",
            "measurement",
        }


def test_a_finding_rests_on_what_would_clear_it():
    reasons = compare(H200, PLANTED["variable CUDA_VISIBLE_DEVICES"]).likely_reasons
    (hidden,) = [reason for reason in reasons if reason.finding.rule == "gpus-hidden"]
    assert next(d.what for d in hidden.rests_on) == "variable CUDA_VISIBLE_DEVICES"
    assert not hidden.first_is_silent


def test_a_variable_that_is_0_is_no_reason_for_what_happens_on_gpu_0():
    """Nor is any other value that stands in every text."""
    other = replay("h200-bench-kernels")
    assert other.facts.all(EnvironmentVariables)[0].values["CUDA_VISIBLE_DEVICES"] == "0"
    stalls = next(r for r in compare(H200, other).likely_reasons if r.finding.rule == "attention-plan-per-length")
    assert "GPU 0" in stalls.finding.message
    assert stalls.rests_on == ()


def test_a_first_report_that_says_little_is_told_to():
    broken = changed(H200, (Gpu, {"error": "GPU is lost", "error_code": 15}))
    reasons = compare(report_of(TorchBuild("2.11.0+cu130", cuda="13.0")), broken).likely_reasons
    assert next((r.finding.rule, r.first_is_silent) for r in reasons) == ("gpu-lost", True)


def test_the_other_way_round_there_is_no_reason_and_the_finding_is_gone():
    comparison = compare(PLANTED["variable CUDA_VISIBLE_DEVICES"], H200)
    assert [finding.rule for finding in comparison.only_first] == ["gpus-hidden"]
    assert comparison.likely_reasons == ()


def test_work_is_bounded_whatever_there_is_to_compare():
    """The rules are asked so often and no oftener: two reports as full as may be are compared, too."""
    full = H200.facts
    lists: dict[Any, list[Any]] = {
        Distribution: [Distribution(f"nvidia-p{n}", f"1.{n}.0", location=f"/site/{n}") for n in range(2000)],
        LoadedLibrary: [LoadedLibrary("libcudnn.so.9", f"/x/{n}/libcudnn.so.9", f"9.{n}.1") for n in range(2000)],
        Gpu: [Gpu(n, "NVIDIA H200", f"GPU-{n}", rows_remap_pending=True) for n in range(2000)],
        EnvironmentVariables: [EnvironmentVariables({f"NCCL_{n}": "x" for n in range(2000)})],
    }
    for kind, facts in lists.items():
        full = full.having(kind, facts, complete=True)
    told = compare(H200, judged(full, H200.probes, (), None))
    assert len(told.differences) > 7000
    tries = Tries(H200.facts, full)
    assert 0 < tries.left < 60
    assert told.likely_reasons[0].finding.rule == "ecc-uncorrectable"


# Faults on live machines: what two real inspections say

LIVE = {
    "nouveau-loaded: nouveau": "PCI device driver",
    "gpu-lost: the second of two has no handle": "GPU 1 error",
    "driver-library-mismatch: half updated: NVML 18, cuInit 803": "driver library libcuda.so.1 version",
    "driver-too-old: Windows' driver": "driver version",
    "gpus-hidden: another machine's UUID": "variable CUDA_VISIBLE_DEVICES",
    "torch-rocm-build: +rocm6.4": "torch version",
    "cuda-library-missing: no cuBLAS": "library libcublas.so.12",
    "torch-family-mismatch: torchvision of 2.6": "package torchvision",
    "path-does-not-exist: CUDA_HOME": "variable CUDA_HOME",
    "pcie-degraded: 4 lanes": "GPU 0 pcie width",
    "triton-without-compiler: no cc": "Python compiler",
    "shm-too-small: in docker": "system shm",
}


@pytest.mark.whole
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if str(fault) in LIVE], ids=str)
def test_a_live_fault_comes_first(ward: Ward, fault: Fault):
    healthy, sick = (inspected(ward, *changes) for changes in ((fault.base,), (fault.base, fault.sicken)))
    comparison = compare(healthy, sick)
    assert first(comparison) == LIVE[str(fault)]
    assert comparison.likely_reasons[0].finding.rule == fault.rule


def inspected(ward: Ward, *changes: Any) -> Report:
    """Both machines are the same one, whose folders lie in different places on this disk."""
    machine = ward.machine(*changes)
    told = machine.patient.doctor_in_this_process(bench=False).report
    return loads(json.dumps(told).replace(str(machine.root), ""))
