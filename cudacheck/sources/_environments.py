"""Keeps apart what is of two environments: two PyTorch, drivers, GPUs. The first counts, the difference is named."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cudacheck.probes.host.nvml import Gpu, GpuProcess, Nvml
from cudacheck.probes.messages import Contradiction, ErrorMessage
from cudacheck.probes.patient.cuda_libraries import LibraryFile
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.probes.patient.torch_import import TorchImport
from cudacheck.sources import _gpu_names, installs, prose
from cudacheck.sources._whole import Whole

MOST = 20
"""Environments in one text."""
_TORCH = re.compile(
    r"(?:(?i:[\W_]{0,8}(?:py)?torch version\b[^:\n]{0,20}:)\W{0,6}|PyTorch(?:: | {2,80}))"
    r"(\d{1,2}\.\d{1,3}(?:\.\d{1,3})?)"
)
"""With this key begins what a dump says of an environment; MMEngine's and detectron2's is `PyTorch` alone."""
_BANNER = "Collecting environment information"
"""With this the dumps of PyTorch and vLLM begin."""

PATIENT = (TorchBuild, TorchCuda, TorchImport, Distribution, Interpreter, LibraryFile)
MACHINE = (Nvml, Gpu, GpuProcess)


def parts(lines: Sequence[str]) -> list[Sequence[str]]:
    """The lines of each environment of a text: a dump that names another PyTorch, or the next with a
    banner, begins another.
    """
    begins, version, dumps = [0], "", 0
    for number, line in enumerate(lines):
        match = _TORCH.match(line) if "orch" in line else None
        dumps += (banner := line.startswith(_BANNER))
        other = match and version and not _agree(version, match.group(1))
        if (other or (banner and dumps > 1)) and len(begins) < MOST:
            begins.append(number)
            version = ""
        version = match.group(1) if match else version
    ends = [*begins[1:], len(lines)]
    return [lines[begin:end] for begin, end in zip(begins, ends, strict=True)]


class Environments:
    """What counts of the environments of several texts, as they come."""

    def __init__(self) -> None:
        self.torch = self.driver = ""
        self.gpus: list[str] = []
        self.named: list[Contradiction] = []

    def counted(self, found: Sequence[object], *, same_text: bool) -> Iterator[object]:
        """The facts of one environment that do not belong to another than those before.

        What stands behind another dump in one text is of another machine, unless it names the same PyTorch; of another
        text, as of a host and its container, the machine's facts still count, and those of PyTorch where only the
        driver is another.
        """
        torch = next((b.version for b in found if isinstance(b, TorchBuild) and _is_told(b)), "")
        driver = next((n.driver_version for n in found if isinstance(n, Nvml) and n.driver_version), "")
        other_torch = self._differs("PyTorch", self.torch, torch)
        other_driver = self._differs("driver", self.driver, driver)
        out: tuple[type, ...] = (*(PATIENT if other_torch else ()), *(MACHINE if other_driver else ()))
        foreign = same_text and not (self.torch and torch and not other_torch)
        others = set() if foreign or other_driver else self._other_gpus(found)
        out += (GpuProcess,) if others else ()  # nobody knows on whose GPU
        out += PATIENT if _tells_of_pytorch(found, others) else ()
        for fact in found:
            kind = fact.fact_type if isinstance(fact, Whole) else type(fact)
            if kind not in out and (not foreign or kind is ErrorMessage) and id(fact) not in others:
                yield fact
        if foreign and not other_torch and torch:
            self.named.append(Contradiction("PyTorch", "of the first dump", torch))
        if not foreign:
            self.torch, self.driver = self.torch or torch, self.driver or driver

    def heard_of(self, found: Sequence[object]) -> None:
        """Name the GPU that somebody speaks of where software printed others only: nobody knows which is meant."""
        gpus = [fact for fact in found if isinstance(fact, Gpu) and fact.name]
        said = [gpu.name or "" for gpu in gpus if gpu.found_in == prose.FOUND_IN]
        printed = [gpu.name or "" for gpu in gpus if gpu.found_in != prose.FOUND_IN]
        if said and printed and not any(_gpu_names.may_be(one, other) for one in said for other in printed):
            self.named.append(Contradiction("GPU", printed[0], said[0]))

    def _other_gpus(self, found: Sequence[object]) -> set[int]:
        """The ids of the facts about GPUs that are not those of before; one program may see fewer than another."""
        others: set[int] = set()
        for view in _views(found):
            names = [gpu.name for gpu in view if gpu.name]
            alien = [name for name in names if not _gpu_names.known(name, self.gpus)]
            lacking = [name for name in self.gpus if not _gpu_names.known(name, names)]
            if alien and lacking:
                self.named.append(Contradiction("GPU", lacking[0], alien[0]))
                others |= {id(gpu) for gpu in view}
            else:
                self.gpus += alien
        return others

    def _differs(self, what: str, first: str, other: str) -> bool:
        if not first or not other or _agree(first, other):
            return False
        self.named.append(Contradiction(what, first, other))
        return True


def _tells_of_pytorch(found: Sequence[object], others: set[int]) -> bool:
    """Whether what told of these GPUs told of the PyTorch too: then that is the other machine's."""
    sources = {gpu.found_in for gpu in found if isinstance(gpu, Gpu) and id(gpu) in others}
    return any(isinstance(fact, TorchBuild) and fact.found_in in sources for fact in found)


def _views(found: Sequence[object]) -> Iterator[list[Gpu]]:
    """The GPUs that each program printed at a time: one that begins to count anew was started again."""
    views: dict[str, list[list[Gpu]]] = {}
    for gpu in found:
        if isinstance(gpu, Gpu) and gpu.found_in != prose.FOUND_IN:
            of_program = views.setdefault(gpu.found_in, [[]])
            if gpu.index in [other.index for other in of_program[-1]]:
                of_program.append([])
            of_program[-1].append(gpu)
    for of_program in views.values():
        yield from of_program


def _is_told(build: TorchBuild) -> bool:
    return bool(build.version) and build.found_in != installs.COMMAND


def _agree(one: str, other: str) -> bool:
    """`2.8` and `2.8.0+cu128` are one version; two builds of it are not."""
    short, long = sorted((one, other), key=len)
    return long.startswith(short) and not re.match(r"[0-9]", long[len(short) :])
