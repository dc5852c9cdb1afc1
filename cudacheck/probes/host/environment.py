"""The environment variables that change what CUDA and PyTorch do; no other variable is read or kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from cudacheck.model import holds
from cudacheck.model.identity import Identity
from cudacheck.probes import ByHand, Probe

ALLOWED = (
    # which GPUs, and how the driver serves them
    "CUDA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
    "CUDA_DEVICE_MAX_CONNECTIONS",
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_MODULE_LOADING",
    "CUDA_CACHE_*",
    "CUDA_DISABLE_JIT",
    "CUDA_DISABLE_PTX_JIT",
    "CUDA_FORCE_JIT",
    "CUDA_FORCE_PTX_JIT",
    "CUDA_ENABLE_COREDUMP_ON_EXCEPTION",
    "CUDA_MPS_*",
    "GPU_DEVICE_ORDINAL",
    "NVIDIA_DRIVER_CAPABILITIES",
    "NVIDIA_REQUIRE_CUDA",
    "NVIDIA_DISABLE_REQUIRE",
    "NVIDIA_TF32_OVERRIDE",
    "NVIDIA_VISIBLE_DEVICES",
    "SLURM_GPUS_ON_NODE",
    "SLURM_JOB_GPUS",
    "SLURM_JOB_ID",
    "SLURM_STEP_GPUS",
    "WSL_DISTRO_NAME",
    # which files are loaded
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "CONDA_PREFIX",
    "PYTHONHOME",
    "PYTHONNOUSERSITE",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    # what is compiled, and with what
    "CC",
    "CXX",
    "CUDACXX",
    "CUDAHOSTCXX",
    "CUDA_HOME",
    "CUDA_PATH",
    "CUDNN_HOME",
    "CUDNN_PATH",
    "FLASH_ATTENTION_*",
    "MAX_JOBS",
    "NVCC_APPEND_FLAGS",
    "NVCC_PREPEND_FLAGS",
    "NVCC_THREADS",
    "TORCH_CUDA_ARCH_LIST",
    "TRITON_LIBCUDA_PATH",
    "TRITON_PTXAS_PATH",
    # what PyTorch and the libraries under it do
    "CUBLAS_WORKSPACE_CONFIG",
    "DISABLE_ADDMM_CUDA_LT",
    "PYTORCH_ALLOC_CONF",
    "PYTORCH_CUDA_ALLOC_CONF",
    "PYTORCH_NO_CUDA_MEMORY_CACHING",
    "PYTORCH_NVML_BASED_CUDA_CHECK",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "TORCH_CUDNN_*",
    "TORCH_SYMM_MEM_DISABLE_MULTICAST",
    "TORCH_USE_CUDA_DSA",
    "TRITON_INTERPRET",
    "UV_TORCH_BACKEND",
    "NCCL_ALGO",
    "NCCL_CUMEM_ENABLE",
    "NCCL_DEBUG",
    "NCCL_IB_DISABLE",
    "NCCL_NET",
    "NCCL_NVLS_ENABLE",
    "NCCL_P2P_DISABLE",
    "NCCL_P2P_LEVEL",
    "NCCL_PROTO",
    "NCCL_SHM_DISABLE",
    "NCCL_SOCKET_IFNAME",
    "XLA_FLAGS",
    "XLA_PYTHON_CLIENT_ALLOCATOR",
    "XLA_PYTHON_CLIENT_MEM_FRACTION",
    "XLA_PYTHON_CLIENT_PREALLOCATE",
)
"""None of them holds a secret. One that ends in `*` stands for all that start so."""

PREFIXES = tuple(name[:-1] for name in ALLOWED if name.endswith("*"))

LONGEST_VALUE = 4096


@dataclass(frozen=True)
class EnvironmentVariables:
    values: dict[holds.Term, holds.FreeText]
    """Only the variables of the allow-list that are set, values as they are."""
    complete: bool = True
    """False for a paste: a variable that is not in it may be set all the same."""
    found_in: holds.FreeText = "environment"

    IDENTITY = Identity(aside=("complete",))


def collect() -> Iterator[object]:
    names = sorted(name for name in os.environ if name in ALLOWED or name.startswith(PREFIXES))
    yield EnvironmentVariables({name: os.environ[name][:LONGEST_VALUE] for name in names})


PROBE = Probe(
    collect,
    timeout_s=2.0,
    facts=(EnvironmentVariables,),
    by_hand=ByHand('env | grep -E "^(CUDA|NVIDIA|LD_)"'),
)
