"""What stands in a redacted text for what a pattern found; the match itself where it is none after all."""

from __future__ import annotations

import ipaddress
import re
from typing import Protocol

from cudacheck.reports.redact._names import Names
from cudacheck.reports.redact._places import Places

Match = re.Match[str]


class Redactor(Protocol):
    """What has been learnt of the report so far, and the placeholders given."""

    names: Names
    places: Places

    def host(self, name: str) -> str: ...
    def is_own(self, host: str) -> bool: ...
    def user(self, name: str) -> str: ...
    def gpu(self, uuid: str) -> str: ...
    def knows_gpu(self, start: str) -> bool: ...


PUBLIC_HOSTS = frozenset(
    """
    localhost localhost.localdomain host.docker.internal example.com example.org
    pytorch.org download.pytorch.org download-r2.pytorch.org docs.pytorch.org discuss.pytorch.org hud.pytorch.org
    nvidia.com www.nvidia.com docs.nvidia.com developer.nvidia.com developer.download.nvidia.com download.nvidia.com
    forums.developer.nvidia.com pypi.nvidia.com nvcr.io ngc.nvidia.com catalog.ngc.nvidia.com nvidia.github.io
    us.download.nvidia.com pypi.ngc.nvidia.com api.ngc.nvidia.com
    test.pypi.python.org python.org www.python.org docs.python.org
    packaging.python.org peps.python.org bugs.python.org pip.pypa.io
    github.com raw.githubusercontent.com api.github.com gist.github.com codeload.github.com gitlab.com
    objects.githubusercontent.com huggingface.co hf.co cdn-lfs.huggingface.co hf-mirror.com
    numpy.org cloud.google.com anaconda.org docs.conda.io conda-forge.org docs.anaconda.com repo.prefix.dev
    docker.io index.docker.io registry-1.docker.io hub.docker.com docs.docker.com quay.io ghcr.io gcr.io
    mcr.microsoft.com learn.microsoft.com aka.ms www.microsoft.com
    stackoverflow.com unix.stackexchange.com askubuntu.com www.reddit.com
    docs.astral.sh astral.sh pixi.sh python-poetry.org docs.vllm.ai triton-lang.org www.kernel.org kernel.org
    docs.kernel.org bugzilla.kernel.org man7.org wiki.debian.org bugs.launchpad.net
    launchpad.net help.ubuntu.com kubernetes.io nvidia.com/gpu slurm.schedmd.com gnu.org www.gnu.org gcc.gnu.org
    tensorflow.org www.tensorflow.org docs.jax.dev
    en.wikipedia.org arxiv.org google.com www.google.com colab.research.google.com json-schema.org readthedocs.io
    """.split()
)
"""Hosts that many thousand tickets name: they say nothing about whose ticket it is."""

HOST = r"[A-Za-z0-9](?:[\w-]{0,62}(?:\.[\w-]{1,63}){0,8})"


def _last(match: Match) -> str:
    """What the last group found."""
    return match.group(match.lastindex or 0)


def _with_last(match: Match, shown: str) -> str:
    """The match with something else for its last group."""
    start, end = (position - match.start() for position in match.span(match.lastindex or 0))
    return f"{match.group()[:start]}{shown}{match.group()[end:]}"


# Private keys, logins in addresses


def key(redactor: Redactor, match: Match) -> str:
    return redactor.names.of("key", match.group())


def address(redactor: Redactor, match: Match) -> str:
    """What follows `://`: login, host and port, path."""
    rest = match.group(1)
    scheme = _word_before(match)
    if rest[0] in "/\\":  # file:///
        return f"://{redactor.places.hidden(rest)}" if scheme == "file" else match.group()
    if re.fullmatch(r"[0-9a-f]{12,64}", rest):  # containerd://
        return f"://{redactor.names.of('id', rest)}"
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" not in authority and re.search(r":[^/]*[^/\d]", authority) and "@" in rest:
        authority = rest[: rest.rindex("@")] + re.split(r"[/?#]", rest[rest.rindex("@") :], maxsplit=1)[0]
    path = rest[len(authority) :]
    login, at, where = authority.rpartition("@")
    parsed = re.fullmatch(rf"(\[[0-9A-Fa-f:.%]+\]|{HOST}\.?)(:\d{{1,5}})?([:.,]?[^\s]*)", where)
    shown = "" if not at else f"{login}@" if login == "git" else redactor.names.of("login", login) + "@"
    if parsed is None:
        return f"://{shown}{where}{path}" if at else match.group()
    host, port, tail = parsed[1], parsed[2] or "", parsed[3]
    named = redactor.host(host)
    private = named != host or (at and "ssh" in scheme)
    if not private:
        return f"://{shown}{named}{port}{tail}{path}"
    end = path[len(path.rstrip(".,:;!?")) :]
    return f"://{shown}{named}{port}{'/…' + end if len(path) > 1 else tail + path}"


def _word_before(match: Match) -> str:
    before = match.string[max(0, match.start() - 20) : match.start()]
    found = re.search(r"[A-Za-z][A-Za-z0-9+.-]{0,20}$", before)
    return found[0].lower() if found else ""


def login(redactor: Redactor, match: Match) -> str:
    """`ada:secret@proxy:3128`, without a scheme."""
    login, host = match.group(1), match.group(2)
    if host.startswith("sha256"):
        return match.group()
    return f"{redactor.names.of('login', login)}@{redactor.host(host)}"


def netrc(redactor: Redactor, match: Match) -> str:
    return f"{match[1]}{redactor.user(match[2])}{match[3]}{redactor.names.of('token', match[4])}"


def curl_login(redactor: Redactor, match: Match) -> str:
    if re.fullmatch(r"\d+:\d+", match.group(2)):
        return match.group()
    return match.group(1) + redactor.names.of("login", match.group(2))


def repository(redactor: Redactor, match: Match) -> str:
    return redactor.names.of("repository", match.group())


def token(redactor: Redactor, match: Match) -> str:
    return redactor.names.of("token", match.group())


def after_scheme(redactor: Redactor, match: Match) -> str:
    """`Authorization: Bearer …`"""
    if match.group(1).lower().startswith(("bearer", "token")) and not _is_random(match.group(2)):
        return match.group()
    return match.group(1) + redactor.names.of("token", match.group(2))


_WEAK = frozenset(
    "key auth sig signature session code sas jwt otp nonce authorization pat pass cookie dsn tokens".split()
)
"""These hold a secret only where it looks like one."""
_STRONG_KEY = re.compile(
    r"(?i)(?:api|access|private|secret|account|encryption|signing|licen[cs]e|storage|master|shared|"
    r"client|ssh|deploy)[_-]?$"
)
_SECRET_NAME = re.compile(
    r"(?i)(?:token|secret|passw(?:or)?d|passphrase|pwd|credentials?|apikey|cookie|"
    r"(?:api|access|private|secret|account|signing|licen[cs]e|storage)[_-]?key)$"
)
_NO_SECRET = re.compile(
    r"(?i)(?:none|null|nil|true|false|yes|no|not|unset|set|empty|missing|required|invalid|expired|"
    r"redacted|hidden|auto|str|"
    r"string|int|bytes|bool|float|dict|list|optional|any|is|the|a|an|for|and|or|in|of|to|with|wrong|"
    r"incorrect|denied|undefined|"
    r"unknown|default|failed|error|\d{1,5}(?:\.\d+)?|[*.x•…-]+|\W+)[.:!?]*"
)
_SPECIAL_TOKEN = re.compile(
    r"(?i)(?:eos|bos|pad|unk|sep|cls|mask|next|image|video|audio|special|stop|end|start|begin|new)[_ -]?$"
)


def beside(redactor: Redactor, match: Match) -> str:
    """The value beside a word like token, key or password."""
    value = match["quoted"] or match["bare"]
    before = match.string[max(0, match.start() - 24) : match.start()]
    if _NO_SECRET.fullmatch(value) or value[0] in "<$%[{" or _SPECIAL_TOKEN.search(before) or _is_prose(match, value):
        return match.group()
    word, told = match["word"].lower(), " is" in match["between"]
    weak = word in _WEAK and not (word == "key" and _STRONG_KEY.search(before))
    part_of_a_word = before[-1:].isalpha() and not (before[-1].islower() and word[0] != match["word"][0])
    if (
        part_of_a_word
        and not (word == "key" and not weak)
        and not re.search(r"(?:access|auth|api|client|db|my)$", before.lower())
    ):
        return match.group()  # `bypass=`
    if (weak or told) and not (_is_random(value) or (told and not weak and re.search(r"\d", value))):
        return match.group()
    quote = match["quote"] or ""
    end = quote if quote and match.group().endswith(quote) and len(match.group()) > 1 else ""
    head = match.group()[: match.start("quoted" if match["quoted"] else "bare") - match.start()]
    return head + redactor.names.of("token", value) + end


def _is_prose(match: Match, value: str) -> bool:
    """`at every token: on an H200 …`, `its first token: `import torch``"""
    if match["quote"] == "`":
        return " " in value
    followed = re.match(r"[ ,]+\w", match.string[match.end() : match.end() + 4])
    words = match["word"].lower() == "token" and match["between"].endswith(": ")
    return bool(words and not match["quote"] and followed and value.isalpha())


def is_secret_name(name: str) -> bool:
    """Whether a variable of this name holds a secret.

    >>> is_secret_name("HF_TOKEN"), is_secret_name("CUDA_CACHE_PATH")
    (True, False)
    """
    return _SECRET_NAME.search(name) is not None


def _is_random(value: str) -> bool:
    """Long, with letters and digits, and neither a path, a version, a dotted name nor a hash of a commit."""
    if len(value) < 12 or not re.search(r"\d", value) or not re.search(r"[A-Za-z]", value):
        return False
    return not re.match(r"[\w.-]*[/\\]\w+[/\\]|v?\d+\.\d|[A-Za-z_]\w*\.[A-Za-z_]", value) and not re.fullmatch(
        r"[0-9a-f]{40}", value
    )


def option(redactor: Redactor, match: Match) -> str:
    """`--password hunter2`"""
    value = match.group(2)
    if _NO_SECRET.fullmatch(value) or value[0] in "-<$%{/":
        return match.group()
    return match.group(1) + redactor.names.of("token", value)


def hex_beside(redactor: Redactor, match: Match) -> str:
    return match.group(1) + redactor.names.of("token", match.group(2))


# Mail, users, hosts


def mail(redactor: Redactor, match: Match) -> str:
    domain = match.group(2).rstrip(".").lower()
    if domain in PUBLIC_HOSTS and match.group(1) == "git":
        return match.group()
    return redactor.names.of("email", match.group().lower())


def user_at_host(redactor: Redactor, match: Match) -> str:
    user, host = match.group("user"), match.group("host")
    if re.fullmatch(
        r"(?i)(?:cu|sm|cp|py|v|rev|fa|r|nightly|latest|main|master|stable|sha|glibc|cuda|torch)[\d._]*\w?", host
    ):
        return match.group()
    if re.match(r"(?:lib\w+\.so|GLIBC|GLIBCXX|CXXABI|GCC|sha256|file|git|http|https|NVIDIA)", host):
        return match.group()
    before, after = match.string[max(0, match.start() - 8) : match.start()], match.string[match.end() : match.end() + 3]
    told = re.search(r"(?:\[|\(|ssh|scp|rsync|sftp|from|by|as|for|-\d+>)\s*$", before) or re.match(
        r":[~/]|'s|\s~|:\s", after
    )
    if not (told or re.search(r"\d|-", host) or redactor.is_own(host)):
        return match.group()
    return f"{redactor.user(user)}@{redactor.host(host)}"


_NO_USER = frozenset("root nobody none null true false yes no on off self name the is not and or in".split())


def user(redactor: Redactor, match: Match) -> str:
    """The last group is a user."""
    name = _last(match)
    if name.lower() in _NO_USER:
        return match.group()
    return _with_last(match, redactor.user(name))


def user_if_distinct(redactor: Redactor, match: Match) -> str:
    return user(redactor, match) if redactor.names.is_distinct(match.group(1)) else match.group()


def queued(redactor: Redactor, match: Match) -> str:
    """A line of Slurm's `squeue`: whose job it is, and where it runs."""
    where = match[4] if match[4][0] == "(" else redactor.host(match[4])
    return match[1] + redactor.user(match[2]) + match[3] + where


def owners(redactor: Redactor, match: Match) -> str:
    return (
        match.group(1) + redactor.user(match.group(2)) + match.group(3) + redactor.user(match.group(4)) + match.group(5)
    )


def host_told(redactor: Redactor, match: Match) -> str:
    """The last group is a host: the context says so."""
    name = _last(match)
    bare = name.rstrip(".")
    if (
        len(bare) == 1
        or bare.isdigit()
        or re.fullmatch(
            r"(?i)none|null|true|false|self|cpu|gpu|cuda|device|localhost|host|node|the|is|not|and|for|[\d.]+", bare
        )
    ):
        return match.group()
    return _with_last(match, redactor.host(name))


def host_keyed(redactor: Redactor, match: Match) -> str:
    """After `host:` or `host=`; but not `once, on the host: install …`."""
    name = _last(match)
    ordinary = name.isalpha() and "=" not in match.group() and not redactor.names.is_distinct(name)
    return match.group() if ordinary else host_told(redactor, match)


def address_as_host(redactor: Redactor, match: Match) -> str:
    return redactor.host(match.group())


def share(redactor: Redactor, match: Match) -> str:
    r"""`\\server\folder` of Windows; a Linux below it is this machine."""
    return match.group() if match[1].lower().startswith("wsl") else host_told(redactor, match)


def host_if_distinct(redactor: Redactor, match: Match) -> str:
    name = _last(match)
    return host_told(redactor, match) if re.search(r"[\d.-]", name) and re.search("[A-Za-z]", name) else match.group()


_SAFE_ENDS = frozenset(
    "com org edu gov mil internal corp intra lan arpa cluster cloud svc intranet localdomain".split()
)
_LIKE_PYTHON = frozenset("net local home test dev app site host info tech zone io ai co me gg".split())
_COUNTRIES = frozenset(
    "de uk fr ch jp cn eu nl se ca au it es kr ru us at be br cz dk fi gr hu ie il in ir mx no nz "
    "pl pt ro sg sk tr tw ua za".split()
)


def dotted(redactor: Redactor, match: Match) -> str:
    """A dotted name is a host where its end is one of the network's and nothing in it is Python's."""
    name = match.group()
    labels = name.split(".")
    end = labels[-1].lower()
    if name.lower() in PUBLIC_HOSTS or "_" in name or redactor.is_own(name):
        return redactor.host(name) if redactor.is_own(name) else name
    following = match.string[match.end() : match.end() + 1]
    odd = any("-" in label for label in labels) or (re.search(r"[a-z]\d", labels[0]) and "." in name)
    sure = end in _SAFE_ENDS and following != "("
    likely = (end in _LIKE_PYTHON and odd and len(labels) > 1) or (
        end in _COUNTRIES and (odd or labels[0] == "www") and len(labels) > 1
    )
    internal = (
        end in {"local", "home", "net"}
        and len(labels) > 2
        and labels[0] not in {"self", "torch", "model", "cls", "module"}
    )
    if not (sure or (following != "(" and (likely or internal))):
        return name
    if not labels[0] or any(not label for label in labels):
        return name
    return redactor.host(name)


# Numbers of machines


def uuid(redactor: Redactor, match: Match) -> str:
    if match.group().replace("-", "").replace("_", "").strip("0") == "":
        return match.group()
    return redactor.names.of("uuid", match.group().lower().replace("_", "-"))


def gpu_uuid(redactor: Redactor, match: Match) -> str:
    return redactor.gpu(match.group())


def start_of_gpu_uuid(redactor: Redactor, match: Match) -> str:
    """CUDA takes the first few digits, too; three of an unknown GPU name nothing."""
    return redactor.gpu(match.group()) if len(match.group()) > 7 or redactor.knows_gpu(match.group()) else match.group()


def identifier(redactor: Redactor, match: Match) -> str:
    """The last group identifies a container, a pod or a job."""
    return _with_last(match, redactor.names.of("id", _last(match)))


def whole_identifier(redactor: Redactor, match: Match) -> str:
    """All of it is one: an account of Windows, which ends like its machine's or its domain's."""
    return redactor.names.of("id", match.group())


def long_hex(redactor: Redactor, match: Match) -> str:
    """A container's id has 64 digits, as a SHA-256 has: that one says so in front."""
    before = match.string[max(0, match.start() - 24) : match.start()].lower()
    if re.search(
        r"sha-?256\W{0,3}$|hash\W{0,3}$|digest\W{0,3}$|#$|checksum\W{0,3}$|expected\W{1,3}$|got\W{1,8}$", before
    ):
        return match.group()
    return redactor.names.of("id", match.group())


def serial(redactor: Redactor, match: Match) -> str:
    value = match.group(2)
    if not re.search(r"[1-9]", value) or re.match(r"(?i)0x|n/?a\b", value):
        return match.group()
    return match.group(1) + redactor.names.of("serial", value)


def mac(redactor: Redactor, match: Match) -> str:
    if match.group().replace("-", ":").strip("0:") == "" or match.group().lower().replace("-", ":").strip("f:") == "":
        return match.group()
    return redactor.names.of("mac", match.group().lower().replace("-", ":"))


def cisco_mac(redactor: Redactor, match: Match) -> str:
    return redactor.names.of("mac", match.group()) if re.search("[a-f]", match.group()) else match.group()


_VERSION_BEFORE = re.compile(
    r"(?i)(?:[=<>~!]=\s?|\bv|\bver(?:sion)?s?\.?[ :=]{1,3}(?:is |of )?['\"(]?|\b(?:release|revision|"
    r"build)[ :=]{1,3}['\"(]?|"
    r"\b(?:nvidia|intel|cuda|onemkl|torch|opencv)[-_][\w-]{1,40}[\s:=(@'\"]{1,40}|"
    r"\b(?:lib)?(?:cu(?:da|dnn|blas(?:lt)?|fft|rand|solver|sparse(?:lt)?|file|pti|tensor|splt)|nccl|"
    r"tensorrt|trt|nvjitlink|npp\w{0,4}|nvrtc|"
    r"nvtx|nvjpeg|toolkit|driver|mkl|gcc|msvc|chrome|chromium|windows|nsight|dcgm)\w{0,4}[\s:=('\"]{1,3}v?)$"
)


def ipv4(redactor: Redactor, match: Match) -> str:
    """Four numbers are an address, unless something says that they are a version."""
    text = match.group()
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        return text
    before = match.string[max(0, match.start() - 60) : match.start()]
    after = match.string[match.end() : match.end() + 30]
    as_version = _VERSION_BEFORE.search(before) or re.match(
        r"[\w.+-]*\.(?:so|whl|dist-info|egg|conda|tar|deb|rpm)\b", after
    )
    if (
        as_version
        or text in redactor.names.kept
        or address.is_loopback
        or address.is_unspecified
        or text.startswith("255.")
    ):
        return text
    return redactor.names.of("ip", text)


def ipv6(redactor: Redactor, match: Match) -> str:
    text = match.group()
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return text
    groups = [group for group in text.split(":") if group]
    is_address = len(groups[0]) == 4 if len(groups) < 4 and groups else len(groups) >= 4
    return redactor.names.of("ip", str(address)) if is_address and not address.is_loopback else text


def path(redactor: Redactor, match: Match) -> str:
    return redactor.places.hidden(match.group())


def encoded_home(redactor: Redactor, match: Match) -> str:
    return redactor.names.of("home", "home/" + match.group(1))


def tilde(redactor: Redactor, match: Match) -> str:
    return "~" + redactor.user(match.group(1))
