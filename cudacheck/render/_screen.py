"""Lines with our own colours as a screen's text, whoever wrote the words in them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.text import Text

from cudacheck.render import Shown
from cudacheck.render._clean import harmless, passing, wrapped

STYLES = {"✓": "bold green", "?": "bold yellow", "✗": "bold red", "!": "bold yellow", "·": "bold blue"}
"""Of the marks before a headline."""


def printed(lines: Iterable[Text], width: int, shown: Shown) -> str:
    """As they are: what must be copied is neither wrapped nor cut here."""
    console = Console(
        # A string of our own: while capturing, Console would still touch a stdout that may be closed or full.
        file=io.StringIO(),
        width=width,
        force_terminal=shown.colour,
        no_color=not shown.colour,
        color_system="auto" if shown.colour else None,
        highlight=False,
    )
    with console.capture() as capture:
        for line in lines:
            line.plain = harmless(line.plain)  # whatever was forgotten on the way: colours are ours alone
            console.print(line, soft_wrap=True)
    text = "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"
    return passing(text, shown.encoding, colour=shown.colour)


def headline(mark: str, message: str, width: int, right: str = "") -> Iterator[Text]:
    """A mark and a message; at the right of the line, or below where there is no room, what it is called."""
    first, *rest = wrapped(message, width - 2) or [""]
    line = Text.assemble((f"{mark} ", STYLES[mark]), (first, "bold"))
    if right and not rest and len(first) + len(right) + 5 <= width:
        line.append(" " * (width - len(line) - len(right)))
        line.append(right, "dim")
        right = ""
    yield line
    for more in rest:
        yield Text.assemble("  ", (more, "bold"))
    if right:
        yield Text.assemble("  ", (right, "dim"))
