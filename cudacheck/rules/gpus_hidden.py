"""CUDA_VISIBLE_DEVICES hides the GPUs from PyTorch.

## What it does
Reads the variable as CUDA does. Unset shows all GPUs; empty, `-1` or a word shows none; otherwise the list ends at the
first entry that names no GPU, be it an index that is too high, a negative number or a UUID that this machine does not
have, and a repeated entry empties it. The result is compared with the GPUs that NVML counts, which ignores the
variable. A list that is cut short but leaves some GPU is a warning.

## Why it matters
`nvidia-smi` shows the GPU, and PyTorch says "No CUDA GPUs are available". Scripts copied from a machine with eight
GPUs often set `3` or `7`.

## What to do
Unset the variable, or set an index below the number of GPUs, before PyTorch is imported: it is read once, when CUDA
starts. Look for it in the script itself (`os.environ[...]`), in the shell's profile and in the job scheduler.

## References
- https://github.com/KeYang8/WITT/issues/34
- https://github.com/thuml/Anomaly-Transformer/issues/74
- https://docs.nvidia.com/cuda/cuda-programming-guide/05-appendices/environment-variables.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Ask, Family, Rule
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _driver, _gpus, _machine, _messages

LIST = Remedy("see which GPUs the driver has: their numbers start at 0", ("nvidia-smi -L",))


def check(
    variables: EnvironmentVariables,
    nvml: Nvml | None,
    gpus: tuple[Gpu, ...] | None,
    torch: TorchCuda | None,
    build: TorchBuild | None,
    facts: Facts,
) -> Iterator[Finding]:
    value, count = variables.values.get(_gpus.VARIABLE), _gpus.how_many(facts)
    if value is None or count == 0 or (nvml is not None and _driver.library_absent(nvml)):
        return
    selection = _gpus.select(value, gpus or (), count)
    seen = (Evidence(f"{_gpus.VARIABLE}={value}", variables.found_in), *_counted(count, nvml, gpus or ()))
    if not selection.chosen and not _driver.computes(facts):
        yield _finding(_hidden(value, count), seen, facts)
    elif selection.chosen and selection.stopped_at and variables.complete:
        message = f"{_gpus.VARIABLE}={value} ends at {selection.stopped_at!r}, which names no GPU: the rest is ignored"
        yield _finding(message, seen, facts, Severity.WARNING)
    elif count is None and torch is not None and not torch.available and _is_suspect(value, build):
        message = f"PyTorch sees no GPU with {_gpus.VARIABLE}={value}: no GPU may have that number"
        yield _finding(message, (*seen, Evidence("CUDA is not available", torch.found_in)), facts)


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    if "nvidia-container-cli" in said.text[: match.start()]:
        return  # which runs on the host, where nobody hides them
    if "ordinal" not in match[0] and _driver.computes(facts):
        return  # nothing is hidden: it is that program which does not find what PyTorch uses
    variables, value = facts.one(EnvironmentVariables), _machine.variable(facts, _gpus.VARIABLE)
    hides, count = _gpus.hides_all(facts), _gpus.how_many(facts)
    ordinal = "ordinal" in match[0]
    if not ordinal and not hides and variables is not None and (variables.complete or (value and count)):
        return  # the variable is known not to hide anything
    seen = []
    if value is not None and variables is not None:
        seen.append(Evidence(f"{_gpus.VARIABLE}={value}", variables.found_in))
    message = f"CUDA finds no GPU to use: {_gpus.VARIABLE} hides it, or there is none"
    if ordinal:
        message = f"the program asks for a GPU number that does not exist, or that {_gpus.VARIABLE} hides"
    elif value is not None:
        message = _hidden(value, count) if hides else f"CUDA finds no GPU to use with {_gpus.VARIABLE}={value}"
    yield _finding(message, tuple(seen), facts)


def _finding(message: str, seen: tuple[Evidence, ...], facts: Facts, severity: Severity | None = None) -> Finding:
    return Finding(
        message,
        evidence=seen,
        remedies=(remedies.unset_variable(facts, _gpus.VARIABLE), LIST),
        severity=severity,
    )


def _hidden(value: str, count: int | None) -> str:
    gpus = "every GPU" if count is None else "the only GPU" if count == 1 else f"all {count} GPUs"
    # `all` is a word of NVIDIA_VISIBLE_DEVICES, `none` and the like are of nobody
    word = re.match(r"(?!GPU-|MIG-)[A-Za-z]", value.strip())
    return f"{_gpus.VARIABLE}={value or '(empty)'}{' names no GPU, and' if word else ''} hides {gpus} from PyTorch"


def _counted(count: int | None, nvml: Nvml | None, gpus: tuple[Gpu, ...]) -> tuple[Evidence, ...]:
    if count is None:
        return ()
    source = nvml.found_in if nvml is not None and nvml.gpu_count is not None else gpus[0].found_in
    return (Evidence(f"{count} GPU{'s' * (count != 1)}", source),)


def _is_suspect(value: str, build: TorchBuild | None) -> bool:
    """Whether a paste that shows no GPUs names one above 0, as most machines have one; a CPU build needs none."""
    cuda_build = build is None or build.cuda is not None or not build.cuda_known
    return cuda_build and re.match(r"[1-9]", value.strip()) is not None


ONE_GPU = Nvml(library_found=True, init_code=0, gpu_count=1)
NONE_SEEN = LibCuda(found=True, init_code=100, init_error="CUDA_ERROR_NO_DEVICE")
A100 = Gpu(
    0,
    "NVIDIA A100-SXM4-40GB",
    uuid="GPU-4c5f3b6e-1111-2222-3333-444455556666",
    mig_enabled=True,
    mig_instances=("MIG-feee0c61-26ec-5616-bb59-b6d777cc4f34",),
)


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.LIBCUDA,
    fix_by=FixBy.PROGRAM,
    explained_by=(
        Family.NO_DRIVER,
        Family.NO_CUDA,
    ),
    check=check,
    heard=heard,
    messages=(
        r"(?i)no CUDA GPUs are available",
        r"(?i)no CUDA-capable device is detected",
        _driver.numbered(100),
        r"invalid device ordinal",
    ),
    ambiguous=_messages.leave_it_open,
    asks=(
        Ask(EnvironmentVariables, "`CUDA_VISIBLE_DEVICES` is empty, -1 or no GPU's number", "CUDA_VISIBLE_DEVICES=-1"),
        Ask(
            Nvml,
            "its table with a GPU in it",
            "| NVIDIA-SMI 580.95.05              Driver Version: 580.95.05      CUDA Version: 13.0     |\n"
            "|   0  NVIDIA A10                     On  |   00000000:31:00.0 Off |                    0 |",
        ),
    ),
    fires={
        "an index beyond the only GPU": (EnvironmentVariables({_gpus.VARIABLE: "3"}), ONE_GPU, NONE_SEEN),
        "a word that only NVIDIA_VISIBLE_DEVICES knows": (
            EnvironmentVariables({_gpus.VARIABLE: "all"}),
            ONE_GPU,
            NONE_SEEN,
        ),
        "an empty value": (EnvironmentVariables({_gpus.VARIABLE: ""}), ONE_GPU, NONE_SEEN),
        "a stale UUID": (
            EnvironmentVariables({_gpus.VARIABLE: "GPU-00000000-0000-0000-0000-000000000000"}),
            Nvml(library_found=True, init_code=0, gpu_count=1),
            Gpu(0, uuid="GPU-4c5f3b6e-1111-2222-3333-444455556666"),
        ),
        "a list that ends early": (
            EnvironmentVariables({_gpus.VARIABLE: "0,7"}),
            Nvml(library_found=True, init_code=0, gpu_count=2),
            TorchCuda(available=True, device_count=1),
        ),
        "a paste: index 1, and CUDA not available": (
            EnvironmentVariables({_gpus.VARIABLE: "1"}, complete=False, found_in="ticket.txt"),
            TorchCuda(available=False, found_in="collect_env"),
        ),
        "PyTorch says so": (ErrorMessage("RuntimeError: No CUDA GPUs are available", "ticket.txt"),),
        "Ollama prints the number alone": (ErrorMessage("cuda driver library init failure: 100", "log"),),
        "an ordinal, with the variable set": (
            EnvironmentVariables({_gpus.VARIABLE: "0"}, complete=False),
            ErrorMessage("CUDA error: invalid device ordinal", "ticket.txt"),
        ),
        "PyTorch says so, and the variable hides all": (
            EnvironmentVariables({_gpus.VARIABLE: "-1"}),
            Nvml(library_found=True, init_code=0, gpu_count=2),
            ErrorMessage("RuntimeError: No CUDA GPUs are available", "ticket.txt"),
        ),
        "PyTorch says so, and the variable names a GPU of a count that nobody told": (
            EnvironmentVariables({_gpus.VARIABLE: "2"}, complete=False),
            ErrorMessage("RuntimeError: No CUDA GPUs are available", "ticket.txt"),
        ),
        "a paste that lists the variables, not this one": (
            EnvironmentVariables({}, complete=False),
            Gpu(0, "NVIDIA A10"),
            ErrorMessage("RuntimeError: No CUDA GPUs are available", "ticket.txt"),
        ),
        "a paste: index 1, a build that does not tell its CUDA": (
            EnvironmentVariables({_gpus.VARIABLE: "1"}, complete=False),
            TorchBuild("2.8.0", cuda_known=False),
            TorchCuda(available=False),
        ),
        "a paste: index 1, a CUDA build": (
            EnvironmentVariables({_gpus.VARIABLE: "1"}, complete=False),
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            TorchCuda(available=False),
        ),
        "a table of nvidia-smi that names one GPU": (
            EnvironmentVariables({_gpus.VARIABLE: "3"}),
            Nvml(library_found=None, found_in="nvidia-smi"),
            Gpu(0, "NVIDIA A10", found_in="nvidia-smi"),
        ),
    },
    quiet={
        "another program finds none where PyTorch computes": (
            TorchCuda(available=True, device_count=1),
            ErrorMessage('DriverError(CUDA_ERROR_NO_DEVICE, "no CUDA-capable device is detected")', "ticket.txt"),
        ),
        "what a container's engine finds on the host": (
            ErrorMessage(
                "nvidia-container-cli: initialization error: cuda error: no cuda-capable device is detected",
                "ticket.txt",
            ),
        ),
        "one of two GPUs chosen": (
            EnvironmentVariables({_gpus.VARIABLE: "1"}),
            Nvml(library_found=True, init_code=0, gpu_count=2),
        ),
        "a MIG instance that exists": (
            EnvironmentVariables({_gpus.VARIABLE: "MIG-feee0c61-26ec-5616-bb59-b6d777cc4f34"}),
            ONE_GPU,
            A100,
        ),
        "a MIG UUID in a paste, device_count 0 is PyTorch's bug": (
            EnvironmentVariables(
                {_gpus.VARIABLE: "MIG-feee0c61-26ec-5616-bb59-b6d777cc4f34"}, complete=False, found_in="ticket.txt"
            ),
            TorchCuda(available=True, device_count=0),
        ),
        "CPU test on a machine without a GPU": (
            EnvironmentVariables({_gpus.VARIABLE: ""}),
            Nvml(library_found=False, init_code=12),
        ),
        "a paste: index 0 of one GPU hides nothing": (
            EnvironmentVariables({_gpus.VARIABLE: "0"}, complete=False, found_in="ticket.txt"),
            Gpu(0, "NVIDIA A10", found_in="nvidia-smi"),
            ErrorMessage("RuntimeError: No CUDA GPUs are available", "ticket.txt"),
        ),
        "not set, and PyTorch complains for another reason": (
            EnvironmentVariables({}),
            ErrorMessage("RuntimeError: No CUDA GPUs are available", "torch.cuda"),
        ),
        "a paste: index 1, a CPU build": (
            EnvironmentVariables({_gpus.VARIABLE: "1"}, complete=False),
            TorchBuild("2.8.0+cpu"),
            TorchCuda(available=False),
        ),
        "a paste: index 0, and CUDA not available": (
            EnvironmentVariables({_gpus.VARIABLE: "0"}, complete=False),
            TorchCuda(available=False),
        ),
        "a paste: index 0, a CUDA build, and CUDA not available": (
            EnvironmentVariables({_gpus.VARIABLE: "0"}, complete=False),
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            TorchCuda(available=False),
        ),
    },
)
