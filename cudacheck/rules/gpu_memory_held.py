"""Something else holds so much of a GPU's memory that a program may not fit.

## What it does
Compares the memory in use with what the processes hold that can be seen, and reads the figures of an "out of memory"
error: total minus free minus this process. Processes that can be seen are named where they leave less than a tenth of
the memory, as a server with vLLM's settings does; before that they are no fault, and neither is the desktop of a
workstation.

## Why it matters
Programs fail with "CUDA out of memory", or with CUBLAS_STATUS_NOT_INITIALIZED, while they themselves use little.
The holder is a process of another container or user, or one that died and was not cleaned up.

## What to do
Where the holder is named: ask its owner, or end it. Else find who has the device files open, end that process, or reset
the GPU when nobody uses it. No signal ends a zombie (state Z): end its parent. Nor what waits in the kernel (state D):
restart the machine. A process of another container is ended on the host.

## References
- https://github.com/NVIDIA/gpu-operator/issues/2880
- https://github.com/apache/mxnet/issues/17837
- https://github.com/karpathy/llama2.c/issues/279
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cudacheck import knowledge
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.host.nvml import Gpu, GpuProcess
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.rules import _machine, _memory

SHARE = 0.05
"""Of a data-centre board's memory."""
SHARE_WITH_DESKTOP = 0.5
"""Of other boards': a desktop and a browser hold memory outside the processes that NVML lists."""
LITTLE = 0.1
"""Of the memory free: vLLM takes nine tenths unless told otherwise."""
MOST_HOLDERS = 5
ZOMBIE, WAITING = "Z", "D"
"""States of a process that no signal ends."""
OUT_OF_REACH = Remedy(
    "where it cannot be ended: of a zombie (Z) end the parent, PPID; what waits in the kernel (D) is freed by a restart",
    ("ps -eo pid,ppid,stat,user,args | awk 'NR == 1 || $3 ~ /^[ZD]/'",),
)


def check(
    _one: Gpu, gpus: tuple[Gpu, ...] | None, processes: tuple[GpuProcess, ...], system: System | None
) -> Iterator[Finding]:
    # a pasted table without processes may be of a container, which never sees any
    live = [gpu for gpu in gpus or () if gpu.found_in == "NVML"]
    yield from _holders(live, processes, system)
    yield from _little_left(live, processes)


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    told = _memory.at_start(match) or _memory.figures(said.text[match.start() :])
    if told is None:
        if facts.is_complete(GpuProcess):
            yield from _holders(facts.all(Gpu), facts.all(GpuProcess), facts.one(System))
        return
    if _memory.is_held(told):
        message = f"other processes hold {_gib(told.held)} of the GPU's {_gib(told.total)}"
        yield Finding(message, (), _remedies(None))


def _holders(gpus: Sequence[Gpu], processes: tuple[GpuProcess, ...], system: System | None) -> Iterator[Finding]:
    if _machine.drivers_of(system) == ("windows",):
        return  # Windows does not tell what a process holds
    for gpu in gpus:
        listed = [process for process in processes if process.gpu_index == gpu.index]
        held, used, total = _held(gpu, listed), gpu.memory_used_bytes or 0, gpu.memory_total_bytes
        if held is None or total is None or held < _limit(gpu, total):
            continue
        seen = [Evidence(f"{_gib(used)} in use, {_gib(used - held)} of it by processes that can be seen", gpu.found_in)]
        dead = [process for process in listed if process.state == ZOMBIE]
        seen += [Evidence(_dead(process), gpu.found_in) for process in dead[:MOST_HOLDERS]]
        if pids := [str(process.pid) for process in listed if process.visible is False]:
            seen.append(Evidence(f"processes of elsewhere: {', '.join(pids[:5])}", gpu.found_in))
        message = f"something unseen holds {_gib(held)} of {_gib(total)} on {_machine.gpu_label(gpu)}"
        yield Finding(message, tuple(seen), (*_of_parents(dead), *_remedies(gpu.index)))


def _little_left(gpus: Sequence[Gpu], processes: tuple[GpuProcess, ...]) -> Iterator[Finding]:
    """Where processes that can be seen leave hardly anything: what is deployed beside them finds no room."""
    for gpu in gpus:
        used, total = gpu.memory_used_bytes, gpu.memory_total_bytes
        if used is None or not total or gpu.mig_enabled or gpu.driver_model or total - used >= LITTLE * total:
            continue
        listed = [p for p in processes if p.gpu_index == gpu.index and p.visible is not False and p.memory_bytes]
        listed.sort(key=lambda process: -(process.memory_bytes or 0))
        if not listed or sum(p.memory_bytes or 0 for p in listed) < used / 2:
            continue
        yield Finding(
            f"only {_gib(total - used)} of {_gib(total)} are free on {_machine.gpu_label(gpu)}: {_who(listed[0])}",
            tuple(Evidence(_who(process), gpu.found_in) for process in listed[:MOST_HOLDERS]),
            (
                Remedy(
                    "see what that is; end it, or wait for it, where it is not needed",
                    (f"ps -o pid,user,lstart,args -p {','.join(str(p.pid) for p in listed[:MOST_HOLDERS])}",),
                    verify="nvidia-smi",
                ),
                *([OUT_OF_REACH] if any(p.state in {ZOMBIE, WAITING} for p in listed) else []),
            ),
        )


def _dead(process: GpuProcess) -> str:
    parent = f": its parent, process {process.parent}, has not taken notice" if process.parent else ""
    return f"process {process.pid} is dead (a zombie){parent}"


def _of_parents(dead: Sequence[GpuProcess]) -> tuple[Remedy, ...]:
    """Nothing ends what is dead already; what it holds is let go when its parent takes notice, or ends."""
    parents = dict.fromkeys(str(process.parent) for process in dead[:MOST_HOLDERS] if process.parent)
    if not parents:
        return ()
    look = f"ps -o pid,user,stat,args -p {','.join(parents)}"
    return (Remedy("no signal ends a zombie: see what its parent is, and end that", (look,), verify="nvidia-smi"),)


def _who(process: GpuProcess) -> str:
    """`python (process 4321, user=ada) holds 137.2 GiB since 2026-11-29T08:12:00Z`: so redaction finds the user."""
    owner = f", user={process.user}" if process.user else ""
    since = f" since {process.started}" if process.started else ""
    return f"{process.program} (process {process.pid}{owner}) holds {_gib(process.memory_bytes or 0)}{since}"


def _held(gpu: Gpu, processes: list[GpuProcess]) -> int | None:
    """The memory in use that no visible process accounts for; None where that cannot be told."""
    visible = [process for process in processes if process.visible is not False and process.state != ZOMBIE]
    if gpu.memory_used_bytes is None or gpu.mig_enabled or gpu.driver_model:
        return None
    if any(process.memory_bytes is None for process in visible):
        return None
    return gpu.memory_used_bytes - sum(process.memory_bytes or 0 for process in visible)


def _limit(gpu: Gpu, total: int) -> float:
    model = knowledge.gpu(gpu.name or "")
    share = SHARE if model is not None and model.kind == "datacenter" else SHARE_WITH_DESKTOP
    return max(_memory.LEAST, share * total)


def _gib(size: float) -> str:
    return f"{max(size, 0) / _memory.GIB:.1f} GiB"


def _remedies(index: int | None) -> tuple[Remedy, ...]:
    which = "/dev/nvidia*" if index is None else f"/dev/nvidia{index}"
    reset = f"sudo nvidia-smi --gpu-reset -i {index}" if index is not None else ""
    find = Remedy(
        "find who has the GPU open, and end it", (f"sudo fuser -v {which}",), needs_root=True, verify="nvidia-smi"
    )
    if not reset:
        return find, OUT_OF_REACH
    return (
        find,
        OUT_OF_REACH,
        Remedy("when nobody uses it: reset the GPU", (reset,), needs_root=True, verify="nvidia-smi"),
    )


P100 = Gpu(
    0,
    "Tesla P100-SXM2-16GB",
    memory_used_bytes=12799 << 20,
    memory_total_bytes=16280 << 20,
    found_in="nvidia-smi",
)
IDLE = Gpu(1, memory_used_bytes=0, memory_total_bytes=16 * _memory.GIB, found_in="nvidia-smi")


RULE = Rule(
    severity=Severity.WARNING,
    layer=Layer.RUN_TIME,
    fix_by=FixBy.NODE,
    joins=(Family.HELD_BACK,),
    check=check,
    heard=heard,
    messages=(
        _memory.OUT_OF_MEMORY,
        r"(?i)\bout of memory\b|\bOOM\b|CU(?:BLAS|DNN)_STATUS_NOT_INITIALIZED",
    ),
    fires={
        "what vLLM says before it takes any": (
            ErrorMessage(
                "ValueError: Free memory on device cuda:0 (12.18/23.56 GiB) on startup is less than desired GPU memory "
                "utilization (0.92, 21.67 GiB).",
                "paste",
            ),
        ),
        "another container's process": (
            Gpu(0, "NVIDIA H200", memory_used_bytes=60 * _memory.GIB, memory_total_bytes=140 * _memory.GIB),
            GpuProcess(0, 4711, memory_bytes=58 * _memory.GIB, visible=False),
        ),
        "a process that is dead, and whose parent has not taken notice": (
            Gpu(0, "NVIDIA H200", memory_used_bytes=60 * _memory.GIB, memory_total_bytes=140 * _memory.GIB),
            GpuProcess(0, 4711, 58 * _memory.GIB, "python3", True, "ada", state="Z", parent=4700),
        ),
        "a server that can be seen has taken it": (
            Gpu(0, "NVIDIA H200", memory_used_bytes=138 * _memory.GIB, memory_total_bytes=140 * _memory.GIB),
            GpuProcess(0, 4321, 137 * _memory.GIB, "/usr/bin/python3", True, "ada", "2026-11-29T08:12:00Z"),
        ),
        "out of memory, and nvidia-smi lists nobody there": (
            P100,
            IDLE,
            GpuProcess(1, 4711, memory_bytes=0),
            ErrorMessage("RuntimeError: CUDA error: out of memory", "ticket.txt"),
        ),
        "a little over the least, on a board of a data centre": (
            Gpu(0, "Tesla T4", memory_used_bytes=1300 << 20, memory_total_bytes=15 * _memory.GIB),
            GpuProcess(0, 4711, memory_bytes=100 << 20, visible=True),
        ),
        "out of memory, and others hold a third": (
            ErrorMessage(
                "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of "
                "24.00 GiB of which 1.00 GiB is free. Process 12345 has 8.00 GiB memory in use. Including non-PyTorch "
                "memory, this process has 15.00 GiB memory in use.",
                "ticket.txt",
            ),
        ),
        "out of memory, and others hold most": (
            ErrorMessage(
                "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of "
                "23.65 GiB of which 17.06 MiB is free. Process 12345 has 20.00 GiB memory in use. Including non-PyTorch "
                "memory, this process has 3.50 GiB memory in use.",
                "ticket.txt",
            ),
        ),
    },
    quiet={
        "what vLLM says where hardly anything is taken": (
            ErrorMessage(
                "(23.10/23.56 GiB) on startup is less than desired GPU memory utilization (0.99, 23.4 GiB)", "paste"
            ),
        ),
        "the error, cut off before it says what this process holds": (
            ErrorMessage(
                "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.68 GiB of which "
                "0.02 GiB is free. Including non-PyTorch",
                "paste",
            ),
        ),
        "a pasted table of a container, which lists nobody": (P100, IDLE, GpuProcess(1, 4711, memory_bytes=0)),
        "a visible process holds it": (
            Gpu(0, "NVIDIA H200", memory_used_bytes=60 * _memory.GIB, memory_total_bytes=140 * _memory.GIB),
            GpuProcess(0, 4711, memory_bytes=59 * _memory.GIB, visible=True),
        ),
        "the desktop of a workstation": (
            Gpu(0, "NVIDIA GeForce RTX 4090", memory_used_bytes=3 * _memory.GIB, memory_total_bytes=24 * _memory.GIB),
            GpuProcess(0, 1200, memory_bytes=_memory.GIB // 2, name="Xorg", visible=True),
        ),
        "one's own model is too large": (
            ErrorMessage(
                "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of "
                "23.65 GiB of which 17.06 MiB is free. Including non-PyTorch memory, this process has 23.50 GiB memory in "
                "use. Of the allocated memory 22.00 GiB is allocated by PyTorch, and 1.00 GiB is reserved by PyTorch but "
                "unallocated.",
                "ticket.txt",
            ),
        ),
        "a little under the least": (
            Gpu(0, "Tesla T4", memory_used_bytes=1000 << 20, memory_total_bytes=15 * _memory.GIB),
            GpuProcess(0, 4711, memory_bytes=100 << 20, visible=True),
        ),
        "an older PyTorch, and other libraries of the process may hold a quarter": (
            ErrorMessage(
                "RuntimeError: CUDA out of memory. Tried to allocate 844.00 MiB (GPU 0; 14.76 GiB total capacity; 9.70 GiB "
                "already allocated; 498.75 MiB free; 10.15 GiB reserved in total by PyTorch)",
                "ticket.txt",
            ),
        ),
        "out of memory, and others hold a sixth": (
            ErrorMessage(
                "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of "
                "24.00 GiB of which 1.00 GiB is free. Process 12345 has 4.00 GiB memory in use. Including non-PyTorch "
                "memory, this process has 19.00 GiB memory in use.",
                "ticket.txt",
            ),
        ),
        "one's own, in an older PyTorch": (
            ErrorMessage(
                "RuntimeError: CUDA out of memory. Tried to allocate 20.00 MiB (GPU 0; 15.90 GiB total capacity; 14.50 GiB "
                "already allocated; 10.00 MiB free; 14.90 GiB reserved in total by PyTorch)",
                "ticket.txt",
            ),
        ),
        "empty": (
            Gpu(0, "NVIDIA H200", memory_used_bytes=500 << 20, memory_total_bytes=140 * _memory.GIB),
            GpuProcess(1, 1, 0),
        ),
    },
)
