"""Why the CPU stopped, as values.

The numbers are a contract with whoever drives the machine; they carry no L4 meaning.
"""

DEADLINE = 0  # the clock reached the deadline, at the start of a block
SYSTEM_CALL = 1
PAGE_FAULT = 2  # `address`, `error`
EXCEPTION = 3  # `vector`, `error`
STEPPED = 4  # from `Machine.step` only: one instruction or repetition is done

# What a system call leaves in the registers that the ABI calls undefined.
AMD64_SCRATCH = 0x5C5C_5C5C_5C5C_5C5C  # r15
IA32_SCRATCH = 0x5C5C_5C5C  # ecx

# Bits of a page fault's error code (Intel SDM vol. 3, 4.7).
FAULT_PRESENT = 1
FAULT_WRITE = 2
FAULT_USER = 4
FAULT_FETCH = 16

# Exception vectors (Intel SDM vol. 3, 6.15).
DEBUG = 1
BREAKPOINT = 3
OVERFLOW = 4
INVALID_OPCODE = 6
GENERAL_PROTECTION = 13
PAGE = 14

# Exceptions that push an error code, but for the page fault, which has a trap of its own.
WITH_ERROR_CODE = frozenset((8, 10, 11, 12, 13, 17))
