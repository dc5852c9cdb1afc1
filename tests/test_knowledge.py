"""The tables: every row has its source, the functions answer what is known, and stay quiet about the rest."""

import itertools
import re
import subprocess
import sys
import tomllib
import warnings
from importlib.resources import files

import pytest
from present import present

from cudacheck import knowledge

FILES = (
    *("cuda_drivers", "torch_builds", "gpus", "flash_attn", "cudnn", "triton", "messages", "article", "recipes"),
    *("packages", "conda", "jetson"),
)
TABLES = {name: tomllib.loads(files(knowledge).joinpath(f"{name}.toml").read_text()) for name in FILES}
NO_KEYS = {"executed", "docs", "arithmetic", "reasoning"}
"""Sources of the article's audit that are words of their own."""


@pytest.mark.parametrize("name", FILES)
def test_every_row_has_its_source_and_says_whether_it_is_verified(name):
    for row in itertools.chain(*(value for value in TABLES[name].values() if isinstance(value, list))):
        sources = [row["source"]] if isinstance(row["source"], str) else row["source"]
        assert all(sources), row
        assert sources, row
        keys = {source for source in sources if re.fullmatch(r"[a-z0-9-]+", source)}
        assert keys <= {*TABLES[name]["sources"], *NO_KEYS}, row
        assert name in {"article", "messages"} or isinstance(row["verified"], bool), row


@pytest.mark.parametrize("name", FILES)
def test_every_file_says_when_it_was_checked_and_uses_all_its_sources(name):
    table = TABLES[name]
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", table["checked"])
    used = str([value for key, value in table.items() if key != "sources"])
    # Two sources of gpus.toml explain its `peak_basis`.
    assert {key for key in table["sources"] if repr(key) not in used} <= {"formula", "half-rate"}


def test_importing_the_package_reads_no_table_and_asking_reads_one():
    code = (
        "from cudacheck import knowledge; from cudacheck.knowledge import _tables;"
        "assert _tables.table.cache_info().currsize == 0;"
        "knowledge.gpu('NVIDIA A10');"
        "assert _tables.table.cache_info().currsize == 1"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# Architectures


def test_covers_agrees_with_pytorch_on_every_pair():
    from torch.cuda import DEVICE_REQUIREMENT, _code_compatible_with_device

    # 3.7 and 8.8 stand for what PyTorch's table does not know.
    numbers = [*DEVICE_REQUIREMENT, 37, 88, 101, 110, 130]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for code, device in itertools.product(numbers, numbers):
            expected = _code_compatible_with_device(device, code)
            assert knowledge.covers([f"sm_{code}"], f"{device // 10}.{device % 10}") is bool(expected), (code, device)


@pytest.mark.parametrize(
    ("archs", "capability", "covered"),
    [
        (["sm_90a"], "9.0", True),
        (["sm_90a"], "10.0", False),
        (["sm_100f"], "10.3", True),
        (["sm_100f"], "12.0", False),
        (["compute_70"], "12.0", True),
        (["compute_120"], "9.0", False),
        (["compute_90a"], "10.0", False),
        (["sm_80", "sm_86"], "8.9", True),
        (["sm_80"], "8.7", False),
        (["sm_120"], "12.1", True),
        (["sm_100"], "10.3", True),
        (["nonsense"], "8.0", False),
        ([], "8.0", False),
    ],
)
def test_covers(archs, capability, covered):
    assert knowledge.covers(archs, capability) is covered


@pytest.mark.parametrize(
    ("archs", "capability", "why"),
    [
        (["sm_50", "sm_60", "sm_90"], "12.0", "too-new"),
        (["sm_75", "sm_80"], "7.0", "too-old"),
        (["sm_50", "sm_70", "sm_90"], "6.1", "too-old"),
        (["sm_80", "sm_86"], "8.7", "too-new"),
        (["sm_80", "sm_86", "sm_90"], "8.7", "too-old"),
    ],
)
def test_gap(archs, capability, why):
    assert not knowledge.covers(archs, capability)
    assert knowledge.gap(archs, capability) == why


# Drivers


@pytest.mark.parametrize(
    ("cuda", "linux", "windows"),
    [
        ("9.2", "396.26", "397.44"),
        ("10.0", "410.48", "411.31"),
        ("10.1", "418.39", "418.96"),
        ("10.2", "440.33", "441.22"),
        ("11.1", "450.80.02", "452.39"),
        ("11.8.0", "450.80.02", "452.39"),
        ("12.8", "525.60.13", "527.41"),
        ("13.2", "580.65.06", "580"),
        ("10.7", None, None),
        ("14.0", None, None),
    ],
)
def test_minimum_driver(cuda, linux, windows):
    assert (knowledge.minimum_driver(cuda), knowledge.minimum_driver(cuda, "windows")) == (linux, windows)


@pytest.mark.parametrize(
    ("driver", "minimum", "new_enough"),
    [
        ("525", "525.60.13", True),
        ("525.60", "525.60.13", True),
        ("525.60.13", "525.60.13", True),
        ("525.60.11", "525.60.13", False),
        ("450.80.02", "450.80.02", True),
        ("410.104", "410.48", True),
        ("560.94", "527.41", True),
        ("581.15", "580", True),
        ("576.57", "580", False),
        ("470.57.02", "525.60.13", False),
        ("535.129.03 ", "525.60.13", True),
    ],
)
def test_driver_at_least(driver, minimum, new_enough):
    assert knowledge.driver_at_least(driver, minimum) is new_enough


def test_parse_driver_takes_a_version_or_nothing():
    assert knowledge.parse_driver("535.129.03") == (535, 129, 3)
    assert knowledge.parse_driver("N/A") == ()


@pytest.mark.parametrize(
    ("driver", "cuda"),
    [
        ("384.90", "9.0"),
        ("435.21", "10.1"),
        ("450.51.06", "11.0"),
        ("470.161.03", "11.4"),
        ("472.50", "11.4"),
        ("535.129.03", "12.2"),
        ("566.07", "12.7"),
        ("572.83", "12.8"),
        ("580.95.05", "13.0"),
        ("617.14", "13.4"),
        ("340.108", None),
        ("999.1", None),
        ("630.1", None),
        ("N/A", None),
    ],
)
def test_driver_serves(driver, cuda):
    assert knowledge.driver_serves(driver) == cuda


def test_toolkits_agree_with_the_branches_of_their_drivers():
    for row in TABLES["cuda_drivers"]["toolkits"]:
        minor = ".".join(row["version"].split(".")[:2])
        assert knowledge.driver_serves(row["linux"]) == minor
        assert knowledge.driver_at_least(row["linux"], "450.36")
        if "windows" in row and row["version"] != "11.0.1":
            assert knowledge.driver_serves(row["windows"]) == minor, row


def test_what_a_toolkit_can_compile():
    assert not knowledge.toolkit_compiles("12.6", "12.0")
    assert knowledge.toolkit_compiles("12.8", "12.1")  # by way of 12.0
    assert knowledge.toolkit_compiles("11.0", "8.6")
    assert not knowledge.toolkit_compiles("10.2", "8.6")
    assert not knowledge.toolkit_compiles("13.0", "7.0")
    assert knowledge.toolkit_driver("12.8") == "570.26"
    assert knowledge.toolkit_driver("99.9") is None
    assert knowledge.first_driver("12.0") == "570.26"
    assert knowledge.first_driver("6.1") is None


def test_the_last_driver_of_old_gpus():
    assert [knowledge.last_driver_branch(cc) for cc in ("3.7", "6.1", "7.0", "7.5", "12.0")] == [
        470,
        580,
        580,
        None,
        None,
    ]


# PyTorch builds


def test_the_builds_agree_with_pytorch_itself():
    from torch.cuda import PYTORCH_RELEASES_CODE_CC

    for cuda, by_machine in PYTORCH_RELEASES_CODE_CC.items():
        if not isinstance(by_machine, dict):
            pytest.skip("this PyTorch does not tell machines apart")
        for machine, numbers in by_machine.items():
            build = knowledge.build_of("2.13.0", knowledge.tag_of_cuda(cuda), machine)
            if build is not None:
                assert set(build.archs) == {f"sm_{number}" for number in numbers}


@pytest.mark.parametrize(
    ("version", "tag", "there"),
    [
        ("2.4.0", "cu128", False),
        ("2.3.1", "cu124", False),
        ("2.4.1", "cu124", True),
        ("2.7.0", "cu128", True),
        ("2.12.0", "cu128", False),
        ("2.15.0", "cu128", False),
        ("2.15.0", "cu132", True),
        ("2.15.0", "cu126", False),
        ("2.15.0", "cu129", False),
        ("2.15.0", "cu134", None),
        ("2.14.0", "cu129", None),
        ("2.9.1", "cu129", True),
        ("2.10.0", "cu129", True),
        ("1.8.2", "cu111", None),
        ("1.1.0", "cu100", None),
        ("2.14.0+cu130", "cu126", True),
        ("2.14.1", "cu126", True),
        ("2.4.7", "cu124", False),
        ("3.0.0", "cu140", None),
        ("2.7.0.dev20250310+cu124", "cu124", None),
        ("2.8.0a0+5228986c39.nv25.05", "cu129", None),
        ("1.7.1", "cu110", True),
        ("1.5.0", "cu101", None),
    ],
)
def test_exists(version, tag, there):
    assert knowledge.exists(version, tag) is there


@pytest.mark.parametrize(
    ("version", "cuda", "archs"),
    [
        ("1.7.1+cu101", "10.1", "37 50 60 70 75"),
        ("1.7.1+cu110", "11.0", "37 50 60 70 75 80"),
        ("1.9.0+cu111", "11.1", "37 50 60 70 75 80 86"),
        ("1.13.1+cu117", "11.7", "37 50 60 70 75 80 86"),
        ("2.8.0+cu128", "12.8", "70 75 80 86 90 100 120"),
        ("2.11.0+cu128", "12.8", "75 80 86 90 100 120"),
        ("2.15.0+cu132", "13.2", "75 80 86 90 100 120"),
    ],
)
def test_archs_of(version, cuda, archs):
    assert knowledge.archs_of(version, cuda) == tuple(f"sm_{arch}" for arch in archs.split())


def test_archs_of_is_quiet_about_what_nobody_verified():
    assert knowledge.archs_of("1.6.0", "10.1") is None
    assert knowledge.archs_of("2.7.0.dev20250310+cu124", "12.4") is None
    assert knowledge.archs_of("2.8.0a0+5228986c39.nv25.05", "12.9") is None
    assert knowledge.archs_of("2.5.1", "12.4", os="windows") is None
    assert knowledge.archs_of("2.14.0", "12.9") is None
    assert knowledge.archs_of("2.9.1", "12.9") is None
    assert knowledge.archs_of("2.8.0", "12.8", machine="aarch64") is None


def test_companions_pythons_and_default_tags():
    assert knowledge.companions("2.8.0+cu128") == knowledge.Companions("0.23.0", "2.8.0")
    assert knowledge.companions("1.13.1") == knowledge.Companions("0.14.1", "0.13.1")
    assert knowledge.companions("9.9.9") is None
    assert knowledge.default_index_tag("2.10.0") == "cu128"
    assert knowledge.pythons_of("2.4.1") == ("3.8", "3.9", "3.10", "3.11", "3.12")
    assert knowledge.pythons_of("2.15.0") == ("3.11", "3.12", "3.13", "3.14", "3.15")
    assert knowledge.why_not("torch==2.4.0+cu128")


@pytest.mark.parametrize(
    ("package", "version", "torch", "fits"),
    [
        ("torchvision", "0.29.2", "2.15.0+cu132", True),
        ("torchvision", "0.29.1+cpu", "2.14.0", True),
        ("torchvision", "0.29.2", "2.16.0", True),
        ("torchvision", "0.29.1", "2.13.0", False),
        ("torchvision", "0.29.0", "2.15.0", False),
        ("torchvision", "0.29.0", "2.14.1", True),
        ("torchvision", "0.30.0", "2.15.0", None),
        ("torchvision", "0.29.3", "2.15.0", None),
        ("torchvision", "0.22.0", "2.7.1+cu128", True),
        ("torchvision", "0.11.1", "1.10.0", True),
        ("torchvision", "0.20.1", "2.4.0", False),
        ("torchvision", "0.23.0", "2.9.0.dev20250801", None),
        ("torchvision", "0.23.0", "2.8.0a0+5228986c39.nv25.05", None),
        ("torchvision", "0.23.0", "2.9.0+git1a2b3c4", None),
        ("torchvision", "0.24.0a0+094e7af5", "2.9.0", None),
        ("torchaudio", "2.11.1", "2.15.0", True),
        ("torchaudio", "2.11.0", "2.12.1", True),
        ("torchaudio", "2.11.0", "2.10.0", False),
        ("torchaudio", "2.12.0", "2.15.0", None),
        ("torchaudio", "2.8.0", "2.9.0", False),
        ("xformers", "0.0.32", "2.8.0", None),
    ],
)
def test_which_partner_fits(package, version, torch, fits):
    assert knowledge.fits(package, version, torch) is fits


def test_every_pair_of_the_tables_fits():
    for release, package in itertools.product(knowledge.releases(), ("torchvision", "torchaudio")):
        partner = getattr(release.companions, package, None)
        assert partner is None or knowledge.fits(package, partner, release.version), (release.version, partner)


def test_what_is_newer_than_the_tables():
    newest = knowledge.releases()[-1].version
    assert not knowledge.is_newer_than_known(newest + "+cu132")
    assert not knowledge.is_newer_than_known("2.15.0a0+git1a2b3c4")
    assert not knowledge.is_newer_than_known("")
    for version in ("2.15.1", "2.16.0.dev20261115+cu132", "3.0.0a0+git1"):
        assert knowledge.is_newer_than_known(version)


def test_the_date_of_the_knowledge_is_that_of_the_oldest_table():
    assert knowledge.as_of() == min(table["checked"] for table in TABLES.values())


def test_default_tags_are_published():
    for release in knowledge.releases():
        assert knowledge.exists(release.version, release.default) is not False, release.version


def test_releases_are_in_order():
    versions = [knowledge.as_version(release.version) for release in knowledge.releases()]
    assert versions == sorted(set(versions))


# GPUs


def test_gpu_names_are_matched_whole():
    assert present(knowledge.gpu("NVIDIA GeForce RTX 4090")).fp16_tflops == 165.2
    assert knowledge.gpu("geforce rtx 4090") is knowledge.gpu("NVIDIA GeForce RTX 4090")
    assert present(knowledge.gpu("NVIDIA A10")).acc_uncertain
    assert present(knowledge.gpu("NVIDIA A10")).fp16_min_tflops == 62.5
    assert present(knowledge.gpu("NVIDIA H200")).fp16_min_tflops == 989.5
    assert present(knowledge.gpu("NVIDIA GB10")).fp16_tflops is None
    for other in ("NVIDIA GeForce RTX 4090 Laptop GPU", "NVIDIA GeForce RTX 2080 with Max-Q Design", "NVIDIA A10-24Q"):
        assert knowledge.gpu(other) is None
    assert knowledge.gpu("NVIDIA A100-SXM4-40GB MIG 1g.5gb") is None


def test_gpu_names_are_unique():
    names = [name for model in knowledge.gpu_models() for name in {n.removeprefix("NVIDIA ") for n in model.names}]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("model", knowledge.gpu_models(), ids=lambda model: model.names[0])
def test_chips_do_not_contradict_the_models(model):
    for name in model.names:
        for variant in (f"{name} Laptop GPU", f"{name}-8Q", f"{name} MIG 1g.5gb"):
            assert knowledge.capability_of(variant) in (model.compute_capability, None)


@pytest.mark.parametrize(
    ("name", "capability"),
    [
        ("NVIDIA L40S-48C", "8.9"),
        ("Quadro T2000 with Max-Q Design", "7.5"),
        ("NVIDIA GeForce RTX 4070 Laptop GPU", "8.9"),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", "8.0"),
        ("GRID A100D-10C", "8.0"),
        ("GRID V100D-8Q", "7.0"),
        ("Tesla K40m", "3.5"),
        ("NVIDIA GeForce MX150", "6.1"),
        ("NVIDIA GH200 144G HBM3e", "9.0"),
        ("NVIDIA H100XM-80C", "9.0"),
        ("GeForce GTX 1060 3GB", "6.1"),
        ("GeForce GTX 960M", "5.0"),
        ("GeForce GTX TITAN X", "5.2"),
        ("NVIDIA TITAN X (Pascal)", "6.1"),
        ("NVIDIA RTX 3000 Ada Generation Laptop GPU", "8.9"),
        ("NVIDIA RTX A2000 Laptop GPU", "8.6"),
        ("NVIDIA GeForce RTX 3050 6GB Laptop GPU", "8.6"),
        ("NVIDIA GeForce RTX 3050 A Laptop GPU", None),
        ("NVIDIA GeForce", None),
        ("AMD Radeon RX 7900 XTX", None),
        ("", None),
    ],
)
def test_capability_of(name, capability):
    assert knowledge.capability_of(name) == capability


# cuDNN and flash-attn


def test_cudnn():
    assert knowledge.cudnn_bundled("2.8.0+cu128", "cu128") == "9.10.2.21"
    assert knowledge.cudnn_bundled("2.8.0", "cu118") is None
    assert [knowledge.cudnn_major_of(v) for v in ("1.12.1", "1.13.1", "2.3.1", "2.4.0", "2.15.0")] == [None, 8, 8, 9, 9]
    assert knowledge.cudnn_wheel_lacks("nvidia-cudnn-cu13", "9.20.0.48") == "libcudnn_engines_tensor_ir.so.9"
    assert knowledge.cudnn_wheel_lacks("nvidia-cudnn-cu13", "9.24.0.43") is None
    assert all(name.endswith(f".so.{major}") for major, names in knowledge.CUDNN_SUBLIBRARIES.items() for name in names)


def test_cudnn_bundles_belong_to_builds():
    for row in TABLES["cudnn"]["bundles"]:
        assert any(b.torch == row["torch"] and b.tag == row["tag"] for b in knowledge.builds()), row


def test_flash_attn_wheels():
    release = "https://github.com/Dao-AILab/flash-attention/releases/download/"
    assert knowledge.flash_attn_wheel("2.8.0+cu128", "12.8", "3.11.9", True) == (
        release + "v2.8.3/flash_attn-2.8.3+cu12torch2.8cxx11abiTRUE-cp311-cp311-linux_x86_64.whl"
    )
    assert knowledge.flash_attn_wheel("2.6.0", "12.4", "3.11", False) == (
        release + "v2.7.4.post1/flash_attn-2.7.4.post1+cu12torch2.6cxx11abiFALSE-cp311-cp311-linux_x86_64.whl"
    )
    assert "+cu118torch2.0" in present(knowledge.flash_attn_wheel("2.0.1+cu118", "11.8", "3.10", False))
    assert "2.6.3+cu123torch2.4cxx11abiFALSE-cp38" in present(knowledge.flash_attn_wheel("2.4.1", "12.1", "3.8", False))
    for machine in ("x86_64", "aarch64"):
        assert f"cu12torch2.9cxx11abiTRUE-cp312-cp312-linux_{machine}" in present(
            knowledge.flash_attn_wheel("2.9.1", "12.8", "3.12", True, machine)
        )
    for impossible in (
        ("2.9.1", "12.8", "3.11", True),
        ("2.9.1", "13.0", "3.12", True, "aarch64"),
        ("2.4.1", "12.1", "3.13", False),
        ("2.13.0", "13.0", "3.12", True),
        ("2.8.0", "12.8", "3.14", True),
        ("2.8.0", "12.8", "3.12", False),
        ("2.8.0", "12.8", "3.12", None),
        ("2.8.0", "12.8", "3.12", True, "aarch64"),
    ):
        assert knowledge.flash_attn_wheel(*impossible) is None


def test_recommended_flash_attn_wheels_are_in_their_release():
    for row in TABLES["flash_attn"]["recommended"]:
        built_for = present(knowledge.flash_attn_built_for(row["version"]))
        if "machines" in row:  # a wheel beyond the release's combinations
            continue
        assert row["torch"] in built_for.torch
        assert any(tag.startswith(row["cuda"]) for tag in built_for.cuda_tags)


def test_flash_attn_symbols():
    assert knowledge.flash_attn_symbol("_ZN3c105ErrorC2ENS_14SourceLocationESs") == {"cxx11_abi": False}
    assert knowledge.flash_attn_symbol("_ZN3c104cuda9SetDeviceEi") == {"torch": "<=2.2"}
    assert knowledge.flash_attn_symbol("_ZN3c104cuda9SetDeviceEab") == {"torch": ">=2.8"}
    assert knowledge.flash_attn_symbol("_ZN3c105ErrorC2ENS_14SourceLocationENSt7__cxx1112basic") == {"cxx11_abi": True}
    assert knowledge.flash_attn_symbol("_ZN5other") == {}
    assert not knowledge.flash_attn_supports("7.5")
    assert knowledge.flash_attn_supports("10.0")


CAPABILITIES = "5.0 5.2 5.3 6.0 6.1 6.2 7.0 7.2 7.5 8.0 8.6 8.7 8.9 9.0 10.0 10.1 10.3 11.0 12.0 12.1"


@pytest.mark.parametrize(
    ("arch", "runs_on"),
    [
        ("sm_50", "5.0 5.2"),
        ("sm_52", "5.2"),
        ("sm_53", "5.3"),
        ("sm_60", "6.0 6.1"),
        ("sm_61", "6.1"),
        ("sm_62", "6.2"),
        ("sm_70", "7.0 7.5"),
        ("sm_72", "7.2"),
        ("sm_75", "7.5"),
        ("sm_80", "8.0 8.6 8.9"),
        ("sm_86", "8.6 8.9"),
        ("sm_87", "8.7"),
        ("sm_89", "8.9"),
        ("sm_90", "9.0"),
        ("sm_90a", "9.0"),
        ("sm_100", "10.0 10.3"),
        ("sm_101", "10.1 11.0"),
        ("sm_120", "12.0 12.1"),
        ("sm_121", "12.1"),
        ("compute_90", "9.0 10.0 10.1 10.3 11.0 12.0 12.1"),
        ("compute_90a", "9.0"),
        ("compute_120f", "12.0 12.1"),
        ("gfx90a", ""),
    ],
)
def test_which_gpus_run_the_code_of_an_architecture(arch, runs_on):
    """By PyTorch's own table, torch/cuda/__init__.py, DEVICE_REQUIREMENT."""
    assert [cc for cc in CAPABILITIES.split() if knowledge.covers([arch], cc)] == runs_on.split()


@pytest.mark.parametrize(
    ("triton", "capability", "cuda"),
    [
        ("2.1.0+e6216047b8", "8.0", "12.1"),
        ("3.3.1", "8.9", "12.4"),
        ("3.3.1", "12.0", "12.8"),
        ("3.5.1", "12.1", "12.8"),
        ("3.6.0", None, "12.8"),
        ("2.2.0", "8.0", None),
    ],
)
def test_the_ptxas_of_a_triton(triton, capability, cuda):
    assert knowledge.triton_ptxas(triton, capability) == cuda


def test_the_first_toolkit_of_a_gpu():
    assert knowledge.first_toolkit("12.1") == "12.9"
    assert knowledge.first_toolkit("99.0") is None
