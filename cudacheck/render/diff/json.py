"""What is different, as JSON: docs/diff.schema.json describes it."""

from __future__ import annotations

import dataclasses
import json

from cudacheck.comparing.compare import Diffs
from cudacheck.comparing.document import document
from cudacheck.render import Format, Shown
from cudacheck.render.formats.json import escaped


def render(diffs: Diffs, shown: Shown) -> str:
    told = json.dumps(dataclasses.asdict(document(diffs)), indent=2, ensure_ascii=False)
    return escaped(f"{told}\n", shown.encoding)


FORMAT = Format(render=render, endings=(".json",), media_type="application/json")
