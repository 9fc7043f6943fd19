"""Every rule has a pair: a story that breaks it, and its nearest innocent twin."""

import pytest

from kernel.abi import IpcError
from kernel.utcb import BDR, BR, ERROR, SELF
from tests.checker.story import CLIENT, OTHER, Story


def request(*words: int) -> Story:
    s = Story()
    s.wait(words=words or (7, 42))
    return s


def notify(s: Story, *, answer: tuple[int, ...] = (1, 2)) -> None:
    with s.frame("notify"):
        s.store(0, 9)
        s.store(1, 3)
        s.call(words=2, answer=answer)


# -- stale-read ------------------------------------------------------------------------


def test_stale_read_by_the_requests_own_stores() -> None:
    s = request()
    with s.frame("dispatch"), s.frame("notify"):
        s.store(1, 3)
        s.send(words=2)
    with s.frame("dispatch"):
        pass
    s = request()
    with s.frame("dispatch"):
        s.load(0)
        with s.frame("notify"):
            s.store(1, 3)
            s.send(words=2)
        s.load(1)
    assert s.found() == [("stale-read", 1, "wrong")]


def test_stale_read_of_an_equal_value_is_right_by_luck() -> None:
    s = request()
    with s.frame("dispatch"):
        s.load(0)
        notify(s, answer=(1, 42))
        s.load(1)
    assert s.found() == [("stale-read", 1, "intact")]


def test_stale_read_of_a_word_that_the_answer_did_not_reach_is_right_by_luck() -> None:
    s = request()
    with s.frame("dispatch"):
        s.load(0)
        with s.frame("notify"):
            s.store(0, 9)
            s.call(words=1, answer=())
        s.load(1)
    assert s.found() == [("stale-read", 1, "intact")]


def test_a_send_cannot_reach_further_than_its_stores() -> None:
    s = request()
    with s.frame("dispatch"):
        s.load(0)
        with s.frame("notify"):
            s.store(0, 9)
            s.send(words=1)
        s.load(1)
    assert s.found() == []


def test_reading_first_is_innocent() -> None:
    s = request()
    with s.frame("dispatch"):
        s.load(0)
        s.load(1)
        notify(s)
    assert s.found() == []


def test_saved_and_restored_in_a_callee_is_innocent() -> None:
    s = request()
    with s.frame("dispatch"):
        s.load(0)
        with s.frame("log"):
            for k in range(63):
                s.load(k, at=0x50)
            s.store(0, 9)
            s.store(1, 3)
            s.call(words=2, answer=(1, 2, 3))
            for k, value in enumerate((7, 42)):
                s.store(k, value)
            for k in range(2, 63):
                s.store(k, 0)
        s.load(1)
        s.store(0, 1)
    s.reply_and_wait(words=1)
    assert s.found() == []


# -- unbalanced-restore ------------------------------------------------------------------


def test_unbalanced_restore_of_too_few_words() -> None:
    s = request(7, 42, 43)
    with s.frame("dispatch"):
        s.load(0)
        with s.frame("log"):
            for k in range(63):
                s.load(k, at=0x50)
            s.store(0, 9)
            s.call(words=1, answer=(1, 2, 3))
            s.store(0, 7)
            s.store(1, 42)
        s.load(2)
    assert s.found() == [("unbalanced-restore", 2, "wrong")]


def test_unbalanced_restore_on_no_path_at_all() -> None:
    s = request()
    with s.frame("dispatch"):
        s.load(0)
        with s.frame("log"):
            for k in range(63):
                s.load(k, at=0x50)
            s.store(0, 9)
            s.call(words=1, answer=(1, 2, 3))
        s.load(1)
    assert s.found() == [("unbalanced-restore", 1, "wrong")]


def test_a_store_over_an_overwritten_word_may_put_back_what_was_never_saved() -> None:
    s = request()
    with s.frame("dispatch"):
        s.load(0)
        with s.frame("record"):
            s.store(0, 9)
            s.call(words=1, answer=(1, 2))
            s.store(1, 5)
        s.load(1)
    assert s.found() == [("unbalanced-restore", 1, "wrong")]
    # It is for the second look to say where the value came from.
    assert [each.restore is not None for each in s.checker.candidates.all()] == [True]


def test_an_unbalanced_restore_alone_is_nothing() -> None:
    s = request()
    with s.frame("dispatch"):
        s.load(0)
        s.load(1)
        with s.frame("log"):
            for k in range(63):
                s.load(k, at=0x50)
            s.store(0, 9)
            s.call(words=1, answer=(1, 2, 3))
    assert s.found() == []


def save_and_restore(s: Story, words: int) -> None:
    values = [int.from_bytes(s.memory[8 * k : 8 * k + 8], "little") for k in range(words)]
    for k in range(words):
        s.load(k)
    with s.frame("tell"):
        s.store(0, 9)
        s.send(words=1)
    for k in range(words):
        s.store(k, values[k])


def test_a_word_that_was_lost_before_it_was_saved_is_put_back_as_lost() -> None:
    s = request()
    with s.frame("dispatch"):
        notify(s)
        with s.frame("guarded"):
            save_and_restore(s, 2)
        s.load(1)
    # Both reads: that which saves is for the second look to tell from one that uses.
    assert s.found() == [("stale-read", k, "wrong") for k in (0, 1, 1)]


def test_a_word_that_was_equal_by_luck_before_it_was_saved_stays_so() -> None:
    s = request()
    with s.frame("dispatch"):
        notify(s, answer=(7, 42))
        with s.frame("guarded"):
            save_and_restore(s, 2)
        s.load(1)
    assert s.found() == [("stale-read", k, "intact") for k in (0, 1, 1)]


def test_who_saves_an_answer_does_not_decide_whose_it_is() -> None:
    s = request()
    with s.frame("dispatch"):
        with s.frame("ask"):
            s.call(words=0, answer=(1, 2))
        with s.frame("guarded"):
            save_and_restore(s, 2)
        s.load(1)
    assert s.found() == [("stale-read", k, "wrong") for k in (0, 1, 1)]


def test_setup_clobbered_although_what_came_was_saved_and_put_back_twice() -> None:
    s = request()
    with s.frame("dispatch"):
        s.store(1, 84)
        notify(s)
        save_and_restore(s, 2)
        with s.frame("guarded"):
            save_and_restore(s, 2)
        s.store(0, 0)
    s.reply_and_wait(words=2)
    assert ("setup-clobbered", 1, "wrong") in s.found()


# -- beyond-count ------------------------------------------------------------------------


def test_beyond_count_of_words_from_before() -> None:
    s = request(7, 42)
    with s.frame("dispatch"):
        s.load(0)
        s.load(1)
    s.reply_and_wait(words=0, then=(7,))
    with s.frame("dispatch"):
        s.load(0)
        s.load(1)
    assert s.found() == [("beyond-count", 1, "wrong")]


def test_what_the_thread_has_stored_itself_is_not_beyond_the_count() -> None:
    s = request(7)
    with s.frame("dispatch"):
        s.load(0)
        s.store(1, 5)
        s.load(1)
    assert s.found() == []


def test_copying_all_registers_is_not_a_use_of_those_beyond_the_count() -> None:
    s = request(7)
    with s.frame("dispatch"):
        for k in range(63):
            s.load(k, at=0x50)
    assert s.found() == []


# -- setup-clobbered ---------------------------------------------------------------------


def test_setup_clobbered_by_a_call_before_the_reply() -> None:
    s = request()
    with s.frame("dispatch"):
        s.load(0)
        s.load(1)
        s.store(1, 84)
        with s.frame("log"):
            s.store(0, 0)
            s.store(1, 16)
            s.send(words=2)
        s.store(0, 0)
    s.reply_and_wait(words=2)
    assert s.found() == [("setup-clobbered", 1, "wrong")]


def test_setup_clobbered_by_an_answer() -> None:
    s = request()
    with s.frame("dispatch"):
        s.load(0)
        s.store(1, 84)
        with s.frame("log"):
            s.store(0, 9)
            s.call(words=1, answer=(1, 2))
        s.store(0, 0)
    s.reply_and_wait(words=2)
    assert s.found() == [("setup-clobbered", 1, "wrong")]


def test_a_helper_may_change_what_was_set_up() -> None:
    s = request()
    with s.frame("dispatch"):
        s.store(0, 0)
        with s.frame("put"):
            s.store(0, 84)
    s.reply_and_wait(words=1)
    assert s.found() == []


def test_a_proxy_stores_a_default_forwards_and_replies_with_what_came() -> None:
    s = request()
    with s.frame("dispatch"):
        s.load(0)
        s.load(1)
        s.store(1, 5)
        s.store(0, 9)
        with s.frame("ipc_call"):
            s.call(words=1, answer=(1, 2))
    s.reply_and_wait(words=2)
    assert s.found() == []


def test_a_late_reply_with_the_words_of_another_message() -> None:
    s = Story()
    s.wait(words=(7,), slot=5)
    with s.frame("begin"):
        s.store(1, 11)
    s.wait(words=(8, 9), sender=OTHER)
    with s.frame("finish"):
        s.store(0, 0)
        s.reply(words=2, slot=5)
    assert s.found() == [("setup-clobbered", 1, "wrong")]


def test_setup_clobbered_by_a_pager_that_answers_with_more_than_the_kernel_gives_back() -> None:
    s = Story()
    with s.frame("ask"):
        for word in range(3):
            s.store(word, word + 1)
        s.page_fault(answer=(9, 9, 9))
        s.call(words=3)
    assert s.found() == [("setup-clobbered", 2, "wrong")]


def test_what_the_kernel_gives_back_after_a_page_fault_is_not_lost() -> None:
    s = Story()
    with s.frame("ask"):
        for word in range(3):
            s.store(word, word + 1)
        s.page_fault(answer=(9, 9))
        s.call(words=3)
    assert s.found() == []


# -- leaked-word -------------------------------------------------------------------------


def test_leaked_word_of_another_client() -> None:
    s = request(7, 42)
    with s.frame("dispatch"):
        s.load(0)
    s.reply_and_wait(words=0, then=(7,), sender=OTHER)
    with s.frame("dispatch"):
        s.load(0)
        s.store(0, 1)
    s.reply_and_wait(words=2, to=OTHER)
    assert s.found() == [("leaked-word", 1, "wrong")]


def test_an_echo_leaks_nothing() -> None:
    s = request(7, 42)
    s.reply_and_wait(words=2, then=(8, 43), sender=OTHER)
    s.reply_and_wait(words=2, to=OTHER)
    assert s.found() == []


# -- buffers, errors, ends -----------------------------------------------------------------


def test_buffer_registers_clobbered() -> None:
    s = Story()
    with s.frame("serve"):
        s.store(BDR, 0)
        s.store(BR, 0x4000A)
        with s.frame("look_up"):
            s.store(BR, 0x4100A)
            s.store(0, 9)
            s.call(words=1, answer=())
        s.wait(words=(7,))
    assert s.found() == [("buffer-registers-clobbered", BR, "wrong")]


def test_buffers_that_are_put_back_are_innocent() -> None:
    s = Story()
    with s.frame("serve"):
        s.store(BR, 0x4000A)
        with s.frame("look_up"):
            s.load(BR)
            s.store(BR, 0x4100A)
            s.store(0, 9)
            s.call(words=1, answer=())
            s.store(BR, 0x4000A)
        s.wait(words=(7,))
    assert s.found() == []


def test_stale_error_word() -> None:
    s = Story()
    with s.frame("ask"):
        s.store(0, 1)
        s.fail(IpcError.SEND_TIMEOUT, words=1)
        with s.frame("log"):
            s.store(0, 2)
            s.fail(IpcError.NOT_EXISTENT, words=1)
        s.load(ERROR)
    assert s.found() == [("stale-error-word", ERROR, "wrong")]


def test_the_error_word_read_at_once_is_innocent() -> None:
    s = Story()
    with s.frame("ask"):
        s.store(0, 1)
        s.fail(IpcError.SEND_TIMEOUT, words=1)
        s.load(ERROR)
        with s.frame("log"):
            s.store(0, 2)
            s.fail(IpcError.NOT_EXISTENT, words=1)
    assert s.found() == []


def test_outside_message_registers() -> None:
    s = Story()
    s.store(62, 1)
    s.store(SELF, 1)
    assert s.found() == [("outside-message-registers", SELF, "wrong")]


@pytest.mark.parametrize("word", [BDR, BR, ERROR])
def test_stores_behind_the_address_are_for_other_things(word: int) -> None:
    s = Story()
    s.store(62, 1)
    s.store(word, 1)
    assert s.found() == []


def test_who_puts_all_of_a_utcb_back_stores_its_address_as_it_was() -> None:
    s = Story()
    s.store(SELF, 0)
    assert s.found() == []


def test_foreign_utcb_of_a_thread_that_has_run() -> None:
    s = Story()
    s.checker.shadow(OTHER).has_run = True
    s.store(0, 1, owner=OTHER)
    assert s.found() == [("foreign-utcb", 0, "wrong")]


def test_the_utcb_of_a_thread_that_has_not_run_yet_is_prepared() -> None:
    s = Story()
    s.store(0, 1, owner=OTHER)
    assert s.found() == []


# -- counts ------------------------------------------------------------------------------


def test_words_that_are_stored_and_not_counted_are_a_note() -> None:
    s = request()
    with s.frame("dispatch"):
        s.store(0, 1)
        s.store(1, 2)
    s.reply_and_wait(words=1)
    assert s.found() == []
    assert ("count-mismatch", 1) in s.notes()


def test_restoring_63_words_and_replying_with_one_is_not_even_a_note() -> None:
    s = request()
    with s.frame("dispatch"):
        for k in range(63):
            s.load(k, at=0x50)
        with s.frame("notify"):
            s.store(0, 9)
            s.call(words=1, answer=(1, 2))
        for k in range(63):
            s.store(k, (7, 42)[k] if k < 2 else 0)
        s.store(0, 1)
    s.reply_and_wait(words=1)
    assert s.found() == []
    assert [note for note in s.notes() if note[0] == "count-mismatch"] == []


# -- reply capability ----------------------------------------------------------------------


def test_reply_capability_lost_in_a_nested_wait() -> None:
    s = request()
    with s.frame("dispatch"):
        s.load(0)
        with s.frame("wait_for_event"):
            s.wait(words=(1,), sender=OTHER)
            s.load(0)
            s.reply(words=0, to=OTHER)
    s.reply_and_wait(words=0)
    assert [each[0] for each in s.found()] == ["reply-capability-lost"]


def test_an_explicit_slot_keeps_the_reply_capability() -> None:
    s = request()
    with s.frame("dispatch"):
        s.load(0)
        with s.frame("wait_for_event"):
            s.wait(words=(1,), sender=OTHER, slot=5)
            s.load(0)
            s.reply(words=0, to=OTHER, slot=5)
    s.reply_and_wait(words=0, to=CLIENT)
    assert s.found() == []


# -- notes -------------------------------------------------------------------------------


def test_hidden_ipc_two_calls_down_is_a_note() -> None:
    s = request()
    with s.frame("dispatch"):
        s.load(0)
        with s.frame("alloc"), s.frame("refill"):
            s.store(0, 9)
            s.call(words=1, answer=())
    assert s.notes() == [("hidden-ipc", 1)]
