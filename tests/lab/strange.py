"""Strange findings: whatever a hostile program can be called, and numbers of any size."""

from hypothesis import strategies as st

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

_MARKUP = [
    "[red]x[/red]",
    "[bold",
    "](http://x)",
    "{0}",
    "operator[]",
    "\x1b[31m",
    "a\nb",
    ":smile:",
]
names = (
    st.text(max_size=12)
    | st.sampled_from(_MARKUP)
    | st.text("[]{}()\\\"'`*?\u202e\u754c", max_size=8)
)
numbers = st.integers(0, 2**64 - 1) | st.integers(0, 300)
positions = st.integers(0, 10**12)
frames = st.builds(
    Frame,
    names,
    names,
    numbers,
    names | st.just("/a b/c.s"),
    st.integers(0, 9999),
    st.booleans(),
)
stacks = st.lists(frames, max_size=3).map(tuple)
accesses = st.builds(Access, positions, positions, numbers, names, stacks)
messages = st.builds(
    Message,
    names,
    names,
    names,
    names,
    numbers,
    st.integers(-(2**31), 2**31),
    st.lists(numbers, max_size=63).map(tuple),
    st.integers(0, 31),
    positions,
    positions,
    names,
    st.none() | positions,
)
words = st.builds(
    Word,
    names | st.just("mr[1]"),
    st.none() | numbers,
    numbers,
    names,
    names | st.sampled_from(["STALE", "undefined", "consumed"]),
    st.booleans(),
    st.none() | accesses,
    st.booleans(),
)
findings = st.builds(
    Finding,
    id=st.integers(1, 99).map(lambda k: f"F{k}"),
    rule=st.sampled_from(Rule),
    verdict=st.sampled_from(Verdict),
    attribution=st.sampled_from(Attribution),
    effect=st.sampled_from(Effect),
    thread=names,
    task=names,
    register=names | st.just("mr[1..2]"),
    offset=st.integers(0, 1023),
    size=st.integers(1, 16),
    function=names,
    file=names | st.just("/elsewhere/x.c"),
    line=st.integers(0, 9999),
    access=accesses,
    summary=names,
    expected=st.none() | numbers,
    actual=st.none() | numbers,
    message=st.none() | messages,
    clobber=st.none()
    | st.builds(
        Clobber,
        st.none() | messages,
        st.lists(accesses, max_size=2).map(tuple),
        st.none() | positions,
        st.none() | accesses,
    ),
    words=st.lists(words, max_size=4).map(tuple),
    consequences=st.lists(
        st.builds(Consequence, names, positions, names, names), max_size=2
    ).map(tuple),
    checks=st.lists(st.tuples(names, names), max_size=2).map(tuple),
    cure=names,
    count=st.integers(1, 10**6),
    identity=st.lists(names, max_size=3).map(tuple),
    suppressed=st.just("") | names,
)
