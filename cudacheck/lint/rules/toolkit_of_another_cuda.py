"""An extension is compiled with the toolkit of another CUDA major version than PyTorch was built for.

## What it does
Compares the `nvidia/cuda` image of a stage with the CUDA version of the exact PyTorch there, where the same stage
compiles: detectron2, pytorch3d, apex and others from their repository, or `setup.py` with TORCH_CUDA_ARCH_LIST or
FORCE_CUDA set. Wheels alone need no toolkit, so that any image does.

## Why it matters
`RuntimeError: The detected CUDA version (…) mismatches the version that was used to compile PyTorch (…)`.

## What to do
Take the image of the same CUDA major version, or a build of PyTorch for the image's.

## References
- https://github.com/pytorch/pytorch/blob/main/torch/utils/cpp_extension.py
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.lint import known
from cudacheck.lint.facts import Command, Install, Recipe, Stage, Variable
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity

COMPILED = {
    "detectron2",
    "pytorch3d",
    "apex",
    "tiny-cuda-nn",
    "flash-attention",
    "xformers",
    "nvdiffrast",
    "vllm",
    "gsplat",
}
"""Repositories whose install compiles CUDA code."""
ASKED = {"TORCH_CUDA_ARCH_LIST", "FORCE_CUDA"}


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for stage in recipe.all(Stage):
        number = re.match(r"(\d+)\.\d+\.\d+-.*devel", (stage.base.tag if stage.base else None) or "")
        if not number or stage.base is None or stage.base.name != "nvidia/cuda":
            continue
        installs = [i for i in recipe.all(Install) if i.scope in {stage.scope, *stage.parents}]
        builds = [build for install in installs if (build := known.build_of(recipe, install))]
        wrong = [b for b in builds if known.cuda_of_tag(b[1]).partition(".")[0] != number[1]]
        if wrong and len(builds) == 1 and (what := _compiled(recipe, stage, installs)):
            version, tag, asked = wrong[0]
            message = f"torch {version} is for {tag}, and {what} is compiled with the image's CUDA {number[1]}"
            yield LintFinding(message, asked.place)


def _compiled(recipe: Recipe, stage: Stage, installs: list[Install]) -> str:
    """What a stage compiles for CUDA; empty where nothing shows it."""
    scopes = {stage.scope, *stage.parents}
    git = [r.name for i in installs for r in i.requirements if r.url.startswith("git+") and r.name in COMPILED]
    asked = any(v.name in ASKED and v.scope in scopes for v in recipe.all(Variable))
    setup = any(c.words[1:2] == ("setup.py",) and c.scope in scopes for c in recipe.all(Command))
    return git[0] if git else "setup.py" if asked and setup else ""


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "an extension from its repository": Example(
            "FROM nvidia/cuda:12.4.1-devel-ubuntu22.04\nRUN pip install torch==2.1.2 --index-url https://download.pytorch.org/whl/cu118\nRUN pip install git+https://github.com/facebookresearch/detectron2.git\n",
            "Dockerfile",
        ),
        "setup.py": Example(
            'FROM nvidia/cuda:11.8.0-devel-ubuntu22.04\nENV TORCH_CUDA_ARCH_LIST="8.0"\nRUN pip install torch==2.6.0\nRUN cd x && python setup.py install\n',
            "Dockerfile",
        ),
    },
    quiet={
        "the same CUDA": Example(
            "FROM nvidia/cuda:11.8.0-devel-ubuntu22.04\nRUN pip install torch==2.1.2 --index-url https://download.pytorch.org/whl/cu118\nRUN pip install git+https://github.com/facebookresearch/detectron2.git\n",
            "Dockerfile",
        ),
        "a newer minor version": Example(
            "FROM nvidia/cuda:12.4.1-devel-ubuntu22.04\nRUN pip install torch==2.8.0\nRUN pip install git+https://github.com/facebookresearch/detectron2.git\n",
            "Dockerfile",
        ),
        "wheels alone": Example(
            "FROM nvidia/cuda:12.4.1-devel-ubuntu22.04\nRUN pip install torch==2.1.2 --index-url https://download.pytorch.org/whl/cu118\nRUN pip install transformers\n",
            "Dockerfile",
        ),
        "in another stage": Example(
            "FROM nvidia/cuda:12.4.1-devel-ubuntu22.04 AS a\nENV FORCE_CUDA=1\nRUN python setup.py install\nFROM nvidia/cuda:12.4.1-devel-ubuntu22.04\nRUN pip install torch==2.1.2 --index-url https://download.pytorch.org/whl/cu118\n",
            "Dockerfile",
        ),
    },
)
