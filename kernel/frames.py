"""Free page frames as a plain list: (address, size) of each free run, by address.

Runs never touch each other; `take` gives the lowest one that is large enough, so that what
is given depends on nothing but what was taken and given back before.
"""

Runs = list[tuple[int, int]]


def take(free: Runs, size: int) -> int | None:
    """Take `size` contiguous bytes; None if there is no such run."""
    for k, (address, have) in enumerate(free):
        if have >= size:
            if have == size:
                del free[k]
            else:
                free[k] = (address + size, have - size)
            return address
    return None


def give_back(free: Runs, address: int, size: int) -> None:
    """Return bytes that were taken."""
    k = 0
    while k < len(free) and free[k][0] < address:
        k += 1
    if k < len(free) and address + size == free[k][0]:
        size += free.pop(k)[1]
    if k and sum(free[k - 1]) == address:
        k -= 1
        address, have = free.pop(k)
        size += have
    free.insert(k, (address, size))
