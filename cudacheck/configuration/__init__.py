"""What is asked of a run: by options, by variables, by a file; each value with where it came from."""

from __future__ import annotations

import dataclasses
import datetime
import re
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from cudacheck.configuration import _file
from cudacheck.configuration._file import ConfigurationError, File
from cudacheck.model.nearest import hint
from cudacheck.probes.chosen import Required

__all__ = ["DEFAULTS", "DOCTOR", "LINT", "ConfigurationError", "Settings", "gathered", "known_rule", "nearest"]

DEFAULTS: dict[str, Any] = {
    "fail-on": "error",
    "not-proven": "pass",
    "bench": True,
    "timeout": 180.0,
    "format": "text",
    "python": None,
    "output": (),
}
CHOICES = {"fail-on": ("error", "warning", "never"), "not-proven": ("pass", "fail", "retry")}
LISTS = ("require", "ignore", "select", "output")
PREFIX = "CUDACHECK_"
CONFIG = "CUDACHECK_CONFIG"
OTHER_VARIABLES = ("CUDACHECK_NODE", "CUDACHECK_DEBUG", "CUDACHECK_ROOT", "CUDACHECK_BENCH")
SWITCHED_ON, SWITCHED_OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")


@dataclasses.dataclass(frozen=True)
class Configurable:
    """What may be configured of a command."""

    defaults: Mapping[str, Any]
    table: tuple[str, ...]
    """Where its keys stand, below `tool.cudacheck`."""
    prefix: str
    """Of its variables."""
    trusted: tuple[str, ...]
    """What only a file that was named may say: a cloned repository must not choose what is run, or overwritten."""
    rules: Callable[[], Collection[str]]
    """The ids of all rules."""
    adding: tuple[str, ...] = ("ignore",)
    """Keys that add up over all that say something."""

    @property
    def variables(self) -> dict[str, str]:
        """Each variable with its key."""
        keys = [*self.adding, *self.defaults]
        named = {f"{self.prefix}{key.upper().replace('-', '_')}": key for key in keys if key != "bench"}
        return named | ({f"{self.prefix}NO_BENCH": "bench"} if "bench" in keys else {})


def _doctors_rules() -> Collection[str]:
    from cudacheck.registry import rules

    return [name for rule in rules() for name in rule.names]


def _lints_rules() -> Collection[str]:
    from cudacheck.lint.rule import rules

    return [rule.id for rule in rules()]


DOCTOR = Configurable(DEFAULTS, (), PREFIX, ("python", "output"), _doctors_rules, ("require", "ignore"))
LINT = Configurable(
    {
        "select": (),
        "fail-on": "error",
        "gpu": None,
        "driver": None,
        "python": None,
        "format": "text",
        "output": (),
    },
    ("lint",),
    f"{PREFIX}LINT_",
    ("output",),
    _lints_rules,
)


@dataclasses.dataclass(frozen=True)
class Left:
    """A rule that is left out."""

    rule: str
    found_in: str
    reason: str = ""
    until: datetime.date | None = None


@dataclasses.dataclass(frozen=True)
class Settings:
    """All that is in force."""

    require: tuple[Required, ...]
    ignore: tuple[Left, ...]
    values: Mapping[str, Any]
    """The others, by key."""
    found_in: Mapping[str, str]
    """Where each of them came from."""
    expired: tuple[Left, ...] = ()
    """Rules that a file left out until a day that has passed: they are judged again."""


def gathered(
    options: Mapping[str, Any],
    *,
    environment: Mapping[str, str],
    folder: Path,
    today: datetime.date,
    formats: Collection[str],
    config: Path | None = None,
    no_config: bool = False,
    of: Configurable = DOCTOR,
) -> Settings:
    """An option outranks a variable, a variable a file. What is required and ignored adds up.

    `options` holds what was given on the command line, by key; `formats` are those that there are. Raises
    ConfigurationError.
    """
    told = _variables(environment, of)
    chosen = config or (Path(told["config"]) if "config" in told else None)
    if no_config and config:
        raise ConfigurationError("--config and --no-config exclude each other")
    file = None if no_config else _file.named(chosen) if chosen else _file.found_from(folder)
    in_file = _of_file(file, of, named=chosen is not None, formats=formats) if file else {}
    values, found_in = dict(of.defaults), dict.fromkeys(of.defaults, "default")
    for key in of.defaults:
        for source, spoken in ((in_file, ""), (told, _variable(key, of)), (options, f"--{key}")):
            if key in source:
                values[key], found_in[key] = source[key], spoken
        if file and found_in[key] == "":
            found_in[key] = file.place(*of.table, key)
    _check(values, found_in, formats, of)
    said = [(options, "--require", "--ignore"), (told, f"{of.prefix}REQUIRE", f"{of.prefix}IGNORE")]
    required = [one for source, name, _ in said for one in _required(source.get("require", ()), name)]
    ignored = [one for source, _, name in said for one in _ignored(source.get("ignore", ()), name, of)]
    required += in_file.get("require", [])
    ignored += in_file.get("ignore", [])
    over = [one for one in ignored if one.until and one.until < today]
    return Settings(
        tuple(required), tuple(one for one in ignored if one not in over), values, found_in, expired=tuple(over)
    )


# Variables


def _variables(environment: Mapping[str, str], of: Configurable) -> dict[str, Any]:
    """Those that are set, by key. One that nearly has a name of ours is an error."""
    told: dict[str, Any] = {}
    ours = of.variables | {CONFIG: "config"}
    others = {*DOCTOR.variables, *LINT.variables, *OTHER_VARIABLES} - {*ours}
    for name in sorted(name for name in environment if name.startswith(PREFIX) and name not in others):
        if name not in ours:
            if near := hint(name, [*ours, *others], least=0.85):
                raise ConfigurationError(f"no variable is called {name[:60]}{near}")
        elif environment[name].strip():
            told[ours[name]] = _value(name, ours[name], environment[name].strip())
    return told


def _value(name: str, key: str, text: str) -> Any:
    if name == "CUDACHECK_NO_BENCH":
        if text.lower() not in (*SWITCHED_ON, *SWITCHED_OFF):
            raise ConfigurationError(f"{name} is 1 or 0, not {text[:40]!r}")
        return text.lower() not in SWITCHED_ON
    if name == "CUDACHECK_TIMEOUT":
        if not re.fullmatch(r"\d{1,5}(\.\d{1,6})?", text):
            raise ConfigurationError(f"{name} is a number of seconds, not {text[:40]!r}")
        return float(text)
    if key in LISTS:
        return _words(name, text)
    return text


def _words(name: str, text: str) -> tuple[str, ...]:
    """One a line where there are several lines, else as a shell takes words apart: gpu-name='RTX 4090'."""
    if "\n" in text:
        return tuple(line.strip() for line in text.splitlines() if line.strip())
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise ConfigurationError(f"{name}: {str(error).lower()}") from None


def _variable(key: str, of: Configurable) -> str:
    return next(name for name, named in of.variables.items() if named == key)


# The file


def _of_file(file: File, of: Configurable, *, named: bool, formats: Collection[str]) -> dict[str, Any]:
    """What it says, by key, checked where it stands."""
    from pydantic import ValidationError

    from cudacheck.configuration._model import Configuration

    if not isinstance(file.table, dict):
        raise file.says("tool.cudacheck is a table")
    try:
        told: Any = Configuration.model_validate(file.table)
    except ValidationError as error:
        raise _first(error, file) from None
    for step in of.table:
        told = getattr(told, step)
    said: dict[str, Any] = told.model_dump(by_alias=True, exclude_unset=True)
    for key in of.trusted:
        if key in said and not named:
            raise file.says(f"{key} counts only in a file that --config names", *of.table, key)
    if "format" in said and said["format"] not in formats:
        raise file.says(_unknown("format", said["format"], formats), *of.table, "format")
    said |= {key: tuple(said[key]) for key in ("select", "output") if key in said}
    said["require"] = [*_in_file(file, getattr(told, "require", []))]
    said["ignore"] = [*_left_out(file, told.ignore, of)]
    return said


def _in_file(file: File, specs: list[str]) -> Iterator[Required]:
    from cudacheck import requirements

    for number, spec in enumerate(specs):
        try:
            requirements.understood(spec)
        except requirements.SpecError as error:
            raise file.says(str(error), "require", number) from None
        yield Required(spec, file.place("require", number))


def _left_out(file: File, entries: Any, of: Configurable) -> Iterator[Left]:
    for number, entry in enumerate(entries):
        way: tuple[str | int, ...] = (*of.table, "ignore", number)
        try:
            yield Left(known_rule(entry.rule, of), file.place(*way), entry.reason, entry.until)
        except ConfigurationError as error:
            raise file.says(str(error), *way) from None


def _first(error: Any, file: File) -> ConfigurationError:
    """Pydantic's first complaint, in one line."""
    told = error.errors(include_url=False, include_input=False)
    first = next(
        (one for one in told if one["type"] == "extra_forbidden"), told[0]
    )  # a typo, rather than what it left out
    way = [step for step in first["loc"] if not isinstance(step, str) or not step.startswith("function-")]
    if first["type"] == "extra_forbidden":
        from cudacheck.configuration._model import Configuration, Ignored, LintConfiguration

        below = len(way) - (way[0] == "lint")
        model = Ignored if below > 1 else Configuration if below == len(way) else LintConfiguration
        keys = [field.alias or name for name, field in model.model_fields.items()]
        return file.says(_unknown("key", str(way[-1]), keys), *way)
    spoken = ".".join(map(str, way)) or "it"
    if first["type"] == "model_type" and way[0] == "ignore":
        return file.says(f'{spoken[:80]}: a rule is left out as {{ rule = "…", reason = "…" }}', *way)
    said = first["msg"][:1].lower() + first["msg"][1:]
    return file.says(f"{spoken[:80]}: {said[:200]}", *way)


# What every source has in common


def _required(specs: Any, found_in: str) -> Iterator[Required]:
    if not specs:
        return
    from cudacheck import requirements

    for spec in specs:
        try:
            requirements.understood(spec)
        except requirements.SpecError as error:
            raise ConfigurationError(f"{found_in}: {error}") from None
        yield Required(spec, found_in)


def _ignored(rules: Any, found_in: str, of: Configurable) -> Iterator[Left]:
    return (Left(known_rule(rule, of), found_in) for rule in rules)


def known_rule(rule_id: str, of: Configurable = DOCTOR) -> str:
    """The same id. Raises ConfigurationError, with the nearest that there is."""
    known = of.rules()
    if rule_id not in known:
        raise ConfigurationError(_unknown("rule", rule_id, known))
    return rule_id


def _check(values: Mapping[str, Any], found_in: Mapping[str, str], formats: Collection[str], of: Configurable) -> None:
    """What a variable says is text that nobody looked at before."""
    for key, choices in {**CHOICES, "format": formats}.items():
        if key in values and values[key] not in choices:
            raise ConfigurationError(f"{found_in[key]}: {_unknown(key, values[key], choices)}")
    if not 1 <= values.get("timeout", 1) <= 86400:
        raise ConfigurationError(f"{found_in['timeout']}: between 1 and 86400 seconds, not {values['timeout']:g}")
    for rule_id in values.get("select", ()):
        if rule_id not in (known := of.rules()):
            raise ConfigurationError(f"{found_in['select']}: {_unknown('rule', rule_id, known)}")


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    listed = f"; there are {', '.join(known)}" if len(known) <= 12 else "; `cudacheck explain` lists them all"
    return f"no {what} is called {name[:60]!r}{hint(name, known) or listed}"
