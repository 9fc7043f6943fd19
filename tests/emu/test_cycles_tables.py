"""The tables of the cost model, and what is said of single instructions."""

import pytest

from emu.cycles.cpu import CPUS
from emu.cycles.decode import decoder_for
from emu.cycles.instruction import Access, Instruction, Result, Transfer
from emu.cycles.tables import FORMAT, TABLES, Entry, load_table, parse_entry

DECODE = decoder_for(is_amd64=True)


def instruction(code: str) -> Instruction:
    (found,) = DECODE(bytes.fromhex(code))
    return found


@pytest.mark.parametrize("cpu", sorted(CPUS))
def test_each_cpu_has_a_table_with_the_notice_beside_it(cpu: str) -> None:
    head = (TABLES / f"{cpu}.txt").read_text("ascii").splitlines()[:3]

    assert head[0] == f"# {FORMAT} {cpu}"
    assert "Apache License v2.0 with LLVM Exceptions: see LICENSE-LLVM.txt" in head[2]
    assert "Apache License v2.0 with LLVM Exceptions" in (
        TABLES / "LICENSE-LLVM.txt"
    ).read_text("ascii")
    assert len(load_table(cpu).entries) > 3500


def test_each_override_states_its_source_and_known_cpus() -> None:
    lines = (TABLES / "overrides.txt").read_text("ascii").splitlines()
    rows = [line for line in lines if not line.startswith("#")]

    assert len(rows) > 20
    for row in rows:
        cpus, entry, source = (part.strip() for part in row.split("|"))
        assert cpus == "all" or set(cpus.split()) <= set(CPUS), row
        assert parse_entry(entry.split(": ")[0]), row
        assert len(source) >= 8, row


def test_a_row_reads_as_what_it_says() -> None:
    assert parse_entry("3 7,4 2p06+p23 5 18") == Entry(3, (7, 4), ((0x41, 2), (0x0C, 1)), 5, 18)
    assert parse_entry("1 0 - 0") == Entry(1, (0,), (), 0)


def test_two_equal_registers_need_a_row_only_if_they_are_special() -> None:
    table = load_table("skylake")

    assert table.find("add r64,r64=") == table.find("add r64,r64")
    assert table.find("xor r64,r64=") != table.find("xor r64,r64")
    assert table.find("nonsense r64") is None


@pytest.mark.parametrize(
    ("code", "form"),
    [
        ("4801c8", "add r64,r64"),
        ("4831c0", "xor r64,r64="),
        ("05aabbccdd", "add a32,i"),
        ("d1e0", "shl r32,1"),
        ("c1e001", "shl r32,i"),
        ("d3e0", "shl r32,cl"),
        ("88e0", "mov r8,h8"),
        ("488d440801", "lea r64,three"),
        ("488d0500000000", "lea r64,rip"),
        ("f0480103", "add m64,r64"),
        ("f3a4", "rep movsb m8,m8"),
        ("c5f158c2", "vaddpd x,x,x"),
    ],
)
def test_the_form_is_what_tables_tell_apart(code: str, form: str) -> None:
    assert instruction(code).form == form


@pytest.mark.parametrize(
    ("code", "reads", "writes"),
    [
        ("480f44c1", {"rax", "rcx", "flags"}, {"rax"}),  # cmove keeps its target
        ("480f47c1", {"rax", "rcx", "cf", "flags"}, {"rax"}),  # cmova
        ("480fb111", {"rax", "rdx"}, {"rax", "cf", "flags"}),  # cmpxchg [rcx], rdx
        ("88c8", {"rax", "rcx"}, {"rax"}),  # mov al, cl
        ("31c0", set(), {"rax", "cf", "flags"}),
        ("f20f2ac1", {"rcx", "v0"}, {"v0"}),  # cvtsi2sd xmm0, ecx
        ("660f2ec1", {"v0", "v1"}, {"cf", "flags"}),  # ucomisd
        ("488b03", set(), {"rax"}),  # mov rax, [rbx]: rbx makes an address only
        ("480303", {"rax"}, {"rax", "cf", "flags"}),
        ("48891b", {"rbx"}, set()),  # mov [rbx], rbx: both
        ("54", {"rsp"}, set()),  # push rsp
        ("c9", {"rbp"}, {"rbp", "rsp"}),  # leave
        ("48ab", {"rax"}, set()),  # stosq
    ],
)
def test_what_is_read_and_written(code: str, reads: set[str], writes: set[str]) -> None:
    found = instruction(code)

    assert (set(found.reads), set(found.writes)) == (reads, writes)


def test_accesses_tell_address_and_direction() -> None:
    assert instruction("480144cb10").memory == (
        Access("rbx", "rcx", 8, 16, "", 8, loads=True, stores=True),
    )
    assert instruction("64488b042528000000").memory == (
        Access("", "", 1, 0x28, "fs", 8, loads=True, stores=False),
    )
    assert instruction("ff33").memory == (
        Access("rbx", "", 1, 0, "", 8, loads=True, stores=False),
        Access("rsp", "", 1, -8, "", 8, loads=False, stores=True),
    )
    assert instruction("488d4308").memory == ()  # lea


def test_what_is_known_of_a_value() -> None:
    assert [
        (found.result, found.addend)
        for found in map(
            instruction, ("4883c008", "4883e808", "488d4b08", "4889c8", "0f31", "01c8")
        )
    ] == [
        (Result.SUM, 8),
        (Result.SUM, -8),
        (Result.SUM, 8),
        (Result.COPY, 0),
        (Result.UNKNOWN, 0),
        (Result.FUNCTION, 0),
    ]


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("6681c13412", True),
        ("66b83412", True),
        ("66f7c13412", True),  # test cx, imm
        ("66f7d1", False),  # not cx
        ("6683c112", False),
        ("6648b8aabbccdd11223344", False),  # REX.W wins
        ("c5f9c6c101", False),
    ],
)
def test_which_prefixes_change_a_length(code: str, changes: bool) -> None:
    assert instruction(code).changes_length == changes


def test_transfers_and_their_conditions() -> None:
    found = [instruction(code) for code in ("74fe", "ebfe", "e800000000", "c3", "e2fe", "90")]

    assert [(i.transfer, i.condition) for i in found] == [
        (Transfer.CONDITIONAL, "e"),
        (Transfer.OTHER, ""),
        (Transfer.OTHER, ""),
        (Transfer.OTHER, ""),
        (Transfer.CONDITIONAL, "oop"),
        (Transfer.NONE, ""),
    ]
