"""Faults of hardware, kernel, container and driver: what stands between the GPU and CUDA."""

from __future__ import annotations

import ctypes.util

import pytest
from faults import Fault
from machines import (
    A100,
    CU130,
    LIBRARIES,
    RTX_3090,
    RTX_5090,
    CUDA,
    NVML,
    Machine,
    bare_metal,
    docker,
    h200,
    two_gpus,
    wsl,
)

GPU = "/sys/bus/pci/devices/0000:0a:00.0"
SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
UNREADABLE = "/proc/sys/kernel/ostype"
"""Whom even root may not open for writing: sysctl files know no CAP_DAC_OVERRIDE."""


def lacks(*names: str) -> None:
    """These libraries can be missing only where no real driver is installed."""
    for name in names:
        if ctypes.util.find_library(name):
            pytest.skip(f"this machine has a real lib{name}")


# Hardware and kernel


def no_gpu(m: Machine) -> None:
    driver_missing(m)
    m.remove(GPU)


def driver_missing(m: Machine) -> None:
    lacks("cuda", "nvidia-ml")
    m.unload()
    m.remove("/lib/modules", "/var/lib/dkms", LIBRARIES)


def owned_by(driver: str):
    def sicken(m: Machine) -> None:
        m.unload()
        m.link(f"{GPU}/driver", f"../../../../bus/pci/drivers/{driver}")
        m.put("/proc/modules", f"{driver.replace('-', '_')} 1 0 - Live 0x0\n")

    return sicken


def new_kernel(m: Machine) -> None:
    m.unload()
    m.put("/proc/sys/kernel/osrelease", "6.8.0-64-generic\n")
    m.put("/lib/modules/6.8.0-64-generic/kernel/fs/ext4/ext4.ko.zst")


def new_kernel_and_dkms(m: Machine) -> None:
    new_kernel(m)
    m.remove("/lib/modules/6.8.0-45-generic")


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
    blackwell_on_closed_module(m)
    m.log("NVRM: The NVIDIA GPU 0000:0a:00.0 (PCI ID: 10de:2b85)")
    m.log("NVRM: installed in this system requires use of the NVIDIA open kernel modules.")


def rm_init_failed(m: Machine) -> None:
    m.set(FAKE_NDEV="0", FAKE_CUINIT="100")
    m.log("NVRM: GPU 0000:0a:00.0: RmInitAdapter failed! (0x22:0x56:884)")


def over_and_done(m: Machine) -> None:
    """The log tells of faults that a reset or reboot of the board has cured: all GPUs answer."""
    m.log("NVRM: GPU 0000:0a:00.0: RmInitAdapter failed! (0x22:0x56:884)")
    m.log("NVRM: Xid (PCI:0000:0a:00): 79, pid=1234, GPU has fallen off the bus.")


def lost(m: Machine) -> None:
    m.set(FAKE_LOST="15", FAKE_CUINIT="999")
    m.log("NVRM: Xid (PCI:0000:0a:00): 79, pid=1234, name=python, GPU has fallen off the bus.")


def lost_from_the_bus(m: Machine) -> None:
    m.put(f"{GPU}/config", b"\xff" * 64)
    m.set(FAKE_NDEV="0", FAKE_CUINIT="100")


def remapped_rows(m: Machine) -> None:
    m.set(A100, FAKE_REMAP_C="3", FAKE_REMAP_U="1")


def half_updated(m: Machine) -> None:
    """unattended-upgrades put new libraries beside the module that is still loaded."""
    m.driver("570.133.07", "12.8")
    m.set(FAKE_NVML_INIT="18", FAKE_CUINIT="803")


HARDWARE = (
    Fault("no-gpu", "nothing of NVIDIA's on the bus, no driver", bare_metal, no_gpu),
    Fault("driver-missing", "a GPU and no driver", bare_metal, driver_missing),
    Fault("driver-not-loaded", "installed, module not loaded", bare_metal, Machine.unload),
    Fault("nouveau-loaded", "nouveau", bare_metal, owned_by("nouveau")),
    Fault("nouveau-loaded", "vfio-pci", bare_metal, owned_by("vfio-pci")),
    Fault("kernel-module-missing", "a new kernel, the module for the old one", bare_metal, new_kernel),
    Fault("kernel-module-missing", "a new kernel, only DKMS knows the module", bare_metal, new_kernel_and_dkms),
    Fault("secure-boot-unsigned", "module not loaded", bare_metal, secure_boot_unsigned, well=secure_boot),
    Fault("open-module-required", "RTX 5090 on the proprietary module", bare_metal, blackwell_on_closed_module, well=blackwell),
    Fault("open-module-required", "and the kernel log says so", bare_metal, closed_module_says_so, well=blackwell),
    Fault("gpu-init-failed", "RmInitAdapter failed", bare_metal, rm_init_failed, well=over_and_done),
    Fault("gpu-lost", "Xid 79 and NVML 15", bare_metal, lost, well=over_and_done),
    Fault("gpu-lost", "its configuration space reads all ones", bare_metal, lost_from_the_bus),
    Fault("gpu-lost", "the second of two has no handle", two_gpus, lambda m: m.set(FAKE_HANDLE_1="999")),
    Fault("ecc-uncorrectable", "a row waits to be remapped", bare_metal, lambda m: m.set(FAKE_REMAP_PENDING="1"), well=remapped_rows),
    Fault(
        "ecc-uncorrectable",
        "a kernel met one",
        bare_metal,
        lambda m: m.set(FAKE_ECC_UNC="2", STUB_KERNEL_ERROR="CUDA error: uncorrectable ECC error encountered"),
    ),
    Fault("driver-library-mismatch", "half updated: NVML 18, cuInit 803", bare_metal, half_updated),
)

# Containers, permissions, WSL


def started_without_gpu(m: Machine) -> None:
    lacks("cuda", "nvidia-ml")
    m.remove("/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", LIBRARIES)


def podman_without_gpu(m: Machine) -> None:
    started_without_gpu(m)
    m.remove("/.dockerenv")
    m.put("/run/.containerenv")


def pod_without_gpu(m: Machine) -> None:
    started_without_gpu(m)
    m.set(KUBERNETES_SERVICE_HOST="10.0.0.1", NVIDIA_VISIBLE_DEVICES="void")


def utility_only(m: Machine) -> None:
    lacks("cuda")
    m.remove(f"{LIBRARIES}/{CUDA}.1")
    m.set(NVIDIA_DRIVER_CAPABILITIES="utility")


def compute_only(m: Machine) -> None:
    lacks("nvidia-ml")
    m.remove(f"{LIBRARIES}/{NVML}.1")
    m.set(NVIDIA_DRIVER_CAPABILITIES="compute")


def not_allowed(m: Machine) -> None:
    for name in ("nvidiactl", "nvidia0", "nvidia-uvm"):
        m.link(f"/dev/{name}", UNREADABLE)
    m.set(FAKE_NVML_INIT="4", FAKE_CUINIT="304")


def linux_driver_in_wsl(m: Machine) -> None:
    m.driver("535.183.01", "12.2", libraries=(CUDA,))
    m.set(FAKE_CUINIT="100")


def wsl_1(m: Machine) -> None:
    lacks("cuda", "nvidia-ml")
    m.linux(kernel="4.4.0-19041-Microsoft", words="(Microsoft@Microsoft.com)")
    m.remove("/dev/dxg", "/usr/lib/wsl", "/sys")


def no_dxg(m: Machine) -> None:
    m.remove("/dev/dxg")
    m.set(FAKE_NVML_INIT="9", FAKE_CUINIT="100")


CONTAINERS = (
    Fault("container-without-gpu", "docker run without --gpus", docker, started_without_gpu),
    Fault("container-without-gpu", "podman", docker, podman_without_gpu),
    Fault("container-without-gpu", "a pod that did not ask", docker, pod_without_gpu),
    Fault("container-missing-capability", "utility without compute", docker, utility_only),
    Fault("container-missing-capability", "compute without utility", docker, compute_only, severity="warning"),
    Fault(
        "nvml-access-lost",
        "after the host's daemon-reload",
        docker,
        lambda m: m.set(FAKE_NVML_INIT="999", FAKE_CUINIT="999"),
    ),
    Fault("device-permission", "/dev/nvidiactl: EACCES", bare_metal, not_allowed),
    Fault("device-permission", "/dev/nvidiactl: EACCES in a container", docker, not_allowed),
    Fault("wsl-driver-broken", "a Linux driver's libcuda comes first", wsl, linux_driver_in_wsl),
    Fault("wsl-driver-broken", "Windows blocks the access", wsl, lambda m: m.set(FAKE_NVML_INIT="17", FAKE_CUINIT="100")),
    Fault("wsl-driver-broken", "no /dev/dxg", wsl, no_dxg),
    Fault("wsl-driver-broken", "WSL 1", wsl, wsl_1),
)

# libcuda and what CUDA needs to start


def stubs_last(m: Machine) -> None:
    own = m.environment["LD_LIBRARY_PATH"]
    m.driver("570.124.06", "12.8", "/usr/local/cuda-12.8/lib64/stubs", libraries=(CUDA,))
    m.set(LD_LIBRARY_PATH=f"{own}:{m.at('/usr/local/cuda-12.8/lib64/stubs')}")


def stubs_first(m: Machine) -> None:
    m.driver("570.124.06", "12.8", "/usr/local/cuda-12.8/lib64/stubs", libraries=(CUDA,))
    m.set(FAKE_CUINIT="34")


def compat(m: Machine) -> None:
    """An image of CUDA 12.9 on a host with driver 550: its compat library works on a board for data centres."""
    m.kernel_module("550.54.15")
    m.remove("/lib/modules", "/var/lib/dkms")
    m.driver("550.54.15", "12.4")
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


def uvm_not_passed(m: Machine) -> None:
    m.remove("/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/.dockerenv")
    m.put("/proc/1/environ", "container=lxc\0")
    m.set(FAKE_CUINIT="304")


def hidden_by(value: str):
    return lambda m: m.set(CUDA_VISIBLE_DEVICES=value, FAKE_CUINIT="100")


def visible_by_uuid(m: Machine) -> None:
    m.set(CUDA_VISIBLE_DEVICES="GPU-00000000-0000-0000-0000-000000000001")


def cu130_on_old_driver(m: Machine) -> None:
    m.driver("531.14", "12.1", "/usr/lib/wsl/lib")
    m.torch("2.11.0+cu130", "13.0", CU130)


def cu128_on_old_driver(m: Machine) -> None:
    m.driver("531.14", "12.1", "/usr/lib/wsl/lib")


def ptx_only(driver: str, cuda: str):
    """A build of somebody's own, with PTX alone for this GPU, on this driver."""

    def build(m: Machine) -> None:
        blackwell(m)
        m.kernel_module(driver)
        m.driver(driver, cuda)
        m.torch("2.8.0", "12.9", "sm_80 sm_90 compute_90")

    return build


def mig(instances: str, **more: str):
    return lambda m: m.set(A100, FAKE_MIG="1", FAKE_MIG_INSTANCES=instances, **more)


def half_installed(m: Machine) -> None:
    lacks("cuda")
    m.remove(f"{LIBRARIES}/{CUDA}.1")


STARTING = (
    Fault("stub-libcuda", "the toolkit's stubs on LD_LIBRARY_PATH", bare_metal, stubs_first, well=stubs_last),
    Fault("forward-compat-libcuda", "803 in a container", docker, compat_refused, well=compat),
    Fault("forward-compat-libcuda", "804 on a GeForce", docker, compat_on_geforce, well=compat),
    Fault("fabric-manager-down", "H200, 802", h200, lambda m: m.set(FAKE_FABRIC_STATE="1", FAKE_CUINIT="802")),
    Fault("uvm-broken", "nvidia_uvm not loaded", bare_metal, uvm_missing),
    Fault("uvm-broken", "stale after suspend", bare_metal, lambda m: m.set(FAKE_CUINIT="999")),
    Fault("uvm-broken", "HMM", bare_metal, lambda m: m.set(FAKE_CUINIT="3")),
    Fault("uvm-broken", "/dev/nvidia-uvm not passed into LXC", docker, uvm_not_passed),
    Fault("mig-without-instance", "A100", bare_metal, mig("0", FAKE_CUINIT="100"), well=mig("1")),
    Fault("gpus-hidden", "empty", bare_metal, hidden_by("")),
    Fault("gpus-hidden", "-1", bare_metal, hidden_by("-1")),
    Fault("gpus-hidden", "beyond the last", bare_metal, hidden_by("3")),
    Fault("gpus-hidden", "another machine's UUID", bare_metal, hidden_by("GPU-4c5f3b6e-1111"), well=visible_by_uuid),
    Fault("gpus-hidden", "a name", bare_metal, hidden_by("cuda:0")),
    Fault("gpus-hidden", "the list breaks off", two_gpus, lambda m: m.set(CUDA_VISIBLE_DEVICES="0,7", FAKE_NDEV="2"), severity="warning"),
    Fault("compute-mode-exclusive", "exclusive process", bare_metal, lambda m: m.set(FAKE_COMPUTEMODE="3"), severity="warning"),
    Fault("compute-mode-exclusive", "prohibited", bare_metal, lambda m: m.set(FAKE_COMPUTEMODE="2")),
    Fault("cuda-init-failed", "NVML without libcuda", bare_metal, half_installed),
    Fault("cuda-init-failed", "201", bare_metal, lambda m: m.set(FAKE_CUINIT="201")),
    Fault("driver-too-old", "an old Windows driver under WSL", wsl, cu130_on_old_driver, well=cu128_on_old_driver),
    Fault("ptx-newer-than-driver", "PTX of 12.9 on driver 570", bare_metal, ptx_only("570.124.06", "12.8"), well=ptx_only("575.57.08", "12.9")),
)

FAULTS = (*HARDWARE, *CONTAINERS, *STARTING)
