"""The runner in pure Python: the hooks of Unicorn as closures.

Unicorn has to be handled so (measured on 2.1.4):
* after an exception, the pending one must be cleared, or the next becomes a double fault;
* `emu_stop` in a block hook stops before the block; in other hooks after the instruction;
* with the trap flag set a translation is one instruction, kept apart from the others;
* at the end of a run, and only then, all flags are where the registers are.
"""

import ctypes
import sys
from collections.abc import Callable
from typing import Any

from emu.blocks import NOWHERE, Block, BlockTable, Cover, Maps
from emu.clock import Clock
from emu.cost import CYCLE_SHIFT
from emu.decode import End
from emu.engine import (
    AX,
    CALLED,
    CX,
    DX,
    ENDLESS,
    EXPIRED,
    FLAGS,
    IP,
    PASSING,
    RAISED,
    SP,
    STEPPED,
    UNKNOWN,
    WALK,
    Cpu,
    Fault,
    Functions,
    Hooks,
    Inside,
    Marks,
    Stop,
)
from emu.predict import Predictor
from emu.recorder import Recorder
from emu.screen import Screen
from emu.traps import DEBUG, INVALID_OPCODE

TRAP_FLAG = 0x100
NO_DEBUG = 0xFFFF_0FF0  # dr6 before any debug exception
IA32_CALL = 0x30  # the interrupt that is a system call; no exception has this number
INVALID_INSTRUCTION = 10  # UC_ERR_INSN_INVALID
UNBOUNDED = 1 << 62
MEM_WRITE = 17  # UC_MEM_WRITE


class PythonRunner:
    """Executes CPU states by functions of Unicorn called through ctypes."""

    # Not slotted: `execute` and the others are closures over the state of the hooks.

    name = "python"
    hooks: Hooks
    execute: Callable[[Cpu, BlockTable, Clock, int, Inside | None], int]
    stopped: Callable[[], Stop]
    step: Callable[[Cpu, int, bool], int]
    enter: Callable[[int, int], int]
    watch: Callable[[Recorder | None], None]
    screen: Callable[[Screen | None], None]
    stop_at: Callable[[int], None]
    predict: Callable[[Predictor], None]
    _vector: Callable[[], int]

    def __init__(self, functions: Functions) -> None:
        self.place = self.place_size = 0
        self._marks = Marks(0, 0, 0, 0)
        self._callbacks: list[Any] = []
        self._make_closures(functions)

    def set_marks(self, marks: Marks) -> None:
        """Take note of where CPU states keep things; before the first `fault` or `step`."""
        self._marks = marks

    def create_maps(self) -> Maps:
        """Make the maps of a block table: dictionaries."""
        simple: dict[int, tuple[int, int, int, int, int]] = {}
        covers: dict[int, Cover] = {}
        tails: dict[tuple[int, int], Cover] = {}
        return simple, covers, tails

    def region(self, base: int) -> int:
        """Give the data for a region of screened memory: where it begins."""
        return base

    def fault(self, cpu: Cpu) -> Fault:
        """Tell about the exception that was just raised, and make the CPU forget it."""
        state, marks = cpu.state, self._marks
        pending = ctypes.c_int32.from_address(state + marks.old_exception)
        pending.value = -1
        error = ctypes.c_int32.from_address(state + marks.error_code).value
        address = ctypes.c_uint64.from_address(state + marks.cr2).value
        return Fault(self._vector(), error & 0xFFFF, address)

    def _make_closures(self, functions: Functions) -> None:
        """Make the hooks and the functions that start Unicorn.

        Closures over plain integers: the block hook is entered for every block of guest
        code, and a variable of a closure costs a third of an attribute.
        """
        # With plain integers, and holding the interpreter lock: half the cost of the binding.
        start = ctypes.PYFUNCTYPE(
            ctypes.c_int,
            ctypes.c_size_t,
            ctypes.c_uint64,
            ctypes.c_uint64,
            ctypes.c_uint64,
            ctypes.c_size_t,
        )(functions.start)
        halt_instance = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_size_t)(functions.stop)
        handle = 0
        words = memoryview(bytearray(18 * 8)).cast("Q")
        table: BlockTable | None = None
        nothing: dict[int, tuple[int, int, int, int, int]] = {}
        get = get_simple = nothing.get  # the former finds nothing where every block counts
        ticks = limit = retired = 0
        event = CALLED
        vector = NOWHERE
        current = expected = NOWHERE
        inside: Block | None = None  # the block that `expected` belongs to
        charged: tuple[Block, ...] = ()
        repeats = False
        repeat_size = repetition = counter_mask = 0
        recorder: Recorder | None = None
        screen: Screen | None = None
        number = NOWHERE  # of the context, if there is a screen
        caller: Block | None = None  # the block charged last, if it ends in a call
        begun = 0  # instructions completed when all that was charged before is
        goal = room = ENDLESS  # the position to stop at, and how far that is
        branch = 0  # the end of one that is not judged yet
        judge: Callable[[int, int], int] = Predictor(0).judge
        penalty = 0
        passes = NOWHERE  # stepping: this many blocks may still start; NOWHERE: no stepping
        failure: BaseException | None = None

        def halt(why: int) -> None:
            nonlocal event
            event = why
            halt_instance(handle)

        def on_block(_handle: int, address: int, size: int) -> None:
            nonlocal ticks, retired, current, expected, branch, failure
            try:
                if address != expected:
                    entry = get(address)
                    if entry is not None:
                        length, cost, again, count, ends = entry
                        if length == size and ticks < limit:
                            if branch:
                                ticks += judge(branch, address != branch)
                            branch = ends
                            ticks += again if address == current else cost
                            retired += count
                            current = address
                            expected = NOWHERE
                            return
                elif repeats and size == repeat_size and get is get_simple:
                    if not words[CX] & counter_mask:
                        return
                    if ticks < limit:
                        ticks += repetition
                        return
                on_other_block(address, size)
            except BaseException as error:
                failure = error
                halt(CALLED)

        def on_other_block(address: int, size: int) -> None:
            nonlocal passes, expected, ticks, retired, current, charged, caller, branch
            if passes != NOWHERE:
                if not passes:
                    halt(STEPPED)
                elif recorder is not None:
                    recorder.begin_again()
                passes -= 1
                return
            assert table is not None
            if recorder is not None:
                recorder.begin()
            fresh = address != expected
            if not fresh and repeats:
                if size == repeat_size:
                    if not words[CX] & counter_mask:
                        return
                    if ticks >= limit:
                        halt(EXPIRED)
                    elif retired > room:
                        halt(PASSING)
                    else:
                        ticks += repetition
                    return
                fresh = True  # the code has changed below it
            if fresh:
                expected = NOWHERE
                if recorder is not None:
                    arrive(address)
                known = get_simple(address)
                if known is not None and known[0] == size:
                    if ticks >= limit:
                        halt(EXPIRED)
                    elif retired + known[3] > room:
                        halt(PASSING)
                    else:
                        if recorder is not None and recorder.tally is not None:
                            recorder.tally.enter(address, ticks, begun + retired)
                        if branch:
                            ticks += judge(branch, address != branch)
                        branch = known[4]
                        ticks += known[2] if address == current else known[1]
                        retired += known[3]
                        current = address
                        if recorder is not None:
                            block = table.block(address)
                            if block is not None and block.end is End.CALL:
                                caller = block
                    return
                covers: Any = table.covers
                cover = covers.get(address)
            else:
                assert inside is not None
                tails: Any = table.tails
                cover = tails.get((address, inside.stop))
            if cover is None or cover.size != size:
                self.place, self.place_size = address, size
                halt(UNKNOWN)
                return
            more = cover.more if fresh and address == current else 0
            margin = cover.margin
            if margin > 0:
                # What a wrong guess costs comes on top: walking, the deadline is met exactly.
                margin += more + penalty if branch else more
            if margin != NOWHERE and ticks + margin >= limit:
                halt(EXPIRED if fresh and ticks >= limit else WALK)
                return
            if retired + cover.count > room:
                halt(PASSING)
                return
            if not cover.fits:
                halt(WALK)
                return
            if recorder is not None and recorder.tally is not None:
                recorder.tally.enter_all(cover.charged, ticks, begun + retired, more)
            if branch and fresh:
                ticks += judge(branch, address != branch)
            ticks += cover.ticks + more
            retired += cover.count
            if cover.charged:  # a tail may have been learned in another block of the same end
                current = cover.inside.start
                branch = cover.inside.branch
            if fresh:
                charged = cover.charged
            elif cover.charged:
                charged = (*charged, *cover.charged) if charged else cover.charged
            go_inside(cover.inside, cover.after, repeating=cover.repeats)
            if cover.after == NOWHERE and cover.inside.end is End.CALL:
                caller = cover.inside

        def arrive(at: int) -> None:
            """Account for the frames of the context, which is about to start a block."""
            nonlocal caller
            assert recorder is not None
            calls = recorder.calls
            if caller is not None:
                calls.enter(caller.last, caller.stop, at, words[SP])
                caller = None
            elif calls.top < words[SP]:
                calls.unwind(words[SP])

        def on_access(_handle: int, kind: int, address: int, size: int, value: int) -> None:
            nonlocal failure
            try:
                assert recorder is not None
                ip = words[IP]
                if passes == NOWHERE:
                    assert table is not None
                    chain = charged if charged and charged[-1].start == current else ()
                    total = begun + retired
                    position = recorder.position(total, current, chain, table, ip)
                else:
                    position = recorder.at
                recorder.access(kind == MEM_WRITE, address, size, value, ip, position)
            except BaseException as error:
                failure = error
                halt(CALLED)

        def on_read(_handle: int, offset: int, size: int, base: int) -> int:
            nonlocal failure
            try:
                assert screen is not None
                return screen.read(base + offset, size, number, ticks)
            except BaseException as error:
                failure = error
                halt(CALLED)
                return 0

        def on_write(_handle: int, offset: int, size: int, value: int, base: int) -> None:
            nonlocal failure
            try:
                assert screen is not None
                screen.write(base + offset, size, value, number, ticks)
            except BaseException as error:
                failure = error
                halt(CALLED)

        def settle_records() -> None:
            """Account for what an execution recorded, at its end."""
            nonlocal caller
            assert recorder is not None
            ip = words[IP]
            if vector not in (NOWHERE, DEBUG):
                recorder.undo(ip)
                if caller is not None and caller.start <= ip < caller.stop:
                    caller = None  # it is the call that faulted, or something before
            if caller is not None:
                arrive(ip)

        def watch(by: Recorder | None) -> None:
            nonlocal recorder
            recorder = by

        def set_screen(by: Screen | None) -> None:
            nonlocal screen
            screen = by

        def predict(by: Predictor) -> None:
            nonlocal judge, penalty
            judge = by.judge
            penalty = by.penalty

        def stop_at(position: int) -> None:
            nonlocal goal, room
            goal = position
            room = ENDLESS

        def go_inside(block: Block, after: int, *, repeating: bool) -> None:
            nonlocal inside, expected, repeats, repeat_size, repetition, counter_mask
            inside = block
            expected = after
            repeats = repeating
            if repeating:
                repeat_size = block.stop - after
                repetition = block.repetition
                counter_mask = block.counter_mask

        def on_interrupt(_handle: int, number: int) -> None:
            nonlocal vector, failure
            try:
                if number != IA32_CALL:
                    vector = number
                halt_instance(handle)
            except BaseException as error:
                failure = error

        def on_clock(_handle: int) -> int:
            nonlocal failure
            try:
                now = ticks
                at = words[IP]
                if charged and charged[-1].start == current:
                    for block in reversed(charged):
                        if block.start <= at < block.stop:
                            break
                        now -= block.ticks
                now >>= CYCLE_SHIFT
                words[AX] = now & 0xFFFF_FFFF
                words[DX] = now >> 32 & 0xFFFF_FFFF
            except BaseException as error:
                failure = error
                halt(CALLED)
            return 1

        def keep(unraisable: "sys.UnraisableHookArgs") -> None:
            nonlocal failure
            failure = unraisable.exc_value
            halt(CALLED)

        def run_at(ip: int) -> int:
            # A signal handler mostly runs when a hook is entered, and what it raises there
            # does not meet the hook's own `except`.
            before = sys.unraisablehook
            sys.unraisablehook = keep
            status: int = start(handle, ip, 0, 0, 0)
            sys.unraisablehook = before
            return status

        def execute(
            cpu: Cpu, blocks: BlockTable, clock: Clock, until: int, resume: Inside | None
        ) -> int:
            nonlocal handle, words, table, get, ticks, limit, retired, event, vector
            nonlocal current, expected, charged, repeats, get_simple, begun, room, caller
            nonlocal number, branch
            handle = cpu.handle
            words = cpu.words
            table = blocks
            simple: Any = blocks.simple
            get = get_simple = simple.get
            if recorder is not None or goal != ENDLESS:
                get = nothing.get
                begun = clock.instructions
                room = goal - begun
                caller = None
            if recorder is not None:
                recorder.calls.switch(cpu.number)
                recorder.forget_block()
            if screen is not None:
                number = cpu.number
            ticks = clock.ticks
            limit = until
            retired = 0
            event = CALLED
            vector = expected = NOWHERE
            current = cpu.previous
            branch = cpu.branch
            charged = ()
            if resume is not None:
                at = resume.block.start + resume.block.offsets[resume.index]
                current = resume.block.start
                charged = (resume.block,)
                go_inside(resume.block, at, repeating=resume.repeats)
            status = run_at(words[IP])
            if failure is not None or status:
                check(status)
            if recorder is not None:
                settle_records()
            cpu.previous = current
            cpu.branch = branch
            clock.ticks = ticks
            clock.instructions += retired
            return event if vector == NOWHERE else RAISED

        def check(status: int) -> None:
            nonlocal vector, failure
            if failure is not None:
                error, failure = failure, None
                raise error
            if status == INVALID_INSTRUCTION:
                vector = INVALID_OPCODE
                return
            assert not status, f"emulation ended with status {status}"

        def begin_step(on: int, allowed: int, now: int) -> None:
            nonlocal handle, get, ticks, event, vector, current, expected, charged, passes
            handle = on
            get = nothing.get
            ticks = now
            event = CALLED
            vector = current = expected = NOWHERE
            charged = ()
            passes = allowed

        def step(cpu: Cpu, now: int, alone: bool) -> int:
            nonlocal words, passes, number
            words = cpu.words
            number = cpu.number
            # With the trap flag one exception ends it, and a translation that was
            # overwritten by its own instruction may start a second time.
            trap_flag = not alone and not words[FLAGS] & TRAP_FLAG
            begin_step(cpu.handle, 1 if alone else UNBOUNDED, now)
            if recorder is not None:
                recorder.begin()
            if trap_flag:
                words[FLAGS] |= TRAP_FLAG
            status = run_at(words[IP])
            passes = NOWHERE
            if trap_flag:
                words[FLAGS] &= ~TRAP_FLAG
            if failure is not None or status:
                check(status)
            if recorder is not None and vector not in (NOWHERE, DEBUG):
                recorder.undo(words[IP])
            if vector == DEBUG:
                debug = ctypes.c_uint64.from_address(cpu.state + self._marks.dr6)
                debug.value = NO_DEBUG
            if vector == DEBUG and trap_flag:
                return STEPPED
            return RAISED if vector != NOWHERE else event

        def enter(on: int, ip: int) -> int:
            nonlocal passes
            begin_step(on, 1, 0)
            status = run_at(ip)
            passes = NOWHERE
            check(status)
            return vector

        def stopped() -> Stop:
            if not retired and not charged:
                return Stop(NOWHERE, (), expected, repeats)
            chain = charged if charged and charged[-1].start == current else ()
            return Stop(current, chain, expected, repeats)

        # Undeclared further arguments of a C callback do no harm, and each costs time.
        block_type = ctypes.CFUNCTYPE(None, ctypes.c_size_t, ctypes.c_uint64, ctypes.c_uint32)
        interrupt_type = ctypes.CFUNCTYPE(None, ctypes.c_size_t, ctypes.c_uint32)
        clock_type = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_size_t)
        access_type = ctypes.CFUNCTYPE(
            None, ctypes.c_size_t, ctypes.c_int, ctypes.c_uint64, ctypes.c_int, ctypes.c_uint64
        )
        read_type = ctypes.CFUNCTYPE(
            ctypes.c_uint64, ctypes.c_size_t, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_size_t
        )
        write_type = ctypes.CFUNCTYPE(
            None,
            ctypes.c_size_t,
            ctypes.c_uint64,
            ctypes.c_uint32,
            ctypes.c_uint64,
            ctypes.c_size_t,
        )
        callbacks = (
            block_type(on_block),
            interrupt_type(on_interrupt),
            clock_type(on_clock),
            access_type(on_access),
            read_type(on_read),
            write_type(on_write),
        )
        self._callbacks.extend(callbacks)
        block, interrupt, clock_hook, access, read, write = (
            ctypes.cast(callback, ctypes.c_void_p).value or 0 for callback in callbacks
        )
        self.hooks = Hooks(block, interrupt, clock_hook, access, read, write, 0)
        self.execute = execute
        self.stopped = stopped
        self.step = step
        self.enter = enter
        self.watch = watch
        self.screen = set_screen
        self.predict = predict
        self.stop_at = stop_at
        self._vector = lambda: vector
