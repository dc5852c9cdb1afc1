"""`cudacheck fleet judge`: who is named, who is not, what is read, and what it exits with."""

from __future__ import annotations

import dataclasses
import gzip
import json
import random
import re
import shlex
import statistics
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from test_screen import ATTACK, harmful_in
from tools.fleet import NOW, PLANTS, Fleet, judged_again, replaced
from typer.testing import CliRunner, Result

from cudacheck.cli.app import app
from cudacheck.commands import fleet_judge
from cudacheck.comparing.fleet import nodeset
from cudacheck.comparing.fleet.document import FleetDocument
from cudacheck.comparing.fleet.judge import Fleet as Judged
from cudacheck.comparing.fleet.slow import quantile, slow_gpus
from cudacheck.comparing.fleet.summary import NodeSummary, Timed
from cudacheck.model.findings import Severity
from cudacheck.model.report import State
from cudacheck.render import formats

ROOT = Path(__file__).parents[1]
REPLAYS = ROOT / "tests" / "replays"
NODES = 60
EVERY = 6
"""One node in six is planted: each plant once."""


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return Fleet(NODES, every=EVERY)


@pytest.fixture(scope="module")
def folder(fleet, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("fleet")
    for node, text in fleet.reports():
        (path / f"{node}.json").write_text(text, encoding="utf-8")
    return path


def judge(*arguments: object, stdin: bytes | str = b"") -> Result:
    return CliRunner().invoke(app, ["fleet", "judge", *map(str, arguments)], input=stdin, env={"COLUMNS": "100"})


def as_json(*arguments: object, stdin: bytes | str = b"") -> dict[str, Any]:
    told = judge(*arguments, "--format", "json", stdin=stdin)
    assert told.exit_code in {0, 1}, told.output
    return json.loads(told.stdout)


def named(judged: Judged) -> dict[str, set[str]]:
    """What is said of each node, but for notes."""
    said: dict[str, set[str]] = {}
    for outlier in judged.outliers:
        said.setdefault(outlier.node, set()).add(outlier.what)
    for gpu in judged.slow:
        said.setdefault(gpu.node, set()).add(f"GPU {gpu.gpu} slow")
    for finding in judged.findings:
        for node in finding.nodes if finding.severity is not Severity.NOTE else ():
            said.setdefault(node, set()).add(finding.rule)
    return said


# Who is named


def test_every_deviant_is_named_and_nobody_else(fleet, folder):
    said = named(fleet_judge.judged([str(folder)]))
    assert {*fleet.planted.values()} == {*PLANTS}
    assert {node: what for node, what in fleet.planted.items() if what not in said.get(node, ())} == {}
    assert said.keys() - fleet.planted.keys() == set()


def test_two_kinds_of_hardware_are_two_groups(folder):
    groups = fleet_judge.judged([str(folder)]).groups
    assert [judged.group.name for judged in groups] == ["NVIDIA H200", "NVIDIA A100-SXM4-80GB"]
    assert [judged.group.typical["driver"] for judged in groups] == ["580.159.04", "570.172.08"]


def test_a_driver_in_ten_places_is_told_once(fleet, folder):
    node = next(node for node, what in fleet.planted.items() if what == "driver version")
    (outlier,) = [o for o in fleet_judge.judged([str(folder)]).outliers if o.node == node]
    assert (outlier.found, outlier.expected) == ("580.65.06", "580.159.04")
    assert "kernel module version" in outlier.also


def test_what_all_gpus_of_a_node_have_is_told_once(fleet):
    reports = healthy(fleet, 6)
    for gpu in reports[3]["facts"]["Gpu"]:
        gpu["power_limit_w"] = 500.0
    reports[4]["facts"]["Gpu"][2]["power_limit_w"] = reports[4]["facts"]["Gpu"][7]["power_limit_w"] = 300.0
    told = as_json("-", stdin=lines(reports))["outliers"]
    assert [(one["node"], one["what"], len(one["also"])) for one in told] == [
        ("n04", "GPU 0 power limit", 7),
        ("n05", "GPU 2 power limit", 1),
    ]


def test_nodes_that_should_have_reported_are_missing(fleet, folder, tmp_path):
    expected = tmp_path / "nodes"
    expected.write_text(f"# all of them\ngpu-[000001-{NODES:06d}]\n", encoding="utf-8")
    told = as_json(folder, "--expect", expected)
    assert told["missing"] == fleet.missing
    assert as_json(folder, "--expect", NODES)["missing_unnamed"] == len(fleet.missing)
    one = tmp_path / "one"
    one.write_text("gpu-000002.cluster.internal", encoding="utf-8")
    told = as_json(folder, "--expect", one)
    assert (told["missing"], len(told["unexpected"])) == ([], NODES - len(fleet.missing) - 1)


def of_nodes(texts: Iterable[str], **changes: Any) -> bytes:
    """As JSON lines, each report changed so."""
    return b"".join(json.dumps({**json.loads(text), **changes}).encode() + b"\n" for text in texts)


def healthy(fleet: Fleet, count: int) -> list[dict[str, Any]]:
    return [fleet._noisy(json.loads(fleet.kinds["h200"]), f"n{number:02d}") for number in range(1, count + 1)]


def lines(reports: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(report).encode() + b"\n" for report in reports)


def test_a_fleet_without_a_fault_is_alike(fleet):
    told = judge("-", stdin=lines(healthy(fleet, 12)))
    assert told.exit_code == 0
    assert told.stdout.splitlines()[0] == "✓ 12 nodes ready and alike"


def test_of_two_that_differ_nobody_is_the_majority(fleet):
    reports = healthy(fleet, 2)
    reports[0] = json.loads(json.dumps(reports[0]).replace("580.159.04", "580.65.06"))
    assert as_json("-", stdin=lines(reports))["outliers"] == []


@pytest.mark.parametrize("old", [4, 5, 6])
def test_half_of_a_rollout_is_told_once_and_convicts_nobody(fleet, old):
    reports = healthy(fleet, 10)
    reports[old:] = [json.loads(json.dumps(report).replace("580.159.04", "580.65.06")) for report in reports[old:]]
    told = as_json("-", stdin=lines(reports))
    assert told["outliers"] == []
    (split,) = told["groups"][0]["splits"]
    assert split["what"] == "driver version"
    assert {value: len(nodes) for value, nodes in split["values"].items()} == {"580.159.04": old, "580.65.06": 10 - old}
    assert told["level"] == "not-proven"
    assert judge("-", "--strict", stdin=lines(reports)).exit_code == 1


def test_what_is_each_nodes_own_is_no_deviation(fleet):
    reports = healthy(fleet, 12)
    for number, report in enumerate(reports):
        report["facts"]["EnvironmentVariables"][0]["values"]["NCCL_SOCKET_IFNAME"] = f"eth{number}"
    assert as_json("-", stdin=lines(reports))["outliers"] == []


def test_a_node_whose_driver_does_not_answer_belongs_to_its_kind_by_the_bus(fleet):
    reports = healthy(fleet, 6)
    for kind in ("Gpu", "TorchDevice"):
        reports[3]["facts"][kind] = []
    (group,) = as_json("-", stdin=lines(reports))["groups"]
    assert len(group["nodes"]) == 6


def test_stored_findings_count_where_the_version_is_ours_and_others_are_judged_again(fleet):
    ours, former, cut = healthy(fleet, 3)
    for report in (ours, former):
        report["facts"]["EnvironmentVariables"][0]["values"]["CUDA_LAUNCH_BLOCKING"] = "1"
    former["cudacheck_version"] = "0.0.9"
    told = as_json("-", stdin=lines([ours, former, cut]))
    found = {finding["rule"]: finding["nodes"] for finding in told["findings"]}
    assert found["debug-switch-set"] == ["n02"]
    told = as_json("-", "--ignore", "debug-switch-set", stdin=lines([ours, former, cut]))
    assert "debug-switch-set" not in {finding["rule"] for finding in told["findings"]}
    assert "several versions" in judge("-", stdin=lines([ours, former, cut])).stdout


# Slow GPUs


def node_with(case: str, rates: Iterable[float], node: str = "n") -> NodeSummary:
    timed = Timed(case, {gpu: 1000 / rate for gpu, rate in enumerate(rates)}, 1000, "TFLOP/s")
    return NodeSummary("", node, "", None, "", "", State.READY, "", (), (), (), {}, (timed,))


@pytest.mark.parametrize("spread", [0.005, 0.02])
def test_no_healthy_gpu_is_slow(spread):
    chance = random.Random(7)
    nodes = [node_with("matmul", [chance.gauss(700, 700 * spread) for _ in range(8)], f"n{n}") for n in range(1024)]
    found, (told,) = slow_gpus(nodes)
    assert found == []
    assert told.below == pytest.approx(max(0.05, quantile(8192) * spread), rel=0.05)


def test_eight_percent_are_found_where_the_others_are_close():
    chance = random.Random(7)
    rates = [chance.gauss(700, 3.5) for _ in range(64)]
    found, _ = slow_gpus([node_with("matmul", [*rates[:-1], 700 * 0.92])])
    assert [(gpu.gpu, round(gpu.below, 2)) for gpu in found] == [(63, 0.08)]


def test_few_gpus_say_nothing_of_each_other():
    found, (told,) = slow_gpus([node_with("matmul", [700, 700, 700, 350])])
    assert (found, told.below, told.gpus) == ([], None, 4)


def test_a_busy_gpu_is_not_compared(fleet):
    reports = healthy(fleet, 6)
    for row in reports[2]["facts"]["Measurement"]:
        if row["device_index"] == 1:
            row["median_us"] *= 2
    assert {gpu["node"] for gpu in as_json("-", stdin=lines(reports))["slow"]} == {"n03"}
    reports[2]["facts"]["Gpu"][1]["utilization_percent"] = 97
    reports[2] = {**judged_again(reports[2]), "subject": reports[2]["subject"]}
    assert as_json("-", stdin=lines(reports))["slow"] == []


def test_a_gpu_is_compared_though_nobody_knows_what_it_should_reach(fleet):
    """By itself it is inconclusive: between what healthy ones reach and a wrong kernel does, or of an unknown model."""
    for model in ("NVIDIA H200", "NVIDIA X900"):
        reports = healthy(fleet, 12)
        for report in reports:
            replaced(report, "NVIDIA H200", model)
            facts = report["facts"]
            for kind, number in (("Gpu", "index"), ("TorchDevice", "index"), ("Measurement", "device_index")):
                facts[kind] = [one for one in facts[kind] if one[number] == 0]
        for row in reports[4]["facts"]["Measurement"]:
            if row["case"] == "matmul":
                row.update(median_us=row["median_us"] * 1.3, tflops=row["tflops"] / 1.3)
        judged = [{**judged_again(report), "subject": report["subject"]} for report in reports]
        assert {axis["health"] for axis in judged[4]["speed"] if axis["axis"] == "matmul"} == {"inconclusive"}
        for asked in ((), ("--ignore", "flash-attn-missing")):  # what the report holds, and judged again
            told = as_json("-", *asked, stdin=lines(judged))
            assert {(gpu["node"], gpu["case"].split()[0]) for gpu in told["slow"]} == {("n05", "matmul")}


# What is read


def test_files_folders_patterns_packed_and_lines(folder, tmp_path):
    some = sorted(folder.glob("*.json"))[:6]
    for path in some[:2]:
        (tmp_path / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    (tmp_path / "more.jsonl").write_bytes(b"".join(path.read_bytes() + b"\n" for path in some[2:4]))
    indented = json.dumps(json.loads(some[4].read_text(encoding="utf-8")), indent=2)
    told = as_json(tmp_path, tmp_path / "*.none", folder / f"{some[5].stem}*", "-", stdin=f"{indented}\n")
    assert [node["node"] for node in told["nodes"]] == [path.stem for path in some]
    (broken,) = told["broken"]
    assert broken["source"].endswith("*.none")


def test_wrong_input_is_a_line_each_and_costs_nobody_else(folder, tmp_path):
    good = sorted(folder.glob("*.json"))[:3]
    text = good[0].read_text(encoding="utf-8")
    wrong = {
        "another-tool.json": '{"schema_version": 2, "results": []}',
        "cut.json": text[: len(text) // 2],
        "empty.json": "",
        "future.json": text.replace('"schema_version": "1', '"schema_version": "9', 1),
        "list.json": "[]",
        "no-facts.json": '{"schema_version": "1.2", "verdict": {}, "facts": 3}',
        "facts-of-another-form.json": '{"schema_version": "1.2", "verdict": {"state": "ready"}, "facts": {"Gpu": [3]}}',
        "broken.json.gz": "\x1f\x8b no gzip",
        "deep.json": "[" * 100_000,
    }
    for name, content in wrong.items():
        (tmp_path / name).write_bytes(content.encode("latin-1"))
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    told = as_json(tmp_path, *good)
    assert len(told["nodes"]) == 3
    assert {Path(broken["source"]).name for broken in told["broken"]} == {*wrong, "large.json"}
    assert all(broken["why"] and "\n" not in broken["why"] for broken in told["broken"])
    assert judge(tmp_path, *good).exit_code == 1
    assert "Traceback" not in judge(tmp_path, *good).output


def test_what_a_log_holds_besides_is_told_and_costs_nobody(fleet):
    told = as_json("-", stdin=b"cudacheck: no such interpreter\n" + lines(healthy(fleet, 3)))
    assert len(told["nodes"]) == 3
    assert "no such interpreter" in told["broken"][0]["why"]


def test_who_gathers_lines_may_name_the_node_before_each(fleet):
    """As pdsh, clush and `srun --label` do, and kubectl with --prefix and with --timestamps, by its source."""
    labels = ("n01: ", "0: ", "[pod/cudacheck-1-x7k2p/doctor] ", "2026-11-29T03:00:01.123456789Z ")
    given = lines(healthy(fleet, len(labels))).splitlines()
    stdin = b"".join(label.encode() + line + b"\n" for label, line in zip(labels, given, strict=True))
    told = as_json("-", stdin=stdin + b'level=info msg={"ready": true}\n')
    assert [node["node"] for node in told["nodes"]] == ["n01", "n02", "n03", "n04"]
    assert [broken["why"] for broken in told["broken"]] == [
        "JSON, but not a cudacheck report: it has no schema_version"
    ]


def test_of_several_reports_of_a_node_the_newest_counts(fleet):
    old, new, other = healthy(fleet, 3)
    new["subject"]["node"] = "n01"
    old["created"], new["created"] = "2026-11-28T20:00:00+00:00", "2026-11-28T21:00:00+00:00"
    other["created"] = new["created"]
    told = as_json("-", stdin=lines([new, old, other]))
    assert [node["source"] for node in told["nodes"]] == ["standard input:1", "standard input:3"]
    (double,) = told["doubles"]
    assert (double["node"], double["left"], double["machines"]) == ("n01", ["standard input:2"], 2)


def test_old_reports_are_stale_and_a_clock_ahead_makes_no_other_old(fleet):
    reports = healthy(fleet, 8)
    reports[1]["created"] = "2026-11-20T03:00:00+00:00"
    reports[2]["created"] = "2199-01-01T00:00:00+00:00"
    reports[3]["created"] = "yesterday"
    reports[1]["facts"]["Nvml"][0]["driver_version"] = "535.129.03"
    told = as_json("-", stdin=lines(reports))
    assert [aged["node"] for aged in told["stale"]] == ["n02"]
    assert [aged["node"] for aged in told["clocks_ahead"]] == ["n03"]
    assert {outlier["node"] for outlier in told["outliers"]} == set(), "a stale report is no outlier"
    assert as_json("-", "--max-age", "1000", stdin=lines(reports))["stale"] == []


def test_reports_of_every_schema_are_judged_together():
    told = as_json(*sorted(REPLAYS.glob("*.json")), "--max-age", "1e6")
    assert told["broken"] == []
    assert len(told["nodes"]) + sum(len(d["left"]) for d in told["doubles"]) == len([*REPLAYS.glob("*.json")])


def test_a_redacted_node_goes_by_its_files_name(fleet, tmp_path):
    for number, report in enumerate(healthy(fleet, 3)):
        report["subject"]["node"] = "<host-1>"
        (tmp_path / f"alias{number}.json").write_text(json.dumps(report), encoding="utf-8")
    assert [node["node"] for node in as_json(tmp_path)["nodes"]] == ["alias0", "alias1", "alias2"]


def test_a_report_may_lack_any_type_of_facts(fleet):
    """One of a newer or an older schema, or of an inspection that was cut short."""
    (report,) = healthy(fleet, 1)
    kinds = [*report["facts"]]
    lacking = [
        {**report, "subject": {"node": kind}, "facts": {name: report["facts"][name] for name in kinds if name != kind}}
        for kind in kinds
    ]
    told = as_json("-", stdin=lines([report, *lacking]))
    assert (len(told["nodes"]), told["broken"]) == (1 + len(kinds), [])


def test_a_node_is_one_word_to_a_scheduler(fleet):
    reports = healthy(fleet, 3)
    for report, name in zip(reports, ("a,b[1-9]", "c\nd; reboot", "x" * 5000), strict=True):
        report["subject"]["node"] = name
        report["findings"].append({"rule": "gpu-lost", "severity": "error", "message": "x", "caused_by": None})
    told = judge("-", "--exclude-file", "-", stdin=lines(reports)).stdout.strip()
    assert len(nodeset.unfolded(told)) == 3
    assert not {*told} & {*" \n;[]"}


def test_nothing_to_read_is_2(tmp_path):
    for asked in ((tmp_path,), ("-",), (), ("-", "--expect", tmp_path / "none"), ("-", "--since", tmp_path / "none")):
        told = judge(*asked)
        assert (told.exit_code, told.stdout) == (2, ""), asked


# What is told


def test_the_exit_code_is_the_gates(fleet):
    reports = healthy(fleet, 6)
    assert judge("-", stdin=lines(reports)).exit_code == 0
    reports[2]["facts"]["Gpu"][0]["power_limit_w"] = 300.0
    assert judge("-", stdin=lines(reports)).exit_code == 0
    assert judge("-", "--fail-on", "warning", stdin=lines(reports)).exit_code == 1
    reports[3]["findings"].append({"rule": "gpu-lost", "severity": "error", "message": "x", "caused_by": None})
    assert judge("-", stdin=lines(reports)).exit_code == 1
    assert judge("-", "--fail-on", "never", stdin=lines(reports)).exit_code == 0
    assert judge("-", "--expect", "7", stdin=lines(healthy(fleet, 6))).exit_code == 1


def test_what_is_required_is_required_of_every_node(fleet):
    reports = healthy(fleet, 6)
    reports[2] = json.loads(json.dumps(reports[2]).replace("580.159.04", "570.86.15"))
    assert judge("-", "--require", "driver>=570", stdin=lines(reports)).exit_code == 0
    told = as_json("-", "--require", "driver>=580", stdin=lines(reports))
    found = {finding["rule"]: finding["nodes"] for finding in told["findings"]}
    assert found["requirement-failed"] == ["n03"]
    assert judge("-", "--require", "driver>=580", stdin=lines(reports)).exit_code == 1
    assert judge("-", "--require", "driver~nonsense", stdin=lines(reports)).exit_code == 2


@pytest.mark.parametrize("name", formats("fleet"))
def test_every_format_names_the_deviant(fleet, tmp_path, name):
    reports = healthy(fleet, 6)
    reports[2]["facts"]["Gpu"][0]["power_limit_w"] = 300.0
    ending = {"text": ".txt", "json": ".json", "markdown": ".md", "junit": ".xml"}[name]
    file = tmp_path / f"fleet{ending}"
    told = judge("-", "--format", name, "--output", file, stdin=lines(reports))
    assert file.read_text(encoding="utf-8") == told.stdout
    for word in ("n03", "power limit", "300 W", "700 W"):
        assert word in told.stdout


def test_json_is_as_its_schema_says(folder):
    TypeAdapter(FleetDocument).validate_python(as_json(folder))


def test_junit_has_a_case_a_node_and_fails_those_where_nothing_should_run(fleet, folder, tmp_path):
    expected = tmp_path / "nodes"
    expected.write_text(f"gpu-[000001-{NODES:06d}]", encoding="utf-8")
    suite = ET.fromstring(judge(folder, "--expect", expected, "--format", "junit").stdout)
    cases = {case.get("name"): case for case in suite}
    assert len(cases) == NODES
    failing = {name for name, case in cases.items() if case.find("failure") is not None}
    wanted = {"GPU 3 slow", "ecc-uncorrectable"}
    assert failing == {*fleet.missing, *(node for node, what in fleet.planted.items() if what in wanted)}


def test_nodes_to_leave_out_are_written_for_three_schedulers(fleet, folder, tmp_path):
    bad = sorted(node for node, what in fleet.planted.items() if what in {"GPU 3 slow", "ecc-uncorrectable"})
    file = tmp_path / "exclude"
    assert judge(folder, "--exclude-file", file).stdout
    assert nodeset.unfolded(file.read_text(encoding="utf-8")) == bad
    cordons = judge(folder, "--exclude-file", "-", "--exclude-as", "kubectl").stdout
    assert cordons.splitlines() == [f"kubectl cordon {node}" for node in bad]
    hosts = judge(folder, "--exclude-file", "-", "--exclude-as", "hostfile").stdout.splitlines()
    assert len(hosts) == NODES - len(fleet.missing) - len(bad)
    assert {*hosts}.isdisjoint(bad)


def test_what_changed_since_an_earlier_result(fleet, tmp_path):
    reports = healthy(fleet, 6)
    before = tmp_path / "before.json"
    judge("-", "--output", before, stdin=lines(reports[:5]))
    reports[2]["facts"]["Gpu"][0]["power_limit_w"] = 300.0
    told = as_json("-", "--since", before, stdin=lines(reports))
    assert told["new"] == [
        {"what": "flash-attn-missing", "nodes": ["n06"]},
        {"what": "GPU 0 power limit: 300 W", "nodes": ["n03"]},
        {"what": "in the fleet", "nodes": ["n06"]},
    ]
    assert told["gone"] == []
    before.write_text('{"groups": [], "schema_version": "2.0"}', encoding="utf-8")
    assert judge("-", "--since", before, stdin=lines(reports)).exit_code == 2


@pytest.mark.parametrize("name", formats("fleet"))
def test_what_strangers_wrote_harms_nobody(fleet, name):
    reports = healthy(fleet, 6)
    reports[1]["subject"]["node"] = ATTACK
    reports[2]["facts"]["EnvironmentVariables"][0]["values"][ATTACK] = ATTACK
    reports[3]["findings"].append({"rule": ATTACK, "severity": "error", "message": ATTACK, "caused_by": None})
    told = judge("-", "--format", name, "--verbose", stdin=lines(reports))
    assert told.exit_code == 1
    assert not harmful_in(told.stdout)
    if name == "junit":
        ET.fromstring(told.stdout)


def test_the_commands_of_the_page_work(fleet, folder, tmp_path, monkeypatch):
    (tmp_path / "reports").symlink_to(folder)
    (tmp_path / "nodes.txt").write_text(f"gpu-[000001-{NODES:06d}]", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "fleet-judge.md").read_text(encoding="utf-8")
    commands = [line for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]
    assert len(commands) > 2
    for command in commands:
        told = CliRunner().invoke(app, shlex.split(command)[1:])
        assert told.exit_code == 1, command
        assert "Traceback" not in told.output


# Many


@pytest.mark.whole
def test_many_are_read_by_several_processes_with_the_same_result(tmp_path):
    many = Fleet(400, every=40)
    file = tmp_path / "many.jsonl"
    with file.open("w", encoding="utf-8") as stream:
        stream.writelines(f"{text}\n" for _, text in many.reports())
    said = named(fleet_judge.judged([str(file)]))
    assert {node for node, what in many.planted.items() if what not in said.get(node, ())} == set()
    assert said.keys() - many.planted.keys() == set()


def test_lists_of_nodes_are_folded_and_unfolded():
    chance = random.Random(1)
    for _ in range(300):
        width, tail = chance.choice([0, 2, 3]), chance.choice(["", ".cluster", "-ib"])
        nodes = {f"{chance.choice(['n', 'gpu-', 'a1-'])}{chance.randrange(130):0{width}}{tail}" for _ in range(30)}
        assert {*nodeset.unfolded(nodeset.folded(nodes))} == nodes
    for wrong in ("n[1-", "n[a-b]", "n[0-99999999]", "n]"):
        with pytest.raises(nodeset.NodesetError):
            nodeset.unfolded(wrong)


def test_chance_alone_names_nobody_however_many_there_are():
    assert quantile(1) == quantile(1000) == 5.0
    tail = statistics.NormalDist().cdf(-quantile(800_000)) * 800_000
    assert tail == pytest.approx(0.01)


def test_the_moment_of_the_synthetic_fleet_is_past():
    """Else its reports would be ahead of our clock."""
    assert NOW.isoformat() < "2026-11-29T12"
    assert dataclasses.is_dataclass(NodeSummary)
