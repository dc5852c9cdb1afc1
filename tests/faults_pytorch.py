"""Faults of the environment: the PyTorch that is installed, the libraries it loads, what is compiled against it."""

from __future__ import annotations

import shutil
from pathlib import Path

from faults import Fault
from machines import (
    A10,
    CU121,
    CU128,
    CU130,
    H200,
    RTX_5090,
    T4,
    Machine,
    Workshop,
    bare_metal,
    conda,
    uv,
    with_wheels,
)

GTX_1080 = {"FAKE_NAME": "NVIDIA GeForce GTX 1080 Ti", "FAKE_CC": "61", "FAKE_MEM_MB": "11264", "FAKE_ECC": "-1"}
GB10 = {"FAKE_NAME": "NVIDIA GB10", "FAKE_CC": "121", "FAKE_MEM_MB": "-1", "FAKE_ECC": "-1"}
NEW_SYMBOLS = ("_ZN3c104cuda9SetDeviceEab", "_ZN3c105ErrorC2ENS_14SourceLocationENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE")
OLD_SYMBOLS = ("_ZN3c104cuda9SetDeviceEi", "_ZN3c105ErrorC2ENS_14SourceLocationESs")
MODULE = """
static long definition[] = {1, 0, 0, 0, 0, (long)"flash_attn_2_cuda", 0, -1, 0, 0, 0, 0, 0};
void *PyModule_Create2(void *, int);
void *PyInit_flash_attn_2_cuda(void) { return PyModule_Create2(definition, 1013); }
"""
"""An extension module without Python.h: a PyModuleDef is a name among numbers."""

# The PyTorch that is installed


def torch_missing(m: Machine) -> None:
    for path in m.patient.site.glob("torch*"):
        shutil.rmtree(path)


def cpu_build(m: Machine) -> None:
    m.torch("2.11.0+cpu", None)


def conda_cpu_build(m: Machine) -> None:
    conda(m)
    m.torch("2.5.1", None)
    m.patient.write("torch-2.5.1.dist-info/INSTALLER", "conda\n")
    shutil.rmtree(m.patient.folder / "conda-meta")
    m.conda("pytorch", "2.5.1", "py3.11_cpu_0")


def rocm_build(m: Machine) -> None:
    m.torch("2.8.0+rocm6.4", None)
    version = m.patient.site / "torch" / "version.py"
    version.write_text(version.read_text().replace("hip = None", "hip = '6.4.43482'"))


def shadowed_by(file: str):
    def sicken(m: Machine) -> None:
        project = m.patient.folder / "project"
        (project / file).parent.mkdir(parents=True)
        (project / file).write_text("print('my first network')\n")
        m.set(PYTHONPATH=str(project))

    return sicken


def harmless_pythonpath(m: Machine) -> None:
    shadowed_by("torch_utils.py")(m)


def leftover_metadata(m: Machine) -> None:
    """pip says 2.6.0, the files are 2.8.0's."""
    m.patient.distribution("torch", "2.6.0")


def unknown_python(m: Machine) -> None:
    """An interpreter that calls itself PyPy; PyTorch has no wheels for it."""
    torch_missing(m)
    m.patient.write("sitecustomize.py", "import sys\nsys.implementation.name = 'pypy'\n")


def gpu_and_build(gpu: dict[str, str], version: str, cuda: str, archs: str):
    def build(m: Machine) -> None:
        m.set(gpu)
        m.torch(version, cuda, archs)

    return build


BUILDS = (
    Fault("torch-missing", "an empty environment", bare_metal, torch_missing),
    Fault("torch-cpu-build", "+cpu", bare_metal, cpu_build),
    Fault("torch-cpu-build", "conda's cpu build", bare_metal, conda_cpu_build, well=conda),
    Fault("torch-rocm-build", "+rocm6.4", bare_metal, rocm_build),
    Fault("torch-shadowed", "a torch.py on PYTHONPATH", bare_metal, shadowed_by("torch.py"), well=harmless_pythonpath),
    Fault("torch-shadowed", "a folder torch/ on PYTHONPATH", bare_metal, shadowed_by("torch/__init__.py"), well=harmless_pythonpath),
    Fault("torch-shadowed", "metadata of another release", bare_metal, leftover_metadata),
    Fault("python-without-wheel", "PyPy", bare_metal, unknown_python),
    Fault(
        "gpu-too-new-for-build",
        "H200 on CUDA 11.7",
        bare_metal,
        gpu_and_build(H200, "1.13.1+cu117", "11.7", "sm_37 sm_50 sm_60 sm_70 sm_75 sm_80 sm_86"),
        well=gpu_and_build(H200, "2.1.2+cu118", "11.8", CU121),
    ),
    Fault(
        "gpu-too-new-for-build",
        "RTX 5090 on cu126",
        bare_metal,
        gpu_and_build(RTX_5090, "2.8.0+cu126", "12.6", CU121),
        well=gpu_and_build(GB10, "2.8.0+cu128", "12.8", CU128),
    ),
    Fault(
        "gpu-too-old-for-build",
        "6.1 in a gap between sm_50 and sm_70",
        bare_metal,
        gpu_and_build(GTX_1080, "2.7.1+cu126", "12.6", "sm_50 sm_70 sm_75 sm_80 sm_86 sm_90"),
        well=gpu_and_build(GTX_1080, "2.7.1+cu126", "12.6", CU121),
    ),
)

# NVIDIA's libraries


def driver_580(m: Machine) -> None:
    m.driver("580.95.05", "13.0")
    m.kernel_module("580.95.05")


def cuda_13(m: Machine) -> None:
    driver_580(m)
    with_wheels(m, "2.11.0+cu130", "13.0", CU130, cudnn="9.19.0.56", suffix="cu13")


def old_nccl(shop: Workshop) -> Path:
    return shop.exporting("libnccl.so.2", "ncclCommInitRank")


def nccl_of_cuda_12_over_13(m: Machine) -> None:
    cuda_13(m)
    m.wheel("nvidia-nccl-cu12", "2.21.5", "nccl", old_nccl(m.workshop))


def nccl_of_cuda_13_over_12(m: Machine) -> None:
    """PyTorch's own was installed last: it works, until somebody uninstalls the other."""
    m.wheel("nvidia-nccl-cu12", "2.21.5", "nccl", old_nccl(m.workshop))
    cuda_13(m)


def same_files_twice(m: Machine) -> None:
    """Both majors, and no file in common: cuBLAS of CUDA 12 lies in a folder of its own."""
    cuda_13(m)
    m.wheel("nvidia-cuda-runtime-cu12", "12.8.90", "cuda_runtime", m.workshop.exporting("libcudart.so.12", "cudaMalloc"))


def old_nvjitlink_first(m: Machine) -> None:
    """LD_LIBRARY_PATH leads to a toolkit whose nvJitLink is older than the wheel of cuSPARSE needs."""
    shop, name, symbol = m.workshop, "libnvJitLink.so.12", "__nvJitLinkComplete_12_4"
    script = shop.folder / "versions"
    script.write_text("libnvJitLink.so.12 { global: *; };\n")
    versioned = f"-Wl,--version-script={script}"
    new = shop.library(name, f"int {symbol}(void) {{ return 0; }} int nvJitLinkVersion(void) {{ return 4; }}", versioned)
    old = shop.library(name, "int nvJitLinkVersion(void) { return 1; }", versioned)
    source = f"int {symbol}(void); int use(void) {{ return {symbol}(); }}"
    cusparse = shop.library(
        "libcusparse.so.12", source, "-Wl,--enable-new-dtags", "-Wl,-rpath,$ORIGIN/../../nvjitlink/lib", needs=(new,)
    )
    m.torch("2.8.0+cu128", "12.8", CU128, core=shop.wanting("libtorch_cuda.so", needs=(cusparse,)))
    m.wheel("nvidia-cusparse-cu12", "12.5.8.93", "cusparse", cusparse)
    m.wheel("nvidia-nvjitlink-cu12", "12.8.93", "nvjitlink", new)
    m.put(f"/usr/local/cuda-12.1/lib64/{name}", old.read_bytes())
    m.search(str(m.at("/usr/local/cuda-12.1/lib64")))


def new_nvjitlink_first(m: Machine) -> None:
    old_nvjitlink_first(m)
    m.put("/usr/local/cuda-12.1/lib64/libnvJitLink.so.12", next(m.patient.site.glob("nvidia/nvjitlink/lib/*")).read_bytes())


def older_nccl(m: Machine) -> None:
    """`pip install nvidia-nccl-cu12==2.18.1`, as some other package asked for."""
    shutil.rmtree(next(m.patient.site.glob("nvidia_nccl_cu12-*")))
    m.wheel("nvidia-nccl-cu12", "2.18.1", "nccl", old_nccl(m.workshop))


def without(*patterns: str):
    """These files of the wheels are gone."""

    def sicken(m: Machine) -> None:
        for pattern in patterns:
            for path in m.patient.site.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    return sicken


def cublas_of(version: str):
    """PyTorch from a build that looks for cuBLAS on LD_LIBRARY_PATH first, where a toolkit's is of this version."""

    def build(m: Machine) -> None:
        cublas = m.workshop.exporting("libcublas.so.12", "cublasCreate_v2")
        m.torch("2.8.0+cu128", "12.8", CU128, core=m.workshop.wanting("libtorch_cuda.so", needs=(cublas,), rpath=""))
        m.wheel("nvidia-cublas-cu12", "12.8.4.1", "cublas", cublas)
        folder = "/usr/local/cuda-12.1/lib64"
        m.put(f"{folder}/libcublas.so.{version}", cublas.read_bytes())
        m.link(f"{folder}/libcublas.so.12", f"libcublas.so.{version}")
        m.search(str(m.at(folder)))

    return build


def incomplete_wheel(m: Machine) -> None:
    """nvidia-cudnn-cu13 9.20.0.48 lacks a part; another cuDNN on LD_LIBRARY_PATH has one of that name."""
    driver_580(m)
    with_wheels(m, "2.12.1+cu130", "13.0", CU130, cudnn="9.20.0.48", suffix="cu13")
    part = m.workshop.exporting("libcudnn_engines_tensor_ir.so.9", "part")
    m.put("/usr/local/cuda-13.0/lib64/libcudnn_engines_tensor_ir.so.9", part.read_bytes())
    m.search(str(m.at("/usr/local/cuda-13.0/lib64")))


def cudnn_parts_of(version: str):
    """LD_LIBRARY_PATH leads to a cuDNN of this version: the parts are looked for there before they are beside cuDNN."""

    def sicken(m: Machine) -> None:
        for library in m.workshop.cudnn(version)[1:]:
            m.put(f"/opt/cudnn/{library.name}", library.read_bytes())
        m.search(str(m.at("/opt/cudnn")))

    return sicken


def undefined(symbol: str):
    def sicken(m: Machine) -> None:
        m.torch("2.8.0+cu128", "12.8", CU128, core=m.workshop.wanting("libtorch_cuda.so", symbol))

    return sicken


def of_the_future(soname: str, m: Machine, source: str = "") -> Path:
    """A library that was linked against glibc 2.99."""
    script = m.workshop.folder / "future"
    script.write_text("GLIBC_2.99 { global: *; };\n")
    libc = m.workshop.library("libc.so.6", "int arc4future(void) { return 0; }", "-nostdlib", f"-Wl,--version-script={script}")
    uses = "int arc4future(void); int use(void) { return arc4future(); }"
    return m.workshop.library(soname, uses + source, "-nostdlib", needs=(libc,))


def torch_of_the_future(m: Machine) -> None:
    m.torch("2.8.0+cu128", "12.8", CU128, core=of_the_future("libtorch_cuda.so", m))


LIBRARIES = (
    Fault("nvidia-wheels-conflict", "NCCL of cu12 over cu13's", bare_metal, nccl_of_cuda_12_over_13, well=same_files_twice),
    Fault("nvidia-wheels-conflict", "cu13's came last", bare_metal, nccl_of_cuda_13_over_12, well=cuda_13, severity="warning"),
    Fault("nvidia-wheels-conflict", "an older nvJitLink first", bare_metal, old_nvjitlink_first, well=new_nvjitlink_first),
    Fault("nccl-conflict", "an older NCCL", uv, older_nccl),
    Fault("cuda-library-missing", "no cuBLAS", uv, without("nvidia/cublas", "nvidia_cublas*")),
    Fault("cuda-library-shadowed", "a toolkit's cuBLAS", bare_metal, cublas_of("12.1.0.26"), well=cublas_of("12.8.4.1"), severity="warning"),
    Fault("cudnn-missing", "no cuDNN", uv, without("nvidia/cudnn", "nvidia_cudnn*")),
    Fault("cudnn-incomplete", "a part is gone", uv, without("nvidia/cudnn/lib/libcudnn_ops.so.9")),
    Fault("cudnn-incomplete", "the wheel that lacks a part", bare_metal, incomplete_wheel, severity="warning"),
    Fault("cudnn-conflict", "parts of another cuDNN first", uv, cudnn_parts_of("9.1.0")),
    Fault("torch-import-failed", "MKL's lost symbol", bare_metal, undefined("iJIT_NotifyEvent")),
    Fault("glibc-too-old", "PyTorch", bare_metal, torch_of_the_future),
)

# What is compiled against PyTorch


def flash_attn(*symbols: str, needs: tuple[str, ...] = (), gpu: dict[str, str] = A10):
    def build(m: Machine) -> None:
        m.set(gpu)
        libraries = tuple(m.workshop.library(soname) for soname in needs)
        uses = "".join(f"int {symbol}(void);\nint use{symbol}(void) {{ return {symbol}(); }}\n" for symbol in symbols)
        exporters = [m.patient.site / "torch" / "lib" / name for name in ("libc10.so", "libc10_cuda.so")]
        flags = ("-Wl,--disable-new-dtags", "-Wl,-rpath,$ORIGIN/torch/lib")
        m.extension("flash_attn_2_cuda", m.workshop.library("flash_attn_2_cuda.so", MODULE + uses, *flags, needs=(*exporters, *libraries)))
        m.patient.write("flash_attn/__init__.py", "import torch\nimport flash_attn_2_cuda\n\n\ndef flash_attn_func(q, k, v, causal=False):\n    return q @ k @ v\n")
        m.patient.distribution("flash-attn", "2.8.3")

    return build


def flash_attn_of_the_future(m: Machine) -> None:
    m.extension("flash_attn_2_cuda", of_the_future("flash_attn_2_cuda.so", m, MODULE))
    m.patient.write("flash_attn/__init__.py", "import torch\nimport flash_attn_2_cuda\n")
    m.patient.distribution("flash-attn", "2.8.3")


def torchvision(version: str, requires: str):
    return lambda m: m.patient.distribution("torchvision", version, requires=("numpy", requires))


def compiled(file: str, version: str, *symbols: str, needs: tuple[str, ...] = ()):
    """A compiled part of a package, which wants these symbols and libraries."""

    def build(m: Machine) -> None:
        libraries = tuple(m.workshop.library(soname) for soname in needs)
        library = m.workshop.wanting(Path(file).name, *symbols, needs=libraries)
        (m.patient.site / file).parent.mkdir(parents=True)
        shutil.copy(library, m.patient.site / file)
        m.patient.distribution(Path(file).parts[0], version)

    return build


EXTENSIONS = (
    Fault("torch-family-mismatch", "torchvision of 2.6", bare_metal, torchvision("0.21.0", "torch==2.6.0"), well=torchvision("0.23.0", "torch==2.8.0")),
    Fault("torch-family-mismatch", "torchvision's CPU build", bare_metal, torchvision("0.23.0+cpu", "torch==2.8.0"), well=torchvision("0.23.0+cu128", "torch==2.8.0")),
    Fault(
        "torch-family-mismatch",
        "torchaudio wants symbols of an older torch",
        bare_metal,
        compiled("torchaudio/lib/_torchaudio.so", "2.8.0", *OLD_SYMBOLS),
        well=compiled("torchaudio/lib/_torchaudio.so", "2.8.0", *NEW_SYMBOLS),
    ),
    Fault(
        "extension-cuda-mismatch",
        "vllm of CUDA 13",
        bare_metal,
        compiled("vllm/_C.abi3.so", "0.15.0", needs=("libcudart.so.13",)),
        well=compiled("vllm/_C.abi3.so", "0.15.0", needs=("libcudart.so.12",)),
    ),
    Fault("flash-attn-abi-mismatch", "SetDevice of torch 2.2", bare_metal, flash_attn(*OLD_SYMBOLS), well=flash_attn(*NEW_SYMBOLS)),
    Fault("flash-attn-abi-mismatch", "CUDA 11", bare_metal, flash_attn(*NEW_SYMBOLS, needs=("libcudart.so.11.0",)), well=flash_attn(*NEW_SYMBOLS)),
    Fault("glibc-too-old", "flash-attn", bare_metal, flash_attn_of_the_future, well=flash_attn(*NEW_SYMBOLS)),
    Fault(
        "flash-attn-unsupported-gpu",
        "Tesla T4",
        bare_metal,
        flash_attn(*NEW_SYMBOLS, gpu=T4),
        well=flash_attn(*NEW_SYMBOLS),
        severity="warning",
    ),
    Fault("flash-attn-missing", "on an A10", bare_metal, lambda _: None, well=flash_attn(*NEW_SYMBOLS), severity="note"),
    Fault(
        "flash-attn-build-toolchain",
        "no nvcc, no wheel",
        bare_metal,
        gpu_and_build(A10, "2.10.0+cu128", "12.8", CU128),
        severity="note",
    ),
)

FAULTS = (*BUILDS, *LIBRARIES, *EXTENSIONS)
