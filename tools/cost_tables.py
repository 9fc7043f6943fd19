"""Makes the tables of `emu/cycles/tables/` from LLVM's scheduling models.

    python -m tools.cost_tables --llvm PREFIX [CPU...]

PREFIX is where LLVM's headers and shared library lie (Debian: packages llvm-19-dev and
libllvm19, unpacked anywhere; PREFIX/include/llvm-19, PREFIX/lib/*/libLLVM-19.so).  A small
program of ours, `llvm_sched.cpp`, is compiled against them.  It is given one encoding of
each instruction form that can be found by trying all opcodes, and tells for each what the
model says: micro-ops, latency, ports.
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import capstone

from emu.cycles.forms import form_of, opcode_offset
from emu.cycles.tables import FORMAT, TABLES

SOURCE = Path(__file__).with_name("llvm_sched.cpp")
CPUS = {
    "skylake": "skylake",
    "haswell": "haswell",
    "icelake-server": "icelake-server",
    "sapphirerapids": "sapphirerapids",
}
TAIL = bytes.fromhex("1122334455667788")  # displacement and immediate bytes


def encodings() -> Iterator[bytes]:
    """Give byte strings that begin with an instruction, plain encodings first."""
    for escape, prefix, rex in product(_ESCAPES, _PREFIXES, _REX):
        for opcode in range(256):
            head = prefix + rex + escape + bytes((opcode,))
            for register in range(8):
                for place in _places(register):
                    yield head + place + TAIL
                yield head + bytes((0xC0 | register << 3,)) + TAIL  # the fences
                if not escape and opcode & 0xF8 == 0xD8:  # x87: each is its own
                    for own in range(8):
                        yield head + bytes((0xC0 | register << 3 | own,)) + TAIL
                if not rex:  # ah and its like; with REX it is sil
                    yield head + bytes((0xC4 | register << 3,)) + TAIL
    for table, pp, wide, length, source in product((1, 2, 3), range(4), (0, 1), (0, 1), (0, 2)):
        for opcode in range(256):
            for register in range(8):
                for place in _places(register):
                    yield _vex(table, pp, wide, length, source, opcode) + place + TAIL
                same = bytes((0xC0 | register << 3 | register,))
                yield _vex(table, pp, wide, length, register, opcode) + same + TAIL


_ESCAPES = (b"", b"\x0f", b"\x0f\x38", b"\x0f\x3a")
_PREFIXES = (b"", b"\x66", b"\xf2", b"\xf3")
_REX = (b"", b"\x48")


def _places(register: int) -> Iterator[bytes]:
    """Give ModRM bytes for another register, the same, and memory in all its forms."""
    field = register << 3
    yield bytes((0xC1 | field,))
    yield bytes((0xC0 | field | register,))
    yield bytes((0x01 | field,))
    yield bytes((0x44 | field, 0x0B, 0x10))  # base, index and displacement
    yield bytes((0x04 | field, 0x0B))
    yield bytes((0x05 | field,))  # relative to the instruction


def _vex(table: int, pp: int, wide: int, length: int, source: int, opcode: int) -> bytes:
    last = wide << 7 | (~source & 15) << 3 | length << 2 | pp
    return bytes((0xC4, 0xE0 | table, last, opcode))


def forms(*, is_amd64: bool) -> dict[str, list[bytes]]:
    """Find some encodings of every instruction form: LLVM does not know each."""
    mode = capstone.CS_MODE_64 if is_amd64 else capstone.CS_MODE_32
    engine = capstone.Cs(capstone.CS_ARCH_X86, mode)
    engine.detail = True
    found: dict[str, list[bytes]] = {}
    seen: set[bytes] = set()
    for code in encodings():
        raw = next(engine.disasm(code, 0, 1), None)
        if raw is None:
            continue
        own = bytes(raw.bytes)
        if own in seen:
            continue
        seen.add(own)
        form = form_of(raw, own, opcode_offset(own, is_amd64=is_amd64))
        listed = found.setdefault(form, [])
        if len(listed) < _ENCODINGS:
            listed.append(own)
    return found


_ENCODINGS = 16


def build(prefix: Path, folder: Path) -> Path:
    """Compile the program that asks LLVM."""
    (library,) = prefix.glob("lib/*/libLLVM-19.so")
    program = folder / "llvm_sched"
    includes = [f"-I{prefix}/include/llvm-19", f"-I{prefix}/include/llvm-c-19"]
    link = [f"-L{library.parent}", "-lLLVM-19", f"-Wl,-rpath,{library.parent}"]
    subprocess.run(
        ["g++", "-std=c++17", *includes, str(SOURCE), "-o", str(program), *link], check=True
    )
    return program


def ask(program: Path, triple: str, cpu: str, codes: list[bytes]) -> list[Any]:
    """Get what LLVM says: first of the CPU, then of each encoding."""
    text = "".join(code.hex() + "\n" for code in codes)
    done = subprocess.run(
        [str(program), triple, cpu], input=text, capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


class Resources:
    """The ports of one CPU by LLVM's numbers."""

    def __init__(self, listed: list[Any]) -> None:
        self.ports: dict[int, frozenset[str]] = {}
        self.dividers: dict[int, str] = {}
        for number, entry in enumerate(listed):
            if entry is None:
                continue
            name, _, units = entry
            if units:
                members = {_port(listed[unit][0]) for unit in units}
                self.ports[number] = frozenset(m for m in members if m)
            elif port := _port(name):
                self.ports[number] = frozenset((port,))
            elif name.endswith("Divider"):
                self.dividers[number] = name

    def micro_ops(self, uses: list[list[int]]) -> dict[str, int]:
        """Undo LLVM's counting of a port's use at every group that contains the port.

        What is left at a group are the micro-ops that can go to just these ports.
        """
        left = {number: count for number, count in uses if number in self.ports}
        found: dict[str, int] = {}
        for number in sorted(left, key=lambda n: (len(self.ports[n]), n)):
            count = left[number]
            if count <= 0 or len(self.ports[number]) > _LARGEST_GROUP:
                continue
            own = self.ports[number]
            name = "".join(sorted(own, key=lambda p: (len(p), p)))
            found[name] = found.get(name, 0) + count
            for other in left:
                if other != number and own < self.ports[other]:
                    left[other] -= count
        return found

    def divider(self, uses: list[list[int]]) -> int:
        """Give the cycles that a divider is busy."""
        return max((count for number, count in uses if number in self.dividers), default=0)


# A group beyond this is LLVM's "any port", a count of micro-ops.
_LARGEST_GROUP = 6


def _port(name: str) -> str:
    _, found, number = name.rpartition("Port")
    if not found or not number.isdigit():
        return ""
    return "0123456789ab"[int(number)]


def table(program: Path, cpu: str) -> str:
    """Give the text of one CPU's table."""
    rows: dict[str, list[str]] = {}
    known: set[str] = set()
    for triple, is_amd64 in (("x86_64", True), ("i386", False)):
        wanted = [(f, c) for f, codes in FORMS[is_amd64].items() for c in codes]
        head, *answers = ask(program, triple, CPUS[cpu], [code for _, code in wanted])
        resources = Resources(head["resources"])
        for (form, _), answer in zip(wanted, answers, strict=True):
            if answer is None or form in known:
                continue
            known.add(form)
            ops = resources.micro_ops(answer["resources"])
            ports = "+".join(f"{n}p{p}" if n > 1 else f"p{p}" for p, n in sorted(ops.items()))
            latency = ",".join(map(str, answer["latency"])) or "1"
            divider = resources.divider(answer["resources"])
            row = f"{answer['micro_ops']} {latency} {ports or '-'} {divider}"
            rows.setdefault(row, []).append(form)
    for row, names in rows.items():
        # Registers that are the same change nothing: the plain form says it.
        rows[row] = [n for n in names if not (n[-1] == "=" and n[:-1] in names)]
    lines = [f"{row}: {'; '.join(sorted(rows[row]))}" for row in sorted(rows)]
    return "\n".join((*HEAD.format(format=FORMAT, cpu=cpu).splitlines(), *lines)) + "\n"


HEAD = """\
# {format} {cpu}
# Made by tools/cost_tables.py from the scheduling model of LLVM 19.1.7, which is under the
# Apache License v2.0 with LLVM Exceptions: see LICENSE-LLVM.txt.  Not to be edited.
# micro-ops, latencies of the results, micro-ops by ports, cycles of the divider: forms"""
FORMS: dict[bool, dict[str, list[bytes]]] = {}


def main() -> None:
    """Write the tables that are asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--llvm", type=Path, required=True)
    parser.add_argument("cpus", nargs="*", help="by default all: " + ", ".join(CPUS))
    given = parser.parse_args()
    for is_amd64 in (True, False):
        FORMS[is_amd64] = forms(is_amd64=is_amd64)
    with tempfile.TemporaryDirectory() as folder:
        program = build(given.llvm, Path(folder))
        for cpu in given.cpus or CPUS:
            path = TABLES / f"{cpu}.txt"
            path.write_text(table(program, cpu))
            print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
