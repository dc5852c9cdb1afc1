"""What is planted in a report does not leave it redacted, in any format; what only looks like it stays."""

from __future__ import annotations

import subprocess

import pytest
from patients import CUDACHECK, Patient, clean_environment

from cudacheck.commands.doctor import judged
from cudacheck.model.facts import Facts
from cudacheck.model.report import Report
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.torch_import import TorchImport
from cudacheck.render import as_text
from cudacheck.reports.redact import redacted
from cudacheck.reports.write import dumps

HEX = "0123456789abcdef"

PLANTS = {
    "a home": ("/home/jdoe42/x", "jdoe42"),
    "a home elsewhere": ("/mnt/home/jdoe42/x", "jdoe42"),
    "an exported home": ("/export/home/jdoe42/x", "jdoe42"),
    "a parallel file system": ("/gpfs/jdoe42/x", "jdoe42"),
    "a project's folder": ("/lustre/project/acme/jdoe42/x", "jdoe42"),
    "users on data": ("/data/users/jdoe42/x", "jdoe42"),
    "a Mac's home": ("/Users/jdoe42/x", "jdoe42"),
    "a Windows home": ("C:\\Users\\jdoe42\\x", "jdoe42"),
    "another's home": ("~jdoe42/x", "jdoe42"),
    "an e-mail address": ("jdoe42@acme.example", "jdoe42"),
    "a prompt": ("jdoe42@gpunode17:~$", "gpunode17"),
    "an inner host": ("gpu17.acme.internal", "acme"),
    "a host in words": ("host db7 unreachable", "db7"),
    "a host after a key": ("hostname=gpunode17", "gpunode17"),
    "a private URL": ("https://wheels.acme.example/simple/torch/", "acme"),
    "an index with a login": ("https://jdoe42:Pa55wordX@mirror.example.net/simple", "Pa55wordX"),
    "a private repository": ("git@github.com:acme/private.git", "acme/private"),
    "an IPv4 address": ("connect to 10.17.33.44 failed", "10.17.33.44"),
    "an IPv6 address": ("fd12:3456:789a:1::17", "fd12:3456:789a:1::17"),
    "a MAC address": ("02:42:ac:11:00:17", "02:42:ac:11:00:17"),
    "a GPU's UUID": ("GPU-5a1f0c3e-8d2b-4c6a-9e7f-0123456789ab", "5a1f0c3e-8d2b"),
    "a machine's id": ("machine-id: " + HEX + HEX, HEX),
    "a container's id": ("/docker/" + HEX * 4, HEX * 4),
    "a serial number": ("serial number 1654221003717", "1654221003717"),
    "a job's id": ("SLURM_JOB_ID=8817442", "8817442"),
    "GitHub": ("ghp_" + "aB3dE5fG7h" * 4, "aB3dE5fG7h"),
    "GitLab": ("glpat-" + "aB3dE5fG7h" * 2, "aB3dE5fG7h"),
    "Hugging Face": ("hf_" + "aBcDeFgHiJ" * 4, "aBcDeFgHiJ"),
    "AWS": ("AKIA" + "QWERTYUIOP12345X", "QWERTYUIOP12345X"),
    "an AWS secret": ("aws_secret_access_key=" + "wJalrXUtnFEMI7MDENGbPxRfiCYzz17Key", "wJalrXUtnFEMI7MDENG"),
    "Google": ("AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q", "SyA1b2C3d4"),
    "Azure": ("AccountKey=" + "abcd1234ABCD5678" * 4 + "==", "abcd1234ABCD5678"),
    "Slack": ("xoxb-" + "123456789012-abcdefABCDEF", "123456789012-abcdef"),
    "OpenAI": ("sk-proj-" + "aB3dE5fG7h" * 3, "aB3dE5fG7h"),
    "NGC": ("nvapi-" + "aB3dE5fG7h" * 5, "aB3dE5fG7h"),
    "wandb": ("WANDB_API_KEY=" + "a1b2c3d4e5" * 4, "a1b2c3d4e5"),
    "an index's token": ("pypi-" + "AgEIcHlwaS5vcmcCJDNl" * 4, "AgEIcHlwaS5vcmcCJDNl"),
    "a JSON web token": ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.abcDEF123456", "eyJzdWIiOiIx"),
    "a bearer": ("Authorization: Bearer a1b2c3d4e5f6g7h8", "a1b2c3d4e5f6g7h8"),
    "a private key": ("-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA1234\n-----END", "MIIEowIBAAKCAQEA1234"),
    "a password": ("password=hunter2hunter", "hunter2hunter"),
    "a password of curl": ("curl -u jdoe42:s3cret9x https://github.com/x", "s3cret9x"),
    "a netrc of several lines": ("machine wheels.acme.example\n  login jdoe42\n  password Tr0ub4dor3", "Tr0ub4dor3"),
    "an account of Windows": ("S-1-5-21-3623811015-3361044348-30300820-1013", "3623811015-3361044348"),
    "an account of Slurm": ("SLURM_JOB_ACCOUNT=acme-nlp-phd7", "acme-nlp-phd7"),
    "a user of Slurm": ("SLURM_JOB_USER=jdoe42", "jdoe42"),
    "a pod": ("pod trainer-7d9c6b5f4-xk2lp is pending", "trainer-7d9c6b5f4-xk2lp"),
    "a namespace": ("in namespace acme-nlp", "acme-nlp"),
    "a home in Chinese": ("/home/王小明/miniconda3/lib", "王小明"),
    "a home of Windows in Cyrillic": ("C:\\Users\\Иван Петров\\x", "Петров"),
    "an option": ("--api-key S3cr3tV4lue99", "S3cr3tV4lue99"),
}
AROUND = ("{}", "RuntimeError: cannot open '{}' (errno 2)", 'loaded from "{}", giving up', "[rank0]: x={} y=1")


def planted(plant: str, around: str) -> Report:
    said = around.format(plant)
    facts = Facts([TorchImport(ok=False, error_type="OSError", error=said), ErrorMessage(said, "import torch")])
    return judged(facts, (), (), None)


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("kind", PLANTS)
def test_nothing_planted_leaves_the_report(kind, around):
    plant, secret = PLANTS[kind]
    told = redacted(planted(plant, around))
    assert secret in dumps(planted(plant, around)).replace("\\\\", "\\")
    for shown in (dumps(told), as_text(told, verbose=True)):
        assert secret not in shown


QUEUED = "             99812       gpu train.sh   jdoe42  R 1:02:03      1 gpunode17"


def test_a_line_of_a_queue_names_nobody():
    told = dumps(redacted(judged(Facts([ErrorMessage(QUEUED, "squeue")]), (), (), None)))
    assert "jdoe42" not in told
    assert "gpunode17" not in told


def test_what_a_variable_is_called_says_what_it_holds():
    values = {
        "SLURM_JOB_USER": "jdoe42",
        "SLURM_JOB_ACCOUNT": "acme-nlp",
        "HOSTNAME": "gpunode17",
        "CUDA_HOME": "/usr/cuda",
    }
    shown = redacted(judged(Facts([EnvironmentVariables(values)]), (), (), None)).facts.one(EnvironmentVariables)
    assert shown is not None
    assert [*shown.values.values()] == ["<user-1>", "<user-2>", "<host-2>", "/usr/cuda"]


def test_nothing_leaves_a_live_report(tmp_path):
    """A torch whose import raises with all of them, inspected for real."""
    patient = Patient(tmp_path / "venv")
    said = "\n".join(plant for plant, _ in PLANTS.values())
    patient.torch("2.8.0+cu128", "12.8", on_import=f"raise OSError({said!r})")
    for output in ("text", "json"):
        told = subprocess.run(
            [*CUDACHECK, "doctor", "--no-bench", "--redact", "-v", "--format", output, "--python", patient.python],
            capture_output=True,
            check=False,
            timeout=60,
            env={**clean_environment(), "CUDA_HOME": "/home/jdoe42/cuda", "LD_LIBRARY_PATH": "/gpfs/jdoe42/lib"},
        )
        shown = told.stdout.decode() + told.stderr.decode()
        assert told.returncode == 1
        assert [kind for kind, (_, secret) in PLANTS.items() if secret in shown] == []
