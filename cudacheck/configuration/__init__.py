"""What is asked of a run: by options, by variables, by a file; each value with where it came from."""

from __future__ import annotations

import dataclasses
import datetime
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from cudacheck.configuration import _file
from cudacheck.configuration._file import ConfigurationError, File
from cudacheck.model.nearest import hint
from cudacheck.probes.chosen import Required

__all__ = ["DEFAULTS", "ConfigurationError", "Settings", "gathered", "known_rule", "nearest"]

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
TRUSTED = ("python", "output")
"""What a file may say only where somebody named it: a cloned repository must not choose what is run or overwritten."""
PREFIX = "CUDACHECK_"
VARIABLES = {
    "CUDACHECK_REQUIRE": "require",
    "CUDACHECK_IGNORE": "ignore",
    "CUDACHECK_FAIL_ON": "fail-on",
    "CUDACHECK_NOT_PROVEN": "not-proven",
    "CUDACHECK_NO_BENCH": "bench",
    "CUDACHECK_TIMEOUT": "timeout",
    "CUDACHECK_FORMAT": "format",
    "CUDACHECK_PYTHON": "python",
    "CUDACHECK_OUTPUT": "output",
    "CUDACHECK_CONFIG": "config",
}
OTHER_VARIABLES = ("CUDACHECK_NODE", "CUDACHECK_DEBUG", "CUDACHECK_ROOT", "CUDACHECK_BENCH")
SWITCHED_ON, SWITCHED_OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")


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
) -> Settings:
    """An option outranks a variable, a variable a file. What is required and ignored adds up.

    `options` holds what was given on the command line, by key; `formats` are those that there are. Raises
    ConfigurationError.
    """
    told = _variables(environment)
    chosen = config or (Path(told["config"]) if "config" in told else None)
    if no_config and config:
        raise ConfigurationError("--config and --no-config exclude each other")
    file = None if no_config else _file.named(chosen) if chosen else _file.found_from(folder)
    in_file = _of_file(file, named=chosen is not None, formats=formats) if file else {}
    values, found_in = dict(DEFAULTS), dict.fromkeys(DEFAULTS, "default")
    for key in DEFAULTS:
        for source, spoken in ((in_file, ""), (told, _variable(key)), (options, f"--{key}")):
            if key in source:
                values[key], found_in[key] = source[key], spoken
        if file and found_in[key] == "":
            found_in[key] = file.place(key)
    _check(values, found_in, formats)
    said = [(options, "--require", "--ignore"), (told, f"{PREFIX}REQUIRE", f"{PREFIX}IGNORE")]
    required = [one for source, name, _ in said for one in _required(source.get("require", ()), name)]
    ignored = [one for source, _, name in said for one in _ignored(source.get("ignore", ()), name)]
    required += in_file.get("require", [])
    ignored += in_file.get("ignore", [])
    over = [one for one in ignored if one.until and one.until < today]
    return Settings(
        tuple(required), tuple(one for one in ignored if one not in over), values, found_in, expired=tuple(over)
    )


# Variables


def _variables(environment: Mapping[str, str]) -> dict[str, Any]:
    """Those that are set, by key. One that nearly has a name of ours is an error."""
    told: dict[str, Any] = {}
    for name in sorted(name for name in environment if name.startswith(PREFIX) and name not in OTHER_VARIABLES):
        if name not in VARIABLES:
            if near := hint(name, VARIABLES, least=0.85):
                raise ConfigurationError(f"no variable is called {name[:60]}{near}")
        elif environment[name].strip():
            told[VARIABLES[name]] = _value(name, environment[name].strip())
    return told


def _value(name: str, text: str) -> Any:
    if name == "CUDACHECK_NO_BENCH":
        if text.lower() not in (*SWITCHED_ON, *SWITCHED_OFF):
            raise ConfigurationError(f"{name} is 1 or 0, not {text[:40]!r}")
        return text.lower() not in SWITCHED_ON
    if name == "CUDACHECK_TIMEOUT":
        if not re.fullmatch(r"\d{1,5}(\.\d{1,6})?", text):
            raise ConfigurationError(f"{name} is a number of seconds, not {text[:40]!r}")
        return float(text)
    if VARIABLES[name] in ("require", "ignore", "output"):
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


def _variable(key: str) -> str:
    return next(name for name, of in VARIABLES.items() if of == key)


# The file


def _of_file(file: File, *, named: bool, formats: Collection[str]) -> dict[str, Any]:
    """What it says, by key, checked where it stands."""
    from pydantic import ValidationError

    from cudacheck.configuration._model import Configuration

    if not isinstance(file.table, dict):
        raise file.says("tool.cudacheck is a table")
    try:
        told = Configuration.model_validate(file.table)
    except ValidationError as error:
        raise _first(error, file) from None
    said = told.model_dump(by_alias=True, exclude_unset=True)
    for key in TRUSTED:
        if key in said and not named:
            raise file.says(f"{key} counts only in a file that --config names", key)
    if "format" in said and said["format"] not in formats:
        raise file.says(_unknown("format", said["format"], formats), "format")
    if "output" in said:
        said["output"] = tuple(said["output"])
    said["require"] = [*_in_file(file, told.require)]
    said["ignore"] = [*_left_out(file, told.ignore)]
    return said


def _in_file(file: File, specs: list[str]) -> Iterator[Required]:
    from cudacheck import requirements

    for number, spec in enumerate(specs):
        try:
            requirements.understood(spec)
        except requirements.SpecError as error:
            raise file.says(str(error), "require", number) from None
        yield Required(spec, file.place("require", number))


def _left_out(file: File, entries: Any) -> Iterator[Left]:
    for number, entry in enumerate(entries):
        try:
            yield Left(known_rule(entry.rule), file.place("ignore", number), entry.reason, entry.until)
        except ConfigurationError as error:
            raise file.says(str(error), "ignore", number) from None


def _first(error: Any, file: File) -> ConfigurationError:
    """Pydantic's first complaint, in one line."""
    told = error.errors(include_url=False, include_input=False)
    first = next(
        (one for one in told if one["type"] == "extra_forbidden"), told[0]
    )  # a typo, rather than what it left out
    way = [step for step in first["loc"] if not isinstance(step, str) or not step.startswith("function-")]
    if first["type"] == "extra_forbidden":
        from cudacheck.configuration._model import Configuration, Ignored

        model = Configuration if len(way) == 1 else Ignored
        keys = [field.alias or name for name, field in model.model_fields.items()]
        return file.says(_unknown("key", str(way[-1]), keys), *way)
    spoken = ".".join(map(str, way)) or "it"
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


def _ignored(rules: Any, found_in: str) -> Iterator[Left]:
    return (Left(known_rule(rule), found_in) for rule in rules)


def known_rule(rule_id: str) -> str:
    """The same id. Raises ConfigurationError, with the nearest that there is."""
    from cudacheck.registry import rule, rules

    if rule(rule_id) is None:
        raise ConfigurationError(_unknown("rule", rule_id, [r.id for r in rules()]))
    return rule_id


def _check(values: Mapping[str, Any], found_in: Mapping[str, str], formats: Collection[str]) -> None:
    """What a variable says is text that nobody looked at before."""
    for key, choices in {**CHOICES, "format": formats}.items():
        if values[key] not in choices:
            raise ConfigurationError(f"{found_in[key]}: {_unknown(key, values[key], choices)}")
    if not 1 <= values["timeout"] <= 86400:
        raise ConfigurationError(f"{found_in['timeout']}: between 1 and 86400 seconds, not {values['timeout']:g}")


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    listed = f"; there are {', '.join(known)}" if len(known) <= 12 else "; `cudacheck explain` lists them all"
    return f"no {what} is called {name[:60]!r}{hint(name, known) or listed}"
