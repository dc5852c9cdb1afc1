"""A build of PyTorch is asked for that was never published under this CUDA tag.

## What it does
Looks up `torch==VERSION+cuXYZ`, and what an index of one tag (`whl/cuXYZ`) is asked for, in the table of published
builds. torchvision and torchaudio are judged by the PyTorch that they belong to. What the table does not know is left
alone.

## Why it matters
pip answers `No matching distribution found`, and nothing of the line is installed. Every release was built for two to
four CUDA versions: 2.4.0 for 11.8, 12.1 and 12.4, and the first build for 12.8 is 2.7.0.

## What to do
Take one of the tags that the release was built for, or a release that was built for the tag.

## References
- https://github.com/pytorch/pytorch/blob/main/RELEASE.md
- https://pytorch.org/get-started/previous-versions/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cudacheck.lint import known
from cudacheck.lint.facts import Install, PackageSpec, Recipe, Tool
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for install, asked in recipe.requirements(*known.FAMILY):
        if install.tool is Tool.CONDA or asked.url or asked.public is None:
            continue
        tag = asked.tag or _index_tag(install)
        torch = asked.public if asked.name == "torch" else _torch_of(asked)
        if torch and known.is_cuda_tag(tag) and known.published(torch, tag) is False:
            others = recipe.others_of(install, asked, known.FAMILY) if asked.name == "torch" else ()
            explained = tuple(other.place for other in others)
            yield LintFinding(_message(asked, torch, tag), asked.place, _instead(torch, others), explains=explained)


def _index_tag(install: Install) -> str:
    """The tag of the one index that it looks in."""
    if install.find_links or len(install.indexes) != 1:
        return ""
    only = install.indexes[0]
    return known.torch_index_tag(only.url) or "" if only.replaces or only.torch_only else ""


def _torch_of(asked: PackageSpec) -> str | None:
    owners = known.torch_of_partner(asked.name, asked.public or "")
    return owners[0] if len(owners) == 1 else None


def _message(asked: PackageSpec, torch: str, tag: str) -> str:
    belongs = "" if asked.name == "torch" else f", which belongs to torch {torch},"
    return f"{asked.name} {asked.public}{belongs} was never built for {tag}; PyTorch {torch} has {' '.join(known.tags_of(torch))}"


def _instead(torch: str, others: Iterable[PackageSpec]) -> str:
    """The release with all that is asked for beside it, in the newest build that there is."""
    names = dict.fromkeys(other.name for other in others)
    partners = [f" {name}=={right}" for name in names if (right := known.partner(torch, name))]
    tags = known.tags_of(torch)
    if not tags:
        return ""
    return f"pip install torch=={torch}{''.join(partners)} --index-url https://download.pytorch.org/whl/{tags[-1]}"


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "the article's build": Example(
            "pip install torch==2.4.0+cu128 --index-url https://download.pytorch.org/whl/cu128\n"
        ),
        "an index that does not hold it": Example(
            "pip install torch==2.4.0 --index-url https://download.pytorch.org/whl/cu128\n"
        ),
        "a backend of uv's that does not hold it": Example("uv pip install torch==2.5.1 --torch-backend=cu128\n"),
        "a partner of it": Example("torchvision==0.19.0+cu128\n", "requirements.txt"),
        "a tag that had ended": Example(
            "pip install torch==2.6.0+cu121 -f https://download.pytorch.org/whl/torch_stable.html\n"
        ),
    },
    quiet={
        "a build that exists": Example("pip install torch==2.8.0 --index-url https://download.pytorch.org/whl/cu128\n"),
        "a tag of few releases": Example(
            "pip install torch==2.9.1+cu129 --index-url https://download.pytorch.org/whl/cu129\n"
        ),
        "the backend that uv chooses": Example("uv pip install torch==2.5.1 --torch-backend=auto\n"),
        "newer than what is known": Example("pip install torch==2.99.0+cu128\n"),
        "the tag in a variable": Example(
            "pip install torch==2.4.0 --index-url https://download.pytorch.org/whl/${CUDA}\n"
        ),
        "an expression of a workflow": Example(
            "jobs:\n  t:\n    runs-on: ubuntu-latest\n    steps:\n    - run: pip install torch==${{ matrix.torch }}+cu128\n",
            ".github/workflows/t.yml",
        ),
        "a partner of another torch: the pair is the fault": Example(
            "--extra-index-url https://download.pytorch.org/whl/cu124\ntorch==2.4.0+cu124\ntorchvision==0.19.0+cu128\n",
            "requirements.txt",
        ),
        "a release that there never was": Example("pip install torch==2.4.7+cu128\n"),
        "in a comment": Example("# torch==2.4.0+cu128 does not exist\ntorch==2.4.0\n", "requirements.txt"),
    },
    explained_by=("tag-never-built", "family-pins-disagree", "never-released"),
)
