"""A stub PyTorch for patients that never get as far as a kernel: light, and honest about what it cannot do.

STUB_TORCH_CUDA says what `torch.cuda` does: `unavailable` (the default), `no-kernel-image`, or `warns: TEXT`.
"""

import os

from torch import cuda as cuda
from torch import version

__version__ = version.__version__
float16, float32, float64, bfloat16 = "float16", "float32", "float64", "bfloat16"


def _no_kernel(*_args, **_kwargs):
    raise RuntimeError(
        os.environ.get("STUB_TORCH_ERROR", "CUDA error: no kernel image is available for execution on the device")
    )


def __getattr__(name):
    if name.startswith("__") or name not in {
        "randn",
        "ones",
        "zeros",
        "empty",
        "rand",
        "manual_seed",
        "Generator",
        "arange",
        "tensor",
        "full",
    }:
        raise AttributeError(f"module 'torch' has no attribute {name!r}")
    return _no_kernel
