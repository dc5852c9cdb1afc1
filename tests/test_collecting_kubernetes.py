"""`cudacheck fleet kubernetes`: the manifest against Kubernetes' own schemas, and what its pods run, run here.

No cluster has been asked: what kubectl prints of several pods' logs is one line after the other.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys

import pytest

from cudacheck.collecting.kubernetes import Cluster, manifest

kubernetes_validate = pytest.importorskip("kubernetes_validate")
yaml = pytest.importorskip("yaml")

pytestmark = pytest.mark.whole

PLAIN = Cluster(8, "registry.example/train:1.2")
MEASURING = Cluster(
    2, "train@sha256:ab", gpus=8, name="nightly", namespace="ml", selector=("a.b/c=d", "e=f"), runtime_class="nvidia"
)


def job(cluster: Cluster, *, bench: bool = False) -> dict:
    return yaml.safe_load(manifest(cluster, bench=bench, timeout_s=60))


@pytest.mark.parametrize("version", ["1.26", "1.29", "1.31", "1.33", "1.34"])
@pytest.mark.parametrize("cluster", [PLAIN, MEASURING], ids=["plain", "measuring"])
def test_kubernetes_would_take_it(cluster, version):
    """Strict: an unknown field is refused, too."""
    kubernetes_validate.validate(job(cluster), version, strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**job(cluster), "specs": {}}, version, strict=True)


def test_it_is_one_pod_a_node_and_no_failed_one_ends_the_others():
    spec = job(PLAIN)["spec"]
    assert (spec["completions"], spec["parallelism"], spec["completionMode"]) == (8, 8, "Indexed")
    pod = spec["template"]
    (term,) = pod["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["topologyKey"] == "kubernetes.io/hostname"
    assert term["labelSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()


def test_gpus_are_reserved_only_where_that_is_asked_for():
    (container,) = job(PLAIN)["spec"]["template"]["spec"]["containers"]
    assert "resources" not in container
    assert {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"} in container["env"]
    (container,) = job(MEASURING)["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == {"limits": {"nvidia.com/gpu": 8}}
    assert [variable["name"] for variable in container["env"]] == ["CUDACHECK_NODE"]


def run_pod(tmp_path, node: str, *, path: str, bench: bool = False) -> tuple[str, str]:
    """What the pod's container prints, and its termination message."""
    (container,) = job(PLAIN, bench=bench)["spec"]["template"]["spec"]["containers"]
    room = tmp_path / node
    room.mkdir()
    *command, message, folder = container["command"]
    assert (message, folder) == ("/dev/termination-log", "/tmp")
    environment = {"PATH": path, "CUDACHECK_NODE": node}
    done = subprocess.run(
        [*command, room / "message", room], env=environment, capture_output=True, text=True, check=False, timeout=90
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout, (room / "message").read_text()


def test_a_pod_prints_one_line_and_says_its_verdict(tmp_path):
    path = f"{os.path.dirname(sys.executable)}:{os.defpath}"
    logs, messages = zip(*(run_pod(tmp_path, node, path=path) for node in ("gpu-1", "gpu-2")), strict=True)
    reports = [json.loads(line) for line in "".join(logs).splitlines()]
    assert [report["subject"]["node"] for report in reports] == ["gpu-1", "gpu-2"]
    for report, message in zip(reports, messages, strict=True):
        root = next(finding for finding in report["findings"] if finding["caused_by"] is None)
        assert message.startswith(f"[{root['fix_by']}] {root['rule']}: ")
        assert len(message.encode()) <= 80


def test_an_image_without_cudacheck_says_so(tmp_path):
    log, message = run_pod(tmp_path, "gpu-1", path=os.defpath)
    assert "cudacheck: not found" in log
    assert "cudacheck: not found" in message


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "Nightly", "'Nightly' is no name for Kubernetes: small letters, digits and hyphens, 63 at most"),
        ("namespace", "a\nb: c", "'a\\nb: c' is no name for Kubernetes"),
        ("runtime_class", "x" * 64, "is no name for Kubernetes"),
        ("selector", ("a b=c",), "'a b=c' is no LABEL=VALUE"),
        ("selector", ("gpu",), "'gpu' is no LABEL=VALUE"),
    ],
)
def test_what_kubernetes_would_refuse_is_one_line(field, value, said):
    with pytest.raises(ValueError, match=r"^[^\n]+$") as refused:
        manifest(dataclasses.replace(PLAIN, **{field: value}), bench=False, timeout_s=60)
    assert said in str(refused.value)


def test_an_image_of_any_name_stays_one_value():
    hostile = 'x"\n      hostNetwork: true # {a}'
    assert (
        job(dataclasses.replace(PLAIN, image=hostile))["spec"]["template"]["spec"]["containers"][0]["image"] == hostile
    )
