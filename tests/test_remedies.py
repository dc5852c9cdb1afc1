"""Remedies: every command that can be printed names what exists, suits the machine and is safe to paste."""

import dataclasses
import itertools
import re
import shlex
import tomllib
from importlib.resources import files

import pytest
from present import present

from cudacheck import knowledge, remedies
from cudacheck.model.facts import Facts
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.system import System
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.remedies import article, installers

BUILDS = tomllib.loads(files(knowledge).joinpath("torch_builds.toml").read_text())
INSTALLERS = ("pip", "uv", "conda", "poetry", "pixi")
PYTHONS = [f"3.{minor}.1" for minor in range(8, 16)]
DRIVERS = (
    *("450.51.06", "450.80.02", "470.161.03", "520.61", "525.60.11", "525.60.13", "535.129.03", "550.54"),
    *("560.35", "570.26", "580.65.06", "595.45", "610.43"),
)
CAPABILITIES = sorted(
    {row["compute_capability"] for row in tomllib.loads(files(knowledge).joinpath("gpus.toml").read_text())["chips"]},
    key=knowledge.as_version,
)


def interpreter(installer="pip", python="/home/me/my env/bin/python", **more):
    usual = Interpreter("3.12.3", python, prefix="/home/me/my env", base_prefix="/usr", has_pip=True)
    return dataclasses.replace(usual, **{"os": "linux", "machine": "x86_64", "installer": installer, **more})


def machine(*more, driver="535.129.03", capability="8.6", **about_interpreter):
    facts = Facts([Gpu(0, "NVIDIA A10", compute_capability=capability), Nvml(True, driver_version=driver)])
    facts.add(interpreter(**about_interpreter))
    for fact in more:
        facts.add(fact)
    return facts


def installed(*specs, installer="pip"):
    pairs = (spec.split("==") for spec in specs)
    return [Distribution(name, version, installer=installer) for name, version in pairs]


def words(commands):
    return [shlex.split(command) for command in commands]


TORCH = TorchBuild("2.15.0+cu132", cuda="13.2", arch_list=("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"))
FAMILY = installed("torch==2.15.0", "torchvision==0.29.2", "torchaudio==2.11.0")


# Every command over the whole product


def row_of(version, tag, host):
    minor = version.rpartition(".")[0]
    return next(
        row
        for row in BUILDS["builds"]
        if row["torch"] in (version, minor)
        and row["tag"] == tag
        and row.get("machine", "x86_64") == host
        and "os" not in row
    )


def named_build(remedy):
    """The torch version and index tag that a remedy's commands or edit name."""
    told = "\n".join([*remedy.commands, remedy.edit])
    version = present(re.search(r"(?:^| )torch(?: = \{ version = \")?==([\d.]+)", told, re.MULTILINE))[1]
    tags = set(re.findall(r"https://download\.pytorch\.org/whl/(\w+)", told))
    assert len(tags) <= 1
    for command in remedy.commands:
        assert command.count("--index-url") <= 1
        shlex.split(command)
    return version, next(iter(tags), None)


def check(remedy, capability, driver, python, host):
    version, tag = named_build(remedy)
    release = next(row for row in BUILDS["releases"] if row["version"] == version)
    row = row_of(version, tag or release["default"], host)
    assert release["verified"]
    assert row["verified"]
    assert row.get("index", True) is (tag is not None)
    archs = [f"sm_{arch.replace('.', '')}" for arch in row["archs"].split()]
    assert knowledge.covers(archs, capability)
    floor = {"11": "450.80.02", "12": "525.60.13", "13": "580.65.06"}[knowledge.cuda_of_tag(row["tag"]).split(".")[0]]
    assert knowledge.as_version(driver) >= knowledge.as_version(floor)
    assert python.rpartition(".")[0] in release["pythons"]
    for partner in ("torchvision", "torchaudio"):
        told = re.search(rf"{partner}(?: = \{{ version = \")?==([\d.]+)", "\n".join([*remedy.commands, remedy.edit]))
        if told:
            assert release["companions_verified"]
            assert release[partner] == told[1]
            assert python.rpartition(".")[0] not in release.get(f"pythons_without_{partner}", ())


@pytest.mark.parametrize("host", ["x86_64", "aarch64"])
def test_every_torch_command_names_a_build_that_suits_the_machine(host):
    printed, forms = 0, set()
    for capability, driver, python in itertools.product(CAPABILITIES, DRIVERS, PYTHONS):
        facts = Facts([Gpu(0, compute_capability=capability), Nvml(True, driver_version=driver), *FAMILY[:2]])
        facts.add(dataclasses.replace(interpreter(), version=python, machine=host))
        for remedy in remedies.torch_build(facts):
            assert remedy.verify
            if remedy.title.startswith("install PyTorch"):
                check(remedy, capability, driver, python, host)
                printed += 1
                if (form := (python, remedy.commands)) not in forms:
                    forms.add(form)
                    check_all_installers(facts, capability, driver, python, host)
    assert printed > 200


def check_all_installers(facts, capability, driver, python, host):
    """What is chosen does not depend on the installer, so each choice is spelled once for each of them."""
    for installer in INSTALLERS:
        env = dataclasses.replace(interpreter(installer), version=python, machine=host)
        spelled = remedies.torch_build(Facts([*facts.all(Gpu), *facts.all(Nvml), *FAMILY[:2], env]))[0]
        check(spelled, capability, driver, python, host)


@pytest.mark.parametrize("version", ["2.0.1", "2.4.0", "2.5.1", "2.6.0", "2.7.1", "2.8.0", "2.11.0", "2.13.0"])
def test_the_installed_release_stays_where_a_tag_of_it_works(version):
    for capability, driver in itertools.product(CAPABILITIES, DRIVERS):
        torch = TorchBuild(f"{version}+cpu")
        facts = machine(torch, *FAMILY, driver=driver, capability=capability, python="/v/bin/python")
        for remedy in remedies.torch_build(facts, keep_version=True):
            if remedy.title.startswith("install PyTorch"):
                assert named_build(remedy)[0] == version
                check(remedy, capability, driver, "3.12.3", "x86_64")


# The choice


def first(*args, **kwargs):
    return named_build(remedies.torch_build(machine(*args, **kwargs))[0])


@pytest.mark.parametrize(
    ("build", "capability", "driver", "chosen"),
    [
        ("2.15.0+cu132", "8.6", "535.129.03", ("2.14.1", "cu126")),
        ("2.7.0+cu126", "12.0", "570.133.07", ("2.7.0", "cu128")),
        ("2.8.0+cu128", "6.0", "550.54", ("2.8.0", "cu126")),
        ("2.11.0+cu128", "7.0", "550.54", ("2.11.0", "cu126")),
        ("2.4.0+cu121", "12.0", "570.133.07", ("2.14.1", "cu126")),
        ("2.8.0+cpu", "8.6", "570.133.07", ("2.8.0", "cu128")),
        ("2.8.0+cpu", "8.6", "560.35.05", ("2.8.0", "cu126")),
        ("2.7.1+cpu", "8.6", "470.57.02", ("2.7.1", "cu118")),
        ("2.9.0.dev20250801+cu118", "8.6", "580.95.05", ("2.15.0", None)),
    ],
)
def test_the_choice(build, capability, driver, chosen):
    cuda = None if build.endswith("cpu") else knowledge.cuda_of_tag(build.partition("+")[2])
    if chosen == ("2.14.1", "cu126") and capability == "12.0":
        chosen = ("2.11.0", "cu128")  # cu126 has no kernels for Blackwell
    assert first(TorchBuild(build, cuda=cuda), capability=capability, driver=driver) == chosen


@pytest.mark.parametrize(("capability", "oldest"), [("8.6", "525.60.13"), ("12.0", "570.26")])
def test_where_the_driver_is_unknown_the_title_names_the_oldest_that_will_do(capability, oldest):
    facts = Facts([Gpu(0, compute_capability=capability), interpreter()])
    assert f"(driver {oldest} or newer)" in remedies.torch_build(facts)[0].title


def test_all_gpus_are_served():
    facts = machine(Gpu(1, "Tesla V100-SXM2-32GB"), capability="8.0", driver="580.95.05")
    version, tag = named_build(remedies.torch_build(facts)[0])
    assert (version, tag) == ("2.14.1", "cu126")


def test_the_windows_driver_counts_under_wsl():
    wsl = System("linux", wsl=2, distribution="Ubuntu 24.04.1 LTS")
    assert first(wsl, driver="527.41")[1] == "cu126"
    assert "Windows" in remedies.torch_build(machine(wsl, driver="452.30"))[0].title


def test_an_old_glibc_gets_a_build_from_before_manylinux_2_28():
    version, _ = first(System("linux", glibc="2.17"), driver="550.54")
    assert version == "2.6.0"


def test_windows_paths_are_quoted_for_windows():
    windows = interpreter(python=r"C:\Program Files\Python\python.exe", os="windows", machine="AMD64")
    facts = Facts([Gpu(0, "NVIDIA A10"), Nvml(True, driver_version="581.15"), windows, TorchBuild("2.10.0+cpu")])
    remedy = remedies.torch_build(facts)[0]
    assert remedy.commands[0].startswith('"C:\\Program Files\\Python\\python.exe" -m pip uninstall -y torch ')
    assert remedy.verify == 'cudacheck doctor --python "C:\\Program Files\\Python\\python.exe"'


def test_a_machine_that_nothing_serves_gets_words_without_a_command():
    (remedy,) = remedies.torch_build(machine(capability="3.5", driver="470.161.03"))
    assert not remedy.commands
    assert "compute capability 3.5" in remedy.title
    assert not remedies.torch_build(machine(System("linux", jetson=True), capability="8.7"))[0].commands


def test_a_driver_that_runs_nothing_is_upgraded():
    (remedy,) = remedies.torch_build(machine(System("linux", distribution="Ubuntu 22.04.4 LTS"), driver="418.67"))
    assert remedy.commands == ("sudo apt update", "sudo apt install nvidia-driver-580-open")
    assert remedy.needs_root
    assert remedy.needs_reboot


def test_the_driver_is_offered_where_only_it_is_in_the_way():
    build, driver = remedies.torch_build(machine(TORCH, *FAMILY))
    assert build.commands
    assert driver.title.startswith("upgrade the NVIDIA driver to 580.65.06 or newer")
    too_new_as_well = dataclasses.replace(TORCH, arch_list=("sm_90",))
    assert len(remedies.torch_build(machine(too_new_as_well, *FAMILY))) == 1


# The family and its wheels


def test_companions_come_in_the_same_command_and_all_go_first():
    facts = machine(TORCH, *FAMILY, *installed("nvidia-ml-py==13.580"), python="/v/bin/python")
    facts.mark_complete(Distribution)
    uninstall, install = words(remedies.torch_build(facts)[0].commands)
    assert uninstall == ["/v/bin/python", "-m", "pip", "uninstall", "-y", "torch", "torchvision", "torchaudio"]
    assert install[4:7] == ["torch==2.14.1", "torchvision==0.29.1", "torchaudio==2.11.0"]


@pytest.mark.parametrize("known", [[], FAMILY[:1], FAMILY[:2], FAMILY])
def test_what_goes_comes_back_where_nobody_told_what_is_there(known):
    remedy = remedies.torch_build(machine(TORCH, *known))[0]
    uninstall, install = words(remedy.commands)
    gone = set(uninstall) & {"torch", "torchvision", "torchaudio"}
    assert {spec.partition("==")[0] for spec in install if "==" in spec} == gone
    assert gone == {"torch", "torchvision", "torchaudio"}
    assert ("whether" in remedy.title) is (known is not FAMILY)
    cpu = remedies.cpu_build(machine(TORCH, *known))
    assert len(gone & set(words(cpu.commands)[0])) == sum("==" in word for word in words(cpu.commands)[1])


def test_wheels_of_the_other_cuda_major_go_before_anything_is_installed():
    other = installed(
        "nvidia-cudnn-cu13==9.26.0.51", "nvidia-cublas==13.2.1", "cuda-toolkit==13.2.2", "nvidia-ml-py==13.580"
    )
    same = installed("nvidia-nccl-cu12==2.27.3")
    facts = machine(TORCH, *FAMILY[:1], *other, *same, python="/v/bin/python")
    facts.mark_complete(Distribution)
    uninstall, install = words(remedies.torch_build(facts)[0].commands)
    assert uninstall[5:] == ["torch", "cuda-toolkit", "nvidia-cublas", "nvidia-cudnn-cu13"]
    assert install[3] == "install"


def test_a_partner_that_does_not_exist_is_named():
    facts = Facts([Gpu(0, compute_capability="8.6"), Nvml(True, driver_version="580.95.05"), *FAMILY])
    facts.add(dataclasses.replace(interpreter(), version="3.13.0"))
    facts.add(TorchBuild("2.5.1+cpu"))
    remedy = remedies.torch_build(facts)[0]
    assert "there is no torchaudio and no torchvision for it" in remedy.title
    assert "torch==2.5.1" in remedy.commands[-1]
    assert "torchaudio" not in remedy.commands[-1]
    assert "torchaudio" in remedy.commands[0]


@pytest.mark.parametrize(
    ("build", "driver", "named"),
    [
        (TORCH, "535.129.03", True),
        (dataclasses.replace(TORCH, version="2.14.1+cu130", cuda="13.0"), "535.129.03", True),
        (TorchBuild("2.8.0+cpu"), "580.95.05", True),
        (TorchBuild("2.8.0+cu126", cuda="12.6"), "580.95.05", False),
    ],
    ids=["another minor", "another CUDA major", "from the CPU build", "the same minor and major"],
)
def test_what_was_built_for_the_pytorch_that_goes_is_named(build, driver, named):
    extensions = installed("flash-attn==2.8.3", "xformers==0.0.35", "vllm==0.33.0", "transformers==5.0.0")
    remedy = remedies.torch_build(machine(build, *FAMILY[:1], *extensions, driver=driver))[0]
    assert remedy.commands
    assert ("flash-attn and vllm and xformers" in remedy.title) is named
    assert "transformers" not in remedy.title


def test_a_pytorch_that_no_table_knows_is_named_as_such():
    (remedy,) = remedies.torch_build(machine(TorchBuild("2.16.0+cu134", cuda="13.4"), driver="535.129.03"))
    assert not remedy.commands
    assert "torch 2.16.0+cu134 is newer than all that cudacheck knows (2.15.0, as of 2026-" in remedy.title


@pytest.mark.parametrize("driver", [None, "570.124.06", "580.95.05", "620.70.06"])
def test_a_gpu_that_nobody_has_seen_may_be_the_newest(driver):
    facts = Facts([interpreter()])
    facts.add(Nvml(None, driver_version=driver))
    remedy = remedies.torch_build(facts)[0]
    version, tag = named_build(remedy)
    tag = tag or present(knowledge.default_index_tag(version))
    archs = present(knowledge.archs_of(version, knowledge.cuda_of_tag(tag)))
    assert knowledge.covers(archs, "12.0")
    assert knowledge.covers(archs, "10.0")
    assert "for GPUs of compute capability" in remedy.title
    assert ("driver 525.60.13 or newer, 570.26 for the newest" in remedy.title) is (driver is None)


def test_a_gpu_that_nobody_has_seen_is_not_guessed_at():
    old = dataclasses.replace(interpreter(), version="3.8.18")
    (remedy,) = remedies.torch_build(Facts([old]))
    assert not remedy.commands
    assert remedy.title.startswith("find out which GPU this is")
    assert remedies.torch_build(Facts([old, Nvml(True, driver_version="535.129.03")]))[0].commands


def test_thor_takes_the_stock_wheels_and_orin_does_not():
    board = System("linux", jetson=True, machine="aarch64")
    thor = machine(board, machine="aarch64", capability="11.0", driver="580.00")
    assert named_build(remedies.torch_build(thor)[0]) == ("2.15.0", None)
    orin = machine(board, machine="aarch64", capability="8.7", driver="540.4.0")
    assert not remedies.torch_build(orin)[0].commands
    assert "JetPack" in remedies.upgrade_driver(thor, "595.45").title


def test_without_a_gpu_the_cpu_build():
    remedy = remedies.cpu_build(Facts([interpreter(python="/v/bin/python"), *FAMILY[:2]]))
    assert remedy.commands[-1] == (
        "/v/bin/python -m pip install torch==2.14.1 torchvision==0.29.1 --index-url https://download.pytorch.org/whl/cpu"
    )
    old = remedies.cpu_build(Facts([dataclasses.replace(interpreter(), version="3.8.18")]))
    assert "torch==2.4.1" in old.commands[-1]
    assert "torch==2.5.1" in remedies.cpu_build(Facts([interpreter(), System("linux", glibc="2.17")])).commands[-1]
    assert not remedies.cpu_build(Facts([Interpreter("3.12.3", os="darwin")])).commands


# Each installer's spelling


def test_pip_paths_with_spaces_are_quoted():
    command = remedies.torch_build(machine())[0].commands[-1]
    assert shlex.split(command)[:4] == ["/home/me/my env/bin/python", "-m", "pip", "install"]


def test_uv():
    commands = words(remedies.torch_build(machine(TORCH, installer="uv"))[0].commands)
    assert commands[0][:6] == ["uv", "pip", "uninstall", "--python", "/home/me/my env/bin/python", "torch"]
    assert commands[1][:5] == ["uv", "pip", "install", "--python", "/home/me/my env/bin/python"]
    assert commands[1][-2:] == ["--index-url", "https://download.pytorch.org/whl/cu126"]


def test_conda_removes_its_own_pytorch_and_goes_on_with_pip():
    packages = installed("pytorch==2.5.1", "pytorch-cuda==12.4", "torchvision==0.20.1", "numpy==2.0", installer="conda")
    facts = machine(*packages, installer="conda", python="/c/envs/a/bin/python", conda_prefix="/c/envs/a")
    facts.mark_complete(Distribution)
    remove, install = words(remedies.torch_build(facts)[0].commands)
    assert remove == ["conda", "remove", "-p", "/c/envs/a", "pytorch", "pytorch-cuda", "torchvision"]
    assert install[:4] == ["/c/envs/a/bin/python", "-m", "pip", "install"]


def test_a_pip_torch_in_a_conda_environment_stays_pips():
    facts = machine(TORCH, *FAMILY, installer="conda", python="/c/bin/python")
    assert all(command.startswith("/c/bin/python -m pip") for command in remedies.torch_build(facts)[0].commands)


def test_poetry():
    facts = machine(TORCH, *FAMILY[:2], installer="poetry")
    facts.mark_complete(Distribution)
    remedy = remedies.torch_build(facts)[0]
    assert remedy.commands == (
        "poetry source add --priority explicit pytorch-cu126 https://download.pytorch.org/whl/cu126",
        "poetry add --source pytorch-cu126 torch==2.14.1 torchvision==0.29.1",
    )


def test_pixi():
    remedy = remedies.torch_build(machine(TORCH, *FAMILY[:2], installer="pixi"))[0]
    assert remedy.commands == ("pixi install",)
    wanted = tomllib.loads(remedy.edit)["pypi-dependencies"]
    assert wanted["torchvision"] == {"version": "==0.29.1", "index": "https://download.pytorch.org/whl/cu126"}


def test_a_paste_without_a_path_gets_plain_pip():
    facts = Facts([Gpu(0, "NVIDIA A10"), Nvml(True, driver_version="535.129.03"), Interpreter("3.12.3")])
    remedy = remedies.torch_build(facts)[0]
    assert remedy.commands[0].startswith("python -m pip install torch==")
    assert remedy.verify == "cudacheck doctor"


def test_a_python_that_the_distribution_manages_gets_an_environment_of_its_own():
    facts = machine(externally_managed=True, prefix="/usr", python="/usr/bin/python3")
    remedy = remedies.torch_build(facts)[0]
    assert remedy.commands[0] == "/usr/bin/python3 -m venv .venv"
    assert remedy.commands[1].startswith(".venv/bin/python -m pip install torch==")
    assert remedy.verify == "cudacheck doctor --python .venv/bin/python"
    assert not remedies.uninstall(facts, ["torch"]).commands
    inside = machine(externally_managed=True)
    assert ".venv" not in remedies.torch_build(inside)[0].commands[0]


def test_an_environment_without_pip_gets_it_first():
    commands = remedies.torch_build(machine(has_pip=False, python="/v/bin/python"))[0].commands
    assert commands[0] == "/v/bin/python -m ensurepip --upgrade"


@pytest.mark.parametrize("installer", INSTALLERS)
def test_reinstalling_and_removing_is_spelled_for_every_installer(installer):
    facts = machine(TorchBuild("2.8.0+cu128", cuda="12.8"), installer=installer, python="/v/bin/python")
    for remedy in (
        remedies.reinstall_torch(facts),
        remedies.reinstall_wheels(facts, ["nvidia-cudnn-cu12==9.10.2.21"]),
        remedies.uninstall(facts, ["nvidia-cudnn-cu13"]),
    ):
        assert remedy.commands
        assert remedy.verify
        assert all(words(remedy.commands))


def test_reinstalling_torch():
    facts = machine(TorchBuild("2.8.0+cu128", cuda="12.8"), python="/v/bin/python")
    assert remedies.reinstall_torch(facts).commands == (
        (
            "/v/bin/python -m pip install --force-reinstall --no-deps torch==2.8.0"
            " --index-url https://download.pytorch.org/whl/cu128"
        ),
    )
    assert not remedies.reinstall_torch(machine(TorchBuild("2.4.0+cu128", cuda="12.8"))).commands
    nvidia = TorchBuild("2.8.0a0+5228986c39.nv25.05", cuda="12.9")
    assert not remedies.reinstall_torch(machine(nvidia)).commands


def test_an_extension_of_torch_is_not_torch():
    packages = installed("pytorch==2.5.1", installer="conda")
    facts = machine(*packages, installer="conda", conda_prefix="/c")
    remedy = remedies.install(facts, ["torch-scatter==2.1.2"], title="install it")
    assert all("conda remove" not in command for command in remedy.commands)


# Drivers, variables, restarts


@pytest.mark.parametrize(
    ("distribution", "capability", "commands"),
    [
        ("Ubuntu 24.04.1 LTS", "8.6", ("sudo apt update", "sudo apt install nvidia-driver-580-open")),
        ("Ubuntu 24.04.1 LTS", "7.5", ("sudo apt update", "sudo apt install nvidia-driver-580-open")),
        ("Ubuntu 22.04.4 LTS", "6.1", ("sudo apt update", "sudo apt install nvidia-driver-580")),
        ("Ubuntu 20.04.6 LTS", "8.6", ()),
        ("Ubuntu 24.04.1 LTS", "3.7", ()),
        ("Debian GNU/Linux 12 (bookworm)", "8.6", ()),
        (
            "Fedora Linux 43 (Workstation Edition)",
            "8.6",
            ("sudo dnf install --refresh akmod-nvidia xorg-x11-drv-nvidia-cuda",),
        ),
        ("Rocky Linux 9.4 (Blue Onyx)", "9.0", ("sudo dnf install --refresh nvidia-open",)),
        ("Arch Linux", "8.9", ("sudo pacman -Syu nvidia-open",)),
        ("Arch Linux", "6.1", ()),
        (None, "8.6", ()),
    ],
)
def test_the_driver_by_distribution(distribution, capability, commands):
    facts = machine(System("linux", distribution=distribution), capability=capability)
    remedy = remedies.upgrade_driver(facts, "525.60.13" if capability != "3.7" else "450.80.02")
    assert remedy.commands == commands
    assert remedy.needs_root
    assert remedy.needs_reboot
    assert remedy.verify == "nvidia-smi"


def test_the_driver_lives_elsewhere():
    assert "HOST" in remedies.upgrade_driver(machine(System("linux", container="docker")), "580.65.06").title
    assert "Windows" in remedies.upgrade_driver(machine(System("linux", wsl=2)), "580").title
    assert not remedies.upgrade_driver(machine(System("windows")), "580").commands


def test_no_driver_serves_an_old_gpu_with_a_new_cuda():
    remedy = remedies.upgrade_driver(machine(capability="3.7"), "525.60.13")
    assert not remedy.commands
    assert "470 is the last" in remedy.title
    assert "580 is the last" in remedies.upgrade_driver(machine(capability="7.0"), "595.45.04").title


@pytest.mark.parametrize(("capability", "least"), [("12.0", "570.26"), ("10.3", "575.51.03"), ("8.6", "525.60.13")])
def test_no_driver_is_named_that_is_older_than_the_gpu(capability, least):
    remedy = remedies.upgrade_driver(machine(driver="470.161.03", capability=capability), "525.60.13")
    assert f" to {least} or newer" in remedy.title


def test_variables_and_restarts():
    facts = machine()
    assert remedies.set_variable(facts, "CUDA_HOME", "/opt/my cuda").commands == ("export CUDA_HOME='/opt/my cuda'",)
    assert remedies.unset_variable(facts, "LD_LIBRARY_PATH").commands == ("unset LD_LIBRARY_PATH",)
    windows = machine(os="windows")
    assert remedies.set_variable(windows, "A", "b").commands == ('set "A=b"',)
    assert remedies.unset_variable(windows, "A").commands == ('set "A="',)
    assert remedies.reboot().needs_reboot


# flash-attn and the article


def test_flash_attn_is_the_wheel_for_this_torch():
    facts = machine(TorchBuild("2.8.0+cu128", cuda="12.8"), System("linux", glibc="2.39"), python="/v/bin/python")
    (remedy,) = remedies.flash_attn(facts)
    assert remedy.commands[-1].endswith("flash_attn-2.8.3+cu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl")
    facts.add(Distribution("flash-attn", "2.7.3"))
    assert remedies.flash_attn(facts)[0].commands[0] == "/v/bin/python -m pip uninstall -y flash-attn"


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        (machine(TorchBuild("2.13.0+cu130", cuda="13.0")), "no official flash-attn wheel"),
        (machine(TorchBuild("2.8.0+cu128", cuda="12.8"), capability="7.5"), "no kernels for compute capability 7.5"),
        (machine(TorchBuild("2.8.0+cu128", cuda="12.8"), System("linux", glibc="2.28")), "need glibc 2.32"),
        (machine(), "not known"),
        (machine(python="/v/bin/python"), "not known"),
        (Facts([TorchBuild("2.8.0+cu128", cuda="12.8")]), "not known"),
    ],
)
def test_without_a_wheel_sdpa_is_advised(facts, why):
    (remedy,) = remedies.flash_attn(facts)
    assert why in remedy.title
    assert not remedy.commands
    assert 'attn_implementation="sdpa"' in remedy.edit


@pytest.mark.parametrize("number", range(1, 10))
@pytest.mark.parametrize(
    "facts", [Facts(), machine(dataclasses.replace(TORCH, cudnn_pin="nvidia-cudnn-cu13==9.26.0.51"))]
)
def test_the_articles_blocks_are_filled_in_for_any_machine(number, facts):
    remedy = article.block(number, facts)
    assert remedy.commands or remedy.edit or number == 7
    assert remedy.verify
    assert all(words(remedy.commands))
    if number in (4, 5, 6):
        compile(remedy.edit, "block", "exec")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (machine(driver="535.129.03"), "needs driver 580.65.06"),
        (machine(driver="580.95.05", capability="7.0"), "without kernels for compute capability 7.0"),
        (machine(driver="581.15", os="windows"), "does not run on Windows"),
        (Facts([dataclasses.replace(interpreter(), version="3.10.4")]), "wants Python 3.11 to 3.14"),
        (Facts([dataclasses.replace(interpreter(), version="3.15.0")]), "wants Python 3.11 to 3.14"),
        (machine(System("linux", jetson=True), machine="aarch64", capability="8.7"), "Jetson"),
    ],
)
def test_vllm_is_not_advised_where_it_cannot_work(facts, words):
    remedy = article.block(7, facts)
    assert words in remedy.title
    assert not remedy.commands


def test_vllm_where_it_works():
    remedy = article.block(7, machine(driver="580.95.05"))
    assert "vllm==" in remedy.commands[1]
    assert "pins torch 2.14.0" in remedy.title
    assert "needs" not in remedy.title
    assert "needs Python 3.11 to 3.14 and driver 580.65.06 or newer" in article.block(7, Facts()).title


def test_the_articles_steps():
    assert len(article.STEPS) == 68
    verdicts = {"true", "false", "outdated", "misleading", "missing", "unverifiable", "implausible"}
    assert {step.verdict for step in article.STEPS} == verdicts
    assert {step.block for step in article.STEPS} == set(range(10))
    assert all("\n" not in step.claim + step.truth and step.truth for step in article.STEPS)


def test_old_gpus_get_float16_in_the_articles_code():
    assert "bfloat16" in article.block(4, machine()).edit
    assert "bfloat16" not in article.block(4, machine(capability="7.5")).edit


def test_quoting():
    posix = installers.Environment("pip", "/v/bin/python")
    windows = dataclasses.replace(posix, windows=True)
    assert installers.quoted("ctranslate2>=4.5", posix) == "'ctranslate2>=4.5'"
    assert installers.quoted("ctranslate2>=4.5", windows) == '"ctranslate2>=4.5"'
    assert installers.quoted("torch==2.8.0", windows) == "torch==2.8.0"
    assert installers.quoted('C:\\a" & calc & "', windows) == '"C:\\a & calc & "'
    assert installers.quoted("/a; calc", posix) == "'/a; calc'"


def test_the_article_keeps_a_pytorch_that_suits():
    h200 = Gpu(0, "NVIDIA H200", compute_capability="9.0")
    archs = ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120")
    build = TorchBuild("2.11.0+cu130", cuda="13.0", arch_list=archs)
    suits = Facts([h200, build, Nvml(library_found=True, driver_version="580.159.04")])
    assert article.block(1, suits).commands == ()
    assert "keep PyTorch 2.11.0+cu130" in article.block(1, suits).title
    too_old = Facts([h200, build, Nvml(library_found=True, driver_version="535.129.03")])
    assert any("/whl/cu12" in command for command in article.block(1, too_old).commands)
