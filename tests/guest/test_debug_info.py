"""Symbols and lines: whatever the file, they are read soon, or they are missing."""

import os
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from guest import debug_info
from guest.elf import load_elf, load_elfs, parse_elf
from guest.image import Image, Line
from kernel.abi import AMD64, ARCHES, IA32
from tests.guest.test_elf import build

pytestmark = pytest.mark.skipif(
    shutil.which("gcc") is None or shutil.which("objcopy") is None, reason="needs gcc"
)

# A line program's header, version 4: from minimum_instruction_length to the opcodes' lengths.
FIELDS = struct.pack("<BBBbBB", 1, 1, 1, -5, 14, 13) + bytes(
    (0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1)
)
NO_ROWS = b"\3\0"  # DW_LNS_advance_line by 0: work that leaves nothing behind


def line_section(
    program: bytes, *, fields: bytes = FIELDS, names: bytes = b"\0a.c\0\0\0\0\0"
) -> bytes:
    """Encode a line section of one program."""
    header = fields + names
    body = struct.pack("<HI", 4, len(header)) + header + program
    return struct.pack("<I", len(body)) + body


def with_section(path: Path, name: str, content: bytes) -> Path:
    """Replace a section of an executable."""
    new, out = path.with_suffix(".section"), path.with_suffix(".out")
    new.write_bytes(content)
    update = f"{name}={new}"
    subprocess.run(["objcopy", "--update-section", update, path, out], check=True)
    return out


def squeezed(size: int, content: bytes) -> bytes:
    """Encode a compressed section that pretends to have `size` bytes."""
    return struct.pack("<IIQQ", 1, 0, size, 1) + content


def test_an_intact_line_section_is_read(folder: Path) -> None:
    path = build(folder, AMD64, "-gdwarf-4")
    at = load_elf(path, AMD64).entry
    # The address; line 1; 5 bytes on, line 5; the end 3 bytes on.
    program = b"\0\x09\2" + struct.pack("<Q", at) + b"\1" + b"\3\4\2\5\1" + b"\2\3\0\1\1"

    image = load_elf(with_section(path, ".debug_line", line_section(program)), AMD64)

    name = str(folder / "a.c")
    assert image.lines == (Line(at, name, 1), Line(at + 5, name, 5), Line(at + 8, "", 0))


@pytest.mark.parametrize(
    ("section", "content"),
    [
        (".debug_line", b""),
        (".debug_line", b"\xff" * 5000),
        (".debug_line", bytes(5000)),
        (".debug_line", line_section(b"\xff", fields=FIELDS[:4] + b"\0" + FIELDS[5:])),
        (".debug_line", line_section(b"\x0d" * 9, fields=FIELDS[:5] + b"\0" + FIELDS[6:])),
        (".debug_line", line_section(b"\3\x7f\1")),
        (".debug_line", line_section(b"\3" + b"\xff" * 4000 + b"\1")),
        (".debug_line", line_section(b"\0\xff\xff\xff\xff\x0f\x55")),
        (".debug_line", line_section(b"\1", names=b"\0" + b"x" * 4000)),
        (".debug_line", line_section(NO_ROWS * 4_000_000)),
        (".debug_info", b"\xff" * 300),
        (".debug_info", bytes(400_000)),
        (".debug_abbrev", b"\xff" * 300),
    ],
    ids=range(13),
)
def test_damaged_lines_are_missing_and_symbols_are_not(
    folder: Path, section: str, content: bytes
) -> None:
    path = build(folder, AMD64, "-gdwarf-4")
    whole = load_elf(path, AMD64)
    image = load_elf(with_section(path, section, content), AMD64)

    # The first segment holds the headers of the file, which objcopy has rewritten.
    assert (image.segments[1:], image.symbols, image.lines, image.source) == (
        whole.segments[1:],
        whole.symbols,
        (),
        {},
    )


@pytest.mark.parametrize(
    "content",
    [
        squeezed(1 << 62, zlib.compress(bytes(64))),
        squeezed(1 << 33, zlib.compress(bytes(256 << 20), 9)),
        squeezed(64, b"not compressed at all"),
        struct.pack("<IIQQ", 2, 0, 64, 1) + b"zstd, which pyelftools does not know",
        b"",
    ],
    ids=range(5),
)
def test_a_damaged_compressed_section_has_no_lines(folder: Path, content: bytes) -> None:
    path = build(folder, AMD64)
    whole = load_elf(path, AMD64)
    out = with_section(path, ".debug_line", content)
    data = bytearray(out.read_bytes())
    (flags,) = section_fields(bytes(data), ".debug_line", [8])
    struct.pack_into("<Q", data, flags, 0x800)  # SHF_COMPRESSED

    image = parse_elf(bytes(data), AMD64, path=Path("x"))

    assert (image.segments[1:], image.symbols, image.lines) == (
        whole.segments[1:],
        whole.symbols,
        (),
    )


def section_fields(data: bytes, name: str, offsets: list[int]) -> list[int]:
    """Give the places of the fields of a 64-bit file's section header."""
    (table,) = struct.unpack_from("<Q", data, 40)
    size, count, strings = struct.unpack_from("<HHH", data, 58)
    (names,) = struct.unpack_from("<Q", data, table + size * strings + 24)
    for index in range(count):
        (offset,) = struct.unpack_from("<I", data, table + size * index)
        if data.startswith(name.encode() + b"\0", names + offset):
            return [table + size * index + field for field in offsets]
    raise AssertionError(f"no section {name}")


@pytest.mark.parametrize(
    ("name", "field", "form", "value"),
    [
        (".symtab", 24, "<Q", 1 << 62),  # sh_offset
        (".symtab", 32, "<Q", 24 << 40),  # sh_size
        (".symtab", 40, "<I", 1),  # sh_link, to a section that has no strings
        (".symtab", 56, "<Q", 0),  # sh_entsize
        (".strtab", 24, "<Q", 1 << 40),
        (".shstrtab", 24, "<Q", 1 << 40),
    ],
)
def test_damaged_symbols_cost_only_symbols_and_lines(
    folder: Path, name: str, field: int, form: str, value: int
) -> None:
    data = bytearray(build(folder, AMD64).read_bytes())
    whole = parse_elf(bytes(data), AMD64, path=Path("x"))
    (at,) = section_fields(bytes(data), name, [field])
    struct.pack_into(form, data, at, value)

    image = parse_elf(bytes(data), AMD64, path=Path("x"))

    assert (image.entry, image.segments) == (whole.entry, whole.segments)


def test_flipped_bytes_of_debug_sections_give_an_image(folder: Path) -> None:
    paths = []
    for number in range(24):
        arch = (AMD64, IA32)[number % 2]
        data = bytearray(build(folder, arch).read_bytes())
        # The debug sections and what describes them are behind the third quarter.
        for step in range(12):
            data[-1 - (number * 7919 + step * 104_729) % (len(data) // 4)] ^= 1 + number * 9
        paths.append(Path(f"{arch.name}-{number}"))
        paths[-1].write_bytes(data)

    images = [
        image
        for arch in ARCHES.values()
        for image in load_elfs([path for path in paths if arch.name in path.name], arch)
    ]

    assert len(images) == 24
    assert all(isinstance(image, Image) and image.segments for image in images)


def test_a_stripped_file_has_neither_symbols_nor_lines(folder: Path) -> None:
    image = load_elf(build(folder, AMD64, "-s"), AMD64)

    assert (image.symbols, image.lines, image.source) == ((), (), {})


def test_what_was_read_once_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = build(folder, AMD64)
    hostile = with_section(path, ".debug_line", line_section(b"\xff" * 99 + b"\0"))
    first = load_elfs([path, hostile, path], AMD64)

    def refuse(requests: object) -> list[object]:
        assert list(requests) == []  # type: ignore[call-overload]
        return []

    monkeypatch.setattr(debug_info, "run_all", refuse)
    assert load_elfs([path, hostile, path], AMD64) == first


def test_a_process_that_cannot_be_started_means_no_debug_information(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = build(folder, AMD64)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/nowhere/python")
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        image = load_elf(path, AMD64)

        assert (image.symbols, image.lines) == ((), ())
        assert not (folder / "cache").exists()
    assert load_elf(path, AMD64).symbols != ()


def test_loaders_do_not_import_the_libraries_of_their_children() -> None:
    code = (
        "import sys, guest.load, guest.scenario;"
        "print([name for name in ('elftools', 'keystone') if name in sys.modules])"
    )
    root = str(Path(debug_info.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
