"""Faults that show while the GPU works: held back, occupied, cut off; and what is merely good to know."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from faults import Fault, at_work, packages, settings, toolkit
from machine import Change, Machine
from machines import A100, CU121, CU128, RTX_3090, bare_metal, conda, docker, ngc

# Held back, occupied, cut off


def small_shm(m: Machine) -> None:
    """/dev/shm on a file system as small as a container's 64 MiB: some tmpfs that is mounted here."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    sizes = {mount: os.statvfs(mount) for mount in mounts if os.path.isdir(mount) and os.access(mount, os.X_OK)}
    small = [mount for mount, size in sizes.items() if 0 < size.f_blocks * size.f_frsize < 1 << 30]
    if not small:
        pytest.skip("no file system here is smaller than 1 GiB")
    m.remove("/dev/shm")
    m.link("/dev/shm", small[0])


def triton_without_compiler(m: Machine) -> None:
    packages(triton="3.4.0")(m)
    m.set(PATH="/nowhere")


def torch(version: str, cuda: str, archs: str) -> Change:
    return lambda m: m.torch(version, cuda, archs)


def taken(m: Machine) -> None:
    at_work(m)
    m.set(FAKE_USED_MB="24000", FAKE_PROCESSES="4321:23700")


HOT = settings(FAKE_THROTTLE="0x48", FAKE_UTILIZATION="97", FAKE_SM_CLOCK="1100")
MEMORY_HELD = settings(A100, FAKE_USED_MB="30000")
ILLEGAL_ACCESS = settings(STUB_KERNEL_ERROR="CUDA error: an illegal memory access was encountered")
PIP_OVER_CONDA = torch("2.8.0+cu128", "12.8", CU128)

# Variables

SET_ON_PURPOSE = settings(
    CUDA_LAUNCH_BLOCKING="0",
    NVIDIA_TF32_OVERRIDE="1",
    CUDA_MODULE_LOADING="LAZY",
    CUDA_DEVICE_MAX_CONNECTIONS="1",
    PYTORCH_CUDA_ALLOC_CONF="expandable_segments:True,roundup_power2_divisions:[256:1,>:8],",
    CUBLAS_WORKSPACE_CONFIG=":16:8",
)


def abort_on(value: str) -> Change:
    """PyTorch's import aborts where it cannot read the allocator's settings, as that of 2.11 does."""

    def sicken(m: Machine) -> None:
        init = m.patient.site / "torch" / "__init__.py"
        line = 'import os\nif "=" in os.environ.get("PYTORCH_CUDA_ALLOC_CONF", ""):\n    os.abort()\n'
        init.write_text(init.read_text().replace("import ctypes\n", f"{line}import ctypes\n", 1))
        m.set(PYTORCH_CUDA_ALLOC_CONF=value)

    return sicken


def no_such_compiler(m: Machine) -> None:
    triton_without_compiler(m)
    m.set(CC="/opt/removed/bin/gcc")


VARIABLES = (
    Fault("debug-switch-set", "no PTX to compile", bare_metal, settings(CUDA_FORCE_PTX_JIT="1"), well=SET_ON_PURPOSE),
    Fault(
        "debug-switch-set",
        "launches block",
        bare_metal,
        settings(CUDA_LAUNCH_BLOCKING="1"),
        well=SET_ON_PURPOSE,
        severity="warning",
    ),
    Fault("malformed-setting", "= for :", bare_metal, abort_on("max_split_size_mb=512"), well=SET_ON_PURPOSE),
    Fault(
        "malformed-setting",
        "neither True nor False",
        bare_metal,
        settings(PYTORCH_ALLOC_CONF="expandable_segments:1"),
        well=SET_ON_PURPOSE,
        severity="warning",
    ),
    Fault(
        "malformed-setting",
        "a workspace of another form",
        bare_metal,
        settings(CUBLAS_WORKSPACE_CONFIG="4096:8"),
        severity="warning",
    ),
    Fault(
        "path-does-not-exist",
        "CUDA_HOME",
        bare_metal,
        settings(CUDA_HOME="/opt/removed"),
        well=toolkit("12.4"),
        severity="warning",
    ),
    Fault("path-does-not-exist", "the compiler of Triton", bare_metal, no_such_compiler, severity="warning"),
    Fault("debug-switch-set", "eager loading", bare_metal, settings(CUDA_MODULE_LOADING="EAGER"), severity="note"),
)

RUNNING = (
    Fault("kernel-failed", "illegal memory access", bare_metal, ILLEGAL_ACCESS),
    Fault("gpu-throttled", "by heat", bare_metal, HOT, well=at_work, severity="warning"),
    Fault("gpu-memory-held", "by nobody listed", bare_metal, MEMORY_HELD, well=at_work, severity="warning"),
    Fault("gpu-memory-held", "by a server", bare_metal, taken, well=at_work, severity="warning"),
    Fault("pcie-degraded", "4 lanes", bare_metal, settings(FAKE_PCIE_W="4"), well=at_work, severity="warning"),
    Fault("shm-too-small", "in docker", docker, small_shm, severity="warning"),
    Fault("triton-without-compiler", "no cc", bare_metal, triton_without_compiler, well=at_work, severity="warning"),
    Fault("conda-pip-mix", "pip's torch over conda's", conda, PIP_OVER_CONDA, severity="warning"),
    Fault("attention-falls-back-to-math", "A10", bare_metal, settings(STUB_ATTENTION="0"), severity="warning"),
)

# Good to know

NIGHTLY = torch("2.10.0.dev20251101+cu130", "13.0", "sm_80 sm_90 sm_100 sm_120")
NO_PERSISTENCE, DESKTOP = settings(A100, FAKE_PM="0"), settings(RTX_3090, FAKE_PM="0")
OLD_CUDA = torch("2.4.1+cu121", "12.1", CU121)
SLICED = settings(A100, FAKE_MIG="1", FAKE_MIG_INSTANCES="3")
TWO_PYNVML = packages(pynvml="11.5.3", nvidia_ml_py="13.580.82")

NOTES = (
    Fault("nvcc-torch-mismatch", "nvcc 11.8", bare_metal, toolkit("11.8"), well=at_work, severity="note"),
    Fault("pynvml-clash", "pynvml 11", bare_metal, TWO_PYNVML, well=at_work, severity="note"),
    Fault("torch-nightly", ".dev, where NVIDIA's own build is none", ngc, NIGHTLY, severity="note"),
    Fault("persistence-off", "A100", bare_metal, NO_PERSISTENCE, well=DESKTOP, severity="note"),
    Fault("mig-single-instance", "three instances", bare_metal, SLICED, severity="note"),
    Fault("newer-cuda-build", "A10 on cu121", bare_metal, OLD_CUDA, severity="note"),
    Fault("gradio-concurrency", "5", bare_metal, packages(gradio="5.9.1"), well=at_work, severity="note"),
    Fault(
        "transformers-float32-default", "4", bare_metal, packages(transformers="4.57.1"), well=at_work, severity="note"
    ),
)

FAULTS = (*VARIABLES, *RUNNING, *NOTES)
