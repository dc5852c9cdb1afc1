"""Reads what nvidia-smi prints: its table, `-L`, `-q`, `--version` and `--query-gpu … --format=csv`."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Sequence

from cudacheck.probes.host.nvml import Gpu, GpuProcess, Nvml
from cudacheck.sources import _values, nvidia_smi_csv, nvidia_smi_query, nvidia_smi_table
from cudacheck.sources._source import Source
from cudacheck.sources._whole import Whole

_HEADER = re.compile(
    r"NVIDIA-SMI\s+\S{1,40}\s+(?:Driver|KMD) Version:\s*(\S{1,40})(?:\s+CUDA (?:UMD )?Version:\s*(\S{1,40}))?"
)
_VERSION_LINE = re.compile(r"\s*(NVML|DRIVER|KMD|CUDA|CUDA UMD) version\s*:\s*(\S{1,40})\s*$", re.IGNORECASE)
_LISTED = re.compile(r"\s*GPU (\d{1,3}): (\S.{0,120}?) \(UUID: ([^()]{1,80})\)")
_LISTED_MIG = re.compile(r"\s*MIG \S.{0,60}?Device\s+\d+: \(UUID: ([^()]{1,120})\)")
NO_LIBRARY = 12
CODES = {
    "insufficient permissions": 4,
    "driver not loaded": 9,
    "couldn't communicate with the nvidia driver": 9,
    "couldn't find libnvidia-ml.so": NO_LIBRARY,
    "gpu access blocked by the operating system": 17,
    "driver/library version mismatch": 18,
    "unknown error": 999,
}
"""nvmlErrorString's words, and nvidia-smi's own two: NVML's codes (nvml.h)."""
_WORDS = "|".join(CODES)
_FAILED = re.compile(rf"(?i)(?:failed to initialize nvml: |NVIDIA-SMI (?:has failed because it )?)({_WORDS})")
_WITHOUT = re.compile(r"[ \t|]{0,20}(?:(No devices were found)[ \t|.]*$|Unable to determine the device handle for )")
"""NVML answered, and no GPU, or not each of them."""
MAX_FACTS = 1000
"""Of one form of output."""
_NO_MIG = re.compile(r"\bNo MIG devices found\b")


def facts(lines: Sequence[str]) -> Iterator[object]:
    """Everything that any form of nvidia-smi's output in these lines says.

    >>> for fact in facts(["| NVIDIA-SMI 610.43.02    KMD Version: 610.43.02     CUDA UMD Version: 13.3     |"]):
    ...     print(fact.driver_version, fact.cuda_version, fact.init_code)
    610.43.02 13.3 0
    """
    gpus = []
    for reader in (nvidia_smi_query.facts, nvidia_smi_table.facts, nvidia_smi_csv.facts, _listed):
        for fact in itertools.islice(reader(lines), MAX_FACTS):
            if isinstance(fact, Gpu):
                gpus.append(fact)
            else:
                yield fact
    yield from _header(lines)
    yield from _versions(lines)
    yield from _failures(lines)
    no_mig = any(_NO_MIG.search(line) for line in lines)
    for gpu in gpus:
        yield dataclasses.replace(gpu, mig_instances=()) if no_mig and gpu.mig_enabled else gpu
    if any(nvidia_smi_table.NO_PROCESSES in line for line in lines):
        yield Whole(GpuProcess)


def _header(lines: Sequence[str]) -> Iterator[Nvml]:
    for line in lines:
        if "NVIDIA-SMI" in line and (match := _HEADER.search(line)):
            driver, cuda = (_values.version(text or "") for text in match.groups())
            # it printed its table, so NVML answered
            yield Nvml(True, init_code=0, driver_version=driver, cuda_version=cuda, found_in="nvidia-smi")


def _failures(lines: Sequence[str]) -> Iterator[Nvml]:
    """What it says instead of its table, as NVML's codes."""
    for line in lines:
        if match := _FAILED.search(line):
            words = match.group(1)
            code = CODES[words.lower()]
            yield Nvml(code != NO_LIBRARY, init_code=code, init_error=words, found_in="nvidia-smi")
        elif match := _WITHOUT.match(line):
            yield Nvml(True, init_code=0, gpu_count=0 if match.group(1) else None, found_in="nvidia-smi")


def _versions(lines: Sequence[str]) -> Iterator[Nvml]:
    """`nvidia-smi --version`."""
    for number, line in enumerate(lines):
        if line.lstrip().startswith("NVIDIA-SMI version"):
            told = [m.groups() for m in map(_VERSION_LINE.match, lines[number + 1 : number + 6]) if m]
            value = {name.upper(): _values.version(text) for name, text in told}
            yield Nvml(
                True,
                init_code=0,
                driver_version=value.get("DRIVER") or value.get("KMD"),
                cuda_version=value.get("CUDA") or value.get("CUDA UMD"),
                nvml_version=value.get("NVML"),
                found_in="nvidia-smi --version",
            )


def _listed(lines: Sequence[str]) -> Iterator[object]:
    """`nvidia-smi -L`: it lists all GPUs, and a GPU's MIG devices below it."""
    gpus: list[Gpu] = []
    for line in lines:
        if "(UUID:" not in line or len(gpus) == MAX_FACTS:
            continue
        if match := _LISTED.match(line):
            index, name, uuid = match.groups()
            gpus.append(Gpu(int(index), name=name, uuid=uuid, found_in="nvidia-smi -L"))
        elif gpus and (match := _LISTED_MIG.match(line)):
            instances = (*(gpus[-1].mig_instances or ()), match.group(1))
            gpus[-1] = dataclasses.replace(gpus[-1], mig_enabled=True, mig_instances=instances)
    yield from gpus
    if gpus:
        yield Whole(Gpu)


SOURCE = Source(facts=facts, trust=100)
