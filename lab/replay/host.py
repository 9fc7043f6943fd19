"""The host's thread: a client without a program, whose system calls a test makes.

It is a thread like any other, with a UTCB in memory that the kernel copies from and to, in
a task of its own; only what it does next is no instruction, but a value (`guest.host`).

Rule 1: a call takes no time but that of its trap, and none passes before it.
Rule 2: it starts behind all threads of the scenario, which is otherwise as it is without.
"""

from collections.abc import Callable, Sequence

from emu.machine import HostedCall, Machine
from guest.errors import GuestError
from guest.host import FIRST_CAP, HOST, KINDS, SLEEP_FOREVER, HostCall
from guest.scenario import Scenario
from kernel import abi
from kernel.objects import Capability, Object, Task, Thread
from kernel.state import Kernel

RIGHTS = int(abi.Rights.R | abi.Rights.W | abi.Rights.S)


class HostThread:
    """The host's thread in a kernel; `caps` are its capabilities by what calls name them."""

    __slots__ = ("_word", "caps", "number", "task", "utcb")

    def __init__(self, task: Task, thread: Thread, caps: dict[str, int], word: int) -> None:
        self.task = task
        self.number = thread.number
        self.utcb = thread.utcb_frame  # physical address
        self.caps = caps
        self._word = word

    def prepare(self, call: HostCall) -> HostedCall:
        """Say to the machine what a call is; KeyError if its target is nobody."""
        cap = self.caps[call.target]
        message = b"".join(word.to_bytes(self._word, "little") for word in call.words)
        return self.utcb, message, (call.tag, cap | call.operation, 0, call.timeout)


def build_host(
    scenario: Scenario, kernel: Kernel, objects: Sequence[tuple[str, Object]]
) -> HostThread:
    """Make the host's task and thread, which is not started yet, with these objects' caps."""
    if any(spec.name == HOST for spec in scenario.tasks):
        message = f'"{HOST}" is the name of the task that calls from a test'
        raise GuestError(message, file=str(scenario.path), key="task")
    task = kernel.create_task()
    caps = {"self": abi.CAP_INVALID_BIT}
    for index, (target, found) in enumerate(objects, FIRST_CAP):
        kernel.insert_cap(task, index, Capability(found, RIGHTS))
        caps[target] = index << abi.CAP_SHIFT
    thread = kernel.create_thread(task, ip=0, sp=0, priority=abi.PRIORITY_DEFAULT)
    return HostThread(task, thread, caps, kernel.arch.word)


def check_calls(scenario: Scenario) -> None:
    """Refuse calls of things that a scenario has not; GuestError says which."""
    names = {
        "gate": [gate.name for gate in scenario.gates],
        "irq": [irq.name for irq in scenario.irqs],
        "semaphore": list(scenario.semaphores),
    }
    known = {"self", *(f"{kind}:{name}" for kind in KINDS for name in names[kind])}
    for number, call in enumerate(scenario.host or ()):
        if call.target not in known:
            message = f"call {number} is of {call.target}, which this scenario has not"
            raise GuestError(message, file=str(scenario.path))
        limit = 1 << scenario.arch.bits
        if max(call.tag, *call.words, 0) >= limit:
            message = f"call {number} has a word that {scenario.arch.name} has no room for"
            raise GuestError(message, file=str(scenario.path))


def let_call(machine: Machine, host: HostThread, source: Callable[[int], HostCall]) -> None:
    """Let a machine make the calls that `source` gives by their number.

    To be said again after it was thawed.
    """
    machine.host(host.number, lambda number: host.prepare(source(number)))


def repeat_calls(calls: Sequence[HostCall]) -> Callable[[int], HostCall]:
    """Give a source of these calls that sleeps for ever then."""
    return lambda number: calls[number] if number < len(calls) else SLEEP_FOREVER
