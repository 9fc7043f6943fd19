"""Findings made by hand: the one of the FAQ, as the checker would report it."""

from dataclasses import replace
from datetime import date

from lab.checker.finding import (
    Access,
    Attribution,
    Clobber,
    Consequence,
    Effect,
    Finding,
    Frame,
    Message,
    Rule,
    Verdict,
    Word,
)

SERVER = "src/server.cc"
NOTIFY = "src/notify.cc"
SOURCE = {
    (SERVER, 28): "notify_my_other_server();",
    (SERVER, 31): "ios >> val;",
    (NOTIFY, 12): "l4_ipc_call(other, utcb, tag, L4_IPC_NEVER);",
}
DISPATCH = Frame(
    "MyServer::dispatch", "_ZN8MyServer8dispatchEmR8Iostream", 0x401234, SERVER, 31
)
CALLER = replace(DISPATCH, pc=0x401200, line=28)
GET = Frame(
    "Istream::get", "_ZN8MyServer8dispatchEmR8Iostream", 0x401234, "ipc_stream", 412, True
)
LOOP = Frame(
    "Server::internal_loop", "_ZN6Server13internal_loopEv", 0x401010, "ipc_server", 430
)
NOTIFIER = Frame("notify_my_other_server", "_Z22notify_my_other_serverv", 0x401300, NOTIFY, 12)

REQUEST = Message(
    "M17",
    "client",
    "server",
    "srv",
    0x4C40,
    0x1001,
    (7, 42),
    0,
    409_120,
    1_000_100,
    "MyServer::dispatch",
)
NESTED = Message(
    "M18",
    "server",
    "other",
    "other",
    0,
    0x1002,
    (9, 3),
    0,
    412_018,
    1_002_000,
    "notify",
    412_702,
)


def access(position: int, instruction: str, *stack: Frame) -> Access:
    return Access(position, position + 600_000, stack[0].pc, instruction, stack)


FAQ = Finding(
    id="F1",
    rule=Rule.STALE_READ,
    verdict=Verdict.CONFIRMED,
    attribution=Attribution.CERTAIN,
    effect=Effect.OBSERVABLE,
    thread="server",
    task="server",
    register="mr[1]",
    offset=4,
    size=4,
    function="MyServer::dispatch",
    file=SERVER,
    line=31,
    access=access(412_907, "mov eax, [ecx+4]", GET, DISPATCH, LOOP),
    summary=(
        "The server read 0x1000 as word 1 of the request from client, but client sent "
        "0x2a (42): the word was overwritten by a nested call."
    ),
    expected=42,
    actual=0x1000,
    message=REQUEST,
    clobber=Clobber(
        message=NESTED,
        stores=(
            access(412_018, "mov [ecx], 9", NOTIFIER, CALLER),
            access(412_021, "mov [ecx+4], 3", NOTIFIER, CALLER),
        ),
        delivery=412_660,
        call=access(412_024, "call __l4sys_invoke", NOTIFIER, CALLER, LOOP),
    ),
    words=(
        Word(
            "mr[0]",
            7,
            0,
            "kernel, M18",
            "consumed",
            read=access(411_644, "mov eax, [ecx]", replace(DISPATCH, line=25)),
        ),
        Word("mr[1]", 42, 0x1000, "kernel, M18", "STALE", here=True, unread=True),
        Word("mr[2]", None, 0, "never written", "undefined"),
    ),
    consequences=(Consequence("reply to client, mr[0]", 413_377, "0x2000", "0x54"),),
    checks=(
        ("address", "UTCB+4, from a cursor that was set at 411,649, during M17"),
        ("saved and restored", "no"),
        ("same value by luck", "no"),
    ),
    cure=(
        "Read all parameters before the first call that may do IPC: move line 31 before "
        "line 28.  Or save the message registers around the call and restore them."
    ),
    identity=("stale-read", "server", "MyServer::dispatch", "mr[1]", "src/server.cc:28"),
)

# What a rule may leave out is left out.
BARE = Finding(
    id="F2",
    rule=Rule.HIDDEN_IPC,
    verdict=Verdict.NOTE,
    attribution=Attribution.INFERRED,
    effect=Effect.UNKNOWN,
    thread="server",
    task="server",
    register="mr[0]",
    offset=0,
    size=4,
    function="",
    file="",
    line=0,
    access=Access(412_024, 1_012_024, 0x401300, "", ()),
    summary="A system call was made while mr[0] was unread.",
    expected=None,
    actual=None,
)
TODAY = date(2027, 1, 31)


def source(file: str, line: int) -> str:
    return SOURCE.get((file, line), "")
