"""The ports: how fast micro-ops can be executed if they are spread in the best way."""

from collections.abc import Iterable

_MOST_UNIONS = 1 << 10


def port_pressure(uses: Iterable[tuple[int, int]]) -> tuple[float, int]:
    """Give the cycles that the busiest set of ports needs, and this set as a bit mask.

    Each use is a set of ports (a bit mask) and a number of micro-ops that may go to any of
    them.  By Hall's theorem the best distribution takes as long as the set S for which
    (micro-ops that can go nowhere but to S) / |S| is largest, and S is a union of sets used.
    """
    load: dict[int, int] = {}
    for mask, count in uses:
        load[mask] = load.get(mask, 0) + count
    unions = set(load)
    for mask in load:
        unions |= {mask | other for other in unions}
        if len(unions) > _MOST_UNIONS:
            break
    worst, where = 0.0, 0
    for union in sorted(unions):
        total = sum(count for mask, count in load.items() if not mask & ~union)
        cycles = total / union.bit_count()
        if cycles > worst:
            worst, where = cycles, union
    return worst, where
