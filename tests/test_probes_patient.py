"""The static and import probes of the target, in real children, over crafted environments with real shared objects."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest
from patients import Patient, clean_environment

CHILD = Path(__file__).parent.parent / "cudacheck" / "probing" / "_child.py"
STATIC = ("interpreter", "distributions", "torch_files", "cuda_libraries", "extensions")
ALL = (*STATIC, "torch_import", "torch_cuda", "loaded_libraries")

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="crafts Linux environments")
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="builds libraries with cc")


@pytest.fixture
def patient(tmp_path):
    return Patient(tmp_path / "venv")


def ask(patient, *probes, **variables):
    """Run target probes in the patient's own interpreter: the facts by type, the outcomes by probe."""
    events = patient.folder.parent / "events"
    events.write_bytes(b"")
    done = subprocess.run(
        [patient.python, "-B", CHILD, events, "patient", "", *probes],
        env={**clean_environment(), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    told = SimpleNamespace(output=done.stdout + done.stderr, outcomes={}, details={})
    facts: dict[str, list[SimpleNamespace]] = {}
    for line in events.read_text("utf-8").splitlines():
        event = json.loads(line)
        if event["event"] == "fact":
            facts.setdefault(event["type"], []).append(SimpleNamespace(**event["fields"]))
        elif event["event"] == "end":
            told.outcomes[event["probe"]] = event["outcome"]
            told.details[event["probe"]] = event["detail"]
    assert set(told.outcomes) == set(probes), done.stderr
    told.all = lambda kind: facts.get(kind, [])
    told.one = lambda kind: facts[kind][0]
    return told


def build(path, source, *flags):
    """A real shared object; `flags` may name others to link to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    command = ["cc", "-shared", "-fPIC", "-o", path, "-x", "c", "-", "-x", "none", "-Wl,--no-as-needed", *flags]
    subprocess.run(command, input=source, text=True, check=True)
    return path


def minimal_torch(patient, version="2.8.0+cu128", cuda="12.8", init=""):
    """Only what the files of a PyTorch say; `init` is its `__init__.py`."""
    patient.write("torch/version.py", f"__version__ = {version!r}\ncuda = {cuda!r}\nhip = None\n")
    patient.write("torch/__init__.py", init)
    patient.distribution("torch", version.partition("+")[0])
    return patient.site / "torch"


def test_nothing_installed(patient):
    told = ask(patient, *ALL)
    assert {told.outcomes[name] for name in STATIC} == {"ok"}
    assert told.details["torch_import"] == told.details["torch_cuda"] == "torch is not installed"
    assert told.details["loaded_libraries"] == "torch is not installed"
    assert not told.all("TorchBuild")
    assert not told.all("Distribution")


# The interpreter and its installer.


def installer_of(patient):
    fact = ask(patient, "interpreter").one("Interpreter")
    return fact.installer, fact.installer_found_in


def test_interpreter(patient):
    fact = ask(patient, "interpreter", PYTHONPATH=f"/first{os.pathsep}/second", CC="no-such-compiler").one(
        "Interpreter"
    )
    assert fact.prefix == str(patient.folder)
    assert fact.base_prefix == sys.base_prefix
    assert fact.os == "linux"
    assert fact.pythonpath == ["/first", "/second"]
    assert "/first" in fact.paths
    assert str(CHILD.parent) not in fact.paths
    assert str(patient.site) in fact.paths
    assert fact.has_pip is False
    assert fact.externally_managed is False
    assert fact.conda_prefix == ""
    assert fact.compiler == ""


@needs_cc
def test_the_compiler_may_come_with_a_launcher(patient):
    fact = ask(patient, "interpreter", CC="cc -m64").one("Interpreter")
    assert fact.compiler == shutil.which("cc")


def test_installer_defaults_to_pip(patient):
    assert installer_of(patient) == ("pip", None)


def test_installer_uv(patient):
    config = patient.folder / "pyvenv.cfg"
    config.write_text(config.read_text() + "uv = 0.9.2\n")
    assert installer_of(patient) == ("uv", str(config))


def test_installer_of_the_torch_that_is_there(patient):
    patient.distribution("torch", "2.8.0", installer="uv")
    assert installer_of(patient) == ("uv", str(patient.site / "torch-2.8.0.dist-info" / "INSTALLER"))


@pytest.mark.parametrize(("place", "name"), [("envs/ml", "conda"), (".pixi/envs/default", "pixi")])
def test_installer_conda_and_pixi(tmp_path, place, name):
    patient = Patient(tmp_path / place)
    (patient.folder / "conda-meta").mkdir()
    patient.distribution("torch", "2.8.0", installer="pip")
    assert installer_of(patient) == (name, str(patient.folder / "conda-meta"))
    assert ask(patient, "interpreter").one("Interpreter").conda_prefix == str(patient.folder)


def test_installer_poetry_in_the_project(tmp_path):
    (tmp_path / "poetry.lock").touch()
    assert installer_of(Patient(tmp_path / ".venv")) == ("poetry", str(tmp_path / "poetry.lock"))


def test_installer_poetry_in_its_cache(tmp_path):
    patient = Patient(tmp_path / "pypoetry" / "virtualenvs" / "app-Xy-py3.11")
    assert installer_of(patient) == ("poetry", str(patient.folder))


# Distributions.


def test_distributions(patient, tmp_path):
    patient.distribution("torch", "2.8.0", requires=("nvidia-cudnn-cu12==9.10.2.21; x == 'y'", "filelock"))
    patient.distribution("torchvision", "0.23.0+cu128", requires=("torch==2.8.0", "numpy"), installer="uv")
    patient.distribution("flash-attn", "2.8.3")
    patient.distribution("uvicorn", "0.30.0")
    patient.distribution("~orch", "2.7.0")
    patient.write("apex.egg-info/PKG-INFO", "Metadata-Version: 1.0\nName: apex\nVersion: 0.1\n")
    patient.write("triton-3.4.0-py3.11.egg-info/PKG-INFO", "Metadata-Version: 1.0\n")
    hidden = Patient(tmp_path / "other")
    hidden.distribution("torch", "2.6.0")
    told = ask(patient, "distributions", PYTHONPATH=str(hidden.site)).all("Distribution")
    assert [d.name for d in told] == ["torch", "apex", "flash-attn", "torch", "torchvision", "triton"]
    by_place = {(d.name, d.location): d for d in told}
    torch = by_place["torch", str(patient.site)]
    assert torch.version == "2.8.0"
    assert torch.requires == ["nvidia-cudnn-cu12==9.10.2.21; x == 'y'"]
    assert torch.shadowed_by == str(hidden.site)
    torchvision = by_place["torchvision", str(patient.site)]
    assert (torchvision.requires, torchvision.build) == (["torch==2.8.0"], "cu128")
    assert torchvision.installer == "uv"
    assert by_place["apex", str(patient.site)].version == "0.1"
    assert by_place["triton", str(patient.site)].version == "3.4.0"


def test_conda_packages(patient):
    records = patient.folder / "conda-meta"
    records.mkdir()
    for name in ("pytorch-2.5.1-py3.11_cuda12.4_cudnn9.1.0_0", "cuda-version-12.4-h_3", "tzdata-2024a-h0_0"):
        (records / f"{name}.json").write_text("{}")
    (records / "history").touch()
    told = ask(patient, "distributions").all("Distribution")
    assert [(d.name, d.version, d.build, d.installer) for d in told] == [
        ("cuda-version", "12.4", "h_3", "conda"),
        ("pytorch", "2.5.1", "py3.11_cuda12.4_cudnn9.1.0_0", "conda"),
    ]


def record_line(path, content):
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(content)}\n"


def wheel(patient, name, version, files):
    """Install a wheel as pip does: its files over what is there, and a RECORD with their hashes."""
    patient.distribution(name, version)
    record = patient.site / f"{name.replace('-', '_')}-{version}.dist-info" / "RECORD"
    record.write_text("".join(record_line(path, content) for path, content in files.items()))
    for path, content in files.items():
        (patient.site / path).parent.mkdir(parents=True, exist_ok=True)
        (patient.site / path).write_bytes(content)


def test_two_wheels_that_claim_the_same_files(patient):
    large = bytes(1 << 20)
    shared = {"nvidia/__init__.py": b"", "nvidia/nccl/__init__.py": b"", "nvidia/nccl/LICENSE": b"free"}
    wheel(
        patient,
        "nvidia-nccl-cu12",
        "2.27.3",
        {**shared, "nvidia/nccl/lib/libnccl.so.2": b"twelve", "nvidia/nccl/include/nccl.h": large},
    )
    wheel(
        patient,
        "nvidia-nccl-cu13",
        "2.28.9",
        {**shared, "nvidia/nccl/lib/libnccl.so.2": b"thirteen", "nvidia/nccl/include/nccl.h": large + b"!"},
    )
    told = ask(patient, "distributions", "cuda_libraries")
    owners = ["nvidia-nccl-cu12==2.27.3", "nvidia-nccl-cu13==2.28.9"]
    assert {(c.path, tuple(c.owners), c.winner) for c in told.all("FileClash")} == {
        (str(patient.site / "nvidia/nccl/lib/libnccl.so.2"), tuple(owners), owners[1]),
        (str(patient.site / "nvidia/nccl/include/nccl.h"), tuple(owners), owners[1]),
    }
    assert told.one("LibraryFile").version == "2.28.9"
    (patient.site / "nvidia/nccl/lib/libnccl.so.2").write_bytes(b"of neither")
    told = ask(patient, "distributions", "cuda_libraries")
    assert {c.winner for c in told.all("FileClash") if c.path.endswith(".so.2")} == {None}
    assert told.one("LibraryFile").version is None


# PyTorch as files.

ERROR_CXX11 = "_ZN3c105ErrorC2ENS_14SourceLocationENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
ERROR_OLD = "_ZN3c105ErrorC2ENS_14SourceLocationESs"


@needs_cc
@pytest.mark.parametrize(("symbol", "cxx11"), [(ERROR_CXX11, True), (ERROR_OLD, False), ("unrelated", None)])
def test_torch_files(patient, symbol, cxx11):
    folder = minimal_torch(patient)
    patient.write(
        "torch/version.py",
        """\
        from typing import Optional
        __all__ = ['__version__', 'debug', 'cuda', 'git_version', 'hip']
        __version__ = '2.8.0+cu128'
        cuda: Optional[str] = '12.8'
        hip: Optional[str] = None
        """,
    )
    patient.distribution("torch", "2.8.0", requires=("nvidia-cudnn-cu12 (==9.10.2.21) ; x", "nvidia-nccl-cu12==2.27.3"))
    literal = 'const char a[] = "sm_70 sm_75 sm_90a compute_90"; const char b[] = "compiled for sm_80";'
    build(folder / "lib" / "libtorch_python.so", literal)
    build(folder / "lib" / "libc10.so", f"int {symbol}(void) {{ return 0; }}")
    told = ask(patient, "torch_files")
    torch = told.one("TorchBuild")
    assert (torch.version, torch.cuda, torch.cuda_known, torch.hip) == ("2.8.0+cu128", "12.8", True, None)
    assert torch.arch_list == ["sm_70", "sm_75", "sm_90a", "compute_90"]
    assert (torch.cudnn_pin, torch.nccl_pin) == ("nvidia-cudnn-cu12==9.10.2.21", "nvidia-nccl-cu12==2.27.3")
    assert torch.metadata_version == "2.8.0"
    assert torch.cxx11_abi is cxx11
    assert torch.path == str(folder)
    assert torch.found_in == str(folder / "version.py")
    assert not told.all("ShadowingModule")


def test_a_cpu_build_has_no_pins_though_its_metadata_names_some(patient):
    minimal_torch(patient, "2.10.0+cpu", cuda=None)
    patient.distribution("torch", "2.10.0", requires=("nvidia-cudnn-cu12==9.10.2.21; platform_machine == 'x86_64'",))
    torch = ask(patient, "torch_files").one("TorchBuild")
    assert (torch.cuda, torch.cuda_known, torch.cudnn_pin, torch.arch_list) == (None, True, None, None)


def test_conda_torch(patient):
    minimal_torch(patient, "2.7.1", cuda="12.6")
    patient.distribution("torch", "2.7.1", installer="conda")
    record = patient.folder / "conda-meta" / "pytorch-2.7.1-cuda126_generic_py311_h_200.json"
    record.parent.mkdir()
    record.write_text(json.dumps({"depends": ["cudnn >=9.10.1.4,<10.0a0", "nccl >=2.26.5.1"], "files": ["a", "b"]}))
    torch = ask(patient, "torch_files").one("TorchBuild")
    assert torch.conda_build == "cuda126_generic_py311_h_200"
    assert (torch.cudnn_pin, torch.nccl_pin) == ("cudnn >=9.10.1.4,<10.0a0", "nccl >=2.26.5.1")
    patient.distribution("torch", "2.7.1", installer="pip")
    assert ask(patient, "torch_files").one("TorchBuild").conda_build is None


def test_a_second_torch_hides_the_first(patient, tmp_path):
    minimal_torch(patient)
    other = Patient(tmp_path / "other")
    minimal_torch(other, "2.6.0+cu124", "12.4")
    told = ask(patient, "torch_files", PYTHONPATH=str(other.site))
    assert told.one("TorchBuild").version == "2.6.0+cu124"
    (hidden,) = told.all("ShadowingModule")
    assert (hidden.path, hidden.taken, hidden.version) == (str(patient.site / "torch"), False, "2.8.0+cu128")
    assert hidden.found_via == "sys.path"


def test_a_script_called_torch_is_told_and_never_run(patient, tmp_path):
    minimal_torch(patient)
    script = tmp_path / "scripts" / "torch.py"
    script.parent.mkdir()
    script.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    told = ask(patient, "torch_files", "torch_import", PYTHONPATH=str(script.parent))
    assert not told.all("TorchBuild")
    taken, hidden = told.all("ShadowingModule")
    assert (taken.path, taken.taken, taken.found_via) == (str(script), True, "PYTHONPATH")
    assert (hidden.path, hidden.taken) == (str(patient.site / "torch"), False)
    assert told.details["torch_import"] == f"`import torch` would run {script}, which is not PyTorch"
    assert not (tmp_path / "ran").exists()


def test_leftover_folders_are_no_torch(patient):
    patient.write("torch/_inductor/leftover.txt", "")
    told = ask(patient, "torch_files", "torch_import")
    assert not told.all("TorchBuild")
    assert not told.all("ShadowingModule")
    assert told.details["torch_import"] == "torch is not installed"


# PyTorch imported.


def test_import(patient):
    minimal_torch(
        patient,
        init="""\
        import warnings
        warnings.warn("Failed to initialize NumPy: _ARRAY_API not found")
        __version__ = "2.8.0+cu128"
        """,
    )
    told = ask(patient, "torch_import", PYTHONWARNINGS="error")
    fact = told.one("TorchImport")
    assert (fact.ok, fact.version, fact.path) == (True, "2.8.0+cu128", str(patient.site / "torch"))
    assert fact.error is None
    assert not told.all("ErrorMessage")
    assert "NumPy" not in told.output


@pytest.mark.parametrize(
    ("init", "error_type", "error", "missing"),
    [
        ("raise SystemExit('no')", "SystemExit", "no", None),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", "", None),
        (
            "raise OSError('/x/libcudnn.so.9: cannot open shared object file: No such file or directory')",
            "OSError",
            "/x/libcudnn.so.9: cannot open shared object file: No such file or directory",
            "libcudnn.so.9",
        ),
    ],
)
def test_failed_import(patient, init, error_type, error, missing):
    minimal_torch(patient, init=f"print('imported')\n{init}")
    told = ask(patient, "torch_import", "torch_cuda", "loaded_libraries")
    fact = told.one("TorchImport")
    assert (fact.ok, fact.error_type, fact.error, fact.missing_library) == (False, error_type, error, missing)
    assert [(m.text, m.found_in) for m in told.all("ErrorMessage")] == [(f"{error_type}: {error}", "import torch")]
    assert told.outcomes == {"torch_import": "ok", "torch_cuda": "skipped", "loaded_libraries": "skipped"}
    assert told.details["torch_cuda"] == f"`import torch` failed: {error or error_type}"
    assert told.output.count("imported") == 1


def torch_with_cuda(patient, cuda):
    minimal_torch(patient, init="from . import cuda")
    patient.write("torch/cuda.py", textwrap.dedent(cuda))


def test_torch_says_why_there_is_no_cuda(patient):
    torch_with_cuda(
        patient,
        """\
        import warnings
        TEXT = "The NVIDIA driver on your system is too old (found version 12020)."
        def is_available():
            warnings.warn("pynvml is deprecated", FutureWarning)
            warnings.warn(f"CUDA initialization: {TEXT} (Triggered internally at /pytorch/CUDAFunctions.cpp:119.)")
            return False
        def device_count(): return 0
        def init(): raise RuntimeError(TEXT)
        """,
    )
    told = ask(patient, "torch_cuda")
    text = "CUDA initialization: The NVIDIA driver on your system is too old (found version 12020)."
    fact = told.one("TorchCuda")
    assert (fact.available, fact.device_count, fact.error, fact.arch_list) == (False, 0, text, None)
    assert [(m.text, m.found_in) for m in told.all("ErrorMessage")] == [(text, "torch.cuda")]
    assert told.output == ""


def test_devices_of_torch_versions_that_tell_more_or_less(patient):
    torch_with_cuda(
        patient,
        """\
        class Properties:
            def __init__(self, **told): self.__dict__.update(told)
        DEVICES = [
            Properties(name="NVIDIA A10", major=8, minor=6, total_memory=24, multi_processor_count=72),
            Properties(name="NVIDIA H100 MIG 1g.10gb", uuid="ab-cd", L2_cache_size=5, pci_domain_id=0, pci_bus_id=65,
                       pci_device_id=0, major=9, minor=0),
            Properties(name="NVIDIA H200", uuid="GPU-ef"),
        ]
        def is_available(): return True
        def device_count(): return 4
        def get_arch_list(): return ["sm_80", "sm_90"]
        def get_device_properties(index): return DEVICES[index]
        """,
    )
    told = ask(patient, "torch_cuda")
    assert told.one("TorchCuda").arch_list == ["sm_80", "sm_90"]
    a10, h100, h200 = told.all("TorchDevice")
    assert (a10.compute_capability, a10.memory_total_bytes, a10.multiprocessors) == ("8.6", 24, 72)
    assert (a10.uuid, a10.l2_bytes, a10.pci_address) == (None, None, None)
    assert (h100.uuid, h100.l2_bytes, h100.pci_address) == ("MIG-ab-cd", 5, "0000:41:00.0")
    assert (h200.uuid, h200.compute_capability) == ("GPU-ef", None)
    assert [m.text for m in told.all("ErrorMessage")] == ["IndexError: list index out of range"]


def test_a_cudnn_that_torch_does_not_like(patient):
    minimal_torch(patient, init="from . import backends, cuda")
    patient.write("torch/cuda.py", "def is_available(): return True\ndef device_count(): return 0\n")
    patient.write("torch/backends/__init__.py", "from . import cudnn")
    patient.write("torch/backends/cudnn.py", "def version(): raise RuntimeError('cuDNN version incompatibility: …')")
    told = ask(patient, "torch_cuda")
    assert told.one("TorchCuda").error == "RuntimeError: cuDNN version incompatibility: …"
    assert told.one("TorchCuda").cudnn_version is None


@pytest.mark.parametrize(("number", "version"), [(8907, "8.9.7"), (90100, "9.1.0"), (92400, "9.24.0"), (None, None)])
def test_cudnn_version_written_out(patient, number, version):
    minimal_torch(patient, init="from . import backends, cuda")
    patient.write("torch/cuda.py", "def is_available(): return False")
    patient.write("torch/backends/__init__.py", "from . import cudnn")
    patient.write("torch/backends/cudnn.py", f"def version(): return {number}")
    assert ask(patient, "torch_cuda").one("TorchCuda").cudnn_version == version


# CUDA libraries.


def library_files(told):
    return {(f.soname, f.path, f.version, f.found_via) for f in told.all("LibraryFile")}


def test_library_files(patient, tmp_path):
    minimal_torch(patient)
    wheel(patient, "nvidia-cudnn-cu12", "9.10.2.21", {"nvidia/cudnn/lib/libcudnn.so.9": b"w"})
    patient.write("torch/lib/libcudart-d0da41ae.so.11.0", "mangled by auditwheel")
    shadow = tmp_path / "hpc"
    shadow.mkdir()
    (shadow / "libcudnn.so.9.1.0").touch()
    (shadow / "libcudnn.so.9").symlink_to("libcudnn.so.9.1.0")
    (shadow / "libcudnn.so").symlink_to("libcudnn.so.9")
    (shadow / "libcurl.so.4").touch()
    toolkit = tmp_path / "root" / "usr" / "local" / "cuda-12.4" / "lib64"
    toolkit.mkdir(parents=True)
    (toolkit / "libcudart.so.12.4.127").touch()
    (toolkit / "libcudart.so.12").symlink_to("libcudart.so.12.4.127")
    (toolkit.parent.parent / "cuda").symlink_to("cuda-12.4")
    told = ask(patient, "cuda_libraries", LD_LIBRARY_PATH=f"{shadow}:/no/such", CUDACHECK_ROOT=str(tmp_path / "root"))
    assert library_files(told) == {
        ("libcudnn.so.9", str(shadow / "libcudnn.so.9.1.0"), "9.1.0", "LD_LIBRARY_PATH"),
        ("libcudnn.so.9", str(patient.site / "nvidia/cudnn/lib/libcudnn.so.9"), "9.10.2.21", "wheel"),
        ("libcudart-d0da41ae.so.11.0", str(patient.site / "torch/lib/libcudart-d0da41ae.so.11.0"), None, "torch/lib"),
        ("libcudart.so.12", str(toolkit / "libcudart.so.12.4.127"), "12.4.127", "toolkit"),
    }
    assert not told.all("MissingLibraryFile")


@needs_cc
def test_the_loaders_cache(patient, tmp_path):
    ldconfig = shutil.which("ldconfig") or shutil.which("ldconfig", path="/sbin:/usr/sbin")
    if ldconfig is None:
        pytest.skip("no ldconfig to write an ld.so.cache with")
    library = build(tmp_path / "lib" / "libcudnn.so.9.2.1", "int x;", "-Wl,-soname,libcudnn.so.9")
    (tmp_path / "ld.so.conf").write_text(f"{library.parent}\n")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    subprocess.run([ldconfig, "-C", root / "etc" / "ld.so.cache", "-f", tmp_path / "ld.so.conf"], check=True)
    there = root / str(library.parent).lstrip("/")
    shutil.copytree(library.parent, there, symlinks=True)
    told = ask(patient, "cuda_libraries", CUDACHECK_ROOT=str(root))
    assert library_files(told) == {("libcudnn.so.9", str(there / "libcudnn.so.9.2.1"), "9.2.1", "ld.so.cache")}
    (root / "etc" / "ld.so.cache").write_bytes(b"glibc-ld.so.cache1.1\xff\xff\xff\xff garbage")
    assert ask(patient, "cuda_libraries", CUDACHECK_ROOT=str(root)).outcomes["cuda_libraries"] == "ok"


def torch_that_needs(patient, *libraries, rpath="$ORIGIN/../../nvidia/cu13/lib:$ORIGIN"):
    """A libtorch_cuda.so that is linked to these, with the RPATH of real wheels."""
    folder = minimal_torch(patient) / "lib"
    build(folder / "libtorch_cuda.so", "int x;", *libraries, f"-Wl,--disable-new-dtags,-rpath,{rpath}")


@needs_cc
def test_missing_libraries(patient, tmp_path):
    wheels = patient.site / "nvidia" / "cu13" / "lib"
    jit = build(wheels / "libnvJitLink.so.13", "int x;", "-Wl,-soname,libnvJitLink.so.13")
    cusparse = build(wheels / "libcusparse.so.12", "int x;", "-Wl,-soname,libcusparse.so.12", jit)
    nccl = build(tmp_path / "elsewhere" / "libnccl.so.2", "int x;", "-Wl,-soname,libnccl.so.2")
    torch_that_needs(patient, cusparse, nccl)
    root = str(tmp_path / "root")
    told = ask(patient, "cuda_libraries", CUDACHECK_ROOT=root)
    (missing,) = told.all("MissingLibraryFile")
    torch_cuda = str(patient.site / "torch" / "lib" / "libtorch_cuda.so")
    assert (missing.soname, missing.wanted_by) == ("libnccl.so.2", torch_cuda)
    assert str(wheels) in missing.search
    assert not ask(patient, "cuda_libraries", LD_LIBRARY_PATH=str(nccl.parent), CUDACHECK_ROOT=root).all(
        "MissingLibraryFile"
    )
    jit.unlink()
    told = ask(patient, "cuda_libraries", LD_LIBRARY_PATH=str(nccl.parent), CUDACHECK_ROOT=root)
    assert [(m.soname, m.wanted_by) for m in told.all("MissingLibraryFile")] == [("libnvJitLink.so.13", str(cusparse))]


@needs_cc
def test_a_cudnn_that_lacks_a_part(patient, tmp_path):
    """As nvidia-cudnn-cu13 9.20.0.48 came without its engines_tensor_ir."""
    folder = patient.site / "nvidia" / "cudnn" / "lib"
    graph = 'const char *parts[] = {"libcudnn_engines_tensor_ir.so", "libcudnn_ops.so", "see libcudnn_x.so for"};'
    build(folder / "libcudnn_graph.so.9", graph)
    build(folder / "libcudnn_ops.so.9", "int x;")
    main = 'const char *parts[] = {"libcudnn_graph.so"};'
    cudnn = build(folder / "libcudnn.so.9", main, "-Wl,-soname,libcudnn.so.9")
    torch_that_needs(patient, cudnn, rpath="$ORIGIN/../../nvidia/cudnn/lib")
    told = ask(patient, "cuda_libraries", CUDACHECK_ROOT=str(tmp_path / "root"))
    assert [(m.soname, m.wanted_by) for m in told.all("MissingLibraryFile")] == [
        ("libcudnn_engines_tensor_ir.so.9", str(folder / "libcudnn_graph.so.9"))
    ]
    build(folder / "libcudnn_engines_tensor_ir.so.9", "int x;")
    assert not ask(patient, "cuda_libraries", CUDACHECK_ROOT=str(tmp_path / "root")).all("MissingLibraryFile")


@needs_cc
def test_loaded_libraries(patient, tmp_path):
    cudnn = build(tmp_path / "lib" / "libcudnn.so.9", "int x;", "-Wl,-soname,libcudnn.so.9")
    driver = build(tmp_path / "lib" / "libcuda.so.575.57.08", "int x;", "-Wl,-soname,libcuda.so.1")
    minimal_torch(
        patient,
        init=f"""\
        import ctypes
        from . import backends
        loaded = [ctypes.CDLL({str(cudnn)!r}), ctypes.CDLL({str(driver)!r})]
        """,
    )
    patient.write("torch/backends/__init__.py", "from . import cudnn")
    patient.write("torch/backends/cudnn.py", "def version(): return 91002")
    told = ask(patient, "torch_import", "loaded_libraries").all("LoadedLibrary")
    assert {(library.soname, library.path, library.version) for library in told} == {
        ("libcuda.so.1", str(driver), "575.57.08"),
        ("libcudnn.so.9", str(cudnn), "9.10.2"),
    }


# Extensions.

FLASH_ATTN = """
extern int _ZN3c104cuda9SetDeviceEab(void), _ZN2at5emptyEv(void), other(void);
int run(void) { return _ZN3c104cuda9SetDeviceEab() + _ZN2at5emptyEv() + other(); }
"""


@needs_cc
@pytest.mark.parametrize(("symbol", "missing"), [("_ZN3c104cuda9SetDeviceEab", []), ("_ZN3c104cuda9SetDeviceEa", [1])])
def test_flash_attn_against_the_torch_that_is_there(patient, symbol, missing, tmp_path):
    lib = minimal_torch(patient) / "lib"
    build(lib / "libtorch_cpu.so", "int _ZN2at5emptyEv(void) { return 0; }")
    build(lib / "libc10_cuda.so", f"int {symbol}(void) {{ return 0; }}")
    cudart = build(tmp_path / "libcudart.so.12", "int x;", "-Wl,-soname,libcudart.so.12")
    suffix = subprocess.run(
        [patient.python, "-c", "import importlib.machinery as m; print(m.EXTENSION_SUFFIXES[0])"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    extension = build(patient.site / f"flash_attn_2_cuda{suffix}", FLASH_ATTN, cudart)
    build(patient.site / "flash_attn_2_cuda.cpython-27-x86_64-linux-gnu.so", FLASH_ATTN)
    patient.distribution("flash-attn", "2.8.3")
    patient.write(
        "flash_attn-2.8.3.dist-info/direct_url.json",
        '{"url": "file:///tmp/flash_attn-2.8.3%2Bcu12torch2.8cxx11abiTRUE-cp311-cp311-linux_x86_64.whl"}',
    )
    (fact,) = ask(patient, "extensions").all("ExtensionFile")
    assert (fact.package, fact.path, fact.version) == ("flash-attn", str(extension), "2.8.3")
    assert fact.cuda_major == 12
    assert fact.missing_symbols == ["_ZN3c104cuda9SetDeviceEab"] * len(missing)
    assert fact.missing_symbol_count == len(missing)
    assert fact.glibc_required.startswith("2.")
    assert fact.wheel_tag == "cu12torch2.8cxx11abiTRUE"


@needs_cc
def test_what_a_library_beside_it_exports_is_not_missing(patient):
    lib = minimal_torch(patient) / "lib"
    build(lib / "libc10.so", "int _ZN3c105otherEv(void) { return 0; }")
    beside = build(
        patient.site / "torchaudio/lib/libtorchaudio.so",
        "int _ZN3c104mineEv(void) { return 0; }",
        "-Wl,-soname,libtorchaudio.so",
    )
    build(
        patient.site / "torchaudio/lib/_torchaudio.so",
        "extern int _ZN3c104mineEv(void); int f(void) { return _ZN3c104mineEv(); }",
        beside,
    )
    facts = ask(patient, "extensions").all("ExtensionFile")
    assert [(Path(f.path).name, f.missing_symbols) for f in facts] == [("_torchaudio.so", []), ("libtorchaudio.so", [])]


@pytest.mark.parametrize(
    ("first", "found"), [("torchvision.py", 0), ("torchvision/__init__.py", 0), ("torchvision/notes.txt", 1)]
)
def test_files_of_a_copy_that_is_never_imported_do_not_count(patient, tmp_path, first, found):
    minimal_torch(patient)
    patient.write("torchvision/__init__.py", "")
    patient.write("torchvision/_C.so", "cut off")
    before = tmp_path / "before" / first
    before.parent.mkdir(parents=True)
    before.write_text("")
    facts = ask(patient, "extensions", PYTHONPATH=str(tmp_path / "before"))
    assert len(facts.all("ExtensionFile")) == found


def test_an_extension_or_a_torch_that_cannot_be_read_convicts_nobody(patient):
    minimal_torch(patient)
    patient.write("torch/lib/libc10.so", "no ELF file")
    patient.write("vllm/_C.abi3.so", "cut off")
    (fact,) = ask(patient, "extensions").all("ExtensionFile")
    assert (fact.package, fact.missing_symbols, fact.glibc_required) == ("vllm", [], None)
