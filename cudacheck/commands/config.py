"""`cudacheck config`: what is in force, and where each value came from."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

from cudacheck.configuration import DEFAULTS, LINT, Settings

SCHEMA_VERSION = "1.0"


@dataclasses.dataclass(frozen=True)
class RequirementInForce:
    spec: str
    found_in: str
    """Where it was asked for: an option, a variable, a file."""


@dataclasses.dataclass(frozen=True)
class RuleLeftOut:
    rule: str
    reason: str
    until: str | None
    """The last day on which it is left out, as ISO 8601 writes it."""
    found_in: str


def page(doctors: Settings, lints: Settings, output_format: str) -> str:
    return as_json(doctors, lints) if output_format == "json" else as_text(doctors) + as_text(lints, "lint.")


def as_json(doctors: Settings, lints: Settings) -> str:
    required = [dataclasses.asdict(RequirementInForce(one.spec, one.found_in)) for one in doctors.require]
    told = {"schema_version": SCHEMA_VERSION, "require": required} | _values(doctors) | {"lint": _values(lints)}
    return json.dumps(told, indent=2) + "\n"


def _values(settings: Settings) -> dict[str, Any]:
    left: dict[str, Any] = {
        "ignore": [_left_out(one) for one in settings.ignore],
        "expired": [_left_out(one) for one in settings.expired],
    }
    return left | {key: {"value": value, "found_in": settings.found_in[key]} for key, value in settings.values.items()}


def _left_out(one: Any) -> dict[str, Any]:
    until = one.until.isoformat() if one.until else None
    return dataclasses.asdict(RuleLeftOut(one.rule, one.reason, until, one.found_in))


def json_schema() -> dict[str, Any]:
    """Generated from what a file may hold; docs/config.schema.json is its copy."""
    from pydantic import TypeAdapter

    from cudacheck.configuration._model import Configuration, LintConfiguration

    properties: dict[str, Any] = {"schema_version": {"type": "string", "pattern": r"^\d+\.\d+$"}}
    properties["require"] = {"type": "array", "items": {"$ref": "#/$defs/RequirementInForce"}}
    properties |= _described(DEFAULTS, Configuration.model_json_schema(by_alias=True))
    lints = _described(LINT.defaults, LintConfiguration.model_json_schema(by_alias=True))
    properties["lint"] = {"type": "object", "required": [*lints], "properties": lints}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"cudacheck config, schema {SCHEMA_VERSION}",
        "type": "object",
        "required": [*properties],
        "properties": properties,
        "$defs": {cls.__name__: TypeAdapter(cls).json_schema() for cls in (RequirementInForce, RuleLeftOut)},
    }


def _described(keys: Iterable[str], file: dict[str, Any]) -> dict[str, Any]:
    """Rules that are left out, and each key with its value, as the schema of a file describes that."""
    told: dict[str, Any] = {
        name: {"type": "array", "items": {"$ref": "#/$defs/RuleLeftOut"}} for name in ("ignore", "expired")
    }
    for key in keys:
        value = {word: said for word, said in file["properties"][key].items() if word not in {"default", "title"}}
        both = {"value": value, "found_in": {"type": "string", "description": "where the value came from"}}
        told[key] = {"type": "object", "required": [*both], "properties": both}
    return told


def as_text(settings: Settings, before: str = "") -> str:
    """As a cudacheck.toml would say it, with where it was said behind it; `before` stands before each key."""
    rows = [("require", one.spec, one.found_in) for one in settings.require]
    for one in settings.ignore:
        until = f" until {one.until}" if one.until else ""
        rows.append(("ignore", f"{one.rule}{until}", f"{one.found_in}{': ' if one.reason else ''}{one.reason}"))
    rows += [("expired", f"ignore {one.rule} until {one.until}", one.found_in) for one in settings.expired]
    rows += [(key, _spoken(value), settings.found_in[key]) for key, value in settings.values.items()]
    wide = max(len(value) for _, value, _ in rows)
    return "".join(f"{before + key:<12} {value:<{min(wide, 40)}}  {found_in}\n" for key, value, found_in in rows)


def _spoken(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return " ".join(value) or "-"
    return f"{value:g}" if isinstance(value, float) else str(value) if value is not None else "-"
