"""Healthy machines of every kind: a crafted /proc, /sys, /dev …, a fake driver and a PyTorch that asks it.

Each function that takes a `Machine` builds one kind, whole and well; a fault is what is then changed on it. The shared
objects are real ones, built with `cc`, each once a session: what the loader says of them is what it really says.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import shutil
import subprocess
import sysconfig
from pathlib import Path

from patients import STUBS, Doctor, Patient

CU121 = "sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90"
CU128 = "sm_70 sm_75 sm_80 sm_86 sm_90 sm_100 sm_120"
CU130 = "sm_75 sm_80 sm_86 sm_90 sm_100 sm_120"

A10 = {"FAKE_NAME": "NVIDIA A10", "FAKE_CC": "86", "FAKE_MEM_MB": "24564"}
A100 = {"FAKE_NAME": "NVIDIA A100-SXM4-40GB", "FAKE_CC": "80", "FAKE_MEM_MB": "40960"}
H200 = {"FAKE_NAME": "NVIDIA H200", "FAKE_CC": "90", "FAKE_MEM_MB": "143771", "FAKE_FABRIC_STATE": "3"}
T4 = {"FAKE_NAME": "Tesla T4", "FAKE_CC": "75", "FAKE_MEM_MB": "15360"}
RTX_3090 = {"FAKE_NAME": "NVIDIA GeForce RTX 3090", "FAKE_CC": "86", "FAKE_MEM_MB": "24576"}
RTX_5090 = {"FAKE_NAME": "NVIDIA GeForce RTX 5090", "FAKE_CC": "120", "FAKE_MEM_MB": "32607", "FAKE_ECC": "-1"}

KERNEL = "6.8.0-45-generic"
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
NVML, CUDA = "libnvidia-ml.so", "libcuda.so"
WHEEL_FOLDERS = ("cublas", "cudnn", "cusparse", "nccl", "nvjitlink", "cu13")
RPATH = ":".join(f"$ORIGIN/../../nvidia/{name}/lib" for name in WHEEL_FOLDERS)

CUDNN = """
#include <dlfcn.h>
static const char *parts[] = {"libcudnn_graph.so.9", "libcudnn_ops.so.9"};
int cudnnGetVersion(void) { return VERSION; }
int cudnnLoadParts(void) {
    for (int i = 0; i < 2; i++) {
        void *part = dlopen(parts[i], RTLD_NOW);
        int (*version)(void) = part ? (int (*)(void))dlsym(part, "cudnn_part_version") : 0;
        if (!version) return 1;
        if (version() != VERSION) return 2;
    }
    return 0;
}
"""
"""Loads its parts when first used, as cuDNN 9 does, and refuses those of another version."""
CUDNN_PART = "int cudnn_part_version(void) { return VERSION; }"
TORCH_SYMBOLS = {
    "libc10.so": "_ZN3c105ErrorC2ENS_14SourceLocationENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE",
    "libc10_cuda.so": "_ZN3c104cuda9SetDeviceEab",
}
"""What PyTorch 2.8 and newer export (of the many): the C++11 ABI, and the SetDevice of 2.8."""


class Workshop:
    """Builds shared objects with `cc`, each once."""

    def __init__(self, folder: Path, driver: Path) -> None:
        self.folder, self.driver = folder, driver
        self.built: dict[tuple, Path] = {}

    def library(self, soname: str, source: str = "", *flags: str, needs: tuple[Path, ...] = ()) -> Path:
        key = (soname, source, flags, needs)
        if key not in self.built:
            folder = self.folder / str(len(self.built))
            folder.mkdir()
            (folder / "source.c").write_text(source)
            links = ["-shared", "-fPIC", f"-Wl,-soname,{soname}", "-Wl,--no-as-needed", "-Wno-builtin-declaration-mismatch"]
            command = ["cc", *links, "-o", folder / soname, folder / "source.c", *needs, *flags]
            subprocess.run(command, check=True)
            self.built[key] = folder / soname
        return self.built[key]

    def exporting(self, soname: str, *symbols: str) -> Path:
        return self.library(soname, "\n".join(f"int {symbol}(void) {{ return 0; }}" for symbol in symbols))

    def wanting(self, soname: str, *symbols: str, needs: tuple[Path, ...] = (), rpath: str = RPATH) -> Path:
        """It asks for these symbols, and for these libraries, which it looks for by its RPATH as PyTorch's do."""
        uses = "".join(f"int {symbol}(void);\nint use_{symbol}(void) {{ return {symbol}(); }}\n" for symbol in symbols)
        flags = ("-Wl,--disable-new-dtags", f"-Wl,-rpath,{rpath}") if rpath else ()
        return self.library(soname, uses, *flags, needs=needs)

    def cudnn(self, version: str) -> tuple[Path, ...]:
        """libcudnn.so.9 and its parts."""
        major, minor, patch = map(int, version.split("."))
        number = f"-DVERSION={major * 10000 + minor * 100 + patch}"
        main = self.library("libcudnn.so.9", CUDNN, number, "-Wl,--enable-new-dtags", "-Wl,-rpath,$ORIGIN")
        parts = (self.library(f"libcudnn_{part}.so.9", CUDNN_PART, number) for part in ("graph", "ops"))
        return (main, *parts)


class Machine:
    """One computer on disk, and the patient that lives on it."""

    def __init__(self, folder: Path, workshop: Workshop) -> None:
        self.workshop = workshop
        self.root = folder / "root"
        self.patient = Patient(folder / "venv")
        # Whatever runs this test may itself be a container.
        signs = ("KUBERNETES_SERVICE_HOST", "APPTAINER_CONTAINER", "container", "CC", "CXX", "WSL_DISTRO_NAME")
        self.environment = self.patient.environment
        self.environment.update(dict.fromkeys(signs, ""), CUDACHECK_ROOT=str(self.root), FAKE_PM="1")
        self.put("/dev/shm/.keep")  # noqa: S108 - below our root
        self.put("/etc/ld.so.conf")

    def doctor(self) -> Doctor:
        return self.patient.doctor(bench=False)

    def set(self, *more: dict[str, str], **variables: str) -> None:
        for each in (*more, variables):
            self.environment.update(each)

    # Files

    def put(self, path: str, text: str | bytes = "") -> Path:
        real = self.at(path)
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_bytes(text if isinstance(text, bytes) else text.encode())
        return real

    def at(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def remove(self, *paths: str) -> None:
        for path in map(self.at, paths):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)

    def link(self, path: str, target: str) -> None:
        self.remove(path)
        self.at(path).parent.mkdir(parents=True, exist_ok=True)
        self.at(path).symlink_to(target)

    # The machine

    def linux(self, distribution: str = "Ubuntu 24.04.1 LTS", kernel: str = KERNEL, words: str = "(buildd@lcy02)") -> None:
        self.put("/proc/version", f"Linux version {kernel} {words} #45-Ubuntu SMP PREEMPT_DYNAMIC\n")
        self.put("/proc/sys/kernel/osrelease", f"{kernel}\n")
        self.put("/proc/meminfo", "MemTotal: 65536000 kB\nMemAvailable: 50000000 kB\n")
        self.put("/proc/modules", "ext4 1 0 - Live 0x0\n")
        self.put("/proc/1/cgroup", "0::/init.scope\n")
        self.put("/etc/os-release", f'PRETTY_NAME="{distribution}"\n')
        self.put("/dev/kmsg", f"6,1,1,-;Linux version {kernel}\n6,2,2,-;NVRM: loading NVIDIA UNIX Open Kernel Module\n")
        self.pci("0000:00:00.0", vendor="0x8086", device="0x3e30", kind="0x060000")

    def log(self, line: str) -> None:
        with self.at("/dev/kmsg").open("a") as file:
            file.write(f"3,9,9,-;{line}\n")

    def pci(self, address: str, *, device: str, vendor: str = "0x10de", kind: str = "0x030200", driver: str = "") -> None:
        folder = f"/sys/bus/pci/devices/{address}"
        for name, text in {"vendor": vendor, "device": device, "class": kind}.items():
            self.put(f"{folder}/{name}", f"{text}\n")
        self.put(f"{folder}/config", bytes.fromhex("de103622") + bytes(60))
        if driver:
            self.link(f"{folder}/driver", f"../../../../bus/pci/drivers/{driver}")

    def kernel_module(self, version: str, flavour: str = "Open ", kernel: str = KERNEL) -> None:
        """Loaded, in /proc, /sys and /dev, and lying in /lib/modules."""
        self.put("/proc/driver/nvidia/version", f"NVRM version: NVIDIA UNIX {flavour}Kernel Module for x86_64  {version}  Release\n")
        self.put("/proc/modules", "nvidia_uvm 1 0 - Live 0x0\nnvidia 2 1 nvidia_uvm, Live 0x0\n")
        self.put("/sys/module/nvidia/version", f"{version}\n")
        self.put("/sys/module/nvidia_uvm/parameters/uvm_disable_hmm", "N\n")
        self.put(f"/lib/modules/{kernel}/updates/dkms/nvidia.ko.zst")
        self.put(f"/var/lib/dkms/nvidia/{version}/source")
        self.nodes()

    def nodes(self, *more: str) -> None:
        for name in ("nvidiactl", "nvidia0", "nvidia-uvm", "nvidia-uvm-tools", *more):
            self.put(f"/dev/{name}")

    def unload(self) -> None:
        """No kernel module is loaded, and NVML and CUDA say so."""
        self.remove("/proc/driver", "/sys/module", "/sys/bus/pci/devices/0000:0a:00.0/driver")
        self.remove(*(f"/dev/{path.name}" for path in self.at("/dev").glob("nvidia*")))
        self.put("/proc/modules", "ext4 1 0 - Live 0x0\n")
        self.set(FAKE_NVML_INIT="9", FAKE_CUINIT="100")

    def driver(self, version: str, cuda: str, folder: str = LIBRARIES, libraries: tuple[str, ...] = (CUDA, NVML)) -> None:
        """The driver's libraries in this folder, before whatever the loader would take otherwise."""
        major, minor = map(int, cuda.split("."))
        for name in libraries:
            self.put(f"{folder}/{name}.{version}", (self.workshop.driver / f"{name}.1").read_bytes())
            self.link(f"{folder}/{name}.1", f"{name}.{version}")
        self.search(str(self.at(folder)))
        self.set(FAKE_DRIVER=version, FAKE_CUDA_VERSION=str(major * 1000 + minor * 10))

    def search(self, folder: str) -> None:
        """Put a folder first on LD_LIBRARY_PATH."""
        others = self.environment.get("LD_LIBRARY_PATH", "").split(":")
        self.set(LD_LIBRARY_PATH=":".join(dict.fromkeys(filter(None, (folder, *others)))))

    def without_driver(self) -> None:
        """As if no driver had ever been installed."""
        self.unload()
        self.remove("/lib/modules", "/var/lib/dkms", LIBRARIES)

    # The patient

    def torch(self, version: str, cuda: str | None, archs: str = "", *, core: Path | None = None) -> None:
        """PyTorch, whose CUDA half is the shared object `core`."""
        patient, library = self.patient, self.patient.site / "torch" / "lib"
        shutil.rmtree(patient.site / "torch", ignore_errors=True)
        for stale in patient.site.glob("torch-*.dist-info"):
            shutil.rmtree(stale)
        patient.torch(version, cuda, archs)
        shutil.copytree(STUBS / "torch_on_driver", patient.site / "torch", dirs_exist_ok=True)
        literal = self.workshop.library("libtorch_python.so", f'const char archs[] = "{archs}";')
        parts = [self.workshop.exporting(name, symbol) for name, symbol in TORCH_SYMBOLS.items()]
        parts += [literal, core or self.workshop.library("libtorch_cuda.so")] if cuda else []
        for part in parts:
            shutil.copy(part, library)

    def wheel(self, name: str, version: str, folder: str = "", *libraries: Path) -> None:
        """An NVIDIA wheel: its libraries in nvidia/FOLDER/lib, and a RECORD with their hashes."""
        files = []
        for library in libraries:
            path = self.patient.site / "nvidia" / folder / "lib" / library.name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, path)
            digest = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).rstrip(b"=").decode()
            files.append(f"{path.relative_to(self.patient.site)},sha256={digest},{path.stat().st_size}")
        self.patient.distribution(name, version)
        self.patient.write(f"{name.replace('-', '_')}-{version}.dist-info/RECORD", "\n".join(files) + "\n")

    def extension(self, module: str, library: Path) -> None:
        """A compiled module of this interpreter."""
        shutil.copy(library, self.patient.site / f"{module}{sysconfig.get_config_var('EXT_SUFFIX')}")

    def conda(self, name: str, version: str, build: str) -> None:
        """A record of conda's: the environment becomes one of conda's by it."""
        path = self.patient.folder / "conda-meta" / f"{name}-{version}-{build}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"name": name, "version": version, "build": build, "depends": []}))


# Healthy machines


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
    m.set(RTX_3090, WSL_DISTRO_NAME="Ubuntu", FAKE_PCIE_W="8", FAKE_PM="-1", FAKE_VIRTUALIZATION="-1", FAKE_PCIE_WMAX="8")
    m.torch("2.8.0+cu128", "12.8", CU128)


def conda(m: Machine) -> None:
    """conda's environment with conda's own PyTorch, in which pip is there too."""
    bare_metal(m)
    m.torch("2.5.1", "12.4", CU121.replace("sm_70 sm_75", "sm_70 sm_75"))
    m.patient.write("torch-2.5.1.dist-info/INSTALLER", "conda\n")
    m.patient.distribution("pip", "25.1")
    m.conda("pytorch", "2.5.1", "py3.11_cuda12.4_cudnn9.1.0_0")
    m.conda("pytorch-cuda", "12.4", "hc786d27_7")


def ngc(m: Machine) -> None:
    """NVIDIA's own container: its own build of PyTorch, a toolkit, cuda-compat, flash-attn and torchvision."""
    docker(m)
    m.kernel_module("580.95.05")
    m.remove("/lib/modules", "/var/lib/dkms")
    m.driver("580.95.05", "13.0")
    m.set(H200, CUDA_HOME="/usr/local/cuda", NVIDIA_REQUIRE_CUDA="cuda>=9.0", NVIDIA_DRIVER_CAPABILITIES="all")
    m.put("/usr/local/cuda-13.0/bin/nvcc", "#!/bin/sh\necho 'Cuda compilation tools, release 13.0, V13.0.88'\n").chmod(0o755)
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
    m: Machine, version: str = "2.8.0+cu128", cuda: str = "12.8", archs: str = CU128, cudnn: str = "9.10.2.21", suffix: str = "cu12"
) -> None:
    """PyTorch together with the libraries of NVIDIA's wheels that it is linked to: cuDNN, cuBLAS and NCCL."""
    shop = m.workshop
    cublas = shop.exporting(f"libcublas.so.{cuda[:2]}", "cublasCreate_v2")
    nccl = shop.exporting("libnccl.so.2", "ncclCommInitRank", "ncclCommRegister", "ncclCommResume")
    libcudnn = shop.cudnn(cudnn.rpartition(".")[0])
    m.torch(version, cuda, archs, core=shop.wanting("libtorch_cuda.so", "ncclCommRegister", needs=(libcudnn[0], cublas, nccl)))
    pins = {"cudnn": cudnn, "cublas": f"{cuda}.4.1", "nccl": "2.27.3"}
    requires = tuple(f"nvidia-{name}-{suffix}=={pin}" for name, pin in pins.items())
    m.patient.distribution("torch", version.partition("+")[0], requires)
    for name, files in {"cudnn": libcudnn, "cublas": (cublas,), "nccl": (nccl,)}.items():
        m.wheel(f"nvidia-{name}-{suffix}", pins[name], name, *files)


MACHINES = (bare_metal, docker, gvisor, wsl, conda, ngc, uv, two_gpus, h200)


class Ward:
    """Builds machines, and has each healthy kind judged once."""

    def __init__(self, folder: Path, driver: Path) -> None:
        self.folder = folder
        self.workshop = Workshop(folder / "parts", driver)
        (folder / "parts").mkdir()
        self.numbers = itertools.count()
        self.judged: dict[object, Doctor] = {}

    def machine(self) -> Machine:
        return Machine(self.folder / str(next(self.numbers)), self.workshop)

    def healthy(self, build) -> Doctor:
        if build not in self.judged:
            machine = self.machine()
            build(machine)
            self.judged[build] = machine.doctor()
        return self.judged[build]
