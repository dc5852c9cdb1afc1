"""The corpus: recipes from public facts, in which faults are found and nothing else is; the article, and its twin."""

from __future__ import annotations

import pytest

pytest.importorskip("tree_sitter_bash", reason="needs the extra: pip install cudacheck[lint]")

from corpus_cases import FOLDER, Case, cases

from cudacheck.lint.fixing import fixed
from cudacheck.lint.linting import Linted, lint

FAULTY = [*cases("faulty_held.txt"), *cases("faulty.txt")]
HEALTHY = [*cases("healthy_held.txt"), *cases("healthy.txt")]
CANNOT_TELL = {"0 a.sh tag-never-built"}
"""Faults that the tables do not know of: PyTorch 1.12 had no cu117, and they begin to tell with 1.13."""

ARTICLE = {
    "torch==2.4.0+cu128": "tag-never-built",  # row 7
    "torchvision==0.19.0+cu128": "tag-never-built",
    "torchaudio==2.4.0+cu128": "tag-never-built",
    "gradio>=4.40.0": "unquoted-comparison",  # row 44
    "torch.backends.cudnn.enabled": "cudnn-switch-proves-nothing",  # row 13
    "v8.9.7/local_installers/12.8": "dead-cudnn-address",  # row 51
    "/usr/local/cuda/include": "cudnn-into-toolkit",  # row 52
    "/usr/local/cuda/lib64": "cudnn-into-toolkit",
    "self.past_key_values = outputs": "shared-kv-cache",  # row 26
    "truncation=True": "cuda-graph-of-one-length",  # row 38
    "torch.cuda.graph(self.graph)": ["cuda-graph-never-replayed", "cuda-graph-without-warmup"],  # rows 35 and 37
    "with torch.cuda.graph": "cuda-graph-records-gradients",  # row 39
    "self.static_out = self.model": "cuda-graph-of-growing-cache",  # rows 36 and 40
    "-1___5B": "model-path-outside-cache",  # row 28
    "demo.launch(queue=False": "gradio-argument-gone",  # row 43
    "max_threads=3": "threads-without-limit",
    "all,allow=12.8": "gpus-option-rejected",  # row 53
}
"""Each row of the article's audit that is a line of code or a command: a piece of the line, and what finds it."""


def judged(case: Case) -> Linted:
    return lint(case.files[:1], beside=case.files[1:])


def test_the_corpus_is_as_large_as_it_says():
    assert len(FAULTY) >= 120
    assert len(HEALTHY) >= 120


@pytest.mark.parametrize("case", FAULTY, ids=lambda case: case.name)
def test_what_is_wrong_is_found_on_its_line(case: Case):
    found = {
        finding.rule
        for finding in judged(case).findings
        if finding.place.line <= case.line <= max(finding.place.end_line, finding.place.line)
    }
    assert (case.rule in found) is (case.name not in CANNOT_TELL)


@pytest.mark.parametrize("case", HEALTHY, ids=lambda case: case.name)
def test_what_is_right_is_left_alone(case: Case):
    linted = judged(case)
    assert linted.files == 1
    assert linted.findings == ()
    assert linted.unread == ()


def test_every_rule_has_a_line_in_the_corpus_or_needs_a_machine():
    from cudacheck.lint.rule import rules

    for_a_machine = {"build-lacks-gpu", "build-needs-newer-driver"}
    assert {rule.id for rule in rules()} == {case.rule for case in FAULTY} | for_a_machine


@pytest.mark.parametrize("case", FAULTY, ids=lambda case: case.name)
def test_what_is_to_be_typed_instead_has_no_fault_of_its_own(case: Case):
    for finding in judged(case).findings:
        if finding.instead.startswith("pip install") and "$" not in finding.instead:
            assert lint([("instead.sh", finding.instead + "\n")]).findings == (), finding.instead


@pytest.mark.parametrize("case", FAULTY, ids=lambda case: case.name)
def test_what_was_mended_is_clean_and_stays_as_it_is(case: Case):
    """All that has a fix is gone afterwards, nothing else came, and a second time there is nothing to mend."""
    before = judged(case)
    for path, text in fixed(before).items():
        after = before.again([(path, text)])
        kept = [finding.rule for finding in before.findings if not finding.edits]
        assert sorted(finding.rule for finding in after.findings) == sorted(kept)
        assert fixed(after) == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "pip install torch==2.6.0 torchvision==0.19.0 --index-url https://download.pytorch.org/whl/cu128\n",
            ("tag-never-built", "torch==2.6.0 torchvision==0.21.0 --index-url https://download.pytorch.org/whl/cu126"),
        ),
        ("pip install torch==2.4.0+cu121 torchvision==0.19.0+cu128\n", ("family-pins-disagree", "0.19.0+cu121")),
        ("pip install torch==2.4.7+cu128\n", ("never-released", "")),
    ],
)
def test_one_cause_is_told_once_with_what_mends_all_of_it(text: str, told: tuple[str, str]):
    found = [one for one in lint([("a.sh", text)]).findings if one.rule != "tag-without-index"]
    assert [one.rule for one in found] == [told[0]]
    assert found[0].instead.endswith(told[1])


@pytest.mark.parametrize("name", ["article_zh.txt", "article_en.md"])
@pytest.mark.parametrize("piece", ARTICLE)
def test_each_fault_of_the_article_is_found(name: str, piece: str):
    text = (FOLDER / name).read_text(encoding="utf-8")
    row = next(number for number, line in enumerate(text.split("\n"), 1) if piece in line)
    found = {f.rule for f in lint([(name, text)]).findings if f.place.line <= row <= f.place.end_line}
    assert {*([ARTICLE[piece]] if isinstance(ARTICLE[piece], str) else ARTICLE[piece])} <= found


@pytest.mark.parametrize("name", ["article_zh_corrected.txt", "article_en_corrected.md"])
def test_nothing_is_found_in_the_articles_corrected_twin(name: str):
    linted = lint([(name, (FOLDER / name).read_text(encoding="utf-8"))])
    assert (linted.findings, linted.unread, linted.files) == ((), (), 1)
