"""Which values are provably the same, and so which addresses in memory are.

A value is a *root* and a constant that was added to it.  A root is a number that stands for
"this function of those values": the same instruction with the same inputs gives the same
root.  Nothing is known of different roots: they are taken not to meet in memory.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from emu.cycles.instruction import Access, Instruction, Result

_STORES_KEPT = 24  # for each unknown part of an address


class Value(NamedTuple):
    """A root and what was added."""

    root: int
    offset: int


class Place(NamedTuple):
    """A symbolic address and how many bytes there."""

    unknown: tuple[int, int, int, str]  # roots of base and index, scale, segment
    offset: int
    size: int


class Store(NamedTuple):
    """What was stored, where and when."""

    place: Place
    value: Value
    ready: float
    step: int  # the number of the instruction's execution

    def meets(self, place: Place) -> bool:
        """Tell whether some of its bytes are at a place of the same unknown part."""
        own = self.place
        return own.offset < place.offset + place.size and place.offset < own.offset + own.size

    def covers(self, place: Place) -> bool:
        """Tell whether it has all bytes of a place that it meets."""
        own = self.place
        return own.offset <= place.offset and place.offset + place.size <= own.offset + own.size


class Values:
    """The values in registers and in memory while a block is followed."""

    __slots__ = ("_roots", "_stores", "registers")

    def __init__(self) -> None:
        self.registers: dict[str, Value] = {"": Value(0, 0)}  # "" is no register
        self._roots: dict[Hashable, int] = {}
        self._stores: dict[object, list[Store]] = {}

    def of(self, register: str) -> Value:
        """Give the value of a register; at first each has one of its own."""
        found = self.registers.get(register)
        if found is None:
            found = self.registers[register] = self.make(register)
        return found

    def make(self, what: Hashable) -> Value:
        """Give the value that stands for `what`."""
        root = self._roots.setdefault(what, len(self._roots) + 1)
        return Value(root, 0)

    def place_of(self, access: Access, after: int) -> Place:
        """Tell where an access goes; `after` is the address behind its instruction."""
        base, offset = self.of(access.base) if access.base != "rip" else Value(0, after)
        index, added = self.of(access.index)
        unknown = base, index, access.scale if index else 1, access.segment
        return Place(unknown, offset + added * access.scale + access.displacement, access.size)

    def last_store(self, place: Place) -> Store | None:
        """Give the last store that meets `place`."""
        for store in reversed(self._stores.get(place.unknown, ())):
            if store.meets(place):
                return store
        return None

    def loaded(self, place: Place, store: Store | None) -> Value:
        """Give the value that a load finds at `place`, after its last store there."""
        if store is None:
            return self.make(place)
        return store.value if store.place == place else self.make((place, store.step))

    def store(self, store: Store) -> None:
        """Remember a store."""
        kept = self._stores.setdefault(store.place.unknown, [])
        kept.append(store)
        if len(kept) > _STORES_KEPT:
            del kept[0]

    def result(self, instruction: Instruction, inputs: Sequence[Value], step: int) -> Value:
        """Give the value that an instruction makes of its inputs."""
        match instruction.result:
            case Result.COPY if len(inputs) == 1:
                return inputs[0]
            case Result.SUM if len(inputs) == 1:
                return Value(inputs[0].root, inputs[0].offset + instruction.addend)
            case Result.UNKNOWN:
                return self.make(step)
        return self.make((instruction.code, *inputs))

    def assign(self, instruction: Instruction, new: Value) -> None:
        """Give the registers that an instruction writes their new values."""
        registers = self.registers
        if instruction.stack:
            root, offset = self.of("rsp")
            registers["rsp"] = Value(root, offset + instruction.stack)
        for register in instruction.advances:
            registers[register] = self.make((instruction.code, self.of(register)))
        first = True
        for register in instruction.writes:
            registers[register] = new if first else self.make((register, new))
            first = False
