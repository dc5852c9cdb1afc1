"""The NVIDIA driver is too old for the CUDA version that PyTorch was built with.

## What it does
Compares the driver with the oldest one that runs programs of this CUDA *major* version: 525.60.13 for any 12.x,
580.65.06 for any 13.x on Linux; WSL and Windows have numbers of their own. Also compares the CUDA that libcuda serves
with PyTorch's, and hears "The NVIDIA driver on your system is too old (found version N)". A PyTorch that was seen to
use the GPU is believed, whatever the numbers say: a cuda-compat package makes that possible.

## Why it matters
`torch.cuda.is_available()` is False and nothing runs on the GPU. The usual case today: `pip install torch` brings a
CUDA 13 build, and the driver is of a branch below 580. The "CUDA Version" that nvidia-smi prints is no limit within a
major version: a cu128 build runs on driver 535, which prints 12.2.

## What to do
Take a PyTorch build of the driver's CUDA major, or upgrade the driver. In a container the host's driver counts.

## References
- https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html
- https://github.com/NVIDIA-BioNeMo/nvMolKit/issues/209
- https://github.com/pytorch/pytorch/issues/112553
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import knowledge, remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Ask, Family, Rule
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.torch_cuda import TorchCuda, TorchDevice
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _driver, _machine


def check(
    torch: TorchBuild, nvml: Nvml | None, libcuda: LibCuda | None, system: System | None, facts: Facts
) -> Iterator[Finding]:
    wanted = _machine.major(torch.cuda)
    if torch.cuda is None or wanted is None or _driver.serves_torch(facts) or _serves(libcuda, wanted):
        return
    why = _too_low(torch.cuda, wanted, nvml, libcuda, system)
    if why is None:
        return
    built = Evidence(f"torch {torch.version}, built for CUDA {torch.cuda}", torch.found_in)
    yield Finding(
        f"PyTorch cannot use this GPU: {why}",
        evidence=(*_seen(nvml, libcuda), built),
        remedies=_remedies(facts, torch.cuda),
    )


def _may_have_compat(facts: Facts) -> bool:
    """Whether versions are all that speaks: cuda-compat's library makes up for an old driver, but on no GeForce."""
    seen = (TorchCuda, LibCuda, ErrorMessage)
    return not any(map(facts.is_answered, seen)) and not any("GeForce" in (gpu.name or "") for gpu in facts.all(Gpu))


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    torch, named = facts.one(TorchBuild), match.groupdict()
    cuda = torch.cuda if torch is not None else None
    message = "the NVIDIA driver is too old for the CUDA that this program was built with"
    solutions = _remedies(facts, cuda)
    if number := named.get("found"):
        serves = f"{int(number) // 1000}.{int(number) % 1000 // 10}"
        message = f"PyTorch cannot use this GPU: the driver serves CUDA {serves}, too old for this build"
        solutions = _remedies(_with_driver_of(serves, facts), cuda)
    elif wanted := named.get("wanted"):
        message = f"the container's image demands a driver that serves CUDA {wanted}, and the host's is older"
        solutions = _for_image(facts, wanted)
    yield Finding(message, (), solutions)


def _too_low(cuda: str, wanted: int, nvml: Nvml | None, libcuda: LibCuda | None, system: System | None) -> str | None:
    """Why the driver does not suffice; None where it does or nobody can tell."""
    for serving in (libcuda.cuda_version if libcuda else None, nvml.cuda_version if nvml else None):
        major = _machine.major(serving)
        if major is not None and 0 < major < wanted:
            return f"the driver serves CUDA {serving}, this build needs CUDA {wanted}"
    driver = nvml.driver_version if nvml is not None else None
    if driver is None or (system is not None and system.jetson):
        return None  # Jetson's drivers are numbered apart
    minima = [knowledge.minimum_driver(cuda, os) for os in _machine.drivers_of(system)]
    if all(minimum is not None and not knowledge.driver_at_least(driver, minimum) for minimum in minima):
        return f"driver {driver} is too old for this build's CUDA {cuda}, which needs {minima[0]} or newer"
    return None


def _serves(libcuda: LibCuda | None, wanted: int) -> bool:
    """Whether a libcuda that works is new enough: cuda-compat's may be, on an old driver."""
    if libcuda is None or libcuda.init_code != 0:
        return False
    return (_machine.major(libcuda.cuda_version) or 0) >= wanted


def _seen(nvml: Nvml | None, libcuda: LibCuda | None) -> tuple[Evidence, ...]:
    seen = list(_machine.driver_evidence(nvml))
    if libcuda is not None and libcuda.cuda_version:
        seen.append(Evidence(f"libcuda serves CUDA {libcuda.cuda_version}", libcuda.path or libcuda.found_in))
    elif nvml is not None and nvml.cuda_version:
        seen.append(Evidence(f"CUDA {nvml.cuda_version}", nvml.found_in))
    return tuple(seen)


def _remedies(facts: Facts, cuda: str | None) -> tuple[Remedy, ...]:
    nvml = facts.one(Nvml)
    # without the driver's version, nobody knows which build it serves
    builds = remedies.torch_build(facts) if nvml is not None and nvml.driver_version else ()
    known = tuple(remedy for remedy in builds if remedy.commands or remedy.edit)
    upgrade = _upgrade(facts, knowledge.minimum_driver(cuda, _os(facts)) if cuda else None)
    newest = Remedy("upgrade the NVIDIA driver to the newest branch for this GPU", needs_root=True, needs_reboot=True)
    return tuple(dict.fromkeys((*known, *(upgrade or (newest,)))))


def _for_image(facts: Facts, cuda: str) -> tuple[Remedy, ...]:
    """NVIDIA_REQUIRE_CUDA asks for the driver of that very release, more than its programs need."""
    minimum = knowledge.minimum_driver(cuda, _os(facts))
    title = "take an image of an older CUDA"
    if minimum:
        title += f"; or start it with -e NVIDIA_DISABLE_REQUIRE=1, as its programs run from driver {minimum} on"
    return (*_upgrade(facts, knowledge.toolkit_driver(cuda, _os(facts))), Remedy(title))


def _upgrade(facts: Facts, minimum: str | None) -> tuple[Remedy, ...]:
    return (remedies.upgrade_driver(facts, minimum),) if minimum else ()


def _os(facts: Facts) -> str:
    return _machine.drivers_of(facts.one(System))[0]


def _with_driver_of(cuda: str, facts: Facts) -> Facts:
    """The facts with a driver that serves just this CUDA, where its own version is not told."""
    nvml, driver = (
        facts.one(Nvml),
        knowledge.toolkit_driver(cuda, _os(facts)) or knowledge.minimum_driver(cuda, _os(facts)),
    )
    if driver is None or (nvml is not None and nvml.driver_version):
        return facts
    others = [fact for kind in facts.types() if kind is not Nvml for fact in facts.all(kind)]
    return Facts(
        [*others, Nvml(library_found=None, driver_version=driver)], complete=filter(facts.is_complete, facts.types())
    )


LINUX = System(os="linux", container="", wsl=0, jetson=False)
WSL = System(os="linux", container="", wsl=2, jetson=False)
CU132, CU128 = TorchBuild("2.15.0+cu132", cuda="13.2"), TorchBuild("2.8.0+cu128", cuda="12.8")
R535 = Nvml(library_found=True, init_code=0, driver_version="535.129.03", cuda_version="12.2", gpu_count=1)


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.DRIVER,
    fix_by=FixBy.NODE,
    explained_by=(
        Family.NO_DRIVER,
        "stub-libcuda",
    ),
    check=check,
    heard=heard,
    messages=(
        r"driver on your system is too old(?:\s+\(found\s+version\s+(?P<found>\d{4,5})\))?",
        r"CUDA driver version is insufficient for CUDA runtime version|cudaErrorInsufficientDriver",
        r"unsatisfied condition: cuda\s*>=\s*(?P<wanted>\d+\.\d+)",
        _driver.numbered(35),
    ),
    ambiguous=_may_have_compat,
    asks=(
        Ask(
            TorchCuda,
            "`The NVIDIA driver on your system is too old`",
            "RuntimeError: The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver",
            field="error",
        ),
        Ask(TorchBuild, "built for a CUDA newer than the driver", "2.15.0 13.2 ['sm_75', 'sm_80']"),
        Ask(
            Nvml,
            "a driver older than the CUDA that PyTorch was built for",
            "| NVIDIA-SMI 535.129.03    Driver Version: 535.129.03    CUDA Version: 12.2     |\n"
            "|   0  NVIDIA A10                     On  |   00000000:31:00.0 Off |                    0 |",
        ),
    ),
    fires={
        "a CUDA 13 wheel on driver 535": (LINUX, R535, CU132),
        "cu102 on driver 418": (
            Nvml(library_found=None, driver_version="418.67", cuda_version="10.1"),
            TorchBuild("1.6.0", cuda="10.2"),
            TorchCuda(available=False),
        ),
        "libcuda starts, and serves too little": (
            LINUX,
            LibCuda(found=True, cuda_version="12.8", init_code=0, device_count=1),
            CU132,
        ),
        "PyTorch says so": (
            ErrorMessage(
                "UserWarning: CUDA initialization: The NVIDIA driver on your system is too old (found version 12080). "
                "Please update your GPU driver",
                "ticket.txt",
            ),
        ),
        "the CUDA runtime says so": (
            ErrorMessage("CUDA driver version is insufficient for CUDA runtime version", "ticket.txt"),
        ),
        "the container runtime says so": (
            ErrorMessage(
                "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.8, please update your driver to "
                "a newer version, or use an earlier cuda container: unknown.",
                "ticket.txt",
            ),
        ),
        "PyTorch says so, and nvidia-smi tells the driver": (
            Nvml(library_found=None, driver_version="535.129.03"),
            CU132,
            ErrorMessage(
                "The NVIDIA driver on your system is too old (found version 12020). Please update", "ticket.txt"
            ),
        ),
        "PyTorch says so on a machine whose NVML tells no version": (
            Nvml(library_found=True, init_code=0, gpu_count=1),
            CU128,
            TorchDevice(0, "NVIDIA A10", compute_capability="8.6"),
            ErrorMessage(
                "The NVIDIA driver on your system is too old (found version 11040). Please update", "ticket.txt"
            ),
        ),
        "NVML tells the driver, and not its CUDA": (
            LINUX,
            Nvml(library_found=True, init_code=0, driver_version="535.129.03"),
            CU132,
        ),
        "TensorRT names the number alone": (
            ErrorMessage("CUDA initialization failure with error: 35. Please check your CUDA installation", "log"),
        ),
    },
    quiet={
        "cu128 on 535: minor-version compatibility": (LINUX, R535, CU128),
        "cu124 on exactly 525.60.13": (
            LINUX,
            Nvml(library_found=True, init_code=0, driver_version="525.60.13", cuda_version="12.0"),
            TorchBuild("2.5.1+cu124", cuda="12.4"),
        ),
        "cu121 under WSL on Windows' 551.88": (
            WSL,
            Nvml(library_found=None, driver_version="551.88", cuda_version="12.4"),
            TorchBuild("2.4.0+cu121", cuda="12.1"),
        ),
        "cuda-compat that works on a data-centre board": (
            LINUX,
            R535,
            LibCuda(found=True, path="/usr/local/cuda/compat/libcuda.so.580.95.05", cuda_version="13.0", init_code=0),
            CU132,
        ),
        "CUDA 12 on driver 470, and a kernel ran": (
            LINUX,
            Nvml(library_found=True, init_code=0, driver_version="470.161.03", cuda_version="11.4"),
            CU128,
            KernelRun(0, "float16 matmul", ok=True),
        ),
        "a CPU build": (LINUX, R535, TorchBuild("2.15.0+cpu", cuda=None)),
        "a driver that says CUDA 0.0": (LINUX, Nvml(library_found=True, init_code=0, cuda_version="0.0"), CU132),
        "nothing told of the driver": (LINUX, Nvml(library_found=True, init_code=0), CU132),
        "Jetson's drivers are numbered apart": (
            System(os="linux", jetson=True),
            Nvml(library_found=True, init_code=0, driver_version="540.4.0"),
            CU132,
        ),
    },
)
