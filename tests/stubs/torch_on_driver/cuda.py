"""The stub's torch.cuda: libcuda's answers, in PyTorch's words (c10/cuda/CUDAFunctions.cpp, torch/cuda/__init__.py)."""

import ctypes
import os
import re
import warnings
from pathlib import Path

from torch import version

INITIALIZATION, NO_DEVICE, UNKNOWN = 3, 100, 999
BUSY = "CUDA error: CUDA-capable device(s) is/are busy or unavailable"
NO_KERNEL = "CUDA error: no kernel image is available for execution on the device"
PTX = "CUDA error: the provided PTX was compiled with an unsupported toolchain."
NOT_COMPATIBLE = """
{name} with CUDA capability sm_{number} is not compatible with the current PyTorch installation.
The current PyTorch install supports CUDA capabilities {archs}.
If you want to use the {name} GPU with PyTorch, please check the instructions at https://pytorch.org/get-started/locally/
"""
COMPUTE_MODE, MAJOR, MINOR = 20, 75, 76


def _libcuda():
    try:
        return ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None


def _asked(function, *arguments):
    """The one number that a function of libcuda fills in."""
    number = ctypes.c_int()
    getattr(_libcuda(), function)(ctypes.byref(number), *arguments)
    return number.value


def _built_for():
    major, minor = version.cuda.split(".")[:2]
    return int(major) * 1000 + int(minor) * 10


def _start():
    """How many GPUs there are, and PyTorch's words where there are none."""
    if version.cuda is None or _libcuda() is None:
        return 0, ""
    serves = _asked("cuDriverGetVersion")
    if serves // 1000 < _built_for() // 1000:
        return 0, (
            f"The NVIDIA driver on your system is too old (found version {serves}). Please update your GPU driver by "
            "downloading and installing a new version from the URL: http://www.nvidia.com/Download/index.aspx"
        )
    code = _libcuda().cuInit(0)
    if code in {0, NO_DEVICE}:
        return (0 if code else _asked("cuDeviceGetCount")), ""
    if code == INITIALIZATION:
        return 0, "CUDA driver initialization failed, you might not have a CUDA gpu."
    if code == UNKNOWN:
        return 0, (
            "CUDA unknown error - this may be due to an incorrectly set up environment, e.g. changing env variable "
            "CUDA_VISIBLE_DEVICES after program start. Setting the available devices to be zero."
        )
    words = ctypes.c_char_p()
    _libcuda().cuGetErrorString(code, ctypes.byref(words))
    said = (words.value or b"unrecognized error code").decode()
    return 0, (
        "Unexpected error from cudaGetDeviceCount(). Did you run some cuda functions before calling NumCudaDevices() "
        f"that might have already set an error? Error {code}: {said}"
    )


def device_count():
    count, words = _start()
    if words:
        warnings.warn("CUDA initialization: " + words, stacklevel=2)
    return count


def is_available():
    return device_count() > 0


def init():
    if version.hip:
        raise RuntimeError("No HIP GPUs are available")
    if version.cuda is None:
        raise AssertionError("Torch not compiled with CUDA enabled")
    count, words = _start()
    if _libcuda() is None:
        words = "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and installed a driver"
    if not count:
        raise RuntimeError(words or "No CUDA GPUs are available")
    for index in range(count):
        gpu = get_device_properties(index)
        if not _covered(gpu, "sm") and not _covered(gpu, "compute"):
            number, archs = f"{gpu.major}{gpu.minor}", " ".join(get_arch_list())
            warnings.warn(NOT_COMPATIBLE.format(name=gpu.name, number=number, archs=archs), stacklevel=2)


def get_arch_list():
    literal = (Path(__file__).parent / "lib" / "libtorch_python.so").read_bytes()
    archs = re.search(rb"sm_\d+(?: (?:sm|compute)_\d+)*", literal)
    return archs[0].decode().split() if archs else []


def _covered(gpu, kind):
    numbers = [int(arch.partition("_")[2]) for arch in get_arch_list() if arch.startswith(kind + "_")]
    own = gpu.major * 10 + gpu.minor
    return any(number <= own and (kind == "compute" or number // 10 == gpu.major) for number in numbers)


class _Properties:
    def __init__(self, index):
        name = ctypes.create_string_buffer(100)
        size = ctypes.c_size_t()
        _libcuda().cuDeviceGetName(name, 100, index)
        _libcuda().cuDeviceTotalMem_v2(ctypes.byref(size), index)
        self.name, self.total_memory = name.value.decode(), size.value
        self.major, self.minor = (_asked("cuDeviceGetAttribute", what, index) for what in (MAJOR, MINOR))
        self.uuid = f"00000000-0000-0000-0000-{index + 1:012}"  # as the fake NVML has it


def get_device_properties(index):
    return _Properties(index)


def launch(index):
    """What becomes of a kernel on this GPU: nothing, or PyTorch's error."""
    gpu = get_device_properties(index)
    if os.environ.get("STUB_KERNEL_ERROR"):
        raise RuntimeError(os.environ["STUB_KERNEL_ERROR"])
    if _asked("cuDeviceGetAttribute", COMPUTE_MODE, index) == 2:
        raise RuntimeError(BUSY)
    if _covered(gpu, "sm") and os.environ.get("CUDA_FORCE_PTX_JIT") != "1":
        return
    if _covered(gpu, "compute"):
        if _asked("cuDriverGetVersion") < _built_for():
            raise RuntimeError(PTX)
        return
    raise RuntimeError(NO_KERNEL)


class Device:
    def __init__(self, _device):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


device = Device


def synchronize(_device=None):
    pass
