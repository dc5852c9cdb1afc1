"""A measured speed as a share of the datasheet's peak, and whether it can be believed."""

from __future__ import annotations

from collections.abc import Sequence

from cudacheck.bench.kinds import CaseKind
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Remedy
from cudacheck.model.report import Outcome, ProbeRun
from cudacheck.model.rule import Family
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.requirements import _remedies
from cudacheck.requirements._requirement import Seen, UnknownError, Wanted
from cudacheck.speed import evidence, peaks, runs
from cudacheck.speed.runs import GpuRun

EXPLAINED_BY = (
    Family.NO_DRIVER,
    Family.NO_CUDA,
    "gpus-hidden",
    "torch-missing",
    "torch-shadowed",
    Family.NO_CUDA_BUILD,
    Family.WRONG_KERNELS,
    "torch-import-failed",
    "kernel-failed",
    "probe-did-not-finish",
)


def of_each(facts: Facts, kind: CaseKind, dtype: str | None = None) -> Sequence[Seen]:
    """The share that each visible GPU reached."""
    devices, measured = facts.all(TorchDevice), {run.device.index: run for run in runs.of(facts)}
    if not devices:
        raise UnknownError(_why_not_measured(facts))
    return [_seen(facts, device, measured.get(device.index), kind, dtype) for device in devices]


def _seen(facts: Facts, device: TorchDevice, run: GpuRun | None, kind: CaseKind, dtype: str | None) -> Seen:
    label = run.label if run else f"GPU {device.index} ({device.name})"
    rows = [row for row in run.rows if (row.case, dtype or row.dtype) == (kind.name, row.dtype)] if run else []
    best = run.best(kind, dtype) if run else None
    if run is None or best is None:
        wrong = next((row for row in rows if row.ok is False or row.error), None)
        if wrong:
            return Seen(0.0, f"{label}: {kind.name} gave {wrong.error or 'a wrong result'}", "benchmark")
        skipped = next((row.skipped for row in rows if row.skipped), None)
        return Seen(0.0, label, "benchmark", unsure=skipped or _why_not_measured(facts))
    shares = peaks.shares(run, best)
    share = shares.get("datasheet")
    if share is None:
        return Seen(0.0, label, "benchmark", unsure="no peak is known for this GPU")
    return Seen(
        share,
        f"{label}: {evidence.speed(run, best)}",
        "benchmark",
        unsure=runs.disturbed_by(run) or evidence.impossible(shares) or _not_settled(best),
        unsure_if_unmet=evidence.doubt(run, best) or _peak_in_doubt(run),
    )


def _not_settled(row: Measurement) -> str:
    return "" if row.converged else f"{runs.spoken(row)} did not settle"


def _peak_in_doubt(run: GpuRun) -> str:
    sure = run.model and run.model.verified and not run.model.acc_uncertain
    return "" if sure else "the datasheet's figure for this GPU is not sure"


def _why_not_measured(facts: Facts) -> str:
    """How the first of the steps towards a measurement ended that came to no good end."""
    steps = ("torch_import", "torch_cuda", "kernels", "benchmark", "bench_kernels")
    ended = {run.probe: run for run in facts.all(ProbeRun)}
    broken = next((ended[s] for s in steps if s in ended and ended[s].outcome is not Outcome.OK), None)
    if broken:
        return f"nothing was measured: {broken.probe} {broken.outcome}: {broken.detail}"
    if facts.is_answered(KernelRun) and not any(run.ok for run in facts.all(KernelRun)):
        return "nothing was measured: no kernel ran on a GPU"
    return "nothing was measured"


def look_closer(facts: Facts, wanted: Wanted) -> tuple[Remedy, ...]:
    return (
        Remedy(f"measure in depth what keeps it from {wanted.spec}", ("cudacheck bench kernels",)),
        *_remedies.other_machine(facts, wanted),
    )
