"""Images: which segments can lie in one task, and what an address means."""

import pytest

from guest.errors import GuestError
from guest.image import Image, Line, Segment, Symbol, check_segments
from kernel.abi import AMD64, IA32, Arch, Page

RX, RW = Page.R | Page.X, Page.R | Page.W


@pytest.mark.parametrize(
    ("arch", "segments", "message"),
    [
        (
            AMD64,
            [Segment(0x40_0000, b"", 0x100, RX), Segment(0x40_0100, b"", 0x100, RW)],
            "x: segment 0x400100-0x400200 shares a page with segment 0x400000-0x400100 "
            "of other rights",
        ),
        (
            AMD64,
            [Segment(0x40_0000, b"", 0x101, RW), Segment(0x40_0100, b"", 0x100, RW)],
            "x: segment 0x400100-0x400200 overlaps segment 0x400000-0x400101",
        ),
        (
            IA32,
            [Segment(0xBFFF_F000, b"", 0x1001, RW)],
            "x: segment 0xbffff000-0xc0000001 is outside of user memory 0x1000-0xc0000000",
        ),
        (
            IA32,
            [Segment(0xB2FF_F000, b"", 0x1001, RW)],
            "x: segment 0xb2fff000-0xb3000001 overlaps the UTCB area 0xb3000000-0xb3100000",
        ),
        (
            AMD64,
            [Segment(0x40_0000, b"", (256 << 20) + 1, RW)],
            "x: the segments have 268435457 bytes, at most 268435456",
        ),
    ],
)
def test_segments_that_cannot_lie_together_are_refused(
    arch: Arch, segments: list[Segment], message: str
) -> None:
    with pytest.raises(GuestError) as caught:
        check_segments(segments, arch, file="x")

    assert str(caught.value) == message


def test_segments_of_equal_rights_may_share_a_page() -> None:
    check_segments(
        [Segment(0x40_0000, b"", 0x100, RW), Segment(0x40_0100, b"", 0xF00, RW)],
        AMD64,
        file="x",
    )


def test_addresses_find_their_symbol_and_line() -> None:
    image = Image(
        arch=AMD64,
        name="x",
        entry=0x40_0000,
        segments=(Segment(0x40_0000, b"", 0x100, RX), Segment(0x40_1000, b"", 0x100, RW)),
        symbols=(
            Symbol("whole", 0x40_0000, 0x80),
            Symbol("inner", 0x40_0010, 0x10),
            Symbol("unsized", 0x40_0090, 0),
        ),
        lines=(Line(0x40_0000, "a.c", 1), Line(0x40_0080, "", 0), Line(0x40_0090, "a.c", 9)),
        digest="",
        source={},
    )

    names = [
        (found[0].name, found[1]) if (found := image.symbol_at(address)) else None
        for address in (0x3F_FFFF, 0x40_0000, 0x40_0018, 0x40_0020, 0x40_0085, 0x40_00FF)
    ]
    assert names == [
        None,
        ("whole", 0),
        ("inner", 8),
        ("whole", 0x20),
        None,
        ("unsized", 0x6F),
    ]
    lines = [image.line_at(address) for address in (0x40_0005, 0x40_0085, 0x40_00FF, 0x40_1000)]
    assert lines == [Line(0x40_0000, "a.c", 1), None, Line(0x40_0090, "a.c", 9), None]
