"""A kernel that really runs on every visible GPU, its result compared with the CPU's."""

from __future__ import annotations

import operator
import time
from dataclasses import dataclass
from typing import Any, Callable, Iterator, NamedTuple

from cudacheck.model import holds
from cudacheck.model.identity import Identity
from cudacheck.probes import Probe, Skipped
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.loaded_libraries import LoadedLibrary, mapped_libraries


@dataclass(frozen=True)
class KernelRun:
    device_index: int
    kernel: holds.Term
    """`addition` (PyTorch's own), `float16 matmul` (cuBLAS), `convolution` (cuDNN)."""
    ok: bool
    """It ran and every element was within tolerance of the float64 result."""
    device_uuid: holds.Uuid | None = None
    max_error: float | None = None
    """Largest relative error seen; None when it did not run."""
    tolerance: float | None = None
    error: holds.FreeText | None = None
    seconds: float | None = None

    IDENTITY = Identity(
        key=("kernel",),
        gpu=("device_index", "device_uuid"),
        aside=("max_error", "tolerance"),
        why=(("ok", "error"),),
        asked=True,
    )


class Kernel(NamedTuple):
    name: str
    function: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]
    dtype: str = "float32"


def convolve(image: Any, weight: Any) -> Any:
    import torch

    return torch.nn.functional.conv2d(image, weight)


KERNELS = (
    Kernel("addition", operator.add, ((64, 64), (64, 64))),
    Kernel("float16 matmul", operator.matmul, ((256, 256), (256, 256)), "float16"),
    Kernel("convolution", convolve, ((1, 16, 32, 32), (16, 16, 3, 3))),
)


def collect() -> Iterator[object]:
    from cudacheck.probes.patient._torch import imported_torch

    torch = imported_torch()
    if not torch.cuda.is_available():
        raise Skipped("no GPU")
    for index in range(torch.cuda.device_count()):
        for kernel in KERNELS:
            yield from run(torch, index, kernel)
        if index == 0:
            yield from mapped_libraries()  # the first convolution has loaded cuDNN's own


def run(torch: Any, index: int, kernel: Kernel) -> Iterator[object]:
    from cudacheck.bench.checks import ROUNDING, compare
    from cudacheck.bench.device import uuid

    started = time.perf_counter()
    try:
        inputs = [normal(torch, seed, shape, kernel.dtype) for seed, shape in enumerate(kernel.shapes)]
        got = kernel.function(*(tensor.to("cuda:%d" % index) for tensor in inputs)).cpu()
        seconds = round(time.perf_counter() - started, 4)
        want = kernel.function(*(tensor.double() for tensor in inputs))
        # float32 convolutions run as TF32 unless told otherwise, and TF32 rounds as float16 does.
        check = compare(got, want, 4 * ROUNDING["float16"])
        yield KernelRun(
            device_index=index,
            kernel=kernel.name,
            ok=check.ok,
            device_uuid=uuid(index),
            max_error=check.error,
            tolerance=check.tolerance,
            error="the result is not finite" if check.error is None else None,
            seconds=seconds,
        )
    except AttributeError:
        raise  # a torch that lacks what every torch has: no fault of the GPU
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
        yield ErrorMessage(message, f"kernel on GPU {index}")
        yield KernelRun(index, kernel.name, ok=False, device_uuid=uuid(index), error=message)


def normal(torch: Any, seed: int, shape: tuple[int, ...], dtype: str) -> Any:
    """Made on the CPU: on the GPU each way of filling memory would be one more kernel to load."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator).to(getattr(torch, dtype))


PROBE = Probe(
    collect,
    timeout_s=60.0,
    facts=(KernelRun,),
    also=(ErrorMessage, LoadedLibrary),
    after=("torch_cuda",),
)
