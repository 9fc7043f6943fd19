"""Scenarios that are made of what a command line says."""

from pathlib import Path

import pytest

from guest.command import Wanted, make_scenario, scenario_text
from guest.errors import GuestError
from guest.scenario import PROGRAMS

IMAGES = (
    "notifier=ia32/faq_notifier.s",
    "server=ia32/faq_read_first.s",
    "client=ia32/faq_client.s",
)


def test_every_other_task_has_a_capability_of_each_gate() -> None:
    gates = ("doubler=server,label=0x50", "notifier")
    scenario = make_scenario(Wanted(IMAGES, gates, (), "ia32"), folder=PROGRAMS)

    assert [(gate.name, gate.thread, gate.label) for gate in scenario.gates] == [
        ("doubler", "server", 0x50),
        ("notifier", "notifier", 0x20),
    ]
    assert [[(cap.index, cap.name) for cap in task.caps] for task in scenario.tasks] == [
        [(0x20, "doubler")],
        [(0x21, "notifier")],
        [(0x20, "doubler"), (0x21, "notifier")],
    ]
    assert (scenario.arch.name, scenario.title) == ("ia32", "notifier and server and client")


def test_an_elf_file_says_for_which_machine_it_is(tmp_path: Path) -> None:
    for kind, arch in ((1, "ia32"), (2, "amd64"), (7, "amd64")):
        (tmp_path / "x.elf").write_bytes(b"\x7fELF" + bytes([kind]))
        assert f'arch  = "{arch}"' in scenario_text(Wanted(("a=x.elf",)), folder=tmp_path)


def test_the_first_thread_starts_where_it_is_said(tmp_path: Path) -> None:
    wanted = Wanted(IMAGES, (), ("server=dispatch", "client=0x400010"), "ia32")
    scenario = make_scenario(wanted, folder=PROGRAMS)
    assert [task.threads[0].entry for task in scenario.tasks] == [None, "dispatch", "0x400010"]


def test_a_name_of_a_file_is_no_way_to_write_a_scenario(tmp_path: Path) -> None:
    name = 'x".s\n[[gate]]'
    (tmp_path / name).write_text("")
    scenario = make_scenario(Wanted((f"a={name}",)), folder=tmp_path)
    assert (scenario.gates, scenario.tasks[0].image.name) == ((), name)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Wanted(("server",)), "--image: expected TASK=FILE, found 'server'"),
        (Wanted(("a=x.s", "a=x.s")), 'task[1].name: "a" is the name of task[0] already'),
        (Wanted(("A=x.s",)), "task[0].name: "),
        (Wanted(("a=no.elf",)), "no.elf: cannot read this image: no such file or directory"),
        (Wanted(("a=x.s",), ("b",)), 'gate[0].thread: no thread "b": expected one of a'),
        (Wanted(("a=x.s",), ("a=",)), "--gate: expected NAME[=THREAD][,label=N], found 'a='"),
        (Wanted(("a=x.s",), ("a,label=z",)), "--gate: expected a number, found 'z'"),
        (Wanted(("a=x.s",), ("a,label=1",)), "gate[0].label: "),
        (Wanted(("a=x.s",), (), ("b=x",)), "--entry: no image is given for task 'b'"),
        (Wanted(("a=x.s\udcff",)), "--image: 'a=x.s\\udcff' is not UTF-8"),
        (Wanted(("a=x.s",), (), (), "arm"), "arch: "),
    ],
)
def test_what_cannot_be_is_one_error(tmp_path: Path, wanted: Wanted, message: str) -> None:
    (tmp_path / "x.s").write_text("")
    with pytest.raises(GuestError) as caught:
        make_scenario(wanted, folder=tmp_path)
    assert message in str(caught.value)
