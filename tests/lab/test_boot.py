"""What a scenario's objects are when a run starts."""

from pathlib import Path

import pytest

from guest.errors import GuestError
from guest.scenario import load_scenario
from kernel import abi
from kernel.freeze import freeze, thaw
from kernel.kernel import run
from kernel.objects import Debugger, Icu, Irq, Semaphore
from lab.replay.system import System, boot, load_programs

SLEEPER = """
.include "l4.inc"
.text
_start:
    sleep_forever
"""


def system(folder: Path, text: str, arch: str = "amd64", ram: str = "1MiB") -> System:
    (folder / "p.s").write_text(SLEEPER)
    path = folder / "s.toml"
    head = f'title = "t"\narch = "{arch}"\nram = "{ram}"\n'
    path.write_text(f'{head}[[task]]\nname = "a"\nimage = "p.s"\n{text}')
    scenario = load_scenario(path)
    return boot(scenario, load_programs(scenario))


def test_irqs_and_semaphores_are_made_and_named(tmp_path: Path) -> None:
    made = system(
        tmp_path,
        "[task.caps]\n0x20 = 'irq:one'\n0x21 = 'semaphore:lock'\n0x22 = 'irq:two/w'\n"
        "[[irq]]\nname = 'one'\nthread = 'a'\nlabel = 3\nat = [5, 5, 9]\n"
        "[[irq]]\nname = 'two'\n[[semaphore]]\nname = 'lock'\n",
    )
    caps = made.tasks["a"].caps
    one, lock, two = (caps[index].object for index in (0x20, 0x21, 0x22))

    assert isinstance(one, Irq)
    assert isinstance(two, Irq)
    assert isinstance(lock, Semaphore)
    assert (one.label, one.thread is not None, two.thread) == (3, True, None)
    assert caps[0x22].rights == abi.Rights.W
    assert made.kernel.arrivals == [(5, one.number), (5, one.number), (9, one.number)]
    assert [made.names.of(o.number) for o in (one, lock, two)] == ["one", "lock", "two"]
    made.close()


def test_the_debugger_and_the_icu_are_there_if_asked_for(tmp_path: Path) -> None:
    made = system(tmp_path, "[task.caps]\n10 = 'debugger'\n6 = 'icu'\n0x20 = 'debugger'\n")
    caps = made.tasks["a"].caps

    assert isinstance(caps[10].object, Debugger)
    assert isinstance(caps[6].object, Icu)
    assert caps[0x20].object is caps[10].object
    assert made.names.of(caps[10].object.number) == "debugger"
    made.close()


def test_the_console_has_the_input_of_the_scenario(tmp_path: Path) -> None:
    made = system(tmp_path, "[console]\ninput = 'é\\n'\n".replace("'", '"'))
    assert made.kernel.input.encode("latin-1") == "é\n".encode()
    made.close()


@pytest.mark.parametrize("arch", ["amd64", "ia32"])
def test_the_info_page_is_where_programs_look_for_it(tmp_path: Path, arch: str) -> None:
    """ABI 7: the page at 0x6ffff000 (amd64) or 0xaffff000 (ia32)."""
    made = system(tmp_path, "kip = true\n", arch)
    kernel, task = made.kernel, made.tasks["a"]
    page = made.machine.read(task.number, kernel.arch.kip, abi.PAGE_SIZE)
    assert page[:4] == b"\x4c\x34\xe6\x4b"
    assert int.from_bytes(page[0x28:0x30], "little") == kernel.machine.cpu_khz

    run(kernel, 1_000_000)
    assert kernel.machine.now < 1_000_000
    thawed = thaw(freeze(kernel), made.machine)
    assert thawed.kip_frame == kernel.kip_frame
    made.close()


def test_an_info_page_that_is_in_the_way_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GuestError, match=r"something else is mapped at 0x6ffff000 already$"):
        system(tmp_path, 'kip = true\nstack = "64MiB"\n' + threads(4), ram="512MiB")


def threads(count: int) -> str:
    thread = "[[task.thread]]\nstack = '64MiB'\nentry = '_start'\n"
    return "".join(f"{thread}name = 't{k}'\n" for k in range(count))
