"""A session: a scenario that runs while a test calls its servers as a client would.

Time stands still between two calls, so that a session is as deterministic as any run: the
calls are written down, and `finish` repeats the run from them, with the checker watching.

Rule 1: what a session gives as its result is that repetition; if it differs from the
session itself, that is our error and not the test's.
Rule 2: every budget is one of cycles.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType

from guest.errors import GuestError
from guest.host import HOST, SLEEP_FOREVER, HostCall, encode_timeout
from guest.image import Image, resolve
from guest.scenario import Scenario, load_scenario
from guest.table import did_you_mean, quote
from kernel import abi
from kernel.abi import IpcError, Protocol
from kernel.errors import UsageError
from kernel.events import Failure, Outcome
from kernel.kernel import end, run
from kernel.utcb import MR_COUNT
from lab.checker.finding import Finding
from lab.messages import Message, Messages
from lab.names import Names
from lab.recorder import RunRecorder
from lab.replay.examine import Confirm
from lab.replay.host import let_call
from lab.replay.system import boot as boot_system
from lab.replay.system import identify, load_programs
from lab.result import Run
from lab.run import run_scenario


class CallFailed(Exception):
    """A call of the host's came back with an error of the kernel's.

    `error` is the IPC error; `target` what was called.
    """

    def __init__(self, target: str, error: IpcError) -> None:
        super().__init__(target, error)
        self.target = target
        self.error = error

    def __str__(self) -> str:
        """Say what failed, and how."""
        name = self.error.name.lower().replace("_", " ")
        return f"the call of {self.target} failed with IPC error {int(self.error)}, {name}"


class NoAnswer(Exception):
    """A call of the host's was not answered before the run was over.

    `outcome` is how the run ended: idle if everybody waits, budget, or fault.
    """

    def __init__(self, target: str, outcome: str, cycle: int) -> None:
        super().__init__(target, outcome, cycle)
        self.target = target
        self.outcome = outcome
        self.cycle = cycle

    def __str__(self) -> str:
        """Say what was not answered."""
        return f"{self.target} did not answer: {self.outcome} at cycle {self.cycle:,}"


class _Free(Exception):
    """The host's thread has done what it was told, and would go on."""


class Session:
    """A booted scenario; close it, or use it in a ``with`` statement.

    `calls` is what the host has done so far.  After `finish`, and after a call that was not
    answered, it can be looked at and not called any more.
    """

    def __init__(self, scenario: Scenario, *, cycles: int | None = None) -> None:
        self.scenario = replace(scenario, host=())
        self.cycles = cycles  # budget, if it is not the scenario's
        self.calls: list[HostCall] = []
        self._messages = Messages()
        self._failures: list[Failure] = []
        self._result: Run | None = None
        self._outcome: Outcome | None = None
        self._images: dict[str, Image] = load_programs(scenario)
        self._recorder = RunRecorder(identify(self.scenario, self._images))
        self._system = boot_system(self.scenario, self._images, recorder=self._recorder)
        self._recorder.names = self._system.names
        listen = partial(self._messages.listen, self._system.names)
        self._recorder.listeners += [listen, self._note_failure]
        assert self._system.host is not None, "the scenario asked for a host"
        self._host = self._system.host
        let_call(self._system.machine, self._host, self._next_call)

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the machine's memory back."""
        self._system.close()

    def call(
        self, gate: str, *words: int, label: int = 0, timeout_us: int | None = None
    ) -> Message:
        """Call the server behind a gate, with `label` in the tag, and give its answer.

        Other threads run as they do while a client waits.  With `timeout_us`, sending and
        receiving take at most so long.  Raises CallFailed, or NoAnswer if the run is over
        before the answer comes.
        """
        half = _timeout(timeout_us)
        before = len(self._messages.found)
        self._do(f"gate:{gate}", abi.CALL, label, words, half << 16 | half)
        for message in reversed(self._messages.found[before:]):
            if message.receiver == HOST:
                return message
        raise UsageError(f"more messages than {len(self._messages.found)} in a session")

    def send(
        self, gate: str, *words: int, label: int = 0, timeout_us: int | None = None
    ) -> None:
        """Send to the thread behind a gate, and wait until it has the message."""
        self._do(f"gate:{gate}", abi.SEND, label, words, _timeout(timeout_us) << 16)

    def trigger(self, name: str) -> None:
        """Trigger an interrupt of the scenario, or put one more into a semaphore."""
        kind = "semaphore" if name in self.scenario.semaphores else "irq"
        self._do(f"{kind}:{name}", abi.SEND, Protocol.IRQ, (), abi.TIMEOUT_NEVER)

    def sleep(self, microseconds: int) -> None:
        """Let the others run for so long, or as long as they can."""
        half = _timeout(microseconds)
        try:
            self._do("self", abi.OP_RECV, 0, (), half)
        except CallFailed as failure:
            if failure.error is not IpcError.RECEIVE_TIMEOUT:
                raise

    def finish(self) -> Run:
        """Let the others run until nothing can, and judge all that happened.

        Gives the same at every call.
        """
        if self._result is None:
            if self._outcome is None:
                self._advance(SLEEP_FOREVER)
            self._result = self._repeat()
        return self._result

    @property
    def is_finished(self) -> bool:
        """Whether somebody has asked for the result."""
        return self._result is not None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the checker found; this ends the run, as `finish` does."""
        return self.finish().findings

    @property
    def messages(self) -> tuple[Message, ...]:
        """All messages that reached a thread so far, in order."""
        return tuple(self._messages.found)

    @property
    def console(self) -> str:
        """What guests have written to the log so far."""
        return self._recorder.console()

    @property
    def names(self) -> Names:
        """What things are called."""
        return self._system.names

    def memory(self, where: str) -> int:
        """Read the word at TASK.SYMBOL or TASK.ADDRESS as it is now; UsageError if none is."""
        task, _, symbol = where.partition(".")
        if task not in self._images or not symbol:
            tasks = ", ".join(self._images)
            raise UsageError(f"{where!r} is not TASK.SYMBOL with a task of {tasks}")
        address = resolve(self._images[task], symbol, file=str(self.scenario.path), key=where)
        value = self._system.load_word(task, address)
        if value is None:
            raise UsageError(f"{where}: nothing is mapped at {address:#x}")
        return value

    def repeatable(self) -> Scenario:
        """Give the scenario with the host's calls: running it is this run again."""
        return replace(self.scenario, host=tuple(self.calls))

    def _do(
        self, target: str, operation: int, label: int, words: Sequence[int], timeout: int
    ) -> None:
        if target not in self._host.caps:
            kind, _, name = target.partition(":")
            known = [each.partition(":")[2] for each in self._host.caps if ":" in each]
            hint = did_you_mean(name, known)
            raise UsageError(f"the scenario has no {kind} {quote(name)}{hint}")
        if self._outcome is not None:
            raise UsageError("the run is over: nobody can be called any more")
        arch = self.scenario.arch
        limit = 1 << arch.bits
        if len(words) > MR_COUNT:
            raise UsageError(f"{len(words)} words, a message has at most {MR_COUNT}")
        for word in words:
            if not isinstance(word, int):
                raise UsageError(f"{word!r:.40} is no word: expected a number")
            if not -limit // 2 <= word < limit:
                raise UsageError(f"{word:#x} is no word of {arch.bits} bits")
        masked = tuple(word % limit for word in words)
        tag = abi.encode_tag(label, words=len(words), bits=arch.bits)
        if abi.decode_tag(tag, bits=arch.bits).label != label:
            raise UsageError(f"label {label:#x} does not fit into a tag of {arch.bits} bits")
        self._failures.clear()
        outcome = self._advance(HostCall(target, operation, tag, timeout, masked))
        if outcome is not None:
            name = "sleep" if target == "self" else target
            raise NoAnswer(name, outcome.name.lower(), self._system.machine.now)
        if self._failures:
            raise CallFailed(target, IpcError(self._failures[-1].error))

    def _advance(self, call: HostCall) -> Outcome | None:
        """Let the host do something; the outcome of the run if that is over then."""
        self.calls.append(call)
        budget = self.scenario.cycles if self.cycles is None else self.cycles
        kernel = self._system.kernel
        try:
            outcome = run(kernel, budget)
        except _Free:
            return None
        end(kernel, outcome)
        self._outcome = outcome
        return outcome

    def _next_call(self, number: int) -> HostCall:
        if number >= len(self.calls):
            raise _Free
        return self.calls[number]

    def _note_failure(self, event: object) -> None:
        if isinstance(event, Failure) and event.thread == self._host.number:
            self._failures.append(event)

    def _repeat(self) -> Run:
        done = run_scenario(self.repeatable(), cycles=self.cycles, confirm=Confirm.SOME)
        machine = self._system.machine
        ours = machine.now, machine.instructions, self._recorder.console()
        assert ours == (done.cycles, done.instructions, done.console), "a session repeats"
        return done


def boot(
    scenario: Scenario | str | Path, *, arch: str | None = None, cycles: int | None = None
) -> Session:
    """Boot a scenario, given as itself, a path or the name of one that ships.

    Nothing has run yet; `cycles` replaces its budget.  Raises GuestError if scenario or
    programs are not right.
    """
    if not isinstance(scenario, Scenario):
        scenario = load_scenario(scenario, arch=arch)
    elif arch is not None and arch != scenario.arch.name:
        raise GuestError(f"is loaded for {scenario.arch.name}", file=str(scenario.path))
    return Session(scenario, cycles=cycles)


def _timeout(microseconds: int | None) -> int:
    try:
        return encode_timeout(microseconds)
    except ValueError as error:
        raise UsageError(str(error)) from error
