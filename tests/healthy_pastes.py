"""Pastes of healthy machines that are out of the ordinary: whoever finds an error in one of them is wrong."""

from __future__ import annotations

from typing import Any

LINUX = "Ubuntu 24.04.1 LTS (x86_64)"
X86 = "Linux-6.8.0-45-generic-x86_64-with-glibc2.39"
ARM = "Linux-6.8.0-1021-nvidia-64k-aarch64-with-glibc2.39"


def collect_env(
    torch: str,
    cuda: str = "Could not collect",
    *packages: str,
    rocm: str = "N/A",
    os: str = LINUX,
    platform: str = X86,
    python: str = "3.12.3",
    available: bool = True,
    gpus: str = "Could not collect",
    driver: str = "Could not collect",
) -> str:
    """What `python -m torch.utils.collect_env` prints."""
    listed = "\n".join(f"[pip3] {package}" for package in packages)
    return f"""Collecting environment information...
PyTorch version: {torch}
Is debug build: False
CUDA used to build PyTorch: {cuda}
ROCM used to build PyTorch: {rocm}

OS: {os}
GCC version: (Ubuntu 13.2.0-23ubuntu4) 13.2.0
Libc version: glibc-2.39

Python version: {python} (main, Sep 11 2026, 14:17:37) [GCC 13.2.0] (64-bit runtime)
Python platform: {platform}
Is CUDA available: {available}
CUDA runtime version: Could not collect
GPU models and configuration: {gpus}
Nvidia driver version: {driver}
cuDNN version: Could not collect

Versions of relevant libraries:
{listed}
"""


def listed(*packages: str) -> str:
    """What `pip list` prints."""
    rows = "\n".join("{:<24} {}".format(*package.split("==")) for package in packages)
    return f"Package                  Version\n------------------------ ---------------\n{rows}\n"


def frozen(*packages: str) -> str:
    """What `pip freeze` prints, with packages that have nothing to do with CUDA."""
    others = [f"package-{letter}==1.0" for letter in "abcdefghijklmnop"]
    return "\n".join([*others, *packages]) + "\n"


H100: dict[str, Any] = {"gpus": "GPU 0: NVIDIA H100 80GB HBM3", "driver": "580.95.05"}
ARM_OS: dict[str, Any] = {"os": "Ubuntu 24.04.3 LTS (aarch64)", "platform": ARM}
MAC: dict[str, Any] = {
    "os": "macOS 15.6 (arm64)",
    "platform": "macOS-15.6-arm64-arm-64bit",
    "available": False,
}
WINDOWS: dict[str, Any] = {
    "os": "Microsoft Windows 11 Pro (10.0.26100 64-bit)",
    "platform": "Windows-11-10.0.26100-SP0",
}

EARLY = {
    "today's stock install": collect_env("2.15.0+cu132", "13.2", "torch==2.15.0", "torchvision==0.29.2", **H100),
    "today's stock trio": collect_env(
        "2.15.0+cu132", "13.2", "torch==2.15.0", "torchvision==0.29.2", "torchaudio==2.11.1", **H100
    ),
    "the torchvision before": collect_env("2.15.0+cu132", "13.2", "torch==2.15.0", "torchvision==0.29.1", **H100),
    "stock, as pip lists it": listed("torch==2.15.0", "torchvision==0.29.2", "torchaudio==2.11.1"),
    "stock, as pip freezes it": frozen("torch==2.15.0", "torchvision==0.29.2", "nvidia-cudnn-cu13==9.26.0.51"),
    "a torchvision newer than the tables": listed("torch==2.15.0", "torchvision==0.30.0"),
    "a torchaudio newer than the tables": listed("torch==2.15.0", "torchaudio==2.12.0"),
    "a release that is not out yet": collect_env(
        "2.16.0+cu134", "13.4", "torch==2.16.0", "torchvision==0.29.2", gpus=H100["gpus"], driver="620.70.06"
    ),
    "a torch of another age": listed("torch==3.0.0", "torchvision==1.0.0", "torchaudio==3.0.0"),
    "a nightly with a released torchvision": collect_env(
        "2.16.0.dev20261115+cu132", "13.2", "torch==2.16.0.dev20261115+cu132", "torchvision==0.29.2", **H100
    ),
    "a source build": collect_env(
        "2.15.0a0+git3c1f2a9", "13.2", "torch==2.15.0a0+git3c1f2a9", "torchvision==0.29.2", **H100
    ),
    "a source build of torchvision": listed("torch==2.14.0", "torchvision==0.30.0a0+1a2b3c4"),
    "macOS": collect_env("2.15.0", "None", "torch==2.15.0", "torchvision==0.29.2", "torchaudio==2.11.1", **MAC),
    "WSL": collect_env(
        "2.15.0+cu132",
        "13.2",
        "torch==2.15.0",
        "torchvision==0.29.1",
        platform="Linux-5.15.167.4-microsoft-standard-WSL2-x86_64-with-glibc2.39",
        gpus="GPU 0: NVIDIA GeForce RTX 4070",
        driver="596.49",
    ),
    "an AMD GPU": collect_env(
        "2.8.0+rocm6.4", "N/A", "torch==2.8.0+rocm6.4", rocm="6.4.43482", gpus="AMD Radeon RX 7900 XTX (gfx1100)"
    ),
    "an Instinct": collect_env(
        "2.9.1+rocm7.1", "N/A", "torch==2.9.1+rocm7.1", rocm="7.1.25424", gpus="AMD Instinct MI300X (gfx942:sramecc+)"
    ),
    "ROCm's packages, nothing else": listed("torch==2.8.0+rocm6.4", "torchvision==0.23.0+rocm6.4"),
    "an Intel GPU": collect_env("2.10.0+xpu", "None", "torch==2.10.0+xpu", available=False),
    "a CPU build on a server without a GPU": collect_env(
        "2.15.0+cpu", "None", "torch==2.15.0+cpu", "torchvision==0.29.2+cpu", available=False
    ),
    "CPU packages, nothing else": listed("torch==2.8.0+cpu", "torchvision==0.23.0+cpu", "torchaudio==2.8.0+cpu"),
    "a CPU build on a Windows laptop": collect_env(
        "2.14.0+cpu", "None", "torch==2.14.0", "torchvision==0.29.0", available=False, **WINDOWS
    ),
    "cu129 of 2.9": collect_env(
        "2.9.1+cu129", "12.9", "torch==2.9.1+cu129", "torchvision==0.24.1+cu129", gpus=H100["gpus"], driver="550.54.15"
    ),
    "cu129 of 2.10": collect_env("2.10.0+cu129", "12.9", "torch==2.10.0+cu129", **H100),
    "cu128 on aarch64": collect_env(
        "2.9.1+cu128", "12.8", "torch==2.9.1+cu128", **ARM_OS, gpus="GPU 0: NVIDIA GH200 480GB", driver="570.172.08"
    ),
    "RTX 5090 on 2.7.1": collect_env(
        "2.7.1+cu128",
        "12.8",
        "torch==2.7.1+cu128",
        "torchvision==0.22.1+cu128",
        gpus="GPU 0: NVIDIA GeForce RTX 5090",
        driver="572.83",
    ),
    "a display card beside the RTX 5090": collect_env(
        "2.8.0+cu128",
        "12.8",
        "torch==2.8.0+cu128",
        gpus="GPU 0: NVIDIA GeForce RTX 5090\nGPU 1: NVIDIA GeForce GTX 1050 Ti",
        driver="580.95.05",
    ),
    "an old card before the main one": collect_env(
        "2.11.0+cu130",
        "13.0",
        "torch==2.11.0",
        gpus="GPU 0: NVIDIA GeForce GTX 1080 Ti\nGPU 1: NVIDIA GeForce RTX 5090",
        driver="580.95.05",
    ),
    "Thor with the stock aarch64 wheel": collect_env(
        "2.11.0+cu130", "13.0", "torch==2.11.0", **ARM_OS, gpus="GPU 0: NVIDIA Thor", driver="580.00"
    ),
    "GB10": collect_env(
        "2.14.0+cu130",
        "13.0",
        "torch==2.14.0+cu130",
        "torchvision==0.29.1",
        **ARM_OS,
        gpus="GPU 0: NVIDIA GB10",
        driver="580.126.09",
    ),
    "torchaudio that serves them all": listed("torch==2.13.0+cu130", "torchvision==0.28.0+cu130", "torchaudio==2.11.1"),
    "NVIDIA's container": collect_env(
        "2.9.0a0+145a3a7bda.nv25.10",
        "13.0",
        "torch==2.9.0a0+145a3a7bda.nv25.10",
        "torchvision==0.24.0a0+094e7af5",
        **H100,
    ),
    "driver 535 and a CUDA 12 build": collect_env(
        "2.11.0+cu128", "12.8", "torch==2.11.0+cu128", gpus="GPU 0: NVIDIA A10", driver="535.129.03"
    ),
}
"""Written before the rules were changed for them."""

SMI = """+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI {driver:<22} Driver Version: {driver:<14} CUDA Version: {cuda:<9}|
|-----------------------------------------+------------------------+----------------------+
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |
|                                         |                        |               MIG M. |
|=========================================+========================+======================|
|   0  {name:<26} On |   00000000:01:00.0 Off |                  N/A |
| 30%   35C    P8             20W /  450W |       5MiB / 24564MiB  |      0%      Default |
|                                         |                        |                  N/A |
+-----------------------------------------------------------------------------------------+
"""

CONDA_LIST = """# packages in environment at /opt/conda/envs/a:
#
# Name                    Version                   Build  Channel
pytorch                   2.14.1          cuda130_mkl_py312h1234567_300    conda-forge
torchvision               0.29.2          cuda130_py312habcdef0_0    conda-forge
"""

LATE = {
    "a release candidate": listed("torch==2.16.0rc1", "torchvision==0.29.2", "torchaudio==2.11.1"),
    "a patch release that is not out yet": listed("torch==2.15.1", "torchvision==0.29.2"),
    "a torchvision nightly": listed("torch==2.15.0", "torchvision==0.30.0.dev20261120+cu132"),
    "torchaudio's nightly": listed("torch==2.14.0+cu130", "torchaudio==2.11.0.dev20260101+cu130"),
    "torchvision 0.29.0 on its patch release": listed("torch==2.14.1+cu130", "torchvision==0.29.0+cu130"),
    "torchaudio 2.11.0 on 2.15": listed("torch==2.15.0", "torchaudio==2.11.0"),
    "the trio of 2.1 on its patch release": listed("torch==2.1.2", "torchvision==0.16.0", "torchaudio==2.1.1"),
    "torch 1.10.0 with its torchvision": listed("torch==1.10.0+cu113", "torchvision==0.11.1+cu113"),
    "torch 1.8.2, the long-term release": collect_env(
        "1.8.2+cu111",
        "11.1",
        "torch==1.8.2+cu111",
        "torchvision==0.9.2+cu111",
        python="3.8.10",
        gpus="GPU 0: NVIDIA GeForce RTX 3090",
        driver="470.161.03",
    ),
    "torchtext, which has ended": listed("torch==2.3.1", "torchvision==0.18.1", "torchtext==0.18.0"),
    "xformers of a stable interface": listed("torch==2.15.0", "xformers==0.0.40"),
    "vLLM's dump": collect_env(
        "2.14.0+cu130", "13.0", "torch==2.14.0", "torchvision==0.29.0", "torchaudio==2.11.0", "vllm==0.33.0", **H100
    ),
    "conda-forge's PyTorch": CONDA_LIST,
    "an AMD GPU in a package list": frozen("torch==2.9.1+rocm7.1", "torchvision==0.24.1+rocm7.1"),
    "ROCm's nightly": collect_env(
        "2.16.0.dev20261101+rocm7.2", "N/A", "torch==2.16.0.dev20261101+rocm7.2", rocm="7.2", gpus="AMD Radeon AI PRO"
    ),
    "ROCm without a GPU in sight": collect_env("2.8.0+rocm6.4", "N/A", rocm="6.4.43482", available=False),
    "ROCm under WSL": collect_env(
        "2.6.0+rocm6.2",
        "N/A",
        rocm="6.2.41134",
        platform="Linux-5.15.167.4-microsoft-standard-WSL2-x86_64-with-glibc2.39",
        gpus="AMD Radeon RX 7900 XT (gfx1100)",
    ),
    "XPU that works": collect_env("2.14.0+xpu", "None", "torch==2.14.0+xpu", available=False, **WINDOWS),
    "an Intel Mac": collect_env(
        "2.2.2",
        "None",
        "torch==2.2.2",
        "torchvision==0.17.2",
        os="macOS 13.6 (x86_64)",
        platform="macOS-13.6-x86_64-i386-64bit",
        available=False,
    ),
    "macOS, its pip list": listed("torch==2.15.0", "torchvision==0.29.2", "mlx==0.30.0"),
    "a CPU build on a Raspberry Pi": collect_env(
        "2.10.0+cpu",
        "None",
        "torch==2.10.0+cpu",
        os="Debian GNU/Linux 13 (trixie) (aarch64)",
        platform="Linux-6.12.25-aarch64-with-glibc2.41",
        available=False,
    ),
    "a CPU nightly": listed("torch==2.16.0.dev20261120+cpu", "torchvision==0.30.0.dev20261120+cpu"),
    "two GPUs of two generations, both served": collect_env(
        "2.14.1+cu126",
        "12.6",
        gpus="GPU 0: Tesla V100-SXM2-32GB\nGPU 1: NVIDIA A100-PCIE-40GB",
        driver="550.54.15",
    ),
    "a GT 1030 for the display": collect_env(
        "2.15.0+cu132",
        "13.2",
        gpus="GPU 0: NVIDIA GeForce RTX 4090\nGPU 1: NVIDIA GeForce GT 1030",
        driver="580.95.05",
    ),
    "a Quadro for the display": collect_env(
        "2.12.0+cu130",
        "13.0",
        gpus="GPU 0: Quadro P400\nGPU 1: NVIDIA RTX PRO 6000 Blackwell Workstation Edition",
        driver="580.95.05",
    ),
    "PyTorch's warning about the card for the display": collect_env(
        "2.11.0+cu130",
        "13.0",
        gpus="GPU 0: NVIDIA GeForce RTX 5090\nGPU 1: NVIDIA GeForce GTX 1080 Ti",
        driver="580.95.05",
    )
    + """
UserWarning:
    Found GPU1 NVIDIA GeForce GTX 1080 Ti which is of cuda capability 6.1.
    Minimum and Maximum cuda capability supported by this version of PyTorch is
    (7.5) - (12.0)
""",
    "the newest driver": SMI.format(driver="620.70.06", cuda="13.5", name="NVIDIA GeForce RTX 5090")
    + listed("torch==2.15.0", "torchvision==0.29.2", "torchaudio==2.11.1"),
    "an old driver and its PyTorch": SMI.format(driver="470.161.03", cuda="11.4", name="NVIDIA GeForce RTX 3090")
    + listed("torch==2.7.1+cu118", "torchvision==0.22.1+cu118", "torchaudio==2.7.1+cu118"),
    "GH200 on cu126": collect_env(
        "2.10.0+cu126", "12.6", **ARM_OS, gpus="GPU 0: NVIDIA GH200 480GB", driver="535.216.01"
    ),
    "GB200 on the default aarch64 wheel": collect_env(
        "2.15.0+cu132",
        "13.2",
        "torch==2.15.0",
        "torchvision==0.29.2",
        "torchaudio==2.11.1",
        **ARM_OS,
        gpus="GPU 0: NVIDIA GB200",
        driver="580.95.05",
    ),
    "RTX 5090 laptop on cu129": collect_env(
        "2.13.0+cu129", "12.9", gpus="GPU 0: NVIDIA GeForce RTX 5090 Laptop GPU", driver="576.57", **WINDOWS
    ),
    "pip found nothing to do": "Requirement already satisfied: torch==2.15.0 in ./lib (2.15.0)\n"
    + listed("torch==2.15.0", "torchvision==0.29.1"),
}
"""Written after the rules were."""
