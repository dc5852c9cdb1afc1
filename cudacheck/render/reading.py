"""A page of Markdown at a terminal."""

from __future__ import annotations

import io

from rich.console import Console
from rich.markdown import Markdown

from cudacheck.render import out
from cudacheck.render._clean import passing


def drawn(page: str, width: int, *, colour: bool) -> str:
    """Headings, lists and blocks of code as a terminal of that width shows them; addresses stay to be copied."""
    console = Console(file=io.StringIO(), width=width, force_terminal=colour, no_color=not colour)
    with console.capture() as capture:
        console.print(Markdown(page, hyperlinks=False, code_theme="ansi_dark"))
    text = "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"
    return passing(text, out.encoding(), colour=colour)
