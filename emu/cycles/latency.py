"""Loop-carried latency: how fast a block can follow itself when its results depend on it."""

from collections.abc import Sequence

from emu.cycles.cpu import Cpu
from emu.cycles.pricing import Price

_ROUNDS = 12
_STORES_KEPT = 24  # per symbolic address


def latency_cycles(prices: Sequence[Price], cpu: Cpu) -> float:
    ready: dict[str, float] = {}
    version: dict[str, int] = {}
    memory: dict[object, list[tuple[int, int, float]]] = {}
    ends = [0.0] * (_ROUNDS + 1)
    stack = 0
    for number in range(_ROUNDS):
        latest = 0.0
        for p in prices:
            i = p.instruction
            address = max([ready.get(r, 0.0) for r in p.addresses], default=0.0)
            data = max([ready.get(r, 0.0) for r in p.reads], default=0.0)
            result = data + p.latency
            for a in i.memory:
                key = (
                    a.base, version.get(a.base, 0), a.index,
                    version.get(a.index, 0) if a.index else 0, a.scale, a.segment,
                )
                place = a.displacement + (stack if a.base == "rsp" else 0)
                if a.loads:
                    loaded = address + p.load_latency
                    for at, size, when in reversed(memory.get(key, ())):
                        if at < place + a.size and place < at + size:
                            covered = at <= place and place + a.size <= at + size
                            loaded = max(loaded, when + (cpu.forward_latency if covered else cpu.blocked_latency))
                            break
                    result = max(result, loaded + p.latency)
                if a.stores:
                    kept = memory.setdefault(key, [])
                    kept.append((place, a.size, result))
                    if len(kept) > _STORES_KEPT:
                        del kept[0]
            stack += i.stack
            for register in p.writes:
                ready[register] = result
                version[register] = version.get(register, 0) + 1
            if result > latest:
                latest = result
        ends[number + 1] = max(ends[number], latest)
    half = _ROUNDS // 2
    return (ends[_ROUNDS] - ends[half]) / (_ROUNDS - half)
