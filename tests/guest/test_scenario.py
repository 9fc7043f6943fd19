"""Scenarios: the whole value of a good one, and one clear message for every mistake."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guest.errors import GuestError
from guest.scenario import (
    PROGRAMS,
    CapKind,
    CapSpec,
    Expect,
    Functions,
    GateSpec,
    IrqSpec,
    Outcome,
    Scenario,
    TaskSpec,
    ThreadSpec,
    load_scenario,
    shipped_scenarios,
)
from kernel.abi import AMD64, IA32, Rights

FULL = """
title = "All keys"
arch = ["ia32", "amd64"]
cycles = 2_000_000
ram = "1GiB"

[[task]]
name = "server"
image = "{arch}.s"
priority = 3
stack = "32KiB"
[task.caps]
0x22 = "thread:client/wsdgr"
0x21 = "gate:door"
35 = "log/r"
[[task.thread]]
name = "worker"
entry = "worker_main"
pager = "server"
handler = "client"
argument = -1
[[task.thread]]
name = "other"
entry = 0x401000
priority = 200
stack = "4KiB"

[[task]]
name = "client"
image = "sub/x.elf"
pager = "server.worker"
caps = { 0x21 = "irq:tick", 0x22 = "semaphore:sem", 0x23 = "task:server", 0x24 = "factory" }

[[gate]]
name = "door"
thread = "server.worker"
label = 0xc0de0010

[[irq]]
name = "tick"
thread = "server"
label = 4
at = [100, 200]

[[semaphore]]
name = "sem"

[functions]
ipc_safe = ["lock"]
may_ipc = ["malloc", "str*"]

[library]
paths = ["lib/*"]

[expect]
outcome = "idle"
console = "ok\\n"
findings = [{ rule = "stale-read", thread = "server", count = 2 }]
memory = { "client.result" = -2 }
"""

SMALL = """
title = "t"
arch = "amd64"
[[task]]
name = "a"
image = "a.s"
"""


@pytest.fixture(autouse=True)
def images(folder: Path) -> None:
    for name in ("a.s", "ia32.s", "amd64.s", "sub/x.elf"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("")


def load(text: str, arch: str | None = None) -> Scenario:
    Path("s.toml").write_text(text)
    return load_scenario("s.toml", arch=arch)


def error(text: str, arch: str | None = None) -> str:
    with pytest.raises(GuestError) as caught:
        load(text, arch)
    return str(caught.value)


def test_every_key_is_understood() -> None:
    server = ThreadSpec("server", "", None, 3, 32 << 10, None, None, 0, "task[0]")
    client = ThreadSpec("client", "", None, 2, 16 << 10, "server.worker", None, 0, "task[1]")
    rws = Rights.R | Rights.W | Rights.S

    assert load(FULL) == Scenario(
        title="All keys",
        name="s",
        path=Path("s.toml"),
        arch=IA32,
        arches=(IA32, AMD64),
        cycles=2_000_000,
        ram=1 << 30,
        tasks=(
            TaskSpec(
                "server",
                Path("ia32.s"),
                (
                    CapSpec(0x21, CapKind.GATE, "door", rws),
                    CapSpec(0x22, CapKind.THREAD, "client", rws | Rights.D | Rights.SERVER),
                    CapSpec(0x23, CapKind.LOG, "", Rights.R),
                ),
                (
                    server,
                    ThreadSpec(
                        "server",
                        "worker",
                        "worker_main",
                        3,
                        16 << 10,
                        "server",
                        "client",
                        0xFFFF_FFFF,
                        "task[0].thread[0]",
                    ),
                    ThreadSpec(
                        "server",
                        "other",
                        "0x401000",
                        200,
                        4 << 10,
                        None,
                        None,
                        0,
                        "task[0].thread[1]",
                    ),
                ),
            ),
            TaskSpec(
                "client",
                Path("sub/x.elf"),
                (
                    CapSpec(0x21, CapKind.IRQ, "tick", rws),
                    CapSpec(0x22, CapKind.SEMAPHORE, "sem", rws),
                    CapSpec(0x23, CapKind.TASK, "server", rws),
                    CapSpec(0x24, CapKind.FACTORY, "", rws),
                ),
                (client,),
            ),
        ),
        gates=(GateSpec("door", "server.worker", 0xC0DE_0010),),
        irqs=(IrqSpec("tick", "server", 4, (100, 200)),),
        semaphores=("sem",),
        functions=Functions(("lock",), ("malloc", "str*")),
        library=("lib/*",),
        expect=Expect(
            Outcome.IDLE,
            "ok\n",
            ({"rule": "stale-read", "thread": "server", "count": 2},),
            {("client", "result"): 0xFFFF_FFFE},
        ),
        text=FULL,
    )


def test_the_other_architecture_can_be_chosen() -> None:
    scenario = load(FULL, "amd64")

    assert (scenario.arch, scenario.tasks[0].image) == (AMD64, Path("amd64.s"))
    assert [thread.full_name for thread in scenario.threads] == [
        "server",
        "server.worker",
        "server.other",
        "client",
    ]


def test_absent_keys_have_their_defaults() -> None:
    scenario = load(SMALL)

    assert scenario == Scenario(
        title="t",
        name="s",
        path=Path("s.toml"),
        arch=AMD64,
        arches=(AMD64,),
        cycles=100_000_000,
        ram=64 << 20,
        tasks=(
            TaskSpec(
                "a",
                Path("a.s"),
                (),
                (ThreadSpec("a", "", None, 2, 16 << 10, None, None, 0, "task[0]"),),
            ),
        ),
        gates=(),
        irqs=(),
        semaphores=(),
        functions=Functions(),
        library=(),
        expect=Expect(),
        text=SMALL,
    )


@pytest.mark.parametrize(
    ("addition", "message"),
    [
        (
            'ima = "x"',
            'task[0].ima: unknown key (did you mean "image"?): expected one of name, thread, '
            "image, priority, stack, pager, handler, caps, kip, pf_trampoline, start, "
            "arguments, names, "
            "thread",
        ),
        ("priority = 256", "task[0].priority: expected a number from 1 to 255, found 256"),
        ("priority = true", "task[0].priority: expected a number from 1 to 255, found true"),
        (
            'stack = "1KB"',
            'task[0].stack: expected a size from "4KiB" to "64MiB" in whole pages of 4KiB, '
            'found "1KB"',
        ),
        ('pager = "b"', 'task[0].pager: no thread "b": expected one of a'),
        ("caps = 1", "task[0].caps: expected a table, found 1"),
        (
            'caps = { 0x21 = "gate:dor" }\n[[gate]]\nname = "door"\nthread = "a"',
            'task[0].caps.0x21: no gate "dor" (did you mean "door"?): expected one of door',
        ),
        (
            'caps = { 0x21 = "gate:x" }',
            'task[0].caps.0x21: no gate "x": there is none at all',
        ),
        ('caps = { 0x21 = "gate" }', 'task[0].caps.0x21: expected gate:NAME, found "gate"'),
        ('caps = { 0x21 = "log:x" }', 'task[0].caps.0x21: log takes no name, found "log:x"'),
        (
            'caps = { 0x21 = "gat:x" }',
            'task[0].caps.0x21: unknown kind "gat" (did you mean "gate"?): expected one of '
            "gate, thread, task, irq, semaphore, log, factory, scheduler, icu, debugger",
        ),
        (
            'caps = { 0x21 = "log/rx" }',
            'task[0].caps.0x21: rights "rx": expected letters of rwsdg, each once',
        ),
        ('caps = { 5 = "log" }', "task[0].caps.5: capability 5 is the log already"),
        (
            'pager = "a"\ncaps = { 4 = "log" }',
            "task[0].caps.4: capability 4 is the pager already",
        ),
        (
            'caps = { 0x10000 = "log" }',
            "task[0].caps.0x10000: expected a capability index from 1 to 0xffff",
        ),
        (
            'caps = { 0x21 = "log", 33 = "log" }',
            "task[0].caps.33: capability 0x21 is given twice",
        ),
        (
            '[[task]]\nname = "a"\nimage = "a.s"',
            'task[1].name: "a" is the name of task[0] already',
        ),
        (
            '[[task]]\nname = "A"\nimage = "a.s"',
            'task[1].name: "A" is not a name: expected [a-z][a-z0-9_-]*, at most 64 long',
        ),
        (
            '[[task]]\nname = "b"\nimage = "b.s"',
            f'task[1].image: "b.s" is neither in . nor in {PROGRAMS}',
        ),
        (
            '[[task]]\nname = "b"\nimage = "build/{arch}/b"',
            f'task[1].image: "build/amd64/b" is neither in . nor in {PROGRAMS}: '
            "run `make guests`",
        ),
        ('[[task]]\nname = "b"', "task[1].image: missing: expected a string"),
        (
            '[[task.thread]]\nname = "w"',
            "task[0].thread[0].entry: missing: expected a symbol or an address",
        ),
        (
            '[[gate]]\nname = "g"\nthread = "a"\nlabel = 0x13',
            "gate[0].label: 0x13 has its low 2 bits set: they are for rights, expected 0",
        ),
        (
            f'[[gate]]\nname = "g"\nthread = "a"\nlabel = {1 << 64}',
            "gate[0].label: expected a number of 64 bits, found 18446744073709551616",
        ),
        (
            '[[gate]]\nname = "g"\nthread = "a.b"',
            'gate[0].thread: no thread "a.b": expected one of a',
        ),
        (
            '[[irq]]\nname = "i"\nthread = "a"\nat = [2, 1]',
            "irq[0].at: expected cycles in ascending order",
        ),
        (
            '[expect]\noutcome = "hang"',
            'expect.outcome: expected one of idle, fault, budget, found "hang"',
        ),
        (
            "[expect]\nfindings = 1",
            'expect.findings: expected a list of tables, or "any", found 1',
        ),
        (
            "[expect]\nfindings = [{ rule = 1.5 }]",
            "expect.findings[0].rule: expected a string or a number, found 1.5",
        ),
        ("[expect]\nmemory = { result = 1 }", "expect.memory.result: expected TASK.SYMBOL"),
        (
            '[expect]\nmemory = { "b.result" = 1 }',
            'expect.memory."b.result": no task "b": expected one of a',
        ),
        ('[functions]\nipc_safe = "x"', 'functions.ipc_safe: expected a list, found "x"'),
        ("[gate]\nx = 1", "gate: expected a list, found a table"),
        (
            "[[gates]]",
            'gates: unknown key (did you mean "gate"?): expected one of title, arch, cycles, '
            "ram, task, gate, irq, semaphore, functions, module, expect, library, console",
        ),
        (
            "[[task.thread]]\n"
            + "[[task.thread]]\n".join(
                f'name = "t{index}"\nentry = "e"\n' for index in range(1024)
            ),
            "task: 1025 threads, at most 1024",
        ),
    ],
)
def test_a_mistake_is_named_with_its_key(addition: str, message: str) -> None:
    assert error(SMALL + addition) == f"s.toml: {message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "s.toml: title: missing: expected a string"),
        (
            'title = "t"',
            's.toml: arch: missing: expected one of "amd64", "ia32", or a list of them',
        ),
        (
            'title = "t"\narch = "arm"',
            's.toml: arch: expected one of "amd64", "ia32", or a list of them, found "arm"',
        ),
        ('title = "t"\narch = []', 's.toml: arch: an empty list: expected "amd64", "ia32"'),
        ('title = "t"\narch = "ia32"', "s.toml: task: no task: expected at least one [[task]]"),
        (
            'title = "t"\narch = "ia32"\ncycles = 0',
            "s.toml: cycles: expected a number from 1 to 9,223,372,036,854,775,807, found 0",
        ),
        (
            'title = "t"\narch = "ia32"\nram = "4GiB"',
            's.toml: ram: expected a size from "1MiB" to "2GiB" in whole pages of 4KiB, '
            'found "4GiB"',
        ),
        ("title = \nx", "s.toml:1: not TOML: invalid value"),
        ("a = 1\na = 2", "s.toml:2: not TOML: cannot overwrite a value"),
        ("a = " + "[" * 5000, "s.toml: not TOML: nested too deeply"),
        ("a" + ".a" * 5000 + " = 1", "s.toml:1: not TOML: a key of too many parts"),
        ("a = \0", "s.toml:1: not TOML: invalid value"),
    ],
)
def test_a_broken_file_is_one_message(text: str, message: str) -> None:
    assert error(text) == message


def test_an_architecture_that_is_not_there_is_refused() -> None:
    assert error(SMALL, "ia32") == (
        's.toml: arch: "ia32" was asked for, this scenario has "amd64"'
    )


def test_odd_scenario_files_are_refused() -> None:
    with pytest.raises(GuestError) as caught:
        load_scenario("nowhere.toml")
    assert str(caught.value) == (
        "nowhere.toml: cannot read this scenario: no such file or directory"
    )
    with pytest.raises(GuestError) as caught:
        load_scenario("pingpog")
    assert str(caught.value) == (
        'pingpog: no scenario of this name (did you mean "pingpong"?): see `l4lab list`'
    )
    os.mkfifo("f.toml")
    with pytest.raises(GuestError, match="expected a regular file"):
        load_scenario("f.toml")
    Path("b.toml").write_bytes(b"\xff")
    with pytest.raises(GuestError, match="not UTF-8"):
        load_scenario("b.toml")
    Path("l.toml").write_text("#" * (1 << 20))
    with pytest.raises(GuestError, match="larger than 262144 bytes"):
        load_scenario("l.toml")


@pytest.mark.parametrize("name", shipped_scenarios())
def test_shipped_scenarios_load(name: str) -> None:
    found = outcome(name)
    # Compiled guests are there after `make guests` only.
    assert found == name or "run `make guests`" in found


def outcome(where: str) -> str:
    """Give the name of the scenario, or the error's text."""
    try:
        return load_scenario(where).name
    except GuestError as found:
        return str(found)


KEYS = st.sampled_from(
    [
        "title",
        "arch",
        "cycles",
        "ram",
        "task",
        "gate",
        "irq",
        "semaphore",
        "functions",
        "expect",
    ]
    + ["library", "name", "image", "priority", "stack", "pager", "handler", "caps", "thread"]
    + ["entry", "argument", "label", "at", "ipc_safe", "may_ipc", "outcome", "console"]
    + ["findings", "memory", "paths", "0x21", "5"]
)
SCALARS = st.one_of(
    st.sampled_from(
        [
            '"amd64"',
            '"a"',
            '"a.s"',
            '"4KiB"',
            '"gate:a"',
            '"any"',
            '"idle"',
            "true",
            "1.5",
            "inf",
        ]
        + ["1979-05-27T07:32:00Z", "07:32:00", "[]", "{}", '"\\u0000"', '"' + "x" * 300 + '"']
    ),
    st.integers().map(str),
    st.sampled_from([str(10**300), "-" + "9" * 4000, "9" * 5000, "0x" + "f" * 400]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(KEYS, inner, max_size=3).map(
            lambda items: (
                "{" + ", ".join(f"{key} = {value}" for key, value in items.items()) + "}"
            )
        ),
    ),
    max_leaves=6,
)
HEADERS = st.sampled_from(
    ["[[task]]", "[[gate]]", "[[irq]]", "[[semaphore]]", "[[task.thread]]", "[task.caps]"]
    + ["[functions]", "[expect]", "[expect.memory]", "[library]"]
)
LINES = st.one_of(HEADERS, st.builds(lambda key, value: f"{key} = {value}", KEYS, VALUES))


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lines=st.lists(LINES, max_size=12), start=st.sampled_from(["", SMALL]))
def test_any_toml_gives_a_scenario_or_an_error(
    folder: Path, lines: list[str], start: str
) -> None:
    Path("s.toml").write_text(start + "\n".join(lines))
    found = outcome("s.toml")
    assert found == "s" or (found.startswith("s.toml") and len(found) < 1000)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=200))
def test_any_bytes_give_an_error(folder: Path, data: bytes) -> None:
    Path("s.toml").write_bytes(data)
    with pytest.raises(GuestError):
        load_scenario("s.toml")
