"""A fault, what makes a machine sick with it, and what only looks like it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from machine import Change, Machine
from machines import A10
from workshop import MODULE, OF_TORCH_2_8


@dataclass(frozen=True)
class Fault:
    rule: str
    """The rule that must name it."""
    name: str
    base: Change
    """Builds the healthy machine."""
    sicken: Change
    """Makes that machine sick."""
    well: Change | None = None
    """Makes it look much like the sick one, and is no fault; the twin is the healthy machine as it is without."""
    severity: str = "error"

    def __str__(self) -> str:
        return f"{self.rule}: {self.name}"


# Changes of a machine


def settings(*more: dict[str, str], **variables: str) -> Change:
    return lambda m: m.set(*more, **variables)


def packages(**versions: str) -> Change:
    def install(m: Machine) -> None:
        for name, version in versions.items():
            m.patient.distribution(name.replace("_", "-"), version)

    return install


def toolkit(version: str) -> Change:
    """A CUDA toolkit, by CUDA_HOME."""

    def install(m: Machine) -> None:
        m.toolkit("/opt/toolkit", version)
        m.set(CUDA_HOME="/opt/toolkit")

    return install


def compiled(file: str, version: str, *symbols: str, needs: tuple[str, ...] = ()) -> Change:
    """A package with a compiled part, which wants these symbols of PyTorch and these libraries."""

    def install(m: Machine) -> None:
        needed = tuple(m.workshop.library(soname) for soname in needs)
        (m.patient.site / file).parent.mkdir(parents=True)
        shutil.copy(m.workshop.wanting(Path(file).name, *symbols, needs=needed), m.patient.site / file)
        m.patient.distribution(Path(file).parts[0], version)

    return install


def flash_attn(*symbols: str) -> Change:
    """flash-attn 2, whose compiled part wants these symbols of PyTorch."""

    def install(m: Machine) -> None:
        own = tuple(m.workshop.exporting(soname, symbol) for soname, symbol in OF_TORCH_2_8.items())
        beside = "$ORIGIN/torch/lib"
        library = m.workshop.wanting("flash_attn_2_cuda.so", *symbols, source=MODULE, needs=own, rpath=beside)
        flash_attn_with(library)(m)

    return install


def flash_attn_with(library: Path) -> Change:
    def install(m: Machine) -> None:
        m.extension("flash_attn_2_cuda", library)
        function = "def flash_attn_func(q, k, v, causal=False):\n    return q @ k @ v\n"
        m.patient.write("flash_attn/__init__.py", f"import torch\nimport flash_attn_2_cuda\n\n\n{function}")
        m.patient.distribution("flash-attn", "2.8.3")

    return install


# What is no fault


def at_work(m: Machine) -> None:
    """A machine under load, with all that goes with PyTorch 2.8: much to be suspicious of, and nothing wrong."""
    fitting = tuple(OF_TORCH_2_8.values())
    flash_attn(*fitting)(m)
    compiled("torchaudio/lib/_torchaudio.so", "2.8.0", *fitting)(m)
    compiled("vllm/_C.abi3.so", "0.11.0", *fitting, needs=("libcudart.so.12",))(m)
    m.patient.distribution("torchvision", "0.23.0+cu128", requires=("numpy", "torch==2.8.0"))
    packages(triton="3.4.0", transformers="5.1.0", gradio="3.50.2", pynvml="12.0.0", nvidia_ml_py="13.580.82")(m)
    toolkit("12.4")(m)
    m.set(A10, FAKE_UTILIZATION="99", FAKE_THROTTLE="0x4", FAKE_SM_CLOCK="1100", FAKE_POWER_MW="149000")
    m.set(FAKE_USED_MB="20000", FAKE_PROCESSES="4321:19700", FAKE_PCIE_G="3")
    m.put("/proc/4321/comm", "python\n")


def over_and_done(m: Machine) -> None:
    """The kernel log tells of faults that a reset has cured since: all GPUs answer."""
    m.log("NVRM: GPU 0000:0a:00.0: RmInitAdapter failed! (0x22:0x56:884)")
    m.log("NVRM: Xid (PCI:0000:0a:00): 79, pid=1234, GPU has fallen off the bus.")
