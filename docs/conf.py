"""The site: `python -m sphinx -W --keep-going docs build/site`, without a network; warnings are errors.

The pages are those that a reader of the repository sees, and the texts of its root; only what Sphinx needs beyond that
is added here: links to the root's texts, and lists of a folder's pages for the navigation.
"""

from __future__ import annotations

import re

from sphinx.application import Sphinx

from cudacheck import __version__

project = "cudacheck"
copyright = "the cudacheck engineers"  # noqa: A001 - Sphinx's own name for it
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["issue-form"]
myst_heading_anchors = 4  # links to headings, as GitHub makes them
myst_enable_extensions = ["linkify"]
myst_linkify_fuzzy_links = False  # only what is an address: `model.py` is none
smartquotes = False  # what software prints is quoted as it is

html_theme = "furo"
html_title = f"cudacheck {__version__}"
html_copy_source = False
html_show_sourcelink = False
autodoc_typehints = "description"
default_role = "code"  # what stands in single backticks in a docstring

OF_ROOT = {
    "README.md": "index.md",
    "README.zh-CN.md": "zh.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
"""The repository's own texts, and the pages of the site that include them."""
PAGES_OF_FOLDER = "\n\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n"


def within_site(text: str, docname: str, root: str) -> str:
    """The page's text with its links to the root's texts and to `docs/`, seen at `root`, made links of the site."""
    up = "../" * docname.count("/")
    names = "|".join(map(re.escape, ["docs/", *OF_ROOT]))
    return re.sub(rf"\]\({root}({names})", lambda found: f"]({up}{OF_ROOT.get(found[1], '')}", text)


def setup(app: Sphinx) -> None:
    """Called by Sphinx with each text that it reads, its own and included ones."""

    def read(_: Sphinx, docname: str, content: list[str]) -> None:
        content[0] = within_site(content[0], docname, r"\.\./" * (docname.count("/") + 1))
        if docname.endswith("/README"):
            content[0] += PAGES_OF_FOLDER

    def included(_: Sphinx, _path: object, docname: str, content: list[str]) -> None:
        content[0] = within_site(content[0], docname, "")

    app.connect("source-read", read)
    app.connect("include-read", included)
