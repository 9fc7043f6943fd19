"""Which pane is where on a screen of some size."""

from typing import NamedTuple

TOP = 3  # the bar and the banner
BOTTOM = 2  # status and keys
WIDE = 110
HIGH = 34
HUGE = 170
SLOT = ("utcb", "details", "registers", "console")  # share a place on a small screen


class Box(NamedTuple):
    """A place on the screen."""

    x: int
    y: int
    width: int
    height: int


def arrange(width: int, height: int, *, slot: str, zoomed: str | None) -> dict[str, Box]:
    """Place the panes; those that are not named are not shown.

    `slot` is the pane that a small screen shows beside the code.
    """
    y, room = TOP, max(height - TOP - BOTTOM, 2)
    if zoomed is not None:
        return {zoomed: Box(0, y, width, room)}
    if width >= HUGE and height >= HIGH:
        return _huge(width, y, room)
    if width >= WIDE and height >= HIGH:
        return _wide(width, y, room)
    lanes = max(room * 9 // 19, 3)
    below = room - lanes
    code = width // 2 if width >= 60 else width
    boxes = {
        "lanes": Box(0, y, width, lanes),
        "code": Box(0, y + lanes, code, below),
        slot: Box(code, y + lanes, width - code, below),
    }
    if width < 60:
        boxes["code"] = Box(0, y + lanes, width, below // 2)
        boxes[slot] = Box(0, y + lanes + below // 2, width, below - below // 2)
    return boxes


def _wide(width: int, y: int, room: int) -> dict[str, Box]:
    left = width * 52 // 100
    right = width - left
    lanes = room * 55 // 100
    code = room * 42 // 100
    words = room * 30 // 100
    console = max((room - lanes) * 40 // 100, 4)
    return {
        "lanes": Box(0, y, left, lanes),
        "registers": Box(0, y + lanes, left, room - lanes - console),
        "console": Box(0, y + room - console, left, console),
        "code": Box(left, y, right, code),
        "utcb": Box(left, y + code, right, words),
        "details": Box(left, y + code + words, right, room - code - words),
    }


def _huge(width: int, y: int, room: int) -> dict[str, Box]:
    left = width * 36 // 100
    right = width * 34 // 100
    middle = width - left - right
    console = max(room * 20 // 100, 5)
    code = room * 60 // 100
    words = room * 45 // 100
    return {
        "lanes": Box(0, y, left, room - console),
        "console": Box(0, y + room - console, left, console),
        "code": Box(left, y, middle, code),
        "registers": Box(left, y + code, middle, room - code),
        "utcb": Box(left + middle, y, right, words),
        "details": Box(left + middle, y + words, right, room - words),
    }
