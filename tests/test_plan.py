"""Plans: what they choose by an oracle that reads no table of ours, what they say, and how each tool is told."""

from __future__ import annotations

import dataclasses
import random
import shlex
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement
from plan_oracle import Case, cases, faults, wrongly_ruled_out

from cudacheck import planning
from cudacheck.commands.doctor import InputError
from cudacheck.commands.plan import Described
from cudacheck.commands.plan import plan as command
from cudacheck.planning import InstallPlan, changes
from cudacheck.planning.answer import Planned
from cudacheck.render import as_text
from cudacheck.render.plan._outline import block

SAMPLE = random.Random(14).sample(cases(), 300)


def planned(
    gpus: list[str], driver: str | None, python: str | None, *requirements: str, tool: str | None = None
) -> InstallPlan:
    target = planning.described(gpus, driver, python)
    return planning.plan(target, planning.wanted(requirements, target.machine), tool)


def shown(plan: InstallPlan, name: str = "text", **how: Any) -> str:
    return as_text(Planned(plan), name, folder="plan", **how)


def test_a_sample_of_all_machines():
    wrong = {}
    for case in SAMPLE:
        plan = case.plan
        if found := [*faults(case, plan), *wrongly_ruled_out(case, plan)]:
            wrong[case] = found
    assert wrong == {}


def test_the_oracle_notices_what_is_wrong():
    case = Case("V100", "580.95.05", "3.12", "linux x86_64")
    plan = case.plan
    assert plan.choice
    for amiss, told in (
        ({"tag": "cu132", "torch": "2.14.1"}, "has no kernels"),
        ({"torch": "2.15.0"}, "does not exist"),
        ({"torchvision": "0.28.0"}, "requires torch==2.13.0"),
        ({"index": None}, "the default index has cu130"),
        ({"commands": ()}, "without a command"),
    ):
        changed: Any = amiss
        wrong = [*faults(case, dataclasses.replace(plan, choice=dataclasses.replace(plan.choice, **changed)))]
        assert any(told in fault for fault in wrong), (amiss, wrong)
    older = dataclasses.replace(plan.choice, torch="2.13.0", torchvision="0.28.0")
    assert any("passed over" in fault for fault in faults(case, dataclasses.replace(plan, choice=older)))
    silent = dataclasses.replace(plan, choice=None, ruled_out=())
    assert "neither a plan nor a reason" in [*faults(case, silent)]


@pytest.mark.parametrize(
    ("gpus", "driver", "python", "requirements", "torch", "tag"),
    [
        (["V100"], "580.95.05", "3.12", [], "2.14.1", "cu126"),
        (["GTX 1080 Ti"], "580.95.05", "3.12", [], "2.14.1", "cu126"),
        (["B300"], "590.44.01", "3.12", [], "2.15.0", "cu132"),
        (["RTX PRO 6000 Blackwell Workstation Edition"], "590.44.01", "3.12", [], "2.15.0", "cu132"),
        (["RTX 5090"], "570.86.15", "3.12", [], "2.11.0", "cu128"),
        (["V100", "B200"], "580.95.05", "3.12", [], "2.10.0", "cu128"),
        (["A10"], "470.82.01", "3.10", [], "2.7.1", "cu118"),
        (["H100"], "535.129.03", "3.11", ["flash-attn"], "2.8.0", "cu128"),
        (["H100"], "580.95.05", "3.12", ["vllm"], "2.14.0", "cu130"),
        (["H100"], "535.129.03", "3.12", ["vllm"], "2.10.0", "cu128"),
        (["A100"], "580.95.05", "3.12", ["torch<2.8"], "2.7.1", "cu126"),
        (["A100"], "580.95.05", "3.12", ["torchvision<0.24"], "2.8.0", "cu128"),
        (["V100"], "580.95.05", "3.12", ["flash-attn"], None, None),
        (["V100"], "580.95.05", "3.15", [], None, None),
        (["V100"], "595.58.03", "3.12", [], None, None),
        (["A100"], "580.95.05", "3.12", ["torch==2.4.0+cu128"], None, None),
        (["Jetson AGX Orin"], "540.4.0", "3.10", [], None, None),
    ],
)
def test_what_is_chosen(gpus, driver, python, requirements, torch, tag):
    plan = planned(gpus, driver, python, *requirements)
    chosen = plan.choice
    assert (chosen and chosen.torch, chosen and chosen.tag) == (torch, tag)
    assert plan.ruled_out or torch == "2.15.0"


def test_the_default_index_is_no_address():
    chosen = planned(["B300"], "590.44.01", "3.12").choice
    assert chosen
    assert chosen.index is None
    assert chosen.tag == "cu132"
    assert "--index-url" not in " ".join(chosen.commands)


def test_every_constraint_is_told_with_its_source():
    why = planned(["V100"], "580.95.05", "3.12").why
    assert {"gpu", "driver", "python", "glibc", "partner"} == {each.by for each in why}
    assert all(each.source for each in why)


@pytest.mark.parametrize(
    ("gpus", "driver", "python", "requirements", "by", "change"),
    [
        (["V100"], "580.95.05", "3.15", [], "python", "take Python 3.14"),
        (["V100"], "580.95.05", "3.12", ["flash-attn"], "requirement", "leave out `flash-attn`"),
        (["A100", "K80"], "580.95.05", "3.12", [], "gpu", "leave out K80 (3.7)"),
        (["H100"], "470.161.03", "3.12", [], "driver", "take driver 580.65.06 or newer"),
        (["Jetson Thor"], "580.00", "3.12", [], "machine", "plan for aarch64"),
        (["V100"], "595.58.03", "3.12", [], "driver", "take driver 525.60.13 or newer, of branch 580 at most"),
    ],
)
def test_the_smallest_change_is_told(gpus, driver, python, requirements, by, change):
    plan = planned(gpus, driver, python, *requirements)
    assert plan.choice is None
    assert change in [other.change for other in plan.alternatives if other.by == by]


def test_two_changes_where_one_is_not_enough():
    plan = planned(["H100"], "470.161.03", "3.12", "torch==2.4.0+cu128")
    assert [other.change for other in plan.alternatives] == [
        "leave out `torch==2.4.0+cu128` and take driver 580.65.06 or newer"
    ]


@pytest.mark.parametrize(("driver", "served"), [("581.57", True), ("582.53", True), ("591.44", False)])
def test_a_branch_is_numbered_on_for_windows(driver, served):
    target = planning.described(["GTX 1060"], driver, "3.12", "windows")
    assert (planning.plan(target).choice is not None) is served


def test_a_thor_has_drivers_of_its_own():
    target = planning.described(["Jetson Thor"], "580.00", "3.12", machine="aarch64")
    chosen = planning.plan(target).choice
    assert chosen
    assert (chosen.torch, chosen.tag) == ("2.15.0", "cu132")


def test_what_nobody_knows_is_no_choice():
    plan = planned([], "580.95.05", "3.12")
    assert plan.choice is None
    assert plan.cannot_tell
    assert {other.tag for other in plan.alternatives} == {"cu132", "cu126"}
    unknown_driver = planned(["A100"], None, "3.12")
    assert unknown_driver.choice
    assert "525.60.13" in unknown_driver.cannot_tell[0]
    future = planned(["14.0"], "620.70.06", "3.12")
    assert future.choice is None
    assert "14.0" in future.cannot_tell[0]
    assert "JetPack" in planned(["Jetson AGX Orin"], "540.4.0", "3.10").cannot_tell[0]


def about(plan: InstallPlan, what: str) -> list[str]:
    return [each.says for each in plan.advice if each.about == what]


def test_a_jetson_is_told_what_its_jetpack_has():
    orin = planning.plan(planning.described(["Jetson Orin Nano"], "540.4.0", "3.12", machine="aarch64"))
    assert orin.choice is None
    assert [says.split(" has")[0] for says in about(orin, "jetpack")] == ["JetPack 6"]
    assert "Python 3.10" in about(orin, "jetpack")[0]
    xavier = planning.plan(planning.described(["Jetson AGX Xavier"], machine="aarch64"))
    assert [says.split(" has")[0] for says in about(xavier, "jetpack")] == ["JetPack 5", "JetPack 4"]
    thor = planning.plan(planning.described(["Jetson Thor"], "580.00", "3.12", machine="aarch64"))
    assert about(thor, "jetpack") == []


@pytest.mark.parametrize(
    ("requirement", "driver", "image"),
    [
        ("torch==2.14.1", "550.54.15", "pytorch/pytorch:2.14.1-cuda12.6"),
        ("torch==2.10.0", "580.95.05", "nvcr.io/nvidia/pytorch:25.12-py3"),
        ("torch==2.10.0", "550.54.15", None),
        ("torch==2.5.1", "580.95.05", None),
    ],
)
def test_an_image_that_holds_the_build(requirement, driver, image):
    told = about(planned(["A100"], driver, "3.12", requirement), "container")
    assert [(image or "none") in says for says in told] == [True] * (image is not None)


def test_a_ptxas_that_does_not_know_the_gpu_is_told():
    told = {
        gpu: next(
            each.says for each in planned([gpu], "595.58.03", "3.12", "torch==2.9.1").advice if each.about == "triton"
        )
        for gpu in ("H100", "GB10")
    }
    assert "does not know" not in told["H100"]
    assert "does not know compute capability 12.1" in told["GB10"]


def test_a_package_that_is_not_known_goes_in_as_it_was_asked_for():
    chosen = planned(["A100"], "580.95.05", "3.12", "accelerate[testing]>=1", "torch").choice
    assert chosen
    assert chosen.packages == {"accelerate": ""}
    assert any("'accelerate[testing]>=1'" in line for line in chosen.commands)


@pytest.mark.parametrize(
    ("python", "requirements", "torch", "found"),
    [
        ("3.12", ["transformers"], "2.14.1", {"transformers": "5.24.0"}),
        ("3.9", ["transformers"], "2.8.0", {"transformers": "4.57.6"}),
        ("3.9", ["transformers>=5"], None, {}),
        ("3.12", ["transformers>=5.20", "torch<2.6"], None, {}),
        ("3.12", ["transformers", "torch<2.4"], "2.3.1", {"transformers": "5.0.0"}),
        ("3.12", ["transformers==4.51.1"], "2.14.1", {"transformers": ""}),
        ("3.12", ["torchao", "torch==2.9.1"], "2.9.1", {"torchao": "0.15.0"}),
        ("3.12", ["torchao"], "2.14.1", {"torchao": ""}),
        ("3.12", ["flash-attn-4"], None, {}),
        ("3.12", ["flash-attn-3"], None, {}),
        ("3.12", ["vllm", "xformers"], "2.10.0", {"vllm": "0.19.1", "xformers": "0.0.34"}),
    ],
)
def test_what_packages_ask_for(python, requirements, torch, found):
    """On a V100, which CUDA 13 no longer serves."""
    chosen = planned(["V100"], "580.95.05", python, *requirements).choice
    assert (chosen and chosen.torch, chosen.packages if chosen else {}) == (torch, found)


def test_what_packages_ask_of_each_other_is_not_known():
    plan = planned(["H100"], "580.95.05", "3.12", "transformers<4.48", "vllm")
    assert plan.cannot_tell[0].startswith("whether transformers 4.47.1 and vllm 0.33.0 accept each other")
    assert planned(["H100"], "580.95.05", "3.12", "vllm").cannot_tell == ()


@pytest.mark.parametrize(
    ("gpu", "requirements", "told"),
    [
        (
            "H100",
            ["torch<2.11"],
            ["flash-attn-3 --index-url https://download.pytorch.org/whl/cu128", "install flash-attn-4 ("],
        ),
        ("H100", ["torch"], ["flash-attn-4[cu13]"]),
        ("B300", ["torch"], ["flash-attn-4[cu13]"]),
        ("B300", ["flash-attn-4"], []),
        ("A100", ["torch"], []),
        ("RTX 5090", ["torch"], []),
    ],
)
def test_the_attention_that_a_gpu_was_given(gpu, requirements, told):
    says = [
        each.says for each in planned([gpu], "590.48.01", "3.12", *requirements).advice if "was made for" in each.says
    ]
    assert len(says) == len(told)
    assert all(what in line for what, line in zip(told, says, strict=True))


@pytest.mark.parametrize(
    ("written", "capability"),
    [
        ("RTX PRO 6000", "12.0"),
        ("5090", "12.0"),
        ("980", "5.2"),
        ("1080 Ti", "6.1"),
        ("rtx4070ti", "8.9"),
        ("DGX Spark", "12.1"),
        ("A5000", "8.6"),
        ("compute_90", "9.0"),
        ("90", "9.0"),
        ("120", "12.0"),
        ("RTX 5000", None),
        ("Blackwell", None),
    ],
)
def test_gpus_as_people_write_them(written, capability):
    """What two generations are called is none of them."""
    if capability is None:
        with pytest.raises(planning.TargetError):
            planning.described([written])
    else:
        assert planning.described([written]).machine.capabilities == (capability,)


# What is read


def test_requirements_files_and_projects(tmp_path):
    (tmp_path / "more.txt").write_text("torchvision\n")
    (tmp_path / "requirements.txt").write_text(
        "# ours\n--extra-index-url https://example.org\n./here\n"
        "torch<2.12 \\\n  --hash=sha256:00  # pinned\n-r more.txt\n"
        "pywin32; sys_platform == 'win32'\n"
    )
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["torch<2.9"]\n')
    a100 = Described(("A100",), "580.95.05")
    plan = command((), (str(tmp_path / "requirements.txt"),), described=a100, python="3.12")
    assert plan.requirements == ("torch<2.12", "torchvision")
    assert [each.says for each in plan.advice if each.about == "left out"] == [
        "requirements.txt: --extra-index-url https://example.org",
        "requirements.txt: ./here",
    ]
    assert plan.choice
    assert (plan.choice.torch, plan.choice.torchvision) == ("2.11.0", "0.26.0")
    plan = command((str(tmp_path / "pyproject.toml"), "torch>=2.6"), described=a100, python="3.12")
    assert plan.requirements == ("torch<2.9,>=2.6",)


@pytest.mark.parametrize(
    ("requirements", "told"),
    [
        (["torch >>= 2"], "is no requirement"),
        (["torch @ https://example.org/torch.whl"], "leaves nothing to choose"),
        (["\x1b[31mtorch=="], "is no requirement"),
        (["nowhere.txt"], "cannot read nowhere.txt"),
        (["x" * 100_000 + "!"], "is no requirement"),
        ([f"p{number}" for number in range(501)], "more than 500"),
    ],
)
def test_what_cannot_be_read_is_one_line(requirements, told):
    with pytest.raises(InputError) as refused:
        command(requirements, described=Described(("A100",)))
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


LETTERS = "torch vllm=<>!~.,;@[]()'\"#-_+*0123456789\n\t\x00\x1b/pyhsmenad"
WORDS = st.text(alphabet=st.sampled_from(LETTERS), max_size=60)


def told(gpu: str, python: str | None, lines: list[str]) -> str:
    """The plan as text, or the line that refuses it."""
    try:
        target = planning.described([gpu], "580.95.05", python)
        return shown(planning.plan(target, planning.wanted(lines, target.machine)))
    except (planning.TargetError, planning.BadRequirementError) as refused:
        return f"refused: {refused}"


@given(WORDS, WORDS, WORDS)
@settings(max_examples=150, deadline=None)
def test_whatever_is_written_is_a_plan_or_one_line(gpu, requirement, python):
    for lines in ([*planning.read_requirements(requirement).lines], [f"torch; {requirement}"], [f"torch{requirement}"]):
        said = told(gpu or "A100", python or None, lines)
        assert "knowledge" in said or said.count("\n") == 0
        assert len(said) < 400 or "knowledge" in said


@pytest.mark.parametrize(
    "requirement",
    [
        "torch; python_version ~= 'x'",
        "torch; sys_platform ~= 'x'",
        "torch; platform_release > '6'",
        "torch===x",
        "torch==9!1",
    ],
)
def test_odd_requirements_are_a_plan_or_one_line(requirement):
    said = told("A100", "3.12", [requirement])
    assert "knowledge" in said or said.count("\n") == 0


def test_what_cannot_object_is_not_tried_without():
    """The time that a plan takes does not grow with the list of wishes."""
    target = planning.described(["V100"], "580.95.05", "3.15")
    few, many = (planning.wanted([f"package-{n}" for n in range(size)], target.machine) for size in (1, 100))
    assert len([*changes._changes(target, few, None)]) == len([*changes._changes(target, many, None)])
    with pytest.raises(planning.TargetError):
        planning.described([f"{number}.0" for number in range(17)])


def test_files_that_name_each_other_end(tmp_path):
    (tmp_path / "a.txt").write_text("-r b.txt\n")
    (tmp_path / "b.txt").write_text("-r a.txt\ntorch<2.9\n")
    plan = command((), (str(tmp_path / "a.txt"),), described=Described(("A100",)))
    assert plan.requirements == ("torch<2.9",)
    for number in range(60):
        (tmp_path / f"{number}.txt").write_text(f"-r {number + 1}.txt\n" * 100)
    with pytest.raises(InputError, match="more than 50"):
        command((), (str(tmp_path / "0.txt"),), described=Described(("A100",)))


@pytest.mark.parametrize(
    "text", ["[project", "[project]\nname = 1\n", "a = " + "[" * 20_000, '[project]\ndependencies = "torch"']
)
def test_a_broken_project_is_one_line(tmp_path, text):
    path = tmp_path / "pyproject.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"pyproject\.toml"):
        command((str(path),), described=Described(("A100",)))


@pytest.mark.parametrize(
    ("described", "told"),
    [
        ({"gpus": ("RTX 6000",)}, "more than one GPU: NVIDIA RTX 6000 Ada Generation (8.9), Quadro RTX 6000 (7.5)"),
        ({"gpus": ("GeForce RTX 9999",)}, "no GPU called 'GeForce RTX 9999' is known"),
        ({"gpus": ("GeForse RTX 4090",)}, "did you mean NVIDIA GeForce RTX 4090?"),
        ({"gpus": ("A100",), "driver": "newest"}, "is no version such as 580.95.05"),
        ({"gpus": ("A100",), "os": "beos"}, "is not one of linux, windows, wsl"),
        ({"gpus": ("A100",), "machine": "ppc64le"}, "is not one of x86_64, aarch64"),
        ({"gpus": ("A100",), "glibc": "musl"}, "is no version such as 2.35"),
    ],
)
def test_a_machine_that_is_described_amiss(described, told):
    with pytest.raises(InputError) as refused:
        command(described=Described(**described))
    assert told in str(refused.value)


# What is written

FORMS = ("pip", "uv", "conda", "pixi", "poetry", "requirements", "pyproject", "environment", "dockerfile")
HOSTILE = "transformers[a]>=4; python_version > '3'"


@pytest.mark.parametrize("tool", FORMS)
@pytest.mark.parametrize(("gpu", "driver"), [("V100", "580.95.05"), ("H100", "595.58.03")])
def test_every_form_says_the_same_build(tool, gpu, driver):
    plan = planned([gpu], driver, "3.12", "torch", "torchvision", tool=tool)
    chosen = plan.choice
    assert chosen
    lines = "\n".join(block(chosen))
    assert chosen.torch in lines
    if chosen.channel:
        assert f"cuda-version={chosen.tag[2:4]}.{chosen.tag[4]}" in lines
    elif chosen.index:
        assert chosen.index in lines
    else:
        assert "download.pytorch.org" not in lines
    assert chosen.commands
    for command_line in chosen.commands:
        assert shlex.split(command_line)
    if chosen.file.endswith(".toml"):
        tomllib.loads(chosen.text)


def test_uv_keeps_to_the_index():
    chosen = planned(["V100"], "580.95.05", "3.12", "torch", "torchvision", HOSTILE, tool="uv").choice
    assert chosen
    document = tomllib.loads(chosen.text)
    tool = document["tool"]["uv"]
    assert tool["index"] == [
        {"name": "pytorch-cu126", "url": "https://download.pytorch.org/whl/cu126", "explicit": True}
    ]
    assert set(tool["sources"]) == {"torch", "torchvision"}
    assert {source[0]["index"] for source in tool["sources"].values()} == {"pytorch-cu126"}
    names = {Requirement(line).name for line in document["project"]["dependencies"]}
    assert names == {"torch", "torchvision", "transformers"}
    assert document["project"]["requires-python"] == "==3.12.*"


def test_poetry_and_pixi_keep_to_the_index():
    poetry = planned(["V100"], "580.95.05", "3.12", "torch", tool="poetry").choice
    pixi = planned(["V100"], "580.95.05", "3.12", "torch", tool="pixi").choice
    assert poetry
    assert pixi
    source = tomllib.loads(poetry.text)["tool"]["poetry"]
    assert source["source"][0]["priority"] == "explicit"
    assert source["dependencies"]["torch"] == {"source": source["source"][0]["name"]}
    entry = tomllib.loads(pixi.text)["pypi-dependencies"]["torch"]
    assert entry == {"version": "==2.14.1", "index": "https://download.pytorch.org/whl/cu126"}


def test_conda_gets_what_conda_forge_has():
    chosen = planned(["V100"], "580.95.05", "3.12", tool="conda").choice
    assert chosen
    assert (chosen.torch, chosen.tag, chosen.channel) == ("2.13.0", "cu129", "conda-forge")
    assert "pip" not in " ".join(chosen.commands)
    none = planned(["V100"], "580.95.05", "3.12", "flash-attn", tool="conda")
    assert none.choice is None
    old_driver = planned(["K80"], "470.161.03", "3.12", tool="environment")
    assert old_driver.choice is None
    assert "installer" in {other.by for other in old_driver.alternatives}


@pytest.mark.parametrize("width", [40, 60, 120])
def test_no_line_is_wider_than_asked_but_what_is_copied(width):
    plan = planned(["V100", "A100"], "580.95.05", "3.12", "torch>=2.5", "torchvision")
    assert plan.choice
    lines = shown(plan, width=width).splitlines()
    copied = {f"    {line}" for line in plan.choice.commands}
    assert [line for line in lines if len(line) > width and line not in copied and " " in line.strip()] == []
