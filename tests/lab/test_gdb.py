"""The gdb server: its parts, hostile packets, and a real gdb."""

import re
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guest.host import SLEEP_FOREVER
from guest.image import Image
from guest.scenario import load_scenario
from kernel.errors import UsageError
from lab.gdb.elf_file import elf_file
from lab.gdb.ids import ThreadId, parse_id
from lab.gdb.packets import LONGEST, Reader, Signal, encode
from lab.gdb.server import Server, serve_scenario
from lab.gdb.session import REFUSED, Session
from lab.gdb.target import describe_target, registers_of
from lab.replay.timeline import Timeline

ARCHES = ["amd64", "ia32"]
GDB = shutil.which("gdb")
needs_gdb = pytest.mark.skipif(GDB is None, reason="no gdb here: apt-get install gdb")


# -- packets -----------------------------------------------------------------------


@given(payloads=st.lists(st.binary(max_size=40), max_size=5), cut=st.integers(1, 9))
def test_payloads_come_through_however_they_are_cut(payloads: list[bytes], cut: int) -> None:
    data = b"".join(map(encode, payloads))
    reader = Reader()
    found = [
        each for at in range(0, len(data), cut) for each in reader.feed(data[at : at + cut])
    ]
    assert found == payloads


def test_a_wrong_checksum_and_an_endless_packet_are_damaged() -> None:
    reader = Reader()
    assert reader.feed(b"$g#00") == [Signal.DAMAGED]
    assert reader.feed(b"$" + b"g" * (2 * LONGEST + 2)) == [Signal.DAMAGED]
    assert reader.feed(b"\x03+-$g#67") == [Signal.INTERRUPT, b"g"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (b"p4.5", ThreadId(4, 5)),
        (b"p-1.-1", ThreadId(-1, -1)),
        (b"pa", ThreadId(10, -1)),
        (b"0", ThreadId(0, 0)),
        (b"p4.", None),
        (b"", None),
        (b"p123456789.1", None),
    ],
)
def test_ids(text: bytes, wanted: ThreadId | None) -> None:
    assert parse_id(text) == wanted


@pytest.mark.parametrize("word", [4, 8])
def test_the_description_names_every_register_once_and_in_order(word: int) -> None:
    root = ElementTree.fromstring(describe_target(word))
    names = [reg.attrib["name"] for reg in root.iter("reg")]
    assert names[: len(registers_of(word))] == [each.name for each in registers_of(word)]
    assert len(names) == len(set(names))


# -- sessions ----------------------------------------------------------------------


@pytest.fixture(name="line", params=ARCHES)
def open_line(request: pytest.FixtureRequest) -> Iterator[Timeline]:
    line = Timeline(load_scenario("faq_nested_call", arch=request.param))
    yield line
    line.close()


def session(line: Timeline) -> Session:
    made = Session(line)
    made.answer(b"qSupported:multiprocess+;swbreak+;hwbreak+")
    return made


def test_it_stops_before_the_first_instruction(line: Timeline) -> None:
    it = session(line)
    assert line.running is not None
    first = line.tasks["notifier"], line.running
    assert it.answer(b"?") == b"T05thread:p%x.%x;" % first
    assert line.position == 0
    registers = it.answer(b"g")
    word = line.log.word
    at = 16 if word == 8 else 8
    ip = bytes.fromhex(registers[at * word * 2 : (at + 1) * word * 2].decode())
    assert int.from_bytes(ip, "little") == line.images["notifier"].entry


@pytest.mark.parametrize("packet", [b"M400000,1:00", b"X400000,0:", b"G00", b"P0=00"])
def test_writes_are_refused_and_change_nothing(line: Timeline, packet: bytes) -> None:
    it = session(line)
    before = line.digest()
    assert it.answer(packet) == REFUSED
    assert line.digest() == before


def test_a_break_belongs_to_the_process_it_was_set_in(line: Timeline) -> None:
    it = session(line)
    server, client = line.tasks["server"], line.tasks["client"]
    assert line.images["server"].entry == line.images["client"].entry
    assert it.answer(b"Hgp%x.0" % client) == b"OK"
    entry = line.images["client"].entry
    assert it.answer(b"Z0,%x,1" % entry) == b"OK"
    stopped = it.answer(b"vCont;c")
    assert stopped.startswith(b"T05swbreak:;thread:p%x." % client)
    assert line.task_of(line.running or 0) == client != server
    assert it.answer(b"bc").startswith(b"T05replaylog:begin;")
    assert it.answer(b"Hgp%x.0" % client) == b"OK"
    assert it.answer(b"z0,%x,1" % entry) == b"OK"
    assert it.answer(b"c").startswith(b"T05replaylog:end;")


def test_steps_there_and_back(line: Timeline) -> None:
    it = session(line)
    start = line.digest()
    for _ in range(5):
        it.answer(b"s")
    assert line.position == 5
    for _ in range(5):
        it.answer(b"bs")
    assert line.digest() == start
    assert b"replaylog:begin" in it.answer(b"bs")


def test_memory_ends_with_its_mapping(line: Timeline) -> None:
    it = session(line)
    assert it.answer(b"m10,8") == b"E0e"
    entry = line.images["notifier"].entry
    assert len(it.answer(b"m%x,4" % entry)) == 8
    assert it.answer(b"m7ffffff0,20") == b"00" * 16, "the stack ends at 2 GiB"
    assert it.answer(b"mffffffffffffffff,10") == b"E0e"


def test_one_task_for_a_client_without_processes(line: Timeline) -> None:
    it = Session(line, task="server")
    it.answer(b"qSupported:")
    thread = next(n for n in line.threads() if line.task_of(n) == line.tasks["server"])
    assert it.answer(b"qfThreadInfo") == b"m%x" % thread
    assert it.answer(b"?") == b"T05thread:%x;" % thread


@pytest.mark.parametrize(
    ("command", "part"),
    [
        ("help", "monitor utcb"),
        ("where", "position 0, cycle"),
        ("utcb server", "server: UTCB at"),
        ("utcb nobody", "no thread 'nobody' at 0"),
        ("messages", "no message so far"),
        ("messages x", "'x' is no number"),
        ("seek cycle:6000", "cycle 60"),
        ("seek nowhere", "is no mark"),
        ("dance", "no command 'dance'"),
    ],
)
def test_monitor_commands(line: Timeline, command: str, part: str) -> None:
    answer = session(line).answer(b"qRcmd," + command.encode().hex().encode())
    assert part in bytes.fromhex(answer.decode()).decode()


_WORDS = [
    *(b"qSupported:multiprocess+", b"?", b"g", b"p", b"m", b"Hg", b"Hc", b"T", b"vCont;", b"c"),
    *(b"qXfer:features:read:target.xml:", b"qXfer:threads:read::", b"qXfer:exec-file:read:"),
    *(
        b"vFile:open:",
        b"vFile:pread:",
        b"vFile:fstat:",
        b"vFile:close:",
        b"Z0,",
        b"Z2,",
        b"z1,",
    ),
    *(b"qRcmd,", b"bs", b"bc", b"s", b"D;", b"qThreadExtraInfo,", b"400000", b"p4.5", b"-1"),
    *(b",", b";", b":", b"0", b"ffffffffffffffff", b"1,1", b"7365656b20", b".", b"\xff"),
]


@settings(max_examples=300, deadline=None)
@given(parts=st.lists(st.one_of(st.sampled_from(_WORDS), st.binary(max_size=6)), max_size=6))
def test_no_packet_breaks_a_session(parts: list[bytes]) -> None:
    line = _fuzzed()
    answer = Session(line).answer(b"".join(parts))
    assert len(answer) <= LONGEST


_lines: list[Timeline] = []


def _fuzzed() -> Timeline:
    if not _lines:
        _lines.append(Timeline(load_scenario("faq_nested_call", arch="amd64")))
    return _lines[0]


def test_elf_files_of_assembled_images_have_their_symbols() -> None:
    for arch in ARCHES:
        line = Timeline(load_scenario("faq_nested_call", arch=arch))
        image: Image = line.images["server"]
        data = elf_file(image, line.scenario.path)
        wide = arch == "amd64"
        assert data[4] == (2 if wide else 1)
        (entry,) = struct.unpack_from("<Q" if wide else "<I", data, 24)
        assert entry == image.entry
        assert b"\0notify_my_other_server\0" in data
        line.close()


@pytest.mark.parametrize("arch", ARCHES)
def test_the_task_of_a_test_has_a_file_of_its_architecture_and_no_program(arch: str) -> None:
    scenario = replace(load_scenario("faq_nested_call", arch=arch), host=(SLEEP_FOREVER,))
    line = Timeline(scenario)
    session = Session(line)
    process = b"%x" % line.task_of(line.host)

    assert session.answer(b"qXfer:exec-file:read:" + process + b":0,fff") == b"l/l4lab/python"
    assert session.answer(b"vFile:open:" + b"/l4lab/python".hex().encode() + b",0,0") == b"F0"
    head = session.answer(b"vFile:pread:0,5,0")
    assert head == b"F5;\x7fELF" + (b"\x02" if arch == "amd64" else b"\x01")
    line.close()


# -- over the wire -----------------------------------------------------------------


class Served:
    """A scenario that is served in a thread, to one client."""

    def __init__(self, name: str, arch: str, **options: int) -> None:
        self._known = threading.Event()
        self.port = 0
        self._thread = threading.Thread(target=self._serve, args=(name, arch, options))
        self._thread.start()
        assert self._known.wait(60)

    def _serve(self, name: str, arch: str, options: dict[str, int]) -> None:
        serve_scenario(
            load_scenario(name, arch=arch),
            host="127.0.0.1",
            port=0,
            cycles=options.get("cycles"),
            once=True,
            tell=self._tell,
        )

    def _tell(self, host: str, port: int) -> None:
        self.port = port
        self._known.set()

    def join(self) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive()


def ask(connection: socket.socket, payload: bytes) -> bytes:
    connection.sendall(encode(payload))
    return receive(connection)


def receive(connection: socket.socket) -> bytes:
    reader = Reader()
    while True:
        data = connection.recv(1)
        assert data, "the server has left"
        for each in reader.feed(data):
            assert isinstance(each, bytes)
            return each


def test_an_endless_run_is_interrupted() -> None:
    served = Served("pingpong_forever_0", "amd64", cycles=10**12)
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection:
        ask(connection, b"qSupported:multiprocess+")
        connection.sendall(encode(b"vCont;c"))
        threading.Event().wait(0.5)
        connection.sendall(b"\x03")
        assert receive(connection).startswith(b"T02thread:p")
        assert ask(connection, b"bs").startswith(b"T05thread:p")
    served.join()


def test_garbage_on_the_wire_ends_in_errors_and_not_in_the_server() -> None:
    served = Served("faq_nested_call", "amd64")
    random = Random(5)
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection:
        connection.sendall(random.randbytes(3000).replace(b"$", b""))
        connection.sendall(b"$garbage#00")
        assert ask(connection, b"?").startswith(b"T05")
    served.join()


def test_it_listens_on_this_machine_only_and_says_why_it_cannot() -> None:
    server = Server()
    with pytest.raises(UsageError, match=r"cannot listen on 127\.0\.0\.1:"):
        Server(port=server.port)
    assert server._socket.getsockname()[0] == "127.0.0.1"
    server.close()


# -- a real gdb --------------------------------------------------------------------


def run_gdb(served: Served, *commands: str) -> str:
    assert GDB is not None
    script = [
        *("set pagination off", "set confirm off", "set schedule-multiple on"),
        f"target remote 127.0.0.1:{served.port}",
        *commands,
    ]
    arguments = [part for command in script for part in ("-ex", command)]
    done = subprocess.run(
        [GDB, "-nx", "-batch", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    served.join()
    assert "Remote communication error" not in done.stdout + done.stderr
    return done.stdout + done.stderr


@needs_gdb
@pytest.mark.parametrize("arch", ARCHES)
def test_gdb_goes_back_to_the_instruction_that_overwrote_the_word(arch: str) -> None:
    scenario = load_scenario("faq_nested_call", arch=arch)
    line = Timeline(scenario)
    image = line.images["server"]
    guilty = next(
        each.address
        for each in image.lines
        if "GUILTY" in image.source[each.file].splitlines()[each.line - 1]
    )
    line.close()
    base, word = ("rbx", "long") if arch == "amd64" else ("ebx", "int")
    served = Served("faq_nested_call", arch)
    text = run_gdb(
        served,
        "inferior 2",
        f"break *{guilty:#x}",
        "continue",
        f"p/d *(unsigned {word}*)(${base}+sizeof({word}))",
        f"watch -l *(unsigned {word}*)(${base}+sizeof({word}))",
        "reverse-continue",
        "reverse-continue",
        "x/i $pc",
        "info symbol $pc",
        f"p/d *(unsigned {word}*)(${base}+sizeof({word}))",
        "stepi",
        f"p/d *(unsigned {word}*)(${base}+sizeof({word}))",
        "detach",
    )
    assert re.search(r"\$1 = 7\n", text), text
    assert re.search(r"Old value = 7\nNew value = 3\n", text), text
    assert re.search(r"Old value = 3\nNew value = 42\n", text), text
    assert "notify_my_other_server" in text.split("New value = 42")[1], text
    assert re.search(r"\$2 = 42\n", text), text
    assert re.search(r"\$3 = 3\n", text), text


@needs_gdb
@pytest.mark.parametrize("arch", ARCHES)
def test_gdb_sees_tasks_threads_and_messages(arch: str) -> None:
    served = Served("faq_nested_call", arch)
    text = run_gdb(
        served,
        "info threads",
        "break dispatch",
        "continue",
        "info symbol $pc",
        "monitor where",
        "monitor messages 1",
        "stepi",
        "reverse-stepi",
        "info symbol $pc",
        "reverse-continue",
        "detach",
    )
    for name in ("notifier", "server", "client"):
        assert re.search(rf'Thread [0-9.]+ "{name}"', text), text
    assert 'Thread 2.1 "server" hit Breakpoint 1' in text, text
    assert text.count("dispatch in section .text") == 2, text
    assert "client: waits for a message of server" in text, text
    assert "client → server" in text, text
    assert "No more reverse-execution history" in text, text


@needs_gdb
def test_gdb_has_the_debug_information_of_compiled_programs() -> None:
    served = Served("faq_nested_call-c-O0", "amd64")
    text = run_gdb(served, "inferior 2", "break dispatch", "continue", "info line", "detach")
    assert re.search(r"faq_nested_call\.c", text), text


@needs_gdb
def test_gdb_goes_from_end_to_end_with_any_process_chosen() -> None:
    served = Served("faq_nested_call", "amd64")
    commands = "inferior 2", "continue", "p 1234", "reverse-continue", "p 4321"
    text = run_gdb(served, *commands)
    assert text.count("No more reverse-execution history.") == 2, text
    assert "$1 = 1234" in text, text
    assert "$2 = 4321" in text, text
