"""The command line: exit codes, JSON with stable names, and one message for wrong input."""

import json
from pathlib import Path

import pytest

from tests.lab.cli import CommandLine

SLEEPER = """
.include "abi.inc"
.include "l4.inc"
.text
_start:
    l4_sleep_forever
"""
SCENARIO = """
title = "A test"
arch = ["amd64", "ia32"]
cycles = 100_000
[[task]]
name = "one"
image = "one.s"
"""


def write(folder: Path, scenario: str, program: str = "_start: jmp _start\n") -> str:
    (folder / "one.s").write_text(program)
    path = folder / "test.toml"
    path.write_text(scenario)
    return str(path)


def test_a_run_that_meets_its_expectations_exits_with_0(l4lab: CommandLine) -> None:
    called = l4lab("run", "faq_nested_call")

    assert (called.code, called.err) == (0, "")
    assert "client: sent 42, got 14 (84 expected)" in called.out
    assert called.out.splitlines()[-1].startswith("ok  idle; ")


def test_an_expectation_that_fails_exits_with_1_and_shows_both_values(
    l4lab: CommandLine, tmp_path: Path
) -> None:
    program = "_start: jmp _start\n.data\nvalue: .quad 41\n"
    expect = '[expect]\noutcome = "budget"\nconsole = "hello\\n"\n'
    expect += '[expect.memory]\n"one.value" = 42\n'
    path = write(tmp_path, SCENARIO + expect, program)

    called = l4lab("run", path, "--quiet")

    assert called.code == 1
    assert called.out.splitlines()[:-1] == [
        "  ✗  console",
        "     line   1  expected  hello",
        "               actual    (nothing)",
        "  ✗  memory one.value",
        "     expected  0x2a",
        "     actual    0x29",
    ]


def test_a_guest_that_uses_its_budget_up_exits_with_2(
    l4lab: CommandLine, tmp_path: Path
) -> None:
    called = l4lab("run", write(tmp_path, SCENARIO))

    assert called.code == 2
    assert called.out.splitlines()[-1].startswith("FAILED  budget; 100,000 cycles, ")


def test_a_failed_guest_takes_precedence_over_a_failed_expectation(
    l4lab: CommandLine, tmp_path: Path
) -> None:
    path = write(tmp_path, SCENARIO + '[expect]\nconsole = "hello"\n', "_start: mov [0], eax\n")

    called = l4lab("run", path, "--json")

    assert called.code == 2
    assert json.loads(called.out)["outcome"] == "fault"


@pytest.mark.parametrize("arch", ["amd64", "ia32"])
def test_json_is_one_object_with_these_fields(l4lab: CommandLine, arch: str) -> None:
    called = l4lab("run", "faq_nested_call", "--json", "--arch", arch)

    value = json.loads(called.out)
    assert called.code == 0
    assert list(value) == [
        "schema",
        "scenario",
        "arch",
        "cpu",
        "model",
        "engine",
        "outcome",
        "console",
        "cycles",
        "instructions",
        "messages",
        "invocations",
        "expectations",
        "unchecked",
        "checked",
        "findings",
        "dropped",
        "comparison",
        "suppressions",
        "refused",
        "remarks",
        "trace_hash",
    ]
    assert (value["schema"], value["scenario"], value["arch"]) == (1, "faq_nested_call", arch)
    assert [(f["id"], f["rule"], f["verdict"]) for f in value["findings"]] == [
        ("F1", "stale-read", "confirmed")
    ]
    assert value["unchecked"] == []
    assert {e["what"]: e["holds"] for e in value["expectations"]} == {
        "outcome": True,
        "console": True,
        "memory client.result": True,
        "findings": True,
    }
    memory = value["expectations"][2]
    assert (memory["expected"], memory["actual"]) == ("0xe", "0xe")


def test_trace_as_json_is_one_object_with_every_event(l4lab: CommandLine) -> None:
    run = json.loads(l4lab("run", "faq_nested_call", "--json").out)
    called = l4lab("trace", "faq_nested_call", "--json")

    value = json.loads(called.out)
    events = value.pop("events")
    assert value == run
    transfers = [event for event in events if event["event"] == "transfer"]
    assert len(transfers) == run["messages"]
    nested = [e for e in transfers if (e["sender"], e["receiver"]) == ("notifier", "server")]
    assert [(e["overwritten"], e["payload"]) for e in nested] == [
        (["0x9", "0x3"], ["0x1", "0x7"])
    ]


def test_trace_shows_the_word_that_is_overwritten(l4lab: CommandLine) -> None:
    called = l4lab("trace", "faq_nested_call", "--quiet")

    assert called.code == 0
    lines = called.out.splitlines()
    at = next(k for k, line in enumerate(lines) if "notifier → server  " in line)
    assert [line.split() for line in lines[at + 4 : at + 7]] == [
        ["notifier", "sent", "server", "had", "server", "has"],
        ["mr[0]", "0x1", "0x9", "0x1", "overwritten"],
        ["mr[1]", "0x7", "0x3", "0x7", "overwritten"],
    ]


def test_list_names_what_ships(l4lab: CommandLine) -> None:
    called = l4lab("list")

    assert called.code == 0
    assert any(line.startswith("faq_nested_call ") for line in called.out.splitlines())
    names = [s["name"] for s in json.loads(l4lab("list", "--json").out)["scenarios"]]
    assert names == sorted(names)
    assert {"faq_nested_call", "ipc_errors", "pingpong"} <= set(names)


def test_doctor_finds_nothing_wrong_here(l4lab: CommandLine) -> None:
    called = l4lab("doctor", "--json")

    checks = json.loads(called.out)["checks"]
    assert [check for check in checks if not check["ok"]] == []
    assert called.code == 0


def test_cycles_replaces_the_budget(l4lab: CommandLine) -> None:
    value = json.loads(l4lab("run", "pingpong_forever_4", "--cycles", "5000", "--json").out)

    assert (value["outcome"], value["cycles"] >= 5000, value["cycles"] < 10_000) == (
        "budget",
        True,
        True,
    )


WRONG = {
    "an unknown key": (SCENARIO + "colour = 1\n", None, "task[0].colour: unknown key"),
    "a missing image": (
        SCENARIO.replace("one.s", "other.s"),
        None,
        'task[0].image: "other.s" is neither in ',
    ),
    "a wrong capability": (
        SCENARIO + '[task.caps]\n0x20 = "door:x"\n',
        None,
        "task[0].caps.0x20: ",
    ),
    "a bad label": (
        SCENARIO + '[[gate]]\nname = "g"\nthread = "one"\nlabel = 0x13\n',
        None,
        "gate[0].label: 0x13 has its low 2 bits set",
    ),
    "no TOML": ("title = \n", None, "test.toml:1: not TOML: "),
    "an assembly error": (SCENARIO, "_start:\n    mov rax, [\n", "one.s:2: "),
    "an unknown symbol": (SCENARIO, "_start:\n    jmp nowhere\n", "nowhere"),
    "a symbol that memory expects": (
        SCENARIO + '[expect.memory]\n"one.nothing" = 1\n',
        None,
        "expect.memory.one.nothing: ",
    ),
    "too much memory": (
        SCENARIO.replace("cycles", 'ram = "1MiB"\ncycles').replace(
            'image = "one.s"', 'image = "one.s"\nstack = "2MiB"'
        ),
        None,
        "0x100000 bytes of RAM are used up",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_input_is_one_message_and_exit_code_3(
    l4lab: CommandLine, tmp_path: Path, what: str
) -> None:
    scenario, program, message = WRONG[what]
    path = write(tmp_path, scenario, program or "_start: jmp _start\n")

    called = l4lab("run", path)
    as_json = l4lab("run", path, "--json")

    assert (called.code, called.out, as_json.code, as_json.err) == (3, "", 3, "")
    assert called.err.startswith("l4lab: ")
    assert called.err.count("\n") == 1
    assert message in called.err
    value = json.loads(as_json.out)
    assert list(value) == ["schema", "error"]
    assert list(value["error"]) == ["file", "line", "key", "message"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not an ELF"),
        (b"\x7fELF" + bytes(12), "ELF"),
        (b"\x7fELF\x02\x01\x01" + bytes(100), "ELF"),
    ],
)
def test_a_broken_elf_file_is_wrong_input(
    l4lab: CommandLine, tmp_path: Path, data: bytes, message: str
) -> None:
    path = write(tmp_path, SCENARIO.replace("one.s", "one.elf"))
    (tmp_path / "one.elf").write_bytes(data)

    called = l4lab("run", path)

    assert (called.code, called.out) == (3, "")
    assert "one.elf: " in called.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("run", "no_such_scenario"),
        ("run", "faq_nested_call", "--arch", "arm"),
        ("run", "faq_nested_call", "--cycles", "0"),
        ("run", "faq_nested_call", "--colour"),
        ("dance",),
    ],
)
def test_wrong_use_is_one_message_and_exit_code_3(
    l4lab: CommandLine, arguments: tuple[str, ...]
) -> None:
    called = l4lab(*arguments)
    as_json = l4lab(*arguments, "--json")

    assert (called.code, called.out) == (3, "")
    assert called.err.startswith("l4lab: ")
    assert as_json.code == 3
    assert set(json.loads(as_json.out)) == {"schema", "error"}


def test_another_cpu_is_another_run(l4lab: CommandLine) -> None:
    runs = [
        json.loads(l4lab("run", "faq_read_first", "--json", "--cpu", cpu).out)
        for cpu in ("flat", "skylake", "haswell")
    ]

    assert [run["cpu"] for run in runs] == ["flat", "skylake", "haswell"]
    assert len({run["instructions"] for run in runs}) == 1
    assert len({run["trace_hash"] for run in runs}) == 3


def test_another_model_is_another_run(l4lab: CommandLine) -> None:
    options = [(), ("--model", "blocks"), ("--model", "full"), ("--front-end",)]
    runs = [
        json.loads(l4lab("run", "faq_read_first", "--json", "--no-check", *each).out)
        for each in options
    ]

    assert [run["model"] for run in runs] == ["fast", "blocks", "full", "fast+front-end"]
    assert len({run["instructions"] for run in runs}) == 1
    assert len({run["trace_hash"] for run in runs}) == 4
    fast, blocks, full, front_end = (run["cycles"] for run in runs)
    assert blocks < min(fast, full)
    assert fast < front_end


def test_checking_changes_no_run_of_any_model(l4lab: CommandLine) -> None:
    model = ("--cpu", "haswell", "--model", "full", "--front-end", "--json")
    plain, checked = (
        json.loads(l4lab("run", "faq_nested_call", *model, *option).out)
        for option in (("--no-check",), ())
    )
    assert plain["trace_hash"] == checked["trace_hash"]
    assert [each["rule"] for each in checked["findings"]] == ["stale-read"]


def test_a_recorded_run_is_repeated_with_its_own_timing(
    l4lab: CommandLine, tmp_path: Path
) -> None:
    file = str(tmp_path / "run.l4trace")
    timing = ("--cpu", "haswell", "--model", "full", "--front-end")
    l4lab("run", "faq_read_first", "--no-check", "--trace", file, *timing)
    assert l4lab("replay", file).code == 0


def test_an_unknown_model_is_named_with_those_there_are(l4lab: CommandLine) -> None:
    done = l4lab("stat", "faq_read_first", "--model", "perfect")

    assert (done.code, done.out) == (3, "")
    assert done.err == "l4lab: --model: 'perfect' is none of blocks, fast, full\n"


def test_an_unknown_cpu_is_named_with_those_there_are(l4lab: CommandLine) -> None:
    done = l4lab("run", "faq_read_first", "--cpu", "z80")

    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "l4lab: --cpu: 'z80' is none of "
        "flat, skylake, haswell, icelake-server, sapphirerapids\n"
    )
