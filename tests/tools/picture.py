"""Takes the pictures of the page that docs/tickets.md shows, of a replay: `python tests/tools/picture.py`.

Needs Chromium, playwright and pillow (the `test` extra brings both).
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from cudacheck.commands import doctor
from cudacheck.commands.ticket import ticket_of

ROOT = Path(__file__).parents[2]
CHROMIUM = "/usr/bin/chromium"
PICTURES = (
    ("ticket-page.png", "tests/replays/h200-bench-kernels.json", 1000, 1080, "light"),
    ("ticket-page-phone.png", "tests/tickets/driver-too-old-by-versions.txt", 390, 900, "dark"),
)
"""The file, what it shows, width and height in pixels, colours."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, source, width, height, scheme in PICTURES:
            page_file = Path(folder) / "page.html"
            report = doctor.pasted([str(ROOT / source)]).report
            page_file.write_text(ticket_of(report, "html").text, encoding="utf-8")
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
            page = context.new_page()
            page.goto(page_file.as_uri())
            picture = Image.open(io.BytesIO(page.screenshot()))
            picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=64).save(
                ROOT / "docs" / "pictures" / name, optimize=True
            )
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
