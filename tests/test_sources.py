"""Pastes become the same facts that probes yield; what they do not say stays unknown."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import healthy_pastes
import pytest

from cudacheck import sources
from cudacheck.commands import doctor
from cudacheck.judging import understood
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Finding
from cudacheck.model.report import Outcome, ProbeRun, Report, State, Verdict
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.nvml import Gpu, GpuProcess, Nvml
from cudacheck.probes.host.pci import PciBus
from cudacheck.probes.host.system import System
from cudacheck.probes.host.toolkits import CudaToolkit
from cudacheck.probes.messages import ContainerStart, Contradiction, ErrorMessage
from cudacheck.probes.patient.cuda_libraries import LibraryFile
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.probes.patient.torch_import import TorchImport
from cudacheck.reports.write import dumps
from cudacheck.sources import SourceError, _clean, messages

CAPTURES = Path(__file__).parent / "captures"


def read(*texts: str) -> Facts:
    return sources.read([(f"paste {number}", text) for number, text in enumerate(texts)])


def capture(name: str) -> Facts:
    return read((CAPTURES / name).read_text(encoding="utf-8"))


COLLECT_ENV = """Collecting environment information...
PyTorch version: 2.6.0+cu124
Is debug build: False
CUDA used to build PyTorch: 12.4
ROCM used to build PyTorch: N/A

OS: Ubuntu 22.04.5 LTS (x86_64)
GCC version: (Ubuntu 11.4.0-1ubuntu1~22.04) 11.4.0
Libc version: glibc-2.35

Python version: 3.12.9 | packaged by conda-forge | (main, Mar  4 2025, 22:48:41) [GCC 13.3.0] (64-bit runtime)
Python platform: Linux-6.8.0-1027-generic-x86_64-with-glibc2.35
Is CUDA available: True
CUDA runtime version: 12.4.131
CUDA_MODULE_LOADING set to: LAZY
GPU models and configuration: 
GPU 0: NVIDIA A100-SXM4-40GB
  MIG 1g.5gb      Device  0:
GPU 1: NVIDIA A100-SXM4-40GB

Nvidia driver version: 550.54.15
cuDNN version: Probably one of the following:
/usr/lib/x86_64-linux-gnu/libcudnn.so.9.1.0
/usr/lib/x86_64-linux-gnu/libcudnn_ops.so.9

Versions of relevant libraries:
[pip3] nvidia-cudnn-cu12==9.1.0.70
[pip3] torch==2.6.0+cu124
[conda] numpy                     1.26.4          py312heda63a1_0    conda-forge
[conda] torch                     2.6.0+cu124              pypi_0    pypi
"""  # noqa: W291 - as it is printed

VLLM = """==============================
        System Info
==============================
OS                           : Ubuntu 22.04.5 LTS (x86_64)
Libc version                 : glibc-2.35

==============================
       PyTorch Info
==============================
PyTorch version              : 2.8.0+cu128
CUDA used to build PyTorch   : 12.8

==============================
       CUDA / GPU Info
==============================
Is CUDA available            : True
GPU models and configuration : GPU 0: NVIDIA L40S
Nvidia driver version        : 570.86.15
cuDNN version                : Could not collect

==============================
         vLLM Info
==============================
vLLM Version                 : 0.11.0

==============================
     Environment Variables
==============================
NVIDIA_DRIVER_CAPABILITIES=compute,utility
LD_LIBRARY_PATH=/usr/local/cuda/lib64
CUDA_VISIBLE_DEVICES=0
HF_TOKEN=hf_secret
"""

TABLE = """Sat Nov 22 10:00:00 2025
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 550.54.15              Driver Version: 550.54.15      CUDA Version: 12.4     |
|-----------------------------------------+------------------------+----------------------+
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |
|                                         |                        |               MIG M. |
|=========================================+========================+======================|
|   0  NVIDIA A100-SXM4-40GB          On  |   00000000:07:00.0 Off |                   On |
| N/A   31C    P0             52W /  400W |     142MiB /  40960MiB |     N/A      Default |
|                                         |                        |              Enabled |
+-----------------------------------------+------------------------+----------------------+
|   1  NVIDIA GeForce RTX 3080 ...    Off |   00000000:0B:00.0  On |                  Off |
| 30%   71C    P2            310W /  320W |    9001MiB /  10240MiB |     98%   E. Process |
|                                         |                        |                  N/A |
+-----------------------------------------+------------------------+----------------------+

+-----------------------------------------------------------------------------------------+
| MIG devices:                                                                            |
|  0    7   0   0  |              12MiB /  4864MiB    | 14      0 |  1   0    0    0    0 |
+-----------------------------------------------------------------------------------------+
| Processes:                                                                              |
|  GPU   GI   CI        PID   Type   Process name                              GPU Memory |
|        ID   ID                                                               Usage      |
|=========================================================================================|
|    1   N/A  N/A      4242      C   python3 train.py                            8800MiB |
+-----------------------------------------------------------------------------------------+
"""


def test_collect_env() -> None:
    facts = read(COLLECT_ENV)
    assert facts.one(TorchBuild) == TorchBuild("2.6.0+cu124", cuda="12.4", found_in="collect_env")
    assert facts.one(TorchCuda) == TorchCuda(available=True, found_in="collect_env")
    system = facts.one(System)
    assert system
    assert (system.os, system.distribution, system.kernel) == ("linux", "Ubuntu 22.04.5 LTS", "6.8.0-1027-generic")
    assert (system.machine, system.glibc, system.wsl, system.container) == ("x86_64", "2.35", 0, None)
    assert facts.one(Interpreter) == Interpreter("3.12.9", os="linux", machine="x86_64")
    assert facts.one(CudaToolkit) == CudaToolkit("", version="12.4.131", nvcc="nvcc", found_via="paste")
    nvml = facts.one(Nvml)
    assert nvml
    assert (nvml.driver_version, nvml.init_code, nvml.cuda_version) == ("550.54.15", None, None)
    assert [gpu.name for gpu in facts.all(Gpu)] == ["NVIDIA A100-SXM4-40GB"] * 2
    assert [gpu.mig_instances for gpu in facts.all(Gpu)] == [None, None]
    assert [(file.soname, file.version) for file in facts.all(LibraryFile)] == [
        ("libcudnn.so.9", "9.1.0"),
        ("libcudnn_ops.so.9", None),
    ]
    assert {(d.name, d.version, d.installer) for d in facts.all(Distribution)} == {
        ("nvidia-cudnn-cu12", "9.1.0.70", None),
        ("torch", "2.6.0+cu124", "pip"),
        ("numpy", "1.26.4", "conda"),
    }
    assert not facts.is_complete(Distribution)
    assert not facts.is_answered(TorchImport)


def test_vllm_variant() -> None:
    facts = read(VLLM)
    assert facts.one(TorchBuild) == TorchBuild("2.8.0+cu128", cuda="12.8", found_in="collect_env")
    assert [gpu.name for gpu in facts.all(Gpu)] == ["NVIDIA L40S"]
    assert Distribution("vllm", "0.11.0") in facts.all(Distribution)
    variables = facts.one(EnvironmentVariables)
    assert variables
    assert not variables.complete
    assert variables.values == {
        "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
        "LD_LIBRARY_PATH": "/usr/local/cuda/lib64",
        "CUDA_VISIBLE_DEVICES": "0",
    }


def test_real_captures() -> None:
    facts = capture("collect_env-torch-2.13.0-cpu.txt")
    assert facts.one(TorchBuild) == TorchBuild("2.13.0+cpu", found_in="collect_env")
    assert facts.one(TorchCuda) == TorchCuda(available=False, found_in="collect_env")
    assert facts.one(Nvml) is None
    assert not facts.is_answered(Gpu)
    facts = capture("collect_env-torch-2.14.1-cu130-no-driver.txt")
    build = facts.one(TorchBuild)
    assert build
    assert (build.version, build.cuda, build.hip) == ("2.14.1+cu130", "13.0", None)
    assert Distribution("nvidia-cudnn-cu13", "9.24.0.43") in facts.all(Distribution)


@pytest.mark.parametrize("kind", ["pip_list", "pip_freeze"])
def test_real_package_lists(kind: str) -> None:
    facts = capture(f"{kind}-torch-2.14.1-cu130-no-driver.txt")
    assert facts.is_complete(Distribution)
    assert {"torch", "triton", "nvidia-cudnn-cu13", "cuda-toolkit"} <= {d.name for d in facts.all(Distribution)}
    build = facts.one(TorchBuild)
    assert build
    assert (build.version, build.cuda, build.cuda_known) == ("2.14.1", "13.0", True)
    assert "nvidia-cuda-runtime" in build.found_in
    cpu = capture(f"{kind}-torch-2.13.0-cpu.txt").one(TorchBuild)
    assert cpu
    assert (cpu.cuda, cpu.cuda_known) == (None, True)


def test_table() -> None:
    facts = read(TABLE)
    assert facts.one(Nvml) == Nvml(
        True, init_code=0, driver_version="550.54.15", cuda_version="12.4", found_in="nvidia-smi"
    )
    first, second = facts.all(Gpu)
    assert (first.name, first.pci_address, first.mig_enabled) == ("NVIDIA A100-SXM4-40GB", "0000:07:00.0", True)
    assert (first.mig_instances, first.utilization_percent, first.persistence_mode) == (("0/7/0",), None, True)
    assert (first.memory_used_bytes, first.memory_total_bytes) == (142 << 20, 40960 << 20)
    assert (second.temperature_c, second.power_draw_w, second.power_limit_w) == (71, 310.0, 320.0)
    assert (second.compute_mode, second.ecc_enabled, second.mig_enabled) == ("exclusive-process", False, None)
    assert facts.all(GpuProcess) == (GpuProcess(1, 4242, 8800 << 20, "python3 train.py"),)
    assert facts.is_complete(Gpu)
    assert not facts.is_complete(GpuProcess)


def test_table_before_driver_450() -> None:
    facts = read(
        """| NVIDIA-SMI 331.62     Driver Version: 331.62         |
|   0  GeForce GTX 680     Off  | 0000:03:00.0     N/A |                  N/A |
| 30%   35C  N/A     N/A /  N/A |      9MiB /  4095MiB |     N/A      Default |
|   1  GeForce GTX 680     Off  | 0000:04:00.0     N/A |                  N/A |
| 30%   36C  N/A     N/A /  N/A |      8MiB /  4095MiB |     N/A      Default |
|  GPU       PID   Type   Process name                             Usage      |
|    0      1507      G   /usr/lib/xorg/Xorg                            94MiB |
"""
    )
    assert [(g.index, g.temperature_c, g.mig_enabled) for g in facts.all(Gpu)] == [(0, 35, None), (1, 36, None)]
    assert facts.all(GpuProcess) == (GpuProcess(0, 1507, 94 << 20, "/usr/lib/xorg/Xorg"),)
    nvml = facts.one(Nvml)
    assert nvml
    assert nvml.cuda_version is None


def test_windows_table() -> None:
    facts = read(
        """|   0  NVIDIA GeForce RTX 4070      WDDM  |   00000000:01:00.0  On |                  N/A |
|  0%   41C    P8              9W /  200W |    1200MiB /  12282MiB |      4%      Default |
|  No running processes found |"""
    )
    [gpu] = facts.all(Gpu)
    assert (gpu.driver_model, gpu.persistence_mode) == ("WDDM", None)
    assert not facts.is_complete(GpuProcess)  # WDDM hides who uses the memory


def test_r610_labels() -> None:
    nvml = read("| NVIDIA-SMI 610.43.02      KMD Version: 610.43.02     CUDA UMD Version: 13.3     |").one(Nvml)
    assert nvml
    assert (nvml.driver_version, nvml.cuda_version) == ("610.43.02", "13.3")


def test_query() -> None:
    facts = read(
        """==============NVSMI LOG==============
Driver Version                            : [Deprecated; will be removed in CUDA 14.0. Use KMD Version instead]
KMD Version                               : 610.43.02
CUDA UMD Version                          : 13.3

Attached GPUs                             : 1
GPU 00000000:18:00.0
    Product Name                          : NVIDIA H100 80GB HBM3
    Persistence Mode                      : Enabled
    MIG Mode
        Current                           : Disabled
        Pending                           : Disabled
    GPU UUID                              : GPU-00000000-1111-2222-3333-444444444444
    GPU Virtualization Mode
        Virtualization Mode               : Pass-Through
    PCI
        Bus                               : 0x18
        Bus Id                            : 00000000:18:00.0
        GPU Link Info
            PCIe Generation
                Max                       : 5
                Current                   : 4
            Link Width
                Max                       : 16x
                Current                   : 8x
    Clocks Event Reasons
        Idle                              : Not Active
        SW Power Cap                      : Not Active
        HW Slowdown                       : Active
            HW Thermal Slowdown           : Active
            HW Power Brake Slowdown       : Not Active
    FB Memory Usage
        Total                             : 81559 MiB
        Used                              : 1 MiB
    BAR1 Memory Usage
        Total                             : 131072 MiB
    Compute Mode                          : Exclusive_Process
    Utilization
        GPU                               : 3 %
    ECC Mode
        Current                           : Enabled
    ECC Errors
        Volatile
            SRAM Correctable              : 7
            SRAM Uncorrectable Parity     : 1
            DRAM Uncorrectable            : 2
        Aggregate
            DRAM Uncorrectable            : 99
    Remapped Rows
        Correctable Error                 : 0
        Pending                           : Yes
        Remapping Failure Occurred        : No
    Temperature
        GPU Current Temp                  : 90 C
    GPU Power Readings
        Average Power Draw                : N/A
        Instantaneous Power Draw          : 120.50 W
        Current Power Limit               : 700.00 W
        Default Power Limit               : 700.00 W
    Clocks
        Graphics                          : 345 MHz
        SM                                : 345 MHz
        Memory                            : 2619 MHz
    Max Clocks
        SM                                : 1980 MHz
    Fabric
        State                             : In Progress
    Processes                             : None
"""
    )
    nvml = facts.one(Nvml)
    assert nvml
    assert (nvml.driver_version, nvml.cuda_version, nvml.gpu_count) == ("610.43.02", "13.3", 1)
    assert facts.all(Gpu) == (
        Gpu(
            0,
            name="NVIDIA H100 80GB HBM3",
            uuid="GPU-00000000-1111-2222-3333-444444444444",
            pci_address="0000:18:00.0",
            memory_total_bytes=81559 << 20,
            memory_used_bytes=1 << 20,
            pcie_generation=4,
            pcie_generation_max=5,
            pcie_width=8,
            pcie_width_max=16,
            power_draw_w=120.5,
            power_limit_w=700.0,
            power_default_w=700.0,
            sm_clock_mhz=345,
            sm_clock_max_mhz=1980,
            memory_clock_mhz=2619,
            temperature_c=90,
            utilization_percent=3,
            clock_event_reasons=("hw_slowdown", "hw_thermal_slowdown"),
            ecc_enabled=True,
            ecc_uncorrected=3,
            rows_remap_pending=True,
            rows_remap_failed=False,
            mig_enabled=False,
            compute_mode="exclusive-process",
            persistence_mode=True,
            fabric_state="in-progress",
            virtualization="passthrough",
            found_in="nvidia-smi -q",
        ),
    )
    assert facts.is_complete(Gpu)
    assert facts.is_complete(GpuProcess)


def test_list() -> None:
    facts = read(
        """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa)
  MIG 3g.20gb     Device  0: (UUID: MIG-bbbb)
  MIG 3g.20gb     Device  1: (UUID: MIG-cccc)
GPU 1: Tesla T4 (UUID: GPU-dddd)"""
    )
    assert [(g.uuid, g.mig_instances) for g in facts.all(Gpu)] == [
        ("GPU-aaaa", ("MIG-bbbb", "MIG-cccc")),
        ("GPU-dddd", None),
    ]


def test_csv() -> None:
    facts = read(
        "index, name, driver_version, clocks_event_reasons.active, power.draw [W], pcie.link.gen.max\n"
        "0, NVIDIA L4, 570.86.15, 0x0000000000000044, 71.20 W, 4\n"
        "3, NVIDIA L4, 570.86.15, [N/A], [N/A], [Unknown Error]\n"
    )
    first, second = facts.all(Gpu)
    assert (first.clock_event_reasons, first.power_draw_w) == (("sw_power_cap", "hw_thermal_slowdown"), 71.2)
    assert second == Gpu(3, name="NVIDIA L4", found_in="nvidia-smi --query-gpu")
    assert len(facts.all(Nvml)) == 1


def test_one_reason_that_is_not_active_is_not_all_of_them() -> None:
    text = "name, clocks_throttle_reasons.sw_power_cap\nTesla T4, {}\n"
    assert [g.clock_event_reasons for g in read(text.format("Not Active")).all(Gpu)] == [None]
    assert [g.clock_event_reasons for g in read(text.format("Active")).all(Gpu)] == [("sw_power_cap",)]


def test_words_are_no_csv_table() -> None:
    with pytest.raises(SourceError):
        read("name\nsomebody\n\nfoo, bar\n1, 2\n")


def test_several_sources_merge() -> None:
    text = "name, uuid\nNVIDIA A100-SXM4-40GB, GPU-1\nNVIDIA GeForce RTX 3080 Ti, GPU-2\n"
    facts = read(COLLECT_ENV.replace("GPU 1: NVIDIA A100-SXM4-40GB", "GPU 1: NVIDIA GeForce RTX 3080 Ti"), TABLE, text)
    [nvml] = facts.all(Nvml)
    assert (nvml.driver_version, nvml.cuda_version, nvml.init_code) == ("550.54.15", "12.4", 0)
    assert [(g.index, g.name, g.uuid, g.temperature_c) for g in facts.all(Gpu)] == [
        (0, "NVIDIA A100-SXM4-40GB", "GPU-1", 31),
        (1, "NVIDIA GeForce RTX 3080 Ti", "GPU-2", 71),
    ]


def test_gpus_of_different_names_stay_apart() -> None:
    facts = read("GPU models and configuration: GPU 0: Tesla T4\nGPU 1: NVIDIA H100 PCIe\n", "name\nNVIDIA H100 PCIe\n")
    assert [g.name for g in facts.all(Gpu)] == ["Tesla T4", "NVIDIA H100 PCIe"]


@pytest.mark.parametrize(
    ("lines", "cuda", "known", "hip"),
    [
        ("PyTorch version: 2.6.0\nCUDA used to build PyTorch: None", None, True, None),
        ("PyTorch version: 2.6.0\nCUDA used to build PyTorch: Could not collect", None, True, None),
        ("PyTorch version: 2.6.0+cpu", None, True, None),
        ("PyTorch version: 2.6.0+cu118", "11.8", True, None),
        ("PyTorch version: 2.5.1+rocm6.2\nCUDA used to build PyTorch: N/A", None, True, "6.2"),
        (
            "PyTorch version: 2.5.1\nCUDA used to build PyTorch: N/A\nROCM used to build PyTorch: 6.1.4",
            None,
            True,
            "6.1.4",
        ),
        ("PyTorch version: 2.5.1\nCUDA used to build PyTorch: N/A", None, False, None),
        ("PyTorch version: 2.5.1\n[pip3] torch==2.5.1", "12.4", True, None),
        ("PyTorch version: 2.5.1\nOS: Windows 11", None, False, None),
        ("PyTorch version: 2.5.1\nOS: Ubuntu 22.04 (aarch64)", None, False, None),
        ("PyTorch version: 2.5.0a0+git1234", None, False, None),
    ],
)
def test_builds(lines: str, cuda: str | None, known: bool, hip: str | None) -> None:
    build = read(lines).one(TorchBuild)
    assert build
    assert (build.cuda, build.cuda_known, build.hip) == (cuda, known, hip)


def test_a_cuda_without_a_version_is_still_a_build() -> None:
    assert read("CUDA used to build PyTorch: 12.4").one(TorchBuild) == TorchBuild(
        "", cuda="12.4", found_in="collect_env"
    )


def test_n_a_means_that_torch_did_not_import() -> None:
    facts = read("PyTorch version: N/A\nOS: Ubuntu 20.04 (aarch64)\n[pip3] numpy==1.24.4")
    assert facts.is_complete(TorchBuild)
    assert facts.all(TorchBuild) == ()
    facts = read("PyTorch version: N/A\n[pip3] torch==2.4.0+cu121")
    assert facts.one(TorchImport) == TorchImport(ok=False, found_in="collect_env")
    build = facts.one(TorchBuild)
    assert build
    assert build.cuda == "12.1"


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("OS: Microsoft Windows 11 Home (10.0.22631 64-bit)", ("windows", "10.0.22631", None, 0)),
        ("Python platform: Windows-10-10.0.19045-SP0", ("windows", "10.0.19045", None, 0)),
        ("OS: macOS 14.5 (arm64)\nPython platform: macOS-14.5-arm64-arm-64bit", ("darwin", None, "arm64", 0)),
        ("Python platform: Linux-5.10.216-tegra-aarch64-with-glibc2.29", ("linux", "5.10.216-tegra", "aarch64", 0)),
        (
            "Python platform: Linux-6.1.0-18-cloud-amd64-x86_64-with-glibc2.36",
            ("linux", "6.1.0-18-cloud-amd64", "x86_64", 0),
        ),
        (
            "Python platform: Linux-4.4.0-19041-Microsoft-x86_64-with-glibc2.31",
            ("linux", "4.4.0-19041-Microsoft", "x86_64", 1),
        ),
        ("OS: Ubuntu (WSL 1 on Windows 10)", ("linux", None, None, 1)),
        ("OS: Ubuntu 22.04", ("linux", None, None, None)),
    ],
)
def test_platforms(platform: str, expected: tuple[object, ...]) -> None:
    system = read(platform).one(System)
    assert system
    assert (system.os, system.kernel, system.machine, system.wsl) == expected


def test_an_old_python_does_not_know_the_glibc() -> None:
    text = "OS: Ubuntu 18.04.5 LTS (x86_64)\nLibc version: glibc-2.17\nPython version: {} (64-bit runtime)"
    assert [s.glibc for s in read(text.format("3.7.10")).all(System)] == [None]
    assert [s.glibc for s in read(text.format("3.10.4")).all(System)] == ["2.17"]


def test_amd_gpus_are_none_of_ours() -> None:
    facts = read("PyTorch version: 2.5.1+rocm6.2\nGPU models and configuration: GPU 0: AMD Radeon RX 7900 XT (gfx1100)")
    assert not facts.is_answered(Gpu)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("export CUDA_HOME=/usr/local/cuda", {"CUDA_HOME": "/usr/local/cuda"}),
        ("CUDA_VISIBLE_DEVICES=", {"CUDA_VISIBLE_DEVICES": ""}),
        ("$ CUDA_VISIBLE_DEVICES=0,1 python train.py", {"CUDA_VISIBLE_DEVICES": "0,1"}),
        ('$env:CUDA_VISIBLE_DEVICES="-1"', {"CUDA_VISIBLE_DEVICES": "-1"}),
        ("set CUDA_PATH=C:\\Program Files\\NVIDIA\\v12.4", {"CUDA_PATH": "C:\\Program Files\\NVIDIA\\v12.4"}),
        ("LD_LIBRARY_PATH=/opt/conda/lib:", {"LD_LIBRARY_PATH": "/opt/conda/lib:"}),
    ],
)
def test_variables(line: str, expected: dict[str, str]) -> None:
    variables = read(line).one(EnvironmentVariables)
    assert variables
    assert variables.values == expected


CONDA_ROWS = "\n".join(f"package{number}                  1.{number}      h06a4308_{number}  " for number in range(20))


def test_conda_list() -> None:
    facts = read(
        "# packages in environment at /opt/conda/envs/x:\n#\n"
        "# Name                    Version                   Build  Channel\n"
        "_libgcc_mutex             0.1                 conda_forge    conda-forge\n"
        "pytorch                   2.0.1           py3.10_cuda11.7_cudnn8.5.0_0    pytorch\n"
        "flash-attn                2.5.8                    pypi_0    pypi\n" + CONDA_ROWS
    )
    assert facts.all(Distribution) == (
        Distribution("pytorch", "2.0.1", "/opt/conda/envs/x", "conda", "py3.10_cuda11.7_cudnn8.5.0_0"),
        Distribution("flash-attn", "2.5.8", installer="pip"),
    )
    assert facts.is_complete(Distribution)
    build = facts.one(TorchBuild)
    assert build
    assert (build.cuda, build.conda_build) == ("11.7", "py3.10_cuda11.7_cudnn8.5.0_0")


def test_a_filtered_list_is_not_whole() -> None:
    for text in (
        "# packages in environment at /opt/conda:\npytorch   2.4.1   cpu_generic_py311h12345_0    conda-forge",
        "torch                     2.8.0+cu128\ntorchvision               0.23.0+cu128",
        "torch==2.8.0\nnumpy==2.1.0",
        "Name: torch\nVersion: 2.8.0+cu128\nSummary: Tensors",
    ):
        facts = read(text)
        assert facts.all(Distribution)
        assert not facts.is_complete(Distribution)


def test_a_whole_list_without_torch() -> None:
    facts = read("Package    Version\n---------- -------\nnumpy      2.1.0\npip        25.0\n")
    assert facts.is_complete(TorchBuild)
    assert facts.all(TorchBuild) == ()


def test_a_whole_list_without_nvidia_wheels_does_not_tell_the_build() -> None:
    build = read("Package    Version\n---------- -------\ntorch      2.1.0\npip        25.0\n").one(TorchBuild)
    assert build
    assert not build.cuda_known


def test_wheel_addresses_in_a_freeze() -> None:
    url = "https://example.org/flash_attn-2.8.3%2Bcu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl"
    assert read(f"flash_attn @ {url}#sha256=0").all(Distribution) == (
        Distribution("flash-attn", "2.8.3+cu12torch2.8cxx11abiTRUE", build="cu12torch2.8cxx11abiTRUE"),
    )


def test_prose_is_no_package() -> None:
    with pytest.raises(SourceError):
        read("I have torch 2.8.0 not working\ntorch 2.8.0 is installed\n")


MISMATCH = "Failed to initialize NVML: Driver/library version mismatch"
NO_IMAGE = "RuntimeError: CUDA error: no kernel image is available for execution on the device"


def test_messages() -> None:
    facts = read(f"I ran it:\n\n```\n$ nvidia-smi\n{MISMATCH}\n```\nhelp\n{MISMATCH}")
    assert facts.all(ErrorMessage) == (ErrorMessage(MISMATCH, "paste 0 line 5"),)


def test_wrapped_messages() -> None:
    text = f'Traceback (most recent call last):\n  File "x.py", line 1\n{NO_IMAGE}\n'
    whole = {said.text for said in read(text).all(ErrorMessage)}
    assert whole == {NO_IMAGE}
    for cut in (60, 63, 66, 70):
        for wrapped in (f"{NO_IMAGE[:cut]}\n{NO_IMAGE[cut:]}", f"> {NO_IMAGE[:cut]}\r\n> {NO_IMAGE[cut:]}"):
            [said] = read(wrapped).all(ErrorMessage)
            assert "no kernel image is available for execution on the device" in " ".join(said.text.split())


def test_the_rest_of_a_wrapped_message_may_look_like_a_key() -> None:
    library = "ImportError: /env/lib/flash_attn_2_cuda.cpython-310-x86_64-linux-gnu.so"
    for wrapped in (
        f"{library}:\nundefined symbol: _ZN3c104cuda9SetDeviceEi",
        f"{library}: undefined\nsymbol: _ZN3c104cuda9SetDeviceEi",
        f"ImportError:\n{library[13:]}: undefined symbol:\n_ZN3c104cuda9SetDeviceEi",
    ):
        [said] = read(wrapped).all(ErrorMessage)
        assert "2_cuda.cpython-310-x86_64-linux-gnu.so: undefined symbol: _ZN3c104cuda9SetDeviceEi" in said.text


def test_a_message_that_ends_in_the_next_line_of_another() -> None:
    first = "Unexpected error from cudaGetDeviceCount(). Did you run some cuda functions before calling"
    last = "NumCudaDevices()? Error 803: system has unsupported display driver / cuda\ndriver combination"
    assert any("cuda driver combination" in said.text for said in read(f"{first}\n{last}").all(ErrorMessage))


def behind(begin: str) -> Callable[[str], str]:
    """Put this before each line of a text."""
    return lambda text: "".join(f"{begin}{line}\n" for line in text.splitlines())


NOISES: dict[str, Callable[[str], str]] = {
    "quotes": behind("> "),
    "double quotes": behind("> > "),
    "windows": lambda text: text.replace("\n", "\r\n"),
    "old mac": lambda text: text.replace("\n", "\r"),
    "fence": lambda text: f"<details>\n<summary>env</summary>\n\n```text\n{text}\n```\n</details>\n",
    "bullets": lambda text: "".join(f"- {line}\n" if line.strip() else "\n" for line in text.splitlines()),
    "colours": lambda text: "".join(f"\x1b[1;32m{line}\x1b[0m\x1b[K\n" for line in text.splitlines()),
    "log": behind("2026-01-02T03:04:05.6789012Z "),
    **{
        f"log of {writer}": behind(begin)
        for writer, begin in {
            "docker compose": "webui-1  | ",
            "docker build": "#12 34.56 ",
            "torchrun": "[rank7]: ",
            "mpirun": "[1,0]<stderr>: ",
            "Ray": "(RayWorkerWrapper pid=1234, ip=10.0.0.7) ",
            "vLLM": "(EngineCore_0 pid=4711) ERROR 03-03 12:14:15 [core.py:396] ",
            "the journal": "Mar  3 12:14:15 node7 serve[4711]: ",
        }.items()
    },
    "html": lambda text: text.replace(" ", "\xa0"),
    "utf-16 read as latin": lambda text: "\ufeff" + "\0".join(text),
}


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("text", [COLLECT_ENV, VLLM, TABLE, MISMATCH], ids=["collect_env", "vllm", "table", "message"])
def test_noise(noise: str, text: str) -> None:
    clean, noisy = read(text), read(NOISES[noise](text))
    assert clean.types() == noisy.types()
    for fact_type in clean.types():
        if fact_type is not ErrorMessage:  # its line number may differ
            assert clean.all(fact_type) == noisy.all(fact_type)
            assert clean.is_complete(fact_type) == noisy.is_complete(fact_type)
    assert [m.text for m in clean.all(ErrorMessage)] == [m.text for m in noisy.all(ErrorMessage)]


def a_report() -> Report:
    run = ProbeRun("nvml", "host", Outcome.CRASHED, 0.2, "died of SIGSEGV (11)")
    return Report(
        Verdict(State.NOT_PROVEN, "no fault found"),
        (Finding("x"),),
        (),
        (run,),
        Facts([Gpu(0, name="NVIDIA L4"), Gpu(1, name="NVIDIA L4")], complete=[Gpu, Distribution]),
    )


def test_report() -> None:
    text = dumps(a_report())
    quoted = f"This is what I got:\n```json\n{text}```\nthanks"
    for facts in (read(text), read(quoted), read(NOISES["quotes"](quoted))):
        assert facts.all(Gpu) == a_report().facts.all(Gpu)
        assert facts.is_complete(Distribution)
        assert facts.all(ProbeRun) == a_report().probes


def test_report_beside_a_paste() -> None:
    facts = read(MISMATCH, dumps(a_report()))
    assert facts.all(ErrorMessage)
    assert len(facts.all(Gpu)) == 2


def test_reports_that_cannot_be_read() -> None:
    newer = json.loads(dumps(a_report())) | {"schema_version": "9.0"}
    with pytest.raises(SourceError, match="upgrade cudacheck"):
        read(json.dumps(newer))
    with pytest.raises(SourceError, match="not JSON"):
        read('{"schema_version": "1.0", ')


def test_errors_are_one_line() -> None:
    for text in ("", "hello\nworld", "x" * (sources.MAX_CHARACTERS + 1), '{"schema_version": 3}'):
        with pytest.raises(SourceError) as caught:
            read(text)
        assert str(caught.value)
        assert "\n" not in str(caught.value)


def headline(*texts: str) -> str:
    return doctor.judged(read(*texts), [], (), None).verdict.headline


def test_a_message_that_no_rule_knows_is_named() -> None:
    said = "torch.FrobError: the CUDA frob is bent"
    nothing = "nothing about CUDA, PyTorch or a GPU was understood in this"
    assert (
        headline(f"Traceback (most recent call last):\n  ...\n{said}")
        == f"{nothing}: no rule knows the message `{said}`"
    )


@pytest.mark.parametrize("text", ["OS: Ubuntu 22.04 LTS\nPython version: 3.12.3", "PYTHONPATH=/opt/x", "numpy==2.3.1"])
def test_what_is_not_about_cuda_is_no_pass(text: str) -> None:
    assert headline(text) == "nothing about CUDA, PyTorch or a GPU was understood in this"


@pytest.mark.parametrize("text", ["Is CUDA available: True", "vllm==0.11.0", "CUDA_HOME=/usr/local/cuda", VLLM])
def test_what_is_about_cuda_is_judged(text: str) -> None:
    assert headline(text) == "no fault in what this says"


def test_a_message_with_several_causes_is_no_pass() -> None:
    said = "CUBLAS_STATUS_NOT_INITIALIZED"
    told = headline(f"RuntimeError: CUDA error: {said} when calling `cublasCreate(handle)`")
    assert told == f"cannot tell what is behind `{said}`: it has several causes"


def test_every_type_that_pastes_yield_has_a_name() -> None:
    kinds = {kind for text in (COLLECT_ENV, VLLM, TABLE, MISMATCH) for kind in read(text).types()}
    assert kinds - {System, Interpreter} <= {*understood.WORDS}
    assert understood.counted(read(COLLECT_ENV))[:2] == [
        "PyTorch's build (collect_env)",
        "whether PyTorch sees CUDA (collect_env)",
    ]


@pytest.mark.parametrize(
    ("pasted", "meant"),
    [
        *((f"CUDA{chr(code)} 12", "CUDA 12") for code in (0, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF)),
        *((f"CUDA{chr(code)}12", "CUDA 12") for code in (0xA0, 0x202F)),
        *((f"{chr(code)}x", "'x") for code in (0x2018, 0x2019)),
        *((f"{chr(code)}x", '"x') for code in (0x201C, 0x201D)),
        *((f"{chr(code)} x", "| x") for code in (0xFFE8, 0x2502)),
        ("`CUDA_HOME=/usr`", "CUDA_HOME=/usr"),
        ("`a` and `b`", "`a` and `b`"),
        ("`a", "`a"),
        ("``", "``"),
        ("a &amp; b", "a & b"),
        ("a < b", "a < b"),
        ("<b>a</b>", "a"),
        ("#1 0.5 [rank0]: web-1 | words", "words"),
        ("#1 0.5 #1 0.5 #1 0.5 #1 0.5 words", "#1 0.5 words"),
    ],
)
def test_what_is_put_around_pasted_text(pasted: str, meant: str) -> None:
    assert _clean.lines(pasted) == [meant]


def test_long_lines_are_cut() -> None:
    assert _clean.lines("x" * (_clean.MAX_LINE + 1)) == ["x" * 20_000]


def test_both_ends_of_a_long_paste_are_searched() -> None:
    """128 KiB from either end, line ends counted."""
    of_128 = ["x" * 127] * 5000
    assert {*messages._both_ends(of_128)} == {*range(1024), *range(5000 - 1024, 5000)}
    assert {*messages._both_ends(["x" * 128, *of_128])} == {*range(1023), *range(5001 - 1024, 5001)}
    assert {*messages._both_ends(["x" * 127, *of_128][:1500])} == {*range(1500)}


def test_of_many_messages_the_first_are_kept() -> None:
    many = "\n".join(f"NVRM: Xid (PCI:0000:02:00): 79, GPU {n} has fallen off the bus." for n in range(250))
    assert len(read(many).all(ErrorMessage)) == 200


def test_reasons_without_their_gpu_are_of_the_only_one() -> None:
    rows = "name, power.draw [W], power.limit [W]\nNVIDIA A100-SXM4-80GB, 240 W, 400 W\n"
    reasons = "Clocks Event Reasons\n    SW Power Cap : Active\n"
    [gpu] = read(f"{rows}\n{reasons}").all(Gpu)
    assert (gpu.power_draw_w, gpu.clock_event_reasons) == (240.0, ("sw_power_cap",))
    two = read(f"{rows}NVIDIA A100-SXM4-80GB, 90 W, 400 W\n\n{reasons}").all(Gpu)
    assert [gpu.clock_event_reasons for gpu in two] == [None, None]


def test_a_folder_and_packed_files(tmp_path: Path) -> None:
    (tmp_path / "env.txt").write_text("PyTorch version: 2.6.0+cu124", encoding="utf-8")
    (tmp_path / "bug.log.gz").write_bytes(gzip.compress(b"Nvidia driver version: 550.54.15"))
    (tmp_path / "notes.txt").write_text("hello", encoding="utf-8")
    (tmp_path / "core").write_bytes(b"\0\1\2" * 100)
    (tmp_path / ".hidden").write_text("PyTorch version: 1.0.0", encoding="utf-8")
    facts = doctor.pasted([str(tmp_path)]).report.facts
    [build], [nvml] = facts.all(TorchBuild), facts.all(Nvml)
    assert (build.version, nvml.driver_version) == ("2.6.0+cu124", "550.54.15")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (gzip.compress(b"CUDA_HOME=/usr", mtime=0)[:20], "no whole gzip"),
        (gzip.compress(b"CUDA_HOME=/usr", mtime=0)[:-6] + b"abcdef", "no whole gzip"),
        (gzip.compress(b"\n" * (17 << 20), mtime=0), "larger than 16 MiB"),
        (b"hello", "nothing about CUDA"),
    ],
    ids=["cut", "changed", "a bomb", "prose"],
)
def test_files_that_cannot_be_read(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "paste").write_bytes(data)
    for name in (tmp_path, tmp_path / "paste"):
        with pytest.raises(doctor.InputError, match=said) as caught:
            doctor.pasted([str(name)])
        assert "\n" not in str(caught.value)


def test_a_file_that_says_nothing_is_named_beside_one_that_does(tmp_path: Path) -> None:
    for name, text in (("ticket", "PyTorch version: 2.6.0+cu124"), ("answers", "bash: lspci: command not found")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    read_ = doctor.pasted([str(tmp_path / "ticket"), str(tmp_path / "answers")])
    assert read_.report.facts.all(TorchBuild)
    assert read_.told == (f"nothing was understood in {tmp_path / 'answers'}",)


def test_a_folder_of_too_many_files(tmp_path: Path) -> None:
    for number in range(doctor.MAX_FILES + 1):
        (tmp_path / str(number)).touch()
    with pytest.raises(doctor.InputError, match="more than 200 files"):
        doctor.pasted([str(tmp_path)])


HOST = "NVIDIA-SMI 535.104.05  Driver Version: 535.104.05  CUDA Version: 12.2\nPyTorch version: 2.3.1+cu121"
CONTAINER = "PyTorch version: 2.8.0+cu128\nCUDA used to build PyTorch: 12.8\nIs CUDA available: False"


def test_a_hosts_driver_counts_beside_its_containers_pytorch_and_the_difference_is_named() -> None:
    facts = read(CONTAINER, HOST)
    assert [build.version for build in facts.all(TorchBuild)] == ["2.8.0+cu128"]
    assert [nvml.driver_version for nvml in facts.all(Nvml)] == ["535.104.05"]
    assert facts.all(Contradiction) == (Contradiction("PyTorch", "2.8.0+cu128", "2.3.1+cu121"),)


def test_two_drivers_are_named() -> None:
    facts = read(HOST, HOST.replace("535.104.05", "470.82.01"))
    assert facts.all(Contradiction) == (Contradiction("driver", "535.104.05", "470.82.01"),)
    assert [nvml.driver_version for nvml in facts.all(Nvml)] == ["535.104.05"]


A10, T4 = (healthy_pastes.SMI.format(driver="580.95.05", cuda="13.0", name=name) for name in ("NVIDIA A10", "Tesla T4"))
PYTORCH_SEES = "PyTorch version: 2.8.0+cu128\nCUDA used to build PyTorch: 12.8\nGPU models and configuration: GPU 0: {}"


@pytest.mark.parametrize(
    "texts",
    [(f"{A10}\n\n{T4}",), (A10, T4), (f"{PYTORCH_SEES.format('Tesla T4')}\n\n{A10}",)],
    ids=["one text", "two texts", "two programs"],
)
def test_two_gpus_that_are_not_of_one_machine_are_named_and_one_counts(texts: tuple[str, ...]) -> None:
    facts = read(*texts)
    assert facts.all(Contradiction) == (Contradiction("GPU", "NVIDIA A10", "Tesla T4"),)
    assert [gpu.name for gpu in facts.all(Gpu)] == ["NVIDIA A10"]


def test_a_pytorch_goes_with_the_gpus_that_its_dump_tells_of() -> None:
    """Beside another machine's GPU it would convict of what neither of the two has."""
    old = healthy_pastes.SMI.format(driver="470.82.01", cuda="11.4", name="Tesla K80")
    report = doctor.read(f"{old}\n\nOn a colleague's machine it works:\n\n{PYTORCH_SEES.format('Tesla T4')}")
    assert [finding.rule for finding in report.findings] == []
    assert [gpu.name for gpu in report.facts.all(Gpu)] == ["Tesla K80"]


def test_a_gpu_in_words_that_no_dump_tells_of_leaves_open_whose_kernel_is_lacking() -> None:
    said = "I have an RTX 5090 in here.\nCUDA error: no kernel image is available for execution on the device\n\n"
    assert root_of(said + PYTORCH_SEES.format("Tesla T4")) == "kernel-failed warning"
    assert root_of(said.replace("RTX 5090", "T4") + PYTORCH_SEES.format("Tesla T4")) == "kernel-failed error"


@pytest.mark.parametrize("seen", ["NVIDIA A10", "A10", "Tesla T4\nGPU 1: NVIDIA A10", "NVIDIA A10\nGPU 1: NVIDIA A10"])
def test_gpus_of_one_machine_are_no_difference(seen: str) -> None:
    facts = read(PYTORCH_SEES.format(seen), A10)
    assert facts.all(Contradiction) == ()


@pytest.mark.parametrize("other", ["2.8.0", "PyTorch version: 2.8.0+cu128", "- PyTorch Version: 2.8"])
def test_the_same_pytorch_told_twice_is_no_difference(other: str) -> None:
    assert read(f"{CONTAINER}\n\n{other}").all(Contradiction) == ()
    assert read(CONTAINER, HOST.splitlines()[0] + "\n" + other).all(Contradiction) == ()


@pytest.mark.parametrize(
    ("text", "gpus"),
    [
        ("$ docker run --rm -it pytorch/pytorch bash", [False]),
        ("sudo docker run -it \\\n  -v /data:/data \\\n  pytorch/pytorch", [False]),
        ("docker run --rm --gpus all app", [True]),
        ("podman run --device nvidia.com/gpu=all app", [True]),
        ("docker run -e NVIDIA_VISIBLE_DEVICES=all app", []),
        ("docker run --privileged app", []),
        ("docker run $OPTIONS app", []),
        ("docker run works for me", []),
        ("docker run", []),
        ("docker run -it", []),
        ("I think docker run -it app lacks something", []),
    ],
)
def test_commands_that_start_a_container(text: str, gpus: list[bool]) -> None:
    found = read(f"{HOST}\n{text}")
    assert [start.gpus for start in found.all(ContainerStart)] == gpus


def test_docker_run_without_a_gpu_convicts_only_beside_a_pytorch_that_finds_none() -> None:
    command = "$ docker run --rm -it pytorch/pytorch bash"
    assert [f.rule for f in doctor.read(f"{CONTAINER}\n{command}").findings][:1] == ["container-without-gpu"]
    assert doctor.read(f"{CONTAINER.replace('False', 'True')}\n{command}").findings == ()
    theory = "I think I forgot --gpus all when I started the container."
    assert "container-without-gpu" not in [f.rule for f in doctor.read(f"{CONTAINER}\n{theory}").findings]


def root_of(text: str) -> str:
    """The first finding as rule and severity, with a question mark where something is asked."""
    report = doctor.read(text)
    first = next(iter(report.findings), None)
    return f"{first.rule} {first.severity}{' ?' * bool(report.questions)}" if first else "nothing"


FOUND_NONE = "RuntimeError: Found no NVIDIA driver on your system."
NO_NVML = (
    "nvidia-container-cli: initialization error: load library failed: libnvidia-ml.so.1: cannot open shared object file"
)
CUDA_3 = "ggml_cuda_init: failed to initialize CUDA: initialization error"


@pytest.mark.parametrize(
    ("text", "root"),
    [
        # an engine that was asked for a GPU starts nothing where its host has no driver
        (FOUND_NONE, "driver-missing error ?"),
        (f"$ docker run --gpus all app\n{FOUND_NONE}", "driver-missing warning ?"),
        (f"resources:\n  limits:\n    nvidia.com/gpu: 1\n{FOUND_NONE}", "driver-missing warning ?"),
        (f"$ singularity exec --nv app.sif python train.py\n{FOUND_NONE}", "driver-missing warning ?"),
        (f"singularity exec app.sif python train.py\n{FOUND_NONE}", "container-without-gpu error"),
        # the hook's first library may be missing with the whole driver
        (NO_NVML, "container-without-gpu warning ?"),
        (f"{NO_NVML}\nNVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54  Tue", "container-without-gpu error"),
        # error 3 alone does not tell of nvidia_uvm
        (CUDA_3, "cuda-init-failed error"),
        (f"{CUDA_3}\nLinux 5.4.0-150-generic x86_64", "cuda-init-failed error"),
        (f"{CUDA_3}\nLinux 6.8.0-45-generic x86_64", "uvm-broken error"),
    ],
)
def test_what_is_said_alone_does_not_convict_of_one_of_several_causes(text: str, root: str) -> None:
    assert root_of(text) == root


def test_an_empty_answer_counts_only_between_two_prompts() -> None:
    """What is cut off there, or what a heading ends, is no answer."""
    system, command = "Linux 6.8.0-45-generic x86_64", "$ lspci -nnk -d 10de:"
    for after, known in (
        ("$ ls", True),
        ("ada@box:~$", True),
        ("", False),
        ("# Heading", False),
        ("some words\n$ ls", False),
    ):
        facts = read(f"{CONTAINER}\n{system}\n{command}\n{after}")
        assert facts.is_answered(PciBus) is known, after
    assert not read(f"{CONTAINER}\n{command}\n$ ls").is_answered(PciBus), "nobody said that it is not WSL"


def test_temperatures_alone_are_of_the_only_gpu() -> None:
    part = "        GPU Slowdown Temp                 : 97 C\n        GPU Max Operating Temp            : 57 C\n"
    table = "name, temperature.gpu\nNVIDIA GeForce MX330, 56\n"
    (gpu,) = read(table + part).all(Gpu)
    assert (gpu.temperature_c, gpu.temperature_slowdown_c, gpu.temperature_max_operating_c) == (56, 97, 57)
    assert [f.rule for f in doctor.read(table + part).findings] == ["gpu-throttled"]
    two = read(table + "NVIDIA GeForce MX330, 56\n" + part)
    assert all(gpu.temperature_max_operating_c is None for gpu in two.all(Gpu))


@pytest.mark.parametrize(
    ("said", "gpu", "version"),
    [
        ("I have a 4090 and torch 2.8.0+cu128 here", "NVIDIA GeForce RTX 4090", "2.8.0+cu128"),
        ("my GPU is an RTX 3080 Ti, PyTorch 2.6.0 (cu124) is installed", "NVIDIA GeForce RTX 3080 Ti", "2.6.0+cu124"),
        ("running vLLM on an H100, driver 535.129.03", "NVIDIA H100", None),
        ("it works on a 3090 with torch 2.8.0+cu128", None, None),
        ("I upgraded from torch 2.6.0+cu124 to torch 2.8.0+cu128", None, "2.8.0+cu128"),
        ("it fails on my 5090, and on my 3090 it does not", None, None),
        ("see issue 4090, a 2024 paper with 1080 lines", None, None),
        ("does this need an RTX 5090 or torch>=2.8.0+cu128 at all", None, None),
    ],
)
def test_what_is_said_in_words_counts_where_one_thing_is_named(said: str, gpu: str | None, version: str | None) -> None:
    facts = sources.read(
        [("ticket.txt", f"CUDA error: no kernel image is available for execution on the device\n{said}\n")]
    )
    assert [g.name for g in facts.all(Gpu)] == ([gpu] if gpu else [])
    assert [b.version for b in facts.all(TorchBuild)] == ([version] if version else [])


def test_what_software_printed_outweighs_what_is_said() -> None:
    facts = sources.read(
        [("ticket.txt", "My 4090 is slow today\nGPU 0: NVIDIA L4 (UUID: GPU-00000000-0000-0000-0000-000000000001)\n")]
    )
    assert [gpu.name for gpu in facts.all(Gpu)] == ["NVIDIA L4"]


def test_a_message_that_was_broken_within_words_and_between_them_is_one() -> None:
    broken = (
        "ImportError: /usr/local/lib/python3.10/dist-packages/flash_a\n"
        "ttn_2_cuda.cpython-310-x86_64-linux-gnu.so: undefined \n"
        "symbol: _ZN3c105ErrorC2ENS_14SourceLocationENSt7__cxx1112bas\n"
        "ic_stringIcSt11char_traitsIcESaIcEEE\n"
    )
    (said,) = read(broken).all(ErrorMessage)
    assert said.text == (
        "ImportError: /usr/local/lib/python3.10/dist-packages/flash_attn_2_cuda.cpython-310-x86_64-linux-gnu.so: "
        "undefined symbol: _ZN3c105ErrorC2ENS_14SourceLocationENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
    )
