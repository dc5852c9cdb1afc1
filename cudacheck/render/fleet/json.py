"""A fleet as JSON: docs/fleet.schema.json describes it."""

from __future__ import annotations

import dataclasses
import json

from cudacheck.comparing.fleet.document import Told, document
from cudacheck.render import Format, Shown
from cudacheck.render.formats.json import escaped


def render(told: Told, shown: Shown) -> str:
    whole = json.dumps(dataclasses.asdict(document(told)), indent=1, ensure_ascii=False)
    return escaped(f"{whole}\n", shown.encoding)


FORMAT = Format(render=render, endings=(".json",), media_type="application/json")
