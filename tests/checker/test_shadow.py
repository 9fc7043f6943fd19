"""The shadow holds what the UTCB holds, whatever comes, and stays small."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.checker.story import Story

WORDS = st.integers(0, 127)
VALUES = st.integers(0, 3)
ANSWERS = st.lists(VALUES, max_size=8).map(tuple)
STEPS = st.one_of(
    st.tuples(st.just("load"), WORDS),
    st.tuples(st.just("store"), WORDS, VALUES),
    st.tuples(st.just("call"), st.integers(0, 8), ANSWERS),
    st.tuples(st.just("send"), st.integers(0, 8)),
    st.tuples(st.just("wait"), ANSWERS),
    st.tuples(st.just("reply"), st.integers(0, 8), ANSWERS),
    st.tuples(st.just("invoke"), st.integers(0, 8), ANSWERS),
    st.tuples(st.just("fault"), ANSWERS),
    st.tuples(st.just("enter")),
    st.tuples(st.just("leave")),
)


def tell(steps: list[tuple[object, ...]]) -> Story:
    """Let all steps happen, each `enter` being a call that its `leave` returns from."""
    story = Story()
    todo = list(steps)

    def go() -> None:
        while todo:
            kind, *rest = todo.pop(0)
            match kind:
                case "load":
                    story.load(rest[0])  # type: ignore[arg-type]
                case "store":
                    story.store(rest[0], rest[1])  # type: ignore[arg-type]
                case "call":
                    story.call(words=rest[0], answer=rest[1])  # type: ignore[arg-type]
                case "send":
                    story.send(words=rest[0])  # type: ignore[arg-type]
                case "wait":
                    story.wait(words=rest[0])  # type: ignore[arg-type]
                case "reply":
                    story.reply_and_wait(words=rest[0], then=rest[1])  # type: ignore[arg-type]
                case "invoke":
                    story.invoke(words=rest[0], answer=rest[1])  # type: ignore[arg-type]
                case "fault":
                    story.page_fault(answer=rest[0])  # type: ignore[arg-type]
                case "enter":
                    with story.frame("f"):
                        go()
                case _:
                    return

    while todo:
        go()
    return story


@given(st.lists(STEPS, max_size=60))
@settings(max_examples=300, deadline=None)
def test_the_shadow_replayed_equals_memory(steps: list[tuple[object, ...]]) -> None:
    story = tell(steps)

    assert bytes(story.checker.shadow(1).memory) == bytes(story.memory)


@given(st.lists(STEPS, min_size=5, max_size=30))
@settings(max_examples=50, deadline=None)
def test_what_is_kept_does_not_grow_with_the_run(steps: list[tuple[object, ...]]) -> None:
    story = tell(steps * 20)
    shadow = story.checker.shadow(1)

    depth = sum(step[0] == "enter" for step in steps) * 20 + 1
    assert len(shadow.turns) <= 3 * depth
    assert len(shadow.pending) <= 2048
