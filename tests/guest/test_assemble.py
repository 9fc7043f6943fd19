"""Assembly: sections, symbols, lines, expansion, and what Keystone gets wrong."""

import os
from pathlib import Path

import pytest

from guest import assemble as module
from guest.assemble import assemble, assemble_all
from guest.errors import GuestError
from guest.image import Line, Segment, Symbol
from kernel.abi import AMD64, ARCHES, IA32, Arch, Page
from tests.guest.conftest import Assemble

BOTH = pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)


def code(assemble_text: Assemble, instructions: str, arch: Arch) -> str:
    """Assemble instructions after `_start` and give their bytes in hex."""
    return assemble_text(f"_start: {instructions}", arch).segments[0].data.hex()


def error(assemble_text: Assemble, text: str, arch: Arch = AMD64) -> str:
    with pytest.raises(GuestError) as caught:
        assemble_text(text, arch)
    return str(caught.value)


@BOTH
def test_sections_become_segments_with_their_rights(
    assemble_text: Assemble, arch: Arch
) -> None:
    image = assemble_text(
        """
        .data
        seven: .long 7
        .bss
        room: .space 0x1800
        .text
        _start: nop
        .section .rodata
        text: .asciz "h\\x41\\n\\"ä"
        """,
        arch,
    )

    assert image.segments == (
        Segment(0x40_0000, b"\x90", 1, Page.R | Page.X),
        Segment(0x40_1000, b'hA\n"\xc3\xa4\0', 7, Page.R),
        Segment(0x40_2000, b"\7\0\0\0", 4, Page.R | Page.W),
        Segment(0x40_3000, b"", 0x1800, Page.R | Page.W),
    )
    assert image.symbols == (
        Symbol("_start", 0x40_0000, 1),
        Symbol("text", 0x40_1000, 7),
        Symbol("seven", 0x40_2000, 4),
        Symbol("room", 0x40_3000, 0x1800),
    )
    assert image.entry == 0x40_0000
    assert image.symbol_at(0x40_3010) == (Symbol("room", 0x40_3000, 0x1800), 0x10)
    assert image.symbol_at(0x40_4800) is None


@BOTH
def test_lines_are_those_of_the_source_and_of_a_macros_use(
    assemble_text: Assemble, arch: Arch
) -> None:
    image = assemble_text(
        ".macro twice what\n\\what\n\\what\n.endm\n_start:\nnop\n\ntwice hlt  # c\n"
        ".rept 2\nnop\n.endr\nnop; hlt\n",
        arch,
    )

    assert image.segments[0].data == b"\x90\xf4\xf4\x90\x90\x90\xf4"
    assert image.lines == (
        Line(0x40_0000, "p.s", 6),
        Line(0x40_0001, "p.s", 8),
        Line(0x40_0003, "p.s", 10),
        Line(0x40_0005, "p.s", 12),
    )
    assert image.line_at(0x40_0002) == Line(0x40_0001, "p.s", 8)
    assert image.line_at(0x40_0007) is None


@BOTH
def test_comments_constants_and_local_labels(assemble_text: Assemble, arch: Arch) -> None:
    text = """
        A = 2
        .equ B, (A << 4 | 1) + 10h   // 0x31
        .set LATER, END - _start     /* known to the
                                        assembler only */
        mov al, B; mov al, 'x' # don't
        1:  jmp 1f
        1:  jmp 1b
            jmp 1b
            mov ecx, C
        END:
        C = 0b101
        """

    assert code(assemble_text, text, arch) == ("b031b078eb00ebfeebfcb905000000")


@BOTH
def test_conditions_choose_lines(assemble_text: Assemble, arch: Arch) -> None:
    text = """
        .include "abi.inc"
        .macro pick, a, b=hlt
        .ifb \\a
        \\b
        .else
        \\a
        .endif
        .endm
        .if UTCB_WORD == 8
        .byte 8
        .elseif UTCB_WORD == 4
        .byte 4
        .else
        .error "no such word"
        .endif
        .ifdef NO
        .error "not here"
        .endif
        pick
        pick nop
        pick b=int3
        """

    assert code(assemble_text, text, arch) == f"{arch.word:02x}f490cc"


@BOTH
def test_data_directives(assemble_text: Assemble, arch: Arch) -> None:
    text = """
        .byte 1, -1, 'a', 255
        .word 0x1234
        .long _start, -2
        .quad _start + 8, 0xffffffffffffffff
        .balign 4, 0xcc
        .fill 2, 4, 0x11223344
        .skip 1, 7
        .org 0x40
        .irp x, 1, 2
        .byte \\x
        .endr
        """

    assert code(assemble_text, text, arch) == (
        "01ff61ff"
        "3412"
        "00004000"
        "feffffff"
        "0800400000000000"
        "ffffffffffffffff"
        "cccc"
        "4433221144332211"
        "07" + "00" * 23 + "0102"
    )


AMD64_REPAIRED = [
    ("mov rcx, gs:[0]", "65488b0c2500000000"),
    ("mov r13, gs:[0x10]", "654c8b2c2510000000"),
    ("mov rax, gs:[0]", "65488b042500000000"),
    ("mov ecx, dword ptr gs:[8]", "658b0c2508000000"),
    ("mov gs:[8], rcx", "6548890c2508000000"),
    ("add qword ptr fs:[8], 5", "64488304250800000005"),
    ("mov rcx, [0x1000]", "488b0c2500100000"),
    ("mov rcx, 8 + _start", "48c7c108004000"),
    ("mov rcx, offset _start", "48c7c100004000"),
    ("jmp short _start", "ebfe"),
    ("rep movsd", "f3a5"),
    ("pushf; popf", "9c9d"),
    ("endbr64", "f30f1efa"),
    ("push -0x80000000", "6800000080"),
    ("push 0xffffffffffffffff", "6aff"),
    ("lock xadd [rbx + 4*2 - 8], rax", "f0480fc103"),
    ("mov rax, [rbx + rcx*(2+2) + 16]", "488b448b10"),
    ("mov rax, [8 + _start + rbx]", "488b8308004000"),
    ("lea rax, [rip + _start]", "488d05f9ffffff"),
]
IA32_REPAIRED = [
    ("mov ecx, fs:[0]", "648b0d00000000"),
    ("mov ecx, dword ptr gs:[8]", "658b0d08000000"),
    ("push _start", "6800004000"),
    ("push offset _start + 4", "6804004000"),
    ("pushf; popf", "9c9d"),
    ("rep movsd", "f3a5"),
    ("call 0xeacff000", "e8fbef8fea"),
    ("mov ecx, 4 + _start", "b904004000"),
    ("mov ecx, [4 + _start]", "8b0d04004000"),
    ("mov eax, [eax + 0xeacff000]", "8b8000f0cfea"),
    ("mov eax, 0xffffffff", "b8ffffffff"),
]


@pytest.mark.parametrize(
    ("arch", "text", "expected"),
    [("amd64", *case) for case in AMD64_REPAIRED] + [("ia32", *case) for case in IA32_REPAIRED],
)
def test_what_keystone_gets_wrong_is_repaired(
    assemble_text: Assemble, arch: str, text: str, expected: str
) -> None:
    assert code(assemble_text, text, ARCHES[arch]) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mov al, 300", "0x12c does not fit: expected -0x80 to 0xff"),
        (
            "mov eax, 0x1234567890",
            "0x1234567890 does not fit: expected -0x80000000 to 0xffffffff",
        ),
        ("mov byte ptr [rax], 256", "0x100 does not fit: expected -0x80 to 0xff"),
        ("push 0x80000000", "0x80000000 does not fit: expected -0x80000000 to 0x7fffffff"),
        (
            "mov rax, [rax + 0x80000000]",
            "displacement 0x80000000 does not fit: expected -0x80000000 to 0x7fffffff",
        ),
        ("ret 0x12345", "0x12345 does not fit: expected 0x0 to 0xffff"),
        ("mov eax, [", "expected ']'"),
        ("mov rax, (rbx", "expected ')'"),
        ("mov rax, [rbx]]", "unexpected ']'"),
        ("mov rax, [rbx][8]", "expected SIZE ptr SEGMENT:[ADDRESS], with one pair of brackets"),
        ("mov rax, [rbx - rcx]", "a register cannot be subtracted in an address"),
        ("mov rax, [rbx*3]", "expected a scale of 1, 2, 4 or 8 in an address"),
        ("iret", "expected iretq or iretd in place of iret"),
        ("call nowhere", "undefined symbol 'nowhere'"),
        ("mov rax, [rbx + nowhere]", "undefined symbol 'nowhere'"),
        (".quad nowhere", "undefined symbol 'nowhere'"),
        ("jmp 1b", "no label 1: before this line"),
        ("jmp 1f", "no label 1: after this line"),
        ("bad rax", "invalid mnemonic: 'bad rax'"),
        ("mov rax, ebx", "invalid operand: 'mov rax, ebx'"),
        ("mov ah, sil", "the assembler gives up on this instruction: 'mov ah, sil'"),
        ("loop far\n.space 300\nfar:", "invalid fixup: 'loop far'"),
        (".byte far\nfar:", "invalid fixup: '.byte far'"),
        ("eax: nop", "'eax' cannot be a name: it is a register or a keyword of the syntax"),
        ("far: nop\nfar: nop", "label 'far' is defined twice, first at line 2"),
        ('.incbin "/etc/passwd"', ".incbin is refused: a source cannot read other files"),
        (".att_syntax", "unknown directive .att_syntax"),
        (
            ".section .init",
            "unknown section '.init', expected one of .text, .rodata, .data, .bss",
        ),
        (".rept 2000000\n.endr", ".rept 2000000: expected 0 to 1048576"),
        (
            ".rept 1000\n.rept 1000\n.endr\n.endr",
            "the source expands to more than 100000 lines",
        ),
        (".space 1048577", ".space of 1048577 bytes: expected 0 to 1048576"),
        (".fill 1048576, 8, 0", ".fill of 8388608 bytes: expected 0 to 1048576"),
        (".org 2000000", ".org 2000000: expected 0 to 1048576"),
        (".balign 8192", ".balign: expected a power of two up to 4096"),
        (".p2align 60", ".p2align: expected a power of two up to 4096"),
        (".rept 17\n.space 1000000\n.endr", "the program is larger than 16777216 bytes"),
        (
            ".macro m\nm\n.endm\nm",
            "macro 'm' is nested deeper than 32 (in macro 'm' of line 2 in p.s)",
        ),
        (
            ".macro m\nm\nm\n.endm\nm",
            "macro 'm' is nested deeper than 32 (in macro 'm' of line 2 in p.s)",
        ),
        (".macro m\nnop", "expected .endm for this .macro"),
        (".rept 2\nnop", "expected .endr for this .rept"),
        (".if 1\nnop", "expected .endif for this condition"),
        (".endm", ".endm without .macro"),
        (".if later\n.endif\nlater = 1", "expected a constant, 'later' is not known here"),
        ("x = 1/0", "division by zero"),
        ("x = 1 << 64", "shift by 64, expected 0 to 63"),
        ("x = 2 * 0xffffffffffffffff", "the value of '*' does not fit 64 bits"),
        ("x = 08", "'08' is not a number of at most 64 bits"),
        ("m 1\n.macro m a\nnop\n.endm", "macro 'm' is used before its definition"),
        (".macro m a\nnop\n.endm\nm 1, 2", "macro 'm' takes 1 arguments, not 2"),
        ('.include "nowhere.inc"', None),
        (".byte 256", ".byte 0x100 does not fit: expected -0x80 to 0xff"),
        (".bss\n.byte 1", ".bss holds zeros only, .byte belongs in .data"),
        (".bss\nnop", ".bss cannot hold instructions"),
        ("mov rax, `", "unexpected character '`'"),
    ],
)
def test_a_mistake_is_named_with_its_line(
    assemble_text: Assemble, text: str, message: str | None
) -> None:
    found = error(assemble_text, f"_start: nop\n{text}\n")

    if message is None:
        message = ".include 'nowhere.inc': no such file inside ., " + str(
            Path(module.__file__).parent / "include"
        )
    place, _, rest = found.partition(": ")
    assert rest == message
    assert place.startswith("p.s:")
    assert 2 <= int(place[4:]) <= 6


def test_registers_of_amd64_are_unknown_to_ia32(assemble_text: Assemble) -> None:
    assert error(assemble_text, "_start: push rax", IA32) == (
        "p.s:1: 'rax' is a register of amd64 only"
    )


def test_a_source_without_start_is_refused(assemble_text: Assemble) -> None:
    assert (
        error(assemble_text, "nop") == "p.s: no label _start: expected the entry of the program"
    )
    assert error(assemble_text, "nop\n.data\n_start: .byte 1") == (
        "p.s: _start has no code: expected instructions in .text"
    )


def test_includes_stay_inside_the_sources_folder(assemble_text: Assemble) -> None:
    Path("sub").mkdir()
    Path("sub/p.s").write_text('_start: nop\n.include "../secret.inc"\n')
    Path("secret.inc").write_text("nop")
    Path("sub/link.inc").symlink_to("../secret.inc")

    with pytest.raises(GuestError, match=r"^sub/p.s:2: .include '../secret.inc': no such file"):
        assemble(Path("sub/p.s"), AMD64)
    Path("sub/p.s").write_text('_start: nop\n.include "link.inc"\n')
    with pytest.raises(GuestError, match=r"^sub/p.s:2: .include 'link.inc': no such file"):
        assemble(Path("sub/p.s"), AMD64)


def test_an_include_may_lie_in_a_given_folder(assemble_text: Assemble) -> None:
    Path("sub").mkdir()
    Path("more.inc").write_text("nop\nhlt\n")
    Path("sub/p.s").write_text('_start: nop\n.include "more.inc"\n')

    image = assemble(Path("sub/p.s"), AMD64, folders=[Path()])

    assert image.lines == (
        Line(0x40_0000, "sub/p.s", 1),
        Line(0x40_0001, "more.inc", 1),
        Line(0x40_0002, "more.inc", 2),
    )
    assert image.source == {
        "sub/p.s": '_start: nop\n.include "more.inc"\n',
        "more.inc": "nop\nhlt\n",
    }


def test_an_include_that_includes_itself_is_refused(assemble_text: Assemble) -> None:
    Path("a.inc").write_text('.include "a.inc"\n')

    assert error(assemble_text, '_start: nop\n.include "a.inc"') == (
        "a.inc:1: .include is nested deeper than 32"
    )


def test_odd_files_are_refused(folder: Path) -> None:
    os.mkfifo("p.s")
    with pytest.raises(GuestError) as caught:
        assemble(Path("p.s"), AMD64)
    assert str(caught.value) == "p.s: expected a regular file for this source"
    Path("q.s").write_bytes(b"nop\n\xff\xfe")
    with pytest.raises(GuestError) as caught:
        assemble(Path("q.s"), AMD64)
    assert str(caught.value) == "q.s:2: this source is not UTF-8"


@BOTH
def test_the_cache_gives_the_same_image_and_survives_damage(
    assemble_text: Assemble, arch: Arch, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "here"))
    first = assemble_text("_start: nop\nhlt\n.data\nx: .quad x", arch)
    (entry,) = (folder / "here/l4lab").iterdir()

    assert assemble_text("_start: nop\nhlt\n.data\nx: .quad x", arch) == first
    entry.write_bytes(entry.read_bytes()[:-1] + b"?")
    assert assemble_text("_start: nop\nhlt\n.data\nx: .quad x", arch) == first
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    assert assemble_text("_start: nop\nhlt\n.data\nx: .quad x", arch) == first


def test_the_digest_is_of_the_content_not_of_the_text(assemble_text: Assemble) -> None:
    first = assemble_text("_start: nop", AMD64)

    assert assemble_text("# more\n_start:\n nop", AMD64).digest == first.digest
    assert assemble_text("_start: hlt", AMD64).digest != first.digest
    assert assemble_text("_start: nop", IA32).digest != first.digest


def test_several_sources_are_assembled_in_order(folder: Path) -> None:
    for index in range(5):
        Path(f"{index}.s").write_text(f"_start: .byte {index}\n")
    images = assemble_all([(Path(f"{index}.s"), AMD64) for index in range(5)])

    assert [image.segments[0].data for image in images] == [b"\0", b"\1", b"\2", b"\3", b"\4"]
    assert [image.name for image in images] == ["0", "1", "2", "3", "4"]
