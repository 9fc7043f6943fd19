"""The doubler, asked by a client of its own and by these tests."""

import pytest

from lab.testing import Golden, Lab, RunScenario

PROTO_DOUBLER = 0x1001
EBADPROTO = 39

SCENARIO = "../scenarios/doubler.toml"


@pytest.mark.parametrize("arch", ["amd64", "ia32"])
def test_a_number_is_doubled(lab: Lab, arch: str) -> None:
    lab.boot(SCENARIO, arch=arch)

    for number in (0, 1, 21, 1000):
        answer = lab.call("doubler", number, label=PROTO_DOUBLER)
        assert (answer.label, answer.words) == (0, (2 * number,))

    assert lab.memory("server.requests") == 5  # the client's own came first


@pytest.mark.parametrize(
    ("label", "words"),
    [(PROTO_DOUBLER + 1, (1,)), (PROTO_DOUBLER, ()), (PROTO_DOUBLER, (1, 2))],
)
def test_a_request_that_is_none_is_refused(
    lab: Lab, label: int, words: tuple[int, ...]
) -> None:
    lab.boot(SCENARIO)

    answer = lab.call("doubler", *words, label=label)

    assert (answer.label, answer.words) == (-EBADPROTO, ())
    assert lab.memory("server.requests") == 1


def test_the_messages_are_those_of_the_golden_file(
    run_scenario: RunScenario, golden: Golden
) -> None:
    golden(run_scenario(SCENARIO))
