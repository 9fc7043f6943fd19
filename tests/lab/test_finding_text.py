"""The report that people read: complete, aligned, as wide as their terminal, and inert."""

import io
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from lab.checker.finding import Effect, Finding, Verdict
from lab.expect import compare
from lab.views.finding import Context, render_finding
from lab.views.findings import count_findings, render_comparison, render_table
from lab.views.layout import MAX_WIDTH, MIN_WIDTH, columns, wrap
from lab.views.story import render_story, tell
from tests.lab.findings import BARE, FAQ, REQUEST, source
from tests.lab.strange import findings

COPIED = re.compile(
    r"^ *(REPLAY|WHY|SUPPRESS)|l4lab (debug|explain)|^ *\[\[suppress|^ *\w+ = \""
)

REPORT = """\
F1 confirmed stale-read of mr[1] in MyServer::dispatch (server.cc:31)
          The server read 0x1000 as word 1 of the request from client, but
          client sent 0x2a (42): the word was overwritten by a nested call.
          thread server of task server, position 412,907, cycle 1,012,907

READ      412,907  mov eax, [ecx+4]  at 0x401234
          #0  Istream::get (inlined)  ipc_stream:412
          #1  MyServer::dispatch      server.cc:31    ios >> val;
          #2  Server::internal_loop   ipc_server:430

MESSAGE   409,120  M17 client → server through gate srv, 2 words
          protocol 0x1001, gate label 0x4c40, owned by MyServer::dispatch
            mr[0]   0x7  read at 411,644, server.cc:25
          > mr[1]  0x2a  never read before it was overwritten

CLOBBER   412,018  M18 server → other through gate other, 2 words
          412,018  mov [ecx], 9         notify_my_other_server notify.cc:12
          412,021  mov [ecx+4], 3       notify_my_other_server notify.cc:12
          412,024  call __l4sys_invoke  notify_my_other_server notify.cc:12
          412,660  the kernel's copy
          #0  notify_my_other_server  notify.cc:12
              l4_ipc_call(other, utcb, tag, L4_IPC_NEVER);
          #1  MyServer::dispatch      server.cc:28
              notify_my_other_server();
          #2  Server::internal_loop   ipc_server:430

UTCB        word   delivered     now  last writer    state
            mr[0]        0x7     0x0  kernel, M18    consumed
          > mr[1]       0x2a  0x1000  kernel, M18    STALE ← here
            mr[2]          -     0x0  never written  undefined

EFFECT    seen from outside the thread; with the message intact it would have
          been:
          position  what                    was     would have been
           413,377  reply to client, mr[0]  0x2000  0x54

CHECKS    attribution         certain
          address             UTCB+4, from a cursor that was set at 411,649,
                              during M17
          saved and restored  no
          same value by luck  no

CURE      Read all parameters before the first call that may do IPC: move line
          31 before line 28.  Or save the message registers around the call and
          restore them.

REPLAY    l4lab debug faq_nested_call --arch ia32 --at 412907
WHY       l4lab explain faq_nested_call F1 --arch ia32
SUPPRESS  [[suppress]]
          rule = "stale-read"
          thread = "server"
          function = "MyServer::dispatch"
          register = "mr[1]"
          reason = ""
"""
STORY = """\
F1 confirmed stale-read of mr[1] in MyServer::dispatch (server.cc:31)
A message word is read after another message overwrote it.
A thread has one set of message registers.  Between the arrival of a message and
this read, a system call of the same thread used them for a message of its own,
so what is read is not what the sender sent.
see docs/rules.md#stale-read

409,120  M17 client → server through gate srv, 2 words arrives, and belongs to
         MyServer::dispatch: mr[0] = 0x7; mr[1] = 0x2a
411,644  mr[0] is read while it still holds 0x7
         mov eax, [ecx]
         in MyServer::dispatch, server.cc:25
412,018  a store for another message overwrites what was there
         mov [ecx], 9
         in notify_my_other_server, notify.cc:12
412,021  a store for another message overwrites what was there
         mov [ecx+4], 3
         in notify_my_other_server, notify.cc:12
412,024  the system call that sends M18 server → other through gate other, 2
         words
         call __l4sys_invoke
         #0  notify_my_other_server  notify.cc:12
             l4_ipc_call(other, utcb, tag, L4_IPC_NEVER);
         #1  MyServer::dispatch      server.cc:28
             notify_my_other_server();
         #2  Server::internal_loop   ipc_server:430
412,660  the kernel copies what arrives into the same registers
412,907  The server read 0x1000 as word 1 of the request from client, but client
         sent 0x2a (42): the word was overwritten by a nested call.
         mov eax, [ecx+4]
         #0  Istream::get (inlined)  ipc_stream:412
         #1  MyServer::dispatch      server.cc:31    ios >> val;
         #2  Server::internal_loop   ipc_server:430
413,377  reply to client, mr[0]: 0x2000; with the message intact it would have
         been 0x54

CURE  Read all parameters before the first call that may do IPC: move line 31
before line 28.  Or save the message registers around the call and restore them.
"""


def context(width: int = 80, *command: str) -> Context:
    return Context(command or ("faq_nested_call", "--arch", "ia32"), source, width)


def report(finding: Finding, width: int = 80) -> str:
    return "".join(f"{line.plain}\n" for line in render_finding(finding, context(width)))


def test_the_report_of_the_faq() -> None:
    assert report(FAQ) == REPORT


def test_the_story_of_the_faq() -> None:
    lines = render_story(FAQ, context())
    assert "".join(f"{line.plain}\n" for line in lines) == STORY


def test_what_a_rule_leaves_out_has_no_section() -> None:
    assert report(BARE).partition("REPLAY")[0] == (
        "F2 note hidden-ipc of mr[0] in unknown code\n"
        "          A system call was made while mr[0] was unread.\n"
        "          thread server of task server, position 412,024, cycle 1,012,024\n"
        "\n"
        "CALL      412,024  at 0x401300\n"
        "\n"
        "EFFECT    not tried\n"
        "\n"
        "CHECKS    attribution  inferred\n"
        "\n"
    )


def test_a_long_message_shows_all_its_words() -> None:
    words = tuple(range(0x100, 0x100 + 63))
    text = report(replace(FAQ, message=replace(REQUEST, words=words), words=()))
    shown = re.findall(r"mr\[(\d+)\] +(0x[0-9a-f]+)", text.partition("CLOBBER")[0])
    assert shown[1:] == [(str(k), hex(0x100 + k)) for k in range(63)] or shown == [
        (str(k), hex(0x100 + k)) for k in range(63)
    ]


def test_what_is_not_known_of_a_word_is_not_claimed() -> None:
    words = tuple(replace(word, read=None, unread=False) for word in FAQ.words)
    lines = report(replace(FAQ, words=words)).splitlines()
    assert "            mr[0]   0x7  read" in lines
    assert "          > mr[1]  0x2a  overwritten" in lines


def test_a_loop_of_stores_is_one_line() -> None:
    assert FAQ.clobber is not None
    store = FAQ.clobber.stores[0]
    loop = tuple(replace(store, position=store.position + k) for k in range(3))
    clobber = replace(FAQ.clobber, stores=(*loop, FAQ.clobber.stores[1]))
    lines = report(replace(FAQ, clobber=clobber)).splitlines()
    assert [line.split("  notify")[0].strip() for line in lines if " mov [ecx" in line] == [
        "412,018  mov [ecx], 9, 3 times",
        "412,021  mov [ecx+4], 3",
    ]


def test_source_is_shown_beside_the_frames_where_there_is_room() -> None:
    wide = report(FAQ, 120).splitlines()
    assert (
        "          #0  notify_my_other_server  notify.cc:12    "
        "l4_ipc_call(other, utcb, tag, L4_IPC_NEVER);" in wide
    )


def test_a_suppressed_finding_gives_its_reason() -> None:
    assert "\n          suppressed: known since May\n" in report(
        replace(FAQ, suppressed="known since May")
    )


@pytest.mark.parametrize("width", [20, 40, 59, 60, 80, 100, 120, 200])
def test_a_report_fits_its_terminal(width: int) -> None:
    room = min(max(width, MIN_WIDTH), MAX_WIDTH)
    lines = list(render_finding(FAQ, context(width)))
    assert max(line.cell_len for line in lines if not COPIED.search(line.plain)) <= room
    for story in render_story(FAQ, context(width)):
        assert story.cell_len <= room


def test_a_wide_terminal_is_used_up_to_120_columns() -> None:
    longest = [max(map(len, report(FAQ, width).splitlines())) for width in (80, 120, 300)]
    assert longest[0] <= 80 < longest[1] <= 120
    assert longest[1] == longest[2]


def test_the_table_of_words_is_aligned_at_every_width() -> None:
    for width in (72, 80, 120):
        lines = report(FAQ, width).splitlines()
        first = next(k for k, line in enumerate(lines) if line.startswith("UTCB"))
        head, *rows = lines[first : first + 4]
        for title in ("delivered", "now"):
            edge = head.index(title) + len(title)
            assert all(row[edge - 1] != " " and row[edge : edge + 2] == "  " for row in rows)
        assert [row[10:12] for row in rows] == ["  ", "> ", "  "]


@given(findings, st.sampled_from([40, 59, 80, 120]))
def test_strange_names_neither_break_the_layout_nor_reach_the_terminal(
    finding: Finding, width: int
) -> None:
    for lines in (
        render_finding(finding, context(width)),
        render_story(finding, context(width)),
    ):
        for line in lines:
            assert line.plain.replace(" ", "x").isprintable() or not line.plain
            assert line.cell_len <= width or COPIED.search(line.plain)


@given(st.lists(findings, max_size=4), st.sampled_from([40, 80, 120]))
def test_a_table_of_strange_findings_is_inert(found: list[Finding], width: int) -> None:
    comparison = compare([{"rule": "stale-read", "thread": "[red]"}], found)
    for line in [*render_table(found, width), *render_comparison(comparison, width)]:
        assert line.plain.replace(" ", "x").isprintable() or not line.plain
        assert line.cell_len <= width


def printed(finding: Finding, **options: object) -> str:
    out = io.StringIO()
    console = Console(file=out, width=80, highlight=False, **options)  # type: ignore[arg-type]
    for line in render_finding(finding, context()):
        console.print(line, soft_wrap=True)
    return out.getvalue()


def test_markup_in_a_name_is_text() -> None:
    strange = replace(FAQ, function="[red]x[/red] :smile:", summary="[bold]hello[/bold]")
    text = printed(strange)
    assert "in [red]x[/red] :smile: (server.cc:31)" in text
    assert "[bold]hello[/bold]" in text


def test_there_is_no_colour_but_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    assert printed(FAQ) == REPORT
    terminal = printed(FAQ, force_terminal=True, color_system="standard")
    assert "\x1b[1;31mconfirmed\x1b[0m" in terminal
    monkeypatch.setenv("NO_COLOR", "1")
    colours = re.findall(r"\x1b\[([0-9;]*)m", printed(FAQ, force_terminal=True))
    assert {part for colour in colours for part in colour.split(";")} <= {"0", "1", "2", "3"}


def test_colour_tells_the_wrong_value_from_the_right_one() -> None:
    spans = {
        (line.plain[span.start : span.end], str(span.style))
        for line in render_finding(FAQ, context())
        for span in line.spans
    }
    assert {
        ("confirmed", "bold red"),
        ("0x2a", "green"),
        ("0x1000", "red"),
        ("0x54", "green"),
        ("0x2000", "red"),
        ("STALE ← here", "bold red"),
    } <= spans
    assert ("0x0", "red") not in spans


def test_a_value_that_is_right_by_luck_is_not_red() -> None:
    latent = replace(FAQ, verdict=Verdict.LATENT, effect=Effect.NONE_SEEN, consequences=())
    latent = replace(
        latent, words=tuple(replace(word, state="intact", now=42) for word in FAQ.words)
    )
    styles = {str(s.style) for line in render_finding(latent, context()) for s in line.spans}
    assert not {style for style in styles if "red" in style}


def test_a_table_has_a_line_for_each_finding() -> None:
    found = [
        replace(FAQ, function="dispatch"),
        replace(BARE, suppressed="known", count=1234),
    ]
    assert [line.plain for line in render_table(found, 80)] == [
        "id  verdict     rule        register  where                  thread  times",
        "F1  confirmed   stale-read  mr[1]     dispatch server.cc:31  server      1",
        "F2  suppressed  hidden-ipc  mr[0]                            server  1,234",
    ]
    assert [line.plain for line in render_table([FAQ], 80)] == [
        "id  verdict    rule        register  where                            thread",
        "F1  confirmed  stale-read  mr[1]     MyServer::dispatch server.cc:31  server",
    ]
    assert list(render_table([], 80)) == []


def test_the_count_keeps_the_suppressed_apart() -> None:
    assert count_findings([FAQ]) == "1 finding (1 confirmed, 0 probable, 0 latent, 0 note)"
    assert count_findings([FAQ, BARE, replace(FAQ, suppressed="x")]) == (
        "2 findings (1 confirmed, 0 probable, 0 latent, 1 note), 1 suppressed"
    )


def test_a_difference_names_what_is_missing_what_is_too_much_and_what_is_near() -> None:
    item = {"rule": "stale-read", "register": "mr[2]"}
    lines = [line.plain for line in render_comparison(compare([item], [FAQ]), 120)]
    assert lines == [
        "  ✗  findings",
        '     missing     { rule = "stale-read", register = "mr[2]" }',
        "                 nearest: F1, but with register mr[1]",
        "     unexpected  F1 confirmed stale-read of mr[1] in MyServer::dispatch "
        "(server.cc:31), thread server",
    ]
    assert [line.plain for line in render_comparison(compare([], []), 80)] == [
        "  ✓  findings none"
    ]


@given(findings)
def test_a_story_is_told_in_order_and_leaves_nothing_out(finding: Finding) -> None:
    steps = tell(finding)
    assert [step.position for step in steps] == sorted(step.position for step in steps)
    kinds = [step.kind for step in steps]
    assert kinds.count("fault") == 1
    assert kinds.count("consequence") == len(finding.consequences)
    assert kinds.count("message") == (finding.message is not None)
    assert kinds.count("store") == (len(finding.clobber.stores) if finding.clobber else 0)


def test_columns_are_folded_where_they_are_wide() -> None:
    rows = [(Text("a"), Text("word " * 6), Text("1")), (Text("bb"), Text("x"), Text("22"))]
    assert [line.plain for line in columns(rows, 20, right=(2,))] == [
        "a   word word      1",
        "    word word",
        "    word word",
        "bb  x             22",
    ]


def test_a_folded_line_hangs() -> None:
    assert [line.plain for line in wrap(Text("one two three four"), 9, hang=2)] == [
        "one two",
        "  three",
        "  four",
    ]
