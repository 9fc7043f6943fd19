"""A word that waits in a register across a call is found in straight code only."""

from pathlib import Path

import pytest

from guest.assemble import assemble
from kernel.abi import ARCHES
from lab.replay.staged import find_staged


def values(folder: Path, body: str, *, arch: str = "ia32") -> list[int]:
    """Give what registers were set to that `body` stores later."""
    path = folder / "staged.s"
    path.write_text(f".text\n_start:\n{body}\nf:\n    ret\n")
    return [each.value for each in find_staged(assemble(path, ARCHES[arch])).values()]


@pytest.mark.parametrize("arch", ARCHES)
def test_a_register_that_was_set_before_a_call_and_is_stored_after_it(
    tmp_path: Path, arch: str
) -> None:
    body = "mov edi, 42\nmov esi, 7\ncall f\nmov [ebx], esi\nmov [ebx + 4], edi\nret"
    if arch == "amd64":
        body = body.replace("[ebx", "[rbx").replace("], e", "], r")

    assert sorted(values(tmp_path, body, arch=arch)) == [7, 42]


@pytest.mark.parametrize(
    "body",
    [
        "call f\nmov edi, 42\nmov [ebx], edi\nret",  # set after the call
        "mov edi, 42\ncall f\nmov edi, eax\nmov [ebx], edi\nret",  # set again
        "mov edi, 42\nmov ecx, edi\ncall f\nmov [ebx], edi\nret",  # read before
        "mov edi, 42\ncall f\njz f\nmov [ebx], edi\nret",  # not straight
        "mov edi, 42\ncall f\nmov [edi], eax\nret",  # an address, not what is stored
    ],
)
def test_other_uses_of_registers_are_none(tmp_path: Path, body: str) -> None:
    assert values(tmp_path, body) == []
