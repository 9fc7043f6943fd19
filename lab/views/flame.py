"""A flame graph as one SVG file: width is time, what lies above was called from below.

There is nothing but shapes, texts and titles in it: it needs no script and no other file.
"""

from dataclasses import dataclass, field
from hashlib import blake2b
from xml.sax.saxutils import escape

from lab.stat import TICKS_PER_CYCLE, Stat
from lab.views.text import printable

WIDTH = 1200
_ROW = 18
_MARGIN = 10
_HEAD = 40
_LETTER = 6.6  # width of a letter
_NARROWEST = 0.2  # anything narrower is not drawn
_MOST_ROWS = 120  # deeper ones are not drawn
_KERNEL = "kernel"


@dataclass(slots=True)
class _Box:
    ticks: int = 0
    above: dict[str, "_Box"] = field(default_factory=dict)


def render_flame(stat: Stat) -> str:
    """Draw threads with their functions, and the kernel; idle time is left out."""
    root = _tree(stat)
    depth = min(_depth(root), _MOST_ROWS)
    height = _HEAD + depth * _ROW + _MARGIN
    title = f"{stat.scenario} on {stat.arch}, cycles of {stat.cpu}"
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="11">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fdfdfb"/>',
        f'<text x="{WIDTH / 2:.0f}" y="24" font-size="15" text-anchor="middle">'
        f"{_text(title)}</text>",
    ]
    if root.ticks:
        scale = (WIDTH - 2 * _MARGIN) / root.ticks
        bottom = _HEAD + depth * _ROW
        _draw(parts, root, "all", place=(_MARGIN, bottom), scale=scale, whole=root.ticks)
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _tree(stat: Stat) -> _Box:
    root = _Box()
    for path in stat.paths:
        box = root
        box.ticks += path.ticks
        for name in (path.thread, *path.stack):
            box = box.above.setdefault(name, _Box())
            box.ticks += path.ticks
    root.ticks += stat.kernel_ticks
    root.above[_KERNEL] = _Box(stat.kernel_ticks)
    return root


def _depth(root: _Box) -> int:
    depth, level = 0, [root]
    while level:
        depth += 1
        level = [box for each in level for box in each.above.values()]
    return depth


def _draw(
    parts: list[str],
    root: _Box,
    name: str,
    *,
    place: tuple[float, float],
    scale: float,
    whole: int,
) -> None:
    # Without recursion: stacks may be deeper than Python's own.
    left: list[tuple[_Box, str, float, int]] = [(root, name, place[0], 0)]
    while left:
        box, what, x, row = left.pop()
        width = box.ticks * scale
        if width < _NARROWEST or row >= _MOST_ROWS:
            continue
        y = place[1] - (row + 1) * _ROW
        cycles = f"{box.ticks / TICKS_PER_CYCLE:,.1f} cycles"
        tip = f"{what}: {cycles}, {100 * box.ticks / whole:.1f} %"
        parts.append(
            f'<g><title>{_text(tip)}</title><rect x="{x:.2f}" y="{y:.0f}" '
            f'width="{width:.2f}" height="{_ROW - 1}" rx="1" fill="{_colour(what, row)}"/>'
        )
        room = int((width - 6) / _LETTER)
        if room >= 3:
            shown = what if len(what) <= room else what[: room - 2] + ".."
            parts.append(f'<text x="{x + 3:.2f}" y="{y + 12:.0f}">{_text(shown)}</text>')
        parts.append("</g>")
        for each in sorted(box.above):
            left.append((box.above[each], each, x, row + 1))
            x += box.above[each].ticks * scale


def _colour(name: str, row: int) -> str:
    # The same name, the same colour; threads and the kernel are blue, code is warm.
    hue = blake2b(name.encode(errors="replace"), digest_size=1).digest()[0]
    if row < 2:
        return f"hsl({200 + hue % 30},45%,{72 + hue % 10}%)"
    return f"hsl({15 + hue % 40},75%,{62 + hue % 14}%)"


def _text(text: str) -> str:
    return escape(printable(text))
