"""`import torch` takes something else than the PyTorch of the inspected environment.

## What it does
Reports a file or folder called `torch` that Python finds first and that is no PyTorch; a PyTorch of PYTHONPATH or of
the user's site-packages that hides the environment's own; and files of one release under the metadata of another.

## Why it matters
pip shows one version and the program runs another, so every upgrade is without effect and torchvision never fits; or
`torch` has no attributes at all.

## What to do
Rename your own file. Otherwise start Python without PYTHONPATH or with PYTHONNOUSERSITE=1, or remove the PyTorch that
is not wanted.

## References
- https://github.com/pytorch/vision/issues/9174
- https://docs.python.org/3/library/site.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cudacheck import remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.torch_files import ShadowingModule, TorchBuild
from cudacheck.rules import _torch


def check(
    modules: tuple[ShadowingModule, ...] | None,
    build: TorchBuild | None,
    interpreter: Interpreter | None,
    dists: tuple[Distribution, ...] | None,
    runs: tuple[KernelRun, ...] | None,
    facts: Facts,
) -> Iterator[Finding]:
    for module in modules or ():
        if module.taken and module.version is None:
            yield Finding(
                f"`import torch` takes {module.path}, which is not PyTorch",
                (Evidence(f"{module.path} comes first", module.found_via or "sys.path"),),
                (
                    Remedy(f"rename {module.path}, or start Python where it is not on the path"),
                    *_without(module, facts),
                ),
            )
    hidden = next((m for m in modules or () if not m.taken and _is_own(m.path, interpreter)), None)
    foreign = _came_in_by(build, interpreter)
    if build and hidden and foreign and build.version != hidden.version:
        yield Finding(
            f"{_torch.spoken(build)} of {foreign} hides torch {hidden.version or ''} of the environment".replace(
                "  ", " "
            ),
            (Evidence(f"taken: {build.path}", foreign), Evidence(f"hidden: {hidden.path}", hidden.found_via)),
            tuple(_without(ShadowingModule(build.path or "", taken=True, found_via=foreign), facts))
            or (Remedy(f"take the folder of {build.path} off Python's path: a .pth file puts it there"),),
        )
    if build and (others := _other_releases(build, dists or ())):
        yield Finding(
            f"the files are of {_torch.spoken(build)}, but the installed package says {others[0]}",
            (_torch.build_evidence(build), *(Evidence(f"torch {other}", "its metadata") for other in others)),
            _torch.right_build(facts, "remove torch until pip finds none, then install it again"),
            # Files that work are whole: then only pip is misled.
            severity=Severity.WARNING if any(run.ok for run in runs or ()) else None,
        )


def _is_own(path: str, interpreter: Interpreter | None) -> bool:
    """Whether it lies in the environment that was made for it; on a system's Python one may well overrule the other."""
    if interpreter is None or not interpreter.prefix:
        return False
    made = interpreter.conda_prefix or interpreter.base_prefix not in {None, interpreter.prefix}
    return bool(made) and _lies_in(path, interpreter.prefix)


def _lies_in(path: str, folder: str) -> bool:
    """`/env2/lib` does not lie in `/env`."""
    inside = folder.rstrip("/\\")
    return path.startswith((f"{inside}/", f"{inside}\\"))


def _came_in_by(build: TorchBuild | None, interpreter: Interpreter | None) -> str | None:
    """The setting that puts the taken PyTorch on the path; None where it is the environment's own."""
    if build is None or build.path is None or interpreter is None:
        return None
    folder = re.sub(r"[/\\]torch$", "", build.path)
    if folder in interpreter.pythonpath:
        return "PYTHONPATH"
    if interpreter.user_site and folder == interpreter.user_site:
        return "user site"
    return None if not interpreter.prefix or _lies_in(build.path, interpreter.prefix) else "sys.path"


def _other_releases(build: TorchBuild, dists: Sequence[Distribution]) -> list[str]:
    """What metadata beside the package says it is, where that is another release: leftovers of an older install."""
    beside = [d.version for d in dists if d.name == "torch" and f"{d.location}/torch" == build.path]
    ours = _torch.parsed(build.version)
    said = {each: _torch.parsed(each) for each in (build.metadata_version, *beside) if each}
    return [each for each, theirs in said.items() if ours and theirs and ours.base_version != theirs.base_version]


def _without(module: ShadowingModule, facts: Facts) -> Iterator[Remedy]:
    if module.found_via == "PYTHONPATH":
        yield remedies.unset_variable(facts, "PYTHONPATH")
    if module.found_via == "user site":
        yield remedies.set_variable(facts, "PYTHONNOUSERSITE", "1")


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    yield Finding(
        "`import torch` took a file or folder called torch that is no installed PyTorch",
        (),
        (Remedy("rename the file or folder called torch in the program's folder, or start it from elsewhere"),),
    )


USER = "/home/me/.local/lib/python3.12/site-packages"
ENV = Interpreter("3.12.3", prefix="/env", conda_prefix="/env", user_site=USER)


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.TORCH_BUILD,
    fix_by=FixBy.ENVIRONMENT,
    joins=(Family.NO_CUDA_BUILD,),
    check=check,
    heard=heard,
    messages=(
        r"module ['\"]torch['\"] has no attribute ['\"](?:__version__|cuda|Tensor|tensor|nn|zeros|randn)['\"]",
        r"Failed to load PyTorch C extensions",
    ),
    fires={
        "a script of one's own": (ShadowingModule("/work/torch.py", taken=True, found_via="sys.path"),),
        "the user's site-packages come first": (
            ENV,
            TorchBuild("2.6.0+cu124", cuda="12.4", path=f"{USER}/torch"),
            ShadowingModule("/env/lib/python3.12/site-packages/torch", taken=False, version="2.8.0+cu128"),
        ),
        "files of 2.6 under the metadata of 2.8": (TorchBuild("2.6.0+cu124", cuda="12.4", metadata_version="2.8.0"),),
        "metadata of a newer release lies beside its own": (
            TorchBuild("2.6.0+cu124", cuda="12.4", path="/env/lib/torch", metadata_version="2.6.0"),
            Distribution("torch", "2.8.0", location="/env/lib"),
        ),
        "a .pth file puts another environment in front": (
            ENV,
            TorchBuild("2.6.0+cu124", cuda="12.4", path="/other/lib/python3.12/site-packages/torch"),
            ShadowingModule("/env/lib/python3.12/site-packages/torch", taken=False, version="2.8.0+cu128"),
        ),
        "what Python says": (ErrorMessage("AttributeError: module 'torch' has no attribute '__version__'", "paste"),),
        "files of 2.6 under the metadata of 2.8, and kernels run": (
            TorchBuild("2.6.0+cu124", cuda="12.4", metadata_version="2.8.0"),
            KernelRun(0, "addition", ok=True),
        ),
        "in a virtual environment": (
            Interpreter("3.12.3", prefix="/env", base_prefix="/usr", user_site=USER),
            TorchBuild("2.6.0+cu124", cuda="12.4", path=f"{USER}/torch"),
            ShadowingModule("/env/lib/python3.12/site-packages/torch", taken=False, version="2.8.0+cu128"),
        ),
        "PYTHONPATH puts a script in front": (ShadowingModule("/work/torch.py", taken=True, found_via="PYTHONPATH"),),
    },
    quiet={
        "the environment's own comes first, another lies behind it": (
            ENV,
            TorchBuild("2.8.0+cu128", cuda="12.8", path="/env/lib/python3.12/site-packages/torch"),
            ShadowingModule(f"{USER}/torch", taken=False, version="2.6.0+cu124"),
        ),
        "a wheel of the default index: its metadata has no tag": (
            TorchBuild("2.8.0+cu128", cuda="12.8", metadata_version="2.8.0"),
        ),
        "an attribute that only newer releases have": (
            ErrorMessage("AttributeError: module 'torch' has no attribute 'float8_e8m0fnu'", "paste"),
        ),
        "a system's Python, on which one may overrule the other": (
            Interpreter("3.12.3", prefix="/usr", base_prefix="/usr", user_site=USER),
            TorchBuild("2.6.0+cu124", cuda="12.4", path=f"{USER}/torch"),
            ShadowingModule("/usr/lib/python3.12/site-packages/torch", taken=False, version="2.8.0+cu128"),
        ),
        "the hidden one lies in another environment": (
            ENV,
            TorchBuild("2.6.0+cu124", cuda="12.4", path=f"{USER}/torch"),
            ShadowingModule("/env2/lib/python3.12/site-packages/torch", taken=False, version="2.8.0+cu128"),
        ),
        "the interpreter's folder is not told": (
            Interpreter("3.12.3", conda_prefix="/env", user_site=USER),
            TorchBuild("2.6.0+cu124", cuda="12.4", path=f"{USER}/torch"),
            ShadowingModule("/env/lib/python3.12/site-packages/torch", taken=False, version="2.8.0+cu128"),
        ),
        "one that is taken, with a version, in its own place": (
            ENV,
            TorchBuild("2.8.0+cu128", cuda="12.8", path="/env/lib/python3.12/site-packages/torch"),
            ShadowingModule("/env/lib/python3.12/site-packages/torch", taken=True, version="2.8.0+cu128"),
        ),
        "a release of the same folder's other package": (
            TorchBuild("2.6.0+cu124", cuda="12.4", path="/env/lib/torch", metadata_version="2.6.0"),
            Distribution("torchvision", "0.21.0", location="/env/lib"),
            Distribution("torch", "2.8.0", location="/other/lib"),
        ),
    },
)
