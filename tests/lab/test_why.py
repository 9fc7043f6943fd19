"""The chain of origins of a value."""

import json

import pytest

from guest.scenario import load_scenario
from kernel.errors import UsageError
from kernel.events import Transfer
from lab.replay.halting import Instant
from lab.replay.timeline import Timeline
from lab.replay.why import Origin, Why, explain, render_why
from tests.lab.cli import CommandLine

ARCHES = ["amd64", "ia32"]
FORMS = ["", "-c-O0", "-c-O2", "-cxx-O2"]


def delivered(line: Timeline, sender: str, receiver: str) -> int:
    """Go to where a message with words was delivered; give the receiver's number."""
    while (number := line.next_event(Transfer)) is not None:
        event = line.log.event(number)
        assert isinstance(event, Transfer)
        names = line.names.of(event.sender), line.names.of(event.receiver)
        if names == (sender, receiver) and event.payload:
            return event.receiver
    raise AssertionError("no such message")


def chain(why: Why) -> list[Origin]:
    """Give all origins, depth first."""
    found: list[Origin] = []
    rest = list(reversed(why.origins))
    while rest:
        found.append(rest.pop())
        rest += reversed(found[-1].behind)
    return found


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("form", FORMS)
def test_the_wrong_answer_comes_from_the_nested_reply(form: str, arch: str) -> None:
    line = Timeline(load_scenario(f"faq_nested_call{form}", arch=arch))
    client = delivered(line, "server", "client")
    cursor = line.at
    why = explain(line, client, "mr[0]")

    assert (why.value, line.at) == (14, cursor)
    kinds = [origin.kind for origin in chain(why)]
    assert kinds[0] == "copied"
    assert kinds[-1] == "constant"
    assert "computed" in kinds, "the server doubles what it finds"
    copies = [origin.what for origin in chain(why) if origin.kind == "copied"]
    assert copies == [
        "mr[0]: message server → client",
        "mr[1]: message notifier → server",
    ]
    last = chain(why)[-1]
    assert (last.thread, last.value) == ("notifier", 7)
    assert last.place, "in a line of the program"
    instants = [origin.at for origin in chain(why)]
    assert instants == sorted(instants, reverse=True)
    line.close()


@pytest.mark.parametrize("arch", ARCHES)
def test_the_right_answer_comes_from_the_client_itself(arch: str) -> None:
    line = Timeline(load_scenario("faq_read_first", arch=arch))
    client = delivered(line, "server", "client")
    why = explain(line, client, "mr[0]")
    assert why.value == 84
    last = chain(why)[-1]
    assert (last.kind, last.thread, last.value) == ("constant", "client", 42)
    line.close()


@pytest.mark.parametrize("arch", ARCHES)
def test_registers_memory_and_what_nobody_wrote(arch: str) -> None:
    line = Timeline(load_scenario("faq_nested_call", arch=arch))
    server = delivered(line, "client", "server")
    ends = {what: chain(explain(line, server, what))[-1] for what in ("mr[1]", "mr[9]", "eax")}
    assert (ends["mr[1]"].kind, ends["mr[1]"].value) == ("constant", 42)
    assert ends["mr[9]"] == Origin(
        "input", Instant(0), "server", "nobody wrote it since boot", value=0
    )
    code = line.images["server"].entry
    assert explain(line, server, f"*{code:#x}:4").origins[0].kind == "constant"
    line.close()


def test_what_cannot_be_explained_is_refused() -> None:
    line = Timeline(load_scenario("faq_nested_call", arch="amd64"))
    line.seek(30)
    for what, message in (
        ("mr[63]", r"mr\[63\] of 63"),
        ("xmm0", "'xmm0' is no mr"),
        ("*0x10", "0x10 is not mapped"),
        ("*0x400000:9", "9 bytes, not 1 to 8"),
        ("", "'' is no mr"),
    ):
        with pytest.raises(UsageError, match=message):
            explain(line, line.threads()[0], what)
        assert line.position == 30
    line.close()


def test_it_is_told_as_text_and_as_json(l4lab: CommandLine) -> None:
    text = l4lab("why", "faq_nested_call", "server", "mr[1]", "--at", "end")
    assert (text.code, text.err) == (0, "")
    lines = text.out.splitlines()
    assert lines[0] == "mr[1] of server at 1154 is 0x7"
    assert "message notifier → server" in lines[1]
    found = json.loads(l4lab("why", "faq_nested_call", "server", "mr[1]", "--json").out)
    assert found["value"] == "0x7"
    assert found["origins"][0]["behind"][0]["kind"] == "constant"
    wrong = l4lab("why", "faq_nested_call", "nobody", "mr[1]")
    assert (wrong.code, wrong.err) == (3, "l4lab: no thread 'nobody' at 1154\n")


def test_a_line_is_written_for_each_origin() -> None:
    line = Timeline(load_scenario("faq_nested_call", arch="amd64"))
    client = delivered(line, "server", "client")
    why = explain(line, client, "mr[0]")
    assert len(render_why(why)) == 1 + len(chain(why))
    line.close()


@pytest.mark.parametrize("arch", ARCHES)
def test_a_register_after_a_system_call_is_the_kernels_answer(arch: str) -> None:
    line = Timeline(load_scenario("faq_nested_call", arch=arch))
    server = delivered(line, "client", "server")
    why = explain(line, server, "eax")
    assert why.value == line.registers(server)["rax" if arch == "amd64" else "eax"]
    assert [origin.kind for origin in why.origins] == ["input"]
    assert why.origins[0].what.startswith("the kernel's answer: ")
    line.close()


def test_a_store_of_a_part_says_so() -> None:
    line = Timeline(load_scenario("hidden_ipc", arch="amd64"))
    line.seek(487)
    client = line.find_thread("client")
    origin = explain(line, client, "mr[2]").origins[0]
    assert "(1 of 8 bytes)" in origin.what
    line.close()
