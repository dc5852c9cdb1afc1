"""What gives a person, a machine or a secret away in free text: one table of patterns, in the order they are applied.

Every pattern does bounded work at each place where it can start, because the text may be a stranger's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from cudacheck.reports.redact import _shown
from cudacheck.reports.redact._shown import Match, Redactor

Shown = Callable[[Redactor, Match], str]


@dataclass(frozen=True)
class Pattern:
    """One kind of thing in free text."""

    finds: re.Pattern[str]
    shown: Shown
    """What stands there instead; the match itself where it is none after all."""
    only_with: tuple[str, ...] = ()
    """Without one of these in the text, in whichever case, it is not looked for."""
    in_terms: bool = False
    """It is looked for in words of software, too: none of them looks like this."""
    only_beside: re.Pattern[str] | None = None
    """The same as a pattern that is quick to look for."""

    def may_be_in(self, text: str, lower: str) -> bool:
        if self.only_beside is not None and self.only_beside.search(text) is None:
            return False
        for needle in self.only_with:
            if needle in lower:
                return True
        return not self.only_with


_NAME = r"[A-Za-z_][\w.-]{0,63}"


# Tokens

TOKENS = (
    r"gh[pousr]_[A-Za-z0-9]{20,255}",
    r"github_pat_\w{20,255}",
    r"gl(?:pat|dt|rt|cbt|ptt|ft|soat|imt|agent)-[\w.-]{16,255}",
    r"GR1348941[\w-]{16,64}",
    r"hf_[A-Za-z0-9]{16,255}",
    r"api_org_[A-Za-z0-9]{16,255}",
    r"(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA|ABIA|ACCA)[A-Z0-9]{16}\b",
    r"AIza[\w-]{30,64}",
    r"ya29\.[\w-]{16,2000}",
    r"GOCSPX-[\w-]{16,64}",
    r"1//0[\w-]{30,255}",
    r"xox[abeoprs]-[\w-]{8,512}",
    r"xapp-[\w-]{8,512}",
    r"sk-(?=[\w-]{0,20}[A-Za-z0-9]{12})[\w-]{16,512}",
    r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,255}",
    r"nvapi-[\w-]{16,255}",
    r"pypi-[A-Za-z0-9_-]{30,1000}",
    r"npm_[A-Za-z0-9]{20,255}",
    r"dckr_(?:pat|oat)_[\w-]{16,255}",
    r"do[opr]_v1_[a-f0-9]{32,128}",
    r"SG\.[\w-]{10,64}\.[\w-]{10,128}",
    r"wandb_v\d_[\w-]{16,255}",
    r"dapi[0-9a-f]{32}(?:-\d)?",
    r"(?:bot)?\d{8,10}:AA[\w-]{30,64}",
    r"ATATT[\w=-]{20,512}",
    r"lin_api_[A-Za-z0-9]{20,255}",
    r"r8_[A-Za-z0-9]{20,255}",
    r"gsk_[A-Za-z0-9]{20,255}",
    r"pplx-[A-Za-z0-9]{20,255}",
    r"tgp_v1_[\w-]{16,255}",
    r"hv[sbr]\.[\w-]{16,512}",
    r"dp\.(?:pt|st|ct|sa)\.[\w.]{16,255}",
    r"sh(?:pat|pca|ppa|pss)_[a-fA-F0-9]{16,64}",
    r"tskey-[\w-]{10,255}",
    r"pul-[a-f0-9]{32,64}",
    r"gl(?:c|sa)_[\w+/=-]{20,512}",
    r"NRAK-[A-Z0-9]{20,64}",
    r"KGAT_[A-Za-z0-9]{16,64}",
    r"AGE-SECRET-KEY-1[A-Z0-9]{20,128}",
    r"cfut_[\w-]{20,128}",
    r"rpa_[A-Z0-9]{30,64}",
    r"eyJ[\w-]{8,4000}\.(?:eyJ|[\w-]{4})[\w-]{0,8000}(?:\.[\w-]{0,4000})?",
    r"[A-Za-z0-9]{3}\dQ~[\w.~-]{20,64}",
    r"ssh-(?:rsa|ed25519|dss) AAAA[A-Za-z0-9+/=]{20,4000}",
    r"ecdsa-sha2-\S{5,30} AAAA[A-Za-z0-9+/=]{20,4000}",
)
"""By what the services themselves put in front, so that scanners find them."""

_STARTS = tuple(
    """
    ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- gldt- glrt- glcbt- glptt- glft- glsoat- glimt- glagent- gr134
    hf_ api_org_ akia asia aroa aida agpa anpa abia acca aiza ya29. gocspx- 1//0 xox xapp- sk- sk_ rk_ pk_
    nvapi- pypi- npm_ dckr_ _v1_ sg. wandb_ dapi :aa atatt lin_api_ r8_ gsk_ pplx- hvs. hvb. hvr. dp. shpat_
    shpca_ shppa_ shpss_ tskey- pul- glc_ glsa_ nrak- kgat_ age-secret cfut_ rpa_ eyj q~ aaaa
    """.split()
)


_BESIDE = re.compile(
    r"(?i)(?P<word>tokens?|secret|passw(?:or)?d|passphrase|passwd|pwd|pass|apikey|credentials?|webhook|"
    r"cookie|pat|dsn|"
    r"connection[_-]?string|key|auth|sig|signature|session|code|sas|jwt|otp|nonce|authorization)"
    r"(?:[_-]?(?:key|value|id))?"
    r"(?P<between>[\"'`\])]{0,3}(?:\s{0,4}(?::=|=>|==?|:)\s{0,4}|\s{1,4}is\s{1,4}(?:set to\s{1,4})?|"
    r"\s{0,4},\s{0,4}(?=[\"']))(?:[rbuf]{1,2}(?=[\"']))?)"
    r"(?:(?P<quote>[\"'`])(?P<quoted>[^\"'`\n]{1,4000})(?P=quote)?|(?P<bare>[^\s\"'`,;&<>{}()\[\]|]{1,4000}))"
)


_HEX4 = r"[0-9a-fA-F]{4}"
_UUID = rf"[0-9a-fA-F]{{8}}-{_HEX4}-{_HEX4}-{_HEX4}-[0-9a-fA-F]{{12}}"

SECRETS = (
    Pattern(
        re.compile(
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:(?!-----END)"
            r".){0,20000}(?:-----END [A-Z0-9 ]{0,40}-----)?",
            re.DOTALL,
        ),
        _shown.key,
        ("private key",),
        in_terms=True,
    ),
    Pattern(re.compile(r"://([^\s\"'<>`)\]},;|]{1,4000})"), _shown.address, ("://",), in_terms=True),
    Pattern(
        re.compile(rf"(?<![\w.@/+-])[\w.-]{{1,32}}@({_shown.HOST}):(?![/\d~])[\w./~-]{{3,255}}(?<![.])"),
        _shown.repository,
        (".git", "git@"),
    ),
    Pattern(
        re.compile(rf"(?<![\w.@/+-])([\w.+-]{{1,64}}:[^\s@/:\"']{{1,128}})@({_shown.HOST})"),
        _shown.login,
        ("@",),
        in_terms=True,
    ),
    Pattern(
        re.compile(r"((?:^|\s)(?:-u|--user|--proxy-user|-U)[ =]?[\"']?)([\w.@-]{1,64}:[^\s\"']{2,128})"),
        _shown.curl_login,
        ("-u", "user"),
    ),
    Pattern(
        re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(TOKENS)})"),
        _shown.token,
        _STARTS,
        in_terms=True,
        only_beside=re.compile(r"[\w-]{12}"),
    ),
    Pattern(
        re.compile(
            r"(?i)\b(bearer\s+|authorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:basic|token|bearer|digest|"
            r"aws4-hmac-sha256)\s+|token\s+)([\w.~+/=-]{8,4000})"
        ),
        _shown.after_scheme,
        ("earer", "oken", "uthoriz"),
    ),
    Pattern(
        re.compile(
            r"(?i)((?<![\w-])--?(?:[\w]{1,20}-)?(?:token|password|passwd|pass|secret|api-?key|access-?key|"
            r"secret-?key|auth-?key)[ =][\"']?)([^\s\"']{4,4000})"
        ),
        _shown.option,
        ("-",),
    ),
    Pattern(
        re.compile(r"(?i)(\b(?:login|sshpass|mysql|psql)\b[^\n]{0,80}?\s-p[ =]?[\"']?)([^\s\"']{4,400})"),
        _shown.option,
        ("-p",),
    ),
    Pattern(
        re.compile(r"(?i)(\bmachine\s+\S{1,255}\s+login\s+)(\S{1,255})(\s+password\s+)(\S{3,400})"),
        _shown.netrc,
        ("machine",),
    ),
    Pattern(
        re.compile(r"(^\s{0,8}password\s{1,4})(\S{3,400}$|(?=\S{0,400}\d)\S{3,400})"), _shown.option, ("password",)
    ),
    Pattern(
        re.compile(
            r"(?i)(\b(?:wandb|ngc|comet|neptune|clearml|kaggle)\b[^\n]{0,60}?)(?<![0-9a-zA-Z])([0-9a-f]{40}|"
            r"[0-9a-z]{80,90}|[A-Za-z0-9+/]{80,90}={0,2})(?![0-9a-zA-Z])"
        ),
        _shown.hex_beside,
        ("wandb", "ngc", "omet", "eptune", "learml", "clearml", "aggle"),
    ),
    Pattern(
        _BESIDE,
        _shown.beside,
        (
            "token",
            "secret",
            "pass",
            "pwd",
            "key",
            "credential",
            "string",
            "webhook",
            "cookie",
            "pat",
            "dsn",
            "auth",
            "sig",
            "session",
            "code",
            "sas",
            "jwt",
            "otp",
            "nonce",
            "csrf",
            "xsrf",
        ),
    ),
)
"""What opens a door."""

NUMBERS = (
    Pattern(
        re.compile(rf"\b(?:MIG-)?(?:GPU|MIG)-{_UUID}(?:/\d{{1,2}}/\d{{1,2}})?"),
        _shown.gpu_uuid,
        ("gpu-", "mig-"),
        in_terms=True,
    ),
    Pattern(
        re.compile(
            r"(?:\b(?:GPU|MIG)-[0-9a-fA-F]{4,8}|(?:^|(?<=[=,]))(?:GPU|MIG)-[0-9a-fA-F]{1,3})(?:-[0-9a-fA-F]{1,4}){0,3}(?![\w-])"
        ),
        _shown.start_of_gpu_uuid,
        ("gpu-", "mig-"),
    ),
    Pattern(
        re.compile(
            rf"(?<![0-9a-zA-Z-]){_UUID}(?![0-9a-zA-Z-])|(?<=pod){_UUID}(?![0-9a-zA-Z-])|(?<![0-9a-zA-Z])"
            rf"[0-9a-f]{{8}}_[0-9a-f]{{4}}_[0-9a-f]{{4}}_[0-9a-f]{{4}}_[0-9a-f]{{12}}(?![0-9a-zA-Z])|(?<=pod)"
            rf"[0-9a-f]{{8}}_[0-9a-f]{{4}}_[0-9a-f]{{4}}_[0-9a-f]{{4}}_[0-9a-f]{{12}}"
        ),
        _shown.uuid,
        ("-", "_"),
    ),
    Pattern(re.compile(r"(?<![0-9a-zA-Z])[0-9a-f]{64}(?![0-9a-zA-Z])"), _shown.long_hex),
    Pattern(
        re.compile(
            r"(?i)(\b(?:container|pod|sandbox|machine[ _-]?id|boot[ _-]?id)"
            r"(?:[ _-]?id)?[\"']?[ =:/\"'(-]{1,3})([0-9a-f]{12,64})"
            r"(?![0-9a-zA-Z])"
        ),
        _shown.identifier,
        ("ontainer", "od", "andbox", "achine", "oot"),
    ),
    Pattern(
        re.compile(
            r"\b(namespaces?[ /=:]{1,2}[\"'`]?)(?!kube-|gpu-|nvidia)((?=[a-z]{0,40}[\d-])[a-z0-9-]{3,63})(?![\w.-])"
        ),
        _shown.identifier,
        ("namespace",),
    ),
    Pattern(re.compile(r"\bS-1-(?:5-21|12-1)(?:-\d{1,10}){3,5}(?![\w-])"), _shown.whole_identifier, ("s-1-",)),
    Pattern(
        re.compile(
            r"(?i)((?:\b|_)(?:docker|containerd|libpod|crio|lxc)[-/](?:containers/)?)([0-9a-f]{12,64})"
            r"(?![0-9a-zA-Z])"
        ),
        _shown.identifier,
        ("docker", "containerd", "libpod", "crio", "lxc"),
    ),
    Pattern(
        re.compile(
            r"(?i)((?<![a-z0-9])(?:(?:slurm|pbs|lsb|sge|array)?[_ -]?(?:array[_ -]?)?job(?:[_ -]?id)?|slurm|"
            r"jobstep|step_?id)[\"']?[ =:#_/-]{0,3}[\"']?)"
            r"(\d{3,12}(?:[._]\d{1,6})?(?:\[\d{0,6}\])?(?:\.[a-z][\w-]{0,40})?)(?![\w])"
        ),
        _shown.identifier,
        ("job", "slurm", "tep"),
    ),
    Pattern(
        re.compile(
            r"(?i)(\b(?:(?:board |chassis |gpu |module |system |device )?serial(?:[ _-]?(?:number|num|no\.?|"
            r"nr\.?|#))?[\"']?\s{0,40}[:=#]\s{0,4}[\"']?|serial (?:number|no\.?)\s{1,4}(?:is\s)?|(?<![\w/])"
            r"s/n[ :#=]{1,3}|"
            r"\b(?:board|chassis|device|gpu)[_-]sn[ :#=]{1,3}|asset[ _-]?tag[\"']?\s{0,20}[:=]\s{0,4}|"
            r"service[ _-]?tag[\"']?\s{0,20}[:=]\s{0,4}|"
            r"chassis[ _-]?id[\"']?\s{0,20}[:=]\s{0,4}|guid[\"']?\s{0,20}[:=]\s{0,4}))([\w:-]{4,64})"
        ),
        _shown.serial,
        ("erial", "s/n", "-sn", "_sn", "tag", "hassis", "guid"),
    ),
    Pattern(
        re.compile(r"(?<![\w:.-])[0-9a-fA-F]{2}(?:([:-])[0-9a-fA-F]{2})(?:\1[0-9a-fA-F]{2}){4,18}(?![\w:-])"),
        _shown.mac,
        (":", "-"),
    ),
    Pattern(re.compile(r"(?<![\w.])[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}(?![\w.])"), _shown.cisco_mac, (".",)),
    Pattern(
        re.compile(r"(?<![\w:.])(?:[0-9a-fA-F]{0,4}:){2,7}(?:[0-9a-fA-F]{1,4}|:|(?:\d{1,3}\.){3}\d{1,3})?(?![\w:])"),
        _shown.ipv6,
        (":",),
    ),
    Pattern(re.compile(rf"(?<![\w:.])(?:{_HEX4}:){{3}}{_HEX4}(?![\w:.])"), _shown.mac, (":",)),
    Pattern(re.compile(r"(?<![\w.-])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\w|-\w)"), _shown.ipv4, (".",)),
)
"""What names a machine, or a part of one."""

PEOPLE = (
    Pattern(
        re.compile(
            rf"(?i)\b(?:login|ssh|mysql|psql|sshpass|scp)\b[^\n]{{0,80}}?\s(?:-u|-U|-l|--username)[ =]?({_NAME})"
        ),
        _shown.user,
        ("-u", "-l"),
    ),
    Pattern(
        re.compile(r"(?<![\w.+/@-])([\w.+-]{1,64})@((?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24})(?![\w-]|\.\w)"),
        _shown.mail,
        ("@",),
        in_terms=True,
    ),
    Pattern(
        re.compile(
            rf"(?<![\w.@/>+-])(?P<user>{_NAME})@(?P<host>[A-Za-z0-9][\w-]{{0,62}}(?:\.[\w-]{{1,63}}){{0,8}})"
            rf"(?![\w@])"
        ),
        _shown.user_at_host,
        ("@",),
    ),
    Pattern(
        re.compile(
            r"(?i)(?:(?<![A-Za-z])[a-z]:|[\\/]mnt[\\/][a-z])?[\\/]{1,2}(?:Users|Documents and Settings)"
            r"[\\/]{1,2}[^\s\\/:\"'<>|*?;,]{1,64}(?: [^\W\d_][^\s\\/:\"'<>|*?;,]{0,64}){1,2}(?=[\\/])"
        ),
        _shown.path,
        ("sers", "ettings"),
    ),
    Pattern(
        re.compile(
            r"(?:(?<![A-Za-z0-9])[A-Za-z]:|(?<![\w~>/\\])|(?<=[-][ILBR])|(?<=\w:))"
            r"[\\/]{1,2}[\w<$%{@][^\s:;,'\"`<>|()\[\]{}*?&]{0,4000}"
        ),
        _shown.path,
        ("/", "\\"),
    ),
    Pattern(re.compile(r"(?i)%2F(?:home|users)%2F([\w.-]{1,64})"), _shown.encoded_home, ("%2f",)),
    Pattern(re.compile(rf"(?<![\w/~.])~({_NAME})(?=[/\\])"), _shown.tilde, ("~",)),
    Pattern(
        re.compile(
            r"(?m)^([dlcbps-][rwxsStT-]{9}[.+@]?\s{1,4}\d{1,6}\s{1,4})([A-Za-z_][\w.-]{0,40})(\s{1,20})"
            r"([A-Za-z_][\w.-]{0,40})(\s{1,20}\d)"
        ),
        _shown.owners,
        ("rw", "r-"),
    ),
    Pattern(
        re.compile(
            rf"(?i)(?<![\w-])(?:(?:[A-Z][A-Z0-9]{{0,20}}_){{0,3}}(?:user(?:[_ ]?name|[_ ]?id)?|account)|logname|"
            rf"login(?:[_ ]?name)?|owner|uname|author|maintainer|submitter|email)"
            rf"[\"']?(?:\s{{0,3}}=\s{{0,3}}|:\s{{1,20}}|[\"']:\s{{0,3}})"
            rf"[\"']?({_NAME})"
        ),
        _shown.user,
        ("ser", "ogname", "logname", "ogin", "ccount", "wner", "uname", "uthor", "aintainer", "ubmitter"),
    ),
    Pattern(
        re.compile(
            rf"(?i)(?:\b(?:for|as|by|of|to|from|invalid|illegal|unknown|su|sudo) |\()user:? "
            rf"(?!site|space|data|code|mode|\w+-site)[\"'`]?({_NAME})"
        ),
        _shown.user,
        ("user",),
    ),
    Pattern(
        re.compile(
            rf"(?m)^(\s{{0,20}}\d{{1,12}}(?:_\d{{1,6}})?\s{{1,20}}\S{{1,40}}\s{{1,20}}\S{{1,60}}\s{{1,20}})({_NAME})"
            rf"(\s{{1,20}}[A-Z]{{1,2}}\s{{1,20}}[\d:-]{{3,12}}\s{{1,20}}\d{{1,6}}\s{{1,20}})({_shown.HOST}|\([^)\n]{{1,60}}\))"
        ),
        _shown.queued,
        (":",),
    ),
    Pattern(re.compile(rf"(?i)\buser(?:name)? [\"'`(]({_NAME})[\"'`)]"), _shown.user, ("ser",)),
    Pattern(re.compile(rf"\b(?:uid|gid|groups|euid)=\d{{1,10}}\(({_NAME})\)"), _shown.user, ("id=", "groups=")),
    Pattern(
        re.compile(
            rf"(?i)\b(?:owned|started|submitted|launched|held|locked|killed|created|invoked|requested)"
            rf" by (?:user )?[\"'`]?({_NAME})"
        ),
        _shown.user_if_distinct,
        (" by ",),
    ),
    Pattern(
        re.compile(
            rf"\b(?:[Pp]assword|publickey|session (?:opened|closed)) for (?:invalid user |user )?[\"'`]?({_NAME})"
        ),
        _shown.user,
        (" for ",),
    ),
    Pattern(
        re.compile(rf"(?m)^({_NAME}) {{1,16}}\d{{1,8}} {{1,8}}\d{{1,4}}\.\d {{1,8}}\d{{1,3}}\.\d "), _shown.user, (".",)
    ),
    Pattern(re.compile(rf"(?m)^(?:sudo|su|sshd\[\d{{1,9}}\]):\s{{1,4}}({_NAME}) :"), _shown.user, (" :",)),
)
"""What names a person."""

_ANY_KEY = r"(?:[\"']?\s{0,3}=\s{0,3}|[\"']?:\s{1,8}|[\"']:\s{0,3})[\"'(\[]{0,2}"
HOSTS = (
    Pattern(re.compile(rf"(?<![\w:>.)\\])\\{{2,4}}({_shown.HOST})(?=\\{{1,2}}\w)"), _shown.share, ("\\\\",)),
    Pattern(
        re.compile(
            rf"(?i)(?<![A-Za-z])(?:host(?:[_ ]?name)?|(?:slurmd?_)?(?:job_?)?node(?:[_ ]?name|[_ ]?list)?|"
            rf"server(?:[_ ]?name)?|(?:master|main|leader|rdzv|init)_?(?:addr|address|endpoint)|(?:batch|"
            rf"alloc)?host|fqdn|machine[_ ]?name|domain(?:[_ ]?name)?|peer|endpoint){_ANY_KEY}({_shown.HOST})"
        ),
        _shown.host_keyed,
        ("ost", "ode", "erver", "ddr", "addr", "ndpoint", "endpoint", "fqdn", "achine", "omain", "domain", "eer"),
    ),
    Pattern(
        re.compile(rf"(?i)\b(?:host|node|server|machine|worker|pods?)[ /][\"'`]?({_shown.HOST})(?!\w)"),
        _shown.host_if_distinct,
        ("ost", "ode", "erver", "achine", "orker", "pod"),
    ),
    Pattern(
        re.compile(
            rf"(?i)\b(?:resolve(?: host(?:name)?)?:?|reach|lookup|connect(?:ing|ed|ion)? (?:to|from)|refused by|"
            rf"ping|ssh|rsync|scp|host) [\"'`]?({_shown.HOST})"
        ),
        _shown.host_if_distinct,
        ("esolve", "each", "ookup", "onnect", "efused", "ping", "ssh", "rsync", "scp", "ost"),
    ),
    Pattern(
        re.compile(
            rf"(?:^|\s)(?:[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d|\d{{4}}-\d\d-\d\d[T ][\d:.,]{{8,20}}(?:Z|"
            rf"[+-]\d\d:?\d\d)?) ({_shown.HOST}) [\w./@()-]{{1,64}}(?:\[\d{{1,9}}\])?:"
        ),
        _shown.host_told,
        (":",),
    ),
    Pattern(
        re.compile(
            rf"(?i)\b(?:srun|slurmstepd|sbatch|salloc|mpirun|torchrun|prte|pdsh): (?:error: |"
            rf"warning: )?(?:node )?({_shown.HOST})(?=: |, )"
        ),
        _shown.host_if_distinct,
        ("srun", "slurmstepd", "sbatch", "salloc", "mpirun", "torchrun", "prte", "pdsh"),
    ),
    Pattern(re.compile(rf"\bON ({_shown.HOST}) (?:CANCELLED|FAILED|[A-Z]{{1,8}}$)"), _shown.host_told, (" on ",)),
    Pattern(re.compile(rf"\bLinux ({_shown.HOST}) \d\.\d{{1,3}}\.\d"), _shown.host_told, ("linux ",)),
    Pattern(
        re.compile(rf"(?m)(?:^|[\s(\[])({_shown.HOST}):\d{{1,8}}:\d{{1,8}} \[\d{{0,3}}\] NCCL"),
        _shown.host_told,
        (" nccl",),
    ),
    Pattern(
        re.compile(
            r"(?<![\w./:-])((?=[\w-]{0,40}\d)(?=[\w-]{0,40}[A-Za-z])"
            r"[A-Za-z][A-Za-z0-9]{0,40}(?:-[A-Za-z0-9]{1,40}){1,5})(?=:\d{4,5}(?![\w:.]))"
        ),
        _shown.host_told,
        (":",),
    ),
    Pattern(
        re.compile(r"\bip-\d{1,3}-\d{1,3}-\d{1,3}-\d{1,3}(?:\.[\w.-]{1,80}\w)?"),
        _shown.address_as_host,
        ("ip-",),
    ),
    Pattern(
        re.compile(
            r"(?<![\w.@/<-])[A-Za-z0-9][\w-]{0,63}(?:\.[\w-]{1,63}){1,12}(?![\w-])|(?<=[/@])"
            r"[A-Za-z0-9][\w-]{0,63}(?:\.[\w-]{1,63}){1,12}(?![\w-])"
        ),
        _shown.dotted,
        (".",),
    ),
)
"""What names a machine in a network."""

TABLE = (*SECRETS[1:], *NUMBERS, *PEOPLE, *HOSTS)
"""What is looked for in every line."""
WHOLE = SECRETS[:1]
"""What goes over lines."""
IN_TERMS = tuple(pattern for pattern in TABLE if pattern.in_terms)
