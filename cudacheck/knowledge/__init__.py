"""What is published about drivers, PyTorch builds, GPUs, flash-attn and cuDNN: rows of data, each with its source.

A row that is not there means unknown: the answer is None, never a guess. A row with `verified = false` may explain,
but never convicts and is never made into a command.
"""

from cudacheck.knowledge._tables import as_version
from cudacheck.knowledge.architectures import covers, gap
from cudacheck.knowledge.cuda_drivers import (
    driver_at_least,
    driver_serves,
    first_driver,
    last_driver_branch,
    minimum_driver,
    parse_driver,
    supported_branches,
    toolkit_compiles,
    toolkit_driver,
)
from cudacheck.knowledge.cudnn import CUDNN_SUBLIBRARIES, cudnn_bundled, cudnn_major_of, cudnn_wheel_lacks
from cudacheck.knowledge.flash_attn import (
    flash_attn_built_for,
    flash_attn_import_error,
    flash_attn_supports,
    flash_attn_symbol,
    flash_attn_wheel,
    flash_attn_wheel_glibc,
)
from cudacheck.knowledge.gpus import GpuModel, capability_of, gpu, gpu_models
from cudacheck.knowledge.torch_builds import (
    Build,
    Companions,
    Release,
    archs_of,
    build_of,
    builds,
    companions,
    cuda_of_tag,
    default_index_tag,
    exists,
    pythons_of,
    release,
    release_of,
    releases,
    tag_of_cuda,
    why_not,
)

__all__ = [
    "CUDNN_SUBLIBRARIES",
    "Build",
    "Companions",
    "GpuModel",
    "Release",
    "archs_of",
    "as_version",
    "build_of",
    "builds",
    "capability_of",
    "companions",
    "covers",
    "cuda_of_tag",
    "cudnn_bundled",
    "cudnn_major_of",
    "cudnn_wheel_lacks",
    "default_index_tag",
    "driver_at_least",
    "driver_serves",
    "exists",
    "first_driver",
    "flash_attn_built_for",
    "flash_attn_import_error",
    "flash_attn_supports",
    "flash_attn_symbol",
    "flash_attn_wheel",
    "flash_attn_wheel_glibc",
    "gap",
    "gpu",
    "gpu_models",
    "last_driver_branch",
    "minimum_driver",
    "parse_driver",
    "pythons_of",
    "release",
    "release_of",
    "releases",
    "supported_branches",
    "tag_of_cuda",
    "toolkit_compiles",
    "toolkit_driver",
    "why_not",
]
