"""The JSON Schema of a report, generated from the types."""

from __future__ import annotations

from typing import Any

from cudacheck.model.findings import Finding, Question, Unchecked
from cudacheck.model.report import SCHEMA_VERSION, Axis, ProbeRun, RequirementResult, Subject, Verdict


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a report, generated from the types; docs/report.schema.json is its copy."""
    from pydantic import TypeAdapter

    from cudacheck.registry import fact_types

    defs: dict[str, Any] = {}

    def ref(cls: type) -> dict[str, Any]:
        schema = TypeAdapter(cls).json_schema(ref_template="#/$defs/{model}", mode="serialization")
        defs.update(schema.pop("$defs", {}))
        defs[cls.__name__] = schema
        return {"$ref": f"#/$defs/{cls.__name__}"}

    def many(cls: type) -> dict[str, Any]:
        return {"type": "array", "items": ref(cls)}

    properties: dict[str, Any] = {
        "schema_version": {"type": "string", "pattern": r"^\d+\.\d+$"},
        "cudacheck_version": {"type": "string"},
        "knowledge_date": {
            "type": "string",
            "description": "when the tables were last compared with their sources",
        },
        "created": {"type": "string", "description": "ISO 8601, UTC"},
        "seconds": {"type": ["number", "null"], "description": "wall time of the inspection"},
        "subject": ref(Subject),
        "verdict": ref(Verdict),
        "requirements": many(RequirementResult),
        "findings": many(Finding),
        "questions": many(Question),
        "unchecked": many(Unchecked),
        "speed": many(Axis),
        "probes": many(ProbeRun),
        "facts": {
            "type": "object",
            "description": "facts by type; a type that is absent was not asked for or could not be found out",
            "properties": {name: many(cls) for name, cls in sorted(fact_types().items())},
            "additionalProperties": {"type": "array"},
        },
        "complete": {
            "type": "array",
            "items": {"type": "string"},
            "description": "fact types whose list is whole: an empty one means there is none",
        },
    }
    later = {"knowledge_date", "subject", "questions", "requirements"}  # they came with 1.1, 1.2, and 1.3 twice
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"cudacheck report, schema {SCHEMA_VERSION}",
        "type": "object",
        "required": [name for name in properties if name not in later],
        "properties": properties,
        "$defs": dict(sorted(defs.items())),
    }
