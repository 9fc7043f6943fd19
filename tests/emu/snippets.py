"""Random programs that access memory in every way."""

from hypothesis import strategies as st

from tests.emu.rig import ARCHES

_NAMES = ("AX", "BX", "CX", "SI", "DI", "SP")


def localise(source: str, arch: str) -> str:
    """Give registers in capitals the full width."""
    for name in _NAMES:
        source = source.replace(name, ("r" if arch == "amd64" else "e") + name.lower())
    return source


def loop_of(lines: list[str], source: int, destination: int) -> str:
    """Make a program that does this for ever, with `si` and `di` at these addresses first."""
    return f"mov esi, {source}; mov edi, {destination}; l: {'; '.join(lines)}; jmp l"


_LINES = (
    *("mov [OP], ax", "mov bx, [OP]", "add [OP], eax", "adc dword ptr [OP], 3"),
    *("xchg [OP], eax", "lock xadd [OP], ebx", "cmpxchg [OP], ebx", "push AX", "pop BX"),
    *("push [OP]", ".byte 0x8f, 0x06", "movsb", "stosd", "lodsd", "cmpsb", "scasd"),
    *("mov ecx, 5; rep movsb", "mov ecx, 3; rep stosd", "mov ecx, 2; repne scasb"),
    *("movups xmm0, [OP]", "movups [OP], xmm0", "movd [OP], xmm0", "paddd xmm0, xmm0"),
    *("fild dword ptr [OP]", "fistp word ptr [OP]", "bts dword ptr [OP], 3", "setc [OP]"),
    *("rcl dword ptr [OP], 1", "not byte ptr [OP]", "imul eax, [OP], 7", "inc SI", "add DI, 5"),
    *("cmp eax, [OP]", "jc $+2", "call $+5", "lahf", "sahf", "PUSHF", "shl dword ptr [OP], 3"),
)


@st.composite
def snippets(draw: st.DrawFn) -> tuple[str, list[str]]:
    arch = draw(st.sampled_from(ARCHES))
    lines = []
    for _ in range(draw(st.integers(1, 25))):
        line = draw(st.sampled_from(_LINES))
        base = draw(st.sampled_from(("SI", "DI")))
        offset = draw(st.one_of(st.integers(-20, 20), st.integers(4080, 4100)))
        line = line.replace("OP", f"{base} + {offset}")
        if line == "PUSHF":
            line = "pushf" if arch == "amd64" else "pushfd"
        lines.append(localise(line, arch))
    return arch, lines
