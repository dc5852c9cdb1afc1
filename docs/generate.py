"""Write what is generated in docs/: a page for every rule of doctor and lint, lists, JSON Schemas.

    python docs/generate.py

They tell of the checkout that this file stands in. tests/test_docs.py fails when a page is not what this would write.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # of this checkout, whichever one is installed

from cudacheck import knowledge
from cudacheck.commands import explain
from cudacheck.commands._printed import as_printed
from cudacheck.comparing.document import json_schema as diff_schema
from cudacheck.comparing.fleet.document import json_schema as fleet_schema
from cudacheck.commands import explain, schema
from cudacheck.lint.pages import pages as lint_pages
from cudacheck.registry import rules
from cudacheck.render.lint.json import json_schema as lint_schema
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Remedy
from cudacheck.planning.answer import json_schema as plan_schema
from cudacheck.registry import rules
from cudacheck.remedies import article
from cudacheck.reports.schema import json_schema

DOCS = Path(__file__).resolve().parent


def pages() -> dict[Path, str]:
    """Every generated file with the text it should have."""
    wanted = {DOCS / "rules" / f"{rule.id}.md": explain.rule_page(rule) for rule in rules()}
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
    wanted |= lint_pages(DOCS / "lint-rules")
    wanted[DOCS / "zh" / "article.md"] = with_blocks((DOCS / "zh" / "article.md").read_text(encoding="utf-8"))
    return wanted


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
        "text is understood quoted, logged, wrapped or in the midst of others. What means something only beside other",
        "facts is in the rules themselves.",
        "",
        "| program | versions | text | proves | read in |",
        "|---|---|---|---|---|",
    ]
    ordered = sorted(knowledge.messages(), key=lambda row: (row.program.lower(), row.text))
    return "\n".join([*heads, *map(message, ordered), ""])


def message(row: knowledge.Message) -> str:
    text = as_printed(row.text).replace("|", "&#124;")
    rule = f"[{row.proves}](rules/{row.proves}.md)"
    return f"| {row.program} | {row.versions} | `` {text} `` | {rule} | [source]({row.source.partition(': ')[0]}) |"


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
