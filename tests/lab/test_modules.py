"""The boot loader's modules, as a root task finds them in memory."""

import struct
from pathlib import Path

import pytest

from guest.errors import GuestError
from guest.scenario import load_scenario
from kernel import kip
from lab.replay.modules import OTHER, ROOT, SIGMA0, Module, place
from lab.replay.system import System, boot, load_programs

END = 0x80_0000


def system(folder: Path, more: str, *, arch: str = "amd64", ram: str = "16MiB") -> System:
    path = folder / "test.toml"
    path.write_text(f'title = "t"\narch = "{arch}"\ncycles = 1000\nram = "{ram}"\n{more}')
    scenario = load_scenario(path)
    return boot(scenario, load_programs(scenario))


SIGMA = '[[task]]\nname = "sigma"\nimage = "build/{arch}/sigma0-c-O2.elf"\nstart = "sigma0"\n'
ROOT_TASK = (
    '[[task]]\nname = "root"\nimage = "build/{arch}/root_modules-c-O2.elf"\nstart = "root"\n'
)


def text_at(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode()


def test_the_table_has_this_layout() -> None:
    """ABI 8.2: l4mod info and modules: fields of 64 bits, all pointers physical."""
    modules = [
        Module(SIGMA0, "rom/sigma0", 0x10_0000, 0x10_4000),
        Module(ROOT, "rom/moe -- rom/ned", 0x20_0000, 0x30_0000),
        Module(OTHER, "rom/ned", content=b"x" * 4097),
        Module(OTHER, "rom/ä", content=b""),
    ]
    placed = place(modules, end=END)
    base, data = placed

    assert (base % 4096, base + len(data)) == (0, END)
    flags, kernel, array, count, _, _, vesa = struct.unpack_from("<QQQIIQQ", data)
    assert (flags, array - base, count, vesa) == (0, 48, 4, 0)
    assert text_at(data, kernel - base) == "l4lab"
    found = [struct.unpack_from("<4Q", data, array - base + 32 * k) for k in range(count)]
    page = base + 0x1000
    assert [each[:3] for each in found] == [
        (2, 0x10_0000, 0x10_4000),
        (3, 0x20_0000, 0x30_0000),
        (0, page, page + 4097),
        (0, page + 0x2000, page + 0x2000),
    ]
    assert [text_at(data, each[3] - base) for each in found] == [m.command for m in modules]
    assert data[0x1000:].rstrip(b"\0") == b"x" * 4097


def test_a_table_without_modules_is_a_page() -> None:
    """ABI 8.2: the info comes first."""
    base, data = place([], end=END)
    assert (base, len(data), data[24:28]) == (END - 4096, 4096, bytes(4))


def test_a_table_may_take_several_pages() -> None:
    """ABI 8.2: contents lie behind all of the table."""
    modules = [Module(OTHER, "x" * 1000, content=b"%d" % k) for k in range(10)]
    base, data = place(modules, end=END)

    starts = [struct.unpack_from("<Q", data, 48 + 32 * k + 8)[0] for k in range(10)]
    assert starts == [base + 0x3000 + 0x1000 * k for k in range(10)]
    assert [text_at(data, at - base) for at in starts] == [str(k) for k in range(10)]


@pytest.mark.parametrize("arch", ["amd64", "ia32"])
def test_the_info_page_leads_the_root_task_to_it(tmp_path: Path, arch: str) -> None:
    """ABI 8.2, 7: the user pointer; what lies there is the boot loader's, not free memory."""
    modules = '[[module]]\ncommand = "rom/cfg a b"\ntext = "é"\n[[module]]\ncommand = "rom/x"\n'
    made = system(tmp_path, SIGMA + ROOT_TASK + modules, arch=arch)
    page = made.machine.read_physical(made.kernel.kip_frame, 4096)
    pointer = int.from_bytes(page[kip.USER_POINTER : kip.USER_POINTER + 8], "little")
    end = made.scenario.ram
    data = made.machine.read_physical(pointer, end - pointer)

    assert int.from_bytes(data[24:28], "little") == 4
    assert all(frame in made.kernel.reserved for frame in range(pointer, end, 4096))
    _, start, stop, command = struct.unpack_from("<4Q", data, 48 + 2 * 32)
    assert text_at(data, command - pointer) == "rom/cfg a b"
    assert data[start - pointer : stop - pointer].decode() == "é"
    word = made.kernel.arch.word
    letter = "Q" if word == 8 else "I"
    descriptors = list(struct.iter_unpack(f"<2{letter}", page[0x90 : 0x90 + 64 * 2 * word]))
    assert (pointer | 6 << 4 | 0xE, end - 1) in descriptors
    made.close()


def test_without_a_root_task_there_is_no_table(tmp_path: Path) -> None:
    """ABI 8.2: the table is the root task's."""
    made = system(tmp_path, SIGMA)
    page = made.machine.read_physical(made.kernel.kip_frame, 4096)
    assert page[kip.USER_POINTER : kip.USER_POINTER + 8] == bytes(8)
    made.close()


WRONG = {
    "no root task": (
        SIGMA + '[[module]]\ncommand = "x"\n',
        'start = "root", and there is none',
    ),
    "no name": (SIGMA + ROOT_TASK + '[[module]]\ncommand = " "\n', "expected a name"),
    "a name that steers": (
        SIGMA + ROOT_TASK + '[[module]]\ncommand = "\\u001b[2J"\n',
        "a name",
    ),
    "a long name": (
        SIGMA + ROOT_TASK + f'[[module]]\ncommand = "{"x" * 1025}"\n',
        "at most 1024",
    ),
    "no command": (SIGMA + ROOT_TASK + '[[module]]\ntext = "x"\n', "module[0].command"),
    "a file": (SIGMA + ROOT_TASK + '[[module]]\ncommand = "x"\nfile = "y"\n', "module[0].file"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_modules_are_refused(tmp_path: Path, what: str) -> None:
    more, message = WRONG[what]
    with pytest.raises(GuestError) as caught:
        system(tmp_path, more).close()
    assert message in str(caught.value)


def test_modules_without_room_are_refused(tmp_path: Path) -> None:
    long = SIGMA + ROOT_TASK + f'[[module]]\ncommand = "x"\ntext = "{"x" * 200_000}"\n'
    with pytest.raises(GuestError, match=r"find no room at the end of 0x810000 bytes of RAM"):
        system(tmp_path, long, ram="8256KiB").close()
