"""Flexpages as words, and the geometry of mapping one into another."""

from hypothesis import given
from hypothesis import strategies as st

from kernel.flexpage import (
    ALL_SPACES,
    INVALID,
    Area,
    Flexpage,
    Kind,
    decode,
    encode,
    place,
)

AREAS = st.builds(
    lambda first, order: Area(first >> order << order, order),
    st.integers(0, 1 << 52),
    st.integers(0, 52),
)
WORDS = st.integers(0, (1 << 64) - 1)


def parts(fpage: Flexpage) -> tuple[int, int, int, int]:
    return fpage.kind, fpage.base, fpage.order, fpage.rights


def end(area: Area) -> int:
    return area.first + area.size


def test_the_words_of_the_abi_are_these() -> None:
    """ABI 4.9: rights in bits 3..0, type in 5..4, order in 11..6, base above."""
    assert parts(decode(0x1234_5000 | 14 << 6 | 1 << 4 | 7)) == (Kind.MEMORY, 0x12345, 14, 7)
    assert parts(decode(0x21 << 12 | 3 << 4 | 0xF)) == (Kind.OBJECT, 0x21, 0, 0xF)
    assert parts(decode(0x3F8 << 12 | 3 << 6 | 2 << 4)) == (Kind.IO, 0x3F8, 3, 0)
    assert parts(decode(INVALID)) == (Kind.SPECIAL, 0, 0, 0)
    assert ALL_SPACES == 0xFC0


@given(WORDS)
def test_every_word_is_a_flexpage_and_comes_back(word: int) -> None:
    """ABI 4.9: a flexpage is a word, and every word is one."""
    assert encode(decode(word)) == word


@given(WORDS)
def test_an_area_is_aligned_to_its_size(word: int) -> None:
    """ABI 4.9: a flexpage begins at a multiple of its size."""
    area = decode(word).area()
    assert area is None or area.first % (1 << area.order) == 0


def test_less_than_a_page_and_nothing_have_no_area() -> None:
    """ABI 4.9: memory comes in pages."""
    words = (INVALID, 0x5000 | 11 << 6 | 1 << 4, 62 << 6)
    assert [decode(word).area() for word in words] == [None, None, None]


def test_all_spaces_begin_at_zero() -> None:
    """ABI 4.9: all spaces is one flexpage, whatever rights it carries."""
    assert decode(ALL_SPACES).is_all_spaces()
    assert decode(ALL_SPACES | 0xF).is_all_spaces()
    assert not decode(ALL_SPACES | 1 << 4).is_all_spaces()
    area = decode(ALL_SPACES).area()
    assert area is not None
    assert (area.first, area.order) == (0, 63)


@given(AREAS, AREAS, WORDS)
def test_a_smaller_source_goes_whole_into_the_window(
    source: Area, window: Area, hot_spot: int
) -> None:
    """ABI 4.9: r >= s: target = receive base + (hot spot mod 2^r, truncated to 2^s)."""
    if source.order > window.order:
        source, window = window, source
    where = place(source, window, hot_spot)
    sent, target = where.source, where.target
    assert (sent.first, sent.order) == (source.first, source.order)
    assert window.first <= target
    assert target + (1 << source.order) <= end(window)
    assert target % (1 << source.order) == 0
    spot = window.first + hot_spot % (1 << window.order)
    assert target <= spot < target + (1 << source.order)


@given(AREAS, AREAS, WORDS)
def test_a_larger_source_is_cut_at_the_hot_spot(
    source: Area, window: Area, hot_spot: int
) -> None:
    """ABI 4.9: r < s: source += (hot spot mod 2^s truncated to 2^r), s = r."""
    if source.order <= window.order:
        window = Area(0, 0)
        source = Area(source.first >> 1 << 1, max(source.order, 1))
    where = place(source, window, hot_spot)
    sent, target = where.source, where.target
    assert (sent.order, target) == (window.order, window.first)
    assert source.first <= sent.first
    assert end(sent) <= end(source)
    spot = source.first + hot_spot % (1 << source.order)
    assert sent.first <= spot < end(sent)


@given(AREAS, st.integers(0, 1 << 50))
def test_in_all_spaces_the_hot_spot_is_the_address(source: Area, hot_spot: int) -> None:
    """ABI 4.9: all-spaces receive window: target address = hot spot."""
    window = decode(ALL_SPACES).area()
    assert window is not None
    assert place(source, window, hot_spot).target == hot_spot >> source.order << source.order


def test_the_flexpage_of_a_word_is_what_was_put_together() -> None:
    """ABI 4.9: encode and decode are each other's inverse."""
    fpage = Flexpage(Kind.MEMORY, 0x80, 15, 5)
    assert parts(decode(encode(fpage))) == parts(fpage)
