"""Memory that guests map to each other, on the machine with its page tables."""

from pathlib import Path

import pytest

from guest.scenario import load_scenario
from kernel.events import Fault, Items
from kernel.kernel import run
from lab.recorder import RunRecorder
from lab.replay.system import boot, identify, load_programs

SCENARIO = """
title = "a server maps a page to its client"
arch = ["amd64", "ia32"]
cycles = 1_000_000
[[task]]
name = "server"
image = "server.s"
[[task]]
name = "client"
image = "client.s"
[task.caps]
0x20 = "gate:server"
[[gate]]
name = "server"
thread = "server"
label = 0x40
"""
SERVER = """
.include "l4.inc"
.text
_start:
    own_utcb {b}
    mov {w} ptr [shared], 42
    l4_open_wait
    mov {w} ptr [{b} + UTCB_MR0], 0x7000008      # a map item for 0x7000000
    mov {a}, offset shared
    or {a}, 12 << 6 | 1 << 4 | RIGHTS
    mov {w} ptr [{b} + UTCB_MR1], {a}
    mov eax, 1 << 6
    l4_answer_and_wait {a}
    # The second call takes the page back.
    mov {w} ptr [{b} + UTCB_MR0], 1
    mov {w} ptr [{b} + UTCB_MR1], 0              # from the children only
    mov {a}, offset shared
    or {a}, 12 << 6 | 1 << 4 | 7
    mov {w} ptr [{b} + UTCB_MR2], {a}
    l4_invoke 1 << L4_CAP_SHIFT | L4_CALL, (-11 << 16) | 3, L4_TIMEOUT_NEVER
    mov {a}, {w} ptr [{b} + UTCB_MR2]
    and eax, 15
    mov {w} ptr [accessed], {a}
    xor eax, eax
    l4_answer_and_wait {a}
.data
accessed: .space 8
.balign 4096
shared: .space 4096
"""
CLIENT = """
.include "l4.inc"
.text
_start:
    own_utcb {b}
    mov {w} ptr [{b} + UTCB_BDR], 0
    mov {w} ptr [{b} + UTCB_BR0], 8
    mov {w} ptr [{b} + UTCB_BR0 + {size}], 0xfc0
    l4_invoke 0x20 << L4_CAP_SHIFT | L4_CALL, 0, L4_TIMEOUT_NEVER
    mov {a}, {w} ptr [{b} + UTCB_MR0]
    mov {w} ptr [result], {a}
    mov {a}, {w} ptr [0x7000000]
    mov {w} ptr [seen], {a}
    mov {w} ptr [0x7000000], 43
    l4_invoke 0x20 << L4_CAP_SHIFT | L4_CALL, 0, L4_TIMEOUT_NEVER
    mov {a}, {w} ptr [0x7000000]
    sleep_forever
.data
result: .space 8
seen: .space 8
"""
NAMES = {
    "amd64": {"a": "rax", "b": "rbx", "w": "qword", "size": "8"},
    "ia32": {"a": "eax", "b": "ebx", "w": "dword", "size": "4"},
}


@pytest.mark.parametrize("arch", ["amd64", "ia32"])
@pytest.mark.parametrize("rights", [6, 4])
def test_a_page_is_mapped_used_and_taken_back(tmp_path: Path, arch: str, rights: int) -> None:
    """ABI 4.9, 6.1: an item in a reply, and unmap with accessed flags."""
    names = NAMES[arch]
    (tmp_path / "server.s").write_text(SERVER.replace("RIGHTS", str(rights)).format(**names))
    (tmp_path / "client.s").write_text(CLIENT.format(**names))
    path = tmp_path / "mapping.toml"
    path.write_text(SCENARIO)
    scenario = load_scenario(str(path), arch=arch)
    images = load_programs(scenario)
    seen: list[object] = []
    recorder = RunRecorder(identify(scenario, images), listener=seen.append)
    system = boot(scenario, images, recorder=recorder)
    run(system.kernel, scenario.cycles)

    def word(task: str, symbol: str) -> int:
        (found,) = [s for s in images[task].symbols if s.name == symbol]
        value = system.load_word(task, found.address)
        assert value is not None
        return value

    (items,) = [event for event in seen if isinstance(event, Items)]
    fpage = 12 << 6 | 1 << 4
    assert items.results[0] == 0x700_0008 | fpage
    assert (word("client", "result"), word("client", "seen")) == (0x700_0008 | fpage, 42)
    (fault,) = [event for event in seen if isinstance(event, Fault)]
    if rights == 6:
        # Written, then unmapped: the second read faults, and the server learns of both.
        assert (word("server", "shared"), word("server", "accessed")) == (43, 6)
        assert (fault.address, fault.error) == (0x700_0000, 4)
    else:
        assert (word("server", "shared"), word("server", "accessed")) == (42, 0)
        assert (fault.address, fault.error) == (0x700_0000, 7)
    system.close()
