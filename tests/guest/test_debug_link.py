"""Separate debug files: found beside the program, if they are its own."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guest.debug_link import Link, read_link
from guest.elf import load_elf
from guest.image import Image
from kernel.abi import AMD64, ARCHES, IA32, Arch

pytestmark = pytest.mark.skipif(
    shutil.which("gcc") is None or shutil.which("objcopy") is None, reason="needs gcc"
)

SOURCE = """
int twice(int number);
int twice(int number) { return 2 * number; }
void _start(void);
void _start(void) { for (;;) twice(1); }
"""


def run(*command: str | Path) -> None:
    subprocess.run([str(each) for each in command], check=True, capture_output=True)


def build(folder: Path, arch: Arch, *, build_id: bool = False) -> Path:
    """Make a program with all that is known of it, and put that into a file beside it."""
    source = folder / "source.c"
    source.write_text(SOURCE)
    program = folder / "guest.elf"
    run(
        *("gcc", f"-m{arch.bits}", "-g", "-O0", "-ffreestanding", "-nostdlib", "-static"),
        *("-no-pie", "-fno-pic", f"-Wl,--build-id={'sha1' if build_id else 'none'}"),
        *(source, "-o", program),
    )
    return program


def split(program: Path, debug: Path, *, link: bool = True) -> Image:
    """Strip a program into a program and its debug file; what was known of it comes back."""
    whole = load_elf(program, IA32 if program.read_bytes()[4] == 1 else AMD64)
    debug.parent.mkdir(parents=True, exist_ok=True)
    run("objcopy", "--only-keep-debug", program, debug)
    run("objcopy", "--strip-all", program)
    if link:
        run("objcopy", f"--add-gnu-debuglink={debug}", program)
    return whole


@pytest.mark.parametrize("arch", ARCHES.values(), ids=ARCHES)
@pytest.mark.parametrize("place", ["guest.debug", ".debug/guest.debug", "debug/guest.debug"])
def test_a_linked_debug_file_tells_all_that_was_stripped(
    tmp_path: Path, arch: Arch, place: str
) -> None:
    program = build(tmp_path, arch)
    whole = split(program, tmp_path / place)

    image = load_elf(program, arch)
    assert image.symbols == whole.symbols
    assert image.lines == whole.lines
    assert image.source == whole.source
    assert image.digest != whole.digest
    assert [each.end for each in image.segments] == [each.end for each in whole.segments]


def test_a_debug_file_is_found_by_its_build_id(tmp_path: Path) -> None:
    program = build(tmp_path, AMD64, build_id=True)
    build_id = read_link(program.read_bytes()).build_id.hex()
    whole = split(
        program, tmp_path / ".build-id" / build_id[:2] / f"{build_id[2:]}.debug", link=False
    )
    image = load_elf(program, AMD64)
    assert (image.symbols, image.lines) == (whole.symbols, whole.lines)


def test_another_file_of_that_name_is_none(tmp_path: Path) -> None:
    program = build(tmp_path, AMD64)
    debug = tmp_path / "guest.debug"
    split(program, debug)
    debug.write_bytes(debug.read_bytes() + b"\0")
    assert load_elf(program, AMD64).lines == ()


@pytest.mark.parametrize("name", ["../secret.debug", "/etc/passwd", "..", ""])
def test_a_program_can_name_a_file_in_its_folder_only(tmp_path: Path, name: str) -> None:
    program = build(tmp_path, AMD64)
    split(program, tmp_path / "guest.debug")
    data = program.read_bytes()
    old = b"guest.debug\0\0\0\0\0"  # as long as the longest of these
    assert data.count(old[:12]) == 1
    named = data.replace(old[:12], name.encode()[:12].ljust(12, b"\0"))
    assert read_link(named).name != name or not name
    assert read_link(named) == Link()


def test_a_debug_file_of_a_hostile_kind_is_none(tmp_path: Path) -> None:
    program = build(tmp_path, AMD64)
    debug = tmp_path / "guest.debug"
    split(program, debug)
    debug.unlink()
    debug.mkdir()
    assert load_elf(program, AMD64).lines == ()
    debug.rmdir()
    debug.symlink_to("/dev/zero")
    began = time.process_time()
    assert load_elf(program, AMD64).lines == ()
    assert time.process_time() - began < 5


@given(st.data())
def test_a_damaged_program_has_a_link_or_none(data: st.DataObject) -> None:
    head = bytearray(b"\x7fELF\x02\x01" + bytes(58))
    head[40:48] = (64).to_bytes(8, "little")
    head[58:64] = data.draw(st.binary(min_size=6, max_size=6))
    assert isinstance(read_link(bytes(head) + data.draw(st.binary(max_size=600))), Link)
