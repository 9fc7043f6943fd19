"""The pictures of the documentation show what the program shows: the snapshots of its screens.

If a screen is meant to look another way: python -m tools.pictures
"""

import html
import re
from pathlib import Path

import pytest

from tools.pictures import FOLDER, PICTURES, Picture, draw

ROOT = Path(__file__).parents[2]
# Programs that a compiler makes differ from one compiler to another.
ASSEMBLED = [picture for picture in PICTURES if "-c" not in picture.scenario]


def texts(svg: str) -> list[str]:
    """Give the texts of a picture with their places, but for what the CPU's model decides."""
    found = re.findall(r'<text class="t-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>', svg)
    shown = [f"{x} {y} {html.unescape(text)}" for x, y, text in found]
    return [re.sub(r"trace.[0-9a-f]{8}|cycle.[0-9,]+", "*", text) for text in shown]


@pytest.mark.parametrize("picture", ASSEMBLED, ids=lambda picture: picture.name)
def test_a_picture_is_what_the_program_shows(picture: Picture) -> None:
    stored = (FOLDER / f"{picture.name}.svg").read_text(encoding="utf-8")

    drawn = texts(draw(picture))
    assert len(drawn) > 50
    assert drawn == texts(stored)


def test_every_picture_is_there_small_and_shown() -> None:
    document = (ROOT / "docs" / "trace-view.md").read_text(encoding="utf-8")

    names = {picture.name for picture in PICTURES}
    assert set(re.findall(r"pictures/(\w+)\.svg", document)) >= names
    for name in names:
        assert (FOLDER / f"{name}.svg").stat().st_size < 200_000
