"""Attention stalls at every sequence length that the process has not met before.

## What it does
Times the first and the second attention at three lengths that are new to the process, in prefill and in decode, by
PyTorch's own choice of backend and with cuDNN's switched off (`bench kernels`); or a whole model's first tokens at 20
new lengths and 32 decoded tokens, against the same again, each setting in a process of its own (`bench steps`). It
speaks where a new length costs more than 10 ms and, without cuDNN, at most 5 ms.

## Why it matters
cuDNN builds a plan for each shape. Prompts differ in length and a decoded token makes the cache one longer, so a server
pays at every prompt and at every token: on an H200 with torch 2.11 the first answer of 32 tokens took 1.6 to 1.9 s
instead of 0.5. Steady benchmarks never see it.

## What to do
Switch cuDNN's attention off, in the program or by a variable; the effect was measured on this machine. Programs
that pad to a few lengths, or capture CUDA graphs for them, pay once a length.

## References
- https://github.com/modelscope/FunASR/issues/3704
- https://github.com/pytorch/pytorch/pull/155958
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.bench import kinds
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.report import Health
from cudacheck.model.rule import Rule
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.patient.bench_steps import NewLengthStalls
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.speed import axes, new_lengths, runs
from cudacheck.speed.steps import first_answer
from cudacheck.speed.steps import measured as steps
from cudacheck.speed.steps.first_answer import Stalls

VARIABLE = "TORCH_CUDNN_SDPA_DEPRIORITIZED=1"


def check(
    measurements: tuple[Measurement, ...] | None, stalls: tuple[NewLengthStalls, ...] | None, facts: Facts
) -> Iterator[Finding]:
    for run, axis in axes.found(facts, "new lengths", Health.SLOW_PATH) if measurements else ():
        cost = max(new_lengths.extra_ms(run, "default").values())
        yield _finding(cost, run, axis.reasons, *_by_variable(run))
    for measured in steps.of(facts) if stalls else ():
        found = first_answer.stalls(measured)
        if found and found.stalled and found.cured and not runs.disturbed_by(measured.gpu):
            yield _finding(found.cost_ms, measured.gpu, tuple(_said(found)))


def _finding(cost_ms: float, run: runs.GpuRun, said: tuple[str, ...], *also: Remedy) -> Finding:
    """The remedy was measured to help here."""
    switch = Remedy("switch cuDNN's attention off in the program", edit="torch.backends.cuda.enable_cudnn_sdp(False)")
    return Finding(
        f"attention stalls for {cost_ms:.0f} ms at every length that is new on {run.label}",
        tuple(Evidence(reason, f"measured on GPU {run.device.index}") for reason in said),
        (switch, *also),
    )


def _by_variable(run: runs.GpuRun) -> tuple[Remedy, ...]:
    extra = new_lengths.extra_ms(run, VARIABLE)
    if not extra or max(extra.values()) > new_lengths.SETTLED_MS:
        return ()
    title = f"without a change to the program (measured: {max(extra.values()):.1f} ms at a new length)"
    return (Remedy(title, (f"export {VARIABLE}",)),)


def _said(found: Stalls) -> Iterator[str]:
    """What the first answers cost, each setting in words."""
    for stall in (found.default, found.off):
        if stall:
            yield first_answer.spoken(stall)
            if stall.first_s is not None and stall.again_s is not None:
                prompts = f"{stall.measured.setting}: {len(stall.measured.first_ms)} prompts"
                yield f"{prompts} took {stall.first_s:.2f} s, again {stall.again_s:.2f} s"


H200 = TorchDevice(0, "NVIDIA H200", uuid="GPU-1", compute_capability="9.0", multiprocessors=132)


def _row(first_ms: float, backend: str = "default", *, decode: bool = False) -> Measurement:
    kind = kinds.NEW_LENGTH_DECODE if decode else kinds.NEW_LENGTH
    return Measurement(
        kind.name, "float16", "1×12×L×128 causal", 0, backend=backend, first_call_ms=first_ms, median_us=130.0
    )


def _stalls(setting: str, first_ms: float, again_ms: float, decode: tuple[float, float]) -> NewLengthStalls:
    return NewLengthStalls(setting, 0, "GPU-1", (first_ms,) * 20, (again_ms,) * 20, 32, *decode)


DEFAULT = _stalls("default", 61.0, 14.2, (1616.0, 465.0))
OFF = _stalls("cudnn off", 16.0, 13.2, (566.0, 429.0))


RULE = Rule(
    severity=Severity.WARNING,
    layer=Layer.SPEED,
    fix_by=FixBy.PROGRAM,
    check=check,
    fires={
        "an H200 with torch 2.11": (H200, _row(37.4), _row(0.3, "cudnn off"), _row(35.4, decode=True)),
        "and the variable was tried": (H200, _row(37.4), _row(0.3, "cudnn off"), _row(0.4, VARIABLE)),
        "a model's first answers": (H200, DEFAULT, OFF),
        "both": (H200, _row(37.4), _row(0.3, "cudnn off"), DEFAULT, OFF),
        "only decoding stalls": (H200, _stalls("default", 14.5, 14.2, (1616.0, 465.0)), OFF),
    },
    quiet={
        "flash has no plans": (H200, _row(0.3), _row(0.3, "cudnn off"), _row(0.2, decode=True)),
        "everything is slow at first, without cuDNN, too": (H200, _row(31.0), _row(28.0, "cudnn off")),
        "whether it would help was not measured": (H200, _row(37.4)),
        "another process works on the GPU": (
            H200,
            Gpu(0, "NVIDIA H200", uuid="GPU-1", utilization_percent=97),
            _row(37.4),
            _row(0.3, "cudnn off"),
        ),
        "a model of which no length stalls": (H200, _stalls("default", 13.1, 12.9, (440.0, 430.0)), OFF),
        "a model that is slow at first without cuDNN, too": (
            H200,
            DEFAULT,
            _stalls("cudnn off", 59.0, 14.0, (1500.0, 430.0)),
        ),
        "a model's first answers by default only": (H200, DEFAULT),
        "a model whose second process failed": (
            H200,
            DEFAULT,
            NewLengthStalls("cudnn off", 0, error="died of SIGSEGV (11)"),
        ),
        "a model beside another process": (H200, Gpu(0, uuid="GPU-1", utilization_percent=97), DEFAULT, OFF),
        "a model whose launches are made to wait": (
            H200,
            EnvironmentVariables({"CUDA_LAUNCH_BLOCKING": "1"}),
            DEFAULT,
            OFF,
        ),
    },
)
