"""The same machines to cudacheck and to its peers: what each said, whether it is right, and how long it took.

    python tests/tools/compare_peers.py [--only simulated|dying|recipes|machine] [--wheels FOLDER] [--into FOLDER]

Run by hand; writes the tables of docs/comparisons.md, and with --into all that each printed. Every peer is installed by
name and version into a throw-away environment: from the package index, or with --wheels from a folder alone, where
packages of the running interpreter serve what they need. `machine` asks them about the machine that it runs on, whose
PyTorch is that of the running interpreter. A machine that is not there is a fake driver, an nvidia-smi that answers for
it (tests/fakes) and a stub PyTorch (tests/stubs) before all others on the peer's path.

A healthy machine is judged *right* where no fault of driver or PyTorch is told, whatever else is. A sick one is *right*
where the words that name its fault are printed, *noticed* where only some fault is told, else *missed*; *died* is a
signal or a traceback instead of an answer.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import shutil
import signal
import site
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from patients import STUBS, Patient

LONGEST_S = 100.0
"""What each has for one simulated machine; for a real one six times as much."""


@dataclasses.dataclass(frozen=True)
class Tool:
    """How a peer is asked, and how it says that driver or PyTorch are at fault."""

    name: str
    package: str
    version: str
    command: tuple[str, ...]
    faults: str
    """A regular expression of its output."""
    not_on: tuple[str, ...] = ()
    """Stubs (tests/stubs) that lack what it asks of a PyTorch, threads or a module to train: there it is not judged."""


OURS = Tool("cudacheck", "", "", ("doctor", "--no-config"), r"^✗ ")
TOOLS = (
    OURS,
    Tool(
        "env-doctor check",
        "env-doctor",
        "0.3.5",
        ("env-doctor", "check"),
        r"❌ CRITICAL|ARCHITECTURE MISMATCH|torch is NOT installed",
    ),
    Tool("cuda-doctor diagnose", "cuda-doctor", "0.2.0", ("cuda-doctor", "diagnose"), r"✗ (?:D\d|TORCH\d|DRV001)"),
    Tool("ai-infradr", "ai-infradr", "0.1.0", ("ai-infradr",), r"^(?:HIGH|MEDIUM)\b"),
    Tool("rigsolve check", "rigsolve", "1.0.0", ("rigsolve", "check"), r"^\[FAIL\]"),
    Tool("rigsolve verify", "rigsolve", "1.0.0", ("rigsolve", "verify"), r"^\[FAIL\]"),
    Tool(
        "mlenvdoctor diagnose",
        "mlenvdoctor",
        "0.1.6",
        ("mlenvdoctor", "diagnose"),
        r"PyTorch[^│]*│ \[X\] FAIL",
        ("gpu_on_cpu",),
    ),
    Tool(
        "preflight-gpu check",
        "preflight-gpu",
        "0.1.1",
        ("preflight", "check", "--yes"),
        r"✖",
        ("gpu_on_cpu", "torch_on_driver"),
    ),
)
ON_A_MACHINE_TOO = (
    Tool("gpu-doctor", "gpu-doctor", "1.0.0", ("gpu-doctor", "--check"), r"CUDA +: not"),
    Tool("gpumedic scan", "gpumedic", "0.1.0", ("gpumedic", "scan"), r"CRITICAL|FAIL"),
    Tool("torchruntime test", "torchruntime", "2.24.0", ("torchruntime", "test", "all"), r"FAILED"),
)
"""They tell what is there, or of the hardware alone; of a simulated machine nothing is to be judged."""
DEAD = re.compile(r"^Traceback \(most recent call last\)|[╭┌]─+ ?Traceback", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Machine:
    """A machine that is not there, and what is true of it."""

    name: str
    driver: Mapping[str, str]
    torch: tuple[str, str | None, str]
    """Version, CUDA, architectures."""
    names: str = ""
    """A regular expression that only who names the fault prints; empty: nothing is wrong."""
    stub: str = "gpu_on_cpu"
    """Its PyTorch: it computes, answers as the driver does (torch_on_driver), or dies (torch)."""
    on_import: str = ""
    dies_with: int | None = None
    """The exit code of whoever does not survive it."""


def simulated() -> Iterator[Machine]:
    from test_truths import (
        A10,
        CU121,
        CU126,
        CU128,
        CU130,
        DRIVER_535,
        DRIVER_570,
        DRIVER_580,
        RTX_4090,
        RTX_5090,
        V100,
    )

    kernels = r"(?i)no kernel image|no kernels for|needs {arch}|lacks {arch}"
    yield Machine(
        "RTX 4090, driver 570, cu126: healthy (code for 8.6 runs on 8.9)",
        RTX_4090 | DRIVER_570,
        ("2.8.0+cu126", "12.6", CU126),
    )
    yield Machine(
        "RTX 4090, driver 535, cu128: healthy (minor-version compatibility)",
        RTX_4090 | DRIVER_535,
        ("2.8.0+cu128", "12.8", CU128),
    )
    yield Machine(
        "A10, driver 535, cu130: the driver is too old",
        A10 | DRIVER_535,
        ("2.11.0+cu130", "13.0", CU130),
        r"(?i)driver .{0,60}(?:too old|is below|supports? up to|does not (?:satisfy|support))"
        r"|the driver serves CUDA 12\.2",
        "torch_on_driver",
    )
    yield Machine(
        "RTX 5090, cu121: no kernels for 12.0",
        RTX_5090 | DRIVER_570,
        ("2.4.0+cu121", "12.1", CU121),
        kernels.replace("{arch}", "sm_120"),
    )
    yield Machine(
        "V100, cu130: no kernels for 7.0",
        V100 | DRIVER_580,
        ("2.11.0+cu130", "13.0", CU130),
        kernels.replace("{arch}", "sm_70"),
    )
    yield Machine(
        "A10, driver 580: a PyTorch for the processor",
        A10 | DRIVER_580,
        ("2.8.0+cpu", None, ""),
        r"(?i)cpu[- ]only|cpu build|without CUDA|built for the (?:CPU|processor)",
        "torch_on_driver",
    )


def dying() -> Iterator[Machine]:
    from test_truths import A10, CU128, DRIVER_580

    deaths = {
        "import raises: libcudnn.so.8 is not there": (
            "raise ImportError('libcudnn.so.8: cannot open shared object file: No such file or directory')",
            r"libcudnn\.so\.8",
        ),
        "import aborts": ("import os; os.abort()", r"(?i)sigabrt|abort"),
        "import is killed by a segmentation fault": (
            "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
            r"(?i)sigsegv|segmentation",
        ),
        "import calls sys.exit(3)": (
            "import sys; sys.exit(3)",
            r"(?i)SystemExit|exited? (?:with )?(?:status |code )?3",
        ),
        "import never ends": (
            "import time; time.sleep(1000)",
            r"(?i)time[d-]? ?out|(?:does|did) not (?:end|finish|answer)",
        ),
    }
    for name, (on_import, names) in deaths.items():
        dies_with = 3 if "exit(3)" in on_import else None
        yield Machine(name, A10 | DRIVER_580, ("2.8.0+cu128", "12.8", CU128), names, "torch", on_import, dies_with)


@dataclasses.dataclass(frozen=True)
class Answer:
    code: int | None
    """None: none within the time."""
    text: str
    seconds: float


class Workplace:
    """Peers in environments of their own, and machines that are not there."""

    def __init__(self, folder: Path, wheels: Path | None, into: Path | None) -> None:
        self.folder, self.wheels, self.into = folder, wheels, into
        self.installed: dict[str, str] = {}
        """What became of each peer: empty where it is there, else why not."""

    def install(self, tool: Tool) -> str:
        if tool.package and tool.package not in self.installed:
            self.installed[tool.package] = self._install(tool)
        return self.installed.get(tool.package, "")

    def _install(self, tool: Tool) -> str:
        home = self.folder / "peers" / tool.package
        venv.create(home, with_pip=False)
        (packages,) = home.glob("lib/*/site-packages")
        source = []
        if self.wheels:
            source = ["--no-index", "--find-links", str(self.wheels)]
            lent = [path for path in (*site.getsitepackages(), *os.environ.get("PYTHONPATH", "").split(":")) if path]
            (packages / "lent.pth").write_text("\n".join(lent) + "\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "install", "-q", *source]
        done = subprocess.run(
            [*command, f"{tool.package}=={tool.version}"],
            capture_output=True,
            text=True,
            check=False,
            env=bare(),
        )
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        return "" if done.returncode == 0 else (said or ["pip failed"])[-1]

    def ask(self, tool: Tool, arguments: tuple[str, ...], environment: dict[str, str], longest_s: float) -> Answer:
        command = [sys.executable, "-m", "cudacheck"] if not tool.package else []
        if tool.package:
            command = [str(self.folder / "peers" / tool.package / "bin" / tool.command[0])]
        words = [*command, *(tool.command if not tool.package else tool.command[1:]), *arguments]
        started = time.monotonic()
        with subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=environment,
            cwd=self.folder,
            start_new_session=True,  # what it started ends with it
        ) as process:
            try:
                out, err = process.communicate(timeout=longest_s)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                out, err = process.communicate()
                return Answer(None, f"{out}\n{err}", time.monotonic() - started)
        return Answer(process.returncode, f"{out}\n{err}", time.monotonic() - started)

    def keep(self, case: str, tool: Tool, answer: Answer) -> None:
        if self.into:
            name = re.sub(r"\W+", "-", f"{case}--{tool.name}").strip("-")
            text = f"$ {' '.join(tool.command)}\n{answer.text}\n[exit {answer.code}, {answer.seconds:.1f} s]\n"
            (self.into / f"{name}.txt").write_text(text, encoding="utf-8")


def bare() -> dict[str, str]:
    """This process's environment without what would lead a peer elsewhere."""
    hidden = ("CUDA", "NVIDIA", "VIRTUAL_ENV", "CONDA", "PYTHON", "FAKE_", "STUB_", "TORCH")
    return {name: value for name, value in os.environ.items() if not name.startswith(hidden)}


def judged(answer: Answer, names: str, faults: str, dies_with: int | None = None) -> str:
    if answer.code is None:
        return "no answer"
    told = bool(re.search(faults, answer.text, re.MULTILINE))
    if answer.code < 0 or (not told and (answer.code == dies_with or DEAD.search(answer.text))):
        return "died"
    if not names:
        return "false alarm" if told else "right"
    if told and re.search(names, answer.text):
        return "right"
    return "noticed" if told else "missed"


def fake_driver(folder: Path) -> Path:
    """A libcuda, an NVML and an nvidia-smi that answer what FAKE_* variables say."""
    from conftest import FAKES, SONAMES

    folder.mkdir(parents=True)
    for source, soname in SONAMES.items():
        flags = ["-shared", "-fPIC", "-O1", f"-Wl,-soname,{soname}"]
        subprocess.run(["cc", *flags, "-o", folder / soname, FAKES / source], check=True)
    shutil.copy(FAKES / "nvidia-smi", folder / "nvidia-smi")
    (folder / "nvidia-smi").chmod(0o755)
    return folder


def answering_torch(patient: Patient, version: str, cuda: str | None, archs: str) -> None:
    """A PyTorch that answers as the driver does, and computes nothing."""
    patient.torch(version, cuda, archs)
    package = patient.site / "torch"
    shutil.copytree(STUBS / "torch_on_driver", package, dirs_exist_ok=True)
    if cuda:
        library = package / "lib" / "libtorch_cuda.so"
        subprocess.run(["cc", "-shared", "-o", library, "-x", "c", os.devnull], check=True)


def on_simulated(place: Workplace, machines: Iterator[Machine], driver: Path) -> Iterator[tuple[str, dict[str, str]]]:
    for number, machine in enumerate(machines):
        patient = Patient(place.folder / f"{machine.name[:8].strip()}-{number}".replace(" ", "-").replace(",", ""))
        version, cuda, archs = machine.torch
        if machine.stub == "torch_on_driver":
            answering_torch(patient, version, cuda, archs)
        else:
            patient.torch(version, cuda, archs, gpu=machine.stub == "gpu_on_cpu", on_import=machine.on_import)
        path = f"{driver}:{patient.folder / 'bin'}:/usr/bin:/bin"
        environment = bare() | dict(machine.driver) | patient.environment
        environment |= {"LD_LIBRARY_PATH": str(driver), "PATH": path, "COLUMNS": "160"}
        told = {}
        for tool in TOOLS:
            if place.install(tool):
                told[tool.name] = "not installed"
                continue
            if machine.stub in tool.not_on:
                told[tool.name] = "not judged"
                continue
            if not tool.package:
                answer = place.ask(tool, ("--no-bench", "--python", str(patient.python)), environment, LONGEST_S)
            else:
                # the whole of PyTorch: some peers compile
                own = environment | {"PYTHONPATH": str(patient.site), "CUDACHECK_BENCH": '{"also": ["compile"]}'}
                answer = place.ask(tool, (), own, LONGEST_S)
            place.keep(machine.name, tool, answer)
            told[tool.name] = (
                f"{judged(answer, machine.names, tool.faults, machine.dies_with)} ({answer.seconds:.1f} s)"
            )
        yield machine.name, told


def on_this_machine(place: Workplace) -> Iterator[tuple[str, dict[str, str]]]:
    """A row a tool: what it said of a machine that is taken for healthy, and the line that decides."""
    for tool in (*TOOLS, *ON_A_MACHINE_TOO):
        if why := place.install(tool):
            yield tool.name, {"judged": "not installed", "exit": "", "seconds": "", "line": why}
            continue
        environment = dict(os.environ) if not tool.package else bare()
        answer = place.ask(tool, (), environment | {"COLUMNS": "160"}, 6 * LONGEST_S)
        place.keep("machine", tool, answer)
        found = re.search(rf"^.*(?:{tool.faults.removeprefix('^')}).*$", answer.text, re.MULTILINE)
        line = found[0] if found else next((one for one in answer.text.splitlines() if one.strip()), "")
        yield (
            tool.name,
            {
                "judged": judged(answer, "", tool.faults),
                "exit": str(answer.code),
                "seconds": f"{answer.seconds:.1f}",
                "line": " ".join(line.replace("|", " ").split())[:120],
            },
        )


def on_recipes(place: Workplace) -> Iterator[tuple[str, dict[str, str]]]:
    """Of how many Dockerfiles something is told: of faulty ones at the wrong line, of healthy ones at all."""
    from corpus_cases import cases

    peer = next(tool for tool in TOOLS if tool.package == "env-doctor")
    place.install(peer)
    tools = {
        dataclasses.replace(OURS, name="cudacheck lint", command=("lint",)): r":{}:\d+: (?:error|warning)",
        dataclasses.replace(peer, name="env-doctor dockerfile", command=("env-doctor", "dockerfile")): r"Line {}:",
    }
    for name in ("faulty", "faulty_held", "healthy", "healthy_held"):
        found = [case for case in cases(f"{name}.txt") if case.files[0][0].endswith("Dockerfile")]
        counts = dict.fromkeys([tool.name for tool in tools], 0)
        for number, case in enumerate(found):
            folder = place.folder / f"{name}-{number}"
            for file, text in case.files:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_text(text, encoding="utf-8")
            for tool, told in tools.items():
                answer = place.ask(tool, (str(folder / case.files[0][0]),), bare() | {"COLUMNS": "160"}, LONGEST_S)
                place.keep(f"{name}-{number}", tool, answer)
                counts[tool.name] += bool(re.search(told.format(case.line or r"\d+"), answer.text))
        yield name, {"of them": str(len(found)), **{tool: str(count) for tool, count in counts.items()}}


def table(rows: Iterator[tuple[str, dict[str, str]]], first: str) -> None:
    heads: list[str] = []
    for name, cells in rows:
        if not heads:
            heads = [*cells]
            print(f"| {first} | {' | '.join(heads)} |\n|---|{'---|' * len(heads)}")
        print(f"| {name} | {' | '.join(cells.get(head, '') for head in heads)} |", flush=True)
    print(flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = ("simulated", "dying", "recipes", "machine")
    parser.add_argument("--only", choices=kinds, action="append", help="all but `machine` without it")
    parser.add_argument("--case", default="", help="only machines whose name this regular expression finds")
    parser.add_argument("--wheels", type=Path, help="peers come from this folder, nothing from an index")
    parser.add_argument("--into", type=Path, help="a folder for what each printed")
    arguments = parser.parse_args()
    if arguments.into:
        arguments.into.mkdir(parents=True, exist_ok=True)

    def chosen(machines: Iterator[Machine]) -> Iterator[Machine]:
        return (machine for machine in machines if re.search(arguments.case, machine.name))

    with tempfile.TemporaryDirectory() as folder:
        wheels = arguments.wheels.resolve() if arguments.wheels else None
        place = Workplace(Path(folder), wheels, arguments.into)
        asked: dict[str, Callable[[], Iterator[tuple[str, dict[str, str]]]]] = {
            "simulated": lambda: on_simulated(place, chosen(simulated()), fake_driver(place.folder / "driver")),
            "dying": lambda: on_simulated(place, chosen(dying()), fake_driver(place.folder / "driver-of-the-dying")),
            "recipes": lambda: on_recipes(place),
            "machine": lambda: on_this_machine(place),
        }
        for kind in arguments.only or kinds[:-1]:
            table(asked[kind](), "tool" if kind == "machine" else kind)
    return 0


if __name__ == "__main__":
    sys.exit(main())
