"""ELF executables: segments, symbols and lines of real ones, and refusal of the rest."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guest.elf import load_elf, parse_elf, parse_segments
from guest.errors import GuestError
from guest.image import Line, Segment, resolve
from guest.load import load_images
from kernel.abi import AMD64, ARCHES, IA32, Arch, Page

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")

BOTH = pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)

SOURCE = """\
int data = 5;
static int zero[100];
static int add(int a, int b)
{
    return a + b + zero[3];
}
void _start(void)
{
    data = add(data, 2);
    for (;;) ;
}
"""


def build(folder: Path, arch: Arch, *flags: str) -> Path:
    (folder / "main.c").write_text(SOURCE)
    out = folder / f"{arch.name}{''.join(flags)}"
    command = ["gcc", f"-m{arch.bits}", "-g", "-O0", "-ffreestanding", "-nostdlib"]
    if not any("pie" in flag for flag in flags):
        command += ["-static", "-fno-pic", "-no-pie"]
    subprocess.run([*command, *flags, "main.c", "-o", out.name], check=True, cwd=folder)
    return out


@pytest.fixture(scope="module")
def executables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("elf")
    return {name: build(folder, arch).read_bytes() for name, arch in ARCHES.items()}


@BOTH
@pytest.mark.parametrize(
    "flags",
    [("-gdwarf-2",), ("-gdwarf-3",), ("-gdwarf-4",), ("-gdwarf-5",), ("-gdwarf-5", "-gz=zlib")],
    ids=" ".join,
)
def test_segments_symbols_and_lines_are_read(
    folder: Path, arch: Arch, flags: tuple[str, ...]
) -> None:
    path = build(folder, arch, *flags)

    image = load_elf(path, arch)

    source = str(folder / "main.c")
    start, add = image.symbol("_start"), image.symbol("add")
    assert start is not None
    assert add is not None
    assert image.entry == start.address
    assert [segment.rights for segment in image.segments] == [
        Page.R,
        Page.R | Page.X,
        Page.R,
        Page.R | Page.W,
    ]
    assert image.segments[-1].data[:4] == b"\5\0\0\0"
    assert image.segments[-1].size > len(image.segments[-1].data)
    assert image.symbol_at(add.address + 3) == (add, 3)
    assert image.line_at(add.address) == Line(add.address, source, 4)
    assert {line.line for line in image.lines if line.file} == {4, 5, 6, 8, 9, 10}
    assert image.line_at(image.segments[1].end) is None
    assert image.source == {source: SOURCE}


@BOTH
def test_a_symbol_or_an_address_resolves(executables: dict[str, bytes], arch: Arch) -> None:
    image = parse_elf(executables[arch.name], arch, path=Path("x"))

    assert resolve(image, "_start", file="s.toml") == image.entry
    assert resolve(image, hex(image.entry), file="s.toml") == image.entry
    with pytest.raises(GuestError) as caught:
        resolve(image, "strat", file="s.toml", key="task[0].thread[0].entry")
    assert str(caught.value) == (
        "s.toml: task[0].thread[0].entry: 'strat' is neither a symbol of x "
        "nor an address inside it"
    )


def test_position_independent_and_dynamic_files_are_refused(folder: Path) -> None:
    pie = build(folder, AMD64, "-static-pie", "-fPIE")
    with pytest.raises(GuestError) as caught:
        load_elf(pie, AMD64)
    assert str(caught.value) == (
        f"{pie}: position-independent or shared: expected a static executable "
        "(link with -static -no-pie)"
    )
    data = bytearray(build(folder, AMD64).read_bytes())
    (offset,) = struct.unpack_from("<Q", data, 32)
    struct.pack_into("<I", data, offset, 3)
    with pytest.raises(GuestError) as caught:
        parse_elf(bytes(data), AMD64, path=Path("x"))
    assert str(caught.value) == "x: dynamically linked: expected a static executable"


def test_the_wrong_architecture_is_named(executables: dict[str, bytes]) -> None:
    for arch, other in ((AMD64, IA32), (IA32, AMD64)):
        with pytest.raises(GuestError) as caught:
            parse_elf(executables[other.name], arch, path=Path("x"))
        assert str(caught.value) == (
            f"x: built for {other.name} ({other.bits}-bit), "
            f"expected {arch.name} ({arch.bits}-bit)"
        )


@pytest.mark.parametrize(
    ("offset", "form", "value", "message"),
    [
        (0x10, "<Q", 0xB300_0000, "segment 0xb3000000-0x{end:x} overlaps the UTCB area"),
        (
            0x10,
            "<Q",
            0,
            "segment 0x0-0x{size:x} is outside of user memory 0x1000-0x800000000000",
        ),
        (
            0x10,
            "<Q",
            1 << 63,
            "segment 0x8000000000000000-0x{high:x} is outside of user memory",
        ),
        (0x28, "<Q", 0x2000, "segment 0x402000-0x402054 overlaps segment 0x401000-0x403000"),
        (0x20, "<Q", 1 << 40, "segment 0x401000 has 0x10000000000 bytes in the file and"),
        (0x08, "<Q", 1 << 40, "truncated: segment 0x401000 at 0x10000000000-"),
        (0x04, "<I", 1, "segment 0x401000 is not readable, which x86 cannot do"),
    ],
)
def test_a_segment_that_cannot_be_mapped_is_refused(
    executables: dict[str, bytes], offset: int, form: str, value: int, message: str
) -> None:
    data = bytearray(executables["amd64"])
    (table,) = struct.unpack_from("<Q", data, 32)
    headers = [table + 56 * index for index in range(8)]
    code = next(at for at in headers if struct.unpack_from("<II", data, at) == (1, 5))
    (size,) = struct.unpack_from("<Q", data, code + 0x28)
    struct.pack_into(form, data, code + offset, value)

    with pytest.raises(GuestError) as caught:
        parse_elf(bytes(data), AMD64, path=Path("x"))

    wanted = message.format(size=size, end=0xB300_0000 + size, high=(1 << 63) + size)
    assert str(caught.value).startswith(f"x: {wanted}")


def outcome(data: bytes, arch: Arch) -> tuple[Segment, ...] | str:
    """Give the segments, or the error's text."""
    try:
        return parse_segments(data, arch, file="x")[1]
    except GuestError as error:
        return str(error)


@BOTH
def test_a_truncated_file_is_refused_or_has_all_segments(
    executables: dict[str, bytes], arch: Arch
) -> None:
    data = executables[arch.name]
    _, whole = parse_segments(data, arch, file="x")
    for size in range(0, len(data), 7):
        found = outcome(data[:size], arch)
        if isinstance(found, str):
            assert found.startswith(("x: truncated", "x: not an ELF file"))
        else:
            assert found == whole


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(sorted(ARCHES)),
    changes=st.lists(
        st.tuples(st.integers(0, 0x200), st.integers(0, 255)), min_size=1, max_size=12
    ),
)
def test_flipped_bytes_of_headers_give_segments_or_an_error(
    executables: dict[str, bytes], name: str, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(executables[name])
    for position, value in changes:
        data[position] = value
    found = outcome(bytes(data), ARCHES[name])
    assert not isinstance(found, str) or found.startswith("x: ")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_give_an_error(data: bytes) -> None:
    for prefix in (b"", b"\x7fELF\2\1\1" + b"\0" * 9 + b"\2\0\x3e\0"):
        with pytest.raises(GuestError):
            parse_elf(prefix + data, AMD64, path=Path("x"))


def test_images_are_loaded_by_their_suffix(folder: Path) -> None:
    path = build(folder, AMD64)
    Path("p.s").write_text("_start: nop\n")

    first, second, third = load_images([Path("p.s"), path, Path("p.s")], AMD64)

    assert (first.name, second.name, third is first) == ("p", path.name, True)


def test_a_symbol_named_in_a_scenario_must_exist(executables: dict[str, bytes]) -> None:
    image = parse_elf(executables["amd64"], AMD64, path=Path("x"))

    with pytest.raises(GuestError, match="neither a symbol"):
        resolve(image, "0x123456789abc", file="s.toml")
