"""The pages in a real browser: nothing is loaded or reported as wrong, and no barrier that axe-core knows.

The browser is Debian's chromium, driven by playwright; nothing is downloaded.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from finished_run import QUERIES, QUESTIONS, finished
from sourcewise.view.exporting import export
from sourcewise.view.serving import Server
from sourcewise.view.site import Site

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.skipif(
        CHROMIUM is None and "SOURCEWISE_CI" not in os.environ,
        reason="no chromium: apt-get install chromium",
    ),
    pytest.mark.timeout(600),
]
WIDE, PHONE = 1280, 360
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as started:
        # Chromium's own sandbox needs rights that root in a container has not; the pages are our own.
        opened = started.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield opened
        opened.close()


class Visit:
    """A page as a reader has it open, with everything that it asked for and complained of."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.asked: list[str] = []
        self.said: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.goto(address)
        # What is folded is looked at, too.
        self.page.evaluate(
            "for (const one of document.querySelectorAll('details')) one.open = true"
        )

    def barriers(self, *rules: str) -> list[str]:
        """What axe-core finds that is serious or worse, by all its rules or some, with the element."""
        options = {"runOnly": list(rules)} if rules else None
        found = Axe().run(self.page, options=options).response["violations"]
        return [
            f"{one['id']}: {one['help']}: {node['html'][:200]}"
            for one in found
            if one["impact"] in SERIOUS
            for node in one["nodes"]
        ]

    def width(self) -> int:
        """How many pixels the page takes, what scrolls inside it left out."""
        return int(self.page.evaluate("document.documentElement.scrollWidth"))


@contextmanager
def visiting(
    browser: Browser, address: str, *, dark: bool = False, width: int = WIDE
) -> Iterator[Visit]:
    """A visit of a page by a reader with this screen."""
    size: ViewportSize = {"width": width, "height": 800}
    context = browser.new_context(viewport=size, color_scheme="dark" if dark else "light")
    yield Visit(context.new_page(), address)
    context.close()


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The report, the trace browser's pages, and a page of its export."""
    run = finished(tmp_path_factory.mktemp("run"))
    run.experiments = {"worth": {"question": "What is training worth?", "arms": ["base", "good"],
                                 "baseline": "base", "benchmarks": ["exam"]}}  # fmt: skip
    run.report()
    (run.root / "params.yaml").write_text(yaml.safe_dump(run.sections()))
    server = Server(Site(run.root), 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    folder = tmp_path_factory.mktemp("exported") / "pages"
    export(run.root, folder, sample=4, seed=1, conditions={})
    query = QUERIES[0].query_id
    yield {
        "report": (run.root / "index.html").as_uri(),
        "results": server.url,
        "search": f"{server.url}?text=plus&accepted=split",
        "nothing found": f"{server.url}?text=nowhere",
        "query": f"{server.url}query/{query}?open=reasoning",
        "turned away": f"{server.url}rejected",
        "benchmark": f"{server.url}benchmarks?name=exam",
        "question": f"{server.url}query/{QUESTIONS[0].query_id}?samples=all",
        "problem": f"{server.url}query/{'0' * 32}",
        "export": (folder / "index.html").as_uri(),
    }
    server.shutdown()
    thread.join()


PAGES = (
    *("report", "results", "search", "nothing found", "query", "turned away"),
    *("benchmark", "question", "problem", "export"),
)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_for_itself_only_and_has_no_serious_barrier(
    browser: Browser, addresses: dict[str, str], name: str
) -> None:
    with visiting(browser, addresses[name]) as visit:
        assert visit.asked == [addresses[name]]
        # Chromium reports the status of an address that is not there; that is the page's point.
        assert visit.said == [] or name == "problem"
        assert visit.barriers() == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_read_in_the_dark(
    browser: Browser, addresses: dict[str, str], name: str
) -> None:
    with visiting(browser, addresses[name], dark=True) as visit:
        ground = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == "rgb(20, 24, 27)"
        assert visit.barriers("color-contrast") == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_phone(browser: Browser, addresses: dict[str, str], name: str) -> None:
    with visiting(browser, addresses[name], width=PHONE) as visit:
        assert visit.width() == PHONE
        assert visit.barriers("scrollable-region-focusable", "target-size") == []


def test_links_to_figures_lead_to_files(browser: Browser, addresses: dict[str, str]) -> None:
    with visiting(browser, addresses["report"]) as visit:
        links = visit.page.locator("figcaption a").evaluate_all("all => all.map(one => one.href)")
    assert len(links) >= 8
    assert all(Path(link.removeprefix("file://")).is_file() for link in links)


def test_the_tests_see_a_request_a_message_and_a_barrier(browser: Browser, tmp_path: Path) -> None:
    """That they pass says something only if they can fail."""
    bad = tmp_path / "bad.html"
    style = "<style>p { color: #eee; background: #fff } div { width: 2000px }</style>"
    bad.write_text(f"{style}<img src='x.png'><script>console.log('said')</script><p>pale<div>.")
    with visiting(browser, bad.as_uri(), width=PHONE) as visit:
        assert len(visit.asked) == 2
        assert "said" in visit.said
        assert visit.width() > PHONE
        found = visit.barriers()
        assert any(one.startswith("image-alt") for one in found)
        assert any(one.startswith("color-contrast") for one in found)
        assert visit.barriers("color-contrast") != []
