"""The size of a trace: 100,000 messages of four words in at most 20 MB, at their worst."""

import struct
from pathlib import Path
from random import Random

from guest.scenario import load_scenario
from kernel.events import Switch, Transfer
from lab.replay.system import load_programs
from lab.trace.format import CHUNK, encode
from lab.trace.head import Ending, Head
from lab.trace.lives import Life, Way
from lab.trace.writer import TraceWriter

MESSAGES = 100_000
MOST = 20_000_000  # bytes


def test_messages_of_random_words_with_their_lives_are_small(tmp_path: Path) -> None:
    scenario = load_scenario("pingpong")
    images = load_programs(scenario)
    path = tmp_path / "run.l4trace"
    random = Random(1)
    cycle = position = 0
    data: list[bytes] = []
    held = bytes(32)
    head = Head(
        scenario_name="pingpong",
        scenario=scenario.text,
        arch=scenario.arch,
        budget=1,
        model="flat",
        cpu_khz=1,
        images=images,
        objects={},
        threads={},
    )
    with TraceWriter(path) as writer:
        writer.begin(head)
        for number in range(MESSAGES):
            # Times, words and lives as they could not be worse: nothing repeats.
            cycle += random.randrange(100, 5000)
            position += random.randrange(10, 500)
            words = random.randbytes(32)
            sender, receiver = random.sample(range(5, 13), 2)
            transfer = Transfer(
                cycle,
                position,
                sender,
                receiver,
                3,
                0,
                4,
                7,
                0,
                0x400010,
                0x400020,
                words,
                held,
            )
            held = words
            for event in (transfer, Switch(cycle, position, sender, receiver)):
                record = encode(event, 8)
                data.append(struct.pack(f"<{len(record)}Q", *record))
            for way, thread, partner in (
                (Way.OUT, sender, receiver),
                (Way.IN, receiver, sender),
            ):
                life = Life(
                    message=2 * number + way,
                    thread=thread,
                    partner=partner,
                    way=way,
                    born=position,
                    cycle=cycle,
                    died=position + random.randrange(1000),
                    words=4,
                    depth=random.randrange(4),
                    owner=f"function{random.randrange(8)}",
                )
                writer.live(life)
            if len(data) == CHUNK:
                writer.take(b"".join(data))
                writer.close(CHUNK, 0, 0, cycle, position, "0" * 32)
                data.clear()
        writer.take(b"".join(data))
        writer.close(len(data), 0, 0, cycle, position, "0" * 32)
        writer.finish(
            Ending("idle", "pure", writer.events, cycle, position, MESSAGES, 0, "0" * 32)
        )

    assert writer.events == 2 * MESSAGES
    assert path.stat().st_size <= MOST
    assert path.stat().st_size > 3_200_000  # the words alone
