"""SARIF 2.1.0, for code scanning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cudacheck import __version__
from cudacheck.lint.linting import Linted
from cudacheck.lint.rule import LintFinding, NamedRule, rules
from cudacheck.render import Format, Shown
from cudacheck.render.formats.json import escaped

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render(linted: Linted, shown: Shown) -> str:
    named = {finding.rule for finding in linted.findings}
    listed = [rule for rule in rules() if rule.id in named]
    run = {
        "tool": {"driver": {"name": "cudacheck", "version": __version__, "rules": [_rule(rule) for rule in listed]}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding) for finding in linted.findings],
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return escaped(json.dumps(log, indent=2, ensure_ascii=False) + "\n", shown.encoding)


def _rule(rule: NamedRule) -> dict[str, Any]:
    described = {"id": rule.id, "shortDescription": {"text": f"{rule.title}."}, "fullDescription": {"text": rule.title}}
    return described | {"help": {"text": rule.doc, "markdown": rule.doc}, "helpUri": rule.references[0]}


def _result(finding: LintFinding) -> dict[str, Any]:
    place = finding.place
    region = {"startLine": place.line, "startColumn": place.column}
    if place.end_line:
        region |= {"endLine": place.end_line, "endColumn": place.end_column}
    path = finding.path
    uri = Path(path).as_uri() if path.startswith("/") else quote(path, errors="surrogateescape")
    location = {"artifactLocation": {"uri": uri}, "region": region}
    message = finding.message + (f"; instead: {finding.instead}" if finding.instead else "")
    return {
        "ruleId": finding.rule,
        "level": str(finding.severity),
        "message": {"text": message},
        "locations": [{"physicalLocation": location}],
    }


FORMAT = Format(render=render, endings=(".sarif",), media_type="application/sarif+json")
