"""Judge healthy machines in every format that is read: `python tests/tools/healthy.py 10000 --seed 1` tells each alarm.

An environment is drawn from the tables so that its parts fit: a GPU, a published build with its kernels, a driver that
serves both, a Python that the build has wheels for, a system. It is printed in one to three formats, quoted or fenced
at times.
Whatever is found then but a note is a false alarm; a text of which nothing counts is told, too.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from cudacheck import knowledge
from cudacheck.commands import doctor
from cudacheck.judging import understood
from cudacheck.knowledge import cuda_drivers, gpus, torch_builds
from cudacheck.model.findings import Severity

sys.path.insert(0, str(Path(__file__).parent.parent))
from healthy_pastes import SMI, collect_env, frozen, listed
from tools.spread import spread

DRIVERS = (
    "418.226.00", "450.248.02", "470.256.02", "525.147.05", "535.261.03",
    "550.163.01", "570.195.03", "580.95.05", "595.71.05", "610.43.02",
)  # fmt: skip
"""A release of each branch."""
SYSTEMS = {
    "Ubuntu": ("linux", "Ubuntu 22.04.5 LTS (x86_64)", "Linux-6.8.0-45-generic-x86_64-with-glibc2.35", "x86_64"),
    "RHEL": ("linux", "Rocky Linux 9.4 (Blue Onyx) (x86_64)", "Linux-5.14.0-427.el9.x86_64-x86_64-with-glibc2.34",
             "x86_64"),
    "ARM": ("linux", "Ubuntu 24.04.3 LTS (aarch64)", "Linux-6.8.0-1021-nvidia-64k-aarch64-with-glibc2.39", "aarch64"),
    "WSL": ("linux", "Ubuntu 24.04.1 LTS (x86_64)", "Linux-5.15.167.4-microsoft-standard-WSL2-x86_64-with-glibc2.39",
            "x86_64"),
    "Windows": ("windows", "Microsoft Windows 11 Pro (10.0.26100 64-bit)", "Windows-11-10.0.26100-SP0", "x86_64"),
}  # fmt: skip


@dataclass(frozen=True)
class Environment:
    """What fits together."""

    gpu: str
    capability: str
    torch: str
    cuda: str
    archs: tuple[str, ...]
    driver: str
    python: str
    system: str
    count: int

    @property
    def os(self) -> str:
        return SYSTEMS[self.system][0]

    @property
    def distribution(self) -> str:
        return SYSTEMS[self.system][1]

    @property
    def platform(self) -> str:
        return SYSTEMS[self.system][2]

    @property
    def serves(self) -> str:
        return knowledge.driver_serves(self.driver) or "13.3"


@lru_cache
def environments() -> tuple[Environment, ...]:
    """All that the tables know to fit."""
    return tuple(
        Environment(model.names[0], model.compute_capability, f"{build.torch}.0+{build.tag}", cuda, archs, driver,
                    f"{python}.4", system, 1)
        for system, (os, _, _, machine) in SYSTEMS.items()
        for build in torch_builds.builds(machine, os)
        if build.verified and build.index and (archs := build.archs) and build.tag.startswith("cu")
        for cuda in (torch_builds.cuda_of_tag(build.tag),)
        for python in (torch_builds.pythons_of(f"{build.torch}.0") or ())[:3]
        for model in gpus.gpu_models()
        if model.verified and knowledge.covers(archs, model.compute_capability)
        for driver in DRIVERS
        if _drives(driver, model.compute_capability, cuda, "windows" if system == "WSL" else os)
    )  # fmt: skip


def _drives(driver: str, capability: str, cuda: str, os: str) -> bool:
    first, last = cuda_drivers.first_driver(capability, os), cuda_drivers.last_driver_branch(capability)
    minimum = knowledge.minimum_driver(cuda, os)
    branch = int(driver.partition(".")[0])
    known = first is not None and minimum is not None
    return bool(
        known
        and all(knowledge.driver_at_least(driver, least or "") for least in (first, minimum))
        and (last is None or branch <= last)
    )


def of_collect_env(e: Environment) -> str:
    names = "\n".join(f"GPU {index}: {e.gpu}" for index in range(e.count))
    return collect_env(e.torch, e.cuda, f"torch=={e.torch}", os=e.distribution, platform=e.platform, python=e.python,
                       gpus=names, driver=e.driver)  # fmt: skip


def of_nvidia_smi(e: Environment) -> str:
    return SMI.format(driver=e.driver, cuda=e.serves, name=e.gpu[:26])


def of_nvidia_smi_list(e: Environment) -> str:
    rows = (f"GPU {i}: {e.gpu} (UUID: GPU-6d5c7f3e-0000-1111-2222-33334444{i:04d})" for i in range(e.count))
    return "$ nvidia-smi -L\n" + "\n".join(rows)


def of_nvidia_smi_csv(e: Environment) -> str:
    rows = "\n".join(f"{i}, {e.gpu}, {e.driver}, 20.11 W, 300.00 W, 35" for i in range(e.count))
    return f"index, name, driver_version, power.draw [W], power.limit [W], temperature.gpu\n{rows}"


def of_nvidia_smi_query(e: Environment) -> str:
    gpu = f"""
GPU 00000000:01:00.0
    Product Name                          : {e.gpu}
    Persistence Mode                      : Enabled
    GPU UUID                              : GPU-6d5c7f3e-0000-1111-2222-333344445555
    Temperature
        GPU Current Temp                  : 35 C
        GPU Shutdown Temp                 : 95 C
        GPU Slowdown Temp                 : 92 C
    Clocks Event Reasons
        Idle                              : Active
        SW Power Cap                      : Not Active
        HW Slowdown                       : Not Active
"""
    rows = (("Driver Version", e.driver), ("CUDA Version", e.serves), ("Attached GPUs", "1"))
    return "==============NVSMI LOG==============\n\n" + "\n".join(f"{k:<42}: {v}" for k, v in rows) + gpu


def of_pip_list(e: Environment) -> str:
    return listed(f"torch=={e.torch}")


def of_pip_freeze(e: Environment) -> str:
    return frozen(f"torch=={e.torch}")


def of_pip_installed(e: Environment) -> str:
    return f"Installing collected packages: torch\nSuccessfully installed torch-{e.torch} sympy-1.13.3"


def of_repl(e: Environment) -> str:
    return (
        f">>> import torch\n>>> torch.__version__\n'{e.torch}'\n>>> torch.version.cuda\n'{e.cuda}'\n"
        f">>> torch.cuda.is_available()\nTrue\n>>> torch.cuda.get_device_name(0)\n'{e.gpu}'\n"
        f">>> torch.cuda.get_arch_list()\n{list(e.archs)!r}\n"
    )


def of_comfyui_log(e: Environment) -> str:
    devices = "\n".join(f"Device: cuda:{i} {e.gpu} : cudaMallocAsync" for i in range(e.count))
    name = "Windows" if e.os == "windows" else "Linux"
    return (
        f"** ComfyUI startup time: 2026-03-09 18:06:51.151\n** Platform: {name}\n** Python version: {e.python}\n"
        f"Total VRAM 24210 MB, total RAM 64208 MB\n"
        f"pytorch version: {e.torch}\nSet vram state to: NORMAL_VRAM\n{devices}\n"
    )


def of_comfyui_report(e: Environment) -> str:
    return (
        "# ComfyUI Error Report\n## System Information\n- **ComfyUI Version:** v0.3.26\n"
        f"- **OS:** {'nt' if e.os == 'windows' else 'posix'}\n- **Python Version:** {e.python} (main)\n"
        f"- **PyTorch Version:** {e.torch}\n## Devices\n\n"
        f"- **Name:** cuda:0 {e.gpu} : cudaMallocAsync\n  - **Type:** cuda\n"
    )


def of_transformers(e: Environment) -> str:
    return (
        f"- `transformers` version: 5.1.0\n- Platform: {e.platform}\n- Python version: {e.python}\n"
        f"- PyTorch version (accelerator?): {e.torch} (CUDA)\n- Using GPU in script?: yes\n- GPU type: {e.gpu}\n"
    )


def of_accelerate(e: Environment) -> str:
    return (
        f"- `Accelerate` version: 1.6.0\n- Platform: {e.platform}\n- Python version: {e.python}\n"
        f"- PyTorch version (GPU?): {e.torch} (True)\n- PyTorch XPU available: False\n- GPU type: {e.gpu}\n"
    )


def of_diffusers(e: Environment) -> str:
    return (
        f"- 🤗 Diffusers version: 0.33.1\n- Platform: {e.platform}\n- Running on Google Colab?: No\n"
        f"- Python version: {e.python}\n- PyTorch version (GPU?): {e.torch} (True)\n- Accelerator: {e.gpu}, 24564 MiB\n"
    )


def of_mmengine(e: Environment) -> str:
    flags = ";".join(f"-gencode;arch={a.replace('sm', 'compute')},code={a}" for a in e.archs)
    numbers = ",".join(map(str, range(e.count)))
    return (
        f"System environment:\n    sys.platform: {'win32' if e.os == 'windows' else 'linux'}\n"
        f"    Python: {e.python} (main)\n    CUDA available: True\n    GPU {numbers}: {e.gpu}\n"
        f"    CUDA_HOME: /usr/local/cuda\n    PyTorch: {e.torch}\n"
        f"    PyTorch compiling details: PyTorch built with:\n  - GCC 9.3\n  - CUDA Runtime {e.cuda}\n"
        f"  - NVCC architecture flags: {flags}\n"
    )


def of_detectron2(e: Environment) -> str:
    rows = (
        ("sys.platform", "win32" if e.os == "windows" else "linux"),
        ("Python", f"{e.python} (main)"),
        ("PyTorch", f"{e.torch} @/opt/conda/lib/python3.9/site-packages/torch"),
        ("GPU available", "Yes"),
        ("GPU 0", f"{e.gpu} (arch={e.capability})"),
        ("Driver version", e.driver),
    )
    return "\n".join(f"{key:<32} {value}" for key, value in rows)


def of_sglang(e: Environment) -> str:
    numbers = ",".join(map(str, range(e.count)))
    return (
        f"Python: {e.python} (main)\nCUDA available: True\nGPU {numbers}: {e.gpu}\n"
        f"GPU {numbers} Compute Capability: {e.capability}\nCUDA Driver Version: {e.driver}\nPyTorch: {e.torch}\n"
    )


def of_ultralytics(e: Environment) -> str:
    return f"Ultralytics 8.3.40 🚀 Python-{e.python} torch-{e.torch} CUDA:0 ({e.gpu}, 12282MiB)"


def of_gpustat(e: Environment) -> str:
    rows = "\n".join(f"[{i}] {e.gpu} | 31°C,   0 % |     3 / 24564 MB |" for i in range(e.count))
    return f"node17                      Tue Nov 26 14:03:11 2026  {e.driver}\n{rows}"


def of_kernel_module(e: Environment) -> str:
    return (
        f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {e.driver}  Tue Sep 23 10:11:16 UTC 2025\n"
        "Module                  Size  Used by\nnvidia_uvm           4939776  0\n"
        "nvidia              54288384  120 nvidia_uvm\n"
    )


def of_lspci(_: Environment) -> str:
    return (
        "01:00.0 VGA compatible controller [0300]: NVIDIA Corporation Device [10de:2684] (rev a1)\n"
        "\tKernel driver in use: nvidia\n\tKernel modules: nvidiafb, nouveau, nvidia_drm, nvidia\n"
    )


FORMATS: tuple[Callable[[Environment], str], ...] = tuple(
    made for name, made in sorted(globals().items()) if name.startswith("of_")
)
ONLY_LINUX = (of_kernel_module, of_lspci)


def quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines())


def fenced(text: str) -> str:
    return f"```text\n{text}\n```"


def draw(rng: random.Random) -> tuple[list[str], str]:
    """The formats' names, and the text."""
    e = rng.choice(environments())
    count = rng.choice((1, 1, 1, 2, 8))
    e = Environment(**{**vars(e), "count": count})
    possible = [
        made for made in FORMATS if (SYSTEMS[e.system][0] == "linux" and e.system != "WSL") or made not in ONLY_LINUX
    ]
    chosen = rng.sample(possible, rng.choice((1, 1, 2, 3)))
    around = rng.choice((str, str, quoted, fenced))
    return [made.__name__ for made in chosen], "\n\n".join(around(made(e)) for made in chosen)


def alarms(numbers: Iterable[int], seed: int) -> Iterator[tuple[int, str, str]]:
    """(number of the input, its formats, what was wrongly found) for each."""
    for number in numbers:
        names, text = draw(random.Random(seed * 10_000_000 + number))
        try:
            report = doctor.read(text)
        except doctor.InputError as error:
            yield number, " ".join(names), str(error)
            continue
        wrong = [f"{f.rule}: {f.message}" for f in report.findings if f.severity is not Severity.NOTE]
        if wrong or not understood.counted(report.facts):
            yield number, " ".join(names), "; ".join(wrong) or "nothing counted"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the inputs")
    options = parser.parse_args()
    started, found = time.monotonic(), Counter[str]()
    for number, names, what in spread(partial(alarms, seed=options.seed), options.count, options.jobs):
        found[what.partition(":")[0]] += 1
        print(f"input {number} ({names}): {what}", flush=True)
    told = ", ".join(f"{rule} {n}" for rule, n in found.most_common()) or "0 alarms"
    of = f"{len(environments())} environments, {len(FORMATS)} formats"
    print(f"{options.count} inputs of seed {options.seed} ({of}): {told}, {time.monotonic() - started:.0f} s")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
