"""The block model: what a block costs, and why.

Three figures, because three things can be asked:

* *unrolled*: cycles per copy when many copies stand one after the other, as blocks are
  measured: through the decoders, with what a copy waits for of the one before;
* *loop*: cycles per round when the block jumps to itself: from the micro-op cache;
* *once*: what one execution is charged, when something else follows: the throughput.

Each is the largest of some bounds, and the name of that bound says what limits the block.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from emu.cycles.cpu import Cpu
from emu.cycles.decode import decoder_for
from emu.cycles.frontend import decode_cycles, loop_cycles, predecode_cycles
from emu.cycles.instruction import Instruction
from emu.cycles.latency import carried_latency
from emu.cycles.ports import port_pressure
from emu.cycles.pricing import Price, fuse, price, taken
from emu.cycles.tables import load_table

BOUNDS = ("predecode", "decode", "issue", "ports", "latency", "divider", "serialise")
_PRICES_LIMIT = 1 << 15


@dataclass(frozen=True, slots=True)
class Cost:
    """One figure of a block, with the bounds that it is the largest of."""

    cycles: float
    bound: str
    bounds: tuple[tuple[str, float], ...]  # in the order of BOUNDS
    path: tuple[int, ...] = ()  # the instructions of the slowest chain, if latency counts


@dataclass(frozen=True, slots=True)
class Explanation:
    """All figures of a block and what they are made of."""

    lines: tuple[str, ...]  # the instructions
    prices: tuple[Price, ...]  # of the instructions, or of a pair that is fused
    syncs: frozenset[int]  # which of `prices` need the stack pointer added up before
    uses: tuple[tuple[int, int], ...]  # of ports: a set of them, and micro-ops
    unrolled: Cost
    loop: Cost
    once: Cost


class BlockModel:
    """Costs of blocks on one CPU and architecture; remembers instructions, not blocks."""

    __slots__ = ("_decode", "_prices", "_table", "cpu")

    def __init__(self, cpu: Cpu, *, is_amd64: bool) -> None:
        self.cpu = cpu
        self._table = load_table(cpu.name)
        self._decode = decoder_for(is_amd64=is_amd64)
        self._prices: dict[bytes, Price] = {}

    def prices(self, code: bytes) -> list[Price]:
        """Give each instruction's price, or raise Undecodable."""
        return [self._price(instruction) for instruction in self._decode(code)]

    def unrolled(self, code: bytes, alignment: int = 0) -> Cost:
        """Give the cycles per copy of a block that is unrolled many times."""
        prices = self.prices(code)
        if not prices:
            return _largest({})
        fused = fuse(prices, self.cpu, alignment)
        syncs = stack_syncs(fused, repeated=True)
        carried = carried_latency(fused, self.cpu, syncs, unrolled=True)
        bounds = self._throughput(fused, syncs)
        bounds["predecode"] = predecode_cycles(prices, self.cpu, alignment, unrolled=True)
        bounds["decode"] = decode_cycles(fused, self.cpu, unrolled=True)
        bounds["latency"] = carried.cycles
        return _largest(bounds, carried.path)

    def loop(self, code: bytes, alignment: int = 0) -> Cost:
        """Give the cycles per round of a block that jumps to itself."""
        prices = self.prices(code)
        if not prices:
            return _largest({})
        fused = taken(fuse(prices, self.cpu, alignment), self.cpu)
        syncs = stack_syncs(fused, repeated=True)
        carried = carried_latency(fused, self.cpu, syncs, unrolled=False)
        bounds = self._throughput(fused, syncs)
        bounds["issue"] = loop_cycles(_slots(fused, syncs), self.cpu)
        bounds["latency"] = carried.cycles
        return _largest(bounds, carried.path)

    def once(self, code: bytes, alignment: int = 0) -> Cost:
        """Give what one execution is charged: never less for a longer block."""
        fused = fuse(self.prices(code), self.cpu, alignment)
        return _largest(self._throughput(fused, stack_syncs(fused, repeated=False)))

    def first(self, code: bytes, alignment: int = 0) -> Cost:
        """Give what an execution is charged that is the first: through the decoders."""
        prices = self.prices(code)
        if not prices:
            return _largest({})
        fused = fuse(prices, self.cpu, alignment)
        bounds = self._throughput(fused, stack_syncs(fused, repeated=False))
        bounds["predecode"] = predecode_cycles(prices, self.cpu, alignment, unrolled=False)
        bounds["decode"] = decode_cycles(fused, self.cpu, unrolled=False)
        return _largest(bounds)

    def explain(self, code: bytes, alignment: int = 0) -> Explanation:
        """Give all figures and what they are made of."""
        fused = fuse(self.prices(code), self.cpu, alignment)
        syncs = stack_syncs(fused, repeated=True)
        return Explanation(
            lines=tuple(self._decode.text(code)),
            prices=tuple(fused),
            syncs=syncs,
            uses=tuple(self._uses(fused, syncs)),
            unrolled=self.unrolled(code, alignment),
            loop=self.loop(code, alignment),
            once=self.once(code, alignment),
        )

    def _price(self, instruction: Instruction) -> Price:
        found = self._prices.get(instruction.code)
        if found is None:
            if len(self._prices) >= _PRICES_LIMIT:
                self._prices.clear()
            found = self._prices[instruction.code] = price(instruction, self.cpu, self._table)
        return found

    def _uses(self, fused: Sequence[Price], syncs: frozenset[int]) -> list[tuple[int, int]]:
        uses = [use for p in fused for use in p.ports]
        if syncs:
            uses.append((self.cpu.integer_ports, len(syncs)))
        return uses

    def _throughput(self, fused: Sequence[Price], syncs: frozenset[int]) -> dict[str, float]:
        issue = _slots(fused, syncs) / self.cpu.issue_width
        serialises = sum(p.serialises for p in fused)
        return {
            "issue": issue,
            "ports": port_pressure(self._uses(fused, syncs))[0],
            "divider": float(sum(p.divider for p in fused)),
            # Nothing overlaps with what serialises.
            "serialise": serialises + issue if serialises else 0.0,
        }


def stack_syncs(prices: Sequence[Price], *, repeated: bool) -> frozenset[int]:
    """Tell before which instructions the stack engine's offset is added to rsp.

    A push or pop leaves an offset; what reads the stack pointer itself needs it added, which
    takes a micro-op (Intel, "Stack Pointer Tracker").  Without `repeated`
    nothing is left over from before.
    """
    found: set[int] = set()
    is_pending = False
    for _ in range(2 if repeated else 1):
        found.clear()
        for index, p in enumerate(prices):
            instruction = p.instruction
            if is_pending and instruction.names_stack:
                found.add(index)
                is_pending = False
            if "rsp" in instruction.writes:
                is_pending = False
            if instruction.stack:
                is_pending = True
    return frozenset(found)


def _slots(fused: Sequence[Price], syncs: frozenset[int]) -> int:
    return sum(p.slots for p in fused) + len(syncs)


def _largest(bounds: dict[str, float], path: tuple[int, ...] = ()) -> Cost:
    ordered = tuple((name, bounds[name]) for name in BOUNDS if name in bounds)
    cycles = max((value for _, value in ordered), default=0.0)
    bound = next((name for name, value in ordered if value == cycles), "issue")
    return Cost(cycles, bound, ordered, path)
