"""Healthy machines of every kind; a fault is what is then changed on one of them."""

from __future__ import annotations

import shutil

from machine import Machine

CU121 = "sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90"
CU128 = "sm_70 sm_75 sm_80 sm_86 sm_90 sm_100 sm_120"
CU130 = "sm_75 sm_80 sm_86 sm_90 sm_100 sm_120"

A10 = {"FAKE_NAME": "NVIDIA A10", "FAKE_CC": "86", "FAKE_MEM_MB": "24564"}
A100 = {"FAKE_NAME": "NVIDIA A100-SXM4-40GB", "FAKE_CC": "80", "FAKE_MEM_MB": "40960"}
H200 = {"FAKE_NAME": "NVIDIA H200", "FAKE_CC": "90", "FAKE_MEM_MB": "143771", "FAKE_FABRIC_STATE": "3"}
T4 = {"FAKE_NAME": "Tesla T4", "FAKE_CC": "75", "FAKE_MEM_MB": "15360"}
RTX_3090 = {"FAKE_NAME": "NVIDIA GeForce RTX 3090", "FAKE_CC": "86", "FAKE_MEM_MB": "24576"}
RTX_5090 = {"FAKE_NAME": "NVIDIA GeForce RTX 5090", "FAKE_CC": "120", "FAKE_MEM_MB": "32607", "FAKE_ECC": "-1"}


def bare_metal(m: Machine) -> None:
    """An Ubuntu server with an A10."""
    m.linux()
    m.pci("0000:0a:00.0", device="0x2236", driver="nvidia")
    m.kernel_module("570.124.06")
    m.driver("570.124.06", "12.8")
    m.set(A10)
    m.torch("2.8.0+cu128", "12.8", CU128)


def docker(m: Machine) -> None:
    """A container that was started with --gpus all: /sys is the host's, /lib/modules is not there."""
    bare_metal(m)
    m.remove("/lib/modules", "/var/lib/dkms", "/dev/kmsg")
    m.put("/.dockerenv")
    m.set(NVIDIA_VISIBLE_DEVICES="all", NVIDIA_DRIVER_CAPABILITIES="compute,utility")


def gvisor(m: Machine) -> None:
    """A sandbox whose /proc and /sys are its own: they show neither a GPU nor a module, and NVML works."""
    m.put("/proc/version", "Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016\n")
    m.put("/proc/sys/kernel/osrelease", "4.4.0\n")
    m.put("/etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
    m.put("/.dockerenv")
    m.nodes()
    m.driver("580.95.05", "13.0", "/usr/local/nvidia/lib64")
    m.set(H200)
    m.torch("2.11.0+cu130", "13.0", CU130)


def wsl(m: Machine) -> None:
    """WSL 2: the driver is Windows', /dev/dxg leads to it, and there is no NVIDIA device on the PCI bus."""
    m.linux(kernel="5.15.167.4-microsoft-standard-WSL2", words="(root@f9c826d3017f)")
    m.remove("/dev/kmsg", "/sys/bus/pci/devices/0000:00:00.0")
    m.pci("5582:00:00.0", vendor="0x1414", device="0x008e")
    m.put("/dev/dxg")
    m.driver("576.52", "12.9", "/usr/lib/wsl/lib")
    m.set(RTX_3090, WSL_DISTRO_NAME="Ubuntu", FAKE_PM="-1", FAKE_VIRTUALIZATION="-1")
    m.torch("2.8.0+cu128", "12.8", CU128)


def conda(m: Machine) -> None:
    """conda's environment with conda's own PyTorch, in which pip is there too."""
    bare_metal(m)
    m.torch("2.5.1", "12.4", CU121)
    m.patient.write("torch-2.5.1.dist-info/INSTALLER", "conda\n")
    m.patient.distribution("pip", "25.1")
    m.conda("pytorch", "2.5.1", "py3.11_cuda12.4_cudnn9.1.0_0")
    m.conda("pytorch-cuda", "12.4", "hc786d27_7")


def ngc(m: Machine) -> None:
    """NVIDIA's own container: its own builds of PyTorch and torchvision, a toolkit, cuda-compat."""
    docker(m)
    m.kernel_module("580.95.05")
    m.remove("/lib/modules", "/var/lib/dkms")
    m.driver("580.95.05", "13.0")
    m.set(H200, CUDA_HOME="/usr/local/cuda", NVIDIA_REQUIRE_CUDA="cuda>=9.0", NVIDIA_DRIVER_CAPABILITIES="all")
    m.toolkit("/usr/local/cuda-13.0", "13.0")
    m.link("/usr/local/cuda", "cuda-13.0")
    m.put("/usr/local/cuda-13.0/compat/lib.real/libcuda.so.1", b"\x7fELF stub")
    version = "2.9.0a0+145a3a7bda.nv25.10"
    m.torch(version, "13.0", CU130 + " compute_120")
    shutil.move(m.patient.site / "torch-2.9.0a0.dist-info", m.patient.site / f"torch-{version}.dist-info")
    m.patient.distribution("torchvision", "0.24.0a0+094e7af5", requires=("numpy", "torch"))
    m.patient.distribution("triton", "3.4.0+git3d3a3d1")


def uv(m: Machine) -> None:
    """An environment of uv's, without pip, with the wheels of NVIDIA that PyTorch asks for."""
    bare_metal(m)
    with (m.patient.folder / "pyvenv.cfg").open("a") as file:
        file.write("uv = 0.9.7\n")
    with_wheels(m)
    for installer in m.patient.site.glob("*.dist-info/INSTALLER"):
        installer.write_text("uv")


def two_gpus(m: Machine) -> None:
    """Two GPUs of different kinds, in PyTorch's hands the other way round."""
    bare_metal(m)
    m.pci("0000:1a:00.0", device="0x20b0", driver="nvidia")
    m.nodes("nvidia1")
    m.set(FAKE_NDEV="2", CUDA_VISIBLE_DEVICES="1,0", **{f"{name}_1": value for name, value in A100.items()})


def h200(m: Machine) -> None:
    """A rented H200 in a container, PyTorch with its own cuDNN, and a second cuDNN in the system."""
    docker(m)
    m.kernel_module("580.159.04")
    m.remove("/lib/modules", "/var/lib/dkms")
    m.driver("580.159.04", "13.0")
    m.set(H200)
    with_wheels(m, "2.11.0+cu130", "13.0", CU130, cudnn="9.19.0.56", suffix="cu13")
    for library in m.workshop.cudnn("9.10.2"):
        m.put(f"/usr/local/cuda-13.0/lib64/{library.name}.10.2", library.read_bytes())
        m.link(f"/usr/local/cuda-13.0/lib64/{library.name}", f"{library.name}.10.2")


def with_wheels(
    m: Machine,
    version: str = "2.8.0+cu128",
    cuda: str = "12.8",
    archs: str = CU128,
    cudnn: str = "9.10.2.21",
    suffix: str = "cu12",
) -> None:
    """PyTorch together with the libraries of NVIDIA's wheels that it is linked to: cuDNN, cuBLAS and NCCL."""
    shop = m.workshop
    cublas = shop.exporting(f"libcublas.so.{cuda[:2]}", "cublasCreate_v2")
    nccl = shop.exporting("libnccl.so.2", "ncclCommInitRank", "ncclCommRegister", "ncclCommResume")
    libcudnn = shop.cudnn(cudnn)
    core = shop.wanting("libtorch_cuda.so", "ncclCommRegister", needs=(libcudnn[0], cublas, nccl))
    m.torch(version, cuda, archs, core=core)
    pins = {"cudnn": cudnn, "cublas": f"{cuda}.4.1", "nccl": "2.27.3"}
    requires = tuple(f"nvidia-{name}-{suffix}=={pin}" for name, pin in pins.items())
    m.patient.distribution("torch", version.partition("+")[0], requires)
    for name, files in {"cudnn": libcudnn, "cublas": (cublas,), "nccl": (nccl,)}.items():
        m.wheel(f"nvidia-{name}-{suffix}", pins[name], name, *files)


MACHINES = (bare_metal, docker, gvisor, wsl, conda, ngc, uv, two_gpus, h200)
