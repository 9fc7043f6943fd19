"""The target description that gdb is given: which registers there are, and in what order.

Names and features are those of gdb's manual, appendix G.5.14 (i386 Features).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Register:
    """A register as gdb knows it; `source` is the timeline's name, empty if it has none."""

    name: str
    bits: int
    source: str
    kind: str  # gdb's type


_SEGMENTS = ("cs", "ss", "ds", "es", "fs", "gs")
_FPU = ("fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop")


def registers_of(word: int) -> tuple[Register, ...]:
    """List the registers of the architecture with `word` bytes in a word, in gdb's order."""
    if word == 8:
        general = ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"]
        general += [f"r{number}" for number in range(8, 16)]
        ip = "rip"
    else:
        general = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"]
        ip = "eip"
    bits = word * 8
    stack = ("rsp", "rbp", "esp", "ebp")
    found = [
        Register(name, bits, name, "data_ptr" if name in stack else f"int{bits}")
        for name in general
    ]
    found.append(Register(ip, bits, ip, "code_ptr"))
    found.append(Register("eflags", 32, "flags", "i386_eflags"))
    found += (Register(name, 32, name, "int32") for name in _SEGMENTS)
    # gdb insists on them; a timeline does not know them, and says so.
    found += (Register(f"st{number}", 80, "", "i387_ext") for number in range(8))
    found += (Register(name, 32, "", "int") for name in _FPU)
    return tuple(found)


def segment_bases(word: int) -> tuple[Register, ...]:
    """List the registers of the feature for segment bases."""
    if word != 8:
        return ()
    return tuple(Register(name, 64, name, "int") for name in ("fs_base", "gs_base"))


def describe_target(word: int) -> str:
    """Make ``target.xml``."""
    arch = "i386:x86-64" if word == 8 else "i386"
    lines = [
        '<?xml version="1.0"?>',
        '<!DOCTYPE target SYSTEM "gdb-target.dtd">',
        f"<target><architecture>{arch}</architecture>",
        '<feature name="org.gnu.gdb.i386.core">',
        _FLAGS,
        *map(_describe, registers_of(word)),
        "</feature>",
    ]
    bases = segment_bases(word)
    if bases:
        lines += ('<feature name="org.gnu.gdb.i386.segments">', *map(_describe, bases))
        lines.append("</feature>")
    return "\n".join((*lines, "</target>\n"))


def _describe(register: Register) -> str:
    group = ' group="float"' if not register.source else ""
    return (
        f'<reg name="{register.name}" bitsize="{register.bits}" type="{register.kind}"{group}/>'
    )


_NAMES = {
    "CF": 0,
    "": 1,
    "PF": 2,
    "AF": 4,
    "ZF": 6,
    "SF": 7,
    "TF": 8,
    "IF": 9,
    "DF": 10,
    "OF": 11,
    "NT": 14,
    "RF": 16,
    "VM": 17,
    "AC": 18,
    "VIF": 19,
    "VIP": 20,
    "ID": 21,
}
_FLAGS = "\n".join(
    (
        '<flags id="i386_eflags" size="4">',
        *(f'<field name="{name}" start="{at}" end="{at}"/>' for name, at in _NAMES.items()),
        "</flags>",
    )
)
