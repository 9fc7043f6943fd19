"""Queries find what the same condition in Python finds; errors point at a character."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kernel.events import Created, Event, Failure, Invocation, Log, Switch, Transfer
from lab.filter import LONGEST, QueryError, parse_query
from lab.query import messages
from lab.trace.reader import Trace, open_trace
from tests.lab.recording import record


@pytest.fixture(scope="module", params=["amd64", "ia32"])
def trace(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Trace]:
    path = tmp_path_factory.mktemp("query") / "t"
    record(path, "faq_nested_call", arch=request.param)
    with open_trace(path) as opened:
        yield opened


def found(trace: Trace, query: str) -> list[int]:
    wanted = parse_query(query, trace.names())
    return [s.sequence for s in trace.events(kinds=wanted.kinds) if wanted.accepts(s)]


def words(event: Transfer) -> int:
    return event.tag & 0x3F


QUERIES: dict[str, Callable[[Trace, Event], bool]] = {
    "events": lambda t, e: True,
    "transfers": lambda t, e: isinstance(e, Transfer),
    "messages": lambda t, e: isinstance(e, Transfer),
    "transfers, switches": lambda t, e: isinstance(e, Transfer | Switch),
    "transfers where receiver='server' and words>1": lambda t, e: (
        isinstance(e, Transfer) and t.names().of(e.receiver) == "server" and words(e) > 1
    ),
    'TRANSFERS WHERE receiver != "server"': lambda t, e: (
        isinstance(e, Transfer) and t.names().of(e.receiver) != "server"
    ),
    "transfers where sender = 9": lambda t, e: isinstance(e, Transfer) and e.sender == 9,
    "transfers where 9 = sender": lambda t, e: isinstance(e, Transfer) and e.sender == 9,
    "transfers where via = 'doubler'": lambda t, e: (
        isinstance(e, Transfer) and t.names().of(e.via) == "doubler"
    ),
    "transfers where mr[1] = 0x2a": lambda t, e: (
        isinstance(e, Transfer) and words(e) > 1 and word(t, e.payload, 1) == 0x2A
    ),
    "transfers where mr[1] != 0x2a": lambda t, e: (
        isinstance(e, Transfer) and words(e) > 1 and word(t, e.payload, 1) != 0x2A
    ),
    "transfers where not mr[1] = 42": lambda t, e: (
        isinstance(e, Transfer) and not (words(e) > 1 and word(t, e.payload, 1) == 42)
    ),
    "transfers where had[1] != mr[1]": lambda t, e: (
        isinstance(e, Transfer)
        and words(e) > 1
        and word(t, e.payload, 1) != word(t, e.overwritten, 1)
    ),
    "transfers where words in (0, 1)": lambda t, e: (
        isinstance(e, Transfer) and words(e) in (0, 1)
    ),
    "transfers where words not in (0, 1)": lambda t, e: (
        isinstance(e, Transfer) and words(e) > 1
    ),
    "transfers where operation like 'reply*'": lambda t, e: (
        isinstance(e, Transfer) and e.operation in (9, 11, 15, 13, 8)
    ),
    "transfers where operation not like 'reply*'": lambda t, e: (
        isinstance(e, Transfer) and e.operation in (1, 2, 3, 6)
    ),
    "transfers where protocol = -39": lambda t, e: (
        isinstance(e, Transfer) and tag_label(t, e) == -39
    ),
    "events where cycle >= 5000 and position < 0x300": lambda t, e: (
        e.cycle >= 5000 and e.position < 0x300
    ),
    "logs where data like '*got*'": lambda t, e: isinstance(e, Log) and b"got" in e.data,
    "switches where next = 'client' or previous = 'client'": lambda t, e: (
        isinstance(e, Switch) and 9 in (e.next, e.previous)
    ),
    "invocations where target = 'log' and words = 3": lambda t, e: (
        isinstance(e, Invocation) and e.target == 1 and len(e.words) == 3
    ),
    "invocations, transfers where thread = 'client'": lambda t, e: (
        isinstance(e, Invocation) and e.thread == 9
    ),
    "transfers where (words = 2 or words = 1) and not sender = 'server'": lambda t, e: (
        isinstance(e, Transfer) and words(e) in (1, 2) and t.names().of(e.sender) != "server"
    ),
    "failures where error = 3": lambda t, e: isinstance(e, Failure) and e.error == 3,
    "creations": lambda t, e: isinstance(e, Created),
    "ends where outcome = 'idle'": lambda t, e: type(e).__name__ == "End",
    "ends where outcome = 'fault'": lambda t, e: False,
    "transfers where mr[62] = 0": lambda t, e: False,
    "transfers where mr[1_000_000] = 0": lambda t, e: False,
}


def word(trace: Trace, data: bytes, index: int) -> int:
    size = trace.head.arch.word
    return int.from_bytes(data[index * size : (index + 1) * size], "little")


def tag_label(trace: Trace, event: Transfer) -> int:
    bits = trace.head.arch.bits
    label = event.tag >> 16
    return label - (1 << bits - 16) if label >> (bits - 17) else label


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_finds_what_it_says(trace: Trace, query: str) -> None:
    expected = [s.sequence for s in trace.events() if QUERIES[query](trace, s.event)]

    assert found(trace, query) == expected


def test_most_of_the_queries_above_find_something(trace: Trace) -> None:
    nothing = [query for query in QUERIES if not found(trace, query)]

    assert nothing == [
        "failures where error = 3",
        "creations",
        "ends where outcome = 'fault'",
        "transfers where mr[62] = 0",
        "transfers where mr[1_000_000] = 0",
    ]


WRONG = [
    ("", 0, "expected a kind of event"),
    ("transfer where", 14, "expected a field, a number or a text, found the end"),
    ("tranfers", 0, "found 'tranfers' (did you mean \"transfers\"?)"),
    ("transfers were words=1", 10, "expected 'where' or the end, found 'were'"),
    ("transfers where words=1 words", 24, "expected the end, found 'words'"),
    ("transfers where reciever='server'", 16, "no field 'reciever' (did you mean"),
    ("transfers where receiver='servr'", 25, "nothing is called 'servr' (did you mean"),
    ("transfers where words='x'", 22, "expected a number"),
    ("transfers where operation=3", 26, "expected a text"),
    ("transfers where receiver<3", 16, "< compares numbers only"),
    ("transfers where words<'a'", 22, "< compares numbers only"),
    ("transfers where mr=3", 18, "expected [ and the number of a word after mr"),
    ("transfers where mr[x]=3", 19, "expected the number of a word"),
    ("transfers where mr[1=3", 20, "expected ']', found '='"),
    ("transfers where words[1]=3", 21, "words is a single value"),
    ("transfers where words=1 and", 27, "expected a field"),
    ("transfers where (words=1", 24, "expected ')', found the end"),
    ("transfers where words", 21, "expected a comparison such as = or <"),
    ("transfers where words=0x", 22, "unexpected"),
    ("transfers where words = 1 ; drop", 26, "unexpected: ';'"),
    ("transfers where sender='a", 23, "a text without its end"),
    ("transfers where words like '*'", 27, "a number is like no text"),
    ("transfers where sender like 3", 28, "expected a text such as"),
    ("transfers where sender not = 3", 27, "expected 'in' or 'like' after 'not'"),
    ("transfers where words in 3", 25, "expected '(', found '3'"),
    ("transfers where words=-x", 23, "expected a number"),
    ("reads where mr=2", 0, "reads are not available without re-execution"),
    ("transfers where " + "(" * 100 + "words=1" + ")" * 100, 67, "over 50 conditions"),
    ("transfers where " + "not " * 100 + "words=1", 220, "over 50 conditions"),
    ("transfers where words=1__", 22, "is no number"),
    ("x" * (LONGEST + 1), LONGEST, "over 4096 characters"),
    ("transfers where \x1b[2J", 16, "unexpected: '\\x1b'"),
]


@pytest.mark.parametrize(("query", "at", "message"), WRONG)
def test_what_is_wrong_is_pointed_at(trace: Trace, query: str, at: int, message: str) -> None:
    with pytest.raises(QueryError) as raised:
        parse_query(query, trace.names())

    assert message in raised.value.message
    assert raised.value.at == at
    first, line, caret = str(raised.value).split("\n")
    assert first.startswith(f"query: character {at + 1}: ")
    assert (line + caret).isprintable()
    if at < min(len(query), LONGEST) and query[at].isprintable():
        assert line[caret.index("^")] == query[at]


def test_a_long_query_is_answered(trace: Trace) -> None:
    query = "transfers where " + " or ".join(["words=1"] * 300)

    assert found(trace, query) == found(trace, "transfers where words = 1")


def test_messages_are_the_transfers(trace: Trace) -> None:
    expected = [(s.sequence, s.event) for s in trace.events() if isinstance(s.event, Transfer)]
    assert list(messages(trace)) == expected


def test_names_hold_from_when_they_were_given(tmp_path: Path) -> None:
    record(tmp_path / "t", "debugger_names")

    with open_trace(tmp_path / "t") as trace:
        (first, *_) = (s.sequence for s in trace.events(kinds=1 << 13))
        assert trace.names(before=first).given == {}
        assert len(trace.names(before=first + 1).given) == 1
