"""Sources made to hang, crash or exhaust: always an image or one error, soon."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guest.assemble import assemble
from guest.errors import GuestError
from guest.image import Image
from kernel.abi import ARCHES

NUMBERS = st.sampled_from(["0", "1", "8", "-1", "4096", "1048576", "0x7fffffffffffffff", "1b"])
NAMES = st.sampled_from(["x", "y", "_start", "rax", "eax", "gs", ".", "\\a", "$", "l4lab_s1"])
OPERANDS = st.one_of(
    NUMBERS,
    NAMES,
    st.builds(lambda a, b: f"[{a} + {b}]", NAMES, NUMBERS),
    st.builds(lambda a, b: f"{a} - {b}", NAMES, NAMES),
    st.sampled_from(['"t"', "'c'", "(", "]", "gs:[0]", "qword ptr [rax*4 + x]", "%", "x:"]),
)
WORDS = st.sampled_from(
    "mov push jmp call lea add ret loop rep lock movsd movzx shl .byte .quad .space .fill .org"
    " .balign .p2align .rept .endr .macro .endm .irp .if .else .endif .ifdef .equ .text .data"
    " .bss .section .ascii .asciz .include .incbin x: y: 1: x y =".split()
)
STATEMENTS = st.builds(
    lambda word, operands: f"{word} {', '.join(operands)}",
    WORDS,
    st.lists(OPERANDS, max_size=3),
)


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(statements=st.lists(STATEMENTS, max_size=8), arch=st.sampled_from(sorted(ARCHES)))
def test_any_statements_give_an_image_or_an_error(
    folder: Path, statements: list[str], arch: str
) -> None:
    Path("p.s").write_text("_start: nop\n" + "\n".join(statements))
    try:
        image = assemble(Path("p.s"), ARCHES[arch])
    except GuestError as error:
        assert str(error).startswith("p.s")
        assert "lost a part" not in str(error)
    else:
        assert isinstance(image, Image)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(max_size=60), arch=st.sampled_from(sorted(ARCHES)))
def test_any_text_gives_an_image_or_an_error(folder: Path, text: str, arch: str) -> None:
    Path("p.s").write_bytes(b"_start: nop\n" + text.encode("utf-8", "replace"))
    try:
        image = assemble(Path("p.s"), ARCHES[arch])
    except GuestError as error:
        assert str(error).startswith("p.s")
    else:
        assert isinstance(image, Image)
