"""What a ticket must not carry is gone, in every format, and nothing else; what is judged stays."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
import typing
from pathlib import Path

import plants
import pytest
from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import default_settings
from patients import Patient

from cudacheck import registry, render, sources
from cudacheck.commands import doctor as inspecting
from cudacheck.model.facts import Facts
from cudacheck.model.findings import PossibleAnswer, Question
from cudacheck.model.holds import Holds
from cudacheck.model.report import Fulfilment, Outcome, ProbeRun, Report, RequirementResult
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.nvml import Gpu, GpuProcess, Nvml
from cudacheck.probes.messages import ErrorMessage
from cudacheck.reports import redact
from cudacheck.reports.read import loads
from cudacheck.reports.redact import Redactor, _patterns, redacted
from cudacheck.reports.write import dumps

pytestmark = pytest.mark.whole

HERE = Path(__file__).parent
PLANTS = [*plants.FIRST, *plants.HELD_BACK, *plants.THIRD]
NAMES = ("torch", "default", "pip", "error", "nvidia", "a")
HOMES = ("/home/{}", "/mnt/home/{}", "/export/home/{}", "/gpfs/{}", "/data/users/{}", "/Users/{}", "/scratch/{}")


def nobody() -> Redactor:
    """On a machine whose own names say nothing."""
    return Redactor(home="/root", user="root", host="testbox")


def judged(*facts: object, known: tuple[type, ...] = ()) -> Report:
    bag = Facts(facts, complete={*map(type, facts), *known})
    return inspecting.judged(bag, bag.all(ProbeRun), (), None)


# By field


def test_every_text_of_a_fact_says_what_it_holds():
    silent = [
        f"{name}.{field}"
        for name, fact_type in registry.fact_types().items()
        for field, hint in typing.get_type_hints(fact_type, include_extras=True).items()
        if "str" in str(hint) and redact.declared(hint) is None
    ]
    assert silent == [], "say it beside the field: cudacheck/probes/holds.py"


def test_a_field_that_says_nothing_is_free_text():
    @dataclasses.dataclass(frozen=True)
    class New:
        words: str
        many: dict[str, tuple[str, ...]]

    New.__annotations__ = {"words": str, "many": dict[str, tuple[str, ...]]}
    shown = nobody().of_value(New("password=hunter2", {"x": ("at 10.20.30.40",)}))
    assert shown == New("password=<token-1>", {"x": ("at <ip-1>",)})


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        (Holds.SERIAL, "1324521034567", "<serial-1>"),
        (Holds.USER, "torch", "<user-1>"),
        (Holds.HOST, "torch", "<host-1>"),
        (Holds.UUID, "GPU-5f7a9c1e-0b2d-4c6f-8a1b-3d5e7f901234", "GPU-00000000-0000-0000-0000-000000000001"),
        (Holds.PATH, "/Users/Ada Lovelace/venv/lib/x.so", "<home-1>/venv/lib/x.so"),
        (Holds.PATH, "/usr/lib/x86_64-linux-gnu/libcuda.so.1", "/usr/lib/x86_64-linux-gnu/libcuda.so.1"),
        (Holds.COMMAND_LINE, "/usr/bin/python3 /home/ada/secret/train.py --api-key 12", "python3"),
        (Holds.COMMAND_LINE, r"C:\Program Files\Acme\trainer.exe --who ada", "trainer.exe"),
        (Holds.COMMAND_LINE, "/home/ada lovelace/bin/python x", "<process>"),
        (Holds.COMMAND_LINE, "[Not Found]", "[Not Found]"),
        (Holds.TERM, "12.8.4.1", "12.8.4.1"),
        (Holds.TERM, f"hf_{plants.B36}", "<token-1>"),
        (Holds.SHELL, "/home/ada/venv/bin/python -m pip list", "'<home-1>/venv/bin/python' -m pip list"),
        (Holds.SHELL, "export CUDA_HOME=/home/ada/cuda", "export CUDA_HOME='<home-1>/cuda'"),
        (Holds.SHELL, r"C:\Users\ada\python.exe -m pip list", r'"<home-1>\python.exe" -m pip list'),
    ],
)
def test_by_field(kind, value, shown):
    assert nobody().text(value, kind) == shown


# By pattern


@pytest.mark.parametrize(("kind", "text", "secrets"), PLANTS, ids=[f"{k}: {t[:24]}" for k, t, _ in PLANTS])
def test_a_plant_is_taken_out(kind, text, secrets):
    assert all(secret in text for secret in secrets)
    shown = nobody().text(text)
    assert [secret for secret in secrets if secret in shown] == []
    assert nobody().text(shown) == shown, "once more changes nothing"


def test_a_secret_goes_whole():
    assert nobody().text("AWS_SESSION_TOKEN=FwoGZXIvYXdzEBYaDH, password: b'hunter2'") == (
        "AWS_SESSION_TOKEN=<token-1>, password: b'<token-2>'"
    )


def test_there_are_plants_enough():
    assert len(PLANTS) >= 120
    assert len({kind for kind, *_ in PLANTS}) >= 30
    assert len(plants.FIRST) * 2 <= len(PLANTS)


def formats(shown: Report) -> list[str]:
    texts = [render.as_text(shown, kind, verbose=verbose) for kind in render.formats() for verbose in (True, False)]
    return [json.loads(json.dumps(text)) for text in texts]


def test_no_plant_leaks_from_a_pasted_report_in_any_format():
    """Each as an error, a probe's last words, a variable and a process of somebody else's."""
    messages = [ErrorMessage(f"No CUDA GPUs are available\n{text}", "log") for _, text, _ in PLANTS]
    runs = [ProbeRun("torch_import", "patient", Outcome.FAILED, 1.0, text, text) for _, text, _ in PLANTS]
    processes = [GpuProcess(0, n, 1, f"/usr/bin/python {text}") for n, (_, text, _) in enumerate(PLANTS)]
    variables = EnvironmentVariables({f"NCCL_{n}": text for n, (_, text, _) in enumerate(PLANTS)})
    whole = judged(*messages, *runs, *processes, variables, Gpu(0, "NVIDIA A100"))
    again = sources.read([("report.json", dumps(whole))])
    shown = nobody().of_report(inspecting.judged(again, again.all(ProbeRun), (), None))
    for text in formats(shown):
        # a number of a job may also be one of a version
        assert [
            s for _, _, secrets in PLANTS for s in secrets if re.search(rf"(?<!\w){re.escape(s)}(?!\w)", text)
        ] == []


def test_no_plant_leaks_from_what_is_asked_or_required_in_any_format():
    """In what a report of another hand says of them; what is only compared is no free text."""
    texts = [text for _, text, _ in PLANTS]
    asked = tuple(Question(text, (PossibleAnswer(text, "r", text),)) for text in texts)
    required = tuple(RequirementResult("torch>=2", Fulfilment.UNMET, text, text) for text in texts)
    whole = dataclasses.replace(judged(Gpu(0, "NVIDIA A100")), questions=asked, requirements=required)
    for text in formats(nobody().of_report(whole)):
        assert [
            s for _, _, secrets in PLANTS for s in secrets if re.search(rf"(?<!\w){re.escape(s)}(?!\w)", text)
        ] == []


def test_no_plant_leaks_from_a_live_patient(tmp_path, fake_driver):
    """`import torch` raises with all of them, and a process of somebody else's names them on its command line."""
    said = "\n".join(text for _, text, _ in PLANTS)
    patient = Patient(tmp_path / "home" / "lovelace" / "venv")
    patient.torch("2.8.0+cu128", "12.8", "sm_80", on_import=f"raise RuntimeError({said!r})")
    patient.environment.update(
        fake_driver(
            FAKE_PROCESSES="4242:100",
            FAKE_PROCESS_NAME=f"python train.py --password hunter22 {plants.FIRST[0][1]}",
            XLA_FLAGS="--xla_dump_to=/home/lovelace/dump",
            NVCC_APPEND_FLAGS=f"-DTOKEN=hf_{plants.B36}",
            LD_PRELOAD="",
        )
    )
    for doctor in (patient.doctor("--redact"), patient.doctor("--redact", "--verbose", output_format="text")):
        assert "torch-import-failed" in doctor.stdout
        told = re.sub(r"tests?/\S+", "", doctor.stdout)
        found = [s for _, _, secrets in PLANTS for s in secrets if re.search(rf"(?<!\w){re.escape(s)}(?!\w)", told)]
        assert found == []


def found_by_a_scanner(folder: Path, text: str) -> list[str]:
    """What detect-secrets takes for a secret in a file of this text; placeholders beside `password=` are none."""
    path = folder / "report.txt"
    path.write_text(text, encoding="utf-8")
    found = SecretsCollection()
    with default_settings():
        found.scan_file(str(path))
    values = [str(secret.secret_value) for _, secret in found]
    return [value for value in values if not re.match(r"<?[a-z]+-\d+>?", value)]


def test_a_scanner_that_knows_nothing_of_ours_finds_nothing_more(tmp_path):
    """detect-secrets needs no network and brings 6 small packages, credsweeper 45 (pandas, onnxruntime; 400 MB)."""
    texts = [text for _, text, _ in PLANTS]
    assert len(found_by_a_scanner(tmp_path, "\n".join(texts))) >= 15
    redactor = nobody()
    assert found_by_a_scanner(tmp_path, "\n".join(map(redactor.text, texts))) == []


def test_the_same_thing_has_the_same_placeholder():
    redactor = nobody()
    assert redactor.text("/home/ada/x on engine-01.lan; ada@engine-01:/home/ada") == (
        "<home-1>/x on <host-1>; <user-1>@<host-1>:<home-1>"
    )
    assert redactor.text("/home/bob and /home/ada") == "<home-2> and <home-1>"


def test_what_the_end_tells_is_put_to_use_at_the_beginning():
    first, last = ErrorMessage("jdoe42 was here", "log"), ErrorMessage("/home/jdoe42/x", "log")
    shown = nobody().of_report(judged(first, last)).facts.all(ErrorMessage)
    assert [said.text for said in shown] == ["<user-1> was here", "<home-1>/x"]


def test_a_quotation_that_ends_within_a_secret_gives_nothing_of_it_away():
    said = f"RuntimeError: No CUDA GPUs are available {'and so on ' * 11}hf_{plants.B36}"
    shown = nobody().of_report(judged(ErrorMessage(said, "log")))
    assert shown.findings
    assert "hf_" not in dumps(shown)


def redacted_words(*texts: str) -> str:
    """A whole report in which programs said this; nothing is judged, which would take its time."""
    said = Facts(ErrorMessage(text, "log") for text in texts)
    return dumps(redacted(dataclasses.replace(judged(), facts=said)))


def test_a_report_that_is_too_long_is_looked_through_as_far_as_it_is_kept():
    lines = [f"{n} /home/lovelace{n}/x 10.20.30.40" for n in range(200_000)]
    shown = redacted_words("\n".join(lines))
    assert redact.LEFT_OUT in shown
    assert "lovelace" not in shown
    shown = redacted_words(*(f"{n} password=hunter{n} {'x ' * 4000}" for n in range(400)))
    assert redact.LEFT_OUT in shown
    assert "hunter" not in shown


def test_a_report_that_is_too_long_is_read_back():
    """What was left out for want of time is text: the words that reading goes by stay."""
    said = Facts(ErrorMessage(f"line {n} {'of a log ' * 400}", "log") for n in range(1000))
    shown = redacted(dataclasses.replace(judged(), facts=said))
    assert redact.LEFT_OUT in dumps(shown)
    assert loads(dumps(shown)).schema_version == shown.schema_version


# What stays


SOFTWARE = """
torch.cuda.is_available torch.nn.functional.scaled_dot_product_attention torch.utils.collect_env
torch.distributed.rpc flash_attn.flash_attn_interface transformers.models.qwen2.modeling_qwen2 torchvision.io
scipy.io skimage.io threading.local numpy.core._multiarray_umath torch.backends.cuda.matmul.allow_tf32
torch._C._cuda_init os.path.join re.sub sys.flags libcuda.so.1 libcudnn.so.9 libcublasLt.so.13
libnvrtc-builtins.so.12.8 libnccl.so.2.27.7 libcurand.so.10.3.9.90 libc.so.6
libcudnn_engines_precompiled.so.9.10.2 libnvidia-ml.so.580.65.06 c10_cuda.dll cudart64_12.dll nvcuda.dll
caffe2_nvrtc.dll /usr/local/cuda-12.8/lib64/libcudart.so.12 /usr/lib/x86_64-linux-gnu/libcuda.so.1
/opt/conda/lib/python3.11/site-packages /proc/driver/nvidia/version /dev/nvidia-uvm
/usr/lib/wsl/lib/libcuda.so.1 /usr/local/nvidia/lib64 /opt/nvidia/nsight-compute /root/venv/bin/python
/workspace/venv/lib/python3.12/site-packages/torch/lib/libtorch_cuda.so /tmp/pip-install-x/setup.py
_ZN3c105ErrorC2ENS_14SourceLocationENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE c10::cuda::SetDevice
at::native memcpy@@GLIBC_2.14 GLIBCXX_3.4.32 CXXABI_1.3.15 cudaGetErrorString@libcudart.so.12 torch@main
actions/checkout@v4 0000:0a:00.0 00000000:3B:00.0 0x10de:0x2330 sm_90a compute_120 sm_100
cp312-cp312-manylinux_2_28_x86_64.whl 10.0.22631.4460 9f3c1a7be25d4806fa1b7c3d5e90218476aab3cd 9f3c1a7
git9f3c1a7be2 2.9.0.dev20250801+cu129 2.10.0a0+b558c986e8.nv25.11
sha256:9f3c1a7be25d4806fa1b7c3d5e90218476aab3cd0011223344556677889900aa 535.129.03 570.86.10 13.0 12.8.93
0x7f3a1c2b4d5e max_tokens=2048 eos_token=</s> pad_token_id=0 tokens_per_s=48.2 use_auth=False key=value
token=None tokenizer=qwen2 num_key_value_heads=2 past_key_values=None attention_mask=0 127.0.0.1:29500 0.0.0.0
::1 localhost:8000 http://localhost:8000/v1 https://download.pytorch.org/whl/cu130
https://github.com/Dao-AILab/flash-attention/issues/1784 https://docs.nvidia.com/deploy/cuda-compatibility/
nvcr.io/nvidia/pytorch:25.08-py3 huggingface.co git@github.com 03:12:01 2026-11-29T03:12:01 1:2:3 a::b
std::bad_alloc 16:9 1.5e-3 100% ~=2.8 >=12.8.4.1 ==10.3.9.90 v12.8.4.1
"""
SENTENCES = (
    "RuntimeError: CUDA error: no kernel image is available for execution on the device",
    "the token that was generated, its key and value are cached; the secret of a fast decoder",
    "at every token: on an H200 the first answer took 1.6 s",
    "once, on the host: install nvidia-container-toolkit",
    "torch 2.6.0 of user site hides torch 2.8.0 of the environment",
    "nvidia-cublas-cu12 12.8.4.1 has requirement, but you have cudnn 9.10.2.21",
    "Found existing installation: nvidia-curand-cu12 10.3.9.90",
    "TypeError: unexpected keyword argument 'token'",
    "KeyError: 'password'",
    "the password is not set; pass is not supported",
    "serial execution of 8 kernels, serial: False",
    "pip install --user torch",
    "conda install -p /opt/conda pytorch",
    "Could not load dynamic library 'libcudnn.so.8'; dlerror: libcudnn.so.8: cannot open shared object file",
    "2025-07-08 17:02:46.037785: W tensorflow/stream_executor/platform/default/dso_loader.cc:64] Could not load",
    "job failed after 3 attempts, node: 0, rank: 1, host: cpu",
    "docker run --rm --gpus all ubuntu nvidia-smi",
)


def of_captures() -> set[str]:
    """The lines of real tools that name no machine."""
    lines: set[str] = set()
    for path in (*HERE.glob("captures/*pip*"), *HERE.glob("captures/*collect_env*")):
        lines.update(filter(str.strip, path.read_text(encoding="utf-8").split("\n")))
    return lines


def of_rules() -> set[str]:
    """What every rule's page says."""
    return {line for rule in registry.rules() for line in rule.doc.split("\n") if line}


def test_what_merely_looks_like_a_secret_stays():
    harmless = [*SOFTWARE.split(), *SENTENCES, *of_captures(), *of_rules()]
    assert len(harmless) >= 500
    redactor = nobody()
    assert [(text, shown) for text in harmless if (shown := redactor.text(text)) != text] == []


def test_a_user_called_like_a_package_costs_nothing():
    redactor = Redactor(home="/home/torch", user="torch", host="nvidia")
    redactor.learn(judged())
    said = "ModuleNotFoundError: No module named 'torch'; nvidia-smi: not found in /usr/local/nvidia/bin"
    assert redactor.text(said) == said
    assert redactor.text("/home/torch/venv/lib/python3.12/site-packages/torch/lib") == (
        "<home-1>/venv/lib/python3.12/site-packages/torch/lib"
    )


# The same findings


def with_home(value, home: str):
    """The same with its folders of users and environments below this home."""
    if type(value) is str:
        return re.sub(r"(?<![\w/])/(?:home/\w+|env|venv|work|opt/conda|opt/venv|opt/torch)(?=/|$)", home, value)
    if isinstance(value, tuple):
        return tuple(with_home(item, home) for item in value)
    if isinstance(value, dict):
        return {key: with_home(item, home) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {f.name: with_home(getattr(value, f.name), home) for f in dataclasses.fields(value)}
        return dataclasses.replace(value, **changed)
    return value


def same_when_judged_again(whole: Report, name: str) -> None:
    shown = Redactor(home=f"/home/{name}", user=name, host=name).of_report(whole)
    again = inspecting.judged(shown.facts, shown.probes, (), None)
    assert [(f.rule, f.severity, f.caused_by) for f in again.findings] == [
        (f.rule, f.severity, f.caused_by) for f in whole.findings
    ]
    assert again.findings == shown.findings
    assert again.verdict == shown.verdict
    assert again.verdict.state == whole.verdict.state
    assert again.unchecked == shown.unchecked


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("path", sorted(HERE.glob("replays/*.json")), ids=lambda path: path.stem)
def test_a_redacted_replay_has_the_same_findings(path, name):
    saved = loads(path.read_text(encoding="utf-8"))
    for home in HOMES:
        facts = [with_home(fact, home.format(name)) for t in saved.facts.types() for fact in saved.facts.all(t)]
        bag = Facts([*facts, *saved.probes], complete=filter(saved.facts.is_complete, saved.facts.types()))
        same_when_judged_again(inspecting.judged(bag, saved.probes, (), None), name)


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_finds_the_same_in_its_redacted_examples(name):
    """The examples are what their authors could think of: wider than what the replays hold."""
    for rule in registry.rules():
        for kind in ("fires", "quiet"):
            for example in getattr(rule, kind).values():
                facts = [with_home(fact, f"/home/{name}") for fact in example]
                same_when_judged_again(judged(*facts, known=(ErrorMessage, ProbeRun)), name)


def test_a_gpu_that_is_named_by_its_uuid_still_is():
    uuids = ("GPU-5f7a9c1e-0b2d-4c6f-8a1b-3d5e7f901234", "GPU-5f7b9c1e-0b2d-4c6f-8a1b-3d5e7f901234")
    for value, rules in ((uuids[1], []), ("GPU-5f7b", []), ("GPU-77", ["gpus-hidden"]), ("GPU-5f7", [])):
        gpus = [Gpu(index, "NVIDIA A100", uuid=uuid) for index, uuid in enumerate(uuids)]
        whole = judged(
            EnvironmentVariables({"CUDA_VISIBLE_DEVICES": value}), *gpus, Nvml(True, init_code=0, gpu_count=2)
        )
        assert [f.rule for f in whole.findings if f.rule == "gpus-hidden"] == rules
        same_when_judged_again(whole, "ada")


# Hostile text

HOSTILE = """
import sys
from cudacheck.reports.redact import Redactor
parts = sys.stdin.read().split("\\x00")
redactor = Redactor(home="/root", user="root", host="testbox")
for part in parts:
    for text in ((part * 20_000)[:20_000], (part * 20_000)[:20_000] + "!"):
        assert isinstance(redactor.text(text), str)
print(len(parts))
"""
STARTS = r"""
a A 0 f . : - _ / \ @ = ~ ' " < > ( ) [ % é … + , ; ` { | * ? & # $ ^ a. 0. 0: a: a- a@ /a a/ \a ~a/ :// ://a
a= token= token: password: user= host= GPU- MIG- job job1 /home/ /home/a/ C:\Users\ eyJ eyJa. sk- ab: 0a-
uid=1( rwx %2Fhome%2F 0.0.0. AAAA --a- ip-1- 10.0.0.1 a@b a@b.c a:b@ 0a:0b: :: ::a 0a0b.0c0d. slurm- pod
docker- key=a key='a
"""


def test_twenty_thousand_characters_of_anything_take_no_time():
    """In a process of its own, which is given sixty times what it takes."""
    spoken = (
        "token ",
        "bearer ",
        "user ",
        "host ",
        "serial ",
        "login ",
        "machine a login b password ",
        "wandb ",
        "A b ",
    )
    parts = [
        *STARTS,
        *spoken,
        " ",
        "\t",
        "\n",
        "-u a",
        "ssh-rsa AAAA",
        "srun: ",
        "-----BEGIN RSA " + "PRIVATE KEY-----",
    ]
    told = subprocess.run(
        [sys.executable, "-c", HOSTILE],
        input="\x00".join(parts),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert told.stdout.strip() == str(len(parts)), told.stderr


def test_every_pattern_says_with_what_it_is_found():
    """Text without any of it costs a look and no more."""
    for pattern in (*_patterns.TABLE, *_patterns.WHOLE):
        assert all(needle == needle.lower() for needle in pattern.only_with)
