"""Triton is installed, but the C compiler or the headers that it needs at run time are not.

## What it does
Looks for a C compiler ($CC, cc, gcc, clang) and for Python.h, where Triton is installed on Linux; and hears what Triton
says when it misses them.

## Why it matters
Triton compiles a small launcher in C for every kernel. Without a compiler, `torch.compile` and every Triton kernel
raise "Failed to find C compiler"; plain PyTorch is not concerned. Slim containers are the usual case.

## What to do
Install a compiler and the Python headers.

## References
- https://github.com/kijai/ComfyUI-HunyuanVideoWrapper/issues/23
- https://github.com/apple/ml-cross-entropy/issues/5
- https://github.com/vllm-project/vllm/issues/12505
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _messages, _torch

PACKAGES = {
    "ubuntu": "sudo apt-get install -y gcc python3-dev",
    "debian": "sudo apt-get install -y gcc python3-dev",
    "fedora": "sudo dnf install -y gcc python3-devel",
    "red hat": "sudo dnf install -y gcc python3-devel",
    "rocky": "sudo dnf install -y gcc python3-devel",
    "alma": "sudo dnf install -y gcc python3-devel",
}
"""For the system's own Python; where it is another, its headers came along with it."""


def check(
    interpreter: Interpreter, dists: tuple[Distribution, ...], build: TorchBuild, facts: Facts
) -> Iterator[Finding]:
    triton = next((d for d in dists if d.name in {"triton", "pytorch-triton"}), None)
    if triton is None or not build.cuda or interpreter.os not in {None, "linux"}:
        return
    no_compiler = interpreter.compiler == ""
    if no_compiler or interpreter.python_headers is False:
        what = "a C compiler" if no_compiler else "the Python headers"
        looked = "$CC, cc, gcc, clang" if no_compiler else "Python.h"
        yield Finding(
            f"torch.compile and Triton kernels cannot work without {what}",
            (
                Evidence(f"not found: {looked}", interpreter.executable or "inspected interpreter"),
                Evidence(f"triton {triton.version}"),
            ),
            tuple(_remedies(facts)),
        )


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    if "lcuda" in match[0] or "libcuda" in match[0]:
        advice = Remedy(
            "let TRITON_LIBCUDA_PATH name the folder of libcuda.so.1, and put a link libcuda.so to it there"
        )
        yield Finding("Triton cannot link against the driver library", (), (advice,))
    elif "DLL" in _messages.printed(match):
        advice = Remedy(
            "install the current Visual C++ redistributable, and Python from python.org or conda: its headers too"
        )
        yield Finding(
            f"Triton's {match['dll']} does not load: the Visual C++ runtime is too old, or missing", (), (advice,)
        )
    elif "triton installation" in match[0]:
        advice = Remedy(
            "install the Triton that belongs to the installed PyTorch; on Windows it is called triton-windows"
        )
        yield Finding("torch.compile finds no working Triton", (), (advice,))
    else:
        what = "the Python headers" if "Python.h" in match[0] else "a C compiler"
        message = f"torch.compile and Triton kernels cannot work without {what}"
        yield Finding(message, (), tuple(_remedies(facts)))


def _remedies(facts: Facts) -> Iterator[Remedy]:
    system = facts.one(System)
    name = (system.distribution or "").lower() if system else ""
    command = next((command for known, command in PACKAGES.items() if known in name), None)
    if in_conda := _torch.conda_install(facts, "gxx_linux-64", "conda-forge"):
        yield Remedy("install conda's compiler, and activate the environment again", in_conda)
    elif command:
        yield Remedy("install a C compiler and the Python headers", (command,), needs_root=True)
    else:
        yield Remedy("install a C compiler and the headers of this Python with the system's package manager")


CU128, TRITON = TorchBuild("2.8.0+cu128", cuda="12.8"), Distribution("triton", "3.4.0")


RULE = Rule(
    severity=Severity.WARNING,
    layer=Layer.RUN_TIME,
    fix_by=FixBy.ENVIRONMENT,
    explained_by=("torch-cpu-build", "path-does-not-exist"),
    check=check,
    heard=heard,
    messages=(
        r"Failed to find C compiler",
        r"fatal error: Python\.h: No such file",
        r"cannot find -lcuda\b",
        r"libcuda\.so cannot found",
        r"Cannot find a working triton installation",
    ),
    fires={
        "Triton's DLL": (
            ErrorMessage("ImportError: DLL load failed while importing libtriton: A routine failed.", "paste"),
        ),
        "a slim container": (
            CU128,
            TRITON,
            Interpreter("3.12.3", os="linux", compiler="", python_headers=True),
            System("linux", distribution="Debian GNU/Linux 12 (bookworm)"),
        ),
        "what Triton says": (
            ErrorMessage(
                "RuntimeError: Failed to find C compiler. Please specify via CC environment variable.", "paste"
            ),
        ),
        "no headers": (CU128, TRITON, Interpreter("3.12.3", os="linux", compiler="/usr/bin/gcc", python_headers=False)),
        "a system that is not told": (CU128, TRITON, Interpreter("3.12.3", compiler="", python_headers=True)),
        "what the linker says": (ErrorMessage("/usr/bin/ld: cannot find -lcuda", "paste"),),
        "what an old Triton says": (ErrorMessage("AssertionError: libcuda.so cannot found!", "paste"),),
        "what PyTorch says": (ErrorMessage("RuntimeError: Cannot find a working triton installation.", "paste"),),
        "what the compiler says": (
            ErrorMessage("main.c:5:10: fatal error: Python.h: No such file or directory", "paste"),
        ),
    },
    quiet={
        "a compiler is there": (
            CU128,
            TRITON,
            Interpreter("3.12.3", os="linux", compiler="/usr/bin/gcc", python_headers=True),
        ),
        "no Triton": (CU128, Distribution("torch", "2.8.0"), Interpreter("3.12.3", os="linux", compiler="")),
        "nobody looked for a compiler": (CU128, TRITON, Interpreter("3.12.3", os="linux")),
        "Triton beside a CPU build": (TorchBuild("2.8.0+cpu"), TRITON, Interpreter("3.12.3", os="linux", compiler="")),
        "Windows": (CU128, TRITON, Interpreter("3.12.3", os="windows", compiler="")),
    },
)
