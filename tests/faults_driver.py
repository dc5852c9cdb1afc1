"""Faults of hardware, kernel, container and driver: what stands between the GPU and CUDA."""

from __future__ import annotations

import ctypes.util
from functools import lru_cache

import pytest
from faults import Fault, over_and_done, settings
from machine import CUDA, LIBRARIES, NVML, Change, Machine
from machines import A100, CU130, RTX_3090, RTX_5090, bare_metal, docker, h200, two_gpus, wsl

GPU = "/sys/bus/pci/devices/0000:0a:00.0"
SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
NOT_EVEN_ROOT = "/proc/sys/kernel/ostype"
"""Nobody may open it for writing: CAP_DAC_OVERRIDE counts for nothing with sysctl files."""


@lru_cache
def is_installed(library: str) -> bool:
    return ctypes.util.find_library(library.removeprefix("lib").removesuffix(".so")) is not None


def without_library(m: Machine, *names: str) -> None:
    """Take libraries of the driver away. Where a real driver is installed, the loader would find that one."""
    for name in names:
        if is_installed(name):
            pytest.skip(f"this machine has a {name} of its own")
        m.remove(f"{LIBRARIES}/{name}.1")


# Hardware and kernel


def driver_missing(m: Machine) -> None:
    m.unload()
    without_library(m, CUDA, NVML)
    m.remove("/lib/modules", "/var/lib/dkms", LIBRARIES)


def no_gpu(m: Machine) -> None:
    driver_missing(m)
    m.remove(GPU)


def owned_by(driver: str) -> Change:
    def sicken(m: Machine) -> None:
        m.unload()
        m.link(f"{GPU}/driver", f"../../../../bus/pci/drivers/{driver}")
        m.put("/proc/modules", f"{driver.replace('-', '_')} 1 0 - Live 0x0\n")

    return sicken


def new_kernel(m: Machine) -> None:
    m.unload()
    m.put("/proc/sys/kernel/osrelease", "6.8.0-64-generic\n")
    m.put("/lib/modules/6.8.0-64-generic/kernel/fs/ext4/ext4.ko.zst")


def secure_boot(m: Machine) -> None:
    m.put(SECURE_BOOT, b"\x06\0\0\0\x01")


def secure_boot_unsigned(m: Machine) -> None:
    secure_boot(m)
    m.unload()


def blackwell(m: Machine) -> None:
    m.pci("0000:0a:00.0", device="0x2b85", driver="nvidia")
    m.set(RTX_5090)


def blackwell_on_closed_module(m: Machine) -> None:
    blackwell(m)
    m.kernel_module("570.124.06", flavour="")
    m.set(FAKE_NDEV="0", FAKE_CUINIT="100")


def closed_module_says_so(m: Machine) -> None:
    m.pci("0000:0a:00.0", device="0xffff", driver="nvidia")  # a board of the future
    m.set(RTX_5090, FAKE_NDEV="0", FAKE_CUINIT="100")
    m.log("NVRM: The NVIDIA GPU 0000:0a:00.0 (PCI ID: 10de:ffff)")
    m.log("NVRM: installed in this system requires use of the NVIDIA open kernel modules.")


def rm_init_failed(m: Machine) -> None:
    m.set(FAKE_NDEV="0", FAKE_CUINIT="100")
    m.log("NVRM: GPU 0000:0a:00.0: RmInitAdapter failed! (0x22:0x56:884)")


def lost(m: Machine) -> None:
    m.set(FAKE_LOST="15", FAKE_CUINIT="999")
    m.log("NVRM: Xid (PCI:0000:0a:00): 79, pid=1234, name=python, GPU has fallen off the bus.")


def lost_from_the_bus(m: Machine) -> None:
    m.put(f"{GPU}/config", b"\xff" * 64)
    m.set(FAKE_NDEV="0", FAKE_CUINIT="100")


def half_updated(m: Machine) -> None:
    """unattended-upgrades put new libraries beside the module that is still loaded."""
    m.driver("570.133.07", "12.8")
    m.set(FAKE_NVML_INIT="18", FAKE_CUINIT="803")


ECC_ERROR = "CUDA error: uncorrectable ECC error encountered"
REMAPPED = settings(A100, FAKE_REMAP_C="3", FAKE_REMAP_U="1")

HARDWARE = (
    Fault("no-gpu", "nothing of NVIDIA's on the bus, no driver", bare_metal, no_gpu),
    Fault("driver-missing", "a GPU and no driver", bare_metal, driver_missing),
    Fault("driver-not-loaded", "installed, module not loaded", bare_metal, Machine.unload),
    Fault("nouveau-loaded", "nouveau", bare_metal, owned_by("nouveau")),
    Fault("nouveau-loaded", "vfio-pci", bare_metal, owned_by("vfio-pci")),
    Fault("kernel-module-missing", "a module for the old kernel only", bare_metal, new_kernel),
    Fault("secure-boot-unsigned", "module not loaded", bare_metal, secure_boot_unsigned, well=secure_boot),
    Fault("open-module-required", "RTX 5090", bare_metal, blackwell_on_closed_module, well=blackwell),
    Fault("open-module-required", "the log says so", bare_metal, closed_module_says_so, well=blackwell),
    Fault("gpu-init-failed", "RmInitAdapter failed", bare_metal, rm_init_failed, well=over_and_done),
    Fault("gpu-lost", "NVML 15 and Xid 79", bare_metal, lost, well=over_and_done),
    Fault("gpu-lost", "its configuration space reads all ones", bare_metal, lost_from_the_bus),
    Fault("gpu-lost", "the second of two has no handle", two_gpus, settings(FAKE_HANDLE_1="999")),
    Fault("ecc-uncorrectable", "a row to be remapped", bare_metal, settings(FAKE_REMAP_PENDING="1"), well=REMAPPED),
    Fault("ecc-uncorrectable", "a kernel met one", bare_metal, settings(FAKE_ECC_UNC="2", STUB_KERNEL_ERROR=ECC_ERROR)),
    Fault("driver-library-mismatch", "half updated: NVML 18, cuInit 803", bare_metal, half_updated),
)

# Containers, permissions, WSL


def started_without_gpu(m: Machine) -> None:
    without_library(m, CUDA, NVML)
    m.remove("/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools")


def pod_without_gpu(m: Machine) -> None:
    started_without_gpu(m)
    m.set(KUBERNETES_SERVICE_HOST="10.0.0.1", NVIDIA_VISIBLE_DEVICES="void")


def utility_only(m: Machine) -> None:
    without_library(m, CUDA)
    m.set(NVIDIA_DRIVER_CAPABILITIES="utility")


def compute_only(m: Machine) -> None:
    without_library(m, NVML)
    m.set(NVIDIA_DRIVER_CAPABILITIES="compute")


def not_allowed(m: Machine) -> None:
    for name in ("nvidiactl", "nvidia0", "nvidia-uvm"):
        m.link(f"/dev/{name}", NOT_EVEN_ROOT)
    m.set(FAKE_NVML_INIT="4", FAKE_CUINIT="304")


def linux_driver_in_wsl(m: Machine) -> None:
    m.driver("535.183.01", "12.2", libraries=(CUDA,))
    m.set(FAKE_CUINIT="100")


def wsl_1(m: Machine) -> None:
    without_library(m, CUDA, NVML)
    m.linux(kernel="4.4.0-19041-Microsoft", words="(Microsoft@Microsoft.com)")
    m.remove("/dev/dxg", "/usr/lib/wsl", "/sys")


ACCESS_LOST = settings(FAKE_NVML_INIT="999", FAKE_CUINIT="999")
BLOCKED = settings(FAKE_NVML_INIT="17", FAKE_CUINIT="100")

CONTAINERS = (
    Fault("container-without-gpu", "docker run without --gpus", docker, started_without_gpu),
    Fault("container-without-gpu", "a pod that did not ask", docker, pod_without_gpu),
    Fault("container-missing-capability", "utility alone", docker, utility_only),
    Fault("container-missing-capability", "compute alone", docker, compute_only, severity="warning"),
    Fault("nvml-access-lost", "after the host's daemon-reload", docker, ACCESS_LOST),
    Fault("device-permission", "/dev/nvidiactl: EACCES", bare_metal, not_allowed),
    Fault("wsl-driver-broken", "a Linux driver's libcuda comes first", wsl, linux_driver_in_wsl),
    Fault("wsl-driver-broken", "Windows blocks the access", wsl, BLOCKED),
    Fault("wsl-driver-broken", "Windows' own libcuda finds no GPU", wsl, settings(FAKE_CUINIT="100")),
    Fault("wsl-driver-broken", "WSL 1", wsl, wsl_1),
)

# What CUDA needs to start


def stubs_first(m: Machine) -> None:
    m.driver("570.124.06", "12.8", "/usr/local/cuda-12.8/lib64/stubs", libraries=(CUDA,))
    m.set(FAKE_CUINIT="34")


def compat(m: Machine) -> None:
    """An image of CUDA 12.9 on a host with driver 550: its compat library works on a board for data centres."""
    m.kernel_module("550.54.15")
    m.remove("/lib/modules", "/var/lib/dkms")
    m.driver("575.57.08", "12.9", "/usr/local/cuda/compat", libraries=(CUDA,))
    m.set(FAKE_DRIVER="550.54.15")


def compat_refused(m: Machine) -> None:
    compat(m)
    m.set(FAKE_CUINIT="803")


def compat_on_geforce(m: Machine) -> None:
    compat(m)
    m.set(RTX_3090, FAKE_CUINIT="804")


def uvm_missing(m: Machine) -> None:
    m.remove("/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/sys/module/nvidia_uvm")
    m.put("/proc/modules", "nvidia 2 0 - Live 0x0\n")
    m.set(FAKE_CUINIT="999")


def hidden_by(value: str) -> Change:
    return settings(CUDA_VISIBLE_DEVICES=value, FAKE_CUINIT="100")


def mig(instances: str, **more: str) -> Change:
    return settings(A100, FAKE_MIG="1", FAKE_MIG_INSTANCES=instances, **more)


def half_installed(m: Machine) -> None:
    without_library(m, CUDA)


def empty_libcuda(m: Machine) -> None:
    """What remains in an image that was saved from a container with a GPU."""
    for path in m.at(LIBRARIES).glob(f"{CUDA}.5*"):
        path.write_bytes(b"")


def old_windows_driver(m: Machine) -> None:
    m.driver("531.14", "12.1", "/usr/lib/wsl/lib")


def cu130_on_old_driver(m: Machine) -> None:
    old_windows_driver(m)
    m.torch("2.11.0+cu130", "13.0", CU130)


def ptx_alone(driver: str, cuda: str) -> Change:
    """A PyTorch of somebody's own making, with PTX of CUDA 12.9 for this GPU, on this driver."""

    def build(m: Machine) -> None:
        blackwell(m)
        m.kernel_module(driver)
        m.driver(driver, cuda)
        m.torch("2.8.0", "12.9", "sm_80 sm_90 compute_90")

    return build


OWN_UUID = settings(CUDA_VISIBLE_DEVICES="GPU-00000000-0000-0000-0000-000000000001")
FABRIC_DOWN = settings(FAKE_FABRIC_STATE="1", FAKE_CUINIT="802")
NVML_FAILS_TOO = settings(FAKE_CUINIT="100", FAKE_NVML_INIT="14")

STARTING = (
    Fault("stub-libcuda", "the toolkit's stubs on LD_LIBRARY_PATH", bare_metal, stubs_first),
    Fault("forward-compat-libcuda", "803 in a container", docker, compat_refused, well=compat),
    Fault("forward-compat-libcuda", "804 on a GeForce", docker, compat_on_geforce, well=compat),
    Fault("fabric-manager-down", "H200, 802", h200, FABRIC_DOWN),
    Fault("uvm-broken", "nvidia_uvm not loaded", bare_metal, uvm_missing),
    Fault("uvm-broken", "stale after suspend", bare_metal, settings(FAKE_CUINIT="999")),
    Fault("uvm-broken", "HMM", bare_metal, settings(FAKE_CUINIT="3")),
    Fault("mig-without-instance", "A100", bare_metal, mig("0", FAKE_CUINIT="100"), well=mig("1")),
    Fault("gpus-hidden", "empty", bare_metal, hidden_by("")),
    Fault("gpus-hidden", "-1", bare_metal, hidden_by("-1")),
    Fault("gpus-hidden", "beyond the last", bare_metal, hidden_by("3")),
    Fault("gpus-hidden", "another machine's UUID", bare_metal, hidden_by("GPU-4c5f3b6e-1111"), well=OWN_UUID),
    Fault("gpus-hidden", "breaks off", two_gpus, settings(CUDA_VISIBLE_DEVICES="0,7"), severity="warning"),
    Fault("compute-mode-exclusive", "exclusive", bare_metal, settings(FAKE_COMPUTEMODE="3"), severity="warning"),
    Fault("compute-mode-exclusive", "prohibited", bare_metal, settings(FAKE_COMPUTEMODE="2")),
    Fault("cuda-init-failed", "NVML without libcuda", bare_metal, half_installed),
    Fault("cuda-init-failed", "an empty libcuda in an image", docker, empty_libcuda),
    Fault("cuda-init-failed", "NVML fails too, and no rule knows its code", docker, NVML_FAILS_TOO),
    Fault("driver-too-old", "Windows' driver", wsl, cu130_on_old_driver, well=old_windows_driver),
    Fault(
        "ptx-newer-than-driver",
        "PTX of 12.9 on driver 570",
        bare_metal,
        ptx_alone("570.124.06", "12.8"),
        well=ptx_alone("575.57.08", "12.9"),
    ),
)

FAULTS = (*HARDWARE, *CONTAINERS, *STARTING)
