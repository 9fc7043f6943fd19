"""What a trace tells of a UTCB is what the thread's UTCB held."""

from pathlib import Path

import pytest

from guest.scenario import load_scenario
from kernel.events import Event
from kernel.kernel import end, run
from kernel.objects import Thread
from kernel.utcb import WORDS
from lab.recorder import RunRecorder
from lab.replay.system import boot, identify, load_programs
from lab.trace.reader import open_trace
from tests.lab.recording import record

ARCHES = ["amd64", "ia32"]


def utcbs_of(name: str, arch: str) -> list[dict[int, tuple[int, ...]]]:
    """Give the UTCBs of all threads after each event of a run."""
    scenario = load_scenario(name, arch=arch)
    images = load_programs(scenario)
    recorder = RunRecorder(identify(scenario, images))
    system = boot(scenario, images, recorder=recorder)
    found: list[dict[int, tuple[int, ...]]] = []
    word = system.kernel.arch.word

    def look(event: Event) -> None:
        threads = [o for o in system.kernel.objects.values() if isinstance(o, Thread)]
        found.append({t.number: words(t.utcb.read(WORDS), word) for t in threads if t.utcb})

    recorder.listeners.append(look)
    end(system.kernel, run(system.kernel, scenario.cycles))
    system.close()
    return found


def words(data: bytes, word: int) -> tuple[int, ...]:
    return tuple(
        int.from_bytes(data[k : k + word], "little") for k in range(0, len(data), word)
    )


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize(
    "name",
    [
        "faq_nested_call",
        "faq_saved_utcb",
        "hidden_ipc",
        "ipc_errors",
        "irq_server",
        "log_in_reply",
        "page_fault_forever",
        "pingpong_intra",
        "semaphore_lock",
        "send_only",
        "thread_local",
    ],
)
def test_what_is_exact_is_what_the_utcb_holds(tmp_path: Path, name: str, arch: str) -> None:
    record(tmp_path / "t", name, arch=arch)
    held = utcbs_of(name, arch)

    exact = 0
    with open_trace(tmp_path / "t") as trace:
        assert len(trace) == len(held)
        for sequence in (*range(min(len(trace), 100)), *range(100, len(trace), 97)):
            for thread, utcb in held[sequence].items():
                for index, told in enumerate(trace.utcb(thread, sequence)):
                    if told.is_exact:
                        where = f"event {sequence}, thread {thread}, word {index}"
                        assert told.value == utcb[index], where
                        exact += 1
    assert exact > 400
