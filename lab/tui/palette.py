"""The colours: what each one means is the same in every pane.

Red is what is wrong, yellow what was overwritten, green what would be right.  A message has
the colour of its depth: blue what a thread works on, violet what came nested in that.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Palette:
    """The styles of one theme."""

    text: str
    dim: str
    faint: str
    wrong: str
    lost: str
    right: str
    here: str  # the cursor
    chosen: str  # a row that is selected in its pane
    title: str
    title_focused: str
    bar: str  # the lines at the top and the bottom
    key: str
    messages: tuple[str, ...]  # by depth

    def message(self, depth: int) -> str:
        """Give the colour of a message."""
        return self.messages[depth % len(self.messages)]


DARK = Palette(
    text="#d8dee9",
    dim="#8c96a8",
    faint="#4c566a",
    wrong="bold #ff6b6b",
    lost="#f0c674",
    right="#8fd18f",
    here="bold #ffffff on #2f4d6e",
    chosen="on #2b323d",
    title="bold #9fb3c8",
    title_focused="bold #10141a on #88c0d0",
    bar="#d8dee9 on #242b36",
    key="bold #88c0d0",
    messages=("#6cb6ff", "#d291ff", "#5fd7c8", "#ff9e64"),
)
LIGHT = Palette(
    text="#1f2530",
    dim="#5b6675",
    faint="#b4bcc8",
    wrong="bold #c4162a",
    lost="#8f6200",
    right="#1d7a32",
    here="bold #0b1320 on #c3dcf5",
    chosen="on #e3e8ef",
    title="bold #3d5166",
    title_focused="bold #ffffff on #22708c",
    bar="#1f2530 on #dde3ea",
    key="bold #22708c",
    messages=("#0b5fc0", "#8a2fbf", "#007a70", "#b04c00"),
)
