"""torchvision, torchaudio, xFormers or another extension was built for another PyTorch than the one installed.

## What it does
Compares the PyTorch that each of them requires (its metadata, else the tables) with the one installed, their CUDA tags,
and the symbols that their compiled files want with those that this PyTorch exports. Only a different minor release
counts: 2.7.0 and 2.7.1 fit together, and from torchvision 0.29.1 and torchaudio 2.11 on one partner serves a range of
releases. Nightlies, source builds and what is newer than the tables are let pass.

## Why it matters
Compiled extensions use PyTorch's C++ interface, which changes with every minor release: the operators do not
register ("operator torchvision::nms does not exist"), or the import fails. It comes from upgrading torch alone, or
from different indexes.

## What to do
Install the partner of the installed PyTorch, or all of them in one command from one index.

## References
- https://github.com/pytorch/vision/issues/8985
- https://github.com/huggingface/diffusers/issues/9109
- https://github.com/facebookresearch/xformers/issues/1241
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import Specifier, SpecifierSet
from packaging.version import Version

from cudacheck import knowledge, remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.extensions import ExtensionFile
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _torch

FAMILY = ("torchvision", "torchaudio")
COMPILED = (*FAMILY, "torchtext", "xformers", "vllm")


def check(
    build: TorchBuild, dists: tuple[Distribution, ...] | None, files: tuple[ExtensionFile, ...] | None, facts: Facts
) -> Iterator[Finding]:
    compiled = [d for d in dists or () if d.name in COMPILED and not d.shadowed_by]
    unclear = {one.name for one, other in itertools.combinations(compiled, 2) if _differ(one, other)}
    for package in (d for d in compiled if d.name not in unclear):
        mismatch = _mismatch(package, build, files or (), facts)
        if mismatch:
            named = Evidence(f"{package.name} {package.version}", package.location or "installed packages")
            yield _finding(mismatch, (named, _torch.build_evidence(build)), package.name, facts)
    for file in files or ():
        if file.missing_symbol_count and not file.package.startswith("flash-attn"):
            lacks = f"{file.missing_symbol_count} symbols that it needs are not there"
            named = Evidence(f"undefined {' '.join(file.missing_symbols[:1])}".strip(), file.path)
            message = f"{file.package} was built for another PyTorch than {_torch.spoken(build)}: {lacks}"
            yield _finding(message, (named, _torch.build_evidence(build)), file.package, facts)


def _differ(one: Distribution, other: Distribution) -> bool:
    """Whether they are two versions of one package, of lists of two environments: nobody knows which is beside torch."""
    unplaced = one.location is None and other.location is None
    return one.name == other.name and unplaced and _public(one) != _public(other)


def _public(package: Distribution) -> str:
    return package.version.partition("+")[0]


def _mismatch(package: Distribution, build: TorchBuild, files: Sequence[ExtensionFile], facts: Facts) -> str:
    """Why the two do not fit, in words; empty where they do."""
    name, installed = f"{package.name} {package.version}", _torch.spoken(build)
    wanted = _wanted(package, build)
    if wanted and not _loads(package.name, files):
        return f"{name} belongs to torch {_spoken(wanted)}, but {installed} is installed"
    if _other_cuda(package, build) or _of_pypi(package, build, facts):
        return f"{name} and {installed} are not built for the same CUDA"
    return ""


def _of_pypi(package: Distribution, build: TorchBuild, facts: Facts) -> bool:
    """Whether it is PyPI's build, which on Windows is for the CPU, beside a PyTorch of the CUDA index."""
    system, tagged = facts.one(System), {d.name for d in facts.all(Distribution) if "+cu" in d.version}
    if system is None or system.os != "windows" or build.cuda is None or "torch" not in tagged:
        return False
    # one that another list shows with its CUDA was only cut short
    bare = package.name == "torchvision" and package.name not in tagged and package.installer != "conda"
    return bare and re.fullmatch(r"\d+\.\d+\.\d+", package.version) is not None and not package.build


def _spoken(specifier: str) -> str:
    """`==2.8.*` → `2.8`"""
    exact = re.fullmatch(r"==([\w.]+?)(?:\.\*)?", specifier)
    return exact[1] if exact else specifier


def _wanted(package: Distribution, build: TorchBuild) -> str | None:
    """The torch that it needs, where that is surely another: of its own metadata, else of the tables.

    Of nightlies, source builds, and what is newer than the tables, nobody can tell.
    """
    ours = _torch.parsed(knowledge.release_of(build.version))
    if ours is None:
        return None
    for requirement in _requirements(package):
        specifiers = [SpecifierSet(_minor_alone(each)) for each in requirement.specifier]
        return None if all(ours in each for each in specifiers) else str(requirement.specifier)
    if package.name in FAMILY and knowledge.fits(package.name, package.version, build.version) is False:
        return knowledge.torch_of(package.name, package.version)
    return None


def _requirements(package: Distribution) -> Iterator[Requirement]:
    """What its metadata asks of torch."""
    for line in package.requires:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if requirement.name == "torch" and "extra" not in str(requirement.marker or ""):
            yield requirement


def _minor_alone(specifier: Specifier) -> str:
    """`==2.7.0` → `==2.7.*`: patch releases of one minor fit together."""
    exact = _torch.minor(specifier.version) if specifier.operator == "==" else None
    pinned = exact and not specifier.version.endswith("*")
    return f"=={exact}.*" if pinned else str(specifier)


def _loads(name: str, files: Sequence[ExtensionFile]) -> bool:
    """Whether its compiled files were read and lack nothing: then it works, whatever its metadata says."""
    own = [file for file in files if file.package == name]
    return bool(own) and not any(file.missing_symbol_count for file in own)


def _other_cuda(package: Distribution, build: TorchBuild) -> bool:
    """Both partners refuse to work with another CUDA major; a CPU torchvision lacks the GPU's operators."""
    tag = (_torch.parsed(package.version) or Version("0")).local or package.build or ""
    major = _torch.cuda_major(build)
    if package.name not in FAMILY or major is None:
        return False
    if tag == "cpu":
        return package.name == "torchvision"
    return re.fullmatch(r"cu\d{3}", tag) is not None and int(tag[2:4]) != major


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    row = knowledge.message_of(match)
    package = row.program.lower() if row else match[1]
    if package.startswith(("flash_attn", "libtorch", "libc10")):
        return
    if package == "undefined symbol":  # nothing says whose; flash-attn's own rule takes it where that is installed
        if any(d.name == "flash-attn" for d in facts.all(Distribution)) or _is_of_another(facts):
            return
        package = "an extension"
    if package.startswith("_"):  # a module's own name, which no package has
        package = "an extension"
    message = f"{package} does not fit the installed {_torch.spoken(facts.one(TorchBuild))}"
    if package == "xFormers":
        message = f"xFormers was built for torch {match[2]}, but torch {match[3]} is installed"
    yield _finding(message, (), package.lower(), facts)


def _is_of_another(facts: Facts) -> bool:
    """Whether a library is named in another place that lacks a symbol too: the same fault."""
    return any(re.search(r"\.(?:so|pyd): undefined symbol: ", said.text) for said in facts.all(ErrorMessage))


def _finding(message: str, evidence: tuple[Evidence, ...], package: str, facts: Facts) -> Finding:
    return Finding(message, evidence, tuple(_remedies(package, facts)))


def _remedies(package: str, facts: Facts) -> Iterator[Remedy]:
    build = facts.one(TorchBuild)
    release = _torch.release(build.version) if build else None
    partner = getattr(knowledge.companions(release), package, None) if release else None
    tag = knowledge.tag_of_cuda(build.cuda) if build and build.cuda else ""
    if release and partner and knowledge.exists(release, tag):
        row = knowledge.build_of(release, tag)
        title = f"install the {package} that belongs to torch {release}"
        index_tag = tag if row is None or row.index else None
        yield remedies.install(facts, [f"{package}=={partner}"], title=title, index_tag=index_tag, uninstall=[package])
    else:
        yield Remedy(f"install {package} and torch again in one command, in releases that were built for each other")


TORCH_26 = TorchBuild("2.6.0+cu124", cuda="12.4")


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.EXTENSIONS,
    fix_by=FixBy.ENVIRONMENT,
    explained_by=(Family.NO_CUDA_BUILD,),
    check=check,
    heard=heard,
    messages=(
        r"operator (torchvision)::\w+ does not exist",
        r"No such operator (torchvision)::\w+",
        r"Could not run '(torchvision)::\w+' with arguments from the 'CUDA' backend",
        r"Couldn't load custom C\+\+ ops[^\n]*PyTorch and (torchvision) versions are incompatible",
        r"partially initialized module '(torchvision)' has no attribute 'extension'",
        r"PyTorch and (torchvision|torchaudio|TorchAudio) were compiled with different CUDA",
        r"(torchaudio|torchvision|torchtext)[\w./\\-]*\.(?:so|pyd): undefined symbol: \w+",
        r"Could not load this library: [^\n]*(torchaudio|torchtext)",
        r"(xFormers) was\s+built\s+for:[\s`]+PyTorch (\S+)[^\n]*\(you have ([^)\s]+)\)",
        r"(?<![\w.-])(?!lib(?:64)?[/\\])([A-Za-z_]\w*)(?:[/\\]_\w+)?(?:\.[\w-]+)*\.so: undefined symbol: _ZN?K?(?:3c10|2at|5torch)",
        r"(?<!\.so: )(undefined symbol): _ZN?K?(?:3c10|2at|5torch)",
    ),
    fires={
        "DeepSpeed's kernels": (
            ErrorMessage(
                "PyTorch version mismatch! DeepSpeed ops were compiled and installed with a different version than what is "
                "being used at runtime. Please re-install DeepSpeed or switch torch versions.",
                "paste",
            ),
        ),
        "torch was upgraded alone": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            Distribution("torchvision", "0.21.0", requires=("torch==2.6.0",)),
        ),
        "a torch older than the range": (
            TorchBuild("2.13.0+cu130", cuda="13.0"),
            Distribution("torchvision", "0.29.2"),
        ),
        "CPU torchvision beside a CUDA torch": (
            TORCH_26,
            Distribution("torchvision", "0.21.0+cpu", requires=("torch==2.6.0",)),
        ),
        "PyPI's torchvision, on Windows for the CPU, beside a PyTorch of the CUDA index": (
            System(os="windows"),
            TORCH_26,
            Distribution("torch", "2.6.0+cu124", build="cu124"),
            Distribution("torchvision", "0.21.0"),
        ),
        "a file that wants symbols of another PyTorch": (
            TORCH_26,
            ExtensionFile(
                "torchaudio",
                "/env/torchaudio/lib/libtorchaudio.so",
                missing_symbols=("_ZN2at4_ops5xxxxxE",),
                missing_symbol_count=3,
            ),
        ),
        "the operator that did not register": (
            ErrorMessage("RuntimeError: operator torchvision::nms does not exist", "paste"),
        ),
        "xFormers tells": (
            ErrorMessage(
                "xFormers can't load C++/CUDA extensions. xFormers was built for:\n"
                "    PyTorch 2.10.0+cu128 with CUDA 1208 (you have 2.11.0+cu130)",
                "paste",
            ),
        ),
        "xFormers tells, each line quoted as code": (
            ErrorMessage(
                "`xFormers can't load C++/CUDA extensions. xFormers was built for:\n`\n"
                "`PyTorch 2.0.0+cu118 with CUDA 1108 (you have 1.13.1+cu117)`",
                "paste",
            ),
        ),
        "a module whose name begins with an underscore": (
            ErrorMessage(
                "ImportError: /usr/lib/_torch_sox.cpython-35m-x86_64-linux-gnu.so: undefined symbol: "
                "_ZN2at19UndefinedTensorImpl10_singletonE",
                "paste",
            ),
        ),
        "PyTorch 1.x says so": (ErrorMessage("RuntimeError: No such operator torchvision::nms", "paste"),),
        "a CPU torchaudio for another torch": (
            TORCH_26,
            Distribution("torchaudio", "2.8.0+cpu", requires=("torch==2.8.0",)),
        ),
        "torchvision for another CUDA major": (
            TorchBuild("2.9.1+cu130", cuda="13.0"),
            Distribution("torchvision", "0.24.1+cu128", requires=("torch==2.9.1",)),
        ),
        "a requirement of all of a minor": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            Distribution("xformers", "0.0.30", requires=("torch==2.7.*", "numpy>=1")),
        ),
        "the loader names no file, and no flash-attn is listed": (
            Distribution("numpy", "2.0.0"),
            ErrorMessage("ImportError: undefined symbol: _ZN3c104cuda9SetDeviceEa", "paste"),
        ),
        "torch's own operator is gone": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            ErrorMessage("RuntimeError: operator torchvision::nms does not exist", "paste"),
        ),
        "of a release that no table knows": (
            TorchBuild("2.99.0+cu128", cuda="12.8"),
            ErrorMessage("RuntimeError: operator torchvision::nms does not exist", "paste"),
        ),
    },
    quiet={
        "two lists, of which one is another environment's": (
            TORCH_26,
            Distribution("torchvision", "0.21.0+cu124"),
            Distribution("torchvision", "0.9.1+cu111"),
        ),
        "a matching trio": (
            TORCH_26,
            Distribution("torchvision", "0.21.0+cu124", requires=("torch==2.6.0",)),
            Distribution("torchaudio", "2.6.0+cu124", requires=("torch==2.6.0",)),
        ),
        "PyPI's torchvision is built for CUDA on Linux": (
            System(os="linux"),
            TORCH_26,
            Distribution("torch", "2.6.0+cu124", build="cu124"),
            Distribution("torchvision", "0.21.0"),
        ),
        "another list shows the same torchvision with its CUDA": (
            System(os="windows"),
            TORCH_26,
            Distribution("torch", "2.6.0+cu124", build="cu124"),
            Distribution("torchvision", "0.21.0"),
            Distribution("torchvision", "0.21.0+cu124", build="cu124"),
        ),
        "conda leaves the CUDA out of versions on Windows too": (
            System(os="windows"),
            TORCH_26,
            Distribution("torch", "2.6.0+cu124", build="cu124"),
            Distribution("torchvision", "0.21.0", installer="conda", build="py311_cu124"),
        ),
        "only the patch release differs": (
            TorchBuild("2.7.1+cu126", cuda="12.6"),
            Distribution("torchvision", "0.22.0", requires=("torch==2.7.0",)),
        ),
        "nightlies of different days": (
            TorchBuild("2.9.0.dev20250803+cu128", cuda="12.8"),
            Distribution("torchvision", "0.24.0.dev20250801+cu128", requires=("torch==2.9.0.dev20250801",)),
        ),
        "torchvision 0.29.2 serves 2.14 and all that comes": (
            TorchBuild("2.15.0+cu132", cuda="13.2"),
            Distribution("torchvision", "0.29.2"),
        ),
        "a torchvision that no table knows": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            Distribution("torchvision", "0.99.0"),
        ),
        "a source build": (TorchBuild("2.9.0a0+git3c1f2a9", cuda="12.8"), Distribution("torchvision", "0.23.0")),
        "torchaudio 2.11 is tied to no torch": (
            TorchBuild("2.14.0+cu130", cuda="13.0"),
            Distribution("torchaudio", "2.11.0"),
        ),
        "it requires another torch, but all its symbols are there": (
            TorchBuild("2.9.1+cu128", cuda="12.8"),
            Distribution("torchvision", "0.23.0", requires=("torch==2.8.0",)),
            ExtensionFile("torchvision", "/env/torchvision/_C.so", cuda_major=12),
        ),
        "a CPU torchaudio beside a CUDA torch": (
            TORCH_26,
            Distribution("torchaudio", "2.6.0+cpu", requires=("torch==2.6.0",)),
        ),
        "a CPU torchvision beside a CPU torch": (
            TorchBuild("2.6.0+cpu"),
            Distribution("torchvision", "0.21.0+cpu", requires=("torch==2.6.0",)),
        ),
        "another package for another CUDA": (
            TORCH_26,
            Distribution("xformers", "0.0.29+cu118", requires=("torch==2.6.0",)),
        ),
        "a torchvision that another one hides": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            Distribution("torchvision", "0.21.0", requires=("torch==2.6.0",), shadowed_by="/other"),
        ),
        "a package that is not compiled": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            Distribution("lightning", "2.0", requires=("torch==2.6.0",)),
        ),
        "another torch only for an extra": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            Distribution(
                "torchvision", "0.23.0", requires=("torch==2.6.0; extra == 'old'", "numpy==1.0", "torch==2.8.0")
            ),
        ),
        "it requires all of this minor": (
            TorchBuild("2.8.1+cu128", cuda="12.8"),
            Distribution("torchvision", "0.23.0", requires=("torch==2.8.*",)),
        ),
        "it requires this one or newer": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            Distribution("torchvision", "0.23.0", requires=("torch>=2.8.0",)),
        ),
        "a symbol of flash-attn": (
            Distribution("flash-attn", "2.8.3"),
            ErrorMessage("ImportError: undefined symbol: _ZN3c104cuda9SetDeviceEa", "paste"),
        ),
        "a tag that is none": (TORCH_26, Distribution("torchvision", "0.21.0+local", requires=("torch==2.6.0",))),
    },
)
