"""Notes: kept beside the trace, and never believed."""

import re
from pathlib import Path

import pytest

from guest.errors import GuestError
from lab.moment import At
from lab.tui.notes import MAX_TEXT, Note, Notes, clean, load_notes, save_notes
from lab.tui.start import is_trace, notes_of_scenario, notes_of_trace
from tests.tui.stage import Stage, play

HASH = "77fcc29697efb820e2c03396990faecb"
STRANGE = 'say "no" \\ to π, \t and \x1b[31m'


def test_notes_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "t.notes.toml"
    notes = Notes(HASH).put(Note(At(830, 1), clean(STRANGE))).put(Note(At(20)))

    save_notes(path, notes)

    assert load_notes(path, HASH) == notes
    assert notes.notes == (Note(At(20)), Note(At(830, 1), 'say "no" \\ to π,  and [31m'))
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_note_replaces_the_one_at_its_place() -> None:
    notes = Notes(HASH).put(Note(At(5), "a")).put(Note(At(5), "b"))

    assert notes.notes == (Note(At(5), "b"),)
    assert notes.drop(At(5)) == Notes(HASH)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schema = ", "not TOML"),
        ("schema = 2", "notes of the schema 2: this l4lab knows 1"),
        ("", "schema"),
        ("schema = 1\nextra = 1", "unknown key"),
        ("schema = 1\n[[note]]\nat = 5", "expected a string"),
        ('schema = 1\n[[note]]\nat = "x"', 'expected a position such as "830"'),
        ('schema = 1\n[[note]]\nat = "1"\ntext = "\\u001b[2J"', "printable characters"),
        (f'schema = 1\n[[note]]\nat = "1"\ntext = "{"a" * (MAX_TEXT + 1)}"', "printable"),
        ('schema = 1\ntrace = "\\u001b"', "expected a trace hash"),
        ("schema = 1\nnote = 3", "note"),
        ("schema = 1\n" + '[[note]]\nat = "1"\n' * 1001, "1001 notes, at most 1000"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "t.notes.toml"
    path.write_text(text)

    with pytest.raises(GuestError) as raised:
        load_notes(path, HASH)

    assert message in str(raised.value)
    assert str(raised.value).startswith(str(path))


def test_notes_are_written_dropped_and_shown(nested: Path, tmp_path: Path) -> None:
    file = tmp_path / "n.notes.toml"

    async def act(stage: Stage) -> None:
        await stage.press("a")
        await stage.type("who did it")
        assert load_notes(file, "").notes == (Note(At(830), "who did it"),)
        await stage.press("m", "a")
        await stage.type("")
        assert load_notes(file, "").notes[1] == Note(At(839))
        await stage.press("7")
        assert "830 who did it" in stage.text()
        assert "✎ who did it" in stage.text()
        await stage.press("a")
        await stage.type("-")
        assert load_notes(file, "").notes == (Note(At(830), "who did it"),)

    play(nested, act, notes=file)
    assert re.fullmatch("[0-9a-f]{32}", load_notes(file, "").trace)


def test_notes_that_cannot_be_kept_are_not_lost_silently(
    nested: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a line of the screen is short
    (tmp_path / "file").write_text("")

    async def act(stage: Stage) -> None:
        await stage.press("a")
        await stage.type("x")
        assert "file: cannot" in stage.lines()[-2]
        assert stage.app.session.notes.notes == ()

    play(nested, act, notes=Path("file/n.notes.toml"))


def test_where_notes_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert notes_of_trace(Path("a/t.l4trace")) == Path("a/t.l4trace.notes.toml")
    kept = notes_of_scenario(Path("x/faq.toml"), "ia32")
    assert kept.parent == tmp_path / "l4lab"
    assert kept.name.startswith("faq-ia32-")


def test_a_trace_is_told_from_a_scenario(nested: Path, tmp_path: Path) -> None:
    other = tmp_path / "s.toml"
    other.write_text("title = 'x'")
    renamed = tmp_path / "t"
    renamed.write_bytes(nested.read_bytes())

    assert [is_trace(str(p)) for p in (nested, renamed, other, "faq_nested_call", "a\0b")] == [
        True,
        True,
        False,
        False,
        False,
    ]
