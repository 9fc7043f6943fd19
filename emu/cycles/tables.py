"""The tables: what one instruction form costs on one CPU.

A table is made of LLVM's scheduling model by tools/cost_tables.py; `overrides.txt` beside it
says where we know better, line by line with the source.
"""

from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path

FORMAT = "l4lab cost table 1"
TABLES = Path(__file__).parent / "tables"
PORTS = "0123456789ab"

_DIGEST = 8  # bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: what a form is made of."""

    micro_ops: int  # before fusion
    latencies: tuple[int, ...]  # of its results, in order; a load is included
    ports: tuple[tuple[int, int], ...]  # (set of ports as a bit mask, micro-ops)
    divider: int  # cycles that it keeps a divider busy
    serialises: int = 0  # cycles in which nothing else goes on; in overrides only


@dataclass(frozen=True, slots=True)
class Table:
    """All forms of one CPU."""

    entries: dict[str, Entry]

    def find(self, form: str) -> Entry | None:
        """Give the entry of a form; None if there is none and the caller must guess."""
        found = self.entries.get(form)
        if found is None and form.endswith("="):
            found = self.entries.get(form[:-1])
        return found


@cache
def load_table(cpu: str) -> Table:
    """Read the table of a CPU and what overrides it."""
    entries: dict[str, Entry] = {}
    for line in (TABLES / f"{cpu}.txt").read_text("ascii").splitlines():
        if line and line[0] != "#":
            _enter(entries, line)
    for line in (TABLES / "overrides.txt").read_text("ascii").splitlines():
        if line and line[0] != "#":
            cpus, row, _source = (part.strip() for part in line.split("|"))
            if cpus == "all" or cpu in cpus.split():
                _enter(entries, row)
    return Table(entries)


@cache
def digest_tables(cpu: str) -> str:
    """Give a digest of all that `load_table` reads for a CPU."""
    entries = load_table(cpu).entries
    text = "\n".join(f"{form} {entries[form]}" for form in sorted(entries))
    return blake2b(text.encode(), digest_size=_DIGEST).hexdigest()


def _enter(entries: dict[str, Entry], row: str) -> None:
    head, forms = row.split(": ", 1)
    entry = parse_entry(head)
    for form in forms.split("; "):
        entries[form] = entry


def parse_entry(text: str) -> Entry:
    """Read the columns of a row: four, and one more in overrides that serialise."""
    micro_ops, latencies, ports, divider, *more = text.split(" ")
    return Entry(
        int(micro_ops),
        tuple(map(int, latencies.split(","))),
        tuple(map(_parse_use, ports.split("+"))) if ports != "-" else (),
        int(divider),
        int(more[0]) if more else 0,
    )


def _parse_use(text: str) -> tuple[int, int]:
    count, names = text.split("p")
    return sum(1 << PORTS.index(name) for name in names), int(count or 1)
