"""Make the pictures of docs/trace-view.md, from the real program: python -m tools.pictures."""

import asyncio
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from guest.scenario import load_scenario
from lab.replay.mover import mover_of
from lab.run import run_scenario
from lab.trace.reader import open_trace
from lab.trace.writer import TraceWriter
from lab.tui.start import make_app

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"


class Picture(NamedTuple):
    """A screen, and the keys that lead to it."""

    name: str
    scenario: str
    size: tuple[int, int]
    keys: tuple[str, ...]
    is_dark: bool


PICTURES = (
    Picture("opening", "faq_nested_call", (80, 24), (), True),
    Picture("writer", "faq_nested_call", (80, 24), ("l", "l"), False),
    Picture("why", "faq_nested_call-cxx-O2", (120, 40), ("y",), True),
    Picture("whole", "faq_nested_call-c-O0", (176, 48), ("o",), False),
)


def main() -> None:
    """Make all of them, or those that are named."""
    FOLDER.mkdir(exist_ok=True)
    for picture in PICTURES:
        if len(sys.argv) > 1 and picture.name not in sys.argv[1:]:
            continue
        svg = draw(picture)
        (FOLDER / f"{picture.name}.svg").write_text(svg, encoding="utf-8")
        print(f"docs/pictures/{picture.name}.svg  {len(svg):,} bytes")


def draw(picture: Picture) -> str:
    """Give a picture as SVG, the same every time."""
    return asyncio.run(
        _draw(picture.scenario, picture.size, picture.keys, is_dark=picture.is_dark)
    )


async def _draw(
    scenario: str, size: tuple[int, int], keys: tuple[str, ...], *, is_dark: bool
) -> str:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "t.l4trace"
        with TraceWriter(path) as writer:
            run_scenario(load_scenario(scenario, arch="amd64"), trace=writer)
        with open_trace(path) as trace:
            app = make_app(trace, mover_of(trace), is_dark=is_dark)
            async with app.run_test(size=size) as pilot:
                for key in ("", *keys):
                    if key:
                        await pilot.press(key)
                    for _ in range(3):
                        await pilot.pause()
                        await app.workers.wait_for_complete()
                return normalise(app.export_screenshot(title=f"l4lab debug {scenario}"))


def normalise(svg: str) -> str:
    """Give the parts of a picture names that are the same every time, and local fonts."""
    svg = re.sub(r"terminal-\d+-", "t-", svg)
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    return svg.replace("Fira Code", "DejaVu Sans Mono")


if __name__ == "__main__":
    main()
