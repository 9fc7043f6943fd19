"""Numbers of the Fiasco.OC/L4Re binary interface, and the layout of its words; no behaviour.

Each group names its origin: a header of L4Re (`l4/sys/...`) or a section of the ABI
document ("ABI 1.3").  An ABI number is written here or in `kernel.utcb` and nowhere else.
"""

from enum import IntEnum, IntFlag
from typing import NamedTuple

from kernel import utcb


class Arch(NamedTuple):
    """What differs between the two architectures (ABI 1, 2)."""

    name: str
    word: int  # bytes in a machine word
    call_page: int  # address of the kernel-provided system-call page, 0 if there is none
    root_utcb: int  # UTCB area of sigma0 and the root task
    user_utcb: int  # UTCB area of an ordinary task
    user_end: int  # first address above the user's
    kip: int  # address of the kernel info page where programs expect it
    first_user_segment: int  # the first of a thread's own descriptors, by number
    cap_limit: int  # capability indices are below this
    reply_limit: int  # explicit reply slots are below this
    reply_page: int  # slots in a page of kernel memory

    @property
    def bits(self) -> int:
        """Bits in a machine word."""
        return self.word * 8

    @property
    def mask(self) -> int:
        """All bits of a machine word."""
        return (1 << self.word * 8) - 1

    @property
    def utcb_size(self) -> int:
        """Bytes from one UTCB to the next (L4_UTCB_OFFSET)."""
        return utcb.size_of(self.word)


AMD64 = Arch(
    name="amd64",
    word=8,
    call_page=0,
    root_utcb=0x7F_FF00_0000,
    user_utcb=0xB300_0000,
    user_end=0x8000_0000_0000,
    kip=0x6FFF_F000,
    first_user_segment=11,
    cap_limit=128 * 512,
    reply_limit=512 * 512,
    reply_page=512,
)
IA32 = Arch(
    name="ia32",
    word=4,
    call_page=0xEACF_F000,
    root_utcb=0xBFF0_0000,
    user_utcb=0xB300_0000,
    user_end=0xC000_0000,
    kip=0xAFFF_F000,
    first_user_segment=9,
    cap_limit=256 * 1024,
    reply_limit=1024 * 1024,
    reply_page=1024,
)
ARCHES = {arch.name: arch for arch in (AMD64, IA32)}

PAGE_SHIFT = 12
PAGE_SIZE = 1 << PAGE_SHIFT

# Segments (ABI 1.2): user selectors as the segment information of amd64 gives them.
USER_SEGMENTS = 4  # descriptors that a thread may set
LOCAL_SEGMENTS = 512  # and that a task may: a local descriptor table is one page (ABI 6.1)
SEGMENT_SHIFT = 16  # in the opcode word of setting a base: which one
SELECTOR_USER_DATA = 0x23
SELECTOR_USER_CODE64 = 0x2B
SELECTOR_USER_CODE32 = 0x1B


# Operation bits of a capability selector (`l4/sys/consts.h`, ABI 1.3).
OP_SEND = 1
OP_RECV = 2
OP_OPEN_WAIT = 4
OP_REPLY = 8

# The supported combinations (ABI 1.3).
SEND = 0x1
RECEIVE = 0x2
CALL = 0x3
WAIT = 0x6
SEND_AND_WAIT = 0x7
REPLY = 0x9
REPLY_AND_CALL = 0xB
REPLY_AND_WAIT = 0xF
# The ninth of the document's table is the sleep: RECEIVE on the calling thread itself.
OPERATIONS = {
    SEND: "send",
    RECEIVE: "receive",
    CALL: "call",
    WAIT: "wait",
    SEND_AND_WAIT: "send_and_wait",
    REPLY: "reply",
    REPLY_AND_CALL: "reply_and_call",
    REPLY_AND_WAIT: "reply_and_wait",
}

OPERATION_SET = sum(1 << operation for operation in OPERATIONS)

# A capability selector (`l4/sys/consts.h`, ABI 1.3).
CAP_SHIFT = 12
CAP_INVALID_BIT = 0x800
CAP_REPLY_BIT = 0x400
CAP_SPECIAL = CAP_INVALID_BIT | CAP_REPLY_BIT
CAP_OPERATION = 0xF


class Rights(IntFlag):
    """Rights of a capability (`l4/sys/types.h`, ABI 4.9); SERVER is an object attribute."""

    W = 1
    S = 2
    R = 4
    D = 8
    SERVER = 0x20


LABEL_RIGHTS = 3  # the rights that a receiver sees in the low bits of a gate label


# What the kernel itself puts into a message about a fault (ABI 4.9, 5.1).
FAULT_BITS = 7
FAULT_FETCH = 4
ITEM_MAP = 8
FPAGE_ALL_SPACES = 0xFC0
BDR_ACCEPT_FPU = 0x0100_0000


class Page(IntFlag):
    """Rights of a memory mapping (ABI 4.9)."""

    X = 1
    W = 2
    R = 4


# Flexpages (`l4/sys/__l4_fpage.h`, ABI 4.9).
FPAGE_RIGHTS = 0xF
FPAGE_KIND_SHIFT = 4
FPAGE_KIND = 3
FPAGE_ORDER_SHIFT = 6
FPAGE_ORDER = 0x3F
FPAGE_BASE_SHIFT = 12
FPAGE_WHOLE_ORDER = 63  # a special flexpage of this order is all spaces

# The first word of a typed item (`l4/sys/consts.h`, ABI 4.9).
ITEM_COMPOUND = 1  # sent: the next one uses the same receive buffer
ITEM_FORWARD = 1  # received: a word behind the item names the task to map to
ITEM_GRANT = 2  # sent
ITEM_SMALL = 2  # received: one capability, named in this very word
ITEM_LOCAL_ID = 4  # received
ITEM_MAP = 8
ITEM_UNCOUNTED = 0x10  # objects: the mapping does not keep the object alive
ITEM_OBJECT_RIGHTS = 0xE0  # objects: the rights that their kind defines
ITEM_HOT_SPOT_SHIFT = 12

# What became of an item, in bits 2..1 of the word in its place (ABI 4.9).
ITEM_MAPPED = 0
ITEM_NOTHING = 2
ITEM_LABEL = 4
ITEM_FPAGE = 6

# The buffer descriptor (`l4/sys/utcb.h`, ABI 2): where the three lists of buffers begin.
BDR_CURSOR = 0x1F
BDR_MEMORY_SHIFT = 0
BDR_IO_SHIFT = 5
BDR_OBJECT_SHIFT = 10

# What to unmap (`l4/sys/consts.h`, ABI 6.1).
UNMAP_SELF = 0x8000_0000
UNMAP_DELETE = 0x4000_0000

# Every right that an object can have; its maker gets them all.
ALL_OBJECT_RIGHTS = 0xEF

# Message tag (`l4/sys/types.h`, ABI 3).
TAG_WORDS = 0x3F
TAG_ITEMS_SHIFT = 6
TAG_ITEMS = 0x3F
TAG_FLAGS = 0xF000
TAG_LABEL_SHIFT = 16
TAG_TRANSFER_FPU = 0x1000
TAG_SCHEDULE = 0x2000
TAG_PROPAGATE = 0x4000
TAG_ERROR = 0x8000


class Tag(NamedTuple):
    """A message tag taken apart."""

    label: int
    words: int
    items: int
    flags: int


def decode_tag(tag: int, *, bits: int) -> Tag:
    """Take a tag of `bits` bits apart; the label is signed."""
    label = tag >> TAG_LABEL_SHIFT
    if label >> (bits - TAG_LABEL_SHIFT - 1):
        label -= 1 << (bits - TAG_LABEL_SHIFT)
    return Tag(label, tag & TAG_WORDS, (tag >> TAG_ITEMS_SHIFT) & TAG_ITEMS, tag & TAG_FLAGS)


def encode_tag(label: int, *, words: int = 0, items: int = 0, flags: int = 0, bits: int) -> int:
    """Put a tag of `bits` bits together, as `l4_msgtag()` does."""
    low = (words & TAG_WORDS) | (items & TAG_ITEMS) << TAG_ITEMS_SHIFT | (flags & TAG_FLAGS)
    return (label << TAG_LABEL_SHIFT | low) & ((1 << bits) - 1)


class Protocol(IntEnum):
    """Labels that name a kernel protocol (`l4/sys/types.h`, ABI 3)."""

    NONE = 0
    ALLOW_SYSCALL = 1
    IRQ = -1
    PAGE_FAULT = -2
    EXCEPTION = -5
    SIGMA0 = -6
    IO_PAGE_FAULT = -8
    THREAD_GROUP = -9
    KOBJECT = -10
    TASK = -11
    THREAD = -12
    LOG = -13
    SCHEDULER = -14
    FACTORY = -15
    VM = -16
    DMA_SPACE = -17
    IRQ_SENDER = -18
    SEMAPHORE = -20
    META = -21
    IOMMU = -22
    DEBUGGER = -23
    VCPU_CONTEXT = -25


class Errno(IntEnum):
    """System errors; a label carries them negated (`l4/sys/err.h`, ABI 3)."""

    OK = 0
    EPERM = 1
    ENOENT = 2
    EIO = 5
    ENXIO = 6
    E2BIG = 7
    EAGAIN = 11
    ENOMEM = 12
    EACCESS = 13
    EFAULT = 14
    EBUSY = 16
    EEXIST = 17
    ENODEV = 19
    EINVAL = 22
    ENOSPC = 28
    ERANGE = 34
    ENAMETOOLONG = 36
    ENOSYS = 38
    EBADPROTO = 39
    EADDRNOTAVAIL = 99
    ENOREPLY = 1000
    EMSGTOOSHORT = 1001
    EMSGTOOLONG = 1002
    EMSGMISSARG = 1003


IPC_ERROR = 0x1F  # of the error word


class IpcError(IntEnum):
    """IPC error codes in the error word (`l4/sys/ipc.h`, ABI 3); bit 0: receive phase."""

    NONE = 0
    SEND_TIMEOUT = 2
    RECEIVE_TIMEOUT = 3
    NOT_EXISTENT = 4
    RECEIVE_NOT_EXISTENT = 5
    SEND_CANCELLED = 6
    RECEIVE_CANCELLED = 7
    SEND_CUT = 8
    RECEIVE_CUT = 9
    SEND_MAP_FAILED = 16
    RECEIVE_MAP_FAILED = 17
    NO_REPLY_CAP = 19


# Timeouts (`l4/sys/types.h`, ABI 4.8): two halves of a word, receive low, send high.
TIMEOUT_NEVER = 0
TIMEOUT_ZERO = 0x400
TIMEOUT_ABSOLUTE = 0x8000
TIMEOUT_MANTISSA = 0x3FF
TIMEOUT_EXPONENT_SHIFT = 10
TIMEOUT_EXPONENT = 0x1F
TIMEOUT_BR_INDEX = 0x3F

# Initial capabilities of a task: capability index (ABI 6.12).
CAP_TASK = 1
CAP_FACTORY = 2
CAP_THREAD = 3
CAP_PAGER = 4
CAP_LOG = 5
CAP_ICU = 6
CAP_SCHEDULER = 7
CAP_DEBUGGER = 10

# Operation codes (ABI 6); the low 16 bits of mr[0].
OPCODE = 0xFFFF
THREAD_CONTROL = 0
THREAD_EX_REGS = 1
THREAD_SWITCH = 2
THREAD_STATS_TIME = 3
THREAD_REGISTER_DELETION_IRQ = 5
THREAD_MODIFY_SENDERS = 6
THREAD_PF_TRAMPOLINE = 9
THREAD_X86_GDT = 0x10
THREAD_AMD64_SET_SEGMENT_BASE = 0x12
THREAD_AMD64_SEGMENT_INFO = 0x13
SCHEDULER_INFO = 0
SCHEDULER_RUN_THREAD = 1
SCHEDULER_IDLE_TIME = 2
VCON_WRITE = 0
VCON_READ = 1
VCON_SET_ATTR = 2
VCON_GET_ATTR = 3
TASK_MAP = 0
TASK_UNMAP = 1
TASK_CAP_INFO = 2
TASK_ADD_KU_MEM = 3
TASK_LDT_SET = 0x11
GATE_DEC_REFCNT = 0
GATE_BIND = 0x10
GATE_GET_INFO = 0x11
IRQ_BIND = 0x10  # protocol KOBJECT, the operation of every receive endpoint
IRQ_DETACH = 1  # protocol IRQ_SENDER
IRQ_BIND_VCPU = 2
IRQ_TRIGGER = 2  # protocol IRQ
IRQ_EOI = 4
SEMAPHORE_DOWN = 0
ICU_BIND = 0
ICU_UNBIND = 1
ICU_INFO = 2
ICU_MSI_INFO = 3
ICU_UNMASK = 4
ICU_MASK = 5
ICU_SET_MODE = 6

# Operations of the kernel debugger (`l4/sys/kdebug.h`, `l4/sys/debugger.h`, ABI 6.10):
# group << 8 | operation.
DEBUGGER_ENTER = 0x000
DEBUGGER_OUT_CHAR = 0x001
DEBUGGER_OUT_STRING = 0x002
DEBUGGER_OUT_HEX32 = 0x003
DEBUGGER_OUT_HEX20 = 0x004
DEBUGGER_OUT_HEX16 = 0x005
DEBUGGER_OUT_HEX12 = 0x006
DEBUGGER_OUT_HEX8 = 0x007
DEBUGGER_OUT_DECIMAL = 0x008
DEBUGGER_SET_NAME = 0x100
DEBUGGER_GLOBAL_ID = 0x101
DEBUGGER_ID_OF_POINTER = 0x102
DEBUGGER_LOG_TYPE = 0x103
DEBUGGER_SWITCH_LOG = 0x104
DEBUGGER_NAME_OF_ID = 0x105
DEBUGGER_LOG_NAME = 0x106
DEBUGGER_ADD_IMAGE = 0x107
DEBUGGER_GET_NAME = 0x108
DEBUGGER_OBJECT_INFOS = 0x110
DEBUGGER_TRACE_TEXT = 0x201
DEBUGGER_TRACE_CLEAR = 0x202
DEBUGGER_TRACE_DUMP = 0x203
DEBUGGER_TRACE_VALUES = 0x204
DEBUGGER_TRACE_BINARY = 0x205
DEBUGGER_TRACE_STATUS = 0x210
DEBUGGER_TRACE_SLOTS = 0x211
DEBUGGER_COVERAGE = 0x400
DEBUGGER_MEMORY = 0x500
DEBUGGER_NAME_SIZE = 16  # bytes, with the NUL behind the name

# Flags of the thread operations (ABI 6.2).
EX_REGS_CANCEL = 0x10000
EX_REGS_TRIGGER_EXCEPTION = 0x20000
CONTROL_SET_PAGER = 0x10000
CONTROL_BIND = 0x200000
CONTROL_ALIEN = 0x400000
CONTROL_SET_HANDLER = 0x1000000

VCON_MAX_WORDS = 61  # words of text in one log write (ABI 6.9)

# Kernel-user memory comes in flexpages of these orders (ABI 2).
KU_MEM_MIN_ORDER = 12
KU_MEM_MAX_ORDER = 17

# Scheduling (ABI 4.4).
PRIORITY_MAX = 255
PRIORITY_NEW_THREAD = 1
PRIORITY_DEFAULT = 2
TIMESLICE_US = 10_000
PRIORITY_IRQ = 255  # of an IRQ in a sender queue (ABI 4.7)

# What detaching an IRQ found (`l4/sys/irq.h`, ABI 6.5).
DETACH_INACTIVE = 0
DETACH_PENDING = 1

# The vcon's attributes, octal in the header (`l4/sys/vcon.h`, ABI 6.9).
VCON_INLCR = 0o100
VCON_IGNCR = 0o200
VCON_ICRNL = 0o400
VCON_ONLCR = 0o4
VCON_OCRNL = 0o10
VCON_ONLRET = 0o40
VCON_ICANON = 0o2
VCON_ECHO = 0o10
VCON_READ_SIZE_SHIFT = 16
VCON_READ_END = 1 << 31  # in the count: nothing is left
