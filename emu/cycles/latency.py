"""Loop-carried latency: how fast a block can follow itself when its results depend on it.

The block is followed for some rounds, as if by a core without limits: a result is ready
when its inputs are and its latency has passed.  Two accesses meet in memory if their
addresses are provably the same: every register carries a *value*, a number that stands for
"this function of those values", and a constant that was added to it.
"""

from collections.abc import Sequence

from emu.cycles.cpu import Cpu
from emu.cycles.instruction import Access, Result
from emu.cycles.pricing import Price

_ROUNDS = 12
_STORES_KEPT = 24  # per symbolic address

# A load from a base register that was itself loaded, plus a small displacement, takes a
# cycle less: Intel, Optimization Reference Manual, 2.5.5.2 (Sandy Bridge to Skylake).
_SHORT_DISPLACEMENT = 2048

Value = tuple[int, int]  # a root and what was added to it
_NOTHING = (0, 0)


class Values:
    """Which values are provably the same."""

    __slots__ = ("registers", "_roots")

    def __init__(self) -> None:
        self.registers: dict[str, Value] = {}
        self._roots: dict[object, int] = {}

    def of(self, register: str) -> Value:
        """Give the value of a register; at first it has one of its own."""
        found = self.registers.get(register)
        if found is None:
            found = self.registers[register] = self.make(register)
        return found

    def make(self, what: object) -> Value:
        """Give the value that stands for `what`."""
        roots = self._roots
        root = roots.get(what)
        if root is None:
            root = roots[what] = len(roots) + 1
        return root, 0


class Memory:
    """What was stored, by symbolic address."""

    __slots__ = ("_stores", "serial", "values")

    def __init__(self, values: Values) -> None:
        self.values = values
        self.serial = 0
        self._stores: dict[object, list[tuple[int, int, float, Value, int]]] = {}

    def locate(self, access: Access) -> tuple[object, int]:
        """Give the symbolic address of an access: its unknown part and its offset."""
        values = self.values
        base, offset = values.of(access.base) if access.base else _NOTHING
        index = 0
        if access.index:
            index, added = values.of(access.index)
            offset += added * access.scale
        return (base, index, access.scale, access.segment), offset + access.displacement

    def last_store(self, key: object, place: int, size: int):
        """Give the last store that overlaps, if any."""
        for store in reversed(self._stores.get(key, ())):
            if store[0] < place + size and place < store[0] + store[1]:
                return store
        return None

    def store(self, key: object, place: int, size: int, when: float, value: Value) -> None:
        """Remember a store."""
        self.serial += 1
        kept = self._stores.setdefault(key, [])
        kept.append((place, size, when, value, self.serial))
        if len(kept) > _STORES_KEPT:
            del kept[0]


def latency_cycles(prices: Sequence[Price], cpu: Cpu, syncs: frozenset[int]) -> float:
    """Give the cycles per copy that the chain of dependencies through all copies takes."""
    ready: dict[str, float] = {}
    values = Values()
    memory = Memory(values)
    ends = [0.0] * (_ROUNDS + 1)
    blocked = 0.0
    pointers: set[str] = set()  # registers that were loaded
    for number in range(_ROUNDS):
        latest = 0.0
        for n, p in enumerate(prices):
            i = p.instruction
            if n in syncs:
                ready["rsp"] = ready.get("rsp", 0.0) + 1
            address = data = 0.0
            for r in p.addresses:
                t = ready.get(r, 0.0)
                if t > address:
                    address = t
            for r in p.reads:
                t = ready.get(r, 0.0)
                if t > data:
                    data = t
            result = data + p.latency
            inputs = [values.of(r) for r in p.reads]
            targets = []
            for a in i.memory:
                key, place = memory.locate(a)
                if a.loads:
                    loaded = address + p.load_latency
                    if (
                        cpu.short_load
                        and not a.index
                        and a.base in pointers
                        and 0 <= a.displacement < _SHORT_DISPLACEMENT
                        and p.instruction.width <= 8
                    ):
                        loaded -= 1
                    store = memory.last_store(key, place, a.size)
                    if store is None:
                        value = values.make((key, place, a.size))
                    else:
                        at, size, when, value, serial = store
                        if at <= place and place + a.size <= at + size:
                            loaded = max(loaded, when + cpu.forward_latency)
                        else:
                            loaded = max(loaded, when, blocked) + cpu.blocked_latency
                            blocked = loaded
                        if at != place or size != a.size:
                            value = values.make((key, place, a.size, serial))
                    inputs.append(value)
                    result = max(result, loaded + p.latency)
                if a.stores:
                    targets.append((key, place, a.size))
            if i.result is Result.COPY and len(inputs) == 1:
                new = inputs[0]
            elif i.result is Result.SUM and len(inputs) == 1:
                new = inputs[0][0], inputs[0][1] + i.addend
            elif i.result is Result.UNKNOWN:
                new = values.make((number, id(p)))
            else:
                new = values.make((id(i), tuple(inputs)))
            for key, place, size in targets:
                memory.store(key, place, size, result, new)
            if i.stack:
                root, offset = values.of("rsp")
                values.registers["rsp"] = root, offset + i.stack
            if i.loads and i.result is not Result.UNKNOWN and p.latency == 0:
                pointers.update(p.writes)
            else:
                pointers.difference_update(p.writes)
            first = True
            for r in p.writes:
                ready[r] = result
                values.registers[r] = new if first else values.make((r, new))
                first = False
            if result > latest:
                latest = result
        ends[number + 1] = max(ends[number], latest)
    half = _ROUNDS // 2
    return (ends[_ROUNDS] - ends[half]) / (_ROUNDS - half)
