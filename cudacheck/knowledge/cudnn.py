"""Which cuDNN each PyTorch build brings along."""

from __future__ import annotations

from cudacheck.knowledge._tables import as_version, rows
from cudacheck.knowledge.torch_builds import release_of

# pytorch/pytorch .ci/manywheel/build_cuda.sh DEPS_SONAME; later 9.x add more, these are always there.
CUDNN_SUBLIBRARIES: dict[int, tuple[str, ...]] = {
    8: (
        "libcudnn_adv_infer.so.8",
        "libcudnn_adv_train.so.8",
        "libcudnn_cnn_infer.so.8",
        "libcudnn_cnn_train.so.8",
        "libcudnn_ops_infer.so.8",
        "libcudnn_ops_train.so.8",
    ),
    9: (
        "libcudnn_graph.so.9",
        "libcudnn_ops.so.9",
        "libcudnn_cnn.so.9",
        "libcudnn_adv.so.9",
        "libcudnn_engines_precompiled.so.9",
        "libcudnn_engines_runtime_compiled.so.9",
        "libcudnn_heuristic.so.9",
    ),
}
"""By major version: what libcudnn.so.N loads beside itself."""


def cudnn_bundled(torch_version: str, tag: str) -> str | None:
    """The cuDNN that this build (`2.8.0`, `cu128`) pins or bundles: `9.10.2.21`."""
    minor = (release_of(torch_version) or "").rpartition(".")[0]
    bundles = rows("cudnn", "bundles")
    return next((str(row["cudnn"]) for row in bundles if (row["torch"], row["tag"]) == (minor, tag)), None)


def cudnn_major_of(torch_version: str) -> int | None:
    """Which libcudnn.so.N this PyTorch release loads; None before 1.13, whose wheels have it inside."""
    version = release_of(torch_version)
    if version is None:
        return None
    loaded = [row["major"] for row in rows("cudnn", "majors") if as_version(version) >= as_version(row["first_torch"])]
    return max(loaded, default=None)


def cudnn_wheel_lacks(wheel: str, version: str) -> str | None:
    """The library that this wheel (`nvidia-cudnn-cu13`, `9.20.0.48`) was published without; None where whole."""
    incomplete = rows("cudnn", "incomplete")
    return next((str(row["missing"]) for row in incomplete if (row["wheel"], row["version"]) == (wheel, version)), None)
