"""The generated constants: every number of kernel.abi, once, for assembly and C."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from guest.abi_include import assembler, c_header, constants
from kernel import abi, utcb
from kernel.abi import AMD64, IA32, Arch


@pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)
def test_names_that_programs_rely_on_have_the_abis_values(arch: Arch) -> None:
    found = constants(arch)

    wanted = {
        "L4_CALL": abi.CALL,
        "L4_REPLY_AND_WAIT": abi.REPLY_AND_WAIT,
        "L4_CAP_SHIFT": 12,
        "L4_CAP_TASK": 0x1000,
        "L4_CAP_LOG": 0x5000,
        "L4_CAP_SCHEDULER": 0x7000,
        "L4_PROTO_LOG": -13,
        "L4_EBADPROTO": 39,
        "L4_EOK": 0,
        "L4_IPC_SEND_TIMEOUT": 2,
        "L4_TIMEOUT_BOTH_ZERO": 0x0400_0400,
        "L4_EX_REGS_CANCEL": 0x10000,
        "UTCB_WORD": arch.word,
        "UTCB_SIZE": 128 * arch.word,
        "UTCB_MR0": 0,
        "UTCB_MR62": 62 * arch.word,
        "UTCB_SELF": utcb.SELF * arch.word,
        "UTCB_BDR": utcb.BDR * arch.word,
        "UTCB_BR0": utcb.BR * arch.word,
        "UTCB_ERROR": utcb.ERROR * arch.word,
        "UTCB_USER": utcb.USER * arch.word,
    }
    assert {name: found[name] for name in wanted} == wanted
    assert ("L4_CALL_PAGE" in found) == (arch is IA32)


def test_the_include_is_one_definition_per_constant() -> None:
    lines = assembler(IA32).splitlines()

    assert [
        re.fullmatch(r"\.equ (\w+), (0x[0-9a-f]+|-?\d+)", line) is None for line in lines
    ] == [False] * len(constants(IA32))
    assert ".equ L4_CALL_PAGE, 0xeacff000" in lines


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
@pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)
def test_the_header_has_the_same_values_for_c(arch: Arch, folder: Path) -> None:
    checks = "".join(
        f'_Static_assert((long long)({name}) == {value}LL, "{name}");\n'
        for name, value in constants(arch).items()
    )
    Path("abi.h").write_text(c_header())
    Path("check.c").write_text(f'#include "abi.h"\n#include "abi.h"\n{checks}')

    subprocess.run(
        ["gcc", f"-m{arch.bits}", "-ffreestanding", "-fsyntax-only", "check.c"], check=True
    )
