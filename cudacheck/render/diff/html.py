"""What is different, as a page: two reports side by side."""

from __future__ import annotations

from cudacheck import __version__
from cudacheck.comparing.compare import Diffs
from cudacheck.render import Format, Shown, _html
from cudacheck.render.diff import _outline


def render(diffs: Diffs, shown: Shown) -> str:
    """Always with all there is; what is less likely to matter is folded."""
    return _html.page("diff.html", shown.encoding, diffs=diffs, told=_outline, version=__version__)


FORMAT = Format(render=render, endings=(".html",), media_type="text/html", needs=_html.NEEDS)
