"""cuDNN is copied into the CUDA toolkit for a PyTorch that never looks there.

## What it does
Sees `cp` or `tar` of cuDNN files to `/usr/local/cuda…` in a recipe that installs PyTorch by wheel and nothing that
uses the toolkit's cuDNN.

## Why it matters
Wheels of PyTorch load the cuDNN that they bring along; from 2.4 on that is cuDNN 9. The copy changes nothing for them
and may break other programs.

## What to do
Leave it out. Where a library asks for libcudnn.so.8, upgrade that library.

## References
- https://github.com/pytorch/pytorch/blob/main/.ci/manywheel/build_cuda.sh
- https://github.com/SYSTRAN/faster-whisper/issues/885
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint.facts import Command, Install, Recipe, Tool
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity

# What loads the system's cuDNN, or is compiled against it.
USERS = {
    "tensorflow",
    "onnxruntime-gpu",
    "ctranslate2",
    "faster-whisper",
    "paddlepaddle-gpu",
    "jax",
    "cupy",
    "mxnet-cu112",
    "whisperx",
    "tensorrt",
}


def check(recipe: Recipe) -> Iterator[LintFinding]:
    installed = {
        r.name for i in (*recipe.all(Install), *recipe.project) if i.tool is not Tool.CONDA for r in i.requirements
    }
    compiles = any(c.program in {"cmake", "make", "nvcc"} for c in recipe.all(Command))
    if "torch" not in installed or installed & USERS or compiles:
        return
    for command in recipe.all(Command):
        if (
            command.program in {"cp", "mv", "rsync"}
            and "cudnn" in " ".join(command.words)
            and command.words[-1].startswith("/usr/local/cuda")
        ):
            yield LintFinding("PyTorch's wheels load the cuDNN that they bring along, not this one", command.place)


RULE = LintRule(
    severity=Severity.WARNING,
    check=check,
    finds={
        "the article's": Example(
            "pip install torch==2.4.0\nsudo cp cudnn-linux-x86_64-8.9.7.29_cuda12-archive/lib/libcudnn* /usr/local/cuda/lib64\n"
        ),
    },
    quiet={
        "for TensorFlow": Example(
            "pip install torch tensorflow==2.12\nsudo cp cudnn/lib/libcudnn* /usr/local/cuda/lib64\n"
        ),
        "without PyTorch": Example("sudo cp cudnn/lib/libcudnn* /usr/local/cuda/lib64\n"),
    },
)
