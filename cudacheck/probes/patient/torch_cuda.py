"""What PyTorch itself sees: whether CUDA is available, its devices, and its words where it is not."""

from __future__ import annotations

import re
import time
import warnings
from dataclasses import dataclass
from typing import Any, Iterator

from cudacheck.model import holds
from cudacheck.model.identity import Identity
from cudacheck.probes import ByHand, Probe, Skipped
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient import _torch


@dataclass(frozen=True)
class TorchCuda:
    available: bool
    device_count: int | None = None
    error: holds.FreeText | None = None
    """The exception or warning with which PyTorch explained why not."""
    cudnn_version: holds.Term | None = None
    """torch.backends.cudnn.version() written out: `9.10.2`."""
    arch_list: tuple[holds.Term, ...] | None = None
    seconds: float | None = None
    found_in: holds.FreeText = "torch.cuda"

    IDENTITY = Identity(why=(("available", "error"),))


@dataclass(frozen=True)
class TorchDevice:
    index: int
    """As PyTorch numbers them; CUDA_VISIBLE_DEVICES reorders, so match NVML's by `uuid`."""
    name: holds.Term
    uuid: holds.Uuid | None = None
    compute_capability: holds.Term | None = None
    memory_total_bytes: int | None = None
    multiprocessors: int | None = None
    l2_bytes: int | None = None
    pci_address: holds.Term | None = None

    IDENTITY = Identity(gpu=("index", "uuid"), aside=("pci_address",))


# PyTorch's C++ warnings end with the line of its source; both ways of saying it start with who speaks.
_TRIGGERED = re.compile(r"\s{0,8}\(Triggered internally at .*\)\s*$")
_SPEAKER = re.compile(r"^(?:\w*Error|CUDA initialization): ")


def collect() -> Iterator[object]:
    torch = _torch.imported_torch()
    cuda: Any = getattr(torch, "cuda", None)
    if not hasattr(cuda, "is_available"):
        raise Skipped("this torch has no torch.cuda.is_available")
    started = time.perf_counter()
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        available = bool(_try(cuda.is_available, said))
        count = _try(getattr(cuda, "device_count", None), said)
        _try(getattr(cuda, "init", None), said)
        cudnn = _try(lambda: _torch.cudnn_version(torch), said)
        architectures = _try(getattr(cuda, "get_arch_list", None), said) if available else None
        devices = list(_devices(cuda, count or 0, said)) if available else []
    # Its warnings explain; what it raises afterwards often only repeats them, or says that there is nothing.
    said = _distinct([_TRIGGERED.sub("", str(w.message)) for w in caught if _is_about_cuda(w)] + said)
    yield TorchCuda(
        available=available,
        device_count=count,
        error=said[0] if said else None,
        cudnn_version=cudnn,
        arch_list=None if architectures is None else tuple(architectures),
        seconds=round(time.perf_counter() - started, 3),
    )
    yield from devices
    for text in said:
        yield ErrorMessage(text, "torch.cuda")


def _try(function: Any, said: list[str]) -> Any:
    """What it returns; None, and its words kept, where it raises or is not there."""
    try:
        return function() if function else None
    except Exception as error:
        said.append("%s: %s" % (type(error).__name__, error))
        return None


def _distinct(said: list[str]) -> list[str]:
    """Each message once: the exception says again what the warning said."""
    kept: dict[str, str] = {}
    for text in said:
        kept.setdefault(_SPEAKER.sub("", text), text)
    return list(kept.values())


def _is_about_cuda(warning: warnings.WarningMessage) -> bool:
    """Not a FutureWarning of some package that torch happens to import here."""
    text = str(warning.message)
    return issubclass(warning.category, UserWarning) and any(w in text for w in ("CUDA", "cuda", "NVIDIA", "NVML"))


def _devices(cuda: Any, count: int, said: list[str]) -> Iterator[TorchDevice]:
    for index in range(count):
        properties = _try(lambda i=index: cuda.get_device_properties(i), said)
        if properties is not None:
            yield _device(index, properties)


def _device(index: int, properties: Any) -> TorchDevice:
    """Older PyTorch tells less: what it does not know of stays None."""

    def told(name: str) -> Any:
        return getattr(properties, name, None)

    bus = (told("pci_domain_id"), told("pci_bus_id"), told("pci_device_id"))
    major, minor = told("major"), told("minor")
    name = str(told("name"))
    return TorchDevice(
        index=index,
        name=name,
        uuid=_uuid(name, told("uuid")),
        compute_capability=None if major is None else "%s.%s" % (major, minor or 0),
        memory_total_bytes=told("total_memory"),
        multiprocessors=told("multi_processor_count"),
        l2_bytes=told("L2_cache_size"),
        pci_address=None if None in bus else "%04x:%02x:%02x.0" % bus,
    )


def _uuid(name: str, uuid: Any) -> str | None:
    """As NVML prints it: PyTorch leaves `GPU-` or `MIG-` out."""
    if uuid is None:
        return None
    text = str(uuid)
    if text.startswith(("GPU-", "MIG-")):
        return text
    return ("MIG-" if " MIG " in name else "GPU-") + text


PROBE = Probe(
    collect,
    timeout_s=30.0,
    facts=(
        TorchCuda,
        TorchDevice,
    ),
    also=(ErrorMessage,),
    after=("torch_import",),
    by_hand=ByHand('python -c "import torch; torch.cuda.init()"', on_windows=True),
)
