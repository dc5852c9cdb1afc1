"""Faults that show when the GPU works: held back, occupied, cut off; and what is merely good to know."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from faults import Fault
from machines import (
    A100,
    CU121,
    CU128,
    RTX_3090,
    Machine,
    bare_metal,
    conda,
    docker,
    ngc,
    two_gpus,
    wsl,
)


def settings(*more: dict[str, str], **variables: str):
    return lambda m: m.set(*more, **variables)


# Held back, occupied, cut off


def small_shm(m: Machine) -> None:
    """/dev/shm on a file system that is as small as a container's 64 MiB: some tmpfs of this machine."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    sizes = {mount: os.statvfs(mount) for mount in mounts if os.path.isdir(mount) and os.access(mount, os.X_OK)}
    small = [mount for mount, size in sizes.items() if 0 < size.f_blocks * size.f_frsize < 1 << 30]
    if not small:
        pytest.skip("no file system here is smaller than 1 GiB")
    m.remove("/dev/shm")  # noqa: S108 - below our root
    m.link("/dev/shm", small[0])  # noqa: S108


def own_processes(m: Machine) -> None:
    m.set(A100, FAKE_USED_MB="30000", FAKE_PROCESSES="4321:29700")
    m.put("/proc/4321/comm", "python\n")


def triton(m: Machine) -> None:
    m.patient.distribution("triton", "3.4.0")


def triton_without_compiler(m: Machine) -> None:
    triton(m)
    m.set(PATH="/nowhere")


def pip_torch_over_conda(m: Machine) -> None:
    m.torch("2.8.0+cu128", "12.8", CU128)


def kernel_error(text: str):
    return lambda m: m.set(STUB_KERNEL_ERROR=f"CUDA error: {text}")


RUNNING = (
    Fault("kernel-failed", "illegal memory access", bare_metal, kernel_error("an illegal memory access was encountered")),
    Fault(
        "gpu-throttled",
        "hardware thermal slowdown",
        bare_metal,
        settings(FAKE_THROTTLE="0x48", FAKE_UTILIZATION="97", FAKE_SM_CLOCK="1100"),
        well=settings(FAKE_THROTTLE="0x4", FAKE_UTILIZATION="99", FAKE_SM_CLOCK="1100", FAKE_POWER_MW="149000"),
        severity="warning",
    ),
    Fault(
        "gpu-throttled",
        "clocks locked low",
        bare_metal,
        settings(FAKE_UTILIZATION="100", FAKE_SM_CLOCK="210"),
        well=settings(FAKE_THROTTLE="0x1", FAKE_UTILIZATION="0", FAKE_SM_CLOCK="210"),
        severity="warning",
    ),
    Fault("gpu-memory-held", "by nobody who is listed", bare_metal, settings(A100, FAKE_USED_MB="30000"), well=own_processes, severity="warning"),
    Fault(
        "gpu-memory-held",
        "by a process outside of the container",
        docker,
        settings(A100, FAKE_USED_MB="30000", FAKE_PROCESSES="4321:29700"),
        severity="warning",
    ),
    Fault(
        "pcie-degraded",
        "4 of 16 lanes",
        bare_metal,
        settings(FAKE_PCIE_W="4"),
        well=settings(FAKE_PCIE_G="1"),
        severity="warning",
    ),
    Fault("pcie-degraded", "the second GPU alone", two_gpus, settings(FAKE_PCIE_W_1="8"), severity="warning"),
    Fault("shm-too-small", "64 MiB in docker", docker, small_shm, severity="warning"),
    Fault("triton-without-compiler", "no cc on PATH", bare_metal, triton_without_compiler, well=triton, severity="warning"),
    Fault("conda-pip-mix", "pip's torch over conda's", conda, pip_torch_over_conda, severity="warning"),
    Fault("attention-falls-back-to-math", "on an A10", bare_metal, settings(STUB_ATTENTION="0"), severity="warning"),
)

# Good to know


def packages(**versions: str):
    def build(m: Machine) -> None:
        for name, version in versions.items():
            m.patient.distribution(name.replace("_", "-"), version)

    return build


def toolkit(version: str):
    def build(m: Machine) -> None:
        answer = f"Cuda compilation tools, release {version}, V{version}.89"
        m.put("/opt/toolkit/bin/nvcc", f"#!/bin/sh\necho '{answer}'\n").chmod(0o755)
        m.set(CUDA_HOME="/opt/toolkit")

    return build


def torch(version: str, cuda: str = "12.8", archs: str = CU128):
    return lambda m: m.torch(version, cuda, archs)


NOTES = (
    Fault("nvcc-torch-mismatch", "nvcc 11.8", bare_metal, toolkit("11.8"), well=toolkit("12.4"), severity="note"),
    Fault("pynvml-clash", "pynvml 11.5", bare_metal, packages(pynvml="11.5.3", nvidia_ml_py="13.580.82"), well=packages(pynvml="12.0.0", nvidia_ml_py="13.580.82"), severity="note"),
    Fault("torch-nightly", ".dev", bare_metal, torch("2.9.0.dev20250812+cu128"), severity="note"),
    Fault("torch-nightly", "NVIDIA's own build is none", bare_metal, torch("2.9.0.dev20250812+cu128"), well=ngc, severity="note"),
    Fault("persistence-off", "A100", bare_metal, settings(A100, FAKE_PM="0"), well=settings(RTX_3090, FAKE_PM="0"), severity="note"),
    Fault(
        "mig-single-instance",
        "three instances",
        bare_metal,
        settings(A100, FAKE_MIG="1", FAKE_MIG_INSTANCES="3"),
        well=settings(A100, FAKE_MIG="1", FAKE_MIG_INSTANCES="1"),
        severity="note",
    ),
    Fault("newer-cuda-build", "A10 on cu121", bare_metal, torch("2.4.1+cu121", "12.1", CU121), severity="note"),
    Fault("gradio-concurrency", "gradio 5", wsl, packages(gradio="5.9.1"), well=packages(gradio="3.50.2"), severity="note"),
    Fault("transformers-float32-default", "transformers 4", wsl, packages(transformers="4.57.1"), well=packages(transformers="5.1.0"), severity="note"),
)

FAULTS = (*RUNNING, *NOTES)
