"""The block model."""
from collections.abc import Sequence
from emu.cycles.cpu import Cpu
from emu.cycles.decode import decoder_for
from emu.cycles.frontend import decode_cycles, predecode_cycles
from emu.cycles.latency import latency_cycles
from emu.cycles.ports import port_pressure
from emu.cycles.pricing import Price, price
from emu.cycles.tables import load_table


def stack_syncs(prices: Sequence[Price], *, repeated: bool) -> frozenset[int]:
    """Tell before which instructions the stack engine's offset is added to rsp.

    Agner Fog, The microarchitecture, "Stack engine".
    """
    found: set[int] = set()
    pending = False
    for _ in range(2 if repeated else 1):
        found.clear()
        for number, p in enumerate(prices):
            if p.needs_stack and pending:
                found.add(number)
                pending = False
            elif p.sets_stack:
                pending = False
            if p.instruction.stack:
                pending = p.instruction.mnemonic != "leave"
    return frozenset(found)


class Model:
    def __init__(self, cpu: Cpu, *, is_amd64: bool = True) -> None:
        self.cpu = cpu
        self.table = load_table(cpu.name)
        self.decode = decoder_for(is_amd64=is_amd64)
        self.prices: dict = {}

    def price(self, code: bytes) -> list[Price]:
        found = []
        for i in self.decode(code):
            p = self.prices.get(id(i))
            if p is None:
                p = self.prices[id(i)] = price(i, self.cpu, self.table)
            found.append(p)
        return found

    def unrolled(self, code: bytes) -> dict[str, float]:
        prices = self.price(code)
        cpu = self.cpu
        syncs = stack_syncs(prices, repeated=True)
        return {
            "predecode": predecode_cycles(prices, cpu, 0),
            "decode": decode_cycles(prices, cpu),
            "issue": (sum(p.slots for p in prices) + len(syncs)) / cpu.issue_width,
            "ports": port_pressure([u for p in prices for u in p.ports] + [(0b1100011, len(syncs))])[0],
            "latency": latency_cycles(prices, cpu, syncs),
            "divider": float(sum(p.divider for p in prices)),
            "serialise": float(sum(p.serialises for p in prices)),
        }
