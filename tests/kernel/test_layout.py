"""Numbers and layout: the tables have no gap, and encodings are each other's inverse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel import abi, port, utcb
from kernel.abi import AMD64, IA32


def test_utcb_fields_have_no_gap_and_no_overlap() -> None:
    """ABI 2: 128 words."""
    words = [f.value.first + i for f in utcb.Field for i in range(f.value.length)]
    assert words == list(range(utcb.WORDS))


def test_utcb_offsets_are_those_of_l4re() -> None:
    """ABI 2: byte offsets of MRs, BDR, BRs and TCRs."""
    assert (AMD64.utcb_size, IA32.utcb_size) == (1024, 512)
    assert (utcb.SELF * 8, utcb.BDR * 8, utcb.BR * 8, utcb.ERROR * 8) == (
        0x1F8,
        0x200,
        0x208,
        0x3D8,
    )
    assert (utcb.SELF * 4, utcb.BDR * 4, utcb.BR * 4, utcb.ERROR * 4) == (
        0x0FC,
        0x100,
        0x104,
        0x1EC,
    )


def test_words_are_named_as_reports_print_them() -> None:
    names = [utcb.name_of(k) for k in (0, 62, 63, 64, 65, 122, 123, 124, 127)]
    assert names == [
        "mr[0]",
        "mr[62]",
        "self",
        "bdr",
        "br[0]",
        "br[57]",
        "error",
        "free_marker",
        "user[2]",
    ]


def test_a_word_outside_the_utcb_has_no_name() -> None:
    with pytest.raises(ValueError, match=r"^word 128 is outside a UTCB of 128 words$"):
        utcb.name_of(128)


@given(
    bits=st.sampled_from([32, 64]),
    label=st.integers(-0x8000, 0x7FFF),
    words=st.integers(0, 63),
    items=st.integers(0, 63),
    flags=st.sampled_from([0, 0x1000, 0x2000, 0x8000, 0xF000]),
)
def test_a_tag_decodes_to_what_was_encoded(
    bits: int, label: int, words: int, items: int, flags: int
) -> None:
    """ABI 3: words, items, flags and a signed label."""
    tag = abi.encode_tag(label, words=words, items=items, flags=flags, bits=bits)
    assert 0 <= tag < 1 << bits
    assert abi.decode_tag(tag, bits=bits) == (label, words, items, flags)


def test_an_exception_tag_is_the_one_observed_on_the_real_kernel() -> None:
    """ABI 3 and 13: the label is sign-extended."""
    # ABI 13: 26 words, TRANSFER_FPU, protocol -5.
    tag = abi.encode_tag(abi.Protocol.EXCEPTION, words=26, flags=0x1000, bits=64)
    assert tag == 0xFFFF_FFFF_FFFB_101A


def test_trap_numbers_differ() -> None:
    kinds = [port.DEADLINE, port.SYSTEM_CALL, port.PAGE_FAULT, port.EXCEPTION]
    assert kinds == [0, 1, 2, 3]
