"""The stub's torch.cuda: as available, and as talkative, as STUB_TORCH_CUDA says."""

import os
import warnings

from torch import version

MODE = os.environ.get("STUB_TORCH_CUDA", "unavailable")


class _Properties:
    name = os.environ.get("FAKE_NAME", "NVIDIA A10")
    major, minor = divmod(int(os.environ.get("FAKE_CC", "86")), 10)
    total_memory = int(os.environ.get("FAKE_MEM_MB", "24564")) << 20
    multi_processor_count = 72
    uuid = "00000000-0000-0000-0000-000000000001"


def is_available():
    if MODE.startswith("warns: "):
        warnings.warn(MODE[len("warns: ") :], stacklevel=2)
    return MODE == "no-kernel-image"


def device_count():
    return int(is_available())


def init():
    if version.cuda is None:
        raise AssertionError("Torch not compiled with CUDA enabled")
    if MODE.startswith("warns: "):
        raise RuntimeError(MODE[len("warns: ") :])
    if MODE == "unavailable":
        raise RuntimeError("No CUDA GPUs are available")


def get_device_properties(_device):
    return _Properties


def get_device_name(_device=0):
    return _Properties.name


def get_device_capability(_device=0):
    return _Properties.major, _Properties.minor


def synchronize(_device=None):
    pass
