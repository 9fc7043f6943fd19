"""IPC timeouts: from their 16-bit encoding to a cycle (ABI 4.8).

All arithmetic is on ints and rounds up: a timeout never ends early.
"""

from kernel import abi, utcb
from kernel.message import Utcb

NEVER = -1
LATEST = 1 << 62  # no deadline is later, so that all fit a signed 64-bit integer
CLOCK_BITS = 64


def cycles_of(microseconds: int, *, cpu_khz: int) -> int:
    """Convert microseconds to cycles."""
    return -(-microseconds * cpu_khz // 1000)


def microseconds_of(cycles: int, *, cpu_khz: int) -> int:
    """Convert a cycle to the kernel clock's microseconds, rounding down as a clock does."""
    return cycles * 1000 // cpu_khz


def deadline_of(code: int, message: Utcb, *, now: int, cpu_khz: int, word: int) -> int:
    """Give the cycle at which a timeout ends; NEVER, or at most `now` when it has passed.

    An absolute timeout names buffer registers of `message` that hold a kernel clock value:
    one on amd64, two on ia32; the index is clamped to the last place where it fits.
    """
    if code == abi.TIMEOUT_NEVER:
        return NEVER
    if code & abi.TIMEOUT_ABSOLUTE:
        count = CLOCK_BITS // (word * 8)
        index = min(code & abi.TIMEOUT_BR_INDEX, utcb.BR_COUNT - count)
        clock = 0
        for k in range(count):
            clock |= message.load(utcb.BR + index + k) << (word * 8 * k)
        return min(cycles_of(clock, cpu_khz=cpu_khz), LATEST)
    mantissa = code & abi.TIMEOUT_MANTISSA
    if not mantissa:
        return now
    exponent = code >> abi.TIMEOUT_EXPONENT_SHIFT & abi.TIMEOUT_EXPONENT
    return min(now + cycles_of(mantissa << exponent, cpu_khz=cpu_khz), LATEST)
