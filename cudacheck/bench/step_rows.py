"""Measures one way of running the decoder after another: first token, the tokens after it, memory, correctness."""

from __future__ import annotations

import gc
import math
import statistics
import time
from importlib.util import find_spec
from typing import Any, Callable, Dict, Iterator, Sequence, Tuple

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere

from cudacheck.bench.decoder import DTYPES, Weights, reference_logits
from cudacheck.bench.device import current, wait_for
from cudacheck.bench.generation import Engine, generate
from cudacheck.bench.kernels import float32_precision
from cudacheck.bench.memory import DoesNotFitError, require_free
from cudacheck.bench.steps import Options, Shape, options_of

Row = Dict[str, Any]
"""Fields of a StepRow (cudacheck/probes/patient/bench_steps.py)."""
Name = Tuple[str, str]
"""Table and row."""

CHECKED = 61
"""A prompt that fills no bucket, so that padding is checked, too."""
FORCED = 3
BESIDE_WEIGHTS = 1 << 30
"""Activations, caches, graphs and the reference's float32 layers; an H200's rows took 0.4 GB at most."""
MOST_OF_EAGER, LARGEST_ERROR, FLOAT32_ERROR = 1.5, 0.06, 1e-4
"""16-bit logits may be off by 1.5 times what plain eager ones are, and by 0.06; those of float32 hardly at all."""


def half_type(device: torch.device) -> str:
    """The 16-bit type that this GPU's tensor cores take and the checkpoint is nearest to: no bfloat16 before Ampere."""
    old = device.type == "cuda" and torch.cuda.get_device_capability(device) < (8, 0)
    return "float16" if old else "bfloat16"


def measured(names: Sequence[Name], device: torch.device, shape: Shape, quick: bool = False) -> Iterator[Row]:
    """The rows in order. What raises is an error in its row."""
    with torch.no_grad(), current(device):
        bench = Bench(device, shape, quick)
        for table, row in names:
            told: Row = {"table": table, "row": row}
            try:
                options = options_of(table, row, bench.half)
                told.update(dtype=options.dtype, what=options.what())
                told.update(bench.skipped(options) or bench.measured(options, answer=table != "without"))
            except Exception as error:
                told["error"] = first_line(error)
            gc.collect()  # an engine's graphs hold its tensors in a circle
            yield told


def first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]


class Bench:
    """The weights, and the prompts that every row gets."""

    def __init__(self, device: torch.device, shape: Shape, quick: bool = False) -> None:
        self.device, self.shape, self.quick, self.half = device, shape, quick, half_type(device)
        self.weights: dict[str, Weights] = {}
        self.new_lengths = iter(range(shape.prompt - 1, shape.prompt // 2, -1))
        """Each is handed out once: no row may have met a length that is new."""
        self.checked = self.prompt(CHECKED + FORCED, seed=1)
        self.tolerances = {"float32": FLOAT32_ERROR}
        self.reference: torch.Tensor | None = None

    def prompt(self, tokens: int, seed: int = 0) -> torch.Tensor:
        """Random ids on the host, pinned where that means something."""
        generator = torch.Generator().manual_seed(seed)
        ids = torch.randint(0, self.shape.vocabulary, (tokens,), generator=generator)
        return ids.pin_memory() if self.device.type == "cuda" else ids

    def weights_in(self, dtype: str) -> Weights:
        """All are the same numbers, those of the 16-bit type; float32 ones are not kept longer than they are used."""
        if self.half not in self.weights:
            self.weights[self.half] = Weights.drawn(self.shape, self.half, self.device)
        if dtype != "float32":
            self.weights.pop("float32", None)
        if dtype not in self.weights:
            self.weights[dtype] = self.weights[self.half].to(dtype)
        return self.weights[dtype]

    def skipped(self, options: Options) -> Row:
        """Why a row is not run here; empty where it is."""
        if options.engine == "triton" and not find_spec("triton"):
            return {"skipped": "triton is not installed"}
        if options.attention == "flash-attn" and not find_spec("flash_attn_2_cuda"):
            return {"skipped": "flash-attn is not installed"}
        if options.fused and not hasattr(F, "rms_norm"):
            return {"skipped": "PyTorch has no rms_norm before 2.4"}
        try:
            self.require_room(options.dtype)
        except DoesNotFitError as reason:
            return {"skipped": str(reason)}
        return {}

    def require_room(self, dtype: str | None = None) -> None:
        """Raises DoesNotFitError where the weights that are still to be drawn, and what a row takes, do not fit."""
        missing = {self.half, dtype or self.half} - {*self.weights}
        sizes = [torch.empty(0, dtype=DTYPES[name]).element_size() for name in missing]
        require_free(self.shape.parameters * sum(sizes) + BESIDE_WEIGHTS, self.device)

    def measured(self, options: Options, *, answer: bool = True) -> Row:
        """The fields of one row; a whole answer is timed only where it takes less than a second."""
        with float32_precision("ieee"):
            weights = self.weights_in(options.dtype)
            base = self._reset_peak()
            engine = Engine(weights, options)
            row = {**self._prompts(engine), **self._tokens(engine), "weights_bytes": weights.bytes}
            if answer and options.decode_graph and options.prefill_graph:
                row["e2e_ms"] = self._answer_ms(engine)
            if self.device.type == "cuda":
                row["peak_bytes"] = torch.cuda.max_memory_allocated(self.device) - base
            # The calls that warm up a capture are the ones that compile.
            row["compile_s" if options.engine == "compile" else "capture_s"] = engine.capture_s or None
            row.update(self.check(engine))
        return row

    def _reset_peak(self) -> int:
        gc.collect()
        if self.device.type != "cuda":
            return 0
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(self.device)
        return int(torch.cuda.memory_allocated(self.device))

    def _prompts(self, engine: Engine) -> Row:
        def ms(ids: torch.Tensor) -> float:
            return wall_ms(lambda: engine.first_token(ids), self.device)

        short, long = self.prompt(self.shape.prompt), self.prompt(self.shape.long_prompt)
        times = 5 if self.quick else 8
        return {
            "ttft_first_ms": ms(short),
            "ttft_new_ms": statistics.median(ms(short[: next(self.new_lengths)]) for _ in range(3)),
            "ttft_ms": statistics.median([ms(short) for _ in range(times)][2:]),
            "ttft_long_first_ms": ms(long),
            "ttft_long_ms": statistics.median([ms(long) for _ in range(times // 2 + 1)][1:]),
        }

    def _tokens(self, engine: Engine) -> Row:
        """A first pass, where lengths are new; then the same lengths again, with and without reading each token."""
        prompt = self.prompt(self.shape.prompt)
        graph = engine.options.decode_graph
        tokens = self.shape.answer // (4 if graph else 16)  # what is launched one by one is slow, and needs no more
        # Captures are told apart; what remains is the first pass.
        before = engine.capture_s
        first = self._pass_ms(engine, prompt, tokens, read=True) - (engine.capture_s - before) * 1e3 / tokens
        passes = [self._pass_ms(engine, prompt, tokens, read=True) for _ in range(2 if self.quick else 3)]
        free = [self._pass_ms(engine, prompt, tokens, read=False) for _ in range(3 if graph else 1)]
        return {
            "itl_first_ms": first,
            "itl_ms": statistics.median(passes),
            "itl_free_ms": statistics.median(free),
            "itl_spread_rel": (max(passes) - min(passes)) / statistics.median(passes),
        }

    def _answer_ms(self, engine: Engine) -> float:
        """From the prompt to the last token; a first time captures what a longer cache needs."""
        prompt = self.prompt(self.shape.prompt)
        generate(engine, prompt, self.shape.answer)
        return wall_ms(lambda: generate(engine, prompt, self.shape.answer), self.device)

    def _pass_ms(self, engine: Engine, prompt: torch.Tensor, tokens: int, *, read: bool) -> float:
        engine.prefill(prompt)

        def decode() -> None:
            for _ in range(tokens):
                engine.step()
                if read:
                    engine.token[0].item()

        return wall_ms(decode, self.device) / tokens

    def check(self, engine: Engine) -> Row:
        """The logits at the prompt's end and after each of a few tokens that are forced upon it, against float32."""
        got = [engine.prefill(self.checked[:CHECKED])[0].clone()]
        for token in self.checked[CHECKED:]:
            engine.token.fill_(int(token))
            got.append(engine.step()[0].clone())
        reference, tolerance = self._reference(engine.options.dtype)
        error = worst_error(torch.stack(got).float(), reference)
        # A NaN is no number that a report could hold, and no result that is right.
        return {
            "logits_error": error if math.isfinite(error) else None,
            "tolerance": tolerance,
            "ok": error <= tolerance,
        }

    def _reference(self, dtype: str) -> tuple[torch.Tensor, float]:
        """Float32 logits, and how far this type's may be from them: plain eager ones set the measure."""
        ids, weights = self.checked.to(self.device), self.weights[self.half]
        if self.reference is None:
            self.reference = reference_logits(weights, ids, FORCED + 1)
        if dtype not in self.tolerances:
            eager = worst_error(reference_logits(weights, ids, FORCED + 1, dtype), self.reference)
            self.tolerances[dtype] = min(MOST_OF_EAGER * eager, LARGEST_ERROR)
        return self.reference, self.tolerances[dtype]


def worst_error(got: torch.Tensor, reference: torch.Tensor) -> float:
    """The largest of the rows' ||got - reference|| / ||reference||; a NaN stays one."""
    return float(((got - reference).norm(dim=-1) / reference.norm(dim=-1)).max())


def wall_ms(call: Callable[[], object], device: torch.device) -> float:
    wait_for(device)
    started = time.perf_counter()
    call()
    wait_for(device)
    return (time.perf_counter() - started) * 1e3


def launches(names: Sequence[Name], device: torch.device, shape: Shape) -> Iterator[Row]:
    """What one decoded token launches, by the profiler. It leaves the process slow: nothing is measured after it."""
    with torch.no_grad(), current(device):
        bench = Bench(device, shape)
        for table, row in names:
            told: Row = {"table": table, "row": row}
            try:
                options = options_of(table, row, bench.half)
                if bench.skipped(options):
                    continue
                told.update(_profiled(Engine(bench.weights_in(options.dtype), options), bench.prompt(shape.prompt)))
            except Exception as error:
                told["error"] = first_line(error)
            gc.collect()
            yield told


def _profiled(engine: Engine, prompt: torch.Tensor) -> Row:
    from torch.autograd import DeviceType
    from torch.profiler import ProfilerActivity, profile

    engine.prefill(prompt)
    for _ in range(2):
        engine.step()
    wait_for(engine.device)
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        engine.step()
        wait_for(engine.device)
    ran = [event for event in profiled.events() if event.device_type == DeviceType.CUDA and event.device_time > 0]
    return {"launches": len(ran), "gpu_ms": sum(event.device_time for event in ran) / 1e3}
