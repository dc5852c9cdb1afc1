"""Write what is generated in docs/: a page for every rule of doctor and lint, lists, JSON Schemas.

    python docs/generate.py

They tell of the checkout that this file stands in. tests/test_docs.py fails when a page is not what this would write.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # of this checkout, whichever one is installed

from cudacheck import knowledge
from cudacheck.commands import schema
from cudacheck.commands._printed import as_printed
from cudacheck.commands._rule_page import rule_page
from cudacheck.lint.pages import pages as lint_pages
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Remedy
from cudacheck.registry import rules
from cudacheck.remedies import article

DOCS = Path(__file__).resolve().parent


def pages() -> dict[Path, str]:
    """Every generated file with the text it should have."""
    wanted = {DOCS / "rules" / f"{rule.id}.md": rule_page(rule) for rule in rules()}
    rows = [
        f"| [{rule.id}]({rule.id}.md) | {rule.severity} | {rule.layer.name.lower().replace('_', ' ')} | {rule.title} |"
        for rule in rules()
    ]
    wanted[DOCS / "rules" / "README.md"] = "\n".join(
        [
            "# Rules",
            "",
            "In the order in which root causes are printed.",
            "",
            "| rule | severity | layer | |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )
    wanted[DOCS / "messages.md"] = messages()
    wanted |= {DOCS / f"{name}.schema.json": schema.text_of(name) for name in schema.SCHEMAS}
    wanted[DOCS / "schema.md"] = schemas()
    wanted[DOCS / "decisions" / "README.md"] = decisions()
    wanted |= lint_pages(DOCS / "lint-rules")
    wanted[DOCS / "zh" / "article.md"] = with_blocks((DOCS / "zh" / "article.md").read_text(encoding="utf-8"))
    return wanted


def schemas() -> str:
    """The JSON Schemas as tables: what each object has, the document itself first."""
    lines = ["# Schemas", "", "What `--format json` prints, field by field. Optional fields are marked `?`."]
    for name, made in schema.SCHEMAS.items():
        shape = made()
        lines += [
            "",
            f"## {shape['title'].removeprefix('cudacheck ')}",
            f"The same for programs: [{name}.schema.json]",
        ]
        lines[-1] += f"({name}.schema.json)."
        lines += fields(shape)
        for title, definition in sorted(shape.get("$defs", {}).items()):
            lines += ["", f"### {title}", *fields(definition)]
    return "\n".join([*lines, ""])


def fields(schema: dict[str, Any]) -> list[str]:
    """A table of an object's fields; for an enumeration its values."""
    about = [" ".join(schema["description"].split())] if "description" in schema else []
    if "properties" not in schema:
        return ["", *about, f"One of {type_of(schema)}."]
    required = set(schema.get("required", ()))
    rows = [
        f"| `{name}`{'' if name in required else ' ?'} | {type_of(field)} | {field.get('description', '')} |"
        for name, field in schema["properties"].items()
    ]
    return ["", *about, *([""] if about else []), "| field | type | |", "|---|---|---|", *rows]


def type_of(field: dict[str, Any]) -> str:
    """In words: `list of Finding`, `string or null`."""
    if "$ref" in field:
        return str(field["$ref"].rpartition("/")[2])
    if "anyOf" in field:
        return " or ".join(type_of(one) for one in field["anyOf"])
    if values := field.get("enum", [field["const"]] if "const" in field else []):
        return ", ".join(f"`{value}`" for value in values)
    if field.get("type") == "array":
        return f"list of {type_of(field.get('items', {}))}"
    kind = field.get("type", "anything")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def decisions() -> str:
    """The list of decisions, by their titles."""
    pages = [path for path in sorted((DOCS / "decisions").glob("*.md")) if path.name != "README.md"]
    titles = [path.read_text(encoding="utf-8").partition("\n")[0] for path in pages]
    rows = [
        f"- [{p.stem[:4]}]({p.name}): {re.sub('^# ([0-9]+: )?', '', t)}" for p, t in zip(pages, titles, strict=True)
    ]
    return "\n".join(["# Decisions", "", *rows, ""])


def with_blocks(page: str) -> str:
    """A page whose sections C1 to C9 end in what there is to type on a machine of which nothing is known."""
    section = re.compile(r"(### C(\d)\n.*?\n)(?:\n```.*?\n```\n)*(?=\n##)", re.DOTALL)
    return section.sub(lambda found: found[1] + typed(article.block(int(found[2]), Facts())), page)


def typed(remedy: Remedy) -> str:
    """The remedy's code, then its commands, each as a block."""
    parts = {"python": remedy.edit.rstrip(), "sh": "\n".join(remedy.commands)}
    return "".join(f"\n```{language}\n{text}\n```\n" for language, text in parts.items() if text)


def messages() -> str:
    """The table of what programs print, by program."""
    heads = [
        "# Messages",
        "",
        "What programs print when something is wrong, and the rule that it proves; `{…}` stands for what changes. Each",
        "text is understood quoted, logged, wrapped or in the midst of others. What does not decide alone convicts of",
        "nothing: `asks` names the rules that may be behind it, and the answers to what is asked tell which of them.",
        "What means something only beside other facts is in the rules themselves. Where a source could not be opened,",
        "the text was seen in what others pasted or copied.",
        "",
        "| program | versions | text | proves | read in |",
        "|---|---|---|---|---|",
    ]
    ordered = sorted(knowledge.messages(), key=lambda row: (row.program.lower(), row.text))
    return "\n".join([*heads, *map(message, ordered), ""])


def message(row: knowledge.Message) -> str:
    text = as_printed(row.text).replace("|", "&#124;")
    rule = ", ".join(f"[{rule_id}](rules/{rule_id}.md)" for rule_id in row.may_be or (row.proves,))
    rule = f"asks: {rule}" if row.may_be else rule
    address, _, shipped = row.source.partition(": ")
    read = ", ".join(filter(None, [f"[source]({address})", shipped, "" if row.verified else "not opened"]))
    return f"| {row.program} | {row.versions} | `` {text} `` | {rule} | {read} |"


def main() -> None:
    wanted = pages()
    for old in [*(DOCS / "rules").glob("*.md"), *(DOCS / "lint-rules").glob("*.md")]:
        if old not in wanted:
            old.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
