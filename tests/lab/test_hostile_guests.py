"""Hostile guests on the machine: the guest gets a trap or an error, the host nothing."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guest.scenario import Scenario, load_scenario
from kernel import abi
from kernel.abi import AMD64, Arch
from kernel.events import Exception_, Fault
from kernel.kernel import run
from kernel.objects import Thread
from lab.replay.system import System, boot, load_programs
from lab.run import run_scenario
from tests.kernel.test_hostile import SELECTORS, TAGS, TIMEOUTS

ARCHES = ["amd64", "ia32"]
SCENARIO = """
title = "hostile"
arch = ["amd64", "ia32"]
cycles = 3_000_000
[[task]]
name = "bad"
image = "bad.s"
[[task]]
name = "good"
image = "good.s"
"""
GOOD = """
.include "l4.inc"
.text
_start:
.if UTCB_WORD == 8
    own_utcb rbx
.else
    own_utcb ebx
.endif
    log text
    sleep_forever
.include "log.inc"
.rodata
text: .asciz "good\\n"
"""


def scenario_of(folder: Path, program: str) -> Path:
    (folder / "bad.s").write_text(program)
    (folder / "good.s").write_text(GOOD)
    path = folder / "hostile.toml"
    path.write_text(SCENARIO)
    return path


# What a guest does, and the vector and the error code that the machine has for it.
FAULTS = {
    "a jump to 0": ("xor eax, eax\n jmp {a}", 14, 0x14),
    "a stack overflow": ("1: push {a}\n jmp 1b", 14, 6),
    "a write to its own code": ("mov byte ptr [{at} + _start], 1", 14, 7),
    "a read of kernel memory": ("mov {a}, {kernel}\n mov al, byte ptr [{a}]", 14, None),
    "a fetch from the stack": ("lea {a}, [{sp} - 8]\n jmp {a}", 14, 0x15),
    "hlt": ("hlt", 13, 0),
    "cli": ("cli", 13, 0),
    "in": ("in al, 0x60", 13, 0),
    "out": ("nop\n out 0x60, al", 13, 0),
    "an undefined instruction": ("ud2", 6, 0),
    "a breakpoint": ("int3", 3, 0),
    "a software interrupt": ("int 0x80", 13, 0x80 * 8 + 2),
    "an imitated page fault": ("int 0x0e", 13, 0x0E * 8 + 2),
    "a division by zero": ("xor ecx, ecx\n div ecx", 0, 0),
    "a load of a control register": ("mov {a}, cr3", 13, 0),
}  # fmt: skip


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("what", FAULTS)
def test_a_guest_that_breaks_a_rule_is_stopped_and_others_go_on(
    tmp_path: Path, arch: str, what: str
) -> None:
    """ABI 5.2, 5.3: any trap of user mode; I/O instructions are exception 13."""
    code, vector, error = FAULTS[what]
    names = {"a": "rax", "sp": "rsp", "at": "rip", "kernel": "0xfffffffffffff000"}
    if arch == "ia32":
        names = {"a": "eax", "sp": "esp", "at": "", "kernel": "0xfffff000"}
    program = "_start:\n " + code.format(**names).replace("[ + ", "[") + "\n"

    done = run_scenario(scenario_of(tmp_path, program), arch=arch)

    assert (done.outcome, done.console) == ("fault", "good\n")
    (fault,) = done.faults
    if isinstance(fault, Fault):
        assert vector == 14
        assert error in (None, fault.error)
    else:
        assert isinstance(fault, Exception_)
        assert fault.vector == vector
        assert error in (None, fault.error)


ENDLESS = [
    "jmp _start",
    "1: pushf\n popf\n jmp 1b",
    "lock inc dword ptr [{sp} - 8]\n jmp _start",
    "1: mov ecx, 4096\n lea {di}, [{sp} - 4096]\n rep stosb\n jmp 1b",
]


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("code", ENDLESS)
def test_a_guest_that_never_ends_uses_its_budget_up(
    tmp_path: Path, arch: str, code: str
) -> None:
    names = ("rsp", "rdi") if arch == "amd64" else ("esp", "edi")
    program = "_start:\n " + code.format(sp=names[0], di=names[1]) + "\n"

    done = run_scenario(scenario_of(tmp_path, program), arch=arch, cycles=200_000)

    # The good one waits for its turn, and the time slice is longer than the budget.
    assert (done.outcome, done.console) == ("budget", "")
    assert 200_000 <= done.cycles < 200_100


CALLER = """
.include "l4.inc"
.text
_start:
.if UTCB_WORD == 8
1:  syscall
.else
1:  call L4_CALL_PAGE
.endif
    jmp 1b
"""


@pytest.fixture(scope="module")
def callers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scenario]:
    path = scenario_of(tmp_path_factory.mktemp("callers"), CALLER)
    return {arch: load_scenario(path, arch=arch) for arch in ARCHES}


def check_utcbs(system: System, arch: Arch) -> None:
    for thread in system.kernel.objects.values():
        if isinstance(thread, Thread):
            assert thread.utcb.load(63) == thread.utcb_address & arch.mask


@given(
    arch=st.sampled_from(ARCHES),
    selector=SELECTORS,
    tag=TAGS,
    pair=TIMEOUTS,
    words=st.lists(st.integers(0, (1 << 64) - 1), max_size=63),
    buffers=st.lists(st.integers(0, (1 << 64) - 1), max_size=58),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_registers_and_utcb_words_end_in_an_answer_or_a_wait(
    callers: dict[str, Scenario],
    arch: str,
    selector: int,
    tag: int,
    pair: int,
    words: list[int],
    buffers: list[int],
) -> None:
    scenario = callers[arch]
    system = boot(scenario, load_programs(scenario))
    kernel = system.kernel
    thread = next(o for o in kernel.objects.values() if isinstance(o, Thread))
    mask = kernel.arch.mask
    for k, word in enumerate(words):
        thread.utcb.store(k, word & mask)
    for k, word in enumerate(buffers):
        thread.utcb.store(65 + k, word & mask)
    registers = ("rax", "rdx", "r8") if kernel.arch is AMD64 else ("eax", "edx", "ecx")
    context = system.machine.context(thread.number)
    for name, value in zip(registers, (tag, selector, pair), strict=True):
        context.store_register(name, value & mask)

    outcome = run(kernel, 300_000)

    assert outcome.name in ("IDLE", "BUDGET")
    assert system.machine.now <= 301_000 + abi.TIMESLICE_US
    check_utcbs(system, kernel.arch)
    system.close()
