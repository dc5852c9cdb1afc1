"""Every rule keeps to its form, fires on what it must and stays quiet on the rest."""

from __future__ import annotations

import dataclasses
import re
import typing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cudacheck import registry
from cudacheck.judging.judge import judge
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Finding, Layer, Severity
from cudacheck.model.report import ProbeRun
from cudacheck.model.rule import Rule
from cudacheck.probes.host.device_nodes import DeviceNode
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.kernel_module import KernelModule
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.pci import PciBus, PciGpu
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.torch_cuda import TorchCuda, TorchDevice
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.probes.patient.torch_import import TorchImport

RULES = registry.rules()
HEADINGS = ["What it does", "Why it matters", "What to do", "References"]
PROPER = re.compile(
    r"[a-z`]|CUDA|PyTorch|NVIDIA|NVML|GPU|WSL|MIG|PTX|Secure Boot|Windows|Python|Triton|FlashAttention|Gradio"
    r"|[A-Z][A-Z0-9_]+[ =]"
)
"""How a message may start: in lower case, or with a name, a variable's for one."""


def examples(kind: str) -> list[Any]:
    return [
        pytest.param(rule, example, id=f"{rule.id}: {name}")
        for rule in RULES
        for name, example in getattr(rule, kind).items()
    ]


def facts_of(example: tuple[object, ...]) -> Facts:
    """What the example holds is known, and so is what was said and how the probes ended."""
    return Facts(example, complete={ErrorMessage, ProbeRun, *map(type, example)})


def finding_of(rule: Rule, example: tuple[object, ...]) -> Finding | None:
    return next((f for f in judge(facts_of(example)).findings if f.rule == rule.id), None)


@pytest.fixture(params=RULES, ids=lambda rule: rule.id)
def rule(request) -> Rule:
    one: Rule = request.param
    return one


def test_the_page_has_its_four_parts(rule):
    assert re.findall(r"^## (.*)$", rule.doc, re.MULTILINE) == HEADINGS
    assert rule.doc.partition("\n")[0].endswith(".")
    assert all(part.strip() for part in re.split(r"^## .*$", rule.doc, flags=re.MULTILINE)[1:])


def test_references_are_addresses(rule):
    listed = re.findall(r"^- (.*)$", rule.doc.partition("## References")[2], re.MULTILINE)
    assert listed
    assert all(re.match(r"https?://[^\s<>]+", line) for line in listed), listed


def test_severity_and_layer(rule):
    assert isinstance(rule.severity, Severity)
    assert isinstance(rule.layer, Layer)


def test_what_explains_it_exists(rule):
    assert {*registry.causes_of(rule.id)} <= {r.id for r in RULES}
    assert rule.id not in rule.explained_by


def test_messages_are_regular_expressions(rule):
    for pattern in rule.messages:
        assert not re.search(pattern, ""), "it would match anything"
    assert bool(registry.listens(rule)) == bool(rule.heard)


def test_there_are_examples(rule):
    if rule.check or rule.heard:
        assert rule.fires
        assert rule.quiet


def test_no_two_rules_explain_each_other():
    explained = {rule.id: set(registry.causes_of(rule.id)) for rule in RULES}
    assert [(a, b) for a in explained for b in explained[a] if a < b and a in explained[b]] == []


@pytest.mark.parametrize(("rule", "example"), examples("fires"))
def test_it_fires(rule, example):
    finding = finding_of(rule, example)
    assert finding is not None
    assert PROPER.match(finding.message), finding.message
    assert not finding.message.endswith(".")
    assert "\n" not in finding.message
    assert finding.evidence
    for source in finding.sources:
        assert re.match(r"https?://", source)
    if finding.severity is Severity.ERROR:
        assert finding.remedies
    for remedy in finding.remedies:
        assert remedy.title
        assert "\n" not in remedy.title
        assert not remedy.title.startswith("or ")  # the screen says that itself


@pytest.mark.parametrize(("rule", "example"), examples("quiet"))
def test_it_stays_quiet(rule, example):
    assert finding_of(rule, example) is None


ALL_FACTS = sorted(
    {repr(fact): fact for kind in ("fires", "quiet") for p in examples(kind) for fact in p.values[1]}.items()
)


def garbled(fact: Any, text: str | None) -> Any:
    """The fact with this in every field that a paste may leave out."""
    hints = typing.get_type_hints(type(fact))
    texts = [f.name for f in dataclasses.fields(fact) if {str, type(None)} <= {*typing.get_args(hints[f.name])}]
    return dataclasses.replace(fact, **dict.fromkeys(texts, text))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.lists(st.sampled_from([fact for _, fact in ALL_FACTS]), max_size=12),
    st.sampled_from([None, "", "N/A", "[Not Supported]", "99", "-1"]),
    st.integers(0, 12),
    st.booleans(),
)
def test_no_combination_of_facts_makes_a_rule_raise(facts, text, first_garbled, complete):
    facts = [*facts[:first_garbled], *(garbled(fact, text) for fact in facts[first_garbled:])]
    known = registry.fact_types().values() if complete else ()
    judge(Facts(facts, known))


def test_a_machine_of_which_nothing_is_known_has_no_findings():
    assert judge(Facts()).findings == ()


LINUX = System("linux", kernel="6.8.0-64-generic", machine="x86_64", container="", wsl=0, jetson=False, glibc="2.39")
NOTHING = DeviceNode("/dev/nvidiactl", exists=False)


def working(name: str, capability: str, build: TorchBuild, **gpu: Any) -> tuple[object, ...]:
    """What user space sees of one GPU that computes."""
    return (
        Nvml(True, init_code=0, driver_version="580.95.05", cuda_version="13.0", gpu_count=1),
        Gpu(0, name, compute_capability=capability, **gpu),
        LibCuda(True, init_code=0, cuda_version="13.0", device_count=1),
        build,
        TorchImport(ok=True, version=build.version),
        TorchCuda(available=True, device_count=1),
        TorchDevice(0, name, compute_capability=capability),
        KernelRun(0, "addition", ok=True),
        KernelRun(0, "float16 matmul", ok=True),
        EnvironmentVariables({}),
        Interpreter("3.12.3", os="linux", machine="x86_64", has_pip=True, python_headers=True, compiler="/usr/bin/cc"),
    )


CU128 = TorchBuild("2.8.0+cu128", "12.8", arch_list=("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"))
CU130 = TorchBuild("2.11.0+cu130", "13.0", arch_list=("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"))
HEALTHY = {
    "a server": (
        LINUX,
        PciBus(readable=True),
        PciGpu("0000:18:00.0", "0x2335", driver="nvidia", lost=False),
        KernelModule(True, version="580.95.05", flavour="open", uvm_loaded=True, built_for_kernel=True),
        DeviceNode("/dev/nvidiactl", exists=True, open_error="", mode="crw-rw-rw-"),
        *working("NVIDIA H200", "9.0", CU130, fabric_state="completed", compute_mode="default", persistence_mode=True),
    ),
    "an RTX 4090 on sm_86 kernels, GUI on it, nouveau loaded for nothing": (
        LINUX,
        PciBus(readable=True),
        PciGpu("0000:01:00.0", "0x2684", driver="nvidia", lost=False),
        KernelModule(True, version="580.95.05", flavour="proprietary", uvm_loaded=True, nouveau_loaded=True),
        *working(
            "NVIDIA GeForce RTX 4090",
            "8.9",
            CU128,
            persistence_mode=False,
            memory_used_bytes=2 << 30,
            memory_total_bytes=24 << 30,
            pcie_width=16,
            pcie_width_max=16,
            pcie_generation=1,
            pcie_generation_max=4,
            clock_event_reasons=("gpu_idle",),
        ),
    ),
    "WSL 2 with a laptop's GPU": (
        dataclasses.replace(LINUX, kernel="5.15.153.1-microsoft-standard-WSL2", wsl=2),
        PciBus(readable=True),
        NOTHING,
        DeviceNode("/dev/dxg", exists=True),
        KernelModule(loaded=False, built_for_kernel=None),
        *working("NVIDIA GeForce RTX 4070 Laptop GPU", "8.9", CU128, pcie_width=8, pcie_width_max=16),
    ),
    "gVisor, which hides bus, modules and device files": (
        dataclasses.replace(LINUX, container="docker", sandbox="gvisor", shm_bytes=8 << 30),
        PciBus(readable=False),
        NOTHING,
        KernelModule(loaded=False),
        *working("NVIDIA A10", "8.6", CU128),
    ),
    "a container beside others' GPUs, a lost one among them": (
        dataclasses.replace(LINUX, container="kubernetes", shm_bytes=8 << 30),
        PciBus(readable=True),
        PciGpu("0000:18:00.0", "0x2335", driver="nvidia", lost=False),
        PciGpu("0000:19:00.0", "0x2335", driver="nvidia", lost=True),
        DeviceNode("/dev/nvidiactl", exists=True, open_error=""),
        DeviceNode("/dev/nvidia1", exists=True, open_error="EPERM"),
        KernelModule(True, version="580.95.05"),
        ErrorMessage("NVRM: Xid (PCI:0000:19:00): 79, GPU has fallen off the bus.", "kernel log (/dev/kmsg)"),
        *working("NVIDIA H200", "9.0", CU130, pci_address="0000:18:00.0"),
    ),
    "GB10 on sm_120 kernels": (
        dataclasses.replace(LINUX, machine="aarch64"),
        PciBus(readable=True),
        PciGpu("000f:01:00.0", "0x2e12", driver="nvidia", lost=False),
        KernelModule(True, version="580.95.05", flavour="open", uvm_loaded=True),
        *working("NVIDIA GB10", "12.1", CU130, pcie_width=1, pcie_width_max=16),
    ),
}


@pytest.mark.parametrize("machine", [pytest.param(facts, id=name) for name, facts in HEALTHY.items()])
def test_a_healthy_machine_stays_silent(machine):
    findings = judge(Facts(machine, registry.fact_types().values())).findings
    assert [f.rule for f in findings if f.severity is not Severity.NOTE] == []
