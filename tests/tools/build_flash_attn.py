"""Build a real flash-attn 2 in minutes, and one that fits another PyTorch, to see what the doctor says of both.

    python tests/tools/build_flash_attn.py SDIST FOLDER     # needs nvcc, g++, ninja and the GPU's PyTorch

SDIST is flash-attn's source archive (2.8.3: `pip download --no-deps --no-binary flash-attn flash-attn==2.8.3`). All
its kernels take a quarter of an hour on 16 cores; here only plain forward kernels of one head size are compiled, for
this GPU. FOLDER/fits gets the package; FOLDER/mismatch the same with one symbol of its compiled file renamed to what
PyTorch 2.3 to 2.7 called it, so that the loader fails as it does with a wheel for those. Each is then shown to
`cudacheck doctor`, by PYTHONPATH; nothing is installed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

HEAD_SIZE = 128
"""What the doctor calls flash-attn with."""
NEW, OLD = b"_ZN3c104cuda9SetDeviceEab\0", b"_ZN3c104cuda9SetDeviceEa\0\0"
"""In the compiled file's tables of strings; of the same length."""


def trimmed(sdist: Path, folder: Path) -> Path:
    """The source with one head size, without backward and without splitting the keys over blocks."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.glob("flash_attn-*")
    _edit(source / "csrc/flash_attn/src/static_switch.h", r"#define HEADDIM_SWITCH[\s\S]*\}\(\)", HEADDIM_SWITCH)
    api = source / "csrc/flash_attn/flash_api.cpp"
    _edit(api, r"(inline int num_splits_heuristic\([^)]*\)) \{", r"\1 { return 1;")
    _edit(
        api, r"run_mha_fwd_splitkv_dispatch<[^>]*>\(params, stream\);", 'TORCH_CHECK(false, "no splits in this build");'
    )
    body = r"(void run_mha_bwd\(Flash_bwd_params &params, cudaStream_t stream\)) \{[\s\S]*?\n\}"
    _edit(api, body, r'\1 { TORCH_CHECK(false, "no backward in this build"); }')
    unwanted = rf'\n *"csrc/flash_attn/src/flash_(?:bwd|fwd_split|fwd_hdim(?!{HEAD_SIZE}_))\w+\.cu",'
    _edit(source / "setup.py", unwanted, "")
    return source


HEADDIM_SWITCH = (
    r"#define HEADDIM_SWITCH(HEADDIM, ...) "
    rf"[\&] {{ constexpr static int kHeadDim = {HEAD_SIZE}; return __VA_ARGS__(); }}()"
).replace("\\&", "&")


def _edit(path: Path, pattern: str, new: str) -> None:
    text, count = re.subn(pattern, new, path.read_text(encoding="utf-8"))
    if not count:
        sys.exit(f"{path.name} is not as it was in 2.8.3: {pattern} was not found")
    path.write_text(text, encoding="utf-8")


def build(source: Path, target: Path, capability: str) -> None:
    """Compile for this GPU, and lay the package out in `target`."""
    environment = {
        **os.environ,
        "FLASH_ATTENTION_FORCE_BUILD": "TRUE",
        "FLASH_ATTN_CUDA_ARCHS": capability,
        "NVCC_THREADS": "1",
        "MAX_JOBS": str(os.cpu_count()),
    }
    command = [sys.executable, "setup.py", "-q", "install_lib", "--install-dir", str(target.resolve()), "--no-compile"]
    subprocess.run(command, cwd=source, env=environment, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(
        [sys.executable, "setup.py", "-q", "install_egg_info", "--install-dir", str(target.resolve())],
        cwd=source,
        env={**environment, "FLASH_ATTENTION_SKIP_CUDA_BUILD": "TRUE"},
        check=True,
        stdout=subprocess.DEVNULL,
    )


def mismatched(fits: Path, target: Path) -> None:
    """The same package, as if compiled against PyTorch 2.3 to 2.7."""
    shutil.copytree(fits, target)
    (compiled,) = target.glob("flash_attn_2_cuda*.so")
    code = compiled.read_bytes()
    if NEW not in code:
        sys.exit(f"{compiled.name} does not name {NEW!r}: it was not compiled against PyTorch 2.8 or newer")
    compiled.write_bytes(code.replace(NEW, OLD))


def told(folder: Path) -> None:
    """What the doctor says of it."""
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    doctor = [sys.executable, "-m", "cudacheck", "doctor", "--no-bench", "--format", "json"]
    done = subprocess.run(doctor, env={**os.environ, "PYTHONPATH": path}, check=False, capture_output=True, text=True)
    report = json.loads(done.stdout)
    print(f"{folder.name}: {report['verdict']['headline']}")
    for finding in report["findings"]:
        if "flash" in finding["rule"] or finding["severity"] == "error":
            print(f"    {finding['severity']} {finding['rule']}: {finding['message']}")
            for evidence in finding["evidence"]:
                print(f"        {evidence['fact'][:160]}  [{evidence['found_in'][-60:]}]")
    for fact in report["facts"].get("FlashAttention", ()):
        print(f"    imports {fact.get('imports')}, ran {fact.get('ran')}, largest error {fact.get('max_error')}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sdist", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    import torch

    major, minor = torch.cuda.get_device_capability()
    options.folder.mkdir(parents=True, exist_ok=True)
    fits, mismatch = options.folder / "fits", options.folder / "mismatch"
    started = time.monotonic()
    build(trimmed(options.sdist, options.folder / "source"), fits, f"{major}{minor}")
    print(
        f"built for sm_{major}{minor} with torch {torch.__version__} in {time.monotonic() - started:.0f} s", flush=True
    )
    mismatched(fits, mismatch)
    for folder in (fits, mismatch):
        told(folder)


if __name__ == "__main__":
    main()
