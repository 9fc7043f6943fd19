"""The report: one HTML file with messages, lives and findings, tried in a real browser."""

import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.run import run_scenario
from lab.trace.reader import open_trace
from lab.trace.writer import TraceWriter
from lab.views.report.model import report_of
from lab.views.report.page import render_page
from tests.lab.browser import open_browser
from tests.lab.cli import CommandLine

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>\u2028"


@pytest.fixture(scope="module")
def faq(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "faq.l4trace"
    with TraceWriter(path) as writer:
        run_scenario("faq_nested_call", trace=writer)
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with open_browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def page_of(trace: Path, folder: Path, **options: int) -> Path:
    with open_trace(trace) as opened:
        page = render_page(report_of(opened, **options))
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def data_of(page: Path) -> Any:
    found = re.search(r'<script id="data"[^>]*>(.*?)</script>', page.read_text(), re.DOTALL)
    assert found is not None
    return json.loads(found[1])


# -- what is in it ----------------------------------------------------------------


def test_a_report_has_messages_lives_and_findings(faq: Path, tmp_path: Path) -> None:
    data = data_of(page_of(faq, tmp_path))

    names = [column["name"] for column in data["columns"]]
    assert names == ["client", "server", "notifier"]
    messages = [
        (names[row["from"]], names[row["to"]], row["title"], row["words"], row["had"])
        for row in data["rows"]
        if row["kind"] == "message"
    ]
    assert messages[-3:] == [
        ("server", "notifier", "call notifier", ["0x9", "0x3"], ["0x0", "0x0"]),
        ("notifier", "server", "reply_and_wait", ["0x1", "0x7"], ["0x9", "0x3"]),
        ("server", "client", "reply_and_wait", ["0xe"], ["0x7"]),
    ]
    (finding,) = data["findings"]
    rows = data["rows"]
    assert rows[finding["row"]] == {
        "kind": "bad",
        "cycle": "11,661",
        "position": "830",
        "from": 1,
        "runs": 1,
        "title": "stale-read of mr[1]: 0x7, not 0x2a",
        "finding": "F1",
    }
    assert rows[finding["lost"]]["title"] == "overwrites mr[1]: mov qword ptr [rbx + 8], 3"
    bars = {bar["id"]: bar for bar in data["bars"]}
    meant, nested = bars[finding["message"]["id"]], bars[finding["clobber"]["message"]["id"]]
    assert rows[meant["begin"]]["words"] == ["0x7", "0x2a"]
    assert meant["begin"] < finding["lost"] < nested["begin"] < finding["row"] < meant["end"]
    assert (meant["column"], meant["level"], nested["column"], nested["level"]) == (1, 0, 1, 1)
    assert data["notes"] == []


def test_a_page_loads_nothing_and_lets_no_other_script_run(faq: Path, tmp_path: Path) -> None:
    page = page_of(faq, tmp_path).read_text()

    assert not re.search(r"(src|href)=|url\((?!#)|@import", page)
    assert 'http-equiv="Content-Security-Policy" content="default-src \'none\';' in page
    assert page == page_of(faq, tmp_path).read_text()


def test_a_long_run_is_cut_to_what_findings_are_about_and_says_so(
    faq: Path, tmp_path: Path
) -> None:
    data = data_of(page_of(faq, tmp_path, most=16))

    assert data["notes"] == ["16 of 40 events are in this report: those around the findings"]
    assert data["rows"][0]["event"] > 0
    assert data["findings"][0]["row"] is not None


def test_a_run_without_findings_is_cut_to_its_beginning_and_end(tmp_path: Path) -> None:
    path = tmp_path / "run.l4trace"
    with TraceWriter(path) as writer:
        run_scenario("pingpong", trace=writer, check=False)
    data = data_of(page_of(path, tmp_path, most=20))
    with open_trace(path) as trace:
        total = len(trace)

    kinds = [row["kind"] for row in data["rows"]]
    gap = kinds.index("gap")
    assert (kinds.count("gap"), kinds[-1]) == (1, "end")
    assert data["rows"][gap]["title"] == (
        f"{total - 20:,} events are left out, from event 10 on"
    )
    assert [data["rows"][gap + step]["event"] for step in (-1, 1)] == [9, total - 10]
    assert data["notes"] == [
        f"20 of {total:,} events are in this report: those at the beginning and the end",
        "nobody looked for findings: the checker did not watch this run",
    ]


def test_findings_of_any_shape_make_a_page(faq: Path, tmp_path: Path) -> None:
    strange = [
        {},
        {"id": [], "words": 7, "message": "no", "clobber": {"stores": [3, {"stack": {}}]}},
        {"id": HOSTILE, "summary": HOSTILE, "position": 1 << 70, "thread": "server"},
        {"id": "F9", "position": -1, "thread": HOSTILE, "access": {"stack": [{"line": "x"}]}},
        {"id": "F8", "position": 830, "thread": "server", "clobber": {"delivery": 5}},
    ]
    path = tmp_path / "run.l4trace"
    path.write_bytes(faq.read_bytes())
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM finding")
        for k, body in enumerate(strange):
            database.execute("INSERT INTO finding VALUES (?, ?)", (k, json.dumps(body)))
    database.close()

    data = data_of(page_of(path, tmp_path))

    assert [finding["id"] for finding in data["findings"]][3:] == ["F9", "F8"]
    assert data["findings"][4]["row"] is not None


# -- the command ------------------------------------------------------------------


def test_a_scenario_is_run_for_its_report(l4lab: CommandLine, tmp_path: Path) -> None:
    page = tmp_path / "page.html"

    called = l4lab("report", "faq_nested_call", "-o", str(page), "--arch", "ia32")

    size = page.stat().st_size
    assert (called.code, called.out) == (0, f"wrote {page}, {size:,} bytes\n")
    assert data_of(page)["title"] == "faq_nested_call on ia32"


def test_the_report_of_a_trace_is_that_of_its_scenario(
    l4lab: CommandLine, faq: Path, tmp_path: Path
) -> None:
    one, other = tmp_path / "one.html", tmp_path / "other.html"

    assert l4lab("report", str(faq), "-o", str(one)).code == 0
    assert l4lab("report", "faq_nested_call", "-o", str(other)).code == 0

    assert one.read_bytes() == other.read_bytes()


def test_a_wrong_option_is_one_message(l4lab: CommandLine, faq: Path, tmp_path: Path) -> None:
    called = l4lab("report", str(faq), "-o", str(tmp_path / "page.html"), "--arch", "ia32")

    assert (called.code, called.out) == (3, "")
    assert called.err == f"l4lab: --arch is for a scenario: {faq} is a trace\n"


# -- in a browser -----------------------------------------------------------------


def find(browser: Any, selector: str) -> Any:
    return browser.find_element("css selector", selector)


def find_all(browser: Any, selector: str) -> list[Any]:
    found: list[Any] = browser.find_elements("css selector", selector)
    return found


def open_page(browser: Any, page: Path) -> None:
    browser.get("about:blank")
    browser.get(page.as_uri())


def errors_of(browser: Any) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser")]


def test_a_click_on_a_finding_shows_its_words(browser: Any, faq: Path, tmp_path: Path) -> None:
    open_page(browser, page_of(faq, tmp_path))
    find(browser, "#rows").send_keys("\ue011")  # Home
    find_all(browser, ".row.message")[2].click()
    assert find(browser, "#details h3").text == "client → server"

    find(browser, "button.finding").click()

    details = find(browser, "#details")
    assert details.find_element("css selector", "h3").text == "F1 stale-read of mr[1]"
    here = details.find_elements("css selector", "tr.here td")
    assert [cell.text for cell in here] == ["mr[1]", "0x2a", "0x7", "STALE", "kernel, M19"]
    assert "dispatch reads 0x7 in mr[1], but client sent 0x2a" in details.text
    assert find(browser, ".row[aria-selected=true]").text.endswith("0x7, not 0x2a")
    assert browser.current_url.endswith("#F1")
    assert errors_of(browser) == []


def test_messages_are_bars_and_the_stale_one_is_red_from_overwrite_to_read(
    browser: Any, faq: Path, tmp_path: Path
) -> None:
    page = page_of(faq, tmp_path)
    open_page(browser, page)
    finding = data_of(page)["findings"][0]

    def edges(element: Any) -> tuple[float, float]:
        rectangle = browser.execute_script(
            "const r = arguments[0].getBoundingClientRect(); return [r.top, r.bottom]", element
        )
        return rectangle[0], rectangle[1]

    (stale,) = find_all(browser, "rect.stale")
    message = edges(find(browser, f"rect.life[data-message={finding['message']['id']}]"))
    red = edges(stale)
    read = edges(find(browser, ".row.bad"))
    lost = edges(find(browser, ".row.lost"))
    assert message[0] < red[0] < red[1] < message[1]
    assert lost[0] < red[0] < lost[1]
    assert read[0] < red[1] < read[1]


def test_a_search_and_the_buttons_filter_rows(browser: Any, faq: Path, tmp_path: Path) -> None:
    open_page(browser, page_of(faq, tmp_path))
    assert find(browser, "#count").text == "21 of 32 rows"

    find(browser, "#search").send_keys("NOTIFIER 0x9")
    assert [row.text.split("\n")[1:] for row in find_all(browser, ".row")] == [
        ["call notifier0x90x3"]
    ]
    find(browser, "#search").send_keys(" 0xnone")
    assert find(browser, ".empty").text == "No row is like that."
    find(browser, "#search").send_keys("\ue00c")  # Escape
    find_all(browser, "#kinds button")[4].click()
    assert find(browser, "#count").text == "32 rows"
    find_all(browser, "#heads button")[2].click()
    shown = {row.get_attribute("aria-label").split(":")[0] for row in find_all(browser, ".row")}
    assert shown == {"server to notifier", "notifier", "notifier to server"}


def test_keys_reach_everything(browser: Any, faq: Path, tmp_path: Path) -> None:
    open_page(browser, page_of(faq, tmp_path))
    rows = find(browser, "#rows")
    rows.send_keys("\ue011")  # Home
    assert find(browser, ".row[aria-selected=true]").get_attribute("id") == "row-3"
    first = rows.get_attribute("aria-activedescendant")
    rows.send_keys("\ue015")  # down
    assert rows.get_attribute("aria-activedescendant") != first
    rows.send_keys("n")
    assert find(browser, "#details h3").text.startswith("F1 ")
    rows.send_keys("/")
    assert browser.switch_to.active_element.get_attribute("id") == "search"


def test_the_page_is_as_dark_as_the_system_until_somebody_chooses(
    browser: Any, faq: Path, tmp_path: Path
) -> None:
    page = page_of(faq, tmp_path)

    def paper(opened: Any) -> str:
        found: str = opened.execute_script(
            "return getComputedStyle(document.body).backgroundColor"
        )
        return found

    open_page(browser, page)
    light = paper(browser)
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": "dark"}]},
    )
    open_page(browser, page)
    assert find(browser, "html").get_attribute("data-theme") == "dark"
    assert (paper(browser), light) == ("rgb(18, 20, 23)", "rgb(247, 247, 244)")
    find(browser, "#theme").click()
    assert paper(browser) == light
    open_page(browser, page)
    assert paper(browser) == light  # it is remembered
    browser.execute_script("localStorage.clear()")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_what_guests_are_called_and_print_is_text(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.l4trace"
    with TraceWriter(path) as writer:
        run_scenario("faq_nested_call", trace=writer)
    page = page_of(path, tmp_path)
    with open_trace(path) as trace:
        report = report_of(trace)
    report["title"] = HOSTILE
    for column in report["columns"]:
        column["name"] = HOSTILE
    for row in report["rows"]:
        row["title"] = HOSTILE
        row["words"] = [HOSTILE]
        row["had"] = [HOSTILE]
    finding = report["findings"][0]
    for name in ("summary", "rule", "verdict", "register", "function", "cure"):
        finding[name] = HOSTILE
    finding["words"][1]["state"] = HOSTILE
    page.write_text(render_page(report), encoding="utf-8")

    open_page(browser, page)
    find(browser, "button.finding").click()

    assert browser.title.startswith("</script>")
    assert find(browser, "#title").text.startswith("</script><script>document")
    assert find_all(browser, "img") == []
    assert len(find_all(browser, "script")) == 2
    assert errors_of(browser) == []


EVIL = """
.include "l4.inc"
.text
_start:
    own_utcb rbx
    log text
    sleep_forever
.include "log.inc"
.data
text: .asciz "</script><script>document.title='owned'</script><!--<script>"
"""
EVIL_SCENARIO = """
title = "A guest that prints markup"
arch = "amd64"
cycles = 1_000_000

[[task]]
name = "main"
image = "evil.s"
"""


def test_what_a_guest_prints_stays_text_all_the_way(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "evil.s").write_text(EVIL)
    scenario = tmp_path / "evil.toml"
    scenario.write_text(EVIL_SCENARIO)
    path = tmp_path / "run.l4trace"
    with TraceWriter(path) as writer:
        run_scenario(scenario, trace=writer)

    open_page(browser, page_of(path, tmp_path))

    assert browser.title == "evil on amd64 · l4lab"
    assert find(browser, ".row.console .label").text == (
        "“</script><script>document.title='owned'</script><!--<script>”"
    )
    assert errors_of(browser) == []
