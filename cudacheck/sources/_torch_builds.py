"""What a pasted PyTorch version says about its build: CUDA, CPU or ROCm; a guess is never passed off as known."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from cudacheck.probes.host.system import System
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.sources import _values

_LOCAL_CUDA = re.compile(r"\+(?:[\w.]*\.)?cu(\d{2,3})(?!\d)")
_LOCAL_HIP = re.compile(r"\+rocm(\d+(?:\.\d+)*)")
_LOCAL_NONE = re.compile(r"\+(?:cpu|xpu)\b")
_CONDA_FOLDER = re.compile(r"conda\w*/(?:envs|lib|pkgs)/|mamba\w*/|miniforge\w*/")
"""In such an environment PyTorch may be of either: of pip's index, or of a channel."""
_CONDA_CUDA = re.compile(r"cuda_?(\d{2,3}|\d{1,2}\.\d)(?![\d.])")


_TORCHS_OWN = {"collect_env", "Python's answer"}
"""Whose version is torch.__version__, which has the tag that pip leaves out of the default index's builds since 1.8."""


def stated(version: str, cuda: str | None, hip: str | None, found_in: str) -> TorchBuild:
    """The build that collect_env describes.

    It prints torch.version.cuda. Where that is None, the words are `Could not collect` or, without any GPU, `None`
    (its functions replace_nones and pretty_str); a ROCm build is `N/A`.

    >>> stated("2.6.0", "Could not collect", None, "").cuda_known, stated("2.6.0", "12.4", None, "").cuda
    (True, '12.4')
    """
    if number := _values.version(cuda or ""):
        return TorchBuild(version, cuda=number, found_in=found_in)
    local = named(version, found_in)
    if local.cuda_known:
        return local
    if hip:
        return TorchBuild(version, hip=hip, found_in=found_in)
    return TorchBuild(version, cuda_known=cuda in {"None", "Could not collect"}, found_in=found_in)


def named(version: str, found_in: str) -> TorchBuild:
    """The build that a version names in its local part, `2.8.0+cu128`.

    >>> named("2.8.0+cu128", "").cuda, named("2.5.1+rocm6.2", "").hip, named("2.8.0", "").cuda_known
    ('12.8', '6.2', False)
    """
    if match := _LOCAL_CUDA.search(version):
        return TorchBuild(version, cuda=_dotted(match.group(1)), found_in=found_in)
    if match := _LOCAL_HIP.search(version):
        return TorchBuild(version, hip=match.group(1), found_in=found_in)
    return TorchBuild(version, cuda_known=bool(_LOCAL_NONE.search(version)), found_in=found_in)


def configured(cuda: str, arch_list: tuple[str, ...], found_in: str) -> TorchBuild:
    """The build that torch.__config__.show() describes; it leaves the version out."""
    return TorchBuild("", cuda=cuda, arch_list=arch_list or None, found_in=found_in)


def of_conda(version: str, build: str, found_in: str) -> TorchBuild:
    """The build that conda's build string names.

    >>> of_conda("2.0.1", "py3.10_cuda11.7_cudnn8.5.0_0", "").cuda, of_conda("2.4.1", "cuda126_mkl_py312h0", "").cuda
    ('11.7', '12.6')
    >>> of_conda("2.4.1", "cpu_generic_py311h0", "").cuda_known
    True
    """
    if match := _CONDA_CUDA.search(build):
        cuda = match.group(1) if "." in match.group(1) else _dotted(match.group(1))
        return TorchBuild(version, cuda=cuda, conda_build=build, found_in=found_in)
    is_cpu = re.search(r"(?:^|_)cpu(?:_|$)", build) is not None
    return TorchBuild(version, cuda_known=is_cpu, conda_build=build, found_in=found_in)


def _dotted(tag: str) -> str:
    return f"{tag[:-1]}.{tag[-1]}"


def published(
    build: TorchBuild, packages: Sequence[Distribution], packages_whole: bool, system: System | None
) -> TorchBuild:
    """A build whose version says nothing of CUDA, told by its companions or by what the default index has.

    On Linux that index has one build of each release, without a tag in its version.
    """
    if build.conda_build or (system and (system.os != "linux" or system.machine not in {None, "x86_64"})):
        return build
    runtime = next((p for p in packages if re.fullmatch(r"nvidia-cuda-runtime(-cu\d+)?", p.name)), None)
    if runtime and (match := re.match(r"\d+\.\d+", runtime.version)):
        found_in = f"{build.found_in}, {runtime.name}"
        return dataclasses.replace(build, cuda=match.group(), cuda_known=True, found_in=found_in)
    conda = any(p.installer == "conda" for p in packages) or re.search(_CONDA_FOLDER, build.path or "")
    untagged = build.found_in in _TORCHS_OWN and not any(p.name == "torch" for p in packages)
    if conda or packages_whole or untagged or not re.fullmatch(r"\d+\.\d+\.\d+", build.version):
        # a whole list without NVIDIA's wheels: conda's PyTorch, or one from a place that bundles its libraries
        return build
    from cudacheck import knowledge

    tag = knowledge.default_index_tag(build.version)
    if tag is None:
        return build
    found_in = f"{build.found_in}; {tag} is the default index's build"
    return dataclasses.replace(build, cuda=knowledge.cuda_of_tag(tag), cuda_known=True, found_in=found_in)
