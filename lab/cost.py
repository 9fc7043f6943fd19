"""`l4lab cost`: what blocks of machine code cost, one in hex a line."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from emu.cycles.block import BlockModel, Explanation
from emu.cycles.cpu import CPUS
from emu.cycles.decode import Undecodable
from emu.cycles.ports import spread
from emu.cycles.pricing import Price
from emu.cycles.tables import PORTS

ARCHES = ("amd64", "ia32")
CPU_NAMES = tuple(CPUS)
UNDECODABLE = "nan,undecodable"

_LONGEST_BLOCK = 1 << 16  # bytes
_LONGEST_LINE = 1 << 18  # the rest is not kept


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said of one line."""

    text: str
    is_decodable: bool = True
    details: tuple[str, ...] = ()  # with --explain


def read_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Give the lines of a stream; of one that is far too long only the beginning."""
    while line := stream.readline(_LONGEST_LINE):
        rest = line
        while rest and rest[-1:] != b"\n":
            rest = stream.readline(_LONGEST_LINE)
        yield line


def answer_lines(
    lines: Iterable[bytes], cpu: str, arch: str, *, is_loop: bool, explains: bool
) -> Iterator[Answer]:
    """Answer each line with ``cycles,bound``, or with nothing if it has no block."""
    model = BlockModel(CPUS[cpu], is_amd64=arch == "amd64")
    for line in lines:
        if not line.strip() or line.lstrip().startswith(b"#"):
            yield Answer("")
            continue
        code = _parse(line.split(b",", 1)[0])
        try:
            if not code:
                yield Answer(UNDECODABLE, is_decodable=False)
                continue
            cost = model.loop(code) if is_loop else model.unrolled(code)
            details = tuple(render(model.explain(code))) if explains else ()
        except Undecodable as error:
            reason = (f"  {error}",) if explains else ()
            yield Answer(UNDECODABLE, is_decodable=False, details=reason)
            continue
        yield Answer(f"{cost.cycles:.2f},{cost.bound}", details=details)


def render(explained: Explanation) -> Iterator[str]:
    """Render what a block costs in each sense, and what it is made of."""
    for name, cost in (
        ("unrolled", explained.unrolled),
        ("loop", explained.loop),
        ("charged once", explained.once),
    ):
        bounds = "  ".join(f"{bound} {cycles:.2f}" for bound, cycles in cost.bounds)
        yield f"  {name:<13}{cost.cycles:7.2f}  {cost.bound:<9}  of  {bounds}"
    pressure = spread(explained.uses).items()
    ports = "  ".join(f"p{PORTS[port]} {count:.2f}" for port, count in pressure)
    yield f"  ports        {ports or 'none'}"
    first = 0  # line of the price, from 0
    starts = []
    for own in explained.prices:
        starts.append(first)
        first += own.count
    for name, path in (
        ("unrolled", explained.unrolled.path),
        ("loop", explained.loop.path),
    ):
        chain = " -> ".join(str(starts[index] + 1) for index in path)
        yield f"  waits, {name:<9}{chain or 'for nothing of the round before'}"
    yield "  slots  latency  ports"
    for index, (own, start) in enumerate(zip(explained.prices, starts, strict=True)):
        yield from _rows(own, start, explained, syncs=index in explained.syncs)


def _rows(own: Price, start: int, explained: Explanation, *, syncs: bool) -> Iterator[str]:
    if syncs:
        yield "      1           the stack pointer is added up"
    ports = "+".join(
        (str(count) if count > 1 else "") + "p" + _port_names(mask) for mask, count in own.ports
    )
    latency = own.latency + (own.load_latency if own.instruction.loads else 0)
    notes = [] if own.is_known else ["guessed: its form is in no table"]
    if own.divider:
        notes.append(f"divider {own.divider}")
    if own.serialises:
        notes.append(f"serialises {own.serialises}")
    text = explained.lines[start] + "".join(f"  ({note})" for note in notes)
    yield f"  {own.slots:5}  {latency:7.4g}  {ports or '-':<16} {start + 1:3}  {text}"
    for line in range(start + 1, start + own.count):
        yield f"{'':35}{line + 1:3}  {explained.lines[line]}  (fused with it)"


def _port_names(mask: int) -> str:
    return "".join(name for port, name in enumerate(PORTS) if mask >> port & 1)


def _parse(text: bytes) -> bytes | None:
    if len(text) > 2 * _LONGEST_BLOCK:
        return None
    try:
        return bytes.fromhex(text.decode("ascii"))
    except ValueError:
        return None
