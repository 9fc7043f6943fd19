"""A finding: what the checker reports, as values that views render and tests compare.

Rule 1: everything a report shows is in here; a view needs neither machine nor kernel.
Rule 2: numbers are numbers and names are names; rounding, hex and colour belong to views.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Rule(StrEnum):
    """What can be wrong with a UTCB; docs/rules.md has a section on each."""

    STALE_READ = "stale-read"
    BEYOND_COUNT = "beyond-count"
    SETUP_CLOBBERED = "setup-clobbered"
    LEAKED_WORD = "leaked-word"
    DANGLING_POINTER = "dangling-pointer"
    BUFFER_REGISTERS_CLOBBERED = "buffer-registers-clobbered"
    STALE_ERROR_WORD = "stale-error-word"
    UNBALANCED_RESTORE = "unbalanced-restore"
    OUTSIDE_MESSAGE_REGISTERS = "outside-message-registers"
    COUNT_MISMATCH = "count-mismatch"
    FOREIGN_UTCB = "foreign-utcb"
    REPLY_CAPABILITY_LOST = "reply-capability-lost"
    HIDDEN_IPC = "hidden-ipc"
    WORD_LOST_UNREAD = "word-lost-unread"


class Verdict(StrEnum):
    """How sure a finding is, and whether it matters; from the worst down."""

    CONFIRMED = "confirmed"  # attribution certain, effect observable
    PROBABLE = "probable"  # a wrong value, anything less certain
    LATENT = "latent"  # the value is the right one, by luck
    NOTE = "note"  # no error by itself


class Attribution(StrEnum):
    """How a message was found to be the one that a read was meant for."""

    CERTAIN = "certain"
    INFERRED = "inferred"


class Effect(StrEnum):
    """Whether the wrong value can be seen from outside the thread."""

    OBSERVABLE = "observable"
    NONE_SEEN = "none-seen"
    UNKNOWN = "unknown"  # it was not tried


@dataclass(frozen=True, slots=True)
class Frame:
    """A logical frame of a stack, inlined ones included."""

    function: str  # demangled, without parameters, template arguments and compiler suffixes
    symbol: str  # as it is in the program
    pc: int
    file: str = ""
    line: int = 0  # 0: unknown
    inlined: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """An instruction that read or wrote UTCB bytes, or a system call."""

    position: int
    cycle: int
    pc: int
    instruction: str  # disassembled; empty if unknown
    stack: tuple[Frame, ...]  # the innermost first


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it was delivered to a thread, or as it is being built by one."""

    id: str  # M17: unique in a run, in the order of birth
    sender: str
    receiver: str
    via: str  # the gate, "" if it came through a thread or a reply capability
    label: int
    protocol: int  # the tag's label, signed
    words: tuple[int, ...]
    items: int
    born: int  # position of its delivery or of its first store
    cycle: int
    owner: str = ""  # the function whose frame it belongs to
    died: int | None = None  # position; None: it was alive at the end


@dataclass(frozen=True, slots=True)
class Word:
    """A row of the table of words around the one at fault."""

    register: str  # mr[1], br[0], error
    delivered: int | None  # None: it was not part of the message
    now: int
    writer: str  # "kernel, M18", "notify_other+0x12", "never written"
    state: str  # consumed, intact, STALE, undefined, saved, own
    here: bool = False  # the access at fault reads this one
    read: Access | None = None  # the first read of what was delivered, if it is known
    unread: bool = False  # it is known that nobody had read it


@dataclass(frozen=True, slots=True)
class Clobber:
    """Who overwrote the word: stores, a delivery, or both."""

    message: Message | None
    stores: tuple[Access, ...]
    delivery: int | None  # position of the kernel's copy
    call: Access | None  # the overwriting system call, with its stack


@dataclass(frozen=True, slots=True)
class Consequence:
    """Something that would have been different with the message intact."""

    what: str  # "reply to client, mr[0]"
    position: int
    actual: str
    expected: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One misuse of a UTCB."""

    id: str  # F1, F2 by first position
    rule: Rule
    verdict: Verdict
    attribution: Attribution
    effect: Effect
    thread: str
    task: str
    register: str  # mr[1] or mr[1..2]
    offset: int  # of the first byte in the UTCB
    size: int  # bytes
    function: str
    file: str
    line: int
    access: Access  # the read, send or store at fault
    summary: str  # one sentence: what was read and what had been sent
    expected: int | None  # those bytes, little-endian; None where the rule has none
    actual: int | None
    message: Message | None = None
    clobber: Clobber | None = None
    words: tuple[Word, ...] = ()
    consequences: tuple[Consequence, ...] = ()
    checks: tuple[tuple[str, str], ...] = ()  # what was considered, and with what result
    cure: str = ""
    count: int = 1  # times that it was seen
    identity: tuple[str, ...] = field(default=(), compare=False)  # what makes repeats equal
    suppressed: str = ""  # the reason given, if it is
