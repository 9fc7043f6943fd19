"""Child processes: what they answered before they ended counts, however they end."""

import signal
import time

import pytest

from guest import child
from guest.child import Reply, Request, run_all

BEGIN = "from guest.worker import answer, begin; line, data = begin(); "


def run(code: str, data: bytes = b"") -> Reply:
    (reply,) = run_all([Request(BEGIN + code, {"n": 1}, data)])
    return reply


def test_request_and_answer_carry_bytes() -> None:
    reply = run("answer({'line': line}, data[::-1]); answer({})", b"a\nb\0")

    assert reply == Reply(
        (({"line": '{"n": 1, "size": 4}\n', "size": 4}, b"\0b\na"), ({"size": 0}, b"")), 0
    )


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("import os; os.abort()", -signal.SIGABRT),
        ("raise SystemExit(7)", 7),
        ("1 / 0", 1),
        ("bytearray(2 << 30)", 1),  # RLIMIT_AS
        ("answer({}, bytes(65 << 20))", 1),  # RLIMIT_FSIZE
        ("print('{\"size\": 9}\\nfour', flush=True)", 0),
        ("print('{\"size\": 9', end='', flush=True)", 0),
    ],
)
def test_a_child_that_fails_leaves_what_it_answered_before(code: str, status: int) -> None:
    assert run(f"answer({{}}, b'x'); {code}") == Reply((({"size": 1}, b"x"),), status)


def test_a_child_without_end_is_ended() -> None:
    soon = "import resource; resource.setrlimit(resource.RLIMIT_CPU, (1, 2)); "
    assert run(soon + "exec('while True: pass')") == Reply((), -signal.SIGXCPU)


def test_a_child_that_sleeps_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_WALL_SECONDS", 0.5)
    start = time.monotonic()

    assert run("import time; time.sleep(60)") == Reply((), None, "did not finish")
    assert time.monotonic() - start < 10


def test_replies_come_in_the_order_of_requests() -> None:
    requests = [Request(f"{BEGIN}answer({{'n': {n}}})", {}) for n in range(7)]

    assert [reply.frames[0][0]["n"] for reply in run_all(requests)] == list(range(7))
