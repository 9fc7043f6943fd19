"""Of several lines at one address, which one the code there is the beginning of."""

from guest.elf_child import _note_begin

NAMES = ["server.c", "l4lab.h"]


def begin(*same: tuple[int, int, bool]) -> tuple[str, int] | None:
    """Give the line that is noted for these: file, line, whether a statement begins there."""
    found: dict[int, tuple[str, int]] = {}
    _note_begin(found, 0x40104B, list(same), NAMES)
    return found.get(0x40104B)


def test_an_earlier_statement_of_the_file_whose_code_it_shares() -> None:
    assert begin((0, 17, True), (0, 18, True)) == ("server.c", 17)


def test_an_inlined_function_of_another_file_that_ends_there() -> None:
    assert begin((1, 172, False), (0, 18, True), (0, 18, False)) == ("l4lab.h", 172)


def test_the_end_of_a_line_of_the_same_file_has_no_code_there() -> None:
    assert begin((0, 10, False), (0, 18, True), (0, 18, False)) is None
