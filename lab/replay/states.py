"""What a timeline shows at an instant, as values."""

from dataclasses import dataclass

from emu.calls import Frame
from kernel.events import Outcome
from kernel.objects import RECEIVING, SENDING, STUCK, Thread
from kernel.state import Kernel
from kernel.utcb import WORDS
from lab.names import Names
from lab.replay.halting import Instant


@dataclass(frozen=True, slots=True)
class ThreadState:
    """One thread: what it does, and what its next instruction will see."""

    number: int
    name: str
    task: int  # number
    is_running: bool
    waits_for: str  # empty: it can run
    ip: int
    registers: dict[str, int]
    utcb: tuple[int, ...]
    stack: tuple[Frame, ...]  # outermost first


@dataclass(frozen=True, slots=True)
class State:
    """Everything but memory."""

    at: Instant
    cycle: int
    running: int | None  # the thread that runs next
    outcome: Outcome | None  # at the end of the run only
    events: int  # that have happened
    console: str
    threads: tuple[ThreadState, ...]


def state_of_thread(
    kernel: Kernel,
    thread: Thread,
    *,
    registers: dict[str, int],
    stack: tuple[Frame, ...],
    names: Names,
) -> ThreadState:
    """Make a value of a thread."""
    utcb = thread.utcb
    return ThreadState(
        number=thread.number,
        name=names.of(thread.number),
        task=thread.task.number,
        is_running=thread is kernel.scheduler.current,
        waits_for=waits_for(thread, names),
        ip=thread.context.ip,
        registers=registers,
        utcb=tuple(int(utcb.load(k)) for k in range(WORDS)),
        stack=stack,
    )


def waits_for(thread: Thread, names: Names) -> str:
    """Say what a thread waits for; empty if it can run."""
    if thread.is_runnable():
        return ""
    if thread.state == SENDING:
        target = thread.target
        return f"{names.of(target.number)} to receive" if target is not None else "to send"
    if thread.state == RECEIVING:
        if thread.partner is None:
            return "a message of anyone"
        return f"a message of {names.of(thread.partner.number)}"
    if thread.state == STUCK:
        return "nothing: a fault stopped it"
    return "to be started"
