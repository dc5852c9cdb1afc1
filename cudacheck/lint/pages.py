"""The page of each lint rule, and the list of them, as docs/generate.py writes them."""

from __future__ import annotations

from pathlib import Path

from cudacheck.lint.rule import NamedRule, rules


def pages(folder: Path) -> dict[Path, str]:
    """Every generated file of docs/lint-rules with the text it should have."""
    wanted = {folder / f"{rule.id}.md": page(rule) for rule in rules()}
    rows = [f"| [{rule.id}]({rule.id}.md) | {rule.rule.severity} | {rule.title} |" for rule in rules()]
    head = [
        "# Lint rules",
        "",
        "What `cudacheck lint` finds: [lint.md](../lint.md).",
        "",
        "| rule | severity | |",
        "|---|---|---|",
    ]
    return wanted | {folder / "README.md": "\n".join([*head, *rows, ""])}


def page(rule: NamedRule) -> str:
    head, _, body = rule.doc.partition("\n")
    lines = [f"# {rule.id}", "", f"**{rule.rule.severity}** · {head}", body.rstrip(), "", "## Examples"]
    for kind, examples in (("found", rule.rule.finds), ("left alone", rule.rule.quiet)):
        for name, example in examples.items():
            fence = "````" if "```" in example.text else "```"
            lines += ["", f"{kind}: {name} (`{example.file}`)", fence, example.text.rstrip("\n"), fence]
    return "\n".join(lines) + "\n"
