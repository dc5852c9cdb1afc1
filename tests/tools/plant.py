"""Plant faults on a real GPU machine, one after the other: `python tests/tools/plant.py` tells which the doctor names.

Each fault lives in a process of its own (variables, limits, a mount namespace), in a scratch folder, or in a child that
is ended: nothing of it is left, whatever happens. Its healthy twin is planted the same way. Root is needed for what
hides files. `--python` is the interpreter to inspect; `--only WORD` plants those whose name holds it; `--keep FOLDER`
keeps the reports. The exit code is 1 where a fault is not the first root, or a twin is not silent.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

WORKERS = 4
"""Doctors that look at the same time, where no fault is one of speed or room."""
LIMIT_S = 60
WITHOUT = r"""
# Show folder $1 without the names that follow: all else is bound to where it was.
without() {
    dir=$(readlink -f "$1"); shift
    new=$(mktemp -d "$SCRATCH/XXXXXX"); mount -t tmpfs -o mode=755 tmpfs "$new"
    for file in "$dir"/* "$dir"/.[!.]*; do
        name=${file##*/}
        [ -e "$file" ] || [ -L "$file" ] || continue
        for gone in "$@"; do case "$name" in $gone) continue 2;; esac; done
        if [ -L "$file" ]; then cp -P "$file" "$new/"
        elif [ -d "$file" ]; then mkdir "$new/$name"; mount --rbind "$file" "$new/$name"
        else : > "$new/$name"; mount --bind "$file" "$new/$name"; fi
    done
    mount --rbind "$new" "$dir"
}
# An empty file in the place of $1.
blank() { : > "$SCRATCH/blank"; mount --bind "$SCRATCH/blank" "$(readlink -f "$1")"; }
# A file that nobody may open in the place of /dev/$1.
shut() { without /dev "$1"; : > "/dev/$1"; chmod 000 "/dev/$1"; }
"""
"""Shell functions for the faults that hide files; they run in a mount namespace."""
NO_OVERRIDE = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search,-mknod,-fowner,-chown")
"""Root without the capability of opening what it may not."""


class CannotPlantError(Exception):
    """This machine does not allow the fault; the words say why."""


@dataclass(frozen=True)
class Patient:
    """What faults have to know of the inspected environment."""

    python: str
    site: Path
    """Its site-packages."""
    scratch: Path

    def library(self, pattern: str) -> Path:
        """One of the libraries that PyTorch brings along."""
        found = sorted(self.site.glob(f"nvidia/*/lib/{pattern}")) + sorted(self.site.glob(f"torch/lib/{pattern}"))
        if not found:
            raise CannotPlantError(f"no {pattern} in {self.site}")
        return found[0]

    def folder(self, name: str, **files: str) -> str:
        """A folder of ours with these files; `__` in a name stands for a dot, `___` for a slash."""
        folder = self.scratch / name
        for written, text in files.items():
            path = folder / written.replace("___", "/").replace("__", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return str(folder)

    def compiled(self, name: str, source: str) -> str:
        """The folder of a shared object built of this source; `name` is its path in the scratch folder."""
        path = self.scratch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        compiler = shutil.which(os.environ.get("CC") or "cc") or shutil.which("gcc")
        if not compiler:
            raise CannotPlantError("no C compiler")
        command = [compiler, "-shared", "-fPIC", "-x", "c", "-", "-o", str(path)]
        done = subprocess.run(command, input=source, text=True, capture_output=True, check=False)
        if done.returncode:
            raise CannotPlantError(f"{compiler} fails: {done.stderr.strip()[:80]}")
        return str(path.parent)


@dataclass(frozen=True)
class Planted:
    """How the doctor is started on the sick machine."""

    variables: dict[str, str] = field(default_factory=dict)
    shell: str = ""
    """Run before it, in the same process: limits."""
    mounts: str = ""
    """Run before it, in a mount namespace of its own."""
    prefix: tuple[str, ...] = ()
    """A program that starts it."""
    around: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext
    bench: bool = False


Plant = Callable[[Patient], Planted]


@dataclass(frozen=True)
class Fault:
    name: str
    expected: str
    sick: Plant
    well: Plant | None = None
    """What only looks like it; None where the healthy machine as it is will do."""
    alone: bool = False
    """Nothing else may look meanwhile: it takes what others need, or is judged by its speed."""


@dataclass(frozen=True)
class Row:
    name: str
    expected: str
    got: str
    ok: bool | None
    """None: it could not be planted."""


# How to plant


def variables(**values: str) -> Plant:
    return lambda patient: Planted({name: value.format(site=patient.site) for name, value in values.items()})


def limit(command: str) -> Plant:
    return lambda _: Planted(shell=command)


def mounts(script: str) -> Plant:
    return lambda patient: Planted(mounts=script.format(site=shlex.quote(str(patient.site))))


def shut(name: str) -> Plant:
    return lambda _: Planted(mounts=f"shut {name}", prefix=NO_OVERRIDE)


def bare_of(pattern: str) -> Plant:
    """No such device file; root may not make it anew, as CUDA and nvidia-modprobe would."""
    return lambda _: Planted(mounts=f"without /dev '{pattern}'", prefix=NO_OVERRIDE)


def hidden(pattern: str) -> Plant:
    """A library of the wheels is not there."""

    def plant(patient: Patient) -> Planted:
        path = patient.library(pattern)
        return Planted(mounts=f"without {shlex.quote(str(path.parent))} {shlex.quote(path.name)}")

    return plant


def with_ours(folder: str) -> str:
    """First on PYTHONPATH, what leads to cudacheck after it."""
    return os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH", ""))))


def on_path(name: str, **files: str) -> Plant:
    """These files in a folder of PYTHONPATH."""
    return lambda patient: Planted({"PYTHONPATH": with_ours(patient.folder(name, **files))})


def libcuda(folder: str, source: str) -> Plant:
    """Another libcuda comes first."""
    return lambda patient: Planted({"LD_LIBRARY_PATH": patient.compiled(f"{folder}/libcuda.so.1", source)})


def metadata(name: str, version: str, requires: str = "") -> dict[str, str]:
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    text += f"Requires-Dist: {requires}\n" if requires else ""
    return {f"{name}-{version.replace('.', '__')}__dist-info___METADATA": text}


def cores(count: int) -> Plant:
    def plant(_: Patient) -> Planted:
        allowed = sorted(os.sched_getaffinity(0))[:count]
        return Planted(prefix=("taskset", "-c", ",".join(map(str, allowed))))

    return plant


def cgroup(**files: str) -> Plant:
    """A control group with these limits, for the doctor alone."""

    @contextlib.contextmanager
    def group() -> Iterator[None]:
        folder = Path("/sys/fs/cgroup/cudacheck-plant")
        if not Path("/sys/fs/cgroup/cgroup.controllers").exists():
            raise CannotPlantError("no version 2 of control groups at /sys/fs/cgroup")
        try:
            folder.mkdir()
            for name, value in files.items():
                with (folder / name.replace("__", ".")).open("r+") as file:
                    file.write(value)
        except OSError as error:
            with contextlib.suppress(OSError):
                folder.rmdir()
            raise CannotPlantError(f"{error.filename or folder}: {error.strerror}") from None
        try:
            yield
        finally:
            for _ in range(50):
                with contextlib.suppress(OSError):
                    folder.rmdir()
                    break
                time.sleep(0.1)

    join = "echo $$ > /sys/fs/cgroup/cudacheck-plant/cgroup.procs"
    return lambda _: Planted(shell=join, around=group)


HOG = """
import sys, torch
free, total = torch.cuda.mem_get_info()
block = torch.empty(int(free - (1 - float(sys.argv[1])) * total), dtype=torch.uint8, device="cuda")
print("holding", flush=True)
sys.stdin.read()
"""


def nothing(*, bench: bool) -> Plant:
    """The machine as it is."""
    return lambda _: Planted(bench=bench)


def hog(share: float) -> Plant:
    """Another process of this user holds that share of the GPU's memory."""

    def plant(patient: Patient) -> Planted:
        @contextlib.contextmanager
        def holding() -> Iterator[None]:
            command = [patient.python, "-c", HOG, str(share)]
            pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
            with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nowhere, text=True) as process:
                try:
                    if process.stdout is None or "holding" not in process.stdout.readline():
                        raise CannotPlantError("no process could take the memory")
                    yield
                finally:
                    process.kill()

        return Planted(around=holding)

    return plant


def with_bench(plant: Plant) -> Plant:
    def benched(patient: Patient) -> Planted:
        planted = plant(patient)
        return Planted(**{**vars(planted), "bench": True})

    return benched


# The faults

STUB = "int cuInit(unsigned f) { return 34; } int cuDriverGetVersion(int *v) { *v = 13000; return 0; }"
COMPAT = STUB.replace("34", "804")
ALLOCATOR = "PYTORCH_CUDA_ALLOC_CONF"
BLANK_LIBCUDA = "blank \"$(ldconfig -p | awk '/libcuda.so.1/ {{print $NF; exit}}')\""
MISSING = "/nowhere/at/all"

FAULTS = (
    # variables that slow or break programs
    Fault(
        "launches block, with benchmark",
        "debug-switch-set",
        with_bench(variables(CUDA_LAUNCH_BLOCKING="1")),
        with_bench(variables(CUDA_LAUNCH_BLOCKING="0")),
        alone=True,
    ),
    Fault(
        "PTX is compiled anew",
        "debug-switch-set",
        variables(CUDA_FORCE_PTX_JIT="1"),
        variables(CUDA_FORCE_PTX_JIT="0"),
    ),
    Fault("no caching allocator", "debug-switch-set", variables(PYTORCH_NO_CUDA_MEMORY_CACHING="1")),
    Fault("no TF32", "debug-switch-set", variables(NVIDIA_TF32_OVERRIDE="0"), variables(NVIDIA_TF32_OVERRIDE="1")),
    Fault("no compute cache", "debug-switch-set", variables(CUDA_CACHE_DISABLE="1"), variables(CUDA_CACHE_DISABLE="0")),
    Fault(
        "eager loading",
        "debug-switch-set",
        variables(CUDA_MODULE_LOADING="EAGER"),
        variables(CUDA_MODULE_LOADING="LAZY"),
    ),
    Fault(
        "no cuBLASLt", "debug-switch-set", variables(DISABLE_ADDMM_CUDA_LT="1"), variables(DISABLE_ADDMM_CUDA_LT="0")
    ),
    Fault("no peer access", "debug-switch-set", variables(NCCL_P2P_DISABLE="1"), variables(NCCL_P2P_DISABLE="0")),
    Fault(
        "allocator: = for :",
        "malformed-setting",
        variables(**{ALLOCATOR: "max_split_size_mb=512"}),
        variables(**{ALLOCATOR: "max_split_size_mb:512,expandable_segments:False"}),
    ),
    Fault(
        "allocator: neither True nor False",
        "malformed-setting",
        variables(**{ALLOCATOR: "expandable_segments:yes"}),
        variables(**{ALLOCATOR: "expandable_segments:True"}),
    ),
    Fault(
        "workspace without its colon",
        "malformed-setting",
        variables(CUBLAS_WORKSPACE_CONFIG="4096"),
        variables(CUBLAS_WORKSPACE_CONFIG=":4096:8"),
    ),
    Fault("CUDA_HOME is not there", "path-does-not-exist", variables(CUDA_HOME=MISSING), variables(CUDA_HOME="/usr")),
    Fault("ptxas is not there", "path-does-not-exist", variables(TRITON_PTXAS_PATH=MISSING)),
    Fault("preloaded library is not there", "path-does-not-exist", variables(LD_PRELOAD=f"{MISSING}.so")),
    Fault("all GPUs, in the container's word", "gpus-hidden", variables(CUDA_VISIBLE_DEVICES="all")),
    Fault("no GPU", "gpus-hidden", variables(CUDA_VISIBLE_DEVICES=""), variables(CUDA_VISIBLE_DEVICES="0")),
    Fault("a GPU that is not there", "gpus-hidden", variables(CUDA_VISIBLE_DEVICES="99")),
    Fault(
        "another machine's UUID",
        "gpus-hidden",
        variables(CUDA_VISIBLE_DEVICES="GPU-00000000-0000-0000-0000-000000000000"),
    ),
    # limits of the process
    Fault("6 GB of addresses", "process-limit-too-low", limit("ulimit -v 6000000"), limit("ulimit -v unlimited")),
    Fault("24 open files", "process-limit-too-low", limit("ulimit -n 24"), limit("ulimit -n 1024")),
    Fault("one core", "too-few-cpus", cores(1), cores(8)),
    Fault("half a core", "too-few-cpus", cgroup(cpu__max="50000 100000"), cgroup(cpu__max="max 100000"), alone=True),
    Fault("1 GiB of memory", "process-limit-too-low", cgroup(memory__max=str(1 << 30)), alone=True),
    # room
    Fault("98.5 % of the memory taken", "gpu-memory-held", hog(0.985), hog(0.5), alone=True),
    Fault("64 MiB of shared memory", "shm-too-small", mounts("mount -t tmpfs -o size=64m tmpfs /dev/shm")),
    # device files
    Fault("nvidiactl may not be opened", "device-permission", shut("nvidiactl"), lambda _: Planted(prefix=NO_OVERRIDE)),
    Fault("nvidia0 may not be opened", "device-permission", shut("nvidia0")),
    Fault("nvidia-uvm may not be opened", "device-permission", shut("nvidia-uvm")),
    Fault("no device files", "container-without-gpu", bare_of("nvidia*")),
    Fault("no nvidia-uvm", "uvm-broken", bare_of("nvidia-uvm")),
    # libraries
    Fault("libcuda is empty", "cuda-init-failed", mounts(BLANK_LIBCUDA)),
    Fault("a toolkit's stub first", "stub-libcuda", libcuda("lib64/stubs", STUB)),
    Fault("forward compatibility", "forward-compat-libcuda", libcuda("cuda/compat", COMPAT)),
    Fault("no cuDNN", "cudnn-missing or cudnn-conflict", hidden("libcudnn.so.9")),
    Fault("half a cuDNN", "cudnn-incomplete or cudnn-conflict", hidden("libcudnn_graph.so.9")),
    Fault("no cuBLAS", "cuda-library-missing or cuda-library-shadowed", hidden("libcublas.so.*")),
    Fault("no cuSPARSE", "cuda-library-missing or cuda-library-shadowed", hidden("libcusparse.so.*")),
    # packages
    Fault(
        "a torch.py",
        "torch-shadowed",
        on_path("shadow", torch__py="x = 1\n"),
        on_path("beside", torching__py="x = 1\n"),
    ),
    Fault(
        "a sitecustomize kills torch",
        "torch-import-failed",
        on_path(
            "killer",
            sitecustomize__py=(
                "import builtins, os\n\nreal = builtins.__import__\n\n\ndef killing(name, *rest, **named):\n"
                "    if name == 'torch':\n        os.abort()\n    return real(name, *rest, **named)\n\n\n"
                "builtins.__import__ = killing\n"
            ),
        ),
        on_path("harmless", sitecustomize__py="print('hello')\n"),
    ),
    Fault(
        "torchvision of another torch",
        "torch-family-mismatch",
        on_path(
            "family", **metadata("torchvision", "0.10.0", "torch==1.9.0"), torchvision__py="import torchvision._C\n"
        ),
    ),
)


# Looking


def started(planted: Planted, patient: Patient) -> list[str]:
    """The command line of a doctor on that machine."""
    doctor = [sys.executable, "-m", "cudacheck", "doctor", "--python", patient.python, "--format", "json"]
    doctor = [*planted.prefix, *doctor, *([] if planted.bench else ["--no-bench"])]
    if planted.prefix and not shutil.which(planted.prefix[0]):
        raise CannotPlantError(f"no {planted.prefix[0]} here")
    script = f"set -e\n{planted.shell}\n" if planted.shell else "set -e\n"
    if planted.mounts:
        if os.geteuid() or not shutil.which("unshare"):
            raise CannotPlantError("mounts need root and unshare")
        script += f"{WITHOUT}\n{planted.mounts}\n"
    script += 'echo planted >&2\nexec "$@"'
    away = ["unshare", "--mount", "--propagation", "private"] if planted.mounts else []
    return [*away, "sh", "-c", script, "sh", *doctor]


def look(plant: Plant, patient: Patient, keep: Path | None, name: str) -> dict:
    """The doctor's report on the machine with this planted. Raises CannotPlantError."""
    planted = plant(patient)
    command = started(planted, patient)
    scratch = Path(tempfile.mkdtemp(dir=patient.scratch))
    environment = {**os.environ, **planted.variables, "SCRATCH": str(scratch)}
    with planted.around():
        # in a session of its own, so that nothing outlives the time limit
        process = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=scratch,
            start_new_session=True,
        )
        try:
            stdout, stderr = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate()
            stderr += f"\nno answer in {LIMIT_S} s"
    if "planted" not in stderr:
        raise CannotPlantError((stderr.strip().splitlines() or ["no words"])[-1][:100])
    if keep:
        (keep / f"{name}.json").write_text(stdout)
    try:
        return json.loads(stdout)
    except ValueError:
        last = (stderr.strip().splitlines() or ["no words"])[-1]
        return {"findings": [], "verdict": {"headline": f"no report: {last[:100]}", "state": ""}}


def roots(report: dict) -> list[str]:
    return [finding["rule"] for finding in report["findings"] if finding["caused_by"] is None]


def judged(fault: Fault, patient: Patient, baseline: list[str], keep: Path | None) -> Row:
    """Whether it is the first root of those that the healthy machine does not have, and its twin is silent."""
    slug = fault.name.replace(" ", "-").replace("/", "-")
    try:
        report = look(fault.sick, patient, keep, slug)
        told = [rule for rule in roots(report) if rule not in baseline]
        twin = roots(look(fault.well, patient, keep, f"{slug}-twin")) if fault.well else baseline
    except CannotPlantError as error:
        return Row(fault.name, fault.expected, f"could not be planted: {error}", None)
    got = " · ".join(told) or f"nothing: {report['verdict']['headline'][:60]}"
    noisy = [rule for rule in twin if rule not in baseline]
    if noisy:
        got += f"; its twin: {' · '.join(noisy)}"
    return Row(fault.name, fault.expected, got, bool(told) and told[0] in fault.expected.split(" or ") and not noisy)


def site_packages(python: str) -> Path:
    """Where the patient's torch lies; nothing of it is imported."""
    code = "import importlib.util as u; print(u.find_spec('torch').origin)"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    if found.returncode:
        sys.exit(f"no torch in {python}")
    return Path(found.stdout.strip()).parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--only", default="")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    started_at = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cudacheck-plant-") as folder:
        patient = Patient(options.python, site_packages(options.python), Path(folder))
        bare = [look(nothing(bench=b), patient, options.keep, f"healthy-{b}") for b in (False, True)]
        baseline = sorted({rule for report in bare for rule in roots(report)})
        print(f"healthy: {bare[1]['verdict']['headline']}; roots: {', '.join(baseline) or 'none'}")
        chosen = [fault for fault in FAULTS if options.only in fault.name]
        with ThreadPoolExecutor(WORKERS) as pool:
            together = [fault for fault in chosen if not fault.alone]
            rows = [*pool.map(lambda fault: judged(fault, patient, baseline, options.keep), together)]
        rows += [judged(fault, patient, baseline, options.keep) for fault in chosen if fault.alone]
    marks = {True: "ok", False: "NO", None: "-"}
    for row in rows:
        print(f"{marks[row.ok]:2}  {row.name:36}  {row.expected:24}  {row.got}")
    planted = [row for row in rows if row.ok is not None]
    right = sum(bool(row.ok) for row in planted)
    print(
        f"{right} of {len(planted)} named as the first root, {len(rows) - len(planted)} could not be planted, ", end=""
    )
    print(f"{time.monotonic() - started_at:.0f} s")
    return int(right < len(planted))


if __name__ == "__main__":
    sys.exit(main())
