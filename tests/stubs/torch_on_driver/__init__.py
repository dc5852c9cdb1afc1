"""A PyTorch that asks the driver, as the real one does, and whose tensors are one number each.

Light, for the many patients that need get no further than a first kernel. Its CUDA starts when the libcuda.so.1 that
the loader finds does, its words where that fails are PyTorch's, and its kernels run where the arch list in torch/lib
covers the GPU. Its CUDA libraries are real shared objects: what they need is the loader's business, and its words.
"""

import ctypes
from pathlib import Path

from torch import version

__version__ = version.__version__
float16 = half = "float16"
bfloat16, float32, float64 = "bfloat16", "float32", "float64"

libraries = None
if version.cuda:
    try:
        libraries = ctypes.CDLL(str(Path(__file__).parent / "lib" / "libtorch_cuda.so"), ctypes.RTLD_GLOBAL)
    except OSError as error:
        raise ImportError(*error.args) from None

from torch import backends as backends  # noqa: E402
from torch import cuda as cuda  # noqa: E402
from torch import nn as nn  # noqa: E402


class Device:
    def __init__(self, kind, index=0):
        self.type, self.index = kind, index


device = Device


class Generator:
    def manual_seed(self, _seed):
        return self


class FInfo:
    tiny = 1e-300

    def __init__(self, _dtype):
        pass


finfo = FInfo


class Tensor:
    """One number, which stands for all elements; what is computed of it on a GPU has to be launched there."""

    def __init__(self, value, shape, place=None):
        self.value, self.shape, self.place = value, tuple(shape), place

    def _with(self, value):
        if self.place is not None:
            cuda.launch(self.place)
        return Tensor(value, self.shape, self.place)

    def __add__(self, other):
        return self._with(self.value + other.value)

    def __sub__(self, other):
        return self._with(self.value - other.value)

    def __matmul__(self, other):
        return self._with(self.value * other.value)

    def __truediv__(self, other):
        return self._with(self.value / other.value)

    def to(self, where):
        text = str(getattr(where, "type", where))
        return Tensor(self.value, self.shape, int(text.partition(":")[2] or 0)) if text.startswith("cuda") else self

    def cpu(self):
        return Tensor(self.value, self.shape)

    def double(self):
        return self

    def norm(self, dim):
        return self._with(abs(self.value))

    def clamp_min(self, least):
        return self._with(max(self.value, least))

    def max(self):
        return self

    def item(self):
        return self.value

    __float__ = item


def _filled(value, shape, where=None):
    tensor = Tensor(value, shape).to(where)
    return tensor._with(value)


def ones(*shape, device=None):
    return _filled(1.0, shape, device)


def empty(shape, device=None, dtype=None):
    return _filled(0.0, shape, device)


def randn(shape, generator=None):
    return Tensor(1.5, shape)


def _fused_sdp_choice(*_arguments, **_options):
    import os

    return int(os.environ.get("STUB_ATTENTION", "1"))
