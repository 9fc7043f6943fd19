"""Sources made to hang, crash or exhaust: always an image or one error, soon."""

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guest.assemble import assemble
from guest.errors import GuestError
from guest.image import Image
from kernel.abi import AMD64, ARCHES, Arch


def outcome(text: str, arch: Arch) -> str:
    """Assemble `text` and give the error's text, or nothing for an image."""
    Path("p.s").write_bytes(b"_start: nop\n" + text.encode("utf-8", "replace"))
    try:
        image = assemble(Path("p.s"), arch)
    except GuestError as error:
        return str(error)
    return "" if isinstance(image, Image) else "not an image"


@pytest.mark.parametrize(
    "text",
    [
        "/*" * 400_000,
        '"' + '\\"' * 400_000,
        '.ascii "' + '\\"' * 400_000 + "\\",
        "'" * 900_000,
        "mov eax, " + "(" * 900_000,
        "mov eax, " + "-" * 900_000 + "1",
        "mov eax, [" + "+" * 900_000,
        ".byte " + "1," * 400_000,
        "x" * 900_000 + ": jmp x",
        ".macro m a\n" + "\\a" * 400_000 + "\n.endm\nm " + "b" * 400_000,
        ".macro m a\nm \\a\\a\n.endm\nm bbbbbbbb",
        ".irp x, " + "," * 900_000 + "\n.endr",
        ".rept 99999\n.endr\n" * 20,
        ".if 1\n" * 900,
        "x = y\ny = x\nmov eax, x",
        "x = y + 1\ny = x + 1\n.quad x",
        ".rept 90000\nnop\n.endr",
        ".rept 20000\n.long _start\n.endr\nbad",
    ],
    ids=range(18),
)
def test_a_bomb_gives_an_image_or_an_error_soon(folder: Path, text: str) -> None:
    start = time.monotonic()
    found = outcome(text, AMD64)
    assert found == "" or found.startswith("p.s")
    assert len(found) < 1000
    assert time.monotonic() - start < 20


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
    ["mov", "push", "jmp", "call", "lea", "add", "ret", "loop", "rep", "lock", "movsd", "shl"]
    + [".byte", ".quad", ".space", ".fill", ".org", ".balign", ".p2align", ".ascii", ".asciz"]
    + [".rept", ".endr", ".macro", ".endm", ".irp", ".if", ".else", ".endif", ".ifdef", ".equ"]
    + [".text", ".data", ".bss", ".section", ".include", ".incbin", "x:", "1:", "x", "y", "="]
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
    found = outcome("\n".join(statements), ARCHES[arch])
    assert found == "" or (found.startswith("p.s") and "lost a part" not in found)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(max_size=60), arch=st.sampled_from(sorted(ARCHES)))
def test_any_text_gives_an_image_or_an_error(folder: Path, text: str, arch: str) -> None:
    found = outcome(text, ARCHES[arch])
    assert found == "" or found.startswith("p.s")
