"""A run with changes is another run: its identity and its trace say which."""

import dataclasses
from pathlib import Path

import pytest

from guest.errors import GuestError
from guest.image import Image
from guest.scenario import Scenario, load_scenario
from kernel.kernel import end, run
from kernel.variation import Change, OverrideRead, StoreBytes, Variation, encode
from lab.recorder import RunRecorder
from lab.replay.again import repeat
from lab.replay.system import CPU_KHZ, identify, load_programs
from lab.replay.varied import boot_varied
from lab.run import run_scenario
from lab.trace.head import Ending, describe_run
from lab.trace.reader import open_trace
from lab.trace.writer import TraceWriter

NAME = "faq_nested_call"
NOTHING = StoreBytes(30, 5, 8, b"")  # a change that changes no byte


@pytest.fixture(params=["amd64", "ia32"])
def scenario(request: pytest.FixtureRequest) -> Scenario:
    return load_scenario(NAME, arch=request.param)


@pytest.fixture
def images(scenario: Scenario) -> dict[str, Image]:
    return load_programs(scenario)


def vary(
    scenario: Scenario,
    images: dict[str, Image],
    *changes: Change,
    path: Path | None = None,
    told: tuple[str, ...] | None = None,
) -> RunRecorder:
    """Run with changes; to a trace, if it has a path, which may tell of others."""
    identity = identify(scenario, images, changes)
    recorder = RunRecorder(identity)
    system = boot_varied(scenario, images, changes, recorder=recorder)
    try:
        if path is None:
            end(system.kernel, run(system.kernel, scenario.cycles))
            return recorder
        with TraceWriter(path) as writer:
            if told is not None:
                identity = dataclasses.replace(identity, variation=told)
            writer.begin(
                describe_run(
                    scenario,
                    images,
                    system.names,
                    identity,
                    budget=scenario.cycles,
                    cpu_khz=CPU_KHZ,
                    versions=(),
                )
            )
            recorder.sink = writer
            end(system.kernel, run(system.kernel, scenario.cycles))
            recorder.flush()
            machine = system.machine
            counts = (recorder.messages, recorder.invocations, recorder.trace_hash())
            writer.finish(
                Ending(
                    "idle", "python", writer.events, machine.now, machine.instructions, *counts
                )
            )
        return recorder
    finally:
        system.close()


def cure(scenario: Scenario) -> tuple[Change, ...]:
    """Give the change that undoes what the scenario shows: the read finds what was sent."""
    checked = run_scenario(scenario)
    finding = checked.findings[0]
    (number,) = [n for n in checked.names.images if checked.names.of(n) == finding.thread]
    assert finding.expected is not None
    data = finding.expected.to_bytes(finding.size, "little")
    return (OverrideRead(finding.access.position, number, finding.offset, data),)


def test_without_changes_it_is_the_run_itself(
    scenario: Scenario, images: dict[str, Image]
) -> None:
    assert vary(scenario, images).trace_hash() == run_scenario(scenario, check=False).trace_hash


def test_a_change_is_in_the_hash_even_if_nothing_else_changes(
    scenario: Scenario, images: dict[str, Image]
) -> None:
    plain = run_scenario(scenario, check=False)
    one, again = (vary(scenario, images, NOTHING) for _ in range(2))
    other = vary(scenario, images, dataclasses.replace(NOTHING, position=31))

    assert one.console() == plain.console
    assert one.messages == plain.messages
    assert one.trace_hash() == again.trace_hash()
    assert len({plain.trace_hash, one.trace_hash(), other.trace_hash()}) == 3


def test_the_order_of_changes_belongs_to_the_identity(
    scenario: Scenario, images: dict[str, Image]
) -> None:
    late = dataclasses.replace(NOTHING, position=99)
    changes: Variation = (NOTHING, late)

    identity = identify(scenario, images, changes)
    assert identity.variation == (encode(NOTHING), encode(late))
    assert identity.encode() != identify(scenario, images, (late, NOTHING)).encode()


def test_a_changed_run_does_what_the_change_makes_of_it(
    scenario: Scenario, images: dict[str, Image]
) -> None:
    assert "got 14" in vary(scenario, images).console()
    assert "got 84" in vary(scenario, images, *cure(scenario)).console()


def test_a_recorded_run_with_changes_is_repeated_with_them(
    scenario: Scenario, images: dict[str, Image], tmp_path: Path
) -> None:
    path = tmp_path / "varied.l4trace"
    changes = cure(scenario)
    recorder = vary(scenario, images, *changes, path=path)

    with open_trace(path) as trace:
        assert trace.head.variation == tuple(map(encode, changes))
        assert trace.head.identity() == recorder.identity
        repeated = repeat(trace)

    assert repeated.difference is None
    assert repeated.trace_hash == recorder.trace_hash()


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (("nonsense",), "no change of a run: 'nonsense'"),
        (("store-bytes 1 5 1020 0000000000",), "a change of a run outside of a UTCB"),
        (("store-bytes 1 5 99999999999999 00",), "a change of a run outside of a UTCB"),
    ],
)
def test_a_trace_with_impossible_changes_is_refused(
    told: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    scenario = load_scenario(NAME, arch="amd64")
    path = tmp_path / "varied.l4trace"
    vary(scenario, load_programs(scenario), path=path, told=told)

    with open_trace(path) as trace, pytest.raises(GuestError) as caught:
        repeat(trace)
    assert message in str(caught.value)
