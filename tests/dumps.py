"""What other software prints about its environment, after its own source, and the facts that stand in it.

Keys of the expectation: torch, cuda, available, archs, gpus, driver, nvcc, os, wsl, python, packages, pci, module.
"""

from __future__ import annotations

from typing import Any

COMFYUI_REPORT = """# ComfyUI Error Report
## Error Details
- **Node ID:** 3
- **Node Type:** KSampler
- **Exception Type:** RuntimeError
## System Information
- **ComfyUI Version:** v0.3.26
- **Arguments:** ComfyUI\\main.py --windows-standalone-build
- **OS:** nt
- **Python Version:** 3.12.8 (tags/v3.12.8:2dc476b, Dec  3 2024, 19:30:04) [MSC v.1942 64 bit (AMD64)]
- **Embedded Python:** true
- **PyTorch Version:** 2.6.0+cu126
## Devices

- **Name:** cuda:0 NVIDIA GeForce RTX 5070 Ti : cudaMallocAsync
  - **Type:** cuda
  - **VRAM Total:** 17094475776
  - **VRAM Free:** 15593373696
"""

COMFYUI_LOG = """[START] Security scan
** ComfyUI startup time: 2025-03-09 18:06:51.151
** Platform: Linux
** Python version: 3.11.11 (main, Dec  4 2024, 08:55:07) [GCC 11.4.0]
** Python executable: /home/ada/ComfyUI/venv/bin/python
Checkpoint files will always be loaded safely.
Total VRAM 24210 MB, total RAM 64208 MB
pytorch version: 2.5.1+cu124
xformers version: 0.0.28.post3
Set vram state to: NORMAL_VRAM
Device: cuda:0 NVIDIA GeForce RTX 3090 : cudaMallocAsync
Device: cuda:1 NVIDIA GeForce GTX 1080 Ti : cudaMallocAsync
Using xformers attention
"""

TRANSFORMERS = """Copy-and-paste the text below in your GitHub issue and FILL OUT the two last points.

- `transformers` version: 4.51.3
- Platform: Linux-5.15.167.4-microsoft-standard-WSL2-x86_64-with-glibc2.35
- Python version: 3.10.12
- Huggingface_hub version: 0.30.2
- Safetensors version: 0.5.3
- Accelerate version: 1.6.0
- Accelerate config:    not found
- DeepSpeed version: not installed
- PyTorch version (GPU?): 2.6.0+cu124 (False)
- Tensorflow version (GPU?): not installed (NA)
- Flax version (CPU?/GPU?/TPU?): not installed (NA)
- Jax version: not installed
- Using distributed or parallel set-up in script?: <fill in>
"""

TRANSFORMERS_NEW = """- `transformers` version: 5.1.0
- Platform: Windows-11-10.0.26100-SP0
- Python version: 3.13.2
- DeepSpeed version: 0.17.1
- PyTorch version (accelerator?): 2.9.1+cu128 (CUDA)
- Using distributed or parallel set-up in script?: no
- Using GPU in script?: yes
- GPU type: NVIDIA GeForce RTX 4080 SUPER
"""

ACCELERATE = """- `Accelerate` version: 0.21.0
- Platform: Linux-5.4.0-92-generic-x86_64-with-glibc2.10
- Python version: 3.8.16
- Numpy version: 1.24.3
- PyTorch version (GPU?): 2.0.0+cu117 (True)
- PyTorch XPU available: False
- PyTorch NPU available: False
- System RAM: 125.56 GB
- GPU type: NVIDIA GeForce RTX 3090
- `Accelerate` default config:
\t- compute_environment: LOCAL_MACHINE
\t- use_cpu: False
"""

DIFFUSERS = """- 🤗 Diffusers version: 0.33.1
- Platform: Windows-10-10.0.19045-SP0
- Running on Google Colab?: No
- Python version: 3.10.11
- PyTorch version (GPU?): 2.5.1+cu121 (True)
- Flax version (CPU?/GPU?/TPU?): not installed (NA)
- Transformers version: 4.46.3
- PEFT version: 0.14.0
- Bitsandbytes version: 0.45.0
- xFormers version: 0.0.29
- Accelerator: NVIDIA GeForce RTX 3060, 12288 MiB
NVIDIA GeForce GT 1030, 2048 MiB
- Using GPU in script?: <fill in>
"""

MMENGINE = """2023/05/12 10:14:07 - mmengine - INFO -
------------------------------------------------------------
System environment:
    sys.platform: linux
    Python: 3.8.16 (default, Mar  2 2023, 03:21:46) [GCC 11.2.0]
    CUDA available: True
    numpy_random_seed: 2017543932
    GPU 0,1: NVIDIA GeForce RTX 4090
    CUDA_HOME: /usr/local/cuda
    NVCC: Cuda compilation tools, release 11.8, V11.8.89
    GCC: gcc (Ubuntu 9.4.0-1ubuntu1~20.04.1) 9.4.0
    PyTorch: 1.10.1+cu113
    PyTorch compiling details: PyTorch built with:
  - GCC 7.3
  - C++ Version: 201402
  - CPU capability usage: AVX2
  - CUDA Runtime 11.3
  - NVCC architecture flags: -gencode;arch=compute_37,code=sm_37;-gencode;arch=compute_50,code=sm_50;-gencode;arch=compute_60,code=sm_60;-gencode;arch=compute_70,code=sm_70;-gencode;arch=compute_75,code=sm_75;-gencode;arch=compute_80,code=sm_80;-gencode;arch=compute_86,code=sm_86
  - CuDNN 8.2
  - Magma 2.5.2

    TorchVision: 0.11.2+cu113
    OpenCV: 4.7.0
    MMEngine: 0.7.2
"""  # noqa: E501 - as it is printed

DETECTRON2 = """-------------------------------  ---------------------------------------------------------------
sys.platform                     linux
Python                           3.9.13 (main, Aug 25 2022, 23:26:10) [GCC 11.2.0]
numpy                            1.21.5
detectron2                       0.6 @/home/ada/detectron2/detectron2
Compiler                         GCC 9.4
CUDA compiler                    CUDA 11.6
detectron2 arch flags            8.6
DETECTRON2_ENV_MODULE            <not set>
PyTorch                          1.12.1+cu116 @/opt/conda/lib/python3.9/site-packages/torch
PyTorch debug build              False
GPU available                    True
GPU 0,1                          NVIDIA RTX A5000 (arch=8.6)
CUDA_HOME                        /usr/local/cuda
Pillow                           9.2.0
torchvision                      0.13.1+cu116 @/opt/conda/lib/python3.9/site-packages/torchvision
torchvision arch flags           3.5, 5.0, 6.0, 7.0, 7.5, 8.0, 8.6
fvcore                           0.1.5.post20220512
-------------------------------  ---------------------------------------------------------------
PyTorch built with:
  - GCC 9.3
  - CUDA Runtime 11.6
  - NVCC architecture flags: -gencode;arch=compute_37,code=sm_37;-gencode;arch=compute_86,code=sm_86
"""

SGLANG = """Python: 3.12.3 (main, Jan 17 2025, 18:03:48) [GCC 13.3.0]
CUDA available: True
GPU 0,1,2,3: NVIDIA H100 80GB HBM3
GPU 0,1,2,3 Compute Capability: 9.0
CUDA_HOME: /usr/local/cuda
NVCC: Cuda compilation tools, release 12.4, V12.4.131
CUDA Driver Version: 535.161.08
PyTorch: 2.5.1+cu124
sglang: 0.4.3.post2
sgl_kernel: 0.0.3.post6
flashinfer: 0.2.1.post2+cu124torch2.5
triton: 3.1.0
transformers: 4.48.3
numpy: 1.26.4
aiohttp: 3.11.12
NVIDIA Topology:
\tGPU0\tGPU1\tGPU2\tGPU3\tCPU Affinity
ulimit soft: 1048576
"""

ULTRALYTICS = """Ultralytics 8.3.40 🚀 Python-3.11.9 torch-2.5.1+cu124 CUDA:0 (NVIDIA GeForce RTX 4070, 12282MiB)
                                                     CUDA:1 (NVIDIA GeForce RTX 3060, 12288MiB)
Setup complete ✅ (16 CPUs, 31.9 GB RAM, 231.5/931.5 GB disk)
"""

GPUSTAT = """node17                      Tue Nov 26 14:03:11 2024  550.54.15
[0] NVIDIA A100-SXM4-80GB | 31°C,   0 % |     3 / 81920 MB |
[1] NVIDIA A100-SXM4-80GB | 64'C,  98 % | 40000 / 81920 MB | ada(39990M)
"""

LSPCI = """00:02.0 VGA compatible controller [0300]: Intel Corporation AlderLake-S GT1 [8086:4680] (rev 0c)
\tKernel driver in use: i915
01:00.0 VGA compatible controller [0300]: NVIDIA Corporation AD102 [GeForce RTX 4090] [10de:2684] (rev a1)
\tSubsystem: Gigabyte Technology Co., Ltd Device [1458:40bf]
\tKernel driver in use: nouveau
\tKernel modules: nvidiafb, nouveau
01:00.1 Audio device [0403]: NVIDIA Corporation AD102 High Definition Audio Controller [10de:22ba] (rev a1)
\tKernel driver in use: snd_hda_intel
"""

LSMOD = """Module                  Size  Used by
nvidia_uvm           4939776  0
nvidia_drm            122880  5
nvidia_modeset       1355776  8 nvidia_drm
nvidia              54288384  120 nvidia_uvm,nvidia_modeset
snd_hda_intel          61440  3
"""

SEEN: dict[str, tuple[str, dict[str, Any]]] = {
    "ComfyUI's error report": (
        COMFYUI_REPORT,
        {"torch": "2.6.0+cu126", "gpus": ["NVIDIA GeForce RTX 5070 Ti"], "os": "windows", "python": "3.12.8"},
    ),
    "transformers env": (
        TRANSFORMERS,
        {"torch": "2.6.0+cu124", "available": False, "wsl": 2, "packages": {"transformers": "4.51.3"}},
    ),
    "accelerate env": (ACCELERATE, {"torch": "2.0.0+cu117", "available": True, "gpus": ["NVIDIA GeForce RTX 3090"]}),
    "MMEngine": (
        MMENGINE,
        {
            "torch": "1.10.1+cu113",
            "available": True,
            "gpus": ["NVIDIA GeForce RTX 4090"] * 2,
            "archs": ("sm_37", "sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86"),
            "nvcc": "11.8.89",
            "python": "3.8.16",
            "packages": {"torchvision": "0.11.2+cu113"},
        },
    ),
    "sglang.check_env": (
        SGLANG,
        {
            "torch": "2.5.1+cu124",
            "gpus": ["NVIDIA H100 80GB HBM3"] * 4,
            "driver": "535.161.08",
            "packages": {"sgl-kernel": "0.0.3.post6", "triton": "3.1.0"},
        },
    ),
    "Ultralytics' banner": (
        ULTRALYTICS,
        {"torch": "2.5.1+cu124", "gpus": ["NVIDIA GeForce RTX 4070", "NVIDIA GeForce RTX 3060"], "python": "3.11.9"},
    ),
    "lspci": (LSPCI, {"pci": [("0000:01:00.0", "0x2684", "nouveau")]}),
    "lsmod": (LSMOD, {"module": (True, True)}),
    "a REPL": (
        (
            ">>> import torch\n>>> torch.__version__\n'2.3.1+cu121'\n>>> torch.version.cuda\n'12.1'\n"
            ">>> torch.cuda.is_available()\nFalse\n"
        ),
        {"torch": "2.3.1+cu121", "available": False},
    ),
    "python -c": (
        (
            '$ python -c "import torch; print(torch.__version__, torch.version.cuda, torch.cuda.is_available())"\n'
            "2.8.0 12.8 True\n"
        ),
        {"torch": "2.8.0", "cuda": "12.8", "available": True},
    ),
    "a notebook": (
        (
            "In [1]: import torch\n   ...: torch.cuda.get_device_name(0)\nOut[1]: 'Tesla T4'\n"
            "In [2]: torch.cuda.get_arch_list()\nOut[2]: ['sm_75', 'sm_80', 'sm_86', 'sm_90']\n"
        ),
        {"gpus": ["Tesla T4"]},
    ),
    "pip installed": (
        (
            "Looking in indexes: https://download.pytorch.org/whl/cu121\n"
            "Successfully installed nvidia-cudnn-cu12-8.9.2.26 torch-2.1.2+cu121 torchvision-0.16.2+cu121\n"
        ),
        {"torch": "2.1.2+cu121", "packages": {"torchvision": "0.16.2+cu121", "nvidia-cudnn-cu12": "8.9.2.26"}},
    ),
    "an install command": (
        "pip install torch==2.4.1 torchvision==0.19.1 --index-url https://download.pytorch.org/whl/cu118\n",
        {"torch": "2.4.1+cu118"},
    ),
}
"""Seen while the readers were written."""

HELD: dict[str, tuple[str, dict[str, Any]]] = {
    "ComfyUI's start": (
        COMFYUI_LOG,
        {
            "torch": "2.5.1+cu124",
            "gpus": ["NVIDIA GeForce RTX 3090", "NVIDIA GeForce GTX 1080 Ti"],
            "os": "linux",
            "python": "3.11.11",
            "packages": {"xformers": "0.0.28.post3"},
        },
    ),
    "transformers env of today": (
        TRANSFORMERS_NEW,
        {
            "torch": "2.9.1+cu128",
            "available": True,
            "gpus": ["NVIDIA GeForce RTX 4080 SUPER"],
            "os": "windows",
            "packages": {"deepspeed": "0.17.1"},
        },
    ),
    "diffusers-cli env": (
        DIFFUSERS,
        {
            "torch": "2.5.1+cu121",
            "available": True,
            "gpus": ["NVIDIA GeForce RTX 3060", "NVIDIA GeForce GT 1030"],
            "packages": {"xformers": "0.0.29", "peft": "0.14.0", "bitsandbytes": "0.45.0"},
        },
    ),
    "detectron2": (
        DETECTRON2,
        {
            "torch": "1.12.1+cu116",
            "available": True,
            "gpus": ["NVIDIA RTX A5000"] * 2,
            "archs": ("sm_37", "sm_86"),
            "os": "linux",
            "packages": {"torchvision": "0.13.1+cu116"},
        },
    ),
    "gpustat": (GPUSTAT, {"gpus": ["NVIDIA A100-SXM4-80GB"] * 2, "driver": "550.54.15"}),
    "lsmod without NVIDIA": (
        "Module                  Size  Used by\nnouveau  1200  1\next4  99  1\n",
        {"module": (False, False)},
    ),
    "a script and what it printed": (
        (
            "import torch\nprint(torch.__version__)\nprint('CUDA', torch.cuda.is_available())\n"
            "print(torch.version.cuda)\n\nOutput:\n2.14.1+cpu\nCUDA False\nNone\n"
        ),
        {"torch": "2.14.1+cpu", "cuda": None, "available": False},
    ),
    "a bare answer": ("it prints\n2.14.1+cpu False\n", {"torch": "2.14.1+cpu", "available": False}),
    "a traceback on Windows": (
        (
            'Traceback (most recent call last):\n  File "C:\\\\v\\\\site-packages\\\\torch\\\\__init__.py", line 137\n'
            "OSError: [WinError 126] The specified module could not be found\n"
        ),
        {"os": "windows"},
    ),
    "a traceback under WSL": (
        (
            '  File "/mnt/c/code/run.py", line 3, in <module>\n'
            '  File "/home/ada/.venv/lib/python3.11/site-packages/torch/cuda/__init__.py", line 319, in _lazy_init\n'
        ),
        {"wsl": 2, "python": "3.11"},
    ),
}
"""Written with the others and not run before the readers were finished."""
