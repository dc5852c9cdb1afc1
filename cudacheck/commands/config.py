"""`cudacheck config`: what is in force, and where each value came from."""

from __future__ import annotations

import json
from typing import Any

from cudacheck.configuration import Settings


def page(settings: Settings, output_format: str) -> str:
    return as_json(settings) if output_format == "json" else as_text(settings)


def as_json(settings: Settings) -> str:
    told: dict[str, Any] = {
        "schema_version": "1.0",
        "require": [{"spec": one.spec, "found_in": one.found_in} for one in settings.require],
        "ignore": [_left_out(one) for one in settings.ignore],
        "expired": [_left_out(one) for one in settings.expired],
    }
    for key, value in settings.values.items():
        told[key] = {"value": value, "found_in": settings.found_in[key]}
    return json.dumps(told, indent=2) + "\n"


def _left_out(one: Any) -> dict[str, Any]:
    until = one.until.isoformat() if one.until else None
    return {"rule": one.rule, "reason": one.reason, "until": until, "found_in": one.found_in}


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
