"""`cudacheck config`: what is in force, and where each value came from."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from cudacheck.configuration import DEFAULTS, Settings

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


def page(settings: Settings, output_format: str) -> str:
    return as_json(settings) if output_format == "json" else as_text(settings)


def as_json(settings: Settings) -> str:
    told: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "require": [dataclasses.asdict(RequirementInForce(one.spec, one.found_in)) for one in settings.require],
        "ignore": [_left_out(one) for one in settings.ignore],
        "expired": [_left_out(one) for one in settings.expired],
    }
    for key, value in settings.values.items():
        told[key] = {"value": value, "found_in": settings.found_in[key]}
    return json.dumps(told, indent=2) + "\n"


def _left_out(one: Any) -> dict[str, Any]:
    until = one.until.isoformat() if one.until else None
    return dataclasses.asdict(RuleLeftOut(one.rule, one.reason, until, one.found_in))


def json_schema() -> dict[str, Any]:
    """Generated from what a file may hold; docs/config.schema.json is its copy."""
    from pydantic import TypeAdapter

    from cudacheck.configuration._model import Configuration

    lists = {"require": RequirementInForce, "ignore": RuleLeftOut, "expired": RuleLeftOut}
    keys = Configuration.model_json_schema(by_alias=True)["properties"]
    properties: dict[str, Any] = {"schema_version": {"type": "string", "pattern": r"^\d+\.\d+$"}}
    for name, cls in lists.items():
        properties[name] = {"type": "array", "items": {"$ref": f"#/$defs/{cls.__name__}"}}
    for key in DEFAULTS:
        value = {word: told for word, told in keys[key].items() if word not in {"default", "title"}}
        found_in = {"type": "string", "description": "where the value came from"}
        both = {"value": value, "found_in": found_in}
        properties[key] = {"type": "object", "required": [*both], "properties": both}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"cudacheck config, schema {SCHEMA_VERSION}",
        "type": "object",
        "required": [*properties],
        "properties": properties,
        "$defs": {cls.__name__: TypeAdapter(cls).json_schema() for cls in dict.fromkeys(lists.values())},
    }


def as_text(settings: Settings) -> str:
    """As a cudacheck.toml would say it, with where it was said behind it."""
    rows = [("require", one.spec, one.found_in) for one in settings.require]
    for one in settings.ignore:
        until = f" until {one.until}" if one.until else ""
        rows.append(("ignore", f"{one.rule}{until}", f"{one.found_in}{': ' if one.reason else ''}{one.reason}"))
    rows += [("expired", f"ignore {one.rule} until {one.until}", one.found_in) for one in settings.expired]
    rows += [(key, _spoken(value), settings.found_in[key]) for key, value in settings.values.items()]
    wide = max(len(value) for _, value, _ in rows)
    return "".join(f"{key:<11} {value:<{min(wide, 40)}}  {found_in}\n" for key, value, found_in in rows)


def _spoken(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return " ".join(value) or "-"
    return f"{value:g}" if isinstance(value, float) else str(value) if value is not None else "-"
