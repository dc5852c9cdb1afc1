"""A limit of this process (address space, open files, threads, memory) keeps CUDA from starting, or soon will.

## What it does
Reads the limits that the shell, systemd, a batch system or the container has set: those of `ulimit`, and the memory of
the control group. It is an error where CUDA, PyTorch's import or a kernel failed in the way in which this limit makes
them fail, or a program says so itself. Without a failure it warns of limits below what PyTorch needs to work at all.

| limit | what happens |
|---|---|
| address space or data below 64 GiB (`ulimit -v`, `-d`) | cuInit: out of memory. CUDA maps the memory of processor and GPUs into one range of addresses |
| fewer than 256 open files (`ulimit -n`) | cuInit fails, "busy or unavailable", "received 0 items of ancdata" |
| processes (`ulimit -u`) | "can't start new thread" |
| locked memory (`ulimit -l`) | NCCL over InfiniBand: "ibv_reg_mr … Cannot allocate memory" |
| less than 2 GiB left in the control group | the kernel kills the program with SIGKILL |

## Why it matters
None of the errors names the limit: they speak of the GPU's memory, or of a GPU that is busy.

## What to do
Raise the limit in the shell or the job that starts the program, up to the hard limit; beyond that where it is set:
`/etc/security/limits.conf`, `LimitNOFILE=` of a systemd unit, `--ulimit` or `--memory` of `docker run`, the job's memory.

## References
- https://man7.org/linux/man-pages/man2/getrlimit.2.html
- https://docs.kernel.org/admin-guide/cgroup-v2.html
- https://github.com/Netflix/vmaf/pull/1382
- https://docs.pytorch.org/docs/stable/multiprocessing.html
- https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/troubleshooting.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from cudacheck import remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.report import Outcome, ProbeRun
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.limits import ProcessLimit
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.torch_import import TorchImport
from cudacheck.rules import _machine, _torch

GIB = 1 << 30
DIED = (Outcome.CRASHED, Outcome.FAILED)


class Kind(NamedTuple):
    resource: str
    option: str
    """Of `ulimit`; empty where it has none."""
    least: int
    """Below it PyTorch on a GPU is not expected to work."""
    wanted: int
    """What to raise it to, in the units of `ulimit`."""
    breaks: str
    """How programs say that it is reached."""
    codes: tuple[int, ...] = ()
    """What cuInit returns then."""


NO_ROOM = r"(?i)(?<!CUDA )\bout of memory\b|cannot allocate memory|bad_alloc|failed to map segment|MemoryError"
"""`CUDA out of memory` is the GPU's."""
NO_FILES = r"(?i)busy or unavailable|too many open files|OS call failed|unknown error"
NO_THREADS = r"can't start new thread|Thread creation failed|Resource temporarily unavailable"
KINDS = (
    Kind("address space", "v", 64 * GIB, 0, NO_ROOM, (2,)),
    Kind("data", "d", 64 * GIB, 0, NO_ROOM, (2,)),
    Kind("open files", "n", 256, 65536, NO_FILES, (2, 3, 46, 101, 304, 999)),
    Kind("processes", "u", 1024, 65536, NO_THREADS),
    Kind("memory", "", 2 * GIB, 0, r"SIGKILL"),
)


def check(limits: tuple[ProcessLimit, ...] | None, facts: Facts) -> Iterator[Finding]:
    # Optional: a report of an older version tells nothing of limits, and is as good as it was.
    if not _machine.wants_cuda(facts):
        return
    for kind in KINDS:
        limit = next((limit for limit in limits or () if limit.resource == kind.resource), None)
        if limit is None or _room(limit) >= kind.least:
            continue
        failure = _failure(kind, facts)
        severity = Severity.ERROR if failure else _without_failure(kind, facts)
        if severity is not None:
            seen = (Evidence(_spoken(limit), limit.found_in), *failure[:1])
            yield Finding(
                _message(limit), seen, _remedies(kind, limit, facts), severity=severity, fix_by=_fix_by(limit)
            )


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    resource = next(name for name, words in match.groupdict().items() if words).replace("_", " ")
    option = {kind.resource: kind.option for kind in KINDS}.get(resource, "l")
    title = f"see the limit with `ulimit -{option}` where the program starts, and raise it there"
    advice = Remedy(title, verify=remedies.verify(facts))
    message = f"the limit of {resource} is reached, or too low"
    yield Finding(message, (), (advice,), severity=Severity.ERROR)


def _room(limit: ProcessLimit) -> int:
    """What is left; for limits that count what the process itself uses, the limit."""
    return limit.soft - (limit.used or 0)


def _failure(kind: Kind, facts: Facts) -> list[Evidence]:
    """What failed as it does at this limit."""
    libcuda = facts.one(LibCuda)
    found = []
    if libcuda is not None and libcuda.init_code in kind.codes:
        found.append(Evidence(f"cuInit {libcuda.init_code}: {libcuda.init_error or 'no words'}", libcuda.found_in))
    said = [(_torch.failed_import(facts.one(TorchImport)), "import torch")]
    said += [(run.error or "", f"{run.kernel} on GPU {run.device_index}") for run in facts.all(KernelRun)]
    said += [(m.text, m.found_in) for m in facts.all(ErrorMessage)]
    said += [(run.detail, run.probe) for run in facts.all(ProbeRun) if run.outcome in DIED]
    found += [Evidence(_torch.one_line(words), where) for words, where in said if re.search(kind.breaks, words)]
    return found


def _without_failure(kind: Kind, facts: Facts) -> Severity | None:
    """How bad a low limit is where nothing failed by it; None where it is no finding."""
    if kind.resource == "processes":
        return None  # nobody knows how many are there already
    runs = facts.all(KernelRun)
    worked = bool(runs) and all(run.ok for run in runs)
    return Severity.NOTE if worked and kind.resource in {"address space", "data"} else Severity.WARNING


def _spoken(limit: ProcessLimit) -> str:
    what = f"{limit.resource}: {_amount(limit.resource, limit.soft)}"
    return f"{what}, {_amount(limit.resource, limit.used)} of it in use" if limit.used is not None else what


def _amount(resource: str, value: int) -> str:
    return str(value) if resource in {"open files", "processes"} else f"{value / GIB:.1f} GiB"


def _message(limit: ProcessLimit) -> str:
    size = _amount(limit.resource, limit.soft)
    if limit.resource == "memory":
        return f"the control group leaves {_amount('memory', max(_room(limit), 0))} of {size} memory to this process"
    return f"this process may have {size} of {limit.resource}: PyTorch on a GPU needs more"


def _fix_by(limit: ProcessLimit) -> FixBy | None:
    return FixBy.CONTAINER if limit.resource == "memory" else None


def _remedies(kind: Kind, limit: ProcessLimit, facts: Facts) -> tuple[Remedy, ...]:
    check = remedies.verify(facts)
    container = _machine.in_container(facts.one(System))
    if kind.resource == "memory":
        flags = "--memory of docker run, resources.limits.memory in Kubernetes, --mem in Slurm"
        return (Remedy(f"give the container or job more memory: {flags}", verify=check),)
    if limit.hard is None or limit.hard >= kind.least:
        value = "unlimited" if limit.hard is None and not kind.wanted else _raised(kind, limit)
        return (Remedy("raise the limit in this shell", (f"ulimit -S{kind.option} {value}",), verify=check),)
    where = "--ulimit of docker run" if container else "/etc/security/limits.conf, or the systemd unit or batch job"
    return (Remedy(f"raise the hard limit of {kind.resource} where it is set: {where}", verify=check),)


def _raised(kind: Kind, limit: ProcessLimit) -> int:
    """In the units of `ulimit`: kibibytes, or a count."""
    if kind.wanted:
        return min(kind.wanted, limit.hard or kind.wanted)
    return (limit.hard or 0) // 1024


H200 = Gpu(0, "NVIDIA H200")
ONE_GPU = Nvml(library_found=True, init_code=0, gpu_count=1)
RAN = KernelRun(0, "addition", ok=True)


RULE = Rule(
    severity=Severity.WARNING,
    layer=Layer.LIBCUDA,
    fix_by=FixBy.NODE,
    joins=(Family.NO_CUDA,),
    check=check,
    heard=heard,
    messages=(
        r"(?P<open_files>\[Errno 24\] Too many open files|received 0 items of ancdata)",
        r"(?P<processes>can't start new thread|libgomp: Thread creation failed)",
        r"(?P<locked_memory>ibv_(?:reg_mr|create_cq|create_qp)\w{0,20}\b[^\n]{0,80}Cannot allocate memory)",
    ),
    fires={
        "6 GB of addresses, and cuInit finds no room": (
            H200,
            ONE_GPU,
            ProcessLimit("address space", 6_000_000 << 10, 6_000_000 << 10),
            LibCuda(True, init_code=2, init_error="CUDA_ERROR_OUT_OF_MEMORY: out of memory"),
        ),
        "24 open files, and the GPU seems busy": (
            H200,
            ONE_GPU,
            ProcessLimit("open files", 24, 524288),
            KernelRun(0, "addition", ok=False, error="CUDA error: CUDA-capable device(s) is/are busy or unavailable"),
        ),
        "a probe that found no descriptor": (
            H200,
            ProcessLimit("open files", 24, 24),
            ProbeRun("distributions", "patient", Outcome.FAILED, 0.1, "OSError: [Errno 24] Too many open files: '/x'"),
        ),
        "killed for want of memory": (
            H200,
            ProcessLimit("memory", GIB, GIB, 200 << 20, "/sys/fs/cgroup/memory.max"),
            ProbeRun("torch_import", "patient", Outcome.CRASHED, 1.2, "died of SIGKILL (9)"),
        ),
        "NCCL says so": (
            ErrorMessage("NCCL WARN Call to ibv_reg_mr_iova2 failed with error Cannot allocate memory", "ticket.txt"),
        ),
        "data loaders say so": (ErrorMessage("RuntimeError: received 0 items of ancdata", "ticket.txt"),),
    },
    quiet={
        "what most systems set": (
            H200,
            ProcessLimit("open files", 1024, 524288),
            ProcessLimit("locked memory", 8 << 20, 8 << 20),
            ProcessLimit("processes", 63448, 63448),
            RAN,
        ),
        "a container with room": (
            H200,
            ProcessLimit("memory", 16 * GIB, 16 * GIB, 3 * GIB, "/sys/fs/cgroup/memory.max"),
            RAN,
        ),
        "a full GPU beside a large limit": (
            H200,
            ProcessLimit("address space", 512 * GIB, 512 * GIB),
            LibCuda(True, init_code=2, init_error="CUDA_ERROR_OUT_OF_MEMORY: out of memory"),
        ),
        "nothing here asks for a GPU": (ProcessLimit("open files", 24, 24),),
        "no limit at all": (H200, LibCuda(True, init_code=2), ProcessLimit("open files", 65536)),
    },
)
