"""Faults of the environment: the PyTorch that is installed, the libraries it loads, what is compiled against it."""

from __future__ import annotations

import shutil

from faults import Fault, at_work, compiled, flash_attn, flash_attn_with
from machine import Change, Machine
from machines import CU121, CU128, CU130, H200, T4, bare_metal, conda, uv, with_wheels
from workshop import MODULE, OF_TORCH_2_2, OF_TORCH_2_8

GTX_1080 = {"FAKE_NAME": "NVIDIA GeForce GTX 1080 Ti", "FAKE_CC": "61", "FAKE_MEM_MB": "11264", "FAKE_ECC": "-1"}
GB10 = {"FAKE_NAME": "NVIDIA GB10", "FAKE_CC": "121", "FAKE_MEM_MB": "-1", "FAKE_ECC": "-1"}

# The PyTorch that is installed


def without(*patterns: str) -> Change:
    """These files of the environment are gone."""

    def sicken(m: Machine) -> None:
        for path in [path for pattern in patterns for path in m.patient.site.glob(pattern)]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return sicken


def conda_cpu_build(m: Machine) -> None:
    m.torch("2.5.1", None)
    m.patient.write("torch-2.5.1.dist-info/INSTALLER", "conda\n")
    shutil.rmtree(m.patient.folder / "conda-meta")
    m.conda("pytorch", "2.5.1", "py3.11_cpu_0")


def rocm_build(m: Machine) -> None:
    m.torch("2.8.0+rocm6.4", None)
    version = m.patient.site / "torch" / "version.py"
    version.write_text(version.read_text().replace("hip = None", "hip = '6.4.43482'"))


def script_called_torch(m: Machine) -> None:
    project = m.patient.folder / "project"
    project.mkdir()
    (project / "torch.py").write_text("print('my first network')\n")
    m.set(PYTHONPATH=str(project))


def leftover_metadata(m: Machine) -> None:
    """pip says 2.9.0; the files are 2.8.0's, and work."""
    m.patient.distribution("torch", "2.9.0")


def another_by_pth(m: Machine) -> None:
    """A .pth file puts another environment's PyTorch in front of this one's."""
    other = Machine(m.patient.folder.parent / "other", m.workshop)
    other.torch("2.4.1+cu121", "12.1", CU121)
    m.patient.write("first.pth", f"import sys; sys.path.insert(0, {str(other.patient.site)!r})\n")


def python_without_wheel(m: Machine) -> None:
    """An interpreter that calls itself PyPy."""
    without("torch*")(m)
    m.patient.write("sitecustomize.py", "import sys\nsys.implementation.name = 'pypy'\n")


def gpu_with(gpu: dict[str, str], version: str, cuda: str, archs: str) -> Change:
    def build(m: Machine) -> None:
        m.set(gpu)
        m.torch(version, cuda, archs)

    return build


BUILDS = (
    Fault("torch-missing", "an empty environment", bare_metal, without("torch*")),
    Fault("torch-cpu-build", "conda's", conda, conda_cpu_build),
    Fault("torch-rocm-build", "+rocm6.4", bare_metal, rocm_build),
    Fault("torch-shadowed", "a torch.py on PYTHONPATH", bare_metal, script_called_torch),
    Fault("torch-shadowed", "another environment's, by a .pth file", bare_metal, another_by_pth),
    Fault("torch-shadowed", "metadata of another release", bare_metal, leftover_metadata, severity="warning"),
    Fault("python-without-wheel", "PyPy", bare_metal, python_without_wheel),
    Fault(
        "gpu-too-new-for-build",
        "H200 on cu117",
        bare_metal,
        gpu_with(H200, "1.13.1+cu117", "11.7", "sm_37 sm_50 sm_60 sm_70 sm_75 sm_80 sm_86"),
        well=gpu_with(GB10, "2.8.0+cu128", "12.8", CU128),
    ),
    Fault(
        "gpu-too-old-for-build",
        "6.1 in a gap between sm_50 and sm_70",
        bare_metal,
        gpu_with(GTX_1080, "2.7.1+cu126", "12.6", "sm_50 sm_70 sm_75 sm_80 sm_86 sm_90"),
        well=gpu_with(GTX_1080, "2.7.1+cu126", "12.6", CU121),
    ),
)

# NVIDIA's libraries


def driver_580(m: Machine) -> None:
    m.kernel_module("580.95.05")
    m.driver("580.95.05", "13.0")


def cuda_13(m: Machine) -> None:
    driver_580(m)
    with_wheels(m, "2.11.0+cu130", "13.0", CU130, cudnn="9.19.0.56", suffix="cu13")


def older_nccl_wheel(m: Machine, version: str) -> None:
    m.wheel("nvidia-nccl-cu12", version, "nccl", m.workshop.exporting("libnccl.so.2", "ncclCommInitRank"))


def cuda_12_over_13(m: Machine) -> None:
    cuda_13(m)
    older_nccl_wheel(m, "2.21.5")


def cuda_13_over_12(m: Machine) -> None:
    """PyTorch's own was installed last: it works, until somebody uninstalls the other."""
    older_nccl_wheel(m, "2.21.5")
    cuda_13(m)


def both_majors(m: Machine) -> None:
    """Wheels of both CUDA majors, and no file in common."""
    cuda_13(m)
    m.wheel("nvidia-cuda-runtime-cu12", "12.8.90", "cuda_runtime", m.workshop.library("libcudart.so.12"))


def nvjitlink_first(*symbols: str) -> Change:
    """LD_LIBRARY_PATH leads to a toolkit whose nvJitLink has these symbols."""

    def build(m: Machine) -> None:
        shop, name, wanted = m.workshop, "libnvJitLink.so.12", "__nvJitLinkComplete_12_4"
        own = shop.versioned(name, name, wanted, "nvJitLinkVersion")
        flags = ("-Wl,--enable-new-dtags", "-Wl,-rpath,$ORIGIN/../../nvjitlink/lib")  # as the wheel's cuSPARSE has it
        uses = f"int {wanted}(void); int use(void) {{ return {wanted}(); }}"
        cusparse = shop.library("libcusparse.so.12", uses, *flags, needs=(own,))
        m.torch("2.8.0+cu128", "12.8", CU128, core=shop.wanting("libtorch_cuda.so", needs=(cusparse,)))
        m.wheel("nvidia-cusparse-cu12", "12.5.8.93", "cusparse", cusparse)
        m.wheel("nvidia-nvjitlink-cu12", "12.8.93", "nvjitlink", own)
        m.put(f"/usr/local/cuda-12.1/lib64/{name}", shop.versioned(name, name, *symbols).read_bytes())
        m.search(str(m.at("/usr/local/cuda-12.1/lib64")))

    return build


def older_nccl(m: Machine) -> None:
    """`pip install nvidia-nccl-cu12==2.18.1`, as some other package asked for."""
    without("nvidia_nccl_cu12-*")(m)
    older_nccl_wheel(m, "2.18.1")


def cublas_of(version: str) -> Change:
    """A PyTorch that looks for cuBLAS on LD_LIBRARY_PATH, where a toolkit's is of this version."""

    def build(m: Machine) -> None:
        folder, cublas = "/usr/local/cuda-12.1/lib64", m.workshop.exporting("libcublas.so.12", "cublasCreate_v2")
        m.torch("2.8.0+cu128", "12.8", CU128, core=m.workshop.wanting("libtorch_cuda.so", needs=(cublas,), rpath=""))
        m.wheel("nvidia-cublas-cu12", "12.8.4.1", "cublas", cublas)
        m.put(f"{folder}/libcublas.so.{version}", cublas.read_bytes())
        m.link(f"{folder}/libcublas.so.12", f"libcublas.so.{version}")
        m.search(str(m.at(folder)))

    return build


def incomplete_wheel(m: Machine) -> None:
    """nvidia-cudnn-cu13 9.20.0.48 lacks a part; another cuDNN on LD_LIBRARY_PATH has one of that name."""
    driver_580(m)
    with_wheels(m, "2.12.1+cu130", "13.0", CU130, cudnn="9.20.0.48", suffix="cu13")
    part = "libcudnn_engines_tensor_ir.so.9"
    m.put(f"/usr/local/cuda-13.0/lib64/{part}", m.workshop.library(part).read_bytes())
    m.search(str(m.at("/usr/local/cuda-13.0/lib64")))


def parts_of_another_cudnn(m: Machine) -> None:
    for library in m.workshop.cudnn("9.1.0")[1:]:
        m.put(f"/opt/cudnn/{library.name}", library.read_bytes())
    m.search(str(m.at("/opt/cudnn")))


def mkl_without_symbol(m: Machine) -> None:
    m.torch("2.8.0+cu128", "12.8", CU128, core=m.workshop.wanting("libtorch_cuda.so", "iJIT_NotifyEvent"))


def torch_of_the_future(m: Machine) -> None:
    m.torch("2.8.0+cu128", "12.8", CU128, core=m.workshop.of_the_future("libtorch_cuda.so"))


OLD_NVJITLINK = nvjitlink_first("nvJitLinkVersion")
NEW_NVJITLINK = nvjitlink_first("nvJitLinkVersion", "__nvJitLinkComplete_12_4", "__nvJitLinkComplete_12_9")
CUBLAS_GONE, CUDNN_GONE = without("nvidia/cublas", "nvidia_cublas*"), without("nvidia/cudnn", "nvidia_cudnn*")
PART_GONE = without("nvidia/cudnn/lib/libcudnn_ops.so.9")

LIBRARIES = (
    Fault("nvidia-wheels-conflict", "NCCL of cu12 over cu13's", bare_metal, cuda_12_over_13, well=both_majors),
    Fault(
        "nvidia-wheels-conflict", "cu13's came last", bare_metal, cuda_13_over_12, well=both_majors, severity="warning"
    ),
    Fault("nvidia-wheels-conflict", "an older nvJitLink first", bare_metal, OLD_NVJITLINK, well=NEW_NVJITLINK),
    Fault("nccl-conflict", "an older NCCL", uv, older_nccl),
    Fault("cuda-library-missing", "no cuBLAS", uv, CUBLAS_GONE),
    Fault(
        "cuda-library-shadowed",
        "a toolkit's cuBLAS",
        bare_metal,
        cublas_of("12.1.0.26"),
        well=cublas_of("12.8.4.1"),
        severity="warning",
    ),
    Fault("cudnn-missing", "no cuDNN", uv, CUDNN_GONE),
    Fault("cudnn-incomplete", "a part is gone", uv, PART_GONE),
    Fault("cudnn-incomplete", "the wheel that lacks a part", bare_metal, incomplete_wheel, severity="warning"),
    Fault("cudnn-conflict", "parts of another cuDNN come first", uv, parts_of_another_cudnn),
    Fault("torch-import-failed", "MKL lost a symbol", bare_metal, mkl_without_symbol),
    Fault("glibc-too-old", "PyTorch's libraries", bare_metal, torch_of_the_future),
)

# What is compiled against PyTorch


def torchvision_of_2_6(m: Machine) -> None:
    m.patient.distribution("torchvision", "0.21.0", requires=("numpy", "torch==2.6.0"))


def flash_attn_of_the_future(m: Machine) -> None:
    flash_attn_with(m.workshop.of_the_future("flash_attn_2_cuda.so", MODULE))(m)


def flash_attn_on_t4(m: Machine) -> None:
    flash_attn(*OF_TORCH_2_8.values())(m)
    m.set(T4)


def nothing(_: Machine) -> None:
    pass


OLD_TORCHAUDIO = compiled("torchaudio/lib/_torchaudio.so", "2.8.0", *OF_TORCH_2_2)
VLLM_OF_CUDA_13 = compiled("vllm/_C.abi3.so", "0.11.0", needs=("libcudart.so.13",))
NO_WHEEL = gpu_with({}, "2.10.0+cu128", "12.8", CU128)

EXTENSIONS = (
    Fault("torch-family-mismatch", "torchvision of 2.6", bare_metal, torchvision_of_2_6, well=at_work),
    Fault("torch-family-mismatch", "symbols of an older torch", bare_metal, OLD_TORCHAUDIO, well=at_work),
    Fault("extension-cuda-mismatch", "vLLM of CUDA 13", bare_metal, VLLM_OF_CUDA_13, well=at_work),
    Fault("flash-attn-abi-mismatch", "built for 2.2", bare_metal, flash_attn(*OF_TORCH_2_2), well=at_work),
    Fault("glibc-too-old", "flash-attn", bare_metal, flash_attn_of_the_future, well=at_work),
    Fault("flash-attn-unsupported-gpu", "T4", bare_metal, flash_attn_on_t4, well=at_work, severity="warning"),
    Fault("flash-attn-missing", "on an A10", bare_metal, nothing, well=at_work, severity="note"),
    Fault("flash-attn-build-toolchain", "no nvcc, no wheel", bare_metal, NO_WHEEL, well=at_work, severity="note"),
)

FAULTS = (*BUILDS, *LIBRARIES, *EXTENSIONS)
