"""transformers before 5.0 loads models in float32 unless told otherwise.

## What it does
Notes a transformers of before 5.0, and hears its complaint that FlashAttention cannot take float32. Where `bench steps`
measured rows in float32 and in 16 bits, it says what float32 costs on this GPU.

## Why it matters
`from_pretrained` without a dtype turns a 16-bit checkpoint into float32: twice the memory, half the speed of every
step that reads the weights, and no FlashAttention. From 5.0 on the checkpoint's own type is the default.

## What to do
Say it: `dtype="auto"`, or `torch_dtype="auto"` before transformers 4.56. On GPUs older than Ampere use float16, for
they have no bfloat16 units.

## References
- https://github.com/huggingface/transformers/issues/28052
- https://github.com/hiyouga/EasyR1/issues/571
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.bench_steps import StepRow
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.rules import _torch
from cudacheck.speed.runs import disturbed_by
from cudacheck.speed.steps import ladder, measured
from cudacheck.speed.steps.measured import Measure

WORDS: dict[Measure, str] = {
    "decode": "decodes",
    "ttft": "takes in 128 tokens",
    "ttft_long": "takes in 1024 tokens",
}


def check(dists: tuple[Distribution, ...], rows: tuple[StepRow, ...] | None, facts: Facts) -> Iterator[Finding]:
    package = next((d for d in dists if d.name == "transformers" and not d.shadowed_by), None)
    if package and _torch.parsed(package.version) and not _torch.at_least(package.version, "5.0"):
        message = f"transformers {package.version} loads models in float32 unless from_pretrained is given a dtype"
        found = Evidence(f"transformers {package.version}", package.location or "installed packages")
        costs = tuple(_costs(facts)) if rows else ()
        yield Finding(message, (found, *costs), (_say_it(package.version, facts),))


def _costs(facts: Facts) -> Iterator[Evidence]:
    """What 16 bits were measured to gain over float32, with everything else equal: by graphs, else by the ladder."""
    for run in measured.of(facts):
        both = [rung for rung in (*ladder.without(run), *ladder.ladder(run)) if rung.steps == ("16bit",)]
        if both and not disturbed_by(run.gpu):
            gains = {word: both[0].gains.get(measure) for measure, word in WORDS.items()}
            said = [f"{word} {gain.times:.1f} × as fast" for word, gain in gains.items() if gain and gain.pays]
            nothing = "is no faster: the host's launches decide"
            yield Evidence(
                f"in 16 bits the same model {' and '.join(said) or nothing}", f"measured on GPU {run.device_index}"
            )


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    package = next((d for d in facts.all(Distribution) if d.name == "transformers"), None)
    message = f"the model ({match[1]}) was loaded in float32, which FlashAttention cannot take"
    yield Finding(message, (), (_say_it(package.version if package else "", facts),))


def _say_it(version: str, facts: Facts) -> Remedy:
    argument = "dtype" if _torch.at_least(version, "4.56") else "torch_dtype"
    old = any(_torch.below(gpu.capability, "8.0") for gpu in _torch.gpus_of(facts))
    value = "torch.float16" if old else '"auto"'
    return Remedy(
        "name the type where the model is loaded", edit=f"AutoModelForCausalLM.from_pretrained(..., {argument}={value})"
    )


def _row(row: str, table: str, itl_ms: float, ttft_ms: float, ttft_long_ms: float) -> StepRow:
    return StepRow(row, table, 0, itl_ms=itl_ms, ttft_ms=ttft_ms, ttft_long_ms=ttft_long_ms, ok=True)


RULE = Rule(
    severity=Severity.NOTE,
    layer=Layer.ADVICE,
    fix_by=FixBy.PROGRAM,
    check=check,
    heard=heard,
    messages=(
        r"only supports? torch\.float16 and torch\.bfloat16 dtypes?, but the current d\w+ in (\w+) is torch\.float32",
    ),
    fires={
        "transformers 4.44": (Distribution("transformers", "4.44.2"),),
        "transformers 4.44, and what it costs an H200": (
            Distribution("transformers", "4.44.2"),
            _row("prefill-graph", "ladder", 2.16, 2.61, 7.5),
            _row("16bit", "without", 5.0, 12.7, 73.6),
        ),
        "what it says": (
            ErrorMessage(
                "Flash Attention 2.0 only supports torch.float16 and torch.bfloat16 dtypes, but the current dype in "
                "Qwen2ForCausalLM is torch.float32.",
                "paste",
            ),
        ),
        "what it costs an H200 by the ladder alone": (
            Distribution("transformers", "4.44.2"),
            _row("fp32", "ladder", 19.2, 15.8, 80.5),
            _row("16bit", "ladder", 15.9, 17.0, 17.8),
        ),
        "float32 is as fast": (
            Distribution("transformers", "4.44.2"),
            _row("fp32", "ladder", 16.0, 16.0, 16.0),
            _row("16bit", "ladder", 16.0, 16.0, 16.0),
        ),
        "what it says, of a release that calls it dtype": (
            Distribution("numpy", "2.0.0"),
            Distribution("transformers", "4.57.0"),
            ErrorMessage(
                "Flash Attention 2 only supports torch.float16 and torch.bfloat16 dtypes, but the current dtype in Qwen2Model is torch.float32.",
                "paste",
            ),
        ),
        "what it costs was measured beside another process": (
            Distribution("transformers", "4.44.2"),
            TorchDevice(0, "NVIDIA H200", uuid="GPU-1"),
            Gpu(0, uuid="GPU-1", utilization_percent=97),
            _row("fp32", "ladder", 19.2, 15.8, 80.5),
            _row("16bit", "ladder", 15.9, 17.0, 17.8),
        ),
    },
    quiet={
        "transformers 5": (Distribution("transformers", "5.23.0"),),
        "transformers 5, whatever float32 would cost": (
            Distribution("transformers", "5.17.0"),
            _row("fp32", "ladder", 19.2, 15.8, 80.5),
            _row("16bit", "ladder", 15.9, 17.0, 17.8),
        ),
        "no transformers": (Distribution("torch", "2.8.0"),),
        "a transformers that another one hides": (Distribution("transformers", "4.44.2", shadowed_by="/other"),),
        "a version that is none": (Distribution("transformers", "main"),),
    },
)
