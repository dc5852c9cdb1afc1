"""One computer on disk: a crafted /proc, /sys, /dev and /etc, a fake driver, and the patient that lives on it."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import sysconfig
from collections.abc import Callable
from pathlib import Path

from patients import STUBS, Patient
from workshop import OF_TORCH_2_8, Workshop

KERNEL = "6.8.0-45-generic"
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
NVML, CUDA = "libnvidia-ml.so", "libcuda.so"

Change = Callable[["Machine"], None]


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
        self.put("/dev/shm/.keep")
        self.put("/etc/ld.so.conf")

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

    def linux(self, kernel: str = KERNEL, words: str = "(buildd@lcy02)") -> None:
        """Ubuntu without any sign of NVIDIA."""
        self.put("/proc/version", f"Linux version {kernel} {words} #45-Ubuntu SMP PREEMPT_DYNAMIC\n")
        self.put("/proc/sys/kernel/osrelease", f"{kernel}\n")
        self.put("/proc/meminfo", "MemTotal: 65536000 kB\nMemAvailable: 50000000 kB\n")
        self.put("/proc/modules", "ext4 1 0 - Live 0x0\n")
        self.put("/proc/1/cgroup", "0::/init.scope\n")
        self.put("/etc/os-release", 'PRETTY_NAME="Ubuntu 24.04.1 LTS"\n')
        self.put("/dev/kmsg", f"6,1,1,-;Linux version {kernel}\n6,2,2,-;NVRM: loading NVIDIA UNIX Open Kernel Module\n")
        self.pci("0000:00:00.0", vendor="0x8086", device="0x3e30", kind="0x060000")

    def log(self, line: str) -> None:
        with self.at("/dev/kmsg").open("a") as file:
            file.write(f"3,9,9,-;{line}\n")

    def pci(
        self, address: str, *, device: str, vendor: str = "0x10de", kind: str = "0x030200", driver: str = ""
    ) -> None:
        folder = f"/sys/bus/pci/devices/{address}"
        for name, text in {"vendor": vendor, "device": device, "class": kind}.items():
            self.put(f"{folder}/{name}", f"{text}\n")
        self.put(f"{folder}/config", bytes.fromhex("de103622") + bytes(60))
        if driver:
            self.link(f"{folder}/driver", f"../../../../bus/pci/drivers/{driver}")

    def kernel_module(self, version: str, flavour: str = "Open ") -> None:
        """Loaded, in /proc, /sys and /dev, and lying in /lib/modules."""
        said = f"NVRM version: NVIDIA UNIX {flavour}Kernel Module for x86_64  {version}  Release Build\n"
        self.put("/proc/driver/nvidia/version", said)
        self.put("/proc/modules", "nvidia_uvm 1 0 - Live 0x0\nnvidia 2 1 nvidia_uvm, Live 0x0\n")
        self.put("/sys/module/nvidia/version", f"{version}\n")
        self.put("/sys/module/nvidia_uvm/parameters/uvm_disable_hmm", "N\n")
        self.put(f"/lib/modules/{KERNEL}/updates/dkms/nvidia.ko.zst")
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

    def driver(
        self, version: str, cuda: str, folder: str = LIBRARIES, libraries: tuple[str, ...] = (CUDA, NVML)
    ) -> None:
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

    def toolkit(self, folder: str, version: str) -> None:
        answer = f"Cuda compilation tools, release {version}, V{version}.89"
        self.put(f"{folder}/bin/nvcc", f"#!/bin/sh\necho '{answer}'\n").chmod(0o755)

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
        parts = [self.workshop.exporting(name, symbol) for name, symbol in OF_TORCH_2_8.items()]
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
