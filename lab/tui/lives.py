"""How long messages live, as far as events tell: the bars of the lanes.

A request lives until its receiver's next open receive, an answer until its receiver's next
system call; an answer that comes while a request lives is nested in it.  Which function a
message belongs to is in no event: of messages that a finding is about the checker knew it,
and what it says is taken (docs/rules.md, "When a message is dead").
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kernel.abi import OP_OPEN_WAIT, OP_RECV, OP_REPLY
from kernel.events import Deleted, Failure, Invocation, Items, Transfer, Waiting, words_of
from lab.checker.finding import Finding
from lab.trace.format import KINDS
from lab.trace.reader import Stamped

TELLING = sum(
    1 << KINDS[kind] for kind in (Transfer, Items, Invocation, Waiting, Failure, Deleted)
)


@dataclass(slots=True)
class Life:
    """A message in its receiver's message registers."""

    event: int  # that delivered it
    thread: int  # its receiver
    sender: int
    born: int  # position
    words: tuple[int, ...]
    depth: int  # messages of the same thread that it is nested in
    is_request: bool
    label: str
    died: int | None = None  # position
    died_event: int | None = None
    is_exact: bool = False  # the checker says so
    lost: tuple[int, int] | None = None  # positions from the overwrite to the bad read
    finding: str = ""

    def is_alive(self, event: int, position: int) -> bool:
        """Whether it is alive when an event has happened, or a position was reached."""
        if event < self.event:
            return False
        if self.is_exact:
            return self.died is None or position < self.died
        return self.died_event is None or event < self.died_event


@dataclass(slots=True)
class _Thread:
    alive: list[Life]
    is_calling: bool = False  # its last call wants an answer of the one it named


def lives_of(
    events: Iterable[Stamped], word: int, findings: Sequence[Finding], numbers: dict[str, int]
) -> list[Life]:
    """Follow the messages of some events, in order; `numbers` are those of threads by name."""
    found: list[Life] = []
    threads: dict[int, _Thread] = {}
    for stamped in events:
        event = stamped.event
        match event:
            case Transfer():
                if event.sender_ip:
                    _call(threads, event.sender, event.operation, stamped)
                words = words_of(event.payload, word)
                if event.operation & OP_REPLY:
                    # Its receiver may have called before the first event that is followed.
                    threads.setdefault(event.receiver, _Thread([])).is_calling = True
                _deliver(threads, found, stamped, event.receiver, event.sender, words)
            case Invocation():
                _call(threads, event.thread, event.operation, stamped)
                if event.answer:
                    _deliver(threads, found, stamped, event.thread, event.target, event.answer)
            case Waiting() | Failure():
                _call(threads, event.thread, event.operation, stamped)
            case Deleted() if event.target in threads:
                for life in threads.pop(event.target).alive:
                    _die(life, stamped)
            case _:
                pass
    _correct(found, findings, numbers)
    return found


def _call(threads: dict[int, _Thread], number: int, operation: int, at: Stamped) -> None:
    thread = threads.setdefault(number, _Thread([]))
    is_open = bool(operation & OP_OPEN_WAIT)
    thread.is_calling = bool(operation & OP_RECV) and not is_open
    kept = []
    for life in thread.alive:
        if is_open or not life.is_request:
            _die(life, at)
        else:
            kept.append(life)
    thread.alive = kept


def _deliver(
    threads: dict[int, _Thread],
    found: list[Life],
    at: Stamped,
    receiver: int,
    sender: int,
    words: tuple[int, ...],
) -> None:
    thread = threads.setdefault(receiver, _Thread([]))
    is_request = not thread.is_calling
    thread.is_calling = False
    if is_request:
        for life in thread.alive:
            _die(life, at)
        thread.alive = []
    life = Life(
        event=at.sequence,
        thread=receiver,
        sender=sender,
        born=at.event.position,
        words=words,
        depth=len(thread.alive),
        is_request=is_request,
        label=f"#{at.sequence}",
    )
    thread.alive.append(life)
    found.append(life)


def _die(life: Life, at: Stamped) -> None:
    life.died, life.died_event = at.event.position, at.sequence


def _correct(found: list[Life], findings: Sequence[Finding], numbers: dict[str, int]) -> None:
    """Let the checker have its say."""
    by_birth = {(life.thread, life.born): life for life in found}
    for finding in findings:
        clobber = finding.clobber
        for message in (finding.message, None if clobber is None else clobber.message):
            if message is None:
                continue
            life = by_birth.get((numbers.get(message.receiver, -1), message.born))
            if life is None:
                continue
            life.label = message.id
            life.is_exact = True
            life.died = message.died
            if message is finding.message and (lost := lost_between(finding)) is not None:
                life.lost = lost
                life.finding = finding.id


def lost_between(finding: Finding) -> tuple[int, int] | None:
    """Give the positions from which on and up to which a finding's word is not what it was."""
    if finding.clobber is None:
        return None
    starts = [store.position for store in finding.clobber.stores]
    if finding.clobber.delivery is not None:
        starts.append(finding.clobber.delivery)
    if finding.clobber.call is not None:
        starts.append(finding.clobber.call.position)
    if not starts or min(starts) > finding.access.position:
        return None
    return min(starts), finding.access.position
