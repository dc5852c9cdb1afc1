"""Shared objects for patients, built with `cc`: what the loader says of them is what it really says."""

from __future__ import annotations

import subprocess
from pathlib import Path

WHEEL_FOLDERS = ("cublas", "cudnn", "cusparse", "nccl", "nvjitlink", "cu13")
RPATH = ":".join(f"$ORIGIN/../../nvidia/{name}/lib" for name in WHEEL_FOLDERS)
"""Where PyTorch's libraries look for those of NVIDIA's wheels, before LD_LIBRARY_PATH is looked at."""

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
"""Loads its parts by name when first used, as cuDNN 9 does, and refuses those of another version."""
CUDNN_PART = "int cudnn_part_version(void) { return VERSION; }"

MODULE = """
static long definition[] = {1, 0, 0, 0, 0, (long)"flash_attn_2_cuda", 0, -1, 0, 0, 0, 0, 0};
void *PyModule_Create2(void *, int);
void *PyInit_flash_attn_2_cuda(void) { return PyModule_Create2(definition, 1013); }
"""
"""An extension module without Python.h: a PyModuleDef is a name among numbers."""

OF_TORCH_2_8 = {
    "libc10.so": "_ZN3c105ErrorC2ENS_14SourceLocationENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE",
    "libc10_cuda.so": "_ZN3c104cuda9SetDeviceEab",
}
"""One symbol each that these libraries export, and extensions want: the C++11 ABI, SetDevice since 2.8."""
OF_TORCH_2_2 = ("_ZN3c105ErrorC2ENS_14SourceLocationESs", "_ZN3c104cuda9SetDeviceEi")


class Workshop:
    """Builds shared objects, each once."""

    def __init__(self, folder: Path, driver: Path) -> None:
        self.folder = folder
        self.driver = driver
        """The folder with the fake libcuda.so.1 and libnvidia-ml.so.1."""
        self.built: dict[tuple[object, ...], Path] = {}

    def library(self, soname: str, source: str = "", *flags: str, needs: tuple[Path, ...] = ()) -> Path:
        key = (soname, source, flags, needs)
        if key not in self.built:
            folder = self.folder / str(len(self.built))
            folder.mkdir(parents=True)
            (folder / "source.c").write_text(source)
            command: list[str | Path] = ["cc", "-shared", "-fPIC", f"-Wl,-soname,{soname}", "-Wl,--no-as-needed"]
            command += ["-o", folder / soname, folder / "source.c", *needs, *flags]
            subprocess.run(command, check=True)
            self.built[key] = folder / soname
        return self.built[key]

    def exporting(self, soname: str, *symbols: str) -> Path:
        return self.library(soname, "".join(f"int {symbol}(void) {{ return 0; }}\n" for symbol in symbols))

    def wanting(
        self, soname: str, *symbols: str, source: str = "", needs: tuple[Path, ...] = (), rpath: str = RPATH
    ) -> Path:
        """It asks for these symbols and libraries, and looks for them by its RPATH, as PyTorch's do."""
        uses = "".join(f"int {symbol}(void);\nint use{symbol}(void) {{ return {symbol}(); }}\n" for symbol in symbols)
        flags = ("-Wl,--disable-new-dtags", f"-Wl,-rpath,{rpath}") if rpath else ()
        return self.library(soname, source + uses, *flags, needs=needs)

    def versioned(self, soname: str, version: str, *symbols: str) -> Path:
        """Its symbols carry a version, which whoever is linked to it will ask for."""
        script = self.folder / f"{version}.map"
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(f"{version} {{ global: *; }};\n")
        source = "".join(f"int {symbol}(void) {{ return 0; }}\n" for symbol in symbols)
        return self.library(soname, source, "-nostdlib", f"-Wl,--version-script={script}")

    def of_the_future(self, soname: str, source: str = "") -> Path:
        """A library that was linked on a system with glibc 2.99."""
        libc = self.versioned("libc.so.6", "GLIBC_2.99", "of_2_99")
        return self.library(
            soname, f"{source}int of_2_99(void); int use(void) {{ return of_2_99(); }}", "-nostdlib", needs=(libc,)
        )

    def cudnn(self, version: str) -> tuple[Path, ...]:
        """libcudnn.so.9 and its parts, which it looks for on LD_LIBRARY_PATH, then beside itself."""
        major, minor, patch = map(int, version.split(".")[:3])
        number = f"-DVERSION={major * 10000 + minor * 100 + patch}"
        main = self.library("libcudnn.so.9", CUDNN, number, "-Wl,--enable-new-dtags", "-Wl,-rpath,$ORIGIN")
        return (main, *(self.library(f"libcudnn_{part}.so.9", CUDNN_PART, number) for part in ("graph", "ops")))
