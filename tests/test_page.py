"""The report as a page, in a real Chromium: nothing runs or is fetched but what is ours, and everybody can read it."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import steps_example as example
from axe_playwright_python.sync_playwright import Axe
from patients import clean_environment
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from present import present
from test_markdown import MARKUP
from test_screen import ATTACK, harmful_in, report_saying

from cudacheck.commands import doctor as inspecting
from cudacheck.comparing.compare import Diff, Diffs, Labelled, LikelyReason, compare_all
from cudacheck.comparing.difference import Difference
from cudacheck.model.findings import Finding, Remedy, Severity
from cudacheck.model.report import Report, State, Verdict
from cudacheck.render import _html, as_text
from cudacheck.reports.write import dumps

pytestmark = pytest.mark.whole

HERE = Path(__file__).parent
SICK = HERE / "tickets" / "driver-too-old-by-versions.txt"
SHOWN = [SICK, *(HERE / "replays" / f"h200-{name}.json" for name in ("doctor", "bench-kernels", "steps-all"))]
WIDTHS = (390, 1280)
SCRIPTS = (
    "<script>window.owned = 1</script>",
    "</script><script>window.owned = 1</script>",
    "</style><script>window.owned = 1</script>",
    "</pre></code></details><img src=x onerror=window.owned=1>",
    "<svg onload=window.owned=1>",
    "\"><img src=x onerror='window.owned=1'>",
    "' onmouseover='window.owned=1' x='",
    "javascript:window.owned=1",
    "{{ 7 * 7 }}{% for x in y %}",
    "<!-- --!> <script>window.owned = 1</script>",
    "]]><script>window.owned = 1</script>",
    "<iframe srcdoc='<script>parent.owned = 1</script>'></iframe>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example><a href=x>x</a>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<form action=https://evil.example><input autofocus onfocus=window.owned=1></form>",
    "&lt;script&gt;window.owned = 1&lt;/script&gt;",
    "\\u003cscript\\u003ewindow.owned = 1\\u003c/script\\u003e",
    "<details open ontoggle=window.owned=1>",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's, as `apt install chromium` brings it; Playwright's own would be downloaded."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium: apt install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        started.close()


class Visit:
    """One page, opened, and what it did meanwhile."""

    def __init__(self, browser: Browser, folder: Path, report: Report | str, **options: Any) -> None:
        path = folder / "report.html"
        text = report if isinstance(report, str) else as_text(report, "html")
        path.write_text(text, encoding="utf-8")
        self.context: BrowserContext = browser.new_context(**options)
        self.page: Page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append(dialog.message))
        self.fetched: list[str] = []
        self.page.on("requestfinished", lambda request: self.fetched.append(request.url))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.url = path.as_uri()
        self.page.goto(self.url)

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def unfold(self) -> None:
        self.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")


def report_of(path: Path) -> Report:
    return inspecting.pasted([str(path)]).report


def broken(words: str) -> Report:
    finding = Finding(words, remedies=(Remedy(words, (words,)),), severity=Severity.ERROR, rule="r")
    return report_saying(words, findings=(finding,), verdict=Verdict(State.BROKEN, words))


def differing(words: str) -> str:
    """A page on which two reports are compared: strangers wrote whatever it says."""
    finding = Finding(words, severity=Severity.ERROR, rule=words)
    told = Difference("Distribution", words, words, words, (words,))
    lists = Difference(words, words, words, ("a", words), ("b",))
    following = Difference(words, words, words, "", words, follows=told.what)
    reasons = (LikelyReason(finding, (told, lists)), LikelyReason(finding, first_is_silent=True))
    diff = Diff((told, following, *[lists] * 40), reasons, (finding,), 1, 0)
    report = broken(words)
    return as_text(
        Diffs(Labelled(words, report), ((Labelled(words, report, is_file=True), diff),)), "html", folder="diff"
    )


def diff_of(*paths: Path) -> Diffs:
    first, *others = (Labelled(path.name, report_of(path), is_file=True) for path in paths)
    return compare_all(first, others)


ELEMENTS = "[...document.querySelectorAll('*')].map(one => one.tagName + ' ' + one.getAttributeNames().sort())"


@pytest.fixture(scope="module")
def calm(browser, tmp_path_factory):
    """The elements of a page on which strangers wrote two letters."""

    def elements(of: Callable[[str], Report | str]) -> list[str]:
        with Visit(browser, tmp_path_factory.mktemp("calm"), of("a b")) as visit:
            visit.unfold()
            found: list[str] = visit.page.evaluate(ELEMENTS)
            return found

    return {of: elements(of) for of in (report_saying, broken, differing)}


@pytest.mark.parametrize("words", [*SCRIPTS, *MARKUP, ATTACK])
def test_what_strangers_wrote_is_inert(browser, calm, tmp_path, words):
    """The same elements with the same attributes as where they wrote two letters; nothing ran, nothing was fetched."""
    for of, elements in calm.items():
        with Visit(browser, tmp_path, of(words)) as visit:
            visit.unfold()
            assert visit.page.evaluate("window.owned") is None
            assert visit.page.evaluate(ELEMENTS) == elements
            assert visit.said == []
            assert visit.asked == [visit.url]
            assert not harmful_in(visit.page.inner_text("h1"))
            assert not harmful_in("".join(visit.page.locator("main :is(h2, p, li, td, th)").all_inner_texts()))


@pytest.mark.parametrize("words", [words for words in (*SCRIPTS, *MARKUP) if not words.startswith(" ")])
def test_what_strangers_wrote_is_read_as_it_is(browser, tmp_path, words):
    with Visit(browser, tmp_path, report_saying(words)) as visit:
        assert present(visit.page.text_content("h1")).split(" ", 1)[1] == " ".join(words.split("\t"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("told", [*SHOWN, SHOWN[:2], SHOWN], ids=[*(path.stem for path in SHOWN), "diff", "diff of 4"])
def test_everybody_can_read_it(browser, tmp_path, told, width, scheme):
    """axe-core finds nothing, folded and unfolded; nothing is wider than the screen; nothing is fetched."""
    options = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    page = report_of(told) if isinstance(told, Path) else as_text(diff_of(*told), "html", folder="diff")
    with Visit(browser, tmp_path, page, **options) as visit:
        over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert visit.page.evaluate(over) == 0
        visit.unfold()
        assert visit.page.evaluate(over) == 0
        found = Axe().run(visit.page)
        assert found.violations_count == 0, found.generate_report()
        assert visit.asked == [visit.url]
        assert visit.said == []


def test_the_policy_stops_what_would_slip_in(browser, tmp_path):
    """Were a value not escaped, it would still not run."""
    page = as_text(report_of(SICK), "html")
    spoilt = page.replace("<main>", "<main><script>window.owned = 1</script><img src=x onerror=window.owned=1>")
    assert spoilt != page
    with Visit(browser, tmp_path, spoilt) as visit:
        assert visit.page.evaluate("window.owned") is None
        assert len([line for line in visit.said if "Content Security Policy" in line]) >= 2
        assert visit.fetched == [visit.url]


def test_a_button_copies_the_command_as_it_is(browser, tmp_path):
    command = "python -m pip install 'torch==2.9.0'  --index-url https://x/whl/cu128 # <b> & `a`"
    finding = Finding("m", remedies=(Remedy("t", (command, "    second")),), severity=Severity.ERROR, rule="r")
    report = report_saying("a", findings=(finding,), verdict=Verdict(State.BROKEN, "m"))
    with Visit(browser, tmp_path, report, permissions=["clipboard-read", "clipboard-write"]) as visit:
        visit.page.click("button[data-copies=c1-1]")
        visit.page.wait_for_selector("button[data-copies=c1-1]:has-text('copied')")
        assert visit.page.text_content("#said") == "copied"
        assert visit.page.evaluate("navigator.clipboard.readText()") == f"{command}\n    second\n"
        visit.page.click("button[data-copies=report]")
        visit.page.wait_for_selector("button[data-copies=report]:has-text('copied')")
        assert visit.page.text_content("button[data-copies=c1-1]") == "copy"
        copied = visit.page.evaluate("navigator.clipboard.readText()")
        assert inspecting.read(copied).findings == inspecting.read(dumps(report)).findings


def test_without_scripts_all_of_it_is_there(browser, tmp_path):
    with Visit(browser, tmp_path, report_of(SICK), java_script_enabled=False) as visit:
        assert not visit.page.is_visible("button")
        assert "sudo apt install nvidia-driver" in visit.page.inner_text("main")


def test_it_can_be_printed(browser, tmp_path):
    with Visit(browser, tmp_path, report_of(SHOWN[1])) as visit:
        assert visit.page.pdf().startswith(b"%PDF")
        visit.page.emulate_media(media="print")
        assert not visit.page.is_visible("button")


def test_it_draws_what_was_measured(browser, tmp_path):
    with Visit(browser, tmp_path, report_of(SHOWN[2])) as visit:
        visit.unfold()
        widths = visit.page.eval_on_selector_all(".bar .front", "all => all.map(one => +one.getAttribute('width'))")
        assert len(widths) > 20
        shares = [int(n) for n in re.findall(r"(\d+)% of the datasheet", visit.page.inner_text("main"))]
        assert all(abs(width - share) <= 0.6 for width, share in zip(widths, shares, strict=False))
        points = present(visit.page.get_attribute("polyline", "points")).split()
        assert len(points) > 20
    with Visit(browser, tmp_path, example.report(*example.EVERYTHING)) as visit:
        assert visit.page.locator(".ladder tbody tr").count() > 20
        assert "decode graph" in visit.page.inner_text(".ladder")


def test_thousands_of_facts_stay_a_page(browser, tmp_path):
    many = dataclasses.replace(report_saying("a"), findings=(Finding("m", severity=Severity.WARNING, rule="r"),) * 3000)
    with Visit(browser, tmp_path, many) as visit:
        assert visit.page.locator("section").count() < 300


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_every_encoding_shows_the_same(browser, tmp_path, encoding):
    told = as_text(report_of(SHOWN[3]), "html", encoding=encoding)
    assert not harmful_in(told)
    told.encode(encoding)
    with Visit(browser, tmp_path, told) as one, Visit(browser, tmp_path, as_text(report_of(SHOWN[3]), "html")) as other:
        seen = [re.sub(r"T\d\d:\d\d:\d\d", "", visit.page.inner_text("body")) for visit in (one, other)]
        assert seen[0] == seen[1]


def test_without_jinja_it_is_asked_for_before_the_work():
    code = "import sys; sys.modules['jinja2'] = None; sys.argv[0] = 'cudacheck'\n"
    code += "from cudacheck.__main__ import main; main()"
    for arguments in (("doctor", "--format", "html"), ("ticket", "-o", "x.html"), ("doctor", "--output", "x.html")):
        told = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=clean_environment(),
        )
        assert told.returncode == 2
        assert told.stdout == ""
        (line,) = told.stderr.splitlines()
        assert line == f"cudacheck: the format html needs jinja2: {sys.executable} -m pip install 'cudacheck[html]'"


def test_two_reports_stand_side_by_side_and_below_each_other_where_it_is_narrow(browser, tmp_path):
    page = as_text(diff_of(SHOWN[1], SICK), "html", folder="diff")
    for width, beside in ((1280, True), (390, False)):
        with Visit(browser, tmp_path, page, viewport={"width": width, "height": 900}) as visit:
            assert visit.page.locator("h1").count() == 1
            before, after = (present(card.bounding_box()) for card in visit.page.locator(".two > div").all())
            assert (before["y"] == after["y"] and before["x"] < after["x"]) is beside
            row = visit.page.locator(".sides tr", has_text="driver version")
            assert row.locator("td").all_inner_texts() == ["580.159.04", "535.129.03"]


def test_what_the_page_is_made_of_stands_beside_it():
    """hatchling takes every file of the package into the wheel."""
    pages = {"base.html", "parts.html", "report.html", "diff.html"}
    assert {path.name for path in _html.PAGE.iterdir()} == {*pages, "page.css", "page.js"}
