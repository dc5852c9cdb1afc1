"""`cudacheck fleet ray` over a real Ray cluster on this machine: several raylets; one is killed, one hangs."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess

import pytest
from patients import CUDACHECK, clean_environment
from waiting import LONG, hold, inspections, wait_until, waits

from cudacheck.collecting import Asked, EngineError, NodeAnswer, ray

pytest.importorskip("ray", reason="no Ray: pip install 'cudacheck[ray]'")

pytestmark = [pytest.mark.whole, pytest.mark.ray]

GPUS = 4
SMALL = {"num_cpus": 1, "object_store_memory": 80 << 20}


@pytest.fixture(scope="module")
def cluster():
    """A head without GPUs, and workers that Ray takes for machines with some; tasks without GPUs are shown none."""
    from ray.cluster_utils import Cluster

    before = dict(os.environ)
    os.environ.update(
        RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="1", CUDA_VISIBLE_DEVICES="0,1,2,3", RAY_USAGE_STATS_ENABLED="0"
    )
    running = Cluster(initialize_head=True, head_node_args={**SMALL, "node_name": "head", "include_dashboard": False})
    running.workers = {
        name: running.add_node(wait=False, num_gpus=GPUS, node_name=name, **SMALL) for name in ("w1", "w2", "w3")
    }
    running.wait_for_nodes(timeout=LONG)
    os.environ.clear()
    os.environ.update(before)
    yield running
    for process in inspections().values():
        os.kill(process, signal.SIGKILL)
    running.shutdown()


def test_a_node_that_dies_or_hangs_costs_itself_alone(cluster, tmp_path, monkeypatch):
    hold(monkeypatch, tmp_path, "w1", "w2")
    told = {}
    with contextlib.closing(ray.collect(Asked(LONG), cluster.address)) as answers:
        for answer in itertools.islice(answers, 4):
            told[answer.node] = answer
        assert told.keys() == {"head", "w1", "w2", "w3"}
        wait_until(lambda: waits(tmp_path, "w1", "w2"))
        cluster.remove_node(cluster.workers.pop("w2"), allow_graceful=False)
        for answer in itertools.islice(answers, 3):
            told[answer.node] = answer
    assert told["w1"] == NodeAnswer("w1")
    assert told["w2"].failure.startswith("NodeDiedError: Task failed because the node it was running on is dead")
    assert {node for node, answer in told.items() if answer.report} == {"head", "w3"}
    assert told["head"].without_gpus
    assert not told["w3"].without_gpus
    report = json.loads(told["w3"].report)
    assert report["subject"]["node"] == "w3"
    # Ray set the variable to nothing for this task; the node has it as it was
    assert report["facts"]["EnvironmentVariables"][0]["values"]["CUDA_VISIBLE_DEVICES"] == "0,1,2,3"
    assert "PYTHONPATH" not in report["facts"]["EnvironmentVariables"][0]["values"]
    assert "gpus-hidden" not in {finding["rule"] for finding in report["findings"]}


def test_measuring_reserves_all_gpus_of_a_node(cluster, tmp_path, monkeypatch):
    import ray as engine

    hold(monkeypatch, tmp_path, *cluster.workers)
    engine.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    try:
        wait_until(lambda: engine.available_resources().get("GPU") == len(cluster.workers) * GPUS)
        with contextlib.closing(ray.collect(Asked(LONG, bench=True), cluster.address)) as answers:
            next(answers)
            wait_until(lambda: waits(tmp_path, *cluster.workers))
            wait_until(lambda: "GPU" not in engine.available_resources())
        wait_until(lambda: engine.available_resources().get("GPU") == len(cluster.workers) * GPUS)
    finally:
        engine.shutdown()


def test_the_nodes_are_judged_and_a_head_without_gpus_is_left_out(cluster):
    """`cudacheck fleet ray`, as docs/fleet.md has it. The machine has no GPU, whatever Ray counts."""
    environment = {**clean_environment(), "RAY_ADDRESS": cluster.address}
    told = subprocess.run(
        [*CUDACHECK, "fleet", "ray", "--format", "json", "--timeout", str(LONG)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=LONG,
    )
    assert told.stderr == "cudacheck: left out, without a GPU as the cluster has it: head\n"
    fleet = json.loads(told.stdout)
    (without,) = (finding["nodes"] for finding in fleet["findings"] if finding["rule"] == "no-gpu")
    assert {"w1", "w3"} <= {*without} <= {"w1", "w2", "w3"}  # the test before has killed w2, or has not been run
    assert {*fleet["missing"]} <= {"w2"}
    assert told.returncode == 1


def test_an_address_where_nothing_listens_is_one_line():
    with pytest.raises(EngineError, match=r"^nothing answers at 127\.0\.0\.1:1: Connection refused$"):
        list(ray.collect(Asked(30), "127.0.0.1:1"))
