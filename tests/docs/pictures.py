"""Makes the pictures of docs/: `python -m tests.docs.pictures`, with Chromium there."""

from pathlib import Path
from tempfile import TemporaryDirectory

from lab.run import run_scenario
from lab.trace.reader import open_trace
from lab.trace.writer import TraceWriter
from lab.views.report.model import report_of
from lab.views.report.page import render_page
from tests.lab.browser import open_browser

DOCS = Path(__file__).parents[2] / "docs"


def main() -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        with TraceWriter(folder / "run.l4trace") as writer:
            run_scenario("faq_nested_call", trace=writer)
        page = folder / "report.html"
        with open_trace(folder / "run.l4trace") as trace:
            page.write_text(render_page(report_of(trace)), encoding="utf-8")
        with open_browser(folder / "browser", size="1400,1000") as browser:
            browser.get(page.as_uri())
            browser.save_screenshot(str(DOCS / "report.png"))


if __name__ == "__main__":
    main()
