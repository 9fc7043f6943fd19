"""How tasks start: as L4Re programs, as sigma0, as the root task (ABI 8)."""

import struct
from pathlib import Path

import pytest

from guest.errors import GuestError
from guest.image import Image
from guest.scenario import load_scenario
from kernel.abi import ARCHES
from lab.replay.start import Grants, build_stack
from lab.replay.system import boot, load_programs
from lab.run import run_scenario

TOP = 0x8000_0000
INVALID = -1 << 11
PROGRAM = ".text\n_start:\n    jmp _start\n"


def image(arch: str, name: str = "prog") -> Image:
    return Image(ARCHES[arch], name, 0x400000, (), (), (), "", {})


def grants(*caps: int, **names: int) -> Grants:
    return Grants(frozenset(caps), names, 0xB300_0000, 13, 0xB300_0400)


@pytest.mark.parametrize("arch", sorted(ARCHES))
@pytest.mark.parametrize("arguments", [(), ("a",), ("x" * 33, "", "ü")])
def test_the_stack_begins_with_the_arguments(arch: str, arguments: tuple[str, ...]) -> None:
    """ABI 8.3: sp is 16-byte aligned; argc, argv, 0, envp, 0, auxv."""
    sp, content = build_stack(image(arch), top=TOP, arguments=arguments, grants=grants(1))
    word = ARCHES[arch].word
    letter = {8: "Q", 4: "I"}[word]
    words = struct.unpack(f"<{len(content) // word}{letter}", content)

    assert (sp % 16, sp + len(content)) == (0, TOP)
    assert words[0] == len(arguments) + 1
    texts = []
    for pointer in words[1 : 1 + words[0]]:
        start = pointer - sp
        texts.append(content[start : content.index(b"\0", start)].decode())
    assert texts == ["prog", *arguments]
    assert words[1 + words[0]] == words[2 + words[0]] == 0


@pytest.mark.parametrize("arch", sorted(ARCHES))
def test_the_environment_has_what_the_task_has(arch: str) -> None:
    """ABI 8.3: capabilities are selectors, invalid ones L4_INVALID_CAP."""
    given = grants(1, 3, 5, 0x10, 0x22, box=0x22)
    sp, content = build_stack(image(arch), top=TOP, arguments=(), grants=given)
    word, mask = ARCHES[arch].word, ARCHES[arch].mask
    letter = {8: "Q", 4: "I"}[word]
    words = struct.unpack(f"<{len(content) // word}{letter}", content)
    vector = dict(zip(words[4::2], words[5::2], strict=False))
    start = (vector[0xF1] - sp) // word
    env = words[start : start + 14]

    invalid = INVALID & mask
    assert env[:8] == (
        *(invalid, 0x10 << 12, invalid, 5 << 12, 3 << 12, invalid, invalid),
        invalid,
    )
    assert (env[9], env[10], env[12]) == (0x23, 0, 0xB300_0400)
    table = env[13] - sp
    size = 2 * word + 16
    assert content[table + 2 * word : table + size].rstrip(b"\0") == b"box"
    end = content[table + size : table + size + 2 * word]
    assert struct.unpack(f"<2{letter}", end) == (invalid, mask)


WRONG = {
    "a root without sigma0": (
        'start = "root"',
        'task[0].start: a task with start = "root" needs one with start = "sigma0"',
    ),
    "an unknown start": ('start = "sigma"', 'unknown start "sigma" (did you mean "sigma0"?)'),
    "arguments of a plain program": ('arguments = ["a"]', 'start = "l4re"'),
    "a name without a capability": (
        'start = "l4re"\n[task.names]\nbox = 0x44',
        "expected an index among the task's caps",
    ),
    "too many arguments": (
        f'start = "l4re"\narguments = ["{"x" * 2000}"]',
        "more than 1024 characters",
    ),
    "sigma0 with a pager": ('start = "sigma0"\npager = "one"', "sigma0 has no pager"),
    "sigma0 outside of RAM": ('start = "sigma0"', "is outside of 0x200000 bytes of RAM"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_starts_are_refused(tmp_path: Path, what: str) -> None:
    keys, message = WRONG[what]
    (tmp_path / "one.s").write_text(PROGRAM)
    path = tmp_path / "test.toml"
    path.write_text(
        'title = "t"\narch = "amd64"\ncycles = 1000\n'
        f'ram = "{"2MiB" if "RAM" in what else "8MiB"}"\n'
        f'[[task]]\nname = "one"\nimage = "one.s"\n{keys}\n'
    )
    with pytest.raises(GuestError) as caught:
        run_scenario(load_scenario(path))
    assert message in str(caught.value)


def test_sigma0_is_shown_memory_where_it_is(tmp_path: Path) -> None:
    """ABI 8.1: its page faults are resolved by the kernel, one to one and with all rights."""
    (tmp_path / "one.s").write_text(
        ".text\n_start:\n mov rbx, 0x1000000\n mov rax, [rdi]\n mov [rbx], rax\n"
        " mov rax, [rbx]\n mov [rip + seen], rax\n mov rax, [0x7fffff000000]\n"
        ".data\nseen: .quad 0\n".replace("[0x7fffff000000]", "[rbx + 0x10000000]")
    )
    path = tmp_path / "test.toml"
    path.write_text(
        'title = "t"\narch = "amd64"\ncycles = 100000\n'
        '[[task]]\nname = "one"\nimage = "one.s"\nstart = "sigma0"\n'
        '[expect]\nmemory = { "one.seen" = 0x870044444be6344c }\noutcome = "fault"\n'
    )
    run = run_scenario(load_scenario(path))
    assert [check.holds for check in run.expectations] == [True, True]
    assert [hex(getattr(fault, "address", 0)) for fault in run.faults] == ["0x11000000"]


def test_memory_is_found_behind_a_large_program_in_its_place(tmp_path: Path) -> None:
    """ABI 8.1: what is loaded one to one is not given to others, however large it is."""
    (tmp_path / "one.s").write_text(PROGRAM + ".data\n" + ".space 0x100000\n" * 5)
    (tmp_path / "two.s").write_text(PROGRAM)
    path = tmp_path / "test.toml"
    path.write_text(
        'title = "t"\narch = "amd64"\ncycles = 1000\nram = "16MiB"\n'
        '[[task]]\nname = "one"\nimage = "one.s"\nstart = "sigma0"\n'
        '[[task]]\nname = "two"\nimage = "two.s"\nstack = "5MiB"\n'
    )
    scenario = load_scenario(path)
    system = boot(scenario, load_programs(scenario))
    kernel = system.kernel
    given = {page.frame for page in system.tasks["two"].pages.values()}
    assert len(given) > 5 << 20 >> 12
    assert not given & kernel.reserved.keys()
    system.close()
