"""The trace view, key by key."""

import re
from pathlib import Path

import pytest

from tests.tui.stage import Stage, play, record


def test_it_opens_on_the_finding_and_names_who_overwrote_the_word(nested: Path) -> None:
    async def act(stage: Stage) -> None:
        lines = stage.lines()
        shown = re.sub(r"trace [0-9a-f]{8}|cycle [0-9,]+", "*", " ".join(lines[0].split()))
        assert shown == "faq_nested_call on amd64 * position 830 *"
        assert "F1  confirmed stale-read of mr[1] in dispatch" in lines[1]
        assert lines[2].strip() == (
            "notify_my_other_server (faq_nested_call.s:54) overwrote it: 0x2a became 0x7"
        )
        assert len(lines) == 24
        (word,) = (line for line in lines if "▸ mr[1]" in line)
        assert word.split("▸")[1].split() == ["mr[1]", "0x7", "0x2a", "M19", "STALE"]

    play(nested, act)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("faq_nested_call", "notify_my_other_server"),
        ("faq_nested_call-c-O0", "notify_my_other_server"),
        ("faq_nested_call-cxx-O2", "notify_my_other_server"),
    ],
)
def test_all_forms_of_the_question_are_answered_at_once(
    tmp_path: Path, name: str, function: str
) -> None:
    async def act(stage: Stage) -> None:
        assert function in stage.lines()[2]
        assert "overwrote it: 0x2a became 0x7" in stage.lines()[2]
        assert "STALE" in stage.text()
        await stage.press("l", "l")
        assert function in stage.text().split("overwrote it")[1]

    play(record(tmp_path / "t.l4trace", name), act)


STEPS = [
    ("i", "I", "831"),
    ("j", "J", "831"),
    ("m", "M", "839"),
    ("e", "E", "839"),
    ("c", "C", "839"),
    ("end", "home", "1154"),
]


@pytest.mark.parametrize(("on", "back", "there"), STEPS)
def test_every_step_goes_on_and_back(nested: Path, on: str, back: str, there: str) -> None:
    async def act(stage: Stage) -> None:
        await stage.press(on)
        assert stage.at == there
        await stage.press(back)
        assert stage.app.session.at.position < int(there)
        await stage.press("backspace")
        assert stage.at == there

    play(nested, act)


def test_accesses_to_the_utcb_one_by_one(nested: Path) -> None:
    async def act(stage: Stage) -> None:
        seen = []
        for _ in range(4):
            await stage.press("U")
            seen.append((stage.at, stage.thread))
        assert seen == [
            ("828", "server"),
            ("630", "server"),
            ("626", "server"),
            ("625", "server"),
        ]
        await stage.press("u")
        assert stage.at == "626"

    play(nested, act)


def test_last_writers_and_next_readers_of_the_selected_word(nested: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.press("l")
        assert stage.at == "828"
        assert "the kernel writes mr[0] to mr[1] (event 29)" in stage.lines()[-2] or (
            "the kernel writes mr[1] (event 29)" in stage.lines()[-2]
        )
        await stage.press("l")
        assert stage.at == "626"
        assert "server writes mr[1] = 0x3 in notify_my_other_server" in stage.lines()[-2]
        await stage.press("n", "n")
        assert stage.at == "830"

    play(nested, act)


def test_findings_both_ways(nested: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.press("f")
        assert "no finding after this" in stage.lines()[-2]
        await stage.press("home", "f")
        assert stage.at == "830"
        await stage.press("end", "F")
        assert stage.at == "830"

    play(nested, act)


def test_breakpoints_and_watched_words_both_ways(nested: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.press("b")
        await stage.press("home", "t", "t", "f")
        await stage.press("home", "r")
        assert stage.at == "830"
        assert "a breakpoint, in server" in stage.lines()[-2]
        await stage.press("R")
        assert stage.at == "0"
        await stage.press("f", "b", "w", "R")
        assert stage.at == "828"
        await stage.press("r")
        assert stage.at == "829"

    play(nested, act)


def test_a_breakpoint_at_a_function(nested: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.press("B")
        await stage.type("dispatch")
        await stage.press("R")
        assert stage.at == "619"
        await stage.press("B")
        await stage.type("nowhere")
        assert "'nowhere' is neither a function nor an address here" in stage.lines()[-2]

    play(nested, act)


def test_nothing_to_run_to_is_said(nested: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.press("r")
        assert "b sets a breakpoint, w watches a word" in stage.lines()[-2]
        assert stage.at == "830"

    play(nested, act)


def test_copied_words_inside_a_message(nested: Path) -> None:
    async def act(stage: Stage) -> None:
        values = []
        for key in ("k", "k", "k", "K"):
            await stage.press(key)
            values.append([value for value, _ in stage.app.session.values()[:2]])
        assert values == [[9, 3], [1, 3], [1, 7], [1, 3]]
        assert "1 of 2 words are copied" in stage.lines()[-2]

    play(nested, act, mark="829")


def test_why_a_word_has_its_value(nested: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.press("y")
        text = " ".join(stage.text().split())
        assert "copied" in text
        assert "constant mov qword ptr [rbx + 8], 7" in text

    play(nested, act, size=(120, 40))


def test_objects_say_what_threads_wait_for(nested: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.press("o")
        text = " ".join(stage.text().split())
        assert "thread client waits for a message of server" in text
        assert "gate doubler to server, label 0xd0b00010" in text

    play(nested, act, size=(120, 40))


def test_words_threads_and_frames_are_chosen(nested: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.press("right_square_bracket")
        assert stage.app.session.word == 2
        await stage.press("left_square_bracket", "left_square_bracket")
        assert stage.app.session.word == 0
        await stage.press("less_than_sign")
        assert "server: _start faq_nested_call.s, frame 1" in stage.text()
        await stage.press("greater_than_sign", "t")
        assert stage.thread == "client"
        await stage.press("T", "T")
        assert stage.thread == "notifier"

    play(nested, act, size=(120, 40))


@pytest.mark.parametrize(
    ("mark", "at"),
    [
        ("F1", "830"),
        ("cycle:1", "0"),
        ("event:29", "829"),
        ("626", "626"),
        ("start", "0"),
        ("end", "1154"),
        ("829/1", "829"),
    ],
)
def test_going_to_a_mark(nested: Path, mark: str, at: str) -> None:
    async def act(stage: Stage) -> None:
        await stage.press("g")
        await stage.type(mark)
        assert stage.at == at

    play(nested, act)


@pytest.mark.parametrize("mark", ["nonsense", "F9", "99999", "event:999", "cycle:1e9", "5/x"])
def test_a_mark_that_is_none_moves_nothing(nested: Path, mark: str) -> None:
    async def act(stage: Stage) -> None:
        await stage.press("g")
        await stage.type(mark)
        assert stage.at == "830"
        assert "no mark" in stage.lines()[-2] or "what is recorded ends" in stage.lines()[-2]

    play(nested, act)


def test_finding_events_by_a_query(nested: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.press("home", "slash")
        await stage.type("transfers where receiver = 'notifier'")
        assert stage.at == "631"
        await stage.press("full_stop")
        assert "no such event after this" in stage.lines()[-2]
        await stage.press("slash")
        await stage.press("ctrl+u")
        await stage.type("nothing")
        assert "query: character 1" in stage.lines()[-2]

    play(nested, act)


def test_panes_share_a_small_screen(nested: Path) -> None:
    async def act(stage: Stage) -> None:
        for key, shown in (
            ("2", "registers"),
            ("3", "wrong protocol"),
            ("4", "READ"),
            ("7", "no notes yet"),
            ("1", "STALE"),
        ):
            await stage.press(key)
            if key == "4":
                await stage.press(*["down"] * 5)
            assert shown in stage.text()
        await stage.press("z")
        assert "▸ mr[1]" in stage.text()
        assert "kernel, M19" in stage.text()
        await stage.press("z", "x", "d", "question_mark")
        assert "Forwards and backwards" in stage.text()
        await stage.press("escape")
        assert "STALE" in stage.text()

    play(nested, act)


def test_without_re_execution_what_is_recorded_is_there(nested: Path) -> None:
    async def act(stage: Stage) -> None:
        assert stage.at == "830"
        assert "notify_my_other_server" in stage.lines()[2]
        assert (
            "not available without re-execution: unicorn is not installed"
            in (stage.lines()[-2])
        )
        assert "mov rcx, qword ptr [rbx" in stage.text()
        await stage.press("i")
        assert stage.at == "830"
        await stage.press("m")
        assert stage.at == "839"
        await stage.press("M")
        assert stage.at == "829"
        await stage.press("2")
        assert "not available without re-execution" in stage.text()

    play(nested, act, replays=False)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60), (40, 12), (20, 6)])
def test_every_size_has_its_screen(nested: Path, size: tuple[int, int]) -> None:
    async def act(stage: Stage) -> None:
        lines = stage.lines()
        assert len(lines) == size[1]
        assert "faq_nested_call" in lines[0]
        await stage.press("question_mark", "escape", "4", "z")

    play(nested, act, size=size)


def test_a_long_run_is_shown_a_page_at_a_time(tmp_path: Path) -> None:
    path = record(tmp_path / "t.l4trace", "pingpong_forever_4", cycles=2_000_000)

    async def act(stage: Stage) -> None:
        session = stage.app.session
        assert len(session.history) > 3000
        assert session.findings == ()
        await stage.press("end", "M")
        assert session.count > 3000
        assert "no findings in this run" in stage.text()

    play(path, act, replays=False)
