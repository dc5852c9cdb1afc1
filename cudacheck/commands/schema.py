"""The JSON Schemas of what the commands print with `--format json`: one table, for the command and for docs/."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from cudacheck.commands.config import json_schema as of_config
from cudacheck.commands.explain import json_schema as of_explain
from cudacheck.comparing.document import json_schema as of_diff
from cudacheck.comparing.fleet.document import json_schema as of_fleet
from cudacheck.planning.answer import json_schema as of_plan
from cudacheck.render.lint.json import json_schema as of_lint
from cudacheck.reports.schema import json_schema as of_report

SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "report": of_report,
    "plan": of_plan,
    "diff": of_diff,
    "fleet": of_fleet,
    "lint": of_lint,
    "explain": of_explain,
    "config": of_config,
}


def text_of(name: str) -> str:
    """One of them, as docs/NAME.schema.json has it."""
    return json.dumps(SCHEMAS[name](), indent=2, ensure_ascii=False) + "\n"
