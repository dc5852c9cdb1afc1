"""The site of the docs: it builds without a warning, no link leads nowhere, and its search finds error messages."""

from __future__ import annotations

import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from sphinx.search.en import SearchEnglish

pytestmark = pytest.mark.whole

ROOT = Path(__file__).parents[1]
SEARCHED = {
    "Found no NVIDIA driver on your system": "driver-missing",
    "The NVIDIA driver on your system is too old": "driver-too-old",
    "no kernel image is available for execution on the device": "gpu-too-new-for-build",
    "Torch not compiled with CUDA enabled": "torch-cpu-build",
    "libcudnn.so.8: cannot open shared object file": "cudnn-missing",
    "Failed to initialize NVML: Driver/library version mismatch": "driver-library-mismatch",
    "No CUDA GPUs are available": "gpus-hidden",
    "could not select device driver with capabilities: [[gpu]]": "container-without-gpu",
    "flash_attn_2_cuda undefined symbol": "flash-attn-abi-mismatch",
    "CUDA out of memory. Tried to allocate": "gpu-memory-held",
    "CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH": "cudnn-conflict",
    "operator torchvision::nms does not exist": "torch-family-mismatch",
    "A module that was compiled using NumPy 1.x cannot be run in NumPy": "numpy-abi-mismatch",
    "GPU has fallen off the bus": "gpu-lost",
}
"""What people paste into a search, and the page that they need."""


class Page(HTMLParser):
    """What a page links to, loads, and can be linked to at."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attrs if value}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
        self.loads |= {given[name] for name in ("src", "href") if name in given and tag != "a"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the command that CONTRIBUTING.md names; a warning ends it."""
    built = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", str(built / "trees"), "docs"]
    done = subprocess.run(
        [*command, str(built / "html")], cwd=ROOT, capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, done.stderr
    return built / "html"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html")}


def test_no_link_leads_nowhere(pages: dict[Path, Page]):
    dead = []
    for path, page in pages.items():
        for link in (page.links | page.loads) - {"#"}:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            at = pages[target].anchors if target in pages else set()
            if not target.is_file() or (parts.fragment and target in pages and unquote(parts.fragment) not in at):
                dead.append(f"{path.name}: {link}")
    assert dead == []
    assert sum(len(page.links) for page in pages.values()) > 1000


def test_it_loads_nothing_from_elsewhere(pages: dict[Path, Page]):
    assert {link for page in pages.values() for link in page.loads if urlsplit(link).netloc} == set()


def test_it_has_a_page_for_every_page_of_the_docs(site: Path):
    docs = ROOT / "docs"
    written = {path.relative_to(docs).with_suffix("") for path in docs.rglob("*.md")}
    assert written - {path.relative_to(site).with_suffix("") for path in site.rglob("*.html")} == set()


@pytest.fixture(scope="module")
def index(site: Path) -> dict:
    text = (site / "searchindex.js").read_text(encoding="utf-8")
    return json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))


def pages_with(index: dict, query: str) -> set[str]:
    """The pages that have every word of it, as the site's own search looks for them (Sphinx' searchtools.js)."""
    english = SearchEnglish({})
    words = [word for word in english.split(query.lower()) if word not in english.stopwords and not word.isdigit()]
    return set.intersection(*(_pages_of(index, english.stem(word)) for word in words))


def _pages_of(index: dict, term: str) -> set[str]:
    found = [index[where].get(term, []) for where in ("terms", "titleterms")]
    numbers = {number for some in found for number in (some if isinstance(some, list) else [some])}
    return {index["docnames"][number] for number in numbers}


@pytest.mark.parametrize(("message", "rule"), SEARCHED.items())
def test_the_search_finds_the_page_of_a_message(index: dict, message: str, rule: str):
    assert f"rules/{rule}" in pages_with(index, message)


def test_the_search_finds_nothing_for_words_that_are_nowhere(index: dict):
    assert pages_with(index, "CUDA zyzzyva") == set()
