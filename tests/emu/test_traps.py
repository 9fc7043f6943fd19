"""What a program does, and the trap that comes of it."""

import pytest

from emu.traps import AMD64_SCRATCH, DEADLINE, EXCEPTION, IA32_SCRATCH, PAGE_FAULT, SYSTEM_CALL
from tests.emu.rig import ARCHES, CALL_PAGE, CODE, DATA, STACK, assemble, rig


def test_amd64_system_call_carries_its_registers_and_gives_them_back() -> None:
    """ABI 1.1: rax, rdx, rsi and r8 in, rax and rsi out; rcx, r11 and r15 are lost."""
    it = rig(
        "amd64",
        "mov rax, 0x1122334455667788; mov rdx, 0x2003; mov rsi, -2; mov r8, 0x1234567890abcdef;"
        "stc; syscall; nop; syscall",
    )
    context = it.context

    assert it.run() == SYSTEM_CALL
    after = CODE + len(assemble("mov rax, 0x1122334455667788", "amd64"))
    assert (context.tag, context.selector) == (0x1122334455667788, 0x2003)
    assert (context.label, context.timeout) == (2**64 - 2, 0x90ABCDEF)
    assert context.ip > after
    flags, back = context.load_register("flags"), context.ip
    context.tag, context.label = 5, 6
    assert it.run() == SYSTEM_CALL
    assert (context.tag, context.label) == (5, 6)
    names = ("r11", "r15")
    assert [context.load_register(name) for name in names] == [flags, AMD64_SCRATCH]
    assert flags == 0x203
    assert context.load_register("rcx") == context.ip == back + 3


@pytest.mark.parametrize("program", ["int 0x30", f"mov edi, {CALL_PAGE}; call edi"])
def test_ia32_system_call_carries_its_registers(program: str) -> None:
    """ABI 1.2: eax, edx, esi and ecx, by int 0x30 or the call page."""
    it = rig("ia32", f"mov eax, 1; mov edx, 0x2003; mov esi, -2; mov ecx, 77; {program}")
    context = it.context

    assert it.run() == SYSTEM_CALL
    assert (context.tag, context.selector) == (1, 0x2003)
    assert (context.label, context.timeout) == (2**32 - 2, 77)
    assert context.load_register("ecx") == IA32_SCRATCH


def test_tag_and_label_go_back_only_after_a_system_call() -> None:
    """ABI 5.1: a page fault changes no register."""
    it = rig("amd64", "mov rbx, [0x1000]; mov rbx, [0x2000]")
    it.run()
    it.context.tag = it.context.label = 99

    it.run()

    assert it.context.load_register("rax") == it.context.load_register("rsi") == 0


def test_tag_is_stored_even_if_the_ip_was_changed_in_the_call() -> None:
    """ABI 1.1: the return is behind syscall unless ex_regs changed the ip."""
    it = rig("amd64", "syscall; nop; nop; l: syscall")
    it.run()
    it.context.tag, it.context.ip = 7, CODE + 4

    assert it.run() == SYSTEM_CALL
    assert (it.context.tag, it.context.ip) == (7, CODE + 6)


@pytest.mark.parametrize("arch", ARCHES)
def test_first_registers_are_zero_and_segments_as_the_abi_says(arch: str) -> None:
    """ABI 1.2: segments and flags at the first entry; the registers are 0."""
    it = rig(arch, "nop; call l; l: pushfd; mov eax, cs" if arch == "ia32" else "nop")
    context = it.context
    names = ("ax", "cx", "dx", "bx", "bp", "si", "di")

    assert [context.load_register("er"[arch == "amd64"] + name) for name in names] == [0] * 7
    assert context.load_register("flags") == 0x202
    bases = ("fs_base", "gs_base", "ss_base")
    thread = DATA + 0x100
    wanted = [0, thread, 0] if arch == "amd64" else [thread, thread, 0]
    assert [context.load_register(base) for base in bases] == wanted


def test_ia32_segments_survive_a_reload_of_their_selector() -> None:
    it = rig(
        "ia32",
        "mov ax, fs; mov bx, gs; mov cx, cs; mov dx, ss; mov fs, ax; mov esi, fs:[0];"
        "mov gs, bx; mov edi, gs:[4]; int 0x30",
    )
    it.machine.write(1, DATA + 0x100, b"\x11\0\0\0\x22\0\0\0")

    it.run()

    context = it.context
    names = ("eax", "ebx", "esi", "edi")
    assert [context.load_register(name) for name in names] == [0x43, 0x43, 0x11, 0x22]
    assert (context.timeout, context.selector) == (0x1B, 0x23)


def test_two_ia32_threads_have_segments_of_their_own() -> None:
    """ABI 1.4: the segment base points at word 63 of the thread's UTCB."""
    it = rig("ia32", "mov fs, ax; mov eax, 0x43; mov fs, ax; mov eax, fs:[0]; int 0x30")
    it.machine.write(1, DATA, b"\x01\0\0\0\x02\0\0\0")
    tags = []
    for number in (2, 3):
        context = it.machine.create_context(
            number, space=1, ip=CODE, sp=STACK, thread_base=DATA + 4 * (number - 2)
        )
        assert it.machine.run(context, 1000) == SYSTEM_CALL
        tags.append(context.tag)

    assert tags == [1, 2]


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize(
    ("access", "address", "error"),
    [
        ("mov eax, [{0}]", 0x1000, 4),
        ("mov [{0}], eax", 0x1000, 6),
        ("mov [{0}], eax", CODE, 7),
        ("mov eax, [{0}]", 0xFFFFFFFFFF000000, 5),
    ],
)
def test_page_faults_say_where_and_why(
    arch: str, access: str, address: int, error: int
) -> None:
    """ABI 5.1: address and error code of a page fault."""
    address = address if arch == "amd64" else address & 0xFFFFFFFF
    register = "rbx" if arch == "amd64" else "ebx"
    start = f"nop; mov {register}, {address}; "
    it = rig(arch, start + access.format(register) + "; nop")

    assert it.run() == PAGE_FAULT
    context = it.context
    assert (context.address, context.error) == (address, error)
    assert context.ip == CODE + len(assemble(start, arch))
    assert it.machine.instructions == 2


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("setter", ["inc eax", "sub eax, 1", "add eax, -1", "imul eax, eax, 3"])
@pytest.mark.parametrize(
    "access",
    ["setle [{0}]", "seto [{0}]", "sete [{0}]", "setp [{0}]", "seta [{0}]", "setc [{0}]"]
    + ["rcl dword ptr [{0}], 1", "rcr dword ptr [{0}], cl", "adc [{0}], eax"]
    + ["lock cmpxchg8b [{0}]", "cmovle eax, [{0}]", "sbb eax, [{0}]", "bts [{0}], eax"],
)
def test_a_fault_leaves_the_flags_alone(arch: str, setter: str, access: str) -> None:
    base = "rbx" if arch == "amd64" else "ebx"
    # The flags come from the same translation, or from the one before.
    for between in ("; ", "; jmp l; l: "):
        it = rig(arch, f"{setter}{between}{access.format(base)}")
        reference = rig(arch, f"{setter}; int3")
        assert (it.run(), reference.run()) == (PAGE_FAULT, EXCEPTION)
        assert it.context.load_register("flags") == reference.context.load_register("flags")


@pytest.mark.parametrize("arch", ARCHES)
def test_fetch_from_data_and_from_nowhere(arch: str) -> None:
    """ABI 5.1: bit 2 of the fault word: instruction fetch."""
    it = rig(arch, f"jmp {DATA}")

    assert it.run() == PAGE_FAULT
    assert (it.context.ip, it.context.address, it.context.error) == (DATA, DATA, 0x15)
    it.context.ip = 0
    assert it.run() == PAGE_FAULT
    assert (it.context.ip, it.context.address, it.context.error) == (0, 0, 0x14)


@pytest.mark.parametrize("arch", ARCHES)
def test_address_zero_can_hold_code(arch: str) -> None:
    it = rig(arch, "nop")
    it.machine.map(1, 0, 0x9000, 5)
    it.machine.write(1, 0, assemble("mov eax, 7; ud2", arch))
    it.context.ip = 0

    assert it.run() == EXCEPTION
    assert (
        it.context.vector,
        it.context.ip,
        it.context.load_register("eax" if arch == "ia32" else "rax"),
    ) == (6, 5, 7)


def test_non_canonical_jump_is_a_protection_fault() -> None:
    it = rig("amd64", "mov rax, 0x800000000000; jmp rax")

    assert it.run() == EXCEPTION
    assert (it.context.vector, it.context.error) == (13, 0)


# bytes, vector, error, whether the ip is behind the instruction; per architecture
EXCEPTIONS = {
    "int3": (b"\xcc", 3, 0, True),
    "int 3": (b"\xcd\x03", 3, 0, True),
    "int 0x80": (b"\xcd\x80", 13, 0x402, False),
    "int 0x0e": (b"\xcd\x0e", 13, 0x72, False),
    "icebp": (b"\xf1", 1, 0, True),
    "in": (b"\xec", 13, 0, False),
    "out": (b"\xe6\x60", 13, 0, False),
    "rep insb": (b"\xf3\x6c", 13, 0, False),
    "outsd": (b"\x6f", 13, 0, False),
    "ud2": (b"\x0f\x0b", 6, 0, False),
    "sysenter": (b"\x0f\x34", 13, 0, False),
    "hlt": (b"\xf4", 13, 0, False),
    "cli": (b"\xfa", 13, 0, False),
    "rdrand": (b"\x0f\xc7\xf0", 6, 0, False),
    "lock nop": (b"\xf0\x90", 6, 0, False),
    "div by zero": (b"\xf7\xf1", 0, 0, False),
    "rdmsr": (b"\x0f\x32", 13, 0, False),
    "mov from cr0": (b"\x0f\x20\xc0", 13, 0, False),
}


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("name", EXCEPTIONS)
def test_exceptions_are_exact_and_what_comes_before_is_done(arch: str, name: str) -> None:
    """ABI 5.2: any other trap of user mode, at its instruction."""
    code, vector, error, after = EXCEPTIONS[name]
    before = assemble("mov ebx, 1; mov esi, 2", arch)
    it = rig(arch, before + code + assemble("mov ebx, 3", arch))

    assert it.run() == EXCEPTION
    context = it.context
    assert (context.vector, context.error) == (vector, error)
    assert context.ip == CODE + len(before) + (len(code) if after else 0)
    assert context.load_register("rbx" if arch == "amd64" else "ebx") == 1
    assert it.machine.instructions == 2 + after


@pytest.mark.parametrize(
    ("arch", "code", "vector", "error"),
    [("amd64", b"\xcd\x30", 13, 0x182), ("ia32", b"\x0f\x05", 6, 0)],
)
def test_the_other_architectures_system_call_is_an_exception(
    arch: str, code: bytes, vector: int, error: int
) -> None:
    """ABI 1.1, 1.2: each architecture has one way in."""
    it = rig(arch, b"\x90" + code)

    assert it.run() == EXCEPTION
    assert (it.context.vector, it.context.error, it.context.ip) == (vector, error, CODE + 1)


def test_into_traps_behind_itself_and_only_on_overflow() -> None:
    it = rig("ia32", "into; mov al, 127; add al, 1; into; nop")

    assert it.run() == EXCEPTION
    assert (it.context.vector, it.context.ip, it.machine.instructions) == (4, CODE + 6, 4)


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize(("value", "zero"), [(0x300, 0x40), (0, 0)])
def test_cmpxchg8b_keeps_all_flags_but_one(arch: str, value: int, zero: int) -> None:
    # What the addition leaves has not been looked at when the comparison comes.
    base = "rdi" if arch == "amd64" else "edi"
    it = rig(
        arch,
        f"mov edi, {DATA}; mov eax, 0x300; add ebx, eax; cmpxchg8b [{base}]; jmp l; l: int3",
    )
    it.machine.write(1, DATA, value.to_bytes(8, "little"))

    assert it.run() == EXCEPTION
    assert (it.context.vector, it.context.load_register("flags")) == (3, 0x206 | zero)


@pytest.mark.parametrize("arch", ARCHES)
def test_rdtsc_is_the_machines_own_clock(arch: str) -> None:
    it = rig(arch, "nop; rdtsc; mov ebx, eax; rdtscp; jmp l; l: mov esi, eax; int3")
    it.machine.charge(5_000_000_000)

    it.run(10**12)

    base = 5_000_000_000 + 5
    names = ("rbx", "rsi", "rdx") if arch == "amd64" else ("ebx", "esi", "edx")
    loaded = [it.context.load_register(name) for name in names]
    assert loaded == [base & 0xFFFFFFFF, base & 0xFFFFFFFF, base >> 32]


@pytest.mark.parametrize("arch", ARCHES)
def test_cpuid_says_the_same_every_time(arch: str) -> None:
    program = "".join(
        f"mov eax, {leaf}; xor ecx, ecx; cpuid; mov [edi], eax; mov [edi+4], ebx;"
        "mov [edi+8], ecx; mov [edi+12], edx; add edi, 16;"
        for leaf in (0, 1, 2, 4, 7, 0x80000001)
    )
    source = f"mov edi, {DATA}; {program} int3"
    seen = []
    for _ in range(2):
        it = rig(arch, source)
        it.run()
        seen.append(it.machine.read(1, DATA, 96))
        it.machine.close()

    assert seen[0] == seen[1] != bytes(96)


@pytest.mark.parametrize("arch", ARCHES)
def test_the_trap_flag_traps_behind_every_instruction(arch: str) -> None:
    push, pop = ("pushf", "popf") if arch == "amd64" else ("pushfd", "popfd")
    sp = "rsp" if arch == "amd64" else "esp"
    it = rig(arch, f"{push}; or dword ptr [{sp}], 0x100; {pop}; nop; inc ebx; nop")
    seen = []
    for _ in range(3):
        trap = it.run()
        seen.append((trap, it.context.vector, it.context.ip, it.machine.instructions))

    start = CODE + len(assemble(f"{push}; or dword ptr [{sp}], 0x100; {pop}", arch))
    inc = len(assemble("inc ebx", arch))
    assert seen == [
        (EXCEPTION, 1, start + 1, 4),
        (EXCEPTION, 1, start + 1 + inc, 5),
        (EXCEPTION, 1, start + 2 + inc, 6),
    ]


def test_a_trap_costs_a_cycle_so_endless_faults_end() -> None:
    it = rig("amd64", f"jmp {DATA}")
    count = 0
    while it.run(100) != DEADLINE and it.machine.now < 100:
        count += 1

    assert count == 98
    assert it.machine.now == 100


def test_far_jump_to_32_bit_code_is_an_exception_on_amd64() -> None:
    # jmp far [DATA]: the segment is in the table, but not present.
    it = rig("amd64", b"\xff\x2c\x25" + DATA.to_bytes(4, "little"))
    it.machine.write(1, DATA, CODE.to_bytes(4, "little") + b"\x1b\0")

    assert it.run() == EXCEPTION
    assert (it.context.vector, it.context.error) == (11, 0x18)


@pytest.mark.parametrize("offset", [0, 1])
def test_the_call_site_is_behind_the_call_of_the_call_page(offset: int) -> None:
    it = rig("ia32", f"sub esp, {offset}; mov edi, {CALL_PAGE}; call edi; nop")
    context = it.context

    assert it.run() == SYSTEM_CALL
    assert context.ip == CALL_PAGE + 2
    assert it.machine.call_site(context) == CODE + 3 + 5 + 2
    context.sp = 0x1000
    assert it.machine.call_site(context) == CALL_PAGE + 2


def test_the_call_site_of_other_calls_is_the_ip() -> None:
    it = rig("amd64", "syscall")
    it.run()
    assert it.machine.call_site(it.context) == it.context.ip == CODE + 2
