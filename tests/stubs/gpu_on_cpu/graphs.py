"""CUDA graphs, streams and memory counters on the CPU: what is captured is recorded, and run again by a replay.

As on a GPU, capturing executes nothing that lasts, a replay works on the very tensors of the capture, and the host may
not wait for a value meanwhile.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable
from typing import ClassVar

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _pop_mode_temporarily


class Recorder(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.calls, self.overwritten = [], []

    @classmethod
    def _should_skip_dynamo(cls):
        return False  # importing it to say so would take seconds

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing")
        for index, argument in enumerate(func._schema.arguments):
            if argument.alias_info is not None and argument.alias_info.is_write:
                tensor = args[index] if index < len(args) else kwargs[argument.name]
                self.overwritten.append((tensor, tensor.clone()))
        result = func(*args, **kwargs)
        self.calls.append((func, args, kwargs, result))
        return result

    def undo(self):
        for tensor, before in reversed(self.overwritten):
            tensor.copy_(before)


class CUDAGraph:
    launch: ClassVar[Callable[[float], None]]
    busy_s: ClassVar[Callable[[], float]]
    """To tell how long the GPU takes, and to ask how long it has worked; set by whoever installs this."""

    def __init__(self, *_, **__):
        self.calls, self.seconds = None, 0.0

    def replay(self):
        if self.calls is None:
            raise RuntimeError("Called CUDAGraph::replay without a preceding successful capture.")
        CUDAGraph.launch(self.seconds)
        with torch._C.DisableTorchFunction():
            for func, args, kwargs, result in self.calls:
                put(func(*args, **kwargs), result)

    def reset(self):
        self.calls = None

    def pool(self):
        return 0, 0


def unrecorded():
    return _pop_mode_temporarily() if graph.capturing else contextlib.nullcontext()


def put(fresh, kept):
    if isinstance(kept, torch.Tensor):
        if fresh.untyped_storage().data_ptr() != kept.untyped_storage().data_ptr():
            kept.copy_(fresh)
    elif isinstance(kept, (tuple, list)):
        for one, other in zip(fresh, kept, strict=True):
            put(one, other)


class graph:  # noqa: N801 - its name in torch.cuda
    capturing = False

    def __init__(self, cuda_graph, *_, **__):
        self.graph, self.recorder = cuda_graph, Recorder()

    def __enter__(self):
        graph.capturing = True
        self.graph.seconds = -CUDAGraph.busy_s()
        self.recorder.__enter__()

    def __exit__(self, kind, error, trace):
        self.recorder.__exit__(kind, error, trace)
        graph.capturing = False
        with torch._C.DisableTorchFunction():
            self.recorder.undo()
        if error is None:
            self.graph.calls = self.recorder.calls
            self.graph.seconds += CUDAGraph.busy_s()


class Stream:
    """There is one: whatever comes later waits for what came before."""

    def __init__(self, *_, **__):
        self.cuda_stream = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def nothing(self, *_):
        pass

    wait_stream = wait_event = record_event = synchronize = nothing


class Memory:
    """Bytes of the tensors that functions returned and that are still held; views count once."""

    holders: ClassVar[dict[int, list[int]]] = {}
    allocated, peak = 0, 0

    @classmethod
    def hold(cls, tensor):
        storage = tensor.untyped_storage()
        key, size = storage.data_ptr(), storage.nbytes()
        if not key:
            return
        if key not in cls.holders:
            cls.holders[key] = [0, size]
            cls.allocated += size
            cls.peak = max(cls.peak, cls.allocated)
        cls.holders[key][0] += 1
        weakref.finalize(tensor, cls.let_go, key).atexit = False

    @classmethod
    def let_go(cls, key):
        holder = cls.holders[key]
        holder[0] -= 1
        if not holder[0]:
            cls.allocated -= holder[1]
            del cls.holders[key]

    @classmethod
    def reset_peak(cls, _=None):
        cls.peak = cls.allocated


CUDA = {
    "CUDAGraph": CUDAGraph,
    "graph": graph,
    "graph_pool_handle": lambda: (0, 0),
    "is_current_stream_capturing": lambda: graph.capturing,
    "Stream": Stream,
    "stream": lambda stream: stream,
    "current_stream": lambda _=None: Stream(),
    "default_stream": lambda _=None: Stream(),
    "set_device": lambda _: None,
    "memory_allocated": lambda _=None: Memory.allocated,
    "memory_reserved": lambda _=None: Memory.allocated,
    "max_memory_allocated": lambda _=None: Memory.peak,
    "max_memory_reserved": lambda _=None: Memory.peak,
    "reset_peak_memory_stats": Memory.reset_peak,
}
