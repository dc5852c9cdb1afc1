"""Each host probe in a real child, over a crafted tree (CUDACHECK_ROOT) or the fake driver of fakes/."""

import datetime
import json
import os
import pwd
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pynvml
import pytest
from present import present
from waiting import wait_until

from cudacheck.probes.host import environment, pci
from cudacheck.registry import probes

CHILD = Path(__file__).parent.parent / "cudacheck" / "probing" / "_child.py"
PYNVML = os.path.dirname(pynvml.__file__)

needs_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc, /sys and /dev")


@pytest.fixture
def ask(tmp_path):
    """Run host probes in a child: the facts by type, the outcomes by probe."""

    def run(*names, env=None, root=None):
        events = tmp_path / "events"
        events.write_bytes(b"")
        variables = dict(os.environ if env is None else env)
        if root is not None:
            variables["CUDACHECK_ROOT"] = str(root)
        command = [sys.executable, CHILD, events, "host", PYNVML, *names]
        done = subprocess.run(command, env=variables, timeout=60, check=False)
        told = SimpleNamespace(returncode=done.returncode, outcomes={}, details={})
        facts: dict[str, list[SimpleNamespace]] = {}
        for line in events.read_text("utf-8").splitlines():
            event = json.loads(line)
            if event["event"] == "fact":
                facts.setdefault(event["type"], []).append(SimpleNamespace(**event["fields"]))
            elif event["event"] == "end":
                told.outcomes[event["probe"]] = event["outcome"]
                told.details[event["probe"]] = event["detail"]
        told.all = lambda kind: facts.get(kind, [])
        told.one = lambda kind: facts[kind][0]
        return told

    return run


class Root:
    """An empty machine; `root("/etc/x", "text")` writes a file of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, path: str, content: str | bytes = "") -> Path:
        file = self.folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root").mkdir()
    return Root(tmp_path / "root")


def test_nvml_is_not_asked_by_the_first_probes():
    order = [probe.name for probe in probes() if probe.child == "host"]
    assert order.index("nvml") >= 3
    assert order[-2:] == ["nvml", "libcuda"]


@needs_linux
def test_every_probe_finishes_on_this_machine(ask):
    names = [probe.name for probe in probes() if probe.child == "host"]
    told = ask(*names)
    assert set(told.outcomes) == set(names)
    assert set(told.outcomes.values()) <= {"ok", "skipped"}
    assert told.one("System").os == "linux"


class TestEnvironment:
    def test_only_what_is_allowed_is_kept(self, ask):
        env = {
            "CUDA_VISIBLE_DEVICES": "",
            "CUDA_MPS_PIPE_DIRECTORY": "/tmp/mps",
            "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "HF_TOKEN": "secret",
            "CUDA_SECRET": "secret",
            "LD_LIBRARY_PATH": "x" * 5000,
        }
        values = ask("environment", env=env).one("EnvironmentVariables").values
        assert values.pop("LD_LIBRARY_PATH") == "x" * environment.LONGEST_VALUE
        assert values == {
            "CUDA_VISIBLE_DEVICES": "",
            "CUDA_MPS_PIPE_DIRECTORY": "/tmp/mps",
            "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
        }

    def test_no_pattern_lets_a_secret_through(self):
        for name in environment.ALLOWED:
            assert not any(word in name for word in ("TOKEN", "KEY", "SECRET", "PASSWORD", "INDEX_URL"))


@needs_linux
class TestSystem:
    def test_a_plain_machine(self, ask, root):
        root("/proc/version", "Linux version 6.8.0-64-generic (buildd@lcy02) #67-Ubuntu SMP")
        root("/proc/sys/kernel/osrelease", "6.8.0-64-generic\n")
        root("/proc/meminfo", "MemTotal: 65536 kB\nMemAvailable:    1024 kB\n")
        root("/etc/os-release", 'NAME="Ubuntu"\nPRETTY_NAME="Ubuntu 24.04.1 LTS"\n')
        root("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", b"\x06\0\0\0\x01")
        root("/sys/class/power_supply/AC/type", "Mains")
        root("/dev/shm/x")
        system = ask("system", root=root.folder, env={"container": ""}).one("System")
        assert (system.kernel, system.distribution) == ("6.8.0-64-generic", "Ubuntu 24.04.1 LTS")
        assert (system.container, system.wsl, system.jetson, system.sandbox) == ("", 0, False, "")
        assert (system.secure_boot, system.on_battery, system.slept) == (True, False, None)
        assert system.memory_available_bytes == 1 << 20
        assert system.shm_bytes > 0

    def test_what_cannot_be_read_is_unknown(self, ask, root):
        system = ask("system", root=root.folder, env={}).one("System")
        assert [system.wsl, system.sandbox, system.secure_boot, system.on_battery] == [None] * 4
        assert [system.memory_available_bytes, system.shm_bytes, system.distribution] == [None] * 3

    @pytest.mark.parametrize(
        ("file", "text", "env", "kind", "sign"),
        [
            ("/.dockerenv", "", {}, "docker", "/.dockerenv"),
            ("/run/.containerenv", "", {}, "podman", "/run/.containerenv"),
            ("/.singularity.d/env", "", {}, "apptainer", "/.singularity.d"),
            ("/.dockerenv", "", {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "kubernetes", "KUBERNETES_SERVICE_HOST"),
            ("/proc/1/environ", "A=1\0container=lxc\0B=2\0", {}, "lxc", "container=lxc"),
            ("/proc/1/cgroup", "0::/kubepods/besteffort/pod1\n", {}, "kubernetes", "/proc/1/cgroup"),
            ("/proc/1/cgroup", "0::/init.scope\n", {"container": "systemd-nspawn"}, "container", None),
            ("/proc/1/cgroup", "0::/init.scope\n", {}, "", ""),
        ],
    )
    def test_containers(self, ask, root, file, text, env, kind, sign):
        root(file, text)
        system = ask("system", root=root.folder, env=env).one("System")
        assert system.container == kind
        assert sign is None or system.container_sign == sign

    @pytest.mark.parametrize(
        ("version", "device", "wsl", "sandbox"),
        [
            ("Linux version 5.15.167.4-microsoft-standard-WSL2 (root@f9c826d3017f)", False, 2, ""),
            ("Linux version 4.19.84-microsoft-standard (oe-user@oe-host)", False, 2, ""),
            ("Linux version 4.4.0-19041-Microsoft (Microsoft@Microsoft.com)", False, 1, ""),
            ("Linux version 4.4.0-19041-Microsoft (Microsoft@Microsoft.com)", True, 2, ""),
            ("Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016", False, 0, "gvisor"),
            ("Linux version 6.8.0-1021-azure (buildd@lcy02-amd64-077)", False, 0, ""),
        ],
    )
    def test_wsl_and_gvisor(self, ask, root, version, device, wsl, sandbox):
        root("/proc/version", version)
        if device:
            root("/dev/dxg")
        system = ask("system", root=root.folder, env={}).one("System")
        assert (system.wsl, system.sandbox) == (wsl, sandbox)

    def test_jetson(self, ask, root):
        root("/proc/sys/kernel/osrelease", "5.15.148-tegra\n")
        assert ask("system", root=root.folder).one("System").jetson

    @pytest.mark.parametrize(("scope", "on_battery"), [("System", True), ("Device", False)])
    def test_a_mouse_is_not_the_battery(self, ask, root, scope, on_battery):
        for name, text in (("type", "Battery"), ("scope", scope), ("status", "Discharging")):
            root(f"/sys/class/power_supply/BAT0/{name}", text + "\n")
        assert ask("system", root=root.folder).one("System").on_battery is on_battery


@needs_linux
class TestPci:
    def gpu(self, root, address="0000:01:00.0", device="0x2684", config=b"\xde\x10\x84\x26", **files):
        folder = f"{pci.DEVICES}/{address}"
        for name, text in {"vendor": "0x10de\n", "class": "0x030000\n", "device": device, **files}.items():
            root(f"{folder}/{name}", text)
        return root(f"{folder}/config", config).parent

    def test_a_gpu_and_its_driver(self, ask, root):
        folder = self.gpu(root, current_link_width="4\n", max_link_width="16\n")
        self.gpu(root, "0000:01:00.1", **{"class": "0x040300\n"})  # its audio function is no GPU
        self.gpu(root, "0000:02:00.0", vendor="0x1002\n")
        (folder / "driver").symlink_to("../../../bus/pci/drivers/nouveau")
        told = ask("pci", root=root.folder)
        (gpu,) = told.all("PciGpu")
        assert told.one("PciBus").readable
        assert (gpu.address, gpu.device_id, gpu.driver) == ("0000:01:00.0", "0x2684", "nouveau")
        assert (gpu.lost, gpu.link_width, gpu.link_width_max) == (False, 4, 16)

    def test_a_gpu_off_the_bus(self, ask, root):
        self.gpu(root, config=b"\xff" * 64, current_link_width="63\n")
        gpu = ask("pci", root=root.folder).one("PciGpu")
        assert (gpu.driver, gpu.lost, gpu.link_width) == ("", True, None)

    def test_no_bus_proves_nothing(self, ask, root):
        told = ask("pci", root=root.folder)
        assert not told.one("PciBus").readable
        assert told.all("PciGpu") == []


OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  575.57.08  Release Build  (nixbld@)\nGCC version\n"
CLOSED = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC 2023\nGCC version:\n"


@needs_linux
class TestKernelModule:
    @pytest.mark.parametrize(
        ("text", "version", "flavour"), [(OPEN, "575.57.08", "open"), (CLOSED, "535.129.03", "proprietary")]
    )
    def test_loaded(self, ask, root, text, version, flavour):
        root("/proc/driver/nvidia/version", text)
        root("/proc/modules", "nvidia_uvm 1 0 - Live 0x0\nnvidia 1 2 nvidia_uvm, Live 0x0\n")
        root("/sys/module/nvidia_uvm/parameters/uvm_disable_hmm", "N\n")
        module = ask("kernel_module", root=root.folder).one("KernelModule")
        assert (module.loaded, module.version, module.flavour) == (True, version, flavour)
        assert (module.uvm_loaded, module.nouveau_loaded, module.hmm_disabled) == (True, False, False)
        assert module.found_in == "/proc/driver/nvidia/version"

    def test_built_for_another_kernel(self, ask, root):
        root("/proc/sys/kernel/osrelease", "6.8.0-65-generic\n")
        root("/proc/modules", "nouveau 1 0 - Live 0x0\nnvidia_wmi_ec_backlight 1 0 - Live 0x0\n")
        root("/lib/modules/6.8.0-65-generic/kernel/drivers/video/nvidia-wmi-ec-backlight.ko.zst")
        root(
            "/lib/modules/6.8.0-65-generic/modules.dep",
            "kernel/i2c/i2c-nvidia-gpu.ko.zst:\nupdates/dkms/nvidia-drm.ko.zst: updates/dkms/nvidia.ko.zst\n",
        )
        root("/lib/modules/6.8.0-64-generic/updates/dkms/nvidia.ko.zst")
        root("/lib/modules/6.8.0-63-generic/modules.dep", "kernel/odd/nvidia-current.ko.xz:\n")
        root("/lib/modules/6.8.0-62-generic/kernel/nvidia-570/nvidia.ko")
        root("/lib/modules/6.8.0-61-generic/modules.dep", "")
        root("/var/lib/dkms/nvidia/575.57.08/source")
        root("/var/lib/dkms/nvidia-fs/2.17.5/source")
        module = ask("kernel_module", root=root.folder).one("KernelModule")
        assert (module.loaded, module.nouveau_loaded, module.built_for_kernel) == (False, True, False)
        assert list(module.other_kernels) == [f"6.8.0-{n}-generic" for n in (62, 63, 64)]
        assert list(module.dkms) == ["575.57.08"]

    def test_a_kernel_that_shows_nothing(self, ask, root):
        module = ask("kernel_module", root=root.folder).one("KernelModule")
        assert [module.loaded, module.uvm_loaded, module.nouveau_loaded, module.built_for_kernel] == [None] * 4


RECORDS = r"""6,1,1,-;Linux version 6.8.0
6,2,2,-;NVRM: loading NVIDIA UNIX x86_64 Kernel Module  570.124.06
 SUBSYSTEM=pci
3,3,3,-;NVRM: Xid (PCI:0000:02:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.
6,4,4,-;usb 1-1: new device
3,5,5,-;NVRM: The NVIDIA GPU 0000:01:00.0 (PCI ID: 10de:2b85)\x0aNVRM: installed requires the open kernel modules
"""


@needs_linux
class TestKernelLog:
    def test_the_ring_buffer(self, ask, root):
        root("/dev/kmsg", RECORDS)
        first, second = ask("kernel_log", root=root.folder).all("ErrorMessage")
        assert first.text.startswith("NVRM: Xid (PCI:0000:02:00): 79,")
        assert first.found_in == "kernel log (/dev/kmsg)"
        assert second.text.splitlines()[1].startswith("NVRM: installed requires")

    def test_a_file_of_this_boot_only(self, ask, root):
        head = "Nov 22 10:00:00 host kernel: [    0.000000] "
        root(
            "/var/log/kern.log",
            f"{head}NVRM: Xid (PCI:0000:01:00): 79, an older boot\n{head}Linux version 6.8.0-64-generic\n"
            f"{head}NVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x22:0x56:884)\n",
        )
        (message,) = ask("kernel_log", root=root.folder).all("ErrorMessage")
        assert message.text == "NVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x22:0x56:884)"
        assert message.found_in == "kernel log (/var/log/kern.log)"

    def test_the_newest_are_kept_and_none_twice(self, ask, root):
        lines = [f"4,{n},{n},-;NVRM: Xid (PCI:0000:01:00): 31, number {n % 60}\n" for n in range(90)]
        root("/dev/kmsg", "".join(lines))
        numbers = [int(m.text.split()[-1]) for m in ask("kernel_log", root=root.folder).all("ErrorMessage")]
        assert numbers == [*range(40, 60), *range(30)]

    def test_none_may_be_read(self, ask, root):
        told = ask("kernel_log", root=root.folder)
        assert told.outcomes["kernel_log"] == "skipped"
        assert "/dev/kmsg: No such file" in told.details["kernel_log"]


@needs_linux
class TestDeviceNodes:
    def test_nodes(self, ask, root):
        for name in ("nvidiactl", "nvidia10", "nvidia2", "nvidia-modeset"):
            root(f"/dev/{name}")
        (root.folder / "dev/nvidia-uvm").mkdir()  # the one thing that root cannot open either
        nodes = {node.path: node for node in ask("device_nodes", root=root.folder).all("DeviceNode")}
        assert list(nodes)[-2:] == ["/dev/nvidia2", "/dev/nvidia10"]
        assert nodes["/dev/nvidiactl"].open_error == ""
        assert nodes["/dev/nvidiactl"].mode.startswith("-rw")
        assert nodes["/dev/nvidia-uvm"].open_error == "EISDIR"
        assert nodes["/dev/nvidia2"].open_error is None, "opening it would initialise the GPU"
        assert [nodes["/dev/dxg"].exists, nodes["/dev/nvidia-uvm-tools"].exists] == [False, False]
        assert "/dev/nvidia-modeset" not in nodes

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
    def test_permission(self, ask, root):
        for name in ("nvidiactl", "nvidia0"):
            root(f"/dev/{name}").chmod(0)
        nodes = {node.path: node for node in ask("device_nodes", root=root.folder).all("DeviceNode")}
        assert [nodes[path].open_error for path in ("/dev/nvidiactl", "/dev/nvidia0")] == ["EACCES", "EACCES"]


def ld_cache(*libraries):
    """A cache as glibc writes it: (flags, soname, path)."""
    magic = b"glibc-ld.so.cache1.1"
    texts, entries = b"", b""
    start = 48 + 24 * len(libraries)
    for flags, soname, path in libraries:
        key = start + len(texts)
        texts += soname.encode() + b"\0"
        entries += struct.pack("=iIIIQ", flags, key, start + len(texts), 0, 0)
        texts += path.encode() + b"\0"
    return magic + struct.pack("=IIIIIII", len(libraries), len(texts), 0, 0, 0, 0, 0) + entries + texts


@needs_linux
class TestDriverFiles:
    def test_the_loaders_order(self, ask, root, tmp_path):
        for folder, version in (("usr/lib/x86_64-linux-gnu", "570.124.06"), ("usr/local/cuda/compat", "575.57.08")):
            real = root(f"/{folder}/libcuda.so.{version}")
            (real.parent / "libcuda.so.1").symlink_to(real.name)
        root("/usr/lib/wsl/lib/libcuda.so.1.1")
        (root.folder / "usr/lib/wsl/lib/libcuda.so.1").symlink_to("libcuda.so.1.1")
        root("/usr/lib32/libcuda.so.1")
        before_2_32 = b"ld.so-1.7.0\0" + bytes(20)
        root(
            "/etc/ld.so.cache",
            before_2_32
            + ld_cache(
                (3, "libcuda.so.1", "/usr/lib32/libcuda.so.1"),
                (0x303, "libcuda.so.1", "/usr/local/cuda/compat/libcuda.so.1"),
                (0x303, "libcudart.so.12", "/usr/local/cuda/lib64/libcudart.so.12"),
            ),
        )
        copied = tmp_path / "copied" / "libcuda.so.1"
        copied.parent.mkdir()
        copied.touch()
        env = {"LD_LIBRARY_PATH": f"/nowhere:{copied.parent}::"}
        found = ask("driver_files", root=root.folder, env=env).all("DriverLibrary")
        assert [(library.found_via, library.version) for library in found] == [
            ("LD_LIBRARY_PATH", None),
            ("ld.so.cache", "575.57.08"),
            ("directory", "570.124.06"),
            ("directory", None),
        ]
        assert found[0].path == str(copied)
        assert found[1].path.endswith("/usr/local/cuda/compat/libcuda.so.1")
        assert found[1].real_path.endswith("/usr/local/cuda/compat/libcuda.so.575.57.08")

    def test_none(self, ask, root):
        told = ask("driver_files", root=root.folder, env={})
        assert told.outcomes == {"driver_files": "ok"}
        assert told.all("DriverLibrary") == []

    @pytest.mark.skipif(not shutil.which("ldconfig", path="/sbin:/usr/sbin"), reason="no ldconfig to compare with")
    def test_this_machines_cache_is_read_as_ldconfig_reads_it(self):
        from cudacheck.probes.host import driver_files

        ldconfig = present(shutil.which("ldconfig", path="/sbin:/usr/sbin"))
        printed = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=True).stdout
        for line in printed.splitlines()[:30]:
            name, _, rest = line.strip().partition(" (")
            if rest.startswith("libc6,"):
                found = [path for path, _ in driver_files._in_cache(name)]
                assert rest.rpartition("=> ")[2] in found


@needs_linux
class TestToolkits:
    def nvcc(self, root, folder, text="exit 1"):
        root(f"{folder}/bin/nvcc", f"#!/bin/sh\n{text}\n").chmod(0o755)

    def test_each_once_in_the_order_in_which_a_build_takes_them(self, ask, root):
        for folder, version in (("/usr/local/cuda-12.8", "12.8.1"), ("/opt/cuda", "13.0.0")):
            self.nvcc(root, folder)
            root(f"{folder}/version.json", json.dumps({"cuda": {"name": "CUDA SDK", "version": version}}))
        root("/usr/local/cuda-10.2/version.txt", "CUDA Version 10.2.89\n")
        root("/usr/local/cuda-12.9/compat/libcuda.so.1")
        root("/usr/local/cuda-samples/README")
        (root.folder / "usr/local/cuda").symlink_to("cuda-12.8")
        env = {"CUDA_HOME": "/usr/local/cuda", "CUDA_PATH": "/nowhere", "PATH": "/usr/bin:/opt/cuda/bin"}
        found = ask("toolkits", root=root.folder, env=env).all("CudaToolkit")
        assert [(t.path, t.version, t.nvcc, t.found_via) for t in found] == [
            ("/usr/local/cuda", "12.8.1", "/usr/local/cuda/bin/nvcc", "CUDA_HOME"),
            ("/opt/cuda", "13.0.0", "/opt/cuda/bin/nvcc", "PATH"),
            ("/usr/local/cuda-10.2", "10.2.89", None, "directory"),
            ("/usr/local/cuda-12.9", "12.9", None, "directory"),
        ]

    def test_the_compiler_is_asked_where_no_file_tells(self, ask, root):
        self.nvcc(root, "/usr", "echo 'Cuda compilation tools, release 12.4, V12.4.131'")
        self.nvcc(root, "/usr/local/cuda", "kill -SEGV $$")
        root("/usr/local/cuda/version.json", '{"cuda": []}')
        found = ask("toolkits", root=root.folder, env={"PATH": "/usr/bin"}).all("CudaToolkit")
        assert [(t.path, t.version) for t in found] == [("/usr", "12.4"), ("/usr/local/cuda", None)]


class TestNvml:
    def test_everything_about_two_gpus(self, ask, fake_driver, fake_driver_folder):
        env = fake_driver(
            FAKE_NDEV=2,
            FAKE_NAME_1="NVIDIA H200",
            FAKE_CC_1=90,
            FAKE_MIG_1=1,
            FAKE_MIG_INSTANCES_1=2,
            FAKE_FABRIC_STATE_1=2,
            FAKE_THROTTLE_1="0x145",
            FAKE_COMPUTEMODE_1=3,
            FAKE_PM_1=1,
            FAKE_ECC=-1,
            FAKE_ECC_1=1,
            FAKE_ECC_UNC_1=7,
            FAKE_REMAP_PENDING_1=1,
            FAKE_VIRTUALIZATION_1=1,
            FAKE_UTILIZATION_1=93,
        )
        told = ask("nvml", env=env)
        nvml, (first, second) = told.one("Nvml"), told.all("Gpu")
        assert (nvml.library_found, nvml.init_code, nvml.init_error, nvml.gpu_count) == (True, 0, None, 2)
        assert (nvml.driver_version, nvml.cuda_version) == ("570.124.06", "12.8")
        assert nvml.nvml_version == "12.570.124.06"
        assert nvml.library == str((fake_driver_folder / "libnvidia-ml.so.1").resolve())
        assert (first.name, first.compute_capability, first.pci_address) == ("NVIDIA A10", "8.6", "0000:0a:00.0")
        assert first.uuid == "GPU-00000000-0000-0000-0000-000000000001"
        assert (first.memory_total_bytes, first.memory_used_bytes) == (24564 << 20, 300 << 20)
        assert [first.pcie_generation, first.pcie_generation_max, first.pcie_width, first.pcie_width_max] == [
            4,
            4,
            16,
            16,
        ]
        assert [first.power_draw_w, first.power_limit_w, first.power_default_w] == [55.25, 150, 150]
        assert [first.sm_clock_mhz, first.sm_clock_max_mhz] == [210, 1695]
        assert [first.memory_clock_mhz, first.memory_clock_max_mhz, first.memory_bus_bits] == [405, 6251, 384]
        assert [first.temperature_c, first.utilization_percent, first.clock_event_reasons] == [40, 0, []]
        assert [first.ecc_enabled, first.ecc_uncorrected] == [None, None]
        assert [first.rows_remap_pending, first.rows_remap_failed] == [False, False]
        assert [first.mig_enabled, first.mig_instances, first.fabric_state] == [None, None, None]
        assert [first.compute_mode, first.persistence_mode, first.virtualization] == ["default", False, "none"]
        assert [first.error, first.error_code, first.driver_model] == [None, None, None]
        assert (second.name, second.compute_capability, second.pci_address) == ("NVIDIA H200", "9.0", "0000:1a:00.0")
        assert second.clock_event_reasons == [
            "gpu_idle",
            "sw_power_cap",
            "hw_thermal_slowdown",
            "display_clock_setting",
        ]
        assert second.mig_enabled
        assert [uuid[:4] for uuid in second.mig_instances] == ["MIG-", "MIG-"]
        assert (second.fabric_state, second.compute_mode) == ("in-progress", "exclusive-process")
        assert (second.persistence_mode, second.virtualization, second.utilization_percent) == (True, "passthrough", 93)
        assert (second.ecc_enabled, second.ecc_uncorrected, second.rows_remap_pending) == (True, 7, True)

    def test_no_library(self, ask):
        told = ask("nvml", env={})
        if told.one("Nvml").library_found:
            pytest.skip("this machine has a driver")
        assert told.one("Nvml").init_code == 12
        assert told.one("Nvml").init_error == "NVML Shared Library Not Found"
        assert told.outcomes == {"nvml": "ok"}

    @pytest.mark.parametrize(
        ("code", "words"),
        [
            (4, "Insufficient Permissions"),
            (9, "Driver Not Loaded"),
            (17, "The operating system has blocked the request"),
            (18, "Driver/library version mismatch"),
            (999, "Unknown Error"),
        ],
    )
    def test_an_init_that_fails(self, ask, fake_driver, code, words):
        told = ask("nvml", env=fake_driver(FAKE_NVML_INIT=code))
        nvml = told.one("Nvml")
        assert (nvml.library_found, nvml.init_code, nvml.init_error) == (True, code, words)
        assert (nvml.driver_version, nvml.gpu_count) == (None, None)
        assert nvml.nvml_version == "12.570.124.06", "the library tells its own version all the same"
        assert told.all("Gpu") == []

    @pytest.mark.parametrize("how", ["FAKE_HANDLE_0", "FAKE_LOST_0"])
    def test_a_gpu_that_is_lost(self, ask, fake_driver, how):
        lost, well = ask("nvml", env=fake_driver(FAKE_NDEV=2, **{how: 15})).all("Gpu")
        assert (lost.index, lost.error, lost.error_code, lost.name) == (0, "GPU is lost", 15, None)
        assert (well.index, well.error, well.name) == (1, None, "NVIDIA A10")

    def test_what_a_board_does_not_tell_is_unknown(self, ask, fake_driver):
        silent = [
            "POWER_MW",
            "POWER_LIMIT_MW",
            "TEMP",
            "UTILIZATION",
            "SM_CLOCK",
            "BUS_BITS",
            "MEM_MB",
            "VIRTUALIZATION",
        ]
        gpu = ask("nvml", env=fake_driver(**{f"FAKE_{name}": -1 for name in silent})).one("Gpu")
        assert gpu.name == "NVIDIA A10"
        assert [gpu.power_draw_w, gpu.power_limit_w, gpu.temperature_c, gpu.utilization_percent] == [None] * 4
        assert [gpu.sm_clock_mhz, gpu.memory_bus_bits, gpu.memory_total_bytes, gpu.virtualization] == [None] * 4

    def test_mig_without_an_instance_and_mig_that_is_not_shown(self, ask, fake_driver):
        env = fake_driver(FAKE_NDEV=3, FAKE_MIG=1, FAKE_MIG_2=0, FAKE_MIG_ERROR_1=4)
        none, hidden, off = ask("nvml", env=env).all("Gpu")
        assert (none.mig_enabled, none.mig_instances) == (True, [])
        assert (hidden.mig_enabled, hidden.mig_instances) == (True, None)
        assert (off.mig_enabled, off.mig_instances) == (False, [])

    def test_processes(self, ask, fake_driver):
        env = fake_driver(
            FAKE_PROCESSES=f"{os.getpid()}:512,4194304:-1",
            FAKE_GRAPHICS_PROCESSES=f"{os.getpid()}:512",
            FAKE_PROCESS_NAME="/usr/bin/python3",
        )
        ours, hidden = ask("nvml", env=env).all("GpuProcess")
        assert (ours.gpu_index, ours.pid, ours.memory_bytes, ours.visible) == (0, os.getpid(), 512 << 20, True)
        assert ours.name == "/usr/bin/python3"
        assert (hidden.memory_bytes, hidden.visible) == (None, False)
        assert ours.user == pwd.getpwuid(os.getuid()).pw_name
        elapsed = subprocess.run(
            ["ps", "-o", "etimes=", "-p", str(os.getpid())], capture_output=True, text=True, check=True
        ).stdout
        started = datetime.datetime.fromisoformat(ours.started).timestamp()
        assert abs(time.time() - float(elapsed) - started) < 30
        assert (hidden.user, hidden.started) == (None, None)

    @pytest.mark.parametrize("stat", ["", "4321 (a) b)", "4321 (python (x) y) S " + " ".join(["9" * 40] * 30)])
    def test_a_process_whose_start_nobody_can_tell(self, ask, fake_driver, root, stat):
        root("/proc/4321/stat", stat)
        root("/proc/stat", "btime 1764400000\n")
        process = ask("nvml", env=fake_driver(FAKE_PROCESSES="4321:512"), root=root.folder).one("GpuProcess")
        assert (process.visible, process.started) == (True, None)

    def test_a_start_is_told_after_a_name_with_brackets(self, ask, fake_driver, root):
        root("/proc/4321/stat", "4321 (python (x) y) S " + " ".join(["0"] * 18) + " 360000 0")
        root("/proc/stat", "cpu 1 2\nbtime 1764400000\n")
        process = ask("nvml", env=fake_driver(FAKE_PROCESSES="4321:512"), root=root.folder).one("GpuProcess")
        assert datetime.datetime.fromisoformat(process.started).timestamp() == 1764400000 + 360000 // os.sysconf(
            "SC_CLK_TCK"
        )

    def test_a_zombie_is_told_with_its_parent(self, ask, fake_driver):
        with subprocess.Popen(["true"]) as dead:  # and nobody waits for it
            wait_until(lambda: ") Z " in Path(f"/proc/{dead.pid}/stat").read_text(encoding="utf-8"), timeout_s=30)
            process = ask("nvml", env=fake_driver(FAKE_PROCESSES=f"{dead.pid}:512")).one("GpuProcess")
        assert (process.state, process.parent, process.visible) == ("Z", os.getpid(), True)

    def test_an_old_driver_lacks_functions(self, ask, fake_driver, fake_driver_folder, tmp_path):
        library = tmp_path / "libnvidia-ml.so.1"
        source = Path(__file__).parent / "fakes" / "fakenvml.c"
        subprocess.run(["cc", "-DOLD_DRIVER", "-shared", "-fPIC", "-o", library, source], check=True)
        gpu = ask("nvml", env=fake_driver(LD_LIBRARY_PATH=tmp_path, FAKE_THROTTLE=8)).one("Gpu")
        assert (gpu.memory_used_bytes, gpu.power_limit_w) == (700 << 20, 150)
        assert (gpu.memory_bus_bits, gpu.fabric_state) == (None, None)
        assert gpu.clock_event_reasons == ["hw_slowdown"]

    def test_a_crash_keeps_what_was_told_before(self, ask, fake_driver):
        told = ask("environment", "nvml", "pci", env=fake_driver(FAKE_NVML_CRASH=1))
        assert told.returncode == -11
        assert told.outcomes == {"environment": "ok"}


class TestLibCuda:
    def test_a_driver_that_works(self, ask, fake_driver, fake_driver_folder):
        cuda = ask("libcuda", env=fake_driver(FAKE_NDEV=3, FAKE_CUDA_VERSION=13020)).one("LibCuda")
        assert (cuda.found, cuda.cuda_version, cuda.init_code, cuda.device_count) == (True, "13.2", 0, 3)
        assert (cuda.init_error, cuda.load_error) == (None, None)
        assert cuda.path == str((fake_driver_folder / "libcuda.so.1").resolve())

    @pytest.mark.parametrize(
        ("code", "words"),
        [
            (100, "CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected"),
            (803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH: system has unsupported display driver / cuda driver combination"),
            (77, "error 77"),
        ],
    )
    def test_an_init_that_fails(self, ask, fake_driver, code, words):
        cuda = ask("libcuda", env=fake_driver(FAKE_CUINIT=code)).one("LibCuda")
        assert (cuda.found, cuda.init_code, cuda.init_error, cuda.device_count) == (True, code, words, None)
        assert cuda.cuda_version == "12.8"

    def test_no_version_and_no_count(self, ask, fake_driver):
        cuda = ask("libcuda", env=fake_driver(FAKE_CUDA_VERSION=-1, FAKE_NDEV=-1)).one("LibCuda")
        assert (cuda.init_code, cuda.cuda_version, cuda.device_count) == (0, None, None)

    def test_no_library(self, ask):
        cuda = ask("libcuda", env={}).one("LibCuda")
        if cuda.found:
            pytest.skip("this machine has a driver")
        assert "libcuda.so.1" in cuda.load_error

    def test_a_file_that_does_not_load(self, ask, fake_driver, tmp_path):
        (tmp_path / "libcuda.so.1").write_bytes(b"\x7fELF")
        cuda = ask("libcuda", env=fake_driver(LD_LIBRARY_PATH=tmp_path)).one("LibCuda")
        assert (cuda.found, cuda.init_code) == (True, None)
        assert "file too short" in cuda.load_error

    def test_a_library_that_is_not_the_drivers(self, ask, fake_driver, fake_driver_folder, tmp_path):
        shutil.copy(fake_driver_folder / "libnvidia-ml.so.1", tmp_path / "libcuda.so.1")
        cuda = ask("libcuda", env=fake_driver(LD_LIBRARY_PATH=tmp_path)).one("LibCuda")
        assert (cuda.found, cuda.path) == (True, str(tmp_path / "libcuda.so.1"))
        assert "undefined symbol" in cuda.load_error

    def test_a_crash_keeps_what_was_told_before(self, ask, fake_driver):
        told = ask("nvml", "libcuda", env=fake_driver(FAKE_CUINIT_CRASH=1))
        assert told.returncode == -11
        assert told.outcomes == {"nvml": "ok"}
        assert told.one("Gpu").name == "NVIDIA A10"


@needs_linux
class TestNamedPaths:
    def test_what_is_there_and_what_is_not(self, ask, root):
        root("/opt/cuda/version.txt")
        env = {
            "CUDA_HOME": "/opt/cuda",
            "CUDA_PATH": "/opt/removed",
            "CC": "sh -c",
            "CXX": "/opt/removed/c++",
            "LD_PRELOAD": "libjemalloc.so.2 /opt/removed/lib.so:/opt/$LIB/lib.so",
            "PATH": os.environ["PATH"],
            "CUDNN_PATH": " ",
        }
        told = ask("named_paths", root=root.folder, env=env)
        found = {(named.variable, named.path): named.exists for named in told.all("NamedPath")}
        assert found == {
            ("CUDA_HOME", "/opt/cuda"): True,
            ("CUDA_PATH", "/opt/removed"): False,
            ("CC", "sh"): True,
            ("CXX", "/opt/removed/c++"): False,
            ("LD_PRELOAD", "/opt/removed/lib.so"): False,
        }


@needs_linux
def test_a_cluster_may_call_the_machine_otherwise(ask):
    assert ask("system").one("System").node == os.uname().nodename
    assert ask("system", env={**os.environ, "CUDACHECK_NODE": "gpu-07"}).one("System").node == "gpu-07"
