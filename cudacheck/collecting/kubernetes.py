"""Kubernetes: a manifest to read and to create, and what to type after it; nothing here speaks to a cluster.

An indexed Job runs one pod a node. Each prints its report as one line into its log, and its verdict into its
termination message. It ends with 0 whatever was found: a failed pod would end those that still run.
"""

from __future__ import annotations

import dataclasses
import json
import re
import textwrap

from cudacheck.collecting.on_node import NAME

GPU_NODES = "nvidia.com/gpu.present=true"
"""The label that NVIDIA's GPU feature discovery gives."""

SCRIPT = """\
cd "$2" || exit 0
cudacheck doctor {options} --output json:report.json --output "line:$1" >/dev/null 2>said
if [ -s report.json ]; then tr -d '\\n' <report.json; echo; else head -c 4000 said >"$1"; cat said; fi
"""
"""`sh -c SCRIPT doctor TERMINATION_MESSAGE FOLDER`"""

MANIFEST = """\
# One pod on each of {nodes} nodes, by `cudacheck fleet kubernetes`. Nothing has been created yet:
#   kubectl create -f FILE
#   kubectl wait {where}--for=condition=complete --timeout={deadline_s}s job/{name}
#   kubectl logs {where}-l job-name={name} --tail=-1 | cudacheck fleet judge - --expect {nodes}
#   kubectl delete {where}job {name}
apiVersion: batch/v1
kind: Job
metadata:
  name: {name}
{namespace}spec:
  completionMode: Indexed
  completions: {nodes}
  parallelism: {nodes}
  backoffLimit: 0
  activeDeadlineSeconds: {deadline_s}
  template:
    metadata:
      labels: {{app.kubernetes.io/name: cudacheck}}
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      nodeSelector: {selector}
      tolerations:
      - {{key: nvidia.com/gpu, operator: Exists}}
      affinity:
        podAntiAffinity:  # one pod a node
          requiredDuringSchedulingIgnoredDuringExecution:
          - topologyKey: kubernetes.io/hostname
            labelSelector: {{matchLabels: {{app.kubernetes.io/name: cudacheck}}}}
{runtime}      containers:
      - name: doctor
        image: {image}
        command:
        - /bin/sh
        - -c
        - |
{script}        - doctor
        - /dev/termination-log
        - /tmp
        env:
        - {{name: {node_variable}, valueFrom: {{fieldRef: {{fieldPath: spec.nodeName}}}}}}
{gpus}        securityContext: {{allowPrivilegeEscalation: false}}
"""
ALL_GPUS = """\
        # sees every GPU and reserves none
        - {name: NVIDIA_VISIBLE_DEVICES, value: all}
        - {name: NVIDIA_DRIVER_CAPABILITIES, value: "compute,utility"}
"""
RESERVED = """\
        resources: {{limits: {{nvidia.com/gpu: {gpus}}}}}
"""


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Where and on what it is to run."""

    nodes: int
    image: str
    """It has cudacheck on its PATH, beside the PyTorch to inspect."""
    gpus: int = 0
    """To be reserved on each node; 0: all are seen and none is reserved."""
    name: str = "cudacheck"
    namespace: str = ""
    selector: tuple[str, ...] = (GPU_NODES,)
    """`LABEL=VALUE` of the nodes."""
    runtime_class: str = ""


def manifest(cluster: Cluster, *, bench: bool, timeout_s: float) -> str:
    """YAML. Raises ValueError for a name that Kubernetes would refuse."""
    for what in filter(None, (cluster.name, cluster.namespace, cluster.runtime_class)):
        if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", what):
            raise ValueError(f"{what!r} is no name for Kubernetes: small letters, digits and hyphens, 63 at most")
    if wrong := [label for label in cluster.selector if not re.fullmatch(r"[\w./-]+=[\w.-]*", label, re.ASCII)]:
        raise ValueError(f"{wrong[0]!r} is no LABEL=VALUE")
    options = f"{'--bench' if bench else '--no-bench'} --timeout {timeout_s:.0f}"
    return MANIFEST.format(
        nodes=cluster.nodes,
        name=cluster.name,
        where=f"-n {cluster.namespace} " if cluster.namespace else "",
        namespace=f"  namespace: {cluster.namespace}\n" if cluster.namespace else "",
        deadline_s=round(timeout_s) + 600,
        selector=json.dumps(dict(label.split("=", 1) for label in cluster.selector)),
        runtime=f"      runtimeClassName: {cluster.runtime_class}\n" if cluster.runtime_class else "",
        image=json.dumps(cluster.image),
        script=textwrap.indent(SCRIPT.format(options=options), " " * 10),
        node_variable=NAME,
        gpus=RESERVED.format(gpus=cluster.gpus) if cluster.gpus else ALL_GPUS,
    )
