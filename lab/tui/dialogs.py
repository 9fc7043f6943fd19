"""What lies over the panes for a while: the help, and a question with a line to type."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from lab.tui.keys import GROUPS
from lab.tui.palette import Palette


class HelpScreen(ModalScreen[None]):
    """All keys, and what the colours mean."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > VerticalScroll {
        width: 78; max-width: 100%; height: auto; max-height: 100%;
        padding: 0 1; border: round $primary; background: $surface;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q", "dismiss(None)", "close")
    ]

    def __init__(self, palette: Palette, missing: str) -> None:
        super().__init__()
        self._palette = palette
        self._missing = missing

    def compose(self) -> ComposeResult:
        """Lay the text out."""
        with VerticalScroll():
            yield Static(self._text(), id="help")

    def _text(self) -> Text:
        palette = self._palette
        text = Text()
        for title, keys in GROUPS:
            text.append(f"{title}\n", palette.title)
            for key in keys:
                needs = " *" if key.replays else ""
                text.append(f"  {key.shown:<10}", palette.key)
                text.append(f"{key.about}{needs}\n", palette.text)
        text.append("\n* needs re-execution", palette.dim)
        if self._missing:
            text.append(f": {self._missing}", palette.lost)
        text.append("\n\nColours, in every pane\n", palette.title)
        for style, about in (
            (palette.message(0), "┃ a message that a thread works on"),
            (palette.message(1), "┃ a message nested in that"),
            (palette.wrong, "█ its word is lost, until it is read; ✗ who reads it"),
            (palette.lost, "✎ what overwrites, what was overwritten"),
            (palette.right, "  what would be right; the console; notes"),
        ):
            text.append(f"  {about}\n", style)
        text.append(
            "\nM14 is a message of a finding, #23 the one that event 23 delivered. A request "
            "lives until its\nreceiver waits for the next one, an answer until the next system "
            "call; those of findings as\nthe checker knows it.",
            palette.dim,
        )
        return text


class AskScreen(ModalScreen[str | None]):
    """A question that is answered by a line of text; None: never mind."""

    DEFAULT_CSS = """
    AskScreen { align: center bottom; }
    AskScreen > Vertical {
        width: 100%; height: auto; padding: 0 1; border: round $primary; background: $surface;
    }
    AskScreen Input { border: none; height: 1; padding: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "never mind")]

    def __init__(self, question: str, hint: str, value: str = "") -> None:
        super().__init__()
        self._question = question
        self._hint = hint
        self._value = value

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Vertical():
            yield Static(Text(self._question))
            yield Input(value=self._value, placeholder=self._hint, max_length=500)

    def on_mount(self) -> None:
        """Begin to type."""
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Answer."""
        self.dismiss(event.value)
