"""Using the trace view as a person does: a recorded run, keys, and the text of the screen."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from textual.pilot import Pilot

from guest.scenario import load_scenario
from lab.replay.examine import Confirm
from lab.replay.mover import mover_of
from lab.run import run_scenario
from lab.trace.reader import open_trace
from lab.trace.writer import TraceWriter
from lab.tui.app import DebugApp
from lab.tui.start import make_app

Play = Callable[["Stage"], Awaitable[None]]


class Stage:
    """The view of a trace, being looked at."""

    def __init__(self, app: DebugApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        for _ in range(2):
            await self.pilot.pause()
            await self.app.workers.wait_for_complete()
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        """Press keys, each when the one before is done."""
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    async def type(self, text: str) -> None:
        """Type a line, and Enter."""
        for c in text:
            await self.pilot.press(_KEYS.get(c, c))
        await self.press("enter")

    @property
    def at(self) -> str:
        """Where the cursor is."""
        return str(self.app.session.at)

    @property
    def thread(self) -> str:
        """Which thread is looked at."""
        return self.app.session.names.of(self.app.session.thread)

    def lines(self) -> list[str]:
        """Give the text of the screen."""
        strips = self.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip).rstrip() for strip in strips]

    def text(self) -> str:
        """Give the text of the screen in one piece."""
        return "\n".join(self.lines())


_KEYS = {
    " ": "space",
    ":": "colon",
    "/": "slash",
    "'": "apostrophe",
    "=": "equals_sign",
    "_": "underscore",
    "[": "left_square_bracket",
    "]": "right_square_bracket",
    "-": "minus",
}


def record(path: Path, name: str, *, arch: str = "amd64", cycles: int | None = None) -> Path:
    """Record a run with what the checker finds in it."""
    with TraceWriter(path) as writer:
        run_scenario(
            load_scenario(name, arch=arch), cycles=cycles, confirm=Confirm.SOME, trace=writer
        )
    return path


def play(
    path: Path,
    act: Play,
    *,
    size: tuple[int, int] = (80, 24),
    replays: bool = True,
    mark: str | None = None,
    notes: Path | None = None,
) -> None:
    """Open the view of a trace, and act."""

    async def run() -> None:
        with open_trace(path) as trace:
            replayer = mover_of(trace) if replays else None
            missing = "" if replays else "unicorn is not installed"
            app = make_app(trace, replayer, missing=missing, notes=notes, mark=mark)
            async with app.run_test(size=size) as pilot:
                stage = Stage(app, pilot)
                await stage.settle()
                await act(stage)

    asyncio.run(run())
