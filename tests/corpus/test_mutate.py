"""Mutants of innocent servers assemble, and execution tells which of them are guilty."""

from collections import Counter
from pathlib import Path

import pytest

from bench.detection.mutants import ORIGINALS, Bench, Standing
from guest.assemble import assemble
from guest.corpus.mutate import REPLY_WORDS, Change, Content, Mutant, mutants, partner
from guest.corpus.narrow import narrow
from guest.corpus.variants import CORPUS
from kernel.abi import ARCHES

DOUBLE_42 = (7, 42)  # what common/client.s sends
SERVERS = {original.name: original for original in ORIGINALS}
W, U, E, N = Standing.WRONG, Standing.UNSEEN, Standing.EQUAL, Standing.EQUIVALENT


def bench_for(name: str, folder: Path, arch: str) -> Bench:
    original = SERVERS[name]
    return Bench(original.scenario, original.request, folder, arch)


def test_the_mutants_are_these() -> None:
    found = {name: Counter(m.change for m in SERVERS[name].mutants()) for name in SERVERS}

    moved, save, restore = Change.READ_MOVED, Change.SAVE_REMOVED, Change.RESTORE_REMOVED
    assert found == {
        "nested_call": {moved: 1},
        "malloc": {save: 1, restore: 1},
        "missing_restore": {save: 1, restore: 1},
        "wrong_offset": {save: 4, restore: 4},
        "restore_63_reply_1": {save: 1, restore: 1},
        "bulk_copy_out": {},
        "saving_callee": {save: 2, restore: 2},
        "sse_copies": {save: 1, restore: 1},
        "returned_pointer": {moved: 1},
    }


def test_a_mutant_differs_from_its_original_in_one_place() -> None:
    for name in SERVERS:
        original = SERVERS[name].source().splitlines()
        for mutant in SERVERS[name].mutants():
            changed = mutant.source.splitlines()
            assert changed[: mutant.line - 1] == original[: mutant.line - 1]
            assert changed[mutant.line - 1] != original[mutant.line - 1]
            if mutant.change is Change.READ_MOVED:
                assert sorted(changed) == sorted(original)


def test_a_read_does_not_move_behind_a_call_that_needs_its_register() -> None:
    source = """
f:
    mov rax, qword ptr [rbx + UTCB_MR1]
    call g
    ret
g:
    mov qword ptr [rbx + UTCB_MR0], rax
    ret
"""
    assert list(mutants(source)) == []
    assert [m.line for m in mutants(source.replace("R0], rax", "R0], 1"))] == [3]


def test_a_read_does_not_move_behind_a_request_of_the_server_itself() -> None:
    for name in ("wrapper", "forwarding", "guarded_error_word"):
        source = (CORPUS / "innocent" / "amd64" / f"{name}.s").read_text()
        assert [m for m in mutants(source) if m.change is Change.READ_MOVED] == []


@pytest.mark.parametrize("arch", ARCHES)
def test_every_mutant_and_every_partner_assembles(tmp_path: Path, arch: str) -> None:
    texts = [mutant.source for name in SERVERS for mutant in SERVERS[name].mutants()]
    texts += [partner(w, c, DOUBLE_42) for w in REPLY_WORDS for c in Content]
    for number, text in enumerate(texts):
        path = tmp_path / f"{number}.s"
        path.write_text(text if arch == "amd64" else narrow(text))
        assemble(path, ARCHES[arch])


@pytest.mark.parametrize("arch", ARCHES)
def test_a_moved_read_is_wrong_or_right_by_luck_as_partners_answer(
    tmp_path: Path, arch: str
) -> None:
    (moved,) = SERVERS["nested_call"].mutants()

    # mr[1] of the request is 42; the nested request puts 3 there, and longer answers more.
    assert bench_for("nested_call", tmp_path, arch).judge(
        SERVERS["nested_call"].source(), moved
    ) == {
        (1, Content.OTHER): W,
        (1, Content.SAME): W,
        (3, Content.OTHER): W,
        (3, Content.SAME): E,
        (8, Content.OTHER): W,
        (8, Content.SAME): E,
    }


@pytest.mark.parametrize("name", SERVERS)
def test_execution_finds_the_guilty_among_the_mutants(tmp_path: Path, name: str) -> None:
    bench = bench_for(name, tmp_path, "amd64")
    original = SERVERS[name].source()
    guilty = [W in bench.judge(original, mutant).values() for mutant in SERVERS[name].mutants()]

    # Words that nobody reads afterwards may be lost.
    harmless = {
        "wrong_offset": [False, False, True, True, True, True, False, False],
        "saving_callee": [False, True, True, False],
    }
    assert guilty == harmless.get(name, [True] * len(guilty))


@pytest.mark.parametrize("arch", ARCHES)
def test_an_original_is_not_judged_wrong(tmp_path: Path, arch: str) -> None:
    source = SERVERS["malloc"].source()
    same = Mutant(source, Change.READ_MOVED, 1, 1)

    standings = bench_for("malloc", tmp_path, arch).judge(source, same)

    assert W not in standings.values()
