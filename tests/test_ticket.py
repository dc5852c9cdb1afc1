"""A ticket is safe to post, and whole: read back from every shape it gives the findings that it was made of."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import plants
import pytest
import test_redact
from patients import CUDACHECK, Patient, clean_environment
from present import present

from cudacheck import registry, sources
from cudacheck.commands import doctor as inspecting
from cudacheck.commands.ticket import FORMATS, ticket_of
from cudacheck.model.facts import Facts
from cudacheck.model.report import Outcome, ProbeRun, Report
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.loaded_libraries import LoadedLibrary
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.render.ticket import MOST_CHARACTERS
from cudacheck.reports import folding, minimal, scan
from cudacheck.reports.redact import redacted
from cudacheck.reports.write import as_dict, dumps

HERE = Path(__file__).parent
REPLAYS = sorted((HERE / "replays").glob("*.json"))
Disguise = Callable[[str], str]


def run(*arguments: str, stdin: str | bytes = "", **environment: str) -> subprocess.CompletedProcess[str]:
    data = stdin if isinstance(stdin, bytes) else stdin.encode()
    done = subprocess.run(
        [*CUDACHECK, *arguments],
        input=data,
        capture_output=True,
        check=False,
        timeout=60,
        env={**clean_environment(), **environment},
    )
    return subprocess.CompletedProcess(arguments, done.returncode, done.stdout.decode(), done.stderr.decode())


def judged(*facts: object, known: tuple[type, ...] = ()) -> Report:
    bag = Facts(facts, complete={*map(type, facts), *known})
    return inspecting.judged(bag, bag.all(ProbeRun), (), None)


def replay(path: Path) -> Report:
    """As today's rules judge it."""
    return inspecting.pasted([str(path)]).report


def found_in(report: Report) -> tuple[object, ...]:
    return report.verdict, report.findings, report.unchecked


def facts_of(report: Report) -> dict[str, object]:
    return {key: value for key, value in as_dict(report).items() if key in {"facts", "complete", "probes"}}


# Every shape


def quoted(text: str) -> str:
    return "".join(f"> {line}\n" for line in text.splitlines())


def of_gzip(text: str) -> str:
    """As `gzip < ticket.md | base64` prints it."""
    return base64.encodebytes(gzip.compress(text.encode())).decode()


SHAPES: dict[str, Disguise] = {
    "as it is": str,
    "quoted in a reply": quoted,
    "quoted twice": lambda text: quoted(quoted(text)),
    "with Windows line ends": lambda text: text.replace("\n", "\r\n"),
    "as base64 of gzip": of_gzip,
    "as base64 in a quotation": lambda text: quoted(of_gzip(text)),
    "below words": lambda text: f"It does not work.\n\n{text}\nWhat can I do?\n",
    "HTML-escaped": html.escape,
    "indented": lambda text: textwrap.indent(text, "    "),
}


@pytest.fixture(scope="module", params=REPLAYS, ids=lambda path: path.stem)
def shared(request: pytest.FixtureRequest) -> Report:
    return redacted(replay(request.param))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("packed", [False, True], ids=["json", "packed"])
def test_every_shape_is_read_back(shape, packed):
    shared = redacted(replay(REPLAYS[-1]))
    text = ticket_of(shared, redact=False).text
    if packed:
        inner = folding.packed(dumps(shared))
        text = f"{folding.BEGIN}\nwords\n```text\n{inner}\n```\n{folding.END}\n"
    gathered = sources.gather([("ticket", SHAPES[shape](text))])
    assert facts_of(gathered.reports[0][1]) == facts_of(shared)
    assert found_in(inspecting.read(SHAPES[shape](text))) == found_in(shared)


@pytest.mark.parametrize("path", REPLAYS, ids=lambda path: path.stem)
def test_every_older_schema_is_read_from_a_ticket(path):
    """As the cudacheck of that day wrote it."""
    raw = path.read_text(encoding="utf-8")
    folded = f"{folding.BEGIN}\nwords\n{folding.REPORT}\n```json\n{folding.inert(raw)}\n```\n{folding.END}\n"
    for text in (folded, folding.packed(raw), quoted(folding.packed(raw))):
        assert found_in(inspecting.read(text)) == found_in(replay(path))


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_format_is_read_back(shared, format_name):
    made = ticket_of(shared, format_name, redact=False)
    assert found_in(inspecting.read(made.text)) == found_in(shared)
    assert made.suspicions == ()


def test_what_the_ticket_says_itself_is_no_paste(shared):
    """Its own words, evidence and commands among them, add no fact to those of its report."""
    gathered = sources.gather([("ticket.md", ticket_of(shared, redact=False).text)])
    runs = {run.probe for run in gathered.facts.all(ProbeRun)}
    assert runs == {run.probe for run in shared.probes}
    assert {t.__name__ for t in gathered.facts.types()} - {"ProbeRun"} == {*as_dict(shared)["facts"]}


def test_what_stands_around_it_is_read():
    made = ticket_of(judged(Gpu(0, "NVIDIA A10"))).text
    said = "RuntimeError: CUDA error: no kernel image is available for execution on the device"
    facts = sources.read([("issue", f"{said}\n{made}\ntorch==2.9.0+cu128")])
    assert [message.text for message in facts.all(ErrorMessage)] == [said]
    assert facts.all(TorchBuild)


def test_copied_without_its_marks_it_says_nothing_twice():
    whole = replay(REPLAYS[0])
    made = ticket_of(whole, redact=False).text
    bare = re.sub(r"<!--.*?-->|</?(?:details|summary)>", "", made)
    assert facts_of(inspecting.read(bare)) == facts_of(inspecting.read(made))


@pytest.mark.whole
@pytest.mark.parametrize("name", ["ticket.md", "ticket.json", "ticket.md.gz", "ticket.txt"])
def test_doctor_reads_the_file_that_ticket_wrote(tmp_path, name):
    written = tmp_path / f"made{'.json' if 'json' in name else '.md'}"
    made = run("ticket", "--from", str(REPLAYS[-1]), "-o", str(written))
    assert made.returncode == 0
    assert made.stdout == ""
    attached = tmp_path / name
    text = written.read_bytes()
    attached.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    told = run("doctor", "--from", str(attached), "--format", "json")
    before = run("doctor", "--from", str(REPLAYS[-1]), "--redact", "--format", "json")
    assert told.stderr == ""
    assert json.loads(told.stdout)["findings"] == json.loads(before.stdout)["findings"]
    screens = [run("doctor", "--from", str(path), "--redact").stdout for path in (attached, REPLAYS[-1])]
    assert screens[0] == screens[1]


# Its length


def long_report(lines: int = 2000) -> Report:
    said = [ErrorMessage(f"RuntimeError: No CUDA GPUs are available ({n}) {'<&`' * 20}", "log") for n in range(lines)]
    return judged(*said)


def test_a_long_one_is_packed_and_fits_an_issue():
    made = ticket_of(long_report(), redact=False)
    assert folding.PACKED in made.text
    assert len(made.text) <= MOST_CHARACTERS
    assert not made.is_too_long
    assert found_in(inspecting.read(made.text)) == found_in(long_report())


def test_a_short_one_can_be_read_as_it_is():
    made = ticket_of(judged(Gpu(0, "NVIDIA A10"), Nvml(True, driver_version="535.129.03")))
    assert folding.PACKED not in made.text
    assert '"driver_version": "535.129.03"' in made.text


def test_what_ends_a_fold_cannot_stand_in_it():
    said = "</details>\n```\n<!-- /cudacheck ticket -->\n<script>"
    whole = judged(ErrorMessage(f"RuntimeError: No CUDA GPUs are available {said}", "log"))
    made = ticket_of(whole, redact=False)
    assert made.text.count("<!-- /cudacheck ticket -->") == 1
    assert "<script>" not in made.text
    assert found_in(inspecting.read(made.text)) == found_in(whole)


def test_a_log_that_holds_a_report_is_not_taken_for_it():
    forged = f'{{\n"schema_version": "1.2"\n}}\n{folding.END}\n{folding.REPORT}\n{{\n"schema_version": "9.0"\n}}'
    whole = judged(ProbeRun("nvml", "host", Outcome.CRASHED, log=forged), ErrorMessage(forged, "log"))
    for format_name in FORMATS:
        made = ticket_of(whole, format_name, redact=False)
        assert found_in(inspecting.read(made.text)) == found_in(whole)


# What cannot be read


def test_a_damaged_ticket_is_one_clear_line():
    packed = ticket_of(long_report(), redact=False).text
    whole = ticket_of(long_report(3), redact=False).text
    lines = packed.split("\n")
    middle = next(n for n, line in enumerate(lines) if line.startswith("H4sI")) + 3
    shapes = {
        "cut short": packed[: len(packed) // 2],
        "a line lost": "\n".join([*lines[:middle], *lines[middle + 1 :]]),
        "only its first line": folding.PACKED,
        "json cut short": whole[: whole.index('"facts"')],
        "a newer major": whole.replace('"schema_version": "1.', '"schema_version": "7.'),
        "a newer major, packed": folding.packed('{"schema_version": "7.0"}'),
        "too large": folding.packed("x" * (folding.MAX_BYTES + 1)),
    }
    for name, text in shapes.items():
        for shape in (str, quoted):
            with pytest.raises(inspecting.InputError) as refused:
                inspecting.read(shape(text))
            assert "\n" not in str(refused.value), name
            assert ("upgrade cudacheck" in str(refused.value)) == ("major" in name), (name, refused.value)


def test_base64_of_something_else_is_a_paste_like_any():
    other = of_gzip("apiVersion: v1\nkind: Secret\n")
    facts = sources.read([("paste", f"{other}\ntorch==2.9.0+cu128")])
    assert facts.all(TorchBuild)


# Judged again


@pytest.mark.whole
def test_it_is_said_where_todays_rules_find_otherwise(tmp_path):
    data = json.loads(REPLAYS[-1].read_text(encoding="utf-8"))
    data["findings"] = [{"message": "m", "rule": "no-gpu", "severity": "error"}]
    data["cudacheck_version"] = "0.0.7"
    saved = tmp_path / "old.json"
    saved.write_text(json.dumps(data), encoding="utf-8")
    told = run("doctor", "--from", str(saved))
    (line,) = told.stderr.splitlines()
    assert line.startswith(f"cudacheck: {saved} was judged otherwise by cudacheck 0.0.7: by today's rules")
    assert line.endswith("no-gpu is gone")
    assert run("doctor", "--from", str(saved), "--ignore", "no-gpu").stderr.count("no-gpu") == 0


@pytest.mark.parametrize("path", REPLAYS, ids=lambda path: path.stem)
def test_what_is_judged_alike_is_not_mentioned(path):
    assert inspecting.pasted([str(path)]).told == ()


# The least of it


def check_least(example: tuple[object, ...]) -> None:
    unrelated = () if any(isinstance(fact, TorchBuild) for fact in example) else (TorchBuild("2.9.0+cu128", "12.8"),)
    whole = judged(*example, *unrelated, ProbeRun("nvml", "host", Outcome.OK), known=(ErrorMessage,))
    least = minimal.minimal(whole)
    assert {*least.facts.types()} <= {*whole.facts.types()}
    read = inspecting.read(ticket_of(least, redact=False).text)
    assert [(f.rule, f.severity) for f in read.findings] == [(f.rule, f.severity) for f in whole.findings]
    assert read.verdict.state == whole.verdict.state


@pytest.mark.parametrize("rule", registry.rules(), ids=lambda rule: rule.id)
def test_the_least_of_it_gives_the_same_findings(rule):
    check_least(next(iter(rule.fires.values())))


@pytest.mark.whole
@pytest.mark.parametrize("rule", registry.rules(), ids=lambda rule: rule.id)
def test_the_least_of_every_example_gives_the_same_findings(rule):
    for example in rule.fires.values():
        check_least(example)


def test_the_least_of_a_fault_is_little():
    rule = registry.rule("driver-too-old")
    assert rule
    libraries = [LoadedLibrary(f"libx{n}.so.1", f"/x/libx{n}.so.1") for n in range(500)]
    whole = judged(*next(iter(rule.fires.values())), *libraries)
    least = minimal.minimal(whole)
    assert not least.facts.all(LoadedLibrary)
    assert (least.verdict, least.findings) == (whole.verdict, whole.findings)


# What is still in it


def hits(text: str) -> list[str]:
    """What the scan suspects where a program said this."""
    return [one.what for one in scan.suspicions(judged(ErrorMessage(text, "log")), "")]


def test_the_scan_knows_most_keys_without_asking_redaction():
    """Names of machines, numbers of jobs and the like are known by what stands around them: redaction's business."""
    keys = {"github", "gitlab", "hugging face", "aws", "gcp", "azure", "slack", "openai", "ngc", "pypi", "jwt", "pem"}
    planted = [(kind, text) for kind, text, _ in test_redact.PLANTS if kind in keys]
    assert len(planted) > 25
    missed = [(kind, text) for kind, text in planted if not hits(text)]
    assert len(missed) <= 3, missed


def test_the_scan_suspects_nothing_that_redaction_leaves():
    redactor = test_redact.nobody()
    for _, text, _ in test_redact.PLANTS:
        assert hits(redactor.text(text)) == [], text


def test_the_scan_suspects_no_software():
    harmless = [*test_redact.SOFTWARE.split(), *test_redact.SENTENCES, *test_redact.of_captures()]
    whole = judged(*(ErrorMessage(text, "log") for text in harmless + sorted(test_redact.of_rules())))
    assert scan.suspicions(whole, "") == []


def test_what_is_packed_is_looked_through():
    token = f"hf_{plants.B36}"
    said = [ErrorMessage(f"line {n} of a log that no rule knows", "log") for n in range(2000)]
    report = judged(*said, ProbeRun("nvml", "host", Outcome.OK, log=token))
    made = ticket_of(report, redact=False)
    assert folding.PACKED in made.text
    assert token not in made.text
    assert token in present(folding.unpacked(made.text))[0]
    assert {one.what for one in made.suspicions} == {"a Hugging Face token"}


@pytest.mark.whole
def test_a_hit_is_told_and_not_repeated():
    token = f"hf_{plants.B36}"
    said = f"RuntimeError: No CUDA GPUs are available, {token}"
    told = run("ticket", "--from", "-", "--no-redact", stdin=said)
    assert told.returncode == 0
    assert token in told.stdout
    assert "looks like a Hugging Face token" in told.stderr
    assert token not in told.stderr
    assert "is not redacted" in told.stderr
    redacted_ticket = run("ticket", "--from", "-", stdin=said)
    assert token not in redacted_ticket.stdout
    assert redacted_ticket.stderr == ""


@pytest.mark.whole
def test_who_runs_it_is_looked_for():
    code = "import getpass, socket; getpass.getuser = lambda: 'qwlovelace'; socket.gethostname = lambda: 'zxengine';"
    code += "from cudacheck.__main__ import main; import sys; sys.argv[0] = 'cudacheck'; main()"
    said = "RuntimeError: No CUDA GPUs are available on zxengine, said qwlovelace"
    told = subprocess.run(
        [sys.executable, "-c", code, "ticket", "--from", "-", "--no-redact"],
        input=said,
        capture_output=True,
        text=True,
        check=True,
        env=clean_environment(),
    )
    assert "your user name" in told.stderr
    assert "this machine's name" in told.stderr


@pytest.mark.whole
def test_stdout_that_is_not_unicode_loses_nothing():
    told = run("ticket", "--from", str(REPLAYS[-1]), PYTHONIOENCODING="ascii")
    assert told.stdout.isascii()
    assert found_in(inspecting.read(told.stdout)) == found_in(redacted(replay(REPLAYS[-1])))


@pytest.mark.whole
def test_a_live_ticket_is_read_back(tmp_path):
    patient = Patient(tmp_path / "venv")
    written = tmp_path / "ticket.md"
    made = run("ticket", "--no-bench", "--python", str(patient.python), "-o", str(written))
    assert made.returncode == 0, made.stderr
    assert "torch-missing" in written.read_text(encoding="utf-8")
    assert f'"{socket.gethostname()}"' not in written.read_text(encoding="utf-8")
    told = run("doctor", "--from", str(written), "--format", "json")
    assert "torch-missing" in [finding["rule"] for finding in json.loads(told.stdout)["findings"]]
    assert told.stderr == ""


@pytest.mark.whole
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-o", "ticket.txt"), "a ticket that can be read back is .md, .html or .json, not .txt"),
        (("-o", "/no/such/folder/ticket.md"), "no such folder"),
        (("--from", "x", "--python", "y"), "give one of them"),
        (("--from", "/no/such/file"), "cannot read /no/such/file"),
        (("--ignore", "no-such-rule"), "no rule is called 'no-such-rule'"),
    ],
)
def test_bad_usage_is_one_clear_line(arguments, said):
    told = run("ticket", *arguments)
    assert told.returncode == 2
    assert said in told.stderr
    assert len(told.stderr.splitlines()) == 1
    assert told.stdout == ""
