"""What gives away a person, a machine or a secret in free text: the one table of patterns.

Every pattern has bounded repeats alone, so that its work grows with the text and no faster.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Callable

PUBLIC_HOSTS = frozenset(
    [
        "github.com",
        "raw.githubusercontent.com",
        "gist.github.com",
        "gitlab.com",
        "pytorch.org",
        "download.pytorch.org",
        "docs.pytorch.org",
        "discuss.pytorch.org",
        "dev-discuss.pytorch.org",
        "nvidia.com",
        "www.nvidia.com",
        "docs.nvidia.com",
        "developer.nvidia.com",
        "developer.download.nvidia.com",
        "forums.developer.nvidia.com",
        "pypi.nvidia.com",
        "pypi.ngc.nvidia.com",
        "catalog.ngc.nvidia.com",
        "nvidia.github.io",
        "nvcr.io",
        "python.org",
        "www.python.org",
        "docs.python.org",
        "peps.python.org",
        "python-poetry.org",
        "conda-forge.org",
        "huggingface.co",
        "hf.co",
        "docs.astral.sh",
        "astral.sh",
        "json-schema.org",
        "docs.docker.com",
        "ubuntu.com",
        "debian.org",
        "kernel.org",
        "www.kernel.org",
        "rpmfusion.org",
        "wiki.nixos.org",
        "sourceware.org",
        "gnu.org",
        "www.gnu.org",
        "stackoverflow.com",
        "readthedocs.io",
        "docs.vllm.ai",
        "vllm.ai",
        "wheels.vllm.ai",
        "microsoft.com",
        "aka.ms",
        "learn.microsoft.com",
        "localhost",
        "localhost.localdomain",
        "example.com",
        "example.org",
    ]
)
PUBLIC_OWNERS = "pytorch|NVIDIA|nvidia|Dao-AILab|huggingface|vllm-project|facebookresearch|triton-lang|openai|cupy"

_SOFTWARE = (
    r"cuda|nvidia|cudnn|lib|lib64|bin|include|share|python|venv|\.venv|env|envs|conda|miniconda|anaconda|mambaforge|"
    r"miniforge|torch|site-packages|wheels|toolkits?|hpc_sdk|feedstock_root|task_\d+|linuxbrew|conda-bld"
)
_END = r"(?=$|[/\\\s:;,'\"`()<>\[\]{}|&=#])"
_NAME = r"(?!<)[^/\\\s:;,'\"`()<>\[\]{}|&=#$*]{1,64}"


class Names:
    """The placeholders of one report."""

    def __init__(self) -> None:
        self.given: dict[tuple[str, str], str] = {}
        self.count: dict[str, int] = {}
        self.terms: set[str] = set()
        """Versions and words that the facts hold: no addresses, whatever they look like."""

    def shown(self, kind: str, value: str) -> str:
        if (kind, value) not in self.given:
            self.count[kind] = self.count.get(kind, 0) + 1
            self.given[kind, value] = f"<{kind}-{self.count[kind]}>"
        return self.given[kind, value]


@dataclasses.dataclass(frozen=True)
class Pattern:
    regex: re.Pattern[str]
    shown: Callable[[re.Match[str], Names], str]
    needs: tuple[str, ...] | None = None
    """One of these stands in every text that matches, in lower case: a cheap look before the search."""

    def replaced(self, text: str, names: Names) -> str:
        return self.regex.sub(lambda match: self.shown(match, names), text)


def _part(kind: str, expression: str, *needs: str, flags: int = 0) -> Pattern:
    """Replace the group `x`, or all where there is none."""

    def shown(match: re.Match[str], names: Names) -> str:
        group = "x" if "x" in match.re.groupindex else 0
        value, begin, whole = match.group(group), match.start(group) - match.start(), match.group()
        return whole[:begin] + names.shown(kind, value) + whole[begin + len(value) :]

    return Pattern(re.compile(expression, flags), shown, needs or None)


def _url(match: re.Match[str], names: Names) -> str:
    host = match["host"].lower()
    given_away = match["login"] or (host not in PUBLIC_HOSTS and "<" not in host)
    if not given_away:
        path = match["path"] or ""
        private = re.match(rf"/(?!(?:{PUBLIC_OWNERS})/)[^/]{{1,80}}/[^/?#@]{{1,80}}\.git", path)
        path = "/<path>" if private else re.sub(r"\?.{1,4000}$", "?<query>", path)
        return f"{match['scheme']}{match['host']}{match['port'] or ''}{path}"
    login = f"{names.shown('login', match['login'])}@" if match["login"] else ""
    shown = match["host"] if host in PUBLIC_HOSTS or "<" in host else names.shown("host", host)
    loopback = re.fullmatch(r"127(?:\.\d{1,3}){3}|0\.0\.0\.0", host)
    return f"{match['scheme']}{login}{host if loopback else shown}{'/<path>' if match['path'] else ''}"


def _address(match: re.Match[str], names: Names) -> str:
    found, before = match.group(), match.string[max(0, match.start() - 40) : match.start()]
    try:
        address = ipaddress.ip_address(found)
    except ValueError:
        return found
    version = address.version == 4 and _VERSION_BEFORE.search(before)
    if found in names.terms or address.is_loopback or address.is_unspecified or version:
        return found
    return names.shown("address", found.lower())


_VERSION_BEFORE = re.compile(
    r"(?i)(?:^[\w.-]{1,40}\s{2,39}|[=~<>!]=?\s?|[-_+/]|\bv|\.so\.|(?:\b(?:nvidia|cu|lib|nv|nccl|torch|triton)[\w.-]{0,30}|version|versions|"
    r"release|driver|build|installed|wants|needs|than|older|newer)\s{0,12}[:(]?\s{0,4}[\"'`]?)$"
)


def _gpu(match: re.Match[str], names: Names) -> str:
    return f"{match[1]}-{names.shown('gpu', match[2].lower())}"


def _host(match: re.Match[str], names: Names) -> str:
    found = match.group()
    if found.lower() in PUBLIC_HOSTS or found in names.terms:
        return found
    return names.shown("host", found.lower())


def _prompt(match: re.Match[str], names: Names) -> str:
    return f"{names.shown('user', match[1])}@{names.shown('host', match[2].lower())}"


def _email(match: re.Match[str], names: Names) -> str:
    found = match.group()
    return (
        found
        if re.search(r"@v?\d", found) or found.partition("git@")[2].lower() in PUBLIC_HOSTS
        else names.shown("email", found.lower())
    )


def program(command: str) -> str:
    """What runs, without where it lies and what it was given."""
    found = re.match(r"(?i)(.{1,4000}?\.exe)\b", command)
    word = found[1] if found else (command.split(None, 1) or [""])[0]
    return re.split(r"[/\\]", word)[-1] if word.strip("/\\") else word


_B = r"(?<![A-Za-z0-9_])"
_ROOTS = r"gpfs\d?|lustre\w{0,8}|scratch\w{0,4}|beegfs|nfs\w{0,8}|fsx|efs|afs|ceph\w{0,4}|nas\w{0,4}|work|data\d?|mnt|vol\d?|export"
_HOMES = r"home\d?|homes|users?|people|Users"
TOKEN = (
    r"gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_\w{20,255}|gl(?:pat|dt|rt|cbt|ptt|ft|soat)-[\w-]{16,64}|"
    r"(?:hf|api_org)_[A-Za-z0-9]{20,80}|(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}|AIza[\w-]{30,45}|ya29\.[\w.-]{20,400}|"
    r"xox[abeoprs]-[\w-]{10,250}|xapp-[\w-]{10,250}|sk-[A-Za-z0-9][\w-]{18,250}|nvapi-[\w-]{20,250}|"
    r"pypi-[\w-]{40,400}|npm_[A-Za-z0-9]{30,60}|dop_v1_[a-f0-9]{40,80}|dckr_pat_[\w-]{20,60}|"
    r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,200}|SG\.[\w-]{16,64}\.[\w-]{16,64}|glsa_\w{20,80}|"
    r"eyJ[\w-]{8,4000}\.[\w-]{8,4000}(?:\.[\w-]{0,4000})?|AccountKey=[\w+/=]{20,200}|gsk_[A-Za-z0-9]{20,100}|"
    r"r8_[A-Za-z0-9]{30,60}|hvs\.[\w-]{20,200}|lin_api_\w{20,80}|ddp_\w{20,60}|tskey-[\w-]{16,120}"
)
_SECRET_WORD = (
    r"(?:token(?!iz|s\b|s_|_id|_len|_count|s/)|secret|passw(?:or)?d|passphrase|pwd|credentials?|"
    r"(?:api|access|secret|private|account|ssh|signing|auth|license|encryption|wandb)[_-]?key|cookie|signature|sig(?==))"
)
_PLAIN = r"(?!(?:None|null|True|False|true|false|\d{1,5}|str|int|bytes|required|missing)\b|<|\*{3}|\$)"

_TOKENS_BEGIN = (
    *("gh", "gl", "hf_", "api_org_", "aki", "asia", "aroa", "aida", "aiza", "ya29", "xox", "xapp", "sk-", "nvapi"),
    *("pypi-", "npm_", "dop_", "dckr", "_live_", "_test_", "sg.", "eyj", "accountkey", "gsk_", "r8_", "hvs."),
    *("lin_api", "ddp_", "tskey"),
)
_SECRETS_HOLD = ("token", "secret", "passw", "passphrase", "pwd", "credential", "key", "cookie", "signature", "sig=")

PATTERNS: tuple[Pattern, ...] = (
    _part("key", r"-----BEGIN [A-Z ]{0,40}KEY-----[^-]{0,20000}(?:-----END [A-Z ]{0,40}KEY-----)?", "-----begin "),
    Pattern(
        re.compile(
            r"(?P<scheme>(?:git\+|ssh\+)?\b(?:https?|ftp|ssh|git|s3|gs|hf|az|abfss?|rediss?|postgres(?:ql)?|mysql|"
            r"mongodb(?:\+srv)?|amqps?|tcp|grpc|wss?|nats|ldaps?|smb|nfs|docker)://)(?:(?P<login>[^\s/@'\"<>]{1,300})@)?"
            r"(?P<host>[\w.<>-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?P<port>:\d{1,5})?(?P<path>/[^\s'\"<>)\]}]{0,4000})?"
        ),
        _url,
        ("://",),
    ),
    _part("token", rf"{_B}(?:{TOKEN})", *_TOKENS_BEGIN),
    _part(
        "token", r"(?i)\b(?:bearer|basic)\s{1,3}(?P<x>(?=[A-Za-z+/=._-]{0,60}\d)[\w.+/=~-]{12,4000})", "bearer", "basic"
    ),
    _part("secret", r"(?<!\S)-u ['\"]?(?P<x>[^\s:'\"<>]{1,64}:[^\s'\"<>]{2,200})", "-u "),
    _part(
        "secret",
        rf"(?i){_SECRET_WORD}[A-Za-z0-9_]{{0,20}}[\"'\]]{{0,2}}\s{{0,3}}(?:=(?!=)|:(?!:)|\bis\b|\s(?=\S{{8,200}}\d))\s{{0,3}}"
        rf"[\"']?(?P<x>{_PLAIN}[^\s\"',;&<>]{{4,4000}})",
        *_SECRETS_HOLD,
    ),
    _part(
        "secret",
        r"(?i)--?(?:[a-z-]{0,20}(?:token|secret|password|passwd|key))[ =]['\"]?(?P<x>(?!<|-)[^\s'\"<>]{4,4000})",
        "-",
    ),
    _part(
        "secret",
        r"(?i)\bkey['\"]?\s?[=:]\s?['\"]?(?P<x>(?=[^\s\d]{0,60}\d)(?=[^\sg-z]{0,60}[g-z])[\w+/=.-]{16,500})",
        "key",
    ),
    Pattern(
        re.compile(r"(GPU|MIG(?:-GPU)?)-([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"), _gpu, ("gpu-", "mig-")
    ),
    _part("id", r"(?<![0-9A-Za-z])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![0-9A-Za-z])", "-"),
    _part(
        "id",
        r"(?i)\b(?:machine|boot|host|instance|container|task|run|job|array|cluster|account|tenant|node)[-_ ]?id['\"]?\s{0,3}[:=]\s{0,3}['\"]?(?P<x>(?!<)[\w.-]{3,80})",
        "id",
    ),
    _part("id", r"(?<![0-9A-Za-z:=])(?<!sha256:)[0-9a-f]{64}(?![0-9A-Za-z])"),
    _part("id", r"(?i)\bcontainers?[ :=/]{1,3}['\"]?(?P<x>[0-9a-f]{12})(?![0-9a-z])"),
    _part("id", r"(?i)\b(?:job|slurm_job_id|pbs_jobid|lsb_jobid)[ =:#]{1,3}(?P<x>\d{4,12}(?:\.[\w.-]{1,60})?)"),
    _part("id", r"\bpods?[ /=:]{1,2}['\"]?(?P<x>(?:[a-z0-9-]{1,60}/)?[a-z0-9]{1,30}(?:-[a-z0-9]{1,30}){1,8})"),
    _part("id", r"\b(?:i|vol|eni|subnet|vpc|ami|sg)-[0-9a-f]{8,17}(?![0-9a-z])"),
    _part(
        "serial",
        r"(?i)\b(?:serial(?:[ _-]?(?:number|no\.?|num))?|s/n|board id|asset tag)['\"]?\s{0,40}[:=#]?\s{0,3}['\"]?(?P<x>(?!<)(?=[A-Z-]{0,20}\d)[A-Z0-9-]{6,40})\b",
    ),
    _part(
        "mac",
        r"(?<![\w:-])(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}(?![\w:])|(?<![\w:-])(?:[0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]{2}(?![\w-])",
    ),
    _part("path", rf"\bgit@[\w.-]{{1,100}}:(?P<x>(?!(?:{PUBLIC_OWNERS})/)[\w./~-]{{3,200}})", "git@"),
    Pattern(re.compile(r"[\w+-][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24}\b"), _email, ("@",)),
    Pattern(
        re.compile(
            r"(?<![\w/.@<-])([A-Za-z_][\w-]{0,31})@(?!(?:v?\d|sha256|main|master|latest|dev|nightly|stable|HEAD|GLIBC|CXXABI)\w{0,20}\b)"
            r"([A-Za-z][A-Za-z0-9-]{0,62})(?=:[~/]|[\s$#%\])'\",]|$)"
        ),
        _prompt,
        ("@",),
    ),
    _part(
        "home",
        r"(?i)(?<![\w.>])(?P<x>[A-Z]:[\\/]{1,2}(?:Users|Documents and Settings)[\\/]{1,2}(?!Public\b|<)[^\\/\n;:'\"<>]{1,64})(?=[\\/]|$|['\"\s;:])",
        ":",
    ),
    _part(
        "home",
        rf"(?<![\w.>])(?P<x>(?:/[\w.-]{{1,40}}){{0,4}}/(?:{_HOMES})/(?!linuxbrew/|conda/feedstock_root|task_\d){_NAME}){_END}",
        "/",
    ),
    _part(
        "home",
        rf"(?<![\w.>])(?P<x>/(?:{_ROOTS})/(?!(?:{_SOFTWARE}|c|d|models?|datasets?|Program Files)(?:[\d.-]{{1,12}})?(?:[/\s]|$))(?:(?:projects?|groups?|shared|teams?|labs?)/{_NAME}/)?{_NAME}){_END}",
        "/",
    ),
    _part("home", r"(?<![\w.~/>)-])(?P<x>~[a-z_][\w-]{1,31})(?=/)", "~"),
    _part("user", r"(?:torchinductor_|pytest-of-|/run/user/|/run/media/|/var/spool/mail/)(?P<x>[\w.-]{1,40})"),
    _part(
        "user",
        r"(?:\b[Uu]ser(?:name)?\s?[=:]\s?|\bUSER=|\bLOGNAME=|\b[ug]id=\d{1,10}\(|\bfor user |\bowned by (?:user )?)['\"]?(?P<x>(?!<)[A-Za-z_][\w.-]{0,31})",
    ),
    _part(
        "host",
        r"(?i)(?:\b(?:host(?:name)?|nodename|nodelist|server|master_addr)\s?[=:]\s?|\b(?:on|to|from) (?:host|node|server) |\bresolve (?:host )?|^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )['\"]?(?P<x>(?!<)[A-Za-z0-9][\w.-]{0,100})",
        flags=re.MULTILINE,
    ),
    _part(
        "host",
        r"(?i)\b(?:host|node|server)\s(?P<x>(?!gpu|cuda|v\d|python|torch)(?=[a-z-]{0,60}\d)[a-z][a-z0-9-]{1,62})\b",
        "host",
        "node",
        "server",
    ),
    _part("host", r"(?m)(?<![\w.<])(?P<x>[a-z][a-z0-9-]{0,60}):\d{1,8}:\d{1,8} \[\d{1,3}\]", ":"),
    Pattern(
        re.compile(r"(?<![\w.:])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:[0-9A-Fa-f]{1,4}|\d{1,3}(?:\.\d{1,3}){3})?(?![\w:])"),
        _address,
        (":",),
    ),
    Pattern(re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\w|[-+]\w)"), _address, (".",)),
    Pattern(
        re.compile(
            r"(?<![\w./@<-])(?:[A-Za-z0-9-]{1,63}\.){1,6}(?:com|org|net|edu|gov|mil|internal|lan|corp|intranet|localdomain|arpa|cloud)(?![\w.(-]\w|\w)"
            r"|(?<![\w./@<-])(?:[A-Za-z0-9-]{1,63}\.){2,6}(?:local|io|ai|dev|de|fr|uk|ch|nl|eu|jp|cn|us|ca|au|se|dk|it|es|kr)(?![\w.(-]\w|\w|\()"
        ),
        _host,
        (".",),
    ),
)
