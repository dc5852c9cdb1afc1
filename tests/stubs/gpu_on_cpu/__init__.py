"""A PyTorch with a GPU that is not there: the real CPU build, whose "cuda" tensors live on the CPU.

Placed as `torch` in a patient's site-packages. It imports the PyTorch of STUB_REAL_TORCH in its own stead, so every
result is really computed, but time is virtual, the host's (`time.perf_counter`) and the GPU's, which runs behind it: a
launch takes the host STUB_LAUNCH_US; a matmul takes the GPU as long as its FLOP at 80 % of STUB_PEAK_TFLOPS, a copy as
its bytes at 88 % of STUB_GB_PER_S, a spin as its cycles at STUB_CLOCK_MHZ; attention at a length that is new takes the
host STUB_PLAN_MS while cuDNN is switched on. CUDA graphs are recorded and
replayed (graphs.py). So no test waits, and none hangs on how busy the machine is. It knows the GPU of the fake driver
(FAKE_NAME, FAKE_CC) and runs only what the arch list in the patient's torch/lib covers, as a real one does.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import re
import sys
import threading
import time
import types
from pathlib import Path

HERE = Path(__file__).parent
OPTIONS = os.environ.get("CUDACHECK_BENCH", "")
EXACT = bool(json.loads(OPTIONS or "{}").get("group"))
"""For `bench steps`, whose results depend on each other, everything is computed anew each time."""


def real_torch():
    sys.path.append(os.environ["STUB_REAL_TORCH"])  # sympy, torchgen and what else it needs
    package = Path(os.environ["STUB_REAL_TORCH"]) / "torch"
    spec = importlib.util.spec_from_file_location(
        "torch", package / "__init__.py", submodule_search_locations=[str(package)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["torch"] = module
    if '"launches"' in OPTIONS or '"compile"' in OPTIONS:
        spec.loader.exec_module(module)
        return module
    # Two fifths of the import are rules for tracing, which nothing but torch.compile needs ...
    sys.modules["torch._meta_registrations"] = types.ModuleType("torch._meta_registrations")
    spec.loader.exec_module(module)
    # ... and this, without which there is no torch.Generator since 2.13.
    getattr(module._C, "_set_generator_metaclass", print)(type)
    return module


gc.disable()  # a fifth of the import, and there is nothing to collect
torch = real_torch()
gc.freeze()
gc.enable()
from torch.overrides import TorchFunctionMode  # noqa: E402

BANDWIDTH = float(os.environ.get("STUB_GB_PER_S", "1008")) * 1e9
CLOCK = float(os.environ.get("STUB_CLOCK_MHZ", "1980")) * 1e6
PEAK = float(os.environ.get("STUB_PEAK_TFLOPS", "165")) * 1e12
CAPABILITY = int(os.environ.get("FAKE_CC", "89"))
LITERAL = (HERE / "lib" / "libtorch_python.so").read_bytes().decode("latin-1")
ARCHS = [int(number) for number in re.findall(r"sm_(\d+)", LITERAL)]
RUNS = any(arch // 10 == CAPABILITY // 10 and arch <= CAPABILITY for arch in ARCHS)
VERSION = dict(re.findall(r"^(__version__|cuda) = '([^']+)'", (HERE / "version.py").read_text(), re.MULTILINE))

WRONG = os.environ.get("STUB_WRONG")
"""The function whose results are 10 % too large: `add`, `matmul`, `conv2d`."""

LAUNCH_S = float(os.environ.get("STUB_LAUNCH_US", "5")) / 1e6
PLAN_S = float(os.environ.get("STUB_PLAN_MS", "0")) / 1e3
SLOWER_IN_FLOAT32 = 8
TENSOR_CORES = "STUB_NO_TENSOR_CORES" not in os.environ
DEVICE = torch.Tensor.device.__get__
KERNEL_S = 0.4 * LAUNCH_S if EXACT else 2e-6
FREE = (8 if EXACT else 1) << 30
SPOILED = os.environ.get("STUB_RMS_NORM", "").split()
"""What becomes of F.rms_norm, one word after another, whichever process calls it: `abort`, `hang`, `raise`, or `wrong`
for the rest of a process. When the words are used up, all is well."""

host_s = gpu_s = time.perf_counter()
busy_s = 0.0
time.perf_counter = lambda: host_s


def launch(seconds, host_seconds=LAUNCH_S):
    """The GPU begins when the host has said so and what was queued before is done."""
    global host_s, gpu_s, busy_s  # noqa: PLW0603
    host_s += host_seconds
    busy_s += seconds
    gpu_s = max(gpu_s, host_s) + seconds


def wait(*_):
    global host_s  # noqa: PLW0603
    host_s = max(host_s, gpu_s)


def compute(flop):
    launch(2e-6 + flop / (0.8 * PEAK))


def on_cpu(value):
    if isinstance(value, torch.device) and value.type == "cuda":
        return torch.device("cpu")
    if isinstance(value, str) and value.startswith("cuda"):
        return "cpu"
    return value


def is_cuda(values):
    return any(on_cpu(value) is not value for value in values)


class OnCpu(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if EXACT and func.__name__ == "__get__":
            return torch.device("cuda", 0) if func == DEVICE else func(*args)
        if func is torch.mm and "out" in kwargs:
            return multiplied(*args, **kwargs)
        if func is torch.nn.functional.scaled_dot_product_attention:
            return attended(func, args, kwargs)
        if func is torch.Tensor.copy_:
            return copied(func, args, kwargs)
        if func is torch.Tensor.sum and EXACT and args[0].numel() > 1 << 16:
            launch(KERNEL_S + args[0].numel() * args[0].element_size() / (0.92 * BANDWIDTH))
            return remembered(func, args, kwargs)
        if func is torch.nn.functional.rms_norm and SPOILED:
            return spoiled(func, args, kwargs)
        if func is torch.device:
            return func(*args, **kwargs)
        if func is torch.Tensor.pin_memory:
            return args[0]
        if not RUNS and is_cuda([*args, *kwargs.values()]):
            raise RuntimeError("CUDA error: no kernel image is available for execution on the device")
        launch(KERNEL_S)
        result = func(*map(on_cpu, args), **{k: on_cpu(v) for k, v in kwargs.items()})
        if EXACT and isinstance(result, torch.Tensor):
            graphs.Memory.hold(result)
        wrong = WRONG and getattr(func, "__name__", "") == WRONG and args[0].dtype != torch.float64
        return result.mul_(1.1) if wrong else result


def multiplied(a, b, out):
    tensor_cores = TENSOR_CORES and a.dtype != torch.float32
    compute((1 if tensor_cores else SLOWER_IN_FLOAT32) * 2 * a.shape[0] * a.shape[1] * b.shape[1])
    # The same product again costs the GPU its time and the test none.
    factors = a.data_ptr(), b.data_ptr()
    if getattr(out, "product_of", None) != factors:
        with graphs.unrecorded():
            out.copy_(a.float() @ b.float())
        out.product_of = factors
    return out


def attended(func, args, kwargs):
    cuda = torch.backends.cuda
    batch, heads, queries, dim = args[0].shape
    keys = args[1].shape[2]
    if cuda.cudnn_sdp_enabled() and "TORCH_CUDNN_SDPA_DEPRIORITIZED" not in os.environ and (queries, keys) not in plans:
        plans.add((queries, keys))
        launch(0.0, PLAN_S)
    fused = cuda.flash_sdp_enabled() or cuda.mem_efficient_sdp_enabled()
    compute((1 if fused else 20) * 4 * batch * heads * queries * keys * dim)
    return func(*args, **kwargs) if EXACT else remembered(func, args, kwargs)


plans: set[tuple[int, int]] = set()


def copied(func, args, kwargs):
    destination, source = args[:2]
    launch(2 * source.numel() * source.element_size() / (0.88 * BANDWIDTH))
    if EXACT:
        return func(*args, **kwargs)
    if getattr(destination, "copied_from", None) is not source:
        func(*args, **kwargs)
        destination.copied_from = source
    return destination


def spoiled(func, args, kwargs):
    if fates[-1] != "wrong":
        fates.append(next_fate())
    if fates[-1] == "hang":
        threading.Event().wait()
    elif fates[-1] == "abort":
        os.abort()
    elif fates[-1] == "raise":
        raise RuntimeError("CUDA error: the stub was told to raise")
    result = func(*args, **kwargs)
    return result.mul_(1.1) if fates[-1] == "wrong" else result


fates: list[str | None] = [None]


def next_fate():
    with (HERE / "fates").open("a+") as taken:
        taken.write(".")
        number = taken.tell() - 1
    return SPOILED[number] if number < len(SPOILED) else None


def remembered(func, args, kwargs):
    """The same call on the same tensors again costs the GPU its time and the test none."""
    queries, *others = args
    known, options, result = getattr(queries, "attended", ((), None, None))
    if options != kwargs or len(known) != len(others) or any(a is not b for a, b in zip(known, others, strict=True)):
        result = func(*args, **kwargs)
        queries.attended = others, kwargs, result
    return result


class Event:
    def __init__(self, *_, **__):
        self.at = 0.0

    def record(self, *_):
        launch(0.5e-6, 1e-6)
        self.at = gpu_s

    def elapsed_time(self, other):
        return (other.at - self.at) * 1e3

    def synchronize(self):
        pass


class Properties:
    name = os.environ.get("FAKE_NAME", "NVIDIA GeForce RTX 4090")
    major, minor = divmod(CAPABILITY, 10)
    total_memory = int(os.environ.get("FAKE_MEM_MB", "24564")) << 20
    multi_processor_count = int(os.environ.get("FAKE_SMS", "128"))
    L2_cache_size = 1 << 20
    uuid = "00000000-0000-0000-0000-000000000001"


class Nothing:
    def __init__(self, *_, **__):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def part(name):
    """A module beside this one: the path of `torch` is the real one's."""
    spec = importlib.util.spec_from_file_location(f"gpu_on_cpu_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


graphs = part("graphs")
graphs.CUDAGraph.launch = staticmethod(launch)
graphs.CUDAGraph.busy_s = staticmethod(lambda: busy_s)


class Generator(torch.Generator):  # type: ignore[name-defined]  # torch is what real_torch() gave
    def __new__(cls, device="cpu"):
        return super().__new__(cls, on_cpu(device))


torch.Generator = Generator
torch.__version__ = VERSION["__version__"]
torch.version.cuda = VERSION["cuda"]
for name, value in {
    "is_available": lambda: True,
    "device_count": lambda: 1,
    "init": lambda: None,
    "get_device_properties": lambda _=0: Properties,
    "get_device_name": lambda _=0: Properties.name,
    "get_device_capability": lambda _=0: (Properties.major, Properties.minor),
    "get_arch_list": lambda: [f"sm_{arch}" for arch in ARCHS],
    "current_device": lambda: 0,
    "synchronize": wait,
    "empty_cache": lambda: None,
    "mem_get_info": lambda _=None: (FREE, Properties.total_memory),
    "memory_allocated": lambda _=None: 0,
    "_sleep": lambda cycles: launch(cycles / CLOCK),
    "Event": Event,
    "Stream": Nothing,
    "device": Nothing,
    **(graphs.CUDA if EXACT else {}),
}.items():
    setattr(torch.cuda, name, value)
torch.set_num_threads(1)  # many small kernels: threads would only wait for each other
OnCpu().__enter__()
