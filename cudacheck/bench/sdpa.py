"""PyTorch's scaled dot-product attention: called, held to one backend, and its words where that refuses."""

from __future__ import annotations

import contextlib
from functools import lru_cache
from typing import Iterator, Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere

BACKENDS = {
    "flash": "FLASH_ATTENTION",
    "efficient": "EFFICIENT_ATTENTION",
    "cudnn": "CUDNN_ATTENTION",
    "math": "MATH",
}
"""Our names of the SDPA backends, and those of torch.nn.attention.SDPBackend."""

HEADINGS = {
    "flash": "flash attention kernel not used because",
    "efficient": "memory efficient kernel not used because",
    "cudnn": "cudnn attention kernel not used because",
}
"""What PyTorch warns before its reasons, in lower case (sdp_utils.cpp, select_sdp_backend)."""


def sdpa(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, causal: bool) -> torch.Tensor:
    grouped = {}
    if q.shape[1] != k.shape[1]:
        if takes_grouped_queries():
            grouped = {"enable_gqa": True}
        else:
            k, v = (tensor.repeat_interleave(q.shape[1] // k.shape[1], 1) for tensor in (k, v))
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal, **grouped)


@lru_cache(maxsize=None)
def takes_grouped_queries() -> bool:
    """Since PyTorch 2.5; a function written in C has no signature to ask, but its documentation shows one."""
    return "enable_gqa" in (getattr(F, "scaled_dot_product_attention", None).__doc__ or "")


def was_refused(error: Exception) -> bool:
    """Whether SDPA raised because no backend that is switched on would serve the call."""
    words = ("No available kernel", "No viable backend")  # on the GPU, on the CPU
    return isinstance(error, RuntimeError) and str(error).startswith(words)


def reasons(backend: str, said: Sequence[str]) -> str:
    """PyTorch's sentences about one backend, out of all that it warned before it gave up.

    >>> said = [
    ...     "Flash attention kernel not used because: (Triggered internally at sdp_utils.cpp:9.)",
    ...     "Expected query to be Half. (Triggered internally at sdp_utils.cpp:7.)",
    ...     "CuDNN attention kernel not used because: (Triggered internally at sdp_utils.cpp:9.)",
    ...     "cuDNN attention has been runtime disabled. (Triggered internally at sdp_utils.cpp:7.)",
    ... ]
    >>> reasons("flash", said)
    'Expected query to be Half.'
    """
    sentences: list[str] = []
    heard = ""
    for warning in said:
        sentence = warning.partition(" (Triggered internally at")[0].strip()
        heading = next((name for name, text in HEADINGS.items() if sentence.lower().startswith(text)), None)
        if heading is not None:
            heard = heading
        elif heard == backend and sentence:
            sentences.append(sentence)
    return " ".join(sentences)


@contextlib.contextmanager
def only(backend: str) -> Iterator[None]:
    """Leave one SDPA backend switched on."""
    try:
        from torch.nn.attention import SDPBackend, sdpa_kernel
    except ImportError:  # before PyTorch 2.3
        switches = {f"enable_{name}": backend in name for name in ("flash", "math", "mem_efficient")}
        with torch.backends.cuda.sdp_kernel(**switches):
            yield
    else:
        with sdpa_kernel([getattr(SDPBackend, BACKENDS[backend])]):
            yield


@contextlib.contextmanager
def without_cudnn() -> Iterator[None]:
    """Switch off cuDNN's SDPA, where there is one, and put back what was set."""
    switch = getattr(torch.backends.cuda, "enable_cudnn_sdp", lambda _: None)
    before = getattr(torch.backends.cuda, "cudnn_sdp_enabled", lambda: False)()
    switch(False)
    try:
        yield
    finally:
        switch(before)
