"""The ports: how fast micro-ops can be executed if they are spread in the best way."""

from collections.abc import Iterable

Uses = Iterable[tuple[int, int]]


def port_pressure(uses: Uses) -> tuple[float, int]:
    """Give the cycles that the busiest set of ports needs, and this set as a bit mask.

    A use is a set of ports and a number of micro-ops that may go to any of them.  By Hall's
    theorem the best distribution takes as long as the set S for which (micro-ops that can go
    nowhere but to S) / |S| is largest, and only unions of the used sets can be that S.
    """
    load: dict[int, int] = {}
    for mask, count in uses:
        load[mask] = load.get(mask, 0) + count
    unions: set[int] = set()
    for mask in load:
        unions |= {mask | other for other in unions}
        unions.add(mask)
    worst, where = 0.0, 0
    for union in sorted(unions):
        total = 0
        for mask, count in load.items():
            if not mask & ~union:
                total += count
        cycles = total / union.bit_count()
        if cycles > worst:
            worst, where = cycles, union
    return worst, where


def spread(uses: Uses) -> dict[int, float]:
    """Distribute the micro-ops so that the busiest port has least, then the next, ...

    Gives the micro-ops of each port by its number.
    """
    left = [(mask, count) for mask, count in uses if mask and count]
    found: dict[int, float] = {}
    while left:
        cycles, busiest = port_pressure(left)
        for port in range(busiest.bit_length()):
            if busiest >> port & 1:
                found[port] = cycles
        left = [(mask & ~busiest, count) for mask, count in left if mask & ~busiest]
    return dict(sorted(found.items()))
