"""The kernel info page: what programs read about the kernel and the machine (ABI 7).

Pure: a description becomes the bytes of a page.  Its code is called by programs, so the page
is mapped readable and executable; all of its 4 KiB but the clock are constant.

The two clock functions convert the time stamp counter exactly, rounding down, as the kernel
does for the clock field: whoever reads both never sees time go back.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from kernel import abi
from kernel.abi import Arch
from kernel.errors import UsageError

MAGIC = 0x4BE6_344C
VERSION = 0x8700_4444

# Offsets (`l4/sys/kip.h`, ABI 7).
SYS_CALLS = 0x0C
SIGMA0_IP = 0x10
ROOT_IP = 0x18
CLOCK = 0x20
FREQUENCY = 0x28
USER_POINTER = 0x40
GRANULARITY = 0x50
PLATFORM = 0x70
MEMORY = 0x90
CALL_CODE = 0x800  # ia32 only
CLOCK_CODE = 0x900
NANOSECONDS_CODE = 0x980
_MULTIPLIER_NS = 0x9E8
_DIVISOR = 0x9F0
_MULTIPLIER_US = 0x9F8

DESCRIPTORS = 64  # room for memory descriptors, the unused ones are 0
_CALL_CODE = b"\xcd\x30\xc3"  # int 0x30; ret
_CALLS_BY_CODE = 2  # in SYS_CALLS: call the code at CALL_CODE
_LOW = 0x3FF  # bits that an address in a descriptor does not have
_VIRTUAL = 0x200
_EAGER = 0x100
_VERSION_UNIT = 16


class Kind(IntEnum):
    """What a range of memory is (`l4/sys/memdesc.h`)."""

    CONVENTIONAL = 1
    RESERVED = 2
    DEDICATED = 3
    SHARED = 4
    KERNEL_TEMPORARY = 7
    INFO = 0xD
    BOOTLOADER = 0xE
    ARCH = 0xF


@dataclass(frozen=True, slots=True)
class Memory:
    """A range of memory, both ends included; on whole units of 1 KiB."""

    start: int
    end: int
    kind: Kind = Kind.CONVENTIONAL
    subtype: int = 0
    is_virtual: bool = False
    is_eager: bool = False


@dataclass(frozen=True, slots=True)
class Description:
    """What the page of one machine says."""

    cpu_khz: int
    memory: tuple[Memory, ...] = ()
    features: tuple[str, ...] = ()
    version: str = "l4lab"
    granularity_us: int = 1  # timeouts and time slices end at their cycle
    sigma0_ip: int = 0
    root_ip: int = 0
    user_pointer: int = 0  # physical address of the boot modules' table


def describe(arch: Arch, *, cpu_khz: int, ram: int) -> Description:
    """Describe a machine with `ram` bytes whose users have all of their address space."""
    features: tuple[str, ...] = ("mapdb", "segments")
    if arch.word == 4:
        features += ("kip_syscalls",)
    memory = (
        Memory(0, ram - 1),
        Memory(0, arch.user_end - 1, is_virtual=True),
    )
    return Description(cpu_khz, memory, features)


def build(arch: Arch, description: Description) -> bytes:
    """Make the page; UsageError says what does not fit into it."""
    page = bytearray(abi.PAGE_SIZE)
    version_at = MEMORY + DESCRIPTORS * 2 * arch.word
    struct.pack_into("<IIB", page, 0, MAGIC, VERSION, version_at // _VERSION_UNIT)
    struct.pack_into("<QQ", page, SIGMA0_IP, description.sigma0_ip, description.root_ip)
    struct.pack_into("<QQ", page, CLOCK, 0, description.cpu_khz)
    struct.pack_into("<Q", page, USER_POINTER, description.user_pointer)
    if len(description.memory) > DESCRIPTORS:
        raise UsageError(f"{len(description.memory)} memory descriptors of {DESCRIPTORS}")
    struct.pack_into("<III", page, GRANULARITY, description.granularity_us, MEMORY, DESCRIPTORS)
    page[PLATFORM : PLATFORM + 5] = b"l4lab"
    words = [word for memory in description.memory for word in _descriptor(memory)]
    form = "Q" if arch.word == 8 else "I"
    struct.pack_into(f"<{len(words)}{form}", page, MEMORY, *(w & arch.mask for w in words))
    texts = (description.version, *description.features, "")
    text = b"".join(part.encode() + b"\0" for part in texts)
    if version_at + len(text) > CALL_CODE:
        raise UsageError(f"{len(text)} bytes of version and features, room for less")
    page[version_at : version_at + len(text)] = text
    for at, multiplier in ((CLOCK_CODE, 1000), (NANOSECONDS_CODE, 1_000_000)):
        code = _clock_code(arch, at, multiplier, description.cpu_khz)
        page[at : at + len(code)] = code
    if arch.word == 8:
        struct.pack_into("<QQQ", page, _MULTIPLIER_NS, 1_000_000, description.cpu_khz, 1000)
    else:
        page[SYS_CALLS] = _CALLS_BY_CODE
        page[CALL_CODE : CALL_CODE + len(_CALL_CODE)] = _CALL_CODE
    return bytes(page)


def _descriptor(memory: Memory) -> tuple[int, int]:
    if memory.start & _LOW or ~memory.end & _LOW or memory.end < memory.start:
        raise UsageError(f"memory {memory.start:#x}-{memory.end:#x}, not on whole KiB")
    bits = memory.subtype << 4 | memory.kind
    if memory.is_virtual:
        bits |= _VIRTUAL
    if memory.is_eager:
        bits |= _EAGER
    return memory.start | bits, memory.end


def _clock_code(arch: Arch, at: int, multiplier: int, khz: int) -> bytes:
    """Assemble a function that gives time stamp * `multiplier` / `khz`.

    It clobbers the result's registers and flags only, and is independent of its address.
    """
    if arch.word == 8:
        scale = _MULTIPLIER_US if at == CLOCK_CODE else _MULTIPLIER_NS
        return b"".join(
            (
                b"\x0f\x31",  # rdtsc
                b"\x48\xc1\xe2\x20",  # shl rdx, 32
                b"\x48\x09\xd0",  # or rax, rdx
                b"\x48\xf7\x25" + struct.pack("<i", scale - (at + 16)),  # mul [rip + ...]
                b"\x48\xf7\x35" + struct.pack("<i", _DIVISOR - (at + 23)),  # div [rip + ...]
                b"\xc3",  # ret
            )
        )
    # 64 by 32 bits are 96; dividing them by 32 bits takes two steps.
    return b"".join(
        (
            b"\x53\x51\x56",  # push ebx; push ecx; push esi
            b"\x0f\x31",  # rdtsc
            b"\x89\xd1",  # mov ecx, edx
            b"\xbb" + struct.pack("<I", multiplier),  # mov ebx, ...
            b"\xf7\xe3",  # mul ebx
            b"\x89\xc6",  # mov esi, eax
            b"\x89\xc8",  # mov eax, ecx
            b"\x89\xd1",  # mov ecx, edx
            b"\xf7\xe3",  # mul ebx
            b"\x01\xc8",  # add eax, ecx
            b"\x83\xd2\x00",  # adc edx, 0
            b"\xbb" + struct.pack("<I", khz),  # mov ebx, ...
            b"\xf7\xf3",  # div ebx
            b"\x89\xc1",  # mov ecx, eax
            b"\x89\xf0",  # mov eax, esi
            b"\xf7\xf3",  # div ebx
            b"\x89\xca",  # mov edx, ecx
            b"\x5e\x59\x5b",  # pop esi; pop ecx; pop ebx
            b"\xc3",  # ret
        )
    )
