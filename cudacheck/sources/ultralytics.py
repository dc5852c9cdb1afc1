"""Reads the banner of Ultralytics' YOLO, and that of its YOLOv5: Python, PyTorch and the GPUs chosen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.sources import _torch_builds, _values
from cudacheck.sources._source import Source

FOUND_IN = "Ultralytics"
_BANNER = re.compile(r".{0,120}\bPython-(\d\.\d{1,2}\.\d{1,2})\S{0,10} torch-(\d{1,2}\.\d{1,3}\.\d[\w.+]{0,40})\b")
"""select_device in torch_utils.py of ultralytics/ultralytics and ultralytics/yolov5."""
_GPU = re.compile(r"CUDA:(\d{1,3}) \(([^(),]{1,100}), (\d{1,7})(?:\.\d)?MiB\)")


def facts(lines: Sequence[str]) -> Iterator[object]:
    """Where it says `CPU`, that may be what the user asked for.

    >>> for fact in facts(["YOLOv5 v7.0 Python-3.9.16 torch-2.0.0+cu118 CUDA:0 (Tesla T4, 15102MiB)"]):
    ...     print(type(fact).__name__)
    Interpreter
    TorchBuild
    Gpu
    """
    inside = False
    for line in lines:
        banner = _BANNER.match(line)
        if banner:
            yield Interpreter(banner.group(1))
            yield _torch_builds.named(banner.group(2), FOUND_IN)
        gpus = _GPU.findall(line)
        inside = banner is not None or (inside and bool(gpus))
        for index, name, memory in gpus if inside else ():
            yield Gpu(int(index), name, memory_total_bytes=_values.mib(memory), found_in=FOUND_IN)


SOURCE = Source(facts=facts, trust=60)
