"""A GPU's memory has errors that ECC could not correct.

## What it does
Reads the count of uncorrected errors since the driver was loaded, whether the row remapper waits for a reset, and
whether it has failed; and hears CUDA's "uncorrectable ECC error encountered" and the Xids that go with it (48, 63, 64,
94, 95).

## Why it matters
A program that touches the bad row is ended, or everything on the GPU is. Since Ampere the GPU replaces a bad row by a
spare one, but only at the next reset; when no spare is left (`failed`), the board has to be replaced.

## What to do
End what runs on the GPU and reset it, or reboot: that applies a pending remapping. If errors come back, or remapping
has failed, run NVIDIA's field diagnostics and have the board replaced.

## References
- https://github.com/vllm-project/vllm/issues/5222
- https://github.com/meta-llama/llama-cookbook/issues/218
- https://docs.nvidia.com/deploy/xid-errors/analyzing-xid-catalog.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.messages import ErrorMessage
from cudacheck.rules import _driver, _machine


def check(_one: Gpu, gpus: tuple[Gpu, ...] | None, libcuda: LibCuda | None) -> Iterator[Finding]:
    bad = [gpu for gpu in gpus or () if gpu.ecc_uncorrected or gpu.rows_remap_pending or gpu.rows_remap_failed]
    seen = [Evidence(f"{_machine.gpu_label(gpu)}: {_trouble(gpu)}", gpu.found_in) for gpu in bad]
    if libcuda is not None and libcuda.init_code == 214:
        seen.append(Evidence(f"cuInit 214: {libcuda.init_error or 'uncorrectable ECC error'}", libcuda.found_in))
    if not seen:
        return
    message = "the memory of a GPU has errors that ECC could not correct"
    if bad:
        message = f"the memory of {_machine.names_of(bad)} has errors that ECC could not correct: {_trouble(bad[0])}"
    yield Finding(message, tuple(seen), _remedies(bad))


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    gpus = facts.all(Gpu)
    told = [gpu.ecc_uncorrected == 0 and gpu.rows_remap_pending is False for gpu in gpus]
    if said.found_in.startswith("kernel log") and told and all(told):
        return  # a reset has cured it since
    message = "the memory of a GPU has errors that ECC could not correct"
    yield Finding(message, (), _remedies([]))


def _trouble(gpu: Gpu) -> str:
    if gpu.rows_remap_failed:
        return "row remapping has failed"
    if gpu.rows_remap_pending:
        return "a row waits to be remapped"
    return f"{gpu.ecc_uncorrected} since the driver was loaded"


def _remedies(gpus: list[Gpu]) -> tuple[Remedy, ...]:
    replace = Remedy("have the board replaced if errors come back or remapping has failed")
    if len(gpus) != 1:
        return (remedies.reboot(), replace)
    reset = Remedy(
        "end what runs on the GPU, and reset it",
        (f"sudo nvidia-smi --gpu-reset -i {gpus[0].index}",),
        needs_root=True,
        verify=f"nvidia-smi -q -d ROW_REMAPPER,ECC -i {gpus[0].index}",
    )
    return (replace, reset) if gpus[0].rows_remap_failed else (reset, remedies.reboot(), replace)


H100 = "NVIDIA H100 80GB HBM3"


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.HARDWARE,
    fix_by=FixBy.NODE,
    joins=(Family.BROKEN_HARDWARE,),
    explained_by=("gpu-lost",),
    check=check,
    heard=heard,
    messages=(
        r"(?i)uncorrectable ECC error encountered|CUDA_ERROR_ECC_UNCORRECTABLE|cudaErrorECCUncorrectable",
        r"Xid\b[^\n]{0,40}: (?:48|63|64|94|95)\b",
    ),
    asks=(_driver.in_pytorchs_words("214: uncorrectable ECC error encountered"),),
    fires={
        "uncorrected errors": (Gpu(0, H100, ecc_enabled=True, ecc_uncorrected=2, rows_remap_pending=False),),
        "a remapping waits": (Gpu(0, H100), Gpu(1, H100, ecc_uncorrected=0, rows_remap_pending=True)),
        "remapping failed": (Gpu(0, H100, rows_remap_failed=True),),
        "CUDA says so": (ErrorMessage("RuntimeError: CUDA error: uncorrectable ECC error encountered", "ticket.txt"),),
        "cuInit says 214": (Gpu(0, H100, ecc_uncorrected=0, rows_remap_pending=False), LibCuda(True, init_code=214)),
        "the kernel log, and a row that still waits": (
            Gpu(0, H100, ecc_uncorrected=0, rows_remap_pending=True),
            ErrorMessage("NVRM: Xid (PCI:0000:19:00): 48, DBE (Double Bit Error)", "kernel log (/dev/kmsg)"),
        ),
        "the kernel log, and a GPU that tells nothing of its rows": (
            Gpu(0, H100, ecc_uncorrected=0),
            ErrorMessage("NVRM: Xid (PCI:0000:19:00): 48, DBE (Double Bit Error)", "kernel log (/dev/kmsg)"),
        ),
    },
    quiet={
        "no errors": (
            Gpu(0, H100, ecc_enabled=True, ecc_uncorrected=0, rows_remap_pending=False, rows_remap_failed=False),
        ),
        "a board without ECC": (Gpu(0, "NVIDIA GeForce RTX 4090", ecc_enabled=None, ecc_uncorrected=None),),
        "an old Xid, cured by a reset": (
            Nvml(library_found=True, init_code=0, gpu_count=1),
            Gpu(0, H100, ecc_uncorrected=0, rows_remap_pending=False),
            ErrorMessage("Xid (PCI:0000:18:00): 94, pid=1234, Contained: SM (0x1).", "kernel log (/dev/kmsg)"),
        ),
        "cuInit fails for another reason": (Gpu(0, H100, ecc_uncorrected=0), LibCuda(True, init_code=2)),
    },
)
