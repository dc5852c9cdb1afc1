"""Where a paste leaves the cause open it asks, and what comes back to a question is read and decides."""

from __future__ import annotations

import itertools

import pytest

from cudacheck import sources
from cudacheck.commands import doctor
from cudacheck.model.findings import Question, Severity
from cudacheck.model.report import Report
from cudacheck.model.rule import Ask, Rule
from cudacheck.probes import ByHand
from cudacheck.registry import probe_of, probes, rules

ASKING = [rule for rule in rules() if rule.asks]
RIDDLE = (
    "PyTorch version: 2.8.0+cu128\nIs debug build: False\nCUDA used to build PyTorch: 12.8\nIs CUDA available: False"
)
VERSIONS = (
    "PyTorch version: 2.4.0+cu121\nCUDA used to build PyTorch: 12.1\nGPU models and configuration: "
    "GPU 0: NVIDIA A800-SXM4-80GB\nNvidia driver version: 470.161.03"
)
OPEN = {
    "PyTorch finds none": RIDDLE,
    "the same, and its build is not told": ">>> import torch\n>>> torch.cuda.is_available()\nFalse",
    "no driver": "RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU",
    "no GPU to use": "RuntimeError: No CUDA GPUs are available",
    "no kernel": "RuntimeError: CUDA error: no kernel image is available for execution on the device",
    "no library": "OSError: libnvidia-ml.so.1: cannot open shared object file: No such file or directory",
    "versions alone, on a board that cuda-compat is for": VERSIONS,
    "WSL": RIDDLE + "\nOS: Ubuntu 24.04 LTS (x86_64)\nPython platform: Linux-5.15.167.4-microsoft-standard-WSL2-x86_64",
}
"""Pastes that more than one cause would explain."""
HEALTHY = {
    "nvml": """\
| NVIDIA-SMI 580.95.05              Driver Version: 580.95.05      CUDA Version: 13.0     |
|   0  NVIDIA A800-SXM4-80GB          On  |   00000000:31:00.0 Off |                    0 |
| N/A   32C    P0             61W /  400W |       0MiB /  81920MiB |      0%      Default |""",
    "pci": """\
31:00.0 3D controller [0302]: NVIDIA Corporation GA100 [A800 SXM4 80GB] [10de:20f3] (rev a1)
\tSubsystem: NVIDIA Corporation Device [10de:16ca]
\tKernel driver in use: nvidia
\tKernel modules: nvidiafb, nouveau, nvidia_drm, nvidia""",
    "kernel_module": "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build",
    "environment": "",
    "system": "Linux 6.8.0-45-generic x86_64\nls: cannot access '/.dockerenv': No such file or directory",
    "torch_cuda": "",
    "torch_files": "2.8.0+cu128 12.8 ['sm_75', 'sm_80', 'sm_86', 'sm_90', 'sm_100', 'sm_120']",
}
"""What each command prints where all is well, by the probe that it stands for."""


def hand_of(ask: Ask) -> ByHand:
    probe = probe_of(ask.fact)
    assert probe
    assert probe.by_hand, f"{ask.fact.__name__}: its probe says not how to ask by hand"
    return probe.by_hand


def answered(*answers: tuple[str, str]) -> str:
    """As a terminal shows it."""
    return "\n".join(f"ada@box:~$ {command}\n{answer}" for command, answer in answers) + "\nada@box:~$ "


def judged(*texts: str) -> Report:
    return doctor.read("\n\n".join(texts))


def causes(questions: tuple[Question, ...]) -> set[str]:
    return {answer.rule for question in questions for answer in question.answers}


def open_for(rule: Rule) -> list[str]:
    return [name for name, text in OPEN.items() if rule.id in causes(judged(text).questions)]


@pytest.mark.parametrize("rule", ASKING, ids=lambda rule: rule.id)
def test_the_answers_to_all_that_a_rule_asks_make_it_the_root(rule):
    reached = open_for(rule)
    assert reached, "no paste that leaves the cause open leads to its questions"
    decided = {}
    for name in reached:
        told = answered(*((hand_of(ask).command, ask.answer) for ask in rule.asks))
        roots = [
            f.rule for f in judged(OPEN[name], told).findings if f.severity is not Severity.NOTE and not f.caused_by
        ]
        decided[name] = roots[:1]
    assert [rule.id] in decided.values(), decided


@pytest.mark.parametrize(
    ("rule", "ask"), [(r, a) for r in ASKING for a in r.asks], ids=lambda one: getattr(one, "id", "")
)
def test_an_answer_is_not_asked_for_again(rule, ask):
    hand = hand_of(ask)
    for name in open_for(rule):
        left = judged(OPEN[name], answered((hand.command, ask.answer))).questions
        assert hand.command not in [question.command for question in left], name


@pytest.mark.parametrize("name", OPEN)
def test_every_healthy_answer_is_read_and_convicts_nobody(name):
    hands = {probe.name: probe.by_hand for probe in probes() if probe.by_hand}
    assert {*hands} == {*HEALTHY}
    whole = answered(*((hands[probe].command, answer) for probe, answer in HEALTHY.items()))
    before = {f.rule for f in judged(OPEN[name]).findings}
    in_a_file_of_its_own = sources.read([("ticket", OPEN[name]), ("answers", whole)])
    for report in (judged(OPEN[name], whole), doctor.judged(in_a_file_of_its_own, (), (), None)):
        new = {f.rule for f in report.findings if f.severity is not Severity.NOTE} - before
        assert new <= {"kernel-failed"}
        assert report.questions == ()


def test_a_proven_cause_asks_nothing():
    assert judged("Failed to initialize NVML: Driver/library version mismatch").questions == ()
    assert judged("torch: 2.8.0+cpu\n" + RIDDLE.replace("+cu128", "+cpu").replace("12.8", "None")).questions == ()


def test_the_shortest_answer_is_asked_for_first():
    def size(command: str) -> tuple[int, int]:
        answers = [ask.answer for rule in ASKING for ask in rule.asks if hand_of(ask).command == command]
        return max((answer.count("\n"), len(answer)) for answer in answers)

    commands = [question.command for question in judged(RIDDLE).questions]
    assert commands == sorted(commands, key=size)
    assert len(commands) > 2


def test_where_no_gpu_is_seen_nobody_asks_what_its_kernels_are():
    """What runs on a GPU, or was not built for it, is another question than why there is none."""
    assert causes(judged(RIDDLE).questions).isdisjoint(
        {"kernel-failed", "gpu-too-old-for-build", "gpu-too-new-for-build"}
    )


def test_a_mac_is_asked_nothing():
    assert judged(RIDDLE.replace("+cu128", "") + "\nOS: macOS 26.1 (arm64)").questions == ()


def test_windows_is_asked_for_what_it_has():
    commands = [q.command for q in judged(RIDDLE + "\nOS: Microsoft Windows 11 Pro").questions]
    assert commands == ['python -c "import torch; torch.cuda.init()"', "nvidia-smi"]


def test_a_rule_that_lacks_one_fact_asks_for_it():
    """The driver is known, and nothing else: whether it serves PyTorch hangs on PyTorch's build."""
    (question,) = judged(HEALTHY["nvml"]).questions
    assert question.command.startswith("python -c")
    assert "driver-too-old" in causes((question,))


def test_what_pytorch_answers_decides_over_versions():
    (question,) = judged(VERSIONS).questions
    assert (question.command, question.about) == ('python -c "import torch; torch.cuda.init()"', "driver-too-old")
    assert judged(VERSIONS, answered((question.command, ""))).findings == ()
    said = "RuntimeError: The NVIDIA driver on your system is too old (found version 11040)."
    assert [f.rule for f in judged(VERSIONS, answered((question.command, said))).findings] == ["driver-too-old"]
    assert judged(VERSIONS.replace("A800-SXM4-80GB", "GeForce RTX 3090")).questions == ()


def test_a_library_that_is_missing_asks_what_was_asked_of_the_container():
    told = judged(OPEN["no library"])
    assert {"container-without-gpu", "container-missing-capability"} <= causes(told.questions)
    assert "device-permission" not in causes(told.questions)  # whose message this is not
    assert judged("$ docker run app\n" + OPEN["no library"]).questions == ()


def test_what_is_ignored_is_not_asked_for():
    asked = doctor.read(RIDDLE, ignore=["gpus-hidden"]).questions
    assert "gpus-hidden" not in causes(asked)


def test_every_answer_names_a_rule_and_commands_can_stand_in_single_quotes():
    ids = {rule.id for rule in rules()}
    for question in itertools.chain.from_iterable(judged(text).questions for text in OPEN.values()):
        assert causes((question,)) <= ids
        assert "'" not in question.command
        assert "\n" not in question.command
