"""Two runs side by side: thread by thread, what each did, and where they first differ.

Rule 1: what is compared is what a thread did with others: what it sent, got, asked of the
kernel, printed and failed with, in its order.  Cycles, positions, addresses of instructions
and the order between threads are not.
Rule 2: threads and objects are compared by name: the two may be other programs for the
same thing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from kernel import abi
from kernel.events import (
    Event,
    Exception_,
    Failure,
    Fault,
    Invocation,
    Items,
    Log,
    Transfer,
    Waiting,
    words_of,
)
from kernel.utcb import name_of
from lab.names import Names
from lab.query import named
from lab.trace.console import decode_console
from lab.trace.reader import Trace

MOST = 64  # differences that are told


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a thread did: `call` counts its system calls from 1."""

    call: int
    what: str  # "sends to server", "gets from client"
    words: tuple[tuple[str, int], ...]  # by the names of their registers
    facts: tuple[tuple[str, str], ...]  # what else is compared
    sequence: int
    position: int
    cycle: int


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing that a thread did otherwise; None: nothing any more."""

    thread: str
    field: str  # a register, a fact, or "what"
    a: Step | None
    b: Step | None

    @property
    def position(self) -> int:
        """Where it is: in A if it is there."""
        step = self.a or self.b
        assert step is not None, "one of two is there"
        return step.position


@dataclass(frozen=True, slots=True)
class Alignment:
    """What two runs have in common, and the first difference of each thread, in A's order."""

    steps: int  # that are equal
    threads: int
    differences: tuple[Difference, ...]
    is_partial: bool  # one of them is not all that there was: it was compared as far as it goes


def align(a: Trace, b: Trace) -> Alignment:
    """Compare two runs."""
    numbers = [_threads(trace) for trace in (a, b)]
    steps = 0
    found: list[Difference] = []
    cut = [_is_cut(trace) for trace in (a, b)]
    threads = list(dict.fromkeys((*numbers[0], *numbers[1])))
    for thread in threads:
        both = [
            iter(()) if thread not in known else steps_of(trace, known[thread])
            for trace, known in zip((a, b), numbers, strict=True)
        ]
        for one, other in zip_longest(*both):
            if (one is None and cut[0]) or (other is None and cut[1]):
                break
            field = _difference(one, other)
            if field:
                found.append(Difference(thread, field, one, other))
                break
            steps += 1
    # The earliest in A; what is in B alone comes behind.
    found.sort(key=lambda each: (each.a is None, each.position))
    return Alignment(steps, len(threads), tuple(found[:MOST]), any(cut))


def steps_of(trace: Trace, thread: int) -> Iterator[Step]:
    """Give what a thread did, in its order."""
    call = 0
    for stamped, names in named(trace, concerning=thread):
        event = stamped.event
        call += _is_call(event, thread)
        described = _describe(event, thread, names)
        if described is not None:
            what, words, facts = described
            yield Step(
                call,
                what,
                tuple((name_of(k), word) for k, word in words),
                facts,
                stamped.sequence,
                event.position,
                event.cycle,
            )


def _threads(trace: Trace) -> dict[str, int]:
    names = trace.names()
    return {names.of(number): number for number in trace.threads()}


def _is_cut(trace: Trace) -> bool:
    end = trace.ending
    return end is None or trace.truncated is not None or end.outcome == "budget"


def _is_call(event: Event, thread: int) -> bool:
    match event:
        case Transfer():
            return event.sender == thread
        case Invocation() | Waiting() | Failure():
            return True
        case _:
            return False


_Described = tuple[str, list[tuple[int, int]], tuple[tuple[str, str], ...]]


def _describe(event: Event, thread: int, names: Names) -> _Described | None:
    match event:
        case Transfer():
            words = list(enumerate(words_of(event.payload, names.arch.word)))
            facts = [("tag", hex(event.tag))]
            if event.receiver == thread:
                if event.via:  # the label of a reply is whatever was there
                    facts.append(("label", hex(event.label)))
                if event.error:
                    facts.append(("error", str(event.error)))
                return f"gets from {names.of(event.sender)}", words, tuple(facts)
            facts.append(("operation", _operation(event.operation)))
            return f"sends to {names.of(event.receiver)}", words, tuple(facts)
        case Items():
            ours = event.results if event.receiver == thread else event.items
            items = [(event.first + k, word) for k, word in enumerate(ours)]
            return "items", items, ()
        case Invocation():
            asked = list(enumerate(event.words))
            back = tuple((f"answer {name_of(k)}", hex(w)) for k, w in enumerate(event.answer))
            result = (("result", hex(event.result)),) if event.operation & abi.OP_RECV else ()
            what = f"{_operation(event.operation)} to {names.of(event.target)}"
            return what, asked, (("tag", hex(event.tag)), *result, *back)
        case Waiting():
            what = f"{_operation(event.operation)} to {names.of(event.target)}, waits"
            return what, list(enumerate(event.words)), (("tag", hex(event.tag)),)
        case Log():
            return "prints", [], (("text", decode_console(event.data)),)
        case Failure():
            target = f" to {names.of(event.target)}" if event.target else ""
            what = f"{_operation(event.operation)}{target} fails"
            return what, [], (("error", str(event.error)),)
        case Fault():
            kind = ("access", hex(event.error)), ("fate", event.fate.name.lower())
            return f"page fault at {event.address:#x}", [], kind
        case Exception_():
            kind = ("error", hex(event.error)), ("fate", event.fate.name.lower())
            return f"exception {event.vector}", [], kind
        case _:
            return None


def _operation(operation: int) -> str:
    return abi.OPERATIONS.get(operation, hex(operation))


def _difference(a: Step | None, b: Step | None) -> str:
    """Name what differs first: a word before all else; empty if nothing does."""
    if a is None or b is None or a.what != b.what:
        return "what"
    for one, other in zip_longest(a.words, b.words):
        if one != other:
            return str((one or other)[0])
    for fact, other_fact in zip_longest(a.facts, b.facts):
        if fact != other_fact:
            return str((fact or other_fact)[0])
    return ""
