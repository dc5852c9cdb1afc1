"""A plan as JSON: docs/plan.schema.json describes it."""

from __future__ import annotations

import dataclasses
import json

from cudacheck.planning.answer import Planned
from cudacheck.render import Format, Shown
from cudacheck.render.formats.json import escaped


def render(planned: Planned, shown: Shown) -> str:
    plan = json.dumps(dataclasses.asdict(planned.plan), indent=2, ensure_ascii=False)
    return escaped(f"{plan}\n", shown.encoding)


FORMAT = Format(render=render, endings=(".json",), media_type="application/json")
