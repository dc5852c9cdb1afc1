"""Plans: what they choose by an oracle that reads no table of ours, what they say, and how each tool is told."""

from __future__ import annotations

import dataclasses
import json
import random
import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machine import Machine
from machines import bare_metal
from packaging.requirements import Requirement
from patients import CUDACHECK, clean_environment
from plan_oracle import Case, cases, faults, wrongly_ruled_out
from pydantic import TypeAdapter
from workshop import Workshop

from cudacheck import planning
from cudacheck.commands.doctor import InputError
from cudacheck.commands.plan import Described
from cudacheck.commands.plan import plan as command
from cudacheck.planning import InstallPlan, answer, changes
from cudacheck.render import plan as rendering

SAMPLE = random.Random(14).sample(cases(), 300)


def planned(
    gpus: list[str], driver: str | None, python: str | None, *requirements: str, tool: str | None = None
) -> InstallPlan:
    target = planning.described(gpus, driver, python)
    return planning.plan(target, planning.wanted(requirements, target.machine), tool)


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
    chosen = planned(["A100"], "580.95.05", "3.12", "transformers[torch]>=4.40", "torch").choice
    assert chosen
    assert chosen.packages == {"transformers": ""}
    assert any("'transformers[torch]>=4.40'" in line for line in chosen.commands)


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
        "# ours\n--extra-index-url https://example.org\ntorch<2.12 \\\n  --hash=sha256:00  # pinned\n-r more.txt\n"
        "pywin32; sys_platform == 'win32'\n"
    )
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["torch<2.9"]\n')
    a100 = Described(("A100",), "580.95.05")
    plan = command((), (str(tmp_path / "requirements.txt"),), described=a100, python="3.12")
    assert plan.requirements == ("torch<2.12", "torchvision")
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
        return rendering.as_text(planning.plan(target, planning.wanted(lines, target.machine)))
    except (planning.TargetError, planning.RequirementError) as refused:
        return f"refused: {refused}"


@given(WORDS, WORDS, WORDS)
@settings(max_examples=150, deadline=None)
def test_whatever_is_written_is_a_plan_or_one_line(gpu, requirement, python):
    for lines in ([*planning.lines_of_requirements(requirement)], [f"torch; {requirement}"], [f"torch{requirement}"]):
        said = told(gpu or "A100", python or None, lines)
        assert "known as of" in said or said.count("\n") == 0
        assert len(said) < 400 or "known as of" in said


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
    assert "known as of" in said or said.count("\n") == 0


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
    block = rendering.block(chosen)
    assert chosen.torch in block
    if chosen.channel:
        assert f"cuda-version={chosen.tag[2:4]}.{chosen.tag[4]}" in block
    elif chosen.index:
        assert chosen.index in block
    else:
        assert "download.pytorch.org" not in block
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


def test_without_its_library_a_form_says_what_to_install():
    code = "import sys; sys.modules['tomlkit'] = None; from cudacheck.__main__ import main; main()"
    arguments = ["plan", "--gpu", "V100", "--driver", "580", "--python", "3.12", "--emit", "uv"]
    done = subprocess.run([CUDACHECK[0], "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "cudacheck[plan]" in done.stderr


# The command


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CUDACHECK, "plan", *arguments], capture_output=True, text=True, check=False, env=clean_environment()
    )


V100 = ("--gpu", "V100", "--driver", "580.95.05")


def test_exit_codes():
    assert run(*V100, "--python", "3.12").returncode == 0
    assert run(*V100, "--python", "3.15").returncode == 1
    for wrong in (
        ["--gpu", "none such"],
        [*V100, "--check"],
        [*V100, "--from", "-"],
        [*V100, "--emit", "apt"],
        ["--from", "-", "--python", "/usr"],
    ):
        done = run(*wrong)
        assert done.returncode == 2, wrong
        assert len(done.stderr.strip().splitlines()) == 1
        assert done.stdout == ""


def test_json_is_what_its_schema_says():
    for arguments in ((*V100, "--python", "3.12"), (*V100, "--python", "3.15"), ("--gpu", "H100", "vllm")):
        told = json.loads(run(*arguments, "--format", "json").stdout)
        TypeAdapter(InstallPlan).validate_python(told, strict=False)
        schema = answer.json_schema()
        assert set(told) == set(schema["properties"])
        if told["choice"]:
            assert set(told["choice"]) == set(schema["$defs"]["Chosen"]["properties"])


def test_emit_prints_the_file_alone():
    done = run(*V100, "--python", "3.12", "--emit", "uv")
    assert tomllib.loads(done.stdout)["project"]["dependencies"][0] == "torch==2.14.1"
    none = run(*V100, "--python", "3.15", "--emit", "uv")
    assert (none.returncode, none.stdout) == (1, "")
    assert "take Python 3.14" in none.stderr


@pytest.mark.parametrize("width", [40, 60, 120])
def test_no_line_is_wider_than_asked_but_what_is_copied(width):
    plan = planned(["V100", "A100"], "580.95.05", "3.12", "torch>=2.5", "torchvision")
    assert plan.choice
    lines = rendering.as_text(plan, width=width).splitlines()
    copied = {f"    {line}" for line in plan.choice.commands}
    assert [line for line in lines if len(line) > width and line not in copied and " " in line.strip()] == []


# The manual


MANUAL = (Path(__file__).parents[1] / "docs" / "plan.md").read_text(encoding="utf-8")
TYPED = list(dict.fromkeys(re.findall(r"^cudacheck (plan.*?)(?: +#.*)?$", MANUAL, re.MULTILINE)))
ELSEWHERE = [line for line in TYPED if "--gpu" in line or "--from" in line]
HERE = [line for line in TYPED if line not in ELSEWHERE]


@pytest.mark.parametrize("line", ELSEWHERE)
def test_what_the_manual_says_to_type(line, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["torch>=2.6", "numpy"]\n')
    (tmp_path / "requirements.txt").write_text("torch\ntorchvision\n")
    (tmp_path / "tests").symlink_to(Path(__file__).parent)
    command, _, _ = line.partition(" >")
    done = subprocess.run(
        [*CUDACHECK, *shlex.split(command)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**clean_environment(), "COLUMNS": "100"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = f"```sh\ncudacheck {line}\n```\n```text\n"
    if shown in MANUAL:
        assert MANUAL.partition(shown)[2].partition("```")[0] == done.stdout


def test_the_manual_shows_an_answer_and_what_is_typed_here():
    assert "```text" in MANUAL
    assert len(ELSEWHERE) > 10
    assert HERE == ["plan", "plan --python 3.12", "plan --check"]


# Live


@pytest.fixture(scope="module")
def workshop(tmp_path_factory, fake_driver_folder) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("parts"), fake_driver_folder)


@pytest.fixture
def machine(workshop, tmp_path) -> Machine:
    machine = Machine(tmp_path, workshop)
    bare_metal(machine)
    return machine


def on(machine: Machine, *arguments: str) -> subprocess.CompletedProcess[str]:
    patient = machine.patient
    return subprocess.run(
        [*CUDACHECK, "plan", *arguments],
        env={**clean_environment(), **patient.environment},
        cwd=patient.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_on_the_machine_it_stands_on(machine):
    machine.set(FAKE_NAME="Tesla V100-SXM2-16GB", FAKE_CC="70")
    machine.driver("580.95.05", "13.0")
    python = str(machine.patient.python)
    told = json.loads(on(machine, "--python", python, "--format", "json").stdout)
    assert told["machine"]["gpus"] == ["Tesla V100-SXM2-16GB (7.0)"]
    assert told["machine"]["driver"] == "580.95.05"
    assert told["choice"]["tag"] == "cu126"
    assert any(python in line for line in told["choice"]["commands"])


@pytest.mark.parametrize("line", HERE)
def test_what_the_manual_says_to_type_here(machine, line):
    machine.set(VIRTUAL_ENV=str(machine.patient.folder))
    done = on(machine, *shlex.split(line)[1:])
    assert done.stderr == ""
    assert done.returncode == (1 if "--check" in line else 0)
    assert done.stdout


def test_another_python_gets_an_environment_of_its_own(machine):
    told = json.loads(on(machine, "--python", "3.13", "--format", "json").stdout)
    assert told["choice"]["python"] == "3.13"
    assert "venv" in told["choice"]["commands"][0]
    assert ".venv/bin/python" in told["choice"]["commands"][1]


def test_check_prints_the_difference(machine):
    python = str(machine.patient.python)
    done = on(machine, "--python", python, "torch==2.8.0", "--check")
    assert done.returncode in (0, 1)
    told = json.loads(on(machine, "--python", python, "torch", "torchvision", "--check", "--format", "json").stdout)
    differs = {each["package"]: each for each in told["difference"]}
    assert differs["torchvision"]["installed"] is None
    assert differs["torchvision"]["planned"] == told["choice"]["torchvision"]


def test_what_is_installed_already_is_not_installed_again(machine):
    machine.set(FAKE_NAME="NVIDIA A100-SXM4-80GB", FAKE_CC="80")
    machine.driver("580.95.05", "13.0")
    machine.torch("2.8.0+cu128", "12.8", "sm_70 sm_75 sm_80 sm_86 sm_90 sm_100 sm_120")
    machine.patient.distribution("torch", "2.8.0+cu128")
    python = str(machine.patient.python)
    done = on(machine, "--python", python, "torch<2.9", "--check")
    assert (done.returncode, done.stdout.startswith("✓ installed as planned")) == (0, True)
    whole = on(machine, "--python", python, "torch<2.9").stdout
    assert "nothing: it is installed as planned" in whole
    assert " install " not in whole
    newer = on(machine, "--python", python, "torch", "--check")
    assert newer.returncode == 1
    assert "2.8.0 (cu128) → 2." in newer.stdout


def test_a_conda_user_stays_with_conda(machine):
    machine.set(FAKE_NAME="Tesla V100-SXM2-16GB", FAKE_CC="70")
    machine.driver("580.95.05", "13.0")
    machine.conda("pytorch", "2.8.0", "cuda128_py311")
    machine.conda("python", "3.11.7", "0")
    told = json.loads(on(machine, "--python", str(machine.patient.python), "--format", "json").stdout)
    assert told["choice"]["channel"] == "conda-forge"
    assert told["choice"]["commands"][0].startswith(f"conda install --prefix {machine.patient.folder} ")
    assert "installer" in {other["by"] for other in told["alternatives"]}


def test_from_a_report_and_a_paste(tmp_path):
    captures = Path(__file__).parent / "captures"
    done = run("--from", str(captures / "h200-nvidia-smi.txt"), "--python", "3.12", "--format", "json")
    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert told["machine"]["compute_capabilities"] == ["9.0"]
    assert told["choice"]["torch"]
    nothing = tmp_path / "nothing.txt"
    nothing.write_text("hello\n")
    assert run("--from", str(nothing)).returncode == 2
