"""Whose a message is, and when it is dead: section by section of docs/rules.md."""

from tests.checker.story import Story

STALE = [("stale-read", 1, "wrong")]


def request() -> Story:
    s = Story()
    s.wait(words=(7, 42))
    return s


def notify(s: Story, *, answer: tuple[int, ...] = (1, 2)) -> None:
    with s.frame("notify"):
        s.store(0, 9)
        s.store(1, 3)
        s.call(words=2, answer=answer)


def test_a_nested_call_in_a_function_leaves_the_request_unread() -> None:
    s = request()
    with s.frame("dispatch"):
        s.load(0)
        notify(s)
        s.load(1)
    assert s.found() == STALE


def test_who_stores_the_request_owns_the_answer_though_a_wrapper_calls() -> None:
    s = request()
    with s.frame("dispatch"):
        s.load(0)
        s.load(1)
        s.store(0, 9)
        s.store(1, 3)
        with s.frame("ipc_call"):
            s.call(words=2, answer=(1, 2))
        s.load(0)
        s.load(1)
    assert s.found() == []


def test_a_wrapper_of_the_wait_does_not_own_what_it_brings() -> None:
    s = Story()
    with s.frame("wait"):
        s.wait(words=(7, 42))
    with s.frame("dispatch"):
        s.load(0)
        notify(s)
        s.load(1)
    assert s.found() == STALE


def test_the_next_round_of_a_loop_ends_the_last_one() -> None:
    s = request()
    for _ in range(3):
        with s.frame("dispatch"):
            s.load(0)
            s.load(1)
            s.store(0, 1)
        s.reply_and_wait(words=1, then=(7, 42))
    assert s.found() == []
    assert len(s.checker.shadow(1).turns) == 1


def test_a_loop_of_empty_replies_keeps_one_message() -> None:
    s = request()
    for _ in range(50):
        with s.frame("dispatch"):
            s.load(0)
        with s.frame("reply"):
            s.reply_and_wait(words=0, then=(7, 42))
    assert s.found() == []
    assert len(s.checker.shadow(1).turns) <= 2


def test_a_failed_send_delivers_nothing_but_its_stores_are_its_own() -> None:
    s = request()
    with s.frame("dispatch"):
        s.load(0)
        with s.frame("notify"):
            s.store(1, 3)
            s.fail(2, words=2)  # type: ignore[arg-type]
        s.load(1)
    assert s.found() == STALE


def test_ones_own_store_is_never_reported() -> None:
    s = request()
    with s.frame("dispatch"):
        s.load(0)
        s.store(1, 5)
        s.load(1)
        s.store(0, 0)
    s.reply_and_wait(words=2)
    assert s.found() == []


def test_an_inlined_function_owns_its_call() -> None:
    s = request()
    with s.frame("loop"), s.inlined("dispatch"):
        s.load(0)
        with s.inlined("notify"):
            s.store(0, 9)
            s.store(1, 3)
            s.call(words=2, answer=(1, 2))
        s.load(1)
    assert s.found() == STALE


def test_an_inlined_function_reads_its_own_answer() -> None:
    s = request()
    with s.frame("loop"), s.inlined("dispatch"):
        s.load(0)
        s.load(1)
        with s.inlined("notify"):
            s.store(0, 9)
            s.call(words=1, answer=(1, 2))
            s.load(1)
    assert s.found() == []


def test_a_nested_call_in_the_reading_function_itself_cannot_be_told_and_is_a_note() -> None:
    s = request()
    with s.frame("dispatch"):
        s.load(0)
        s.store(0, 9)
        s.store(1, 3)
        s.call(words=2, answer=(1, 2))
        s.load(1)
    assert s.found() == []
    assert ("word-lost-unread", 1) in s.notes()


def test_a_page_fault_between_two_reads_is_transparent() -> None:
    s = request()
    with s.frame("dispatch"):
        s.load(0)
        s.page_fault()
        s.load(1)
    assert s.found() == []


def test_a_pager_that_answers_too_many_words_is_not() -> None:
    s = Story()
    s.wait(words=(7, 42, 43))
    with s.frame("dispatch"):
        s.load(0)
        s.page_fault(answer=(1, 2, 3))
        s.load(1)
        s.load(2)
    assert s.found() == [("stale-read", 2, "wrong")]


def test_messages_of_a_deep_recursion_do_not_pile_up() -> None:
    s = request()
    for _ in range(100):
        notify(s)
    assert len(s.checker.shadow(1).turns) <= 2
