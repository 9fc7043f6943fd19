"""The keys: one table, which bindings, help, the bar of keys and the palette are made from.

A capital letter does backwards what the small one does forwards.
"""

from typing import NamedTuple

from textual.binding import Binding


class Key(NamedTuple):
    """A key and what it does."""

    keys: str  # as Textual names them
    shown: str
    action: str
    about: str
    short: str = ""  # in the bar of keys
    replays: bool = False  # needs re-execution


GROUPS: tuple[tuple[str, tuple[Key, ...]], ...] = (
    (
        "Forwards and backwards",
        (
            Key("i", "i", "step(1)", "an instruction, whoever runs", "i/I instr", True),
            Key("I", "I", "step(-1)", "an instruction back", "", True),
            Key("j", "j", "step_thread(1)", "to where this thread runs next", "", True),
            Key("J", "J", "step_thread(-1)", "to where this thread ran last", "", True),
            Key("u", "u", "access(1)", "behind the next access to this UTCB", "u/U utcb", True),
            Key("U", "U", "access(-1)", "before the last access to this UTCB", "", True),
            Key("c", "c", "call(1)", "system call of this thread", "c/C call"),
            Key("C", "C", "call(-1)", "system call back"),
            Key("m", "m", "message(1)", "message, of any thread", "m/M message"),
            Key("M", "M", "message(-1)", "message back"),
            Key("k", "k", "copied(1)", "copied word, inside the message that is here"),
            Key("K", "K", "copied(-1)", "copied word back"),
            Key("e,down", "e ↓", "event(1)", "event"),
            Key("E,up", "E ↑", "event(-1)", "event back"),
            Key("f", "f", "finding(1)", "finding", "f/F finding"),
            Key("F", "F", "finding(-1)", "finding back"),
            Key("home", "Home", "start", "the start of the run"),
            Key("end", "End", "finish", "its end"),
            Key("backspace", "Backspace", "return", "to where you were before"),
            Key("g", "g", "goto", "to a position, cycle:N, event:N, F1, start or end"),
            Key("slash", "/", "query", "to an event: transfers where receiver='server'"),
            Key("full_stop", ".", "found(1)", "the next such event"),
            Key("comma", ",", "found(-1)", "the previous such event"),
        ),
    ),
    (
        "Who and why",
        (
            Key("l", "l", "writer", "last writer of the selected word", "l writer", True),
            Key("n", "n", "reader", "next reader of the selected word", "n reader", True),
            Key("y", "y", "why", "why the word has its value", "y why", True),
            Key("left_square_bracket", "[", "word(-1)", "select the word before"),
            Key("right_square_bracket", "]", "word(1)", "select the word behind"),
            Key("t", "t", "thread(1)", "another thread"),
            Key("T", "T", "thread(-1)", "another thread, the other way round"),
            Key(
                "less_than_sign", "<", "frame(1)", "the function that called this one", "", True
            ),
            Key("greater_than_sign", ">", "frame(-1)", "the function that it called", "", True),
        ),
    ),
    (
        "Run to",
        (
            Key("b", "b", "toggle_break", "set or clear a breakpoint at the selected code"),
            Key("B", "B", "break_at", "a breakpoint at a function or address"),
            Key("w", "w", "toggle_watch", "watch the selected word, or no more"),
            Key("r", "r", "run(1)", "run to the next breakpoint or watched word", "", True),
            Key("R", "R", "run(-1)", "run back to the last one", "", True),
        ),
    ),
    (
        "Panes",
        (
            Key("1", "1", "pane('utcb')", "the UTCB"),
            Key("2", "2", "pane('registers')", "registers and calls"),
            Key("3", "3", "pane('console')", "the console; a click goes to a line"),
            Key("4", "4", "view('finding')", "the report of the finding"),
            Key("5", "5", "view('why')", "the last answer to why"),
            Key("6,o", "6 o", "view('objects')", "threads, gates, capabilities", "", True),
            Key("7", "7", "view('notes')", "notes and bookmarks"),
            Key("a", "a", "note", "write a note or bookmark here; an empty one is dropped"),
            Key("x", "x", "switches", "thread switches, shown or not"),
            Key("z", "z", "zoom", "only the pane that has the focus"),
            Key("d", "d", "theme", "dark or light"),
            Key("escape", "Esc", "cancel", "stop a long search"),
            Key("question_mark", "?", "help", "this help", "? help"),
            Key("q", "q", "quit", "leave", "q quit"),
        ),
    ),
)
KEYS = tuple(key for _, keys in GROUPS for key in keys)


def bindings() -> list[Binding]:
    """Give Textual's bindings."""
    return [Binding(key.keys, key.action, key.about, show=False) for key in KEYS]
