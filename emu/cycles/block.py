"""The block model."""
from collections.abc import Sequence
from emu.cycles.cpu import Cpu
from emu.cycles.decode import decoder_for
from emu.cycles.frontend import decode_cycles, predecode_cycles
from emu.cycles.latency import latency_cycles
from emu.cycles.ports import port_pressure
from emu.cycles.pricing import Price, price
from emu.cycles.tables import load_table


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
        return {
            "predecode": predecode_cycles(prices, cpu, 0),
            "decode": decode_cycles(prices, cpu),
            "issue": sum(p.slots for p in prices) / cpu.issue_width,
            "ports": port_pressure(u for p in prices for u in p.ports)[0],
            "latency": latency_cycles(prices, cpu),
            "divider": float(sum(p.divider for p in prices)),
            "serialise": float(sum(p.serialises for p in prices)),
        }
