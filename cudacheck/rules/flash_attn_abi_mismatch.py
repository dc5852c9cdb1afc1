"""flash-attn was built for another PyTorch, another C++ ABI or another CUDA than the ones installed.

## What it does
Imports flash-attn, and reads which of PyTorch's symbols and which CUDA runtime its compiled file wants. The missing
symbol tells what it was built for: `SetDevice` changed its signature in 2.3 and 2.8, and the wheels of PyTorch
changed their C++ ABI in 2.7.

## Why it matters
`import flash_attn` fails, and with it transformers and every model that asks for `flash_attention_2`. It comes from
upgrading torch afterwards, from a wheel in pip's cache, or from picking the wrong file of a release page.

## What to do
Remove flash-attn and install the wheel for this PyTorch minor, CUDA major, ABI and Python. Where there is no such
wheel, use PyTorch's own attention (`attn_implementation="sdpa"`), or build it with a matching nvcc.

## References
- https://github.com/Dao-AILab/flash-attention/issues/1832
- https://github.com/Dao-AILab/flash-attention/issues/853
- https://github.com/Dao-AILab/flash-attention/issues/931
- https://github.com/Dao-AILab/flash-attention/issues/966
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import knowledge, remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.extensions import ExtensionFile
from cudacheck.probes.patient.flash_attn import FlashAttention
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _messages, _torch

SYMBOL = r"undefined symbol: (_Z\w+)"


def check(
    flash: FlashAttention | None, files: tuple[ExtensionFile, ...] | None, build: TorchBuild | None, facts: Facts
) -> Iterator[Finding]:
    error = flash.error or "" if flash and not flash.imports else ""
    cause = re.search(rf"{SYMBOL}|(libcudart\.so\.\d+)[\d.]*: cannot open shared object file", error)
    if flash and cause:
        name = f"flash-attn {flash.version or ''}".strip()
        yield _finding(name, cause[1] or cause[2], Evidence(_torch.one_line(error), flash.found_in), build, facts)
    for file in files or ():
        major = _torch.cuda_major(build)
        if not file.package.startswith("flash-attn") or (flash and flash.imports) or major is None:
            continue
        name = f"flash-attn {file.version or ''}".strip()
        if file.missing_symbol_count:
            symbol = file.missing_symbols[0] if file.missing_symbols else ""
            yield _finding(name, symbol, Evidence(f"undefined {symbol}".strip(), file.path), build, facts)
        elif file.cuda_major and file.cuda_major != major:
            library = f"libcudart.so.{file.cuda_major}"
            yield _finding(name, library, Evidence(f"needs {library}", file.path), build, facts)


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    build = facts.one(TorchBuild)
    if match[0].startswith("undefined") and not any(d.name == "flash-attn" for d in facts.all(Distribution)):
        return
    # The runtime of PyTorch's own major is merely out of sight: flash-attn fits.
    if match[1] != f"libcudart.so.{_torch.cuda_major(build)}":
        yield _finding("flash-attn", match[1], _messages.quote(match, said), build, facts)


def _finding(name: str, cause: str, evidence: Evidence, build: TorchBuild | None, facts: Facts) -> Finding:
    return Finding(
        f"{name} does not fit {_torch.spoken(build)}: {meaning(cause, build)}",
        (evidence, _torch.build_evidence(build)) if build else (evidence,),
        tuple(_remedies(facts)),
    )


def _remedies(facts: Facts) -> Iterator[Remedy]:
    fitting = remedies.flash_attn(facts)
    yield from fitting
    if any(remedy.commands for remedy in fitting):
        yield Remedy(
            "do without it: PyTorch's own attention needs no package",
            edit='AutoModelForCausalLM.from_pretrained(..., attn_implementation="sdpa")',
        )
    else:
        yield remedies.uninstall(facts, ["flash-attn"])


def meaning(cause: str, build: TorchBuild | None = None) -> str:
    """What a missing symbol or library says about the build that wants it, beside what was read of this PyTorch."""
    if cause.startswith("libcudart"):
        return f"it was built for CUDA {cause.removeprefix('libcudart.so.').partition('.')[0]}"
    wants = knowledge.flash_attn_symbol(cause)
    if "torch" in wants:
        return f"it was built for torch {_in_words(str(wants['torch']))}"
    if "cxx11_abi" not in wants:
        return "it was built for another release"
    old, new = "the old C++ ABI", "the C++11 ABI"
    wanted, other = (new, old) if wants["cxx11_abi"] else (old, new)
    installed = build.cxx11_abi if build else None
    if installed is None:
        return f"it was built for a PyTorch with {wanted}"
    if installed is wants["cxx11_abi"]:
        return f"it was built for another release of PyTorch with {wanted}, as this one has"
    return f"it was built for a PyTorch with {wanted}, and this one has {other}"


def _in_words(releases: str) -> str:
    """`<=2.2` → `2.2 or older`, `2.3-2.7` → `2.3 to 2.7`"""
    if releases[0] in "<>":
        return f"{releases[2:]} or {'older' if releases[0] == '<' else 'newer'}"
    return releases.replace("-", " to ")


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.EXTENSIONS,
    fix_by=FixBy.ENVIRONMENT,
    explained_by=(
        Family.NO_CUDA_BUILD,
        "glibc-too-old",
    ),
    check=check,
    heard=heard,
    messages=(
        rf"flash_attn\w*[\w./\\-]*\.so: {SYMBOL}",
        r"(?<!\.so: )undefined symbol: (_ZN?K?(?:3c10|2at|5torch)\w+)",
        r"\bflash_attn_\d_cuda\b[^\n:]{0,20} (undefined symbol)\b",
        r"flash_attn[\s\S]{0,400}?(libcudart\.so\.\d+(?:\.\d+)*): cannot open shared object file",
        r"(libcudart\.so\.\d+(?:\.\d+)*): cannot open shared object file[\s\S]{0,400}?flash_attn",
    ),
    fires={
        "torch 2.3 with a flash-attn built for 2.2": (
            TorchBuild("2.3.1+cu121", cuda="12.1"),
            FlashAttention(
                "2.5.9.post1",
                imports=False,
                error_type="ImportError",
                error="flash_attn_2_cuda.cpython-311-x86_64-linux-gnu.so: undefined symbol: _ZN3c104cuda9SetDeviceEi",
                missing_symbol="_ZN3c104cuda9SetDeviceEi",
            ),
        ),
        "the file, read without importing it": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            ExtensionFile(
                "flash-attn",
                "/env/flash_attn_2_cuda.so",
                "2.8.3",
                cuda_major=12,
                missing_symbols=("_ZN3c104cuda9SetDeviceEa",),
                missing_symbol_count=1,
            ),
        ),
        "built for CUDA 12, torch for CUDA 13": (
            TorchBuild("2.11.0+cu130", cuda="13.0"),
            ExtensionFile("flash-attn", "/env/flash_attn_2_cuda.so", "2.8.3", cuda_major=12),
        ),
        "only the error text": (
            ErrorMessage(
                "flash_attn_2_cuda.cpython-39-x86_64-linux-gnu.so: undefined symbol: "
                "_ZN3c105ErrorC2ENS_14SourceLocationENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE",
                "paste",
            ),
        ),
        "it wants the runtime of another CUDA": (
            TorchBuild("2.11.0+cu130", cuda="13.0"),
            FlashAttention(
                "2.8.3",
                imports=False,
                error_type="ImportError",
                error="libcudart.so.12: cannot open shared object file: No such file or directory",
            ),
        ),
        "built for the C++11 ABI, and torch has it too": (
            TorchBuild("2.11.0+cu130", cuda="13.0", cxx11_abi=True),
            ExtensionFile(
                "flash-attn",
                "/env/flash_attn_2_cuda.so",
                "2.8.3",
                cuda_major=13,
                missing_symbols=(
                    "_ZN3c105ErrorC2ENS_14SourceLocationENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE",
                ),
                missing_symbol_count=1,
            ),
        ),
        "built for the old ABI": (
            TorchBuild("2.8.0+cu128", cuda="12.8", cxx11_abi=True),
            ExtensionFile(
                "flash-attn",
                "/env/flash_attn_2_cuda.so",
                "2.7.3",
                cuda_major=12,
                missing_symbols=("_ZN3c105ErrorC2ENS_14SourceLocationESs",),
                missing_symbol_count=1,
            ),
        ),
        "a symbol without its file, and pip lists flash-attn": (
            Distribution("flash-attn", "2.8.3"),
            ErrorMessage("ImportError: undefined symbol: _ZN3c104cuda9SetDeviceEa", "paste"),
        ),
    },
    quiet={
        "it imports": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            FlashAttention("2.8.3", imports=True, ran=True, max_error=0.001),
            ExtensionFile("flash-attn", "/env/flash_attn_2_cuda.so", "2.8.3", cuda_major=12),
        ),
        "the C library is too old: glibc-too-old says so": (
            FlashAttention(
                "2.8.3", imports=False, error_type="ImportError", error="libc.so.6: version `GLIBC_2.32' not found"
            ),
        ),
        "torchvision's symbols": (
            ErrorMessage("torchvision/_C.so: undefined symbol: _ZN3c104cuda9SetDeviceEa", "paste"),
        ),
        "a symbol without its file, and no flash-attn": (
            Distribution("numpy", "2.0.0"),
            ErrorMessage("ImportError: undefined symbol: _ZN3c104cuda9SetDeviceEa", "paste"),
        ),
        "another extension's file": (
            TorchBuild("2.11.0+cu130", cuda="13.0"),
            ExtensionFile("xformers", "/env/xformers/_C.so", "0.0.30", cuda_major=12),
        ),
        "a file that does not tell its CUDA": (
            TorchBuild("2.11.0+cu130", cuda="13.0"),
            ExtensionFile("flash-attn", "/env/flash_attn_2_cuda.so", "2.8.3"),
        ),
        "a file beside a CPU build": (
            TorchBuild("2.11.0+cpu", cuda=None),
            ExtensionFile("flash-attn", "/env/flash_attn_2_cuda.so", "2.8.3", cuda_major=12),
        ),
        "it fits, whether or not anybody imported it": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            ExtensionFile("flash-attn", "/env/flash_attn_2_cuda.so", "2.8.3", cuda_major=12),
        ),
    },
)
