"""Keystone against GNU as: both must produce the same instructions.

Encodings may differ in choices that mean nothing, so that the disassembly is compared.
"""

import shutil
import subprocess
from pathlib import Path

import capstone
import pytest

from kernel.abi import AMD64, IA32, Arch
from tests.guest.conftest import Assemble

pytestmark = pytest.mark.skipif(shutil.which("as") is None, reason="needs GNU as")

COMMON = """
mov eax, 10
mov eax, 0x10
mov ecx, -1
mov ecx, 0xffffffff
mov dword ptr [esi + 4], 0x12345678
mov word ptr [esi], 0x1234
mov byte ptr [esi + ecx*4 + 0x100], 0x7f
mov byte ptr [esi], 200
movzx eax, byte ptr [edi + ecx]
movsx eax, word ptr [edi - 8]
lea eax, [ecx + edx*8 - 0x1000]
lea eax, [ecx + 7]
add esp, 16
add ecx, 128
sub ecx, -128
and eax, -16
or eax, 0x80000000
xor ecx, ecx
cmp eax, 0xffff8000
test eax, 0x80
imul eax, ecx, 1000
imul eax, ecx
mul ecx
div ecx
idiv dword ptr [esi]
neg eax
not ecx
shl eax, 12
shr ecx, cl
sar eax, 1
rol eax, 8
shld eax, ecx, 4
bt eax, 5
bts dword ptr [esi], 7
bsf eax, ecx
bswap eax
xchg eax, ecx
xchg dword ptr [esi], ecx
lock xadd dword ptr [esi], eax
lock cmpxchg dword ptr [esi], ecx
lock inc dword ptr [esi]
lock or dword ptr [esi], 4
cmpxchg8b qword ptr [esi]
sete al
setnz byte ptr [esi]
cmovne eax, ecx
cmovb eax, dword ptr [esi]
rep movsb
rep movsd
rep stosd
repe cmpsb
repne scasb
lodsd
stosb
scasd
cmpsd
movsw
cld
std
cdq
cwde
cbw
nop
pause
hlt
ud2
int3
int 0x30
int 0x80
rdtsc
cpuid
mfence
lfence
sfence
in al, dx
in al, 0x60
out dx, eax
out 0x80, al
ret
ret 8
leave
enter 16, 0
clc
stc
lahf
sahf
fninit
fld qword ptr [esi]
fstp dword ptr [esi]
fild dword ptr [esi]
fadd st, st(1)
movups xmm0, xmmword ptr [esi]
movaps xmm1, xmm0
movdqu xmm2, xmmword ptr [esi + 16]
movd xmm0, ecx
paddd xmm0, xmm1
pxor xmm0, xmm0
pshufd xmm0, xmm1, 0xb1
addsd xmm0, xmm1
cvtsi2sd xmm0, ecx
ldmxcsr dword ptr [esi]
prefetcht0 byte ptr [esi]
popcnt eax, ecx
push 10
push -1
push 200
push 0x7fffffff
pushf
popf
mov ax, ds
mov ds, eax
mov fs, eax
mov ax, 0xffff
add ax, 1000
cmp ax, -1
mov al, 200
add al, 200
cmp al, -128
xlatb
jmp .
call .
je .
jecxz .
loop .
jmp dword ptr [esi]
call dword ptr [esi + 8]
"""

ONLY_64 = """
mov rax, 0x123456789abcdef0
mov rax, 0xffffffff
mov rax, -1
mov rcx, 0x80000000
mov rcx, 0x7fffffff
movabs rax, 0x10
mov rcx, gs:[0]
mov rax, gs:[0]
mov r13, gs:[0x10]
mov rbx, fs:[-8]
mov qword ptr gs:[8], 5
mov gs:[16], r9
add rcx, gs:[rax + 8]
mov rcx, [0x1000]
mov eax, dword ptr [0x1000]
cmp qword ptr [0x1000], 3
mov rax, [rbx + 8]
mov [rbx + rcx*8 - 8], r15
mov rax, [r12]
mov rax, [r13]
mov rax, [rsp]
mov rax, [rsp + rbp]
mov r8d, 5
mov sil, 1
mov r10b, r11b
mov dword ptr [rsi + 8], 7
mov qword ptr [rsi], -2
mov qword ptr [rsi], 0x7fffffff
lea rsi, [rip + 16]
mov rax, [rip - 4]
add rsp, 128
and rsp, -16
cmp rax, 0x7fffffff
test rax, 0x100
test rdi, rdi
imul rax, rbx, 10
movsxd rax, ecx
movsx rax, byte ptr [rsi]
movzx eax, word ptr [rsi]
cdqe
cqo
push rbx
push r15
push qword ptr [rsi]
pop r12
push 0x7fffffff
push -0x80000000
pushfq
popfq
call rax
jmp r11
call qword ptr [rbx + rcx*8]
jmp [rax]
syscall
swapgs
iretq
rep movsq
rep stosq
lodsq
cmpxchg16b xmmword ptr [rsi]
lock cmpxchg qword ptr [rbx], rcx
xadd [rbx], rax
bswap r9
shl r8, 63
sar rdx, cl
movq xmm0, rax
movq rcx, xmm1
cvttsd2si rax, xmm0
fxsave [rsi]
rdtscp
endbr64
wrgsbase rax
rdfsbase rcx
mov rax, cr3
bt rax, 63
setc r8b
cmovae r9, r10
mul r9
div qword ptr [rsp + 8]
xchg rax, r8
mov es:[rdi], eax
jrcxz .
"""

ONLY_32 = """
mov ecx, fs:[0]
mov eax, fs:[0]
mov ebx, dword ptr gs:[4]
mov dword ptr fs:[8], 5
add ecx, fs:[ecx + 4]
mov eax, [0x1000]
mov ecx, [0x1000]
mov dword ptr [0x1000], 3
mov eax, [eax + 0xeacff000]
mov eax, [ebp]
mov eax, [esp + 4]
mov [esp + ecx*2], edx
push eax
push dword ptr [esp + 4]
push 0xeacff000
push ax
pop ebp
pushad
popad
pushfd
popfd
inc eax
dec edi
inc word ptr [esi]
call eax
jmp ecx
call 0xeacff000
jmp dword ptr [eax*4 + 0x1000]
iretd
push fs
pop gs
sysenter
mov eax, cr0
les eax, [ecx]
daa
aam
bound eax, [ecx]
arpl ax, cx
"""


def reference(text: str, arch: Arch) -> bytes:
    """Assemble one instruction at 0x400000 with GNU as and ld."""

    Path("r.s").write_text(f".intel_syntax noprefix\n.globl _start\n_start:\n{text}\n")
    mode = "elf_x86_64" if arch is AMD64 else "elf_i386"
    subprocess.run(["as", f"--{arch.bits}", "r.s", "-o", "r.o"], check=True)
    subprocess.run(
        ["ld", "-m", mode, "-Ttext=0x400000", "r.o", "-o", "r", "--oformat=elf64-x86-64"]
        if arch is AMD64
        else ["ld", "-m", mode, "-Ttext=0x400000", "r.o", "-o", "r"],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", "r", "r.bin"], check=True)
    return Path("r.bin").read_bytes()


def disassembly(data: bytes, arch: Arch) -> list[tuple[str, str]]:
    mode = capstone.CS_MODE_64 if arch is AMD64 else capstone.CS_MODE_32
    engine = capstone.Cs(capstone.CS_ARCH_X86, mode)
    found = [(item.mnemonic, item.op_str) for item in engine.disasm(data, 0x40_0000)]
    return [
        ("mov" if mnemonic == "movabs" else mnemonic, operands) for mnemonic, operands in found
    ]


@pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)
def test_every_instruction_is_what_gnu_as_makes_of_it(
    assemble_text: Assemble, arch: Arch
) -> None:
    texts = (COMMON + (ONLY_64 if arch is AMD64 else ONLY_32)).split("\n")
    if arch is AMD64:  # not in 64-bit code
        texts = [text for text in texts if text not in _NOT_64]
    texts = [text for text in texts if text]
    # All at once: each is padded to a cell of its own.
    cells = "\n".join(f"{text}\n.balign 32, 0xf5" for text in texts)
    ours = assemble_text(f"_start:\n{cells}\n", arch).segments[0].data
    theirs = reference(cells, arch)
    assert len(ours) == len(theirs)

    def cell(data: bytes, index: int) -> list[tuple[str, str]]:
        found = disassembly(data[32 * index : 32 * index + 32], arch)
        return [item for item in found if item[0] != "cmc"]  # the padding

    different = {
        text: (cell(ours, index), cell(theirs, index))
        for index, text in enumerate(texts)
        if cell(ours, index) != cell(theirs, index)
    }
    assert different == {}


_NOT_64 = frozenset(("jmp dword ptr [esi]", "call dword ptr [esi + 8]"))
