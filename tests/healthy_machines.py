"""Live machines that are out of the ordinary, and healthy: no error may be found on them."""

from __future__ import annotations

from machine import Change, Machine
from machines import (
    A10,
    A100,
    CU121,
    CU128,
    CU130,
    H200,
    RTX_3090,
    RTX_5090,
    T4,
    bare_metal,
    conda,
    docker,
    gvisor,
    ngc,
    uv,
    wsl,
)

V100 = {"FAKE_NAME": "Tesla V100-SXM2-32GB", "FAKE_CC": "70", "FAKE_MEM_MB": "32768"}
P100 = {"FAKE_NAME": "Tesla P100-PCIE-16GB", "FAKE_CC": "60", "FAKE_MEM_MB": "16384"}
K80 = {"FAKE_NAME": "Tesla K80", "FAKE_CC": "37", "FAKE_MEM_MB": "11441"}
L4 = {"FAKE_NAME": "NVIDIA L4", "FAKE_CC": "89", "FAKE_MEM_MB": "23034"}
RTX_4090 = {"FAKE_NAME": "NVIDIA GeForce RTX 4090", "FAKE_CC": "89", "FAKE_MEM_MB": "24564", "FAKE_ECC": "-1"}
B200 = {"FAKE_NAME": "NVIDIA B200", "FAKE_CC": "100", "FAKE_MEM_MB": "183359", "FAKE_FABRIC_STATE": "3"}
B300 = {"FAKE_NAME": "NVIDIA B300 SXM6 AC", "FAKE_CC": "103", "FAKE_MEM_MB": "275040", "FAKE_FABRIC_STATE": "3"}
GB10 = {"FAKE_NAME": "NVIDIA GB10", "FAKE_CC": "121", "FAKE_MEM_MB": "-1", "FAKE_ECC": "-1"}
GTX_1050_TI = {
    "FAKE_NAME_1": "NVIDIA GeForce GTX 1050 Ti",
    "FAKE_CC_1": "61",
    "FAKE_MEM_MB_1": "4096",
    "FAKE_ECC_1": "-1",
}
KEPLER = "sm_37 sm_50 sm_60 sm_70 sm_75 sm_80 sm_86"
ANY = "torch>=2.14.0"


def healthy(
    gpu: dict[str, str],
    driver: tuple[str, str],
    torch: tuple[str, str, str],
    *packages: tuple[str, ...],
    base: Change = bare_metal,
) -> Change:
    """A machine with this GPU, driver, PyTorch, and packages: (name, version, what it requires …)."""

    def build(m: Machine) -> None:
        base(m)
        if m.at("/proc/driver/nvidia/version").exists():
            m.kernel_module(driver[0])
            if base is docker:
                m.remove("/lib/modules", "/var/lib/dkms")
        m.driver(*driver, *(("/usr/lib/wsl/lib",) if base is wsl else ()))
        m.set(gpu)
        m.torch(*torch)
        for name, version, *requires in packages:
            m.patient.distribution(name, version, tuple(requires))

    return build


def display_card(torch: tuple[str, str, str], main: dict[str, str] = RTX_5090) -> Change:
    """A newer GPU that computes, and an older one beside it."""

    def build(m: Machine) -> None:
        healthy(main, ("580.95.05", "13.0"), torch)(m)
        m.pci("0000:1a:00.0", device="0x1c82", driver="nvidia")
        m.nodes("nvidia1")
        m.set({**GTX_1050_TI, "FAKE_NDEV": "2"})

    return build


def old_and_new(m: Machine) -> None:
    healthy(V100, ("580.95.05", "13.0"), ("2.14.1+cu126", "12.6", CU121))(m)
    m.pci("0000:1a:00.0", device="0x20b0", driver="nvidia")
    m.nodes("nvidia1")
    m.set(FAKE_NDEV="2", **{f"{name}_1": value for name, value in A100.items()})


def newer_driver(m: Machine) -> None:
    conda(m)
    m.kernel_module("620.70.06")
    m.driver("620.70.06", "13.5")


R580, R570, R535, R470 = ("580.95.05", "13.0"), ("570.124.06", "12.8"), ("535.129.03", "12.2"), ("470.161.03", "11.4")
STOCK = ("2.15.0+cu132", "13.2", CU130)
VISION, AUDIO = ("torchvision", "0.29.2", ANY), ("torchaudio", "2.11.1", "torch>=2.11")

MACHINES = {
    "today's stock install": healthy(H200, R580, STOCK, VISION),
    "today's stock trio": healthy(L4, R580, STOCK, VISION, AUDIO),
    "stock in a container": healthy(B200, R580, STOCK, VISION, AUDIO, base=docker),
    "the torchvision before, under WSL": healthy(
        RTX_4090, ("596.49", "13.2"), STOCK, ("torchvision", "0.29.1", ANY), base=wsl
    ),
    "stock in an environment of uv's": healthy(RTX_5090, R580, STOCK, VISION, base=uv),
    "a release that is not out yet": healthy(RTX_5090, ("620.70.06", "13.5"), ("2.16.0+cu134", "13.4", CU130), VISION),
    "a torchvision that no table knows": healthy(A10, R580, STOCK, ("torchvision", "0.31.0", "torch>=2.15.0")),
    "nightlies of two days": healthy(
        A10,
        R580,
        ("2.16.0.dev20261115+cu132", "13.2", CU130),
        ("torchvision", "0.30.0.dev20261113+cu132", "torch==2.16.0.dev20261113"),
    ),
    "a source build": healthy(RTX_3090, R580, ("2.15.0a0+git3c1f2a9", "13.2", "sm_86"), VISION, AUDIO),
    "a source build with a local version": healthy(A100, R580, ("2.12.0+git3c1f2a9", "13.0", "sm_80"), VISION),
    "cu129 of 2.10": healthy(H200, ("575.57.08", "12.9"), ("2.10.0+cu129", "12.9", CU128)),
    "cu129 of 2.9 on driver 535": healthy(A10, R535, ("2.9.1+cu129", "12.9", CU128)),
    "2.14.1 with cu126 on driver 535": healthy(
        L4, R535, ("2.14.1+cu126", "12.6", CU121), ("torchvision", "0.29.1", ANY)
    ),
    "torchvision 0.29.0 on the next patch release": healthy(
        T4, R580, ("2.14.1+cu130", "13.0", CU130), ("torchvision", "0.29.0+cu130", "torch==2.14.0")
    ),
    "torchaudio that serves many": healthy(T4, R580, ("2.13.0+cu130", "13.0", CU130), AUDIO),
    "an xformers of the stable interface": healthy(A100, R580, STOCK, ("xformers", "0.0.40", "torch>=2.10")),
    "a vLLM that pins the release before the patch": healthy(
        H200, R580, ("2.14.1+cu130", "13.0", CU130), ("vllm", "0.33.0", "torch==2.14.0")
    ),
    "V100 on the last release for it": healthy(V100, R535, ("2.14.1+cu126", "12.6", CU121)),
    "P100 on driver 470": healthy(P100, R470, ("2.7.1+cu118", "11.8", "sm_37 " + CU121)),
    "Kepler on its last driver": healthy(K80, R470, ("1.12.1+cu113", "11.3", KEPLER)),
    "GB10 on code for 12.0": healthy(GB10, R580, ("2.14.1+cu130", "13.0", CU130)),
    "B300 on code for 10.0": healthy(B300, R580, ("2.11.0+cu130", "13.0", CU130), base=docker),
    "RTX 5090 on driver 570": healthy(
        RTX_5090, R570, ("2.7.1+cu128", "12.8", "sm_75 sm_80 sm_86 sm_90 sm_100 sm_120 compute_120")
    ),
    "the newest driver": healthy(RTX_4090, ("620.70.06", "13.5"), STOCK, VISION, AUDIO),
    "two generations, both served": old_and_new,
    "a card for the display beside the RTX 5090": display_card(("2.8.0+cu128", "12.8", CU128)),
    "a card for the display, stock install": display_card(STOCK, RTX_4090),
    "conda's PyTorch and a newer driver": newer_driver,
    "NVIDIA's container with a torchvision of its own": ngc,
    "a sandbox": gvisor,
}
