"""A fleet that nobody has: reports of many nodes, made of real ones with faults planted in some of them.

`python tests/tools/fleet.py COUNT FOLDER` writes a report a node; beside the folder the names of all nodes, and what
was planted where: other drivers, variables, power limits and packages, faults, slow GPUs, nodes without a report. One
node in eight is of another kind of hardware. Times scatter by 2 %, and what is another at every look on real machines
is so here: temperatures, loads, names, serial numbers, the moment.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import json
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cudacheck import __version__, knowledge
from cudacheck.commands.doctor import judged
from cudacheck.reports.read import loads
from cudacheck.reports.write import as_dict

REPLAY = Path(__file__).parents[1] / "replays" / "h200-doctor.json"
GPUS = 8
NOISE = 0.02
"""The standard deviation of a time, over it."""
LOOKS_SLOW = 1.05
"""Times as long as it should take."""
OTHER_KIND = 8
"""One node in so many is of the other kind."""
NOW = datetime.datetime(2026, 11, 29, 3, 0, tzinfo=datetime.UTC)

Report = dict[str, Any]
Plant = Callable[[Report], None]


def healthy() -> Report:
    """A node with eight H200, as the doctor of today tells of it."""
    raw = json.loads(REPLAY.read_text(encoding="utf-8"))
    facts = raw["facts"]
    for kind, number in (("Gpu", "index"), ("TorchDevice", "index"), ("KernelRun", "device_index")):
        facts[kind] = [one for gpu in range(GPUS) for one in _on(gpu, facts[kind], number)]
    rows = [row for row in facts["Measurement"] if row["median_us"]]
    facts["Measurement"] = [one for gpu in range(GPUS) for one in _on(gpu, rows, "device_index")]
    facts["Nvml"][0]["gpu_count"] = facts["LibCuda"][0]["device_count"] = facts["TorchCuda"][0]["device_count"] = GPUS
    facts["EnvironmentVariables"][0]["values"].pop("NVIDIA_VISIBLE_DEVICES", None)
    facts["PciGpu"] = [{**facts["PciGpu"][0], "address": f"0000:{gpu + 1:02x}:00.0"} for gpu in range(GPUS)]
    return judged_again(raw)


def _on(gpu: int, facts: list[Report], number: str) -> Iterator[Report]:
    for fact in facts:
        named: Report = {key: f"GPU-{gpu:08d}" for key in ("uuid", "device_uuid") if key in fact}
        yield {**fact, number: gpu, **named}


def judged_again(raw: Report) -> Report:
    report = loads(json.dumps(raw))
    return json.loads(json.dumps(as_dict(judged(report.facts, report.probes, (), 12.0))))


def replaced(report: Report, old: str, new: str) -> None:
    """In every text of its facts."""
    report["facts"] = json.loads(json.dumps(report["facts"]).replace(old, new))


def a100() -> Report:
    """The other kind: another model, with another driver's branch and kernel, as it is bought at another time."""
    report = healthy()
    replaced(report, "NVIDIA H200", "NVIDIA A100-SXM4-80GB")
    replaced(report, "580.159.04", "570.172.08")
    for gpu in report["facts"]["Gpu"]:
        gpu.update(power_limit_w=400.0, power_default_w=400.0, memory_total_bytes=85899345920, compute_capability="8.0")
    for device in report["facts"]["TorchDevice"]:
        device.update(compute_capability="8.0", memory_total_bytes=84974239744)
    for row in report["facts"]["Measurement"]:
        row.update(median_us=row["median_us"] * 2.9, tflops=(row["tflops"] or 0) / 2.9)
    report["facts"]["Nvml"][0]["cuda_version"] = report["facts"]["LibCuda"][0]["cuda_version"] = "13.0"
    return judged_again(report)


# What is planted, with what must be named


def other_driver(report: Report) -> None:
    replaced(report, report["facts"]["Nvml"][0]["driver_version"], "580.65.06")


def other_torch(report: Report) -> None:
    replaced(report, "2.11.0+cu130", "2.10.0+cu130")


def power_limit(report: Report) -> None:
    report["facts"]["Gpu"][5]["power_limit_w"] = 300.0


def variable(report: Report) -> None:
    report["facts"]["EnvironmentVariables"][0]["values"]["NCCL_P2P_DISABLE"] = "1"


def package(report: Report) -> None:
    next(one for one in report["facts"]["Distribution"] if one["name"] == "transformers")["version"] = "4.40.0"


def kernel(report: Report) -> None:
    replaced(report, report["facts"]["KernelModule"][0]["kernel"], "6.8.0-45-generic")


def gpu_gone(report: Report) -> None:
    facts = report["facts"]
    for kind, number in (("Gpu", "index"), ("TorchDevice", "index"), ("KernelRun", "device_index")):
        facts[kind] = [one for one in facts[kind] if one[number] != 7]
    facts["Measurement"] = [row for row in facts["Measurement"] if row["device_index"] != 7]
    facts["PciGpu"] = facts["PciGpu"][:7]


def slow(report: Report) -> None:
    for row in report["facts"]["Measurement"]:
        if row["device_index"] == 3:
            row.update(median_us=row["median_us"] * 1.3, tflops=(row["tflops"] or 0) / 1.3)


def ecc(report: Report) -> None:
    report["facts"]["Gpu"][2]["rows_remap_pending"] = True


PLANTS: dict[str, Plant] = {
    "driver version": other_driver,
    "torch version": other_torch,
    "GPU 5 power limit": power_limit,
    "variable NCCL_P2P_DISABLE": variable,
    "package transformers version": package,
    "kernel module kernel": kernel,
    "GPU 7": gpu_gone,
    "GPU 3 slow": slow,
    "ecc-uncorrectable": ecc,
}
"""By what must be named: of an outlier, a slow GPU or a finding."""


class Fleet:
    """Reports of so many nodes, one in `every` with something planted, and one in `every` that has none."""

    def __init__(self, count: int, *, every: int = 100, seed: int = 1) -> None:
        self.count = count
        self.every = every
        self.random = random.Random(seed)
        self.planted: dict[str, str] = {}
        """What, by node."""
        self.missing: list[str] = []
        kinds = {"h200": healthy(), "a100": a100()}
        self.kinds = {name: json.dumps(report) for name, report in kinds.items()}
        self.sick = {(name, what): self._planted(report, what) for name, report in kinds.items() for what in PLANTS}

    def _planted(self, report: Report, what: str) -> str:
        sick = copy.deepcopy(report)
        PLANTS[what](sick)
        return json.dumps(judged_again(sick))

    def reports(self) -> Iterator[tuple[str, str]]:
        """Each node's name and report."""
        plants = [*PLANTS]
        for number in range(1, self.count + 1):
            node = f"gpu-{number:06d}"
            kind = "a100" if number % OTHER_KIND == 0 else "h200"
            turn = number % self.every
            if turn == self.every // 2 + 1:
                self.missing.append(node)
                continue
            text = self.kinds[kind]
            if turn == 1:
                self.planted[node] = what = plants[number // self.every % len(plants)]
                text = self.sick[kind, what]
            yield node, json.dumps(self._noisy(json.loads(text), node))

    def _noisy(self, report: Report, node: str) -> Report:
        """What is another at every look, on every machine."""
        chance = self.random
        report["subject"] = {"node": node, "boot_id": f"{chance.getrandbits(128):032x}"}
        report["created"] = (NOW + datetime.timedelta(seconds=chance.uniform(0, 600))).isoformat(timespec="seconds")
        report["cudacheck_version"], report["knowledge_date"] = __version__, knowledge.as_of()
        facts = report["facts"]
        facts["System"][0].update(report["subject"], memory_available_bytes=chance.randrange(2**40))
        uuids = {f"GPU-{gpu:08d}": f"GPU-{chance.getrandbits(128):032x}" for gpu in range(GPUS)}
        for kind, key in (("Gpu", "uuid"), ("TorchDevice", "uuid"), ("KernelRun", "device_uuid")):
            for one in facts[kind]:
                one[key] = uuids[one[key]]
        for gpu in facts["Gpu"]:
            gpu.update(temperature_c=chance.randrange(28, 60), power_draw_w=chance.uniform(70, 130))
            gpu.update(memory_used_bytes=chance.randrange(2**30), sm_clock_mhz=chance.randrange(345, 1980))
        facts["System"][0]["shm_bytes"] += chance.randrange(2**20)  # half of what firmware leaves of the memory
        rows = [self._timed({**row, "device_uuid": uuids[row["device_uuid"]]}) for row in facts["Measurement"]]
        facts["Measurement"] = [row for attempts in rows for row in attempts]
        return report

    def _timed(self, row: Report) -> list[Report]:
        """With its noise; what looks slow is measured again, as the doctor does."""
        factors = [max(0.5, self.random.gauss(1.0, NOISE))]
        if factors[0] > LOOKS_SLOW:
            factors.append(self.random.gauss(1.0, NOISE))
        us, tflops = row["median_us"], row["tflops"] or 0
        return [
            {**row, "attempt": attempt, "median_us": us * factor, "tflops": tflops / factor}
            for attempt, factor in enumerate(factors, 1)
        ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("folder", type=Path, help="or a file that ends in .jsonl: one report a line")
    parser.add_argument("--every", type=int, default=100, help="one node in so many is planted, and one is missing")
    asked = parser.parse_args()
    fleet = Fleet(asked.count, every=asked.every)
    if asked.folder.suffix == ".jsonl":
        with asked.folder.open("w", encoding="utf-8") as file:
            file.writelines(f"{text}\n" for _, text in fleet.reports())
        beside = asked.folder.with_suffix("")
    else:
        asked.folder.mkdir(parents=True, exist_ok=True)
        for node, text in fleet.reports():
            (asked.folder / f"{node}.json").write_text(text, encoding="utf-8")
        beside = asked.folder.with_name(asked.folder.name + ".planted")
    names = [f"gpu-{number:06d}" for number in range(1, asked.count + 1)]
    told = {"planted": fleet.planted, "missing": fleet.missing}
    beside.with_suffix(".planted.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    beside.with_suffix(".nodes").write_text("\n".join(names), encoding="utf-8")
    sys.stdout.write(f"{asked.count - len(fleet.missing)} reports, {len(fleet.planted)} planted\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
