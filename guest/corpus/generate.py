"""Programs by a grammar, with the truth about every word that they read or send.

A program is a server that gets one request, reads its words, does nested calls, saves and
restores, writes its reply or forwards the request:

    dispatch  = { read | write | tell | guarded | saved } , ending
    tell      = a function stores a request of its own and sends it, by call or send only;
                or a function that calls that function
    guarded   = the same, but a function around it saves the first words and restores them
    saved     = dispatch saves all message registers around a tell, and restores them
    ending    = reply with what was written, and the sum of what was read, in mr[0]
              | ask: dispatch stores a request, a function does the call, dispatch reads the
                answer, which is its own; then it replies
              | forward: the request goes on as it is, and the answer back

While the text is made, the message registers are computed along: from that comes the truth,
and the words that a run must show.

Rule 1: a program is a function of its seed.
Rule 2: a read is of the request unless it is in an `ask`: nothing is generated of which one
could think either.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from random import Random

from guest.corpus.narrow import narrow

WORDS = 6  # that take part in a program
REGISTERS = 63


class Standing(Enum):
    """What is the matter with a word that is read or sent."""

    INNOCENT = "innocent"
    FRAGILE = "fragile"  # a nested call came between, but did not reach this far
    EQUAL = "equal"  # it was overwritten, with the same value
    WRONG = "wrong"


class Use(Enum):
    """What a program does with a word."""

    READ = "read"  # of the request
    OWN = "own"  # of an answer that dispatch has asked for
    SENT = "sent"  # in the reply, as it was written


@dataclass(frozen=True, slots=True)
class Truth:
    """A word that dispatch uses, at `line` of the server, and what it should be.

    A word that is sent is used where dispatch completes the reply.
    """

    use: Use
    register: int
    line: int
    meant: int
    seen: int
    standing: Standing


@dataclass(frozen=True, slots=True)
class Program:
    """A generated program: its files for amd64, the scenario, and the truth."""

    seed: int
    sources: dict[str, str]
    scenario: str
    truths: tuple[Truth, ...]

    @property
    def guilty(self) -> bool:
        """Whether anything that it does is wrong, by luck or not."""
        return any(truth.standing in (Standing.WRONG, Standing.EQUAL) for truth in self.truths)

    def write(self, folder: Path) -> Path:
        """Write all files for both architectures; the path of the scenario comes back."""
        for arch in ("amd64", "ia32"):
            (folder / arch).mkdir(parents=True, exist_ok=True)
            for name, text in self.sources.items():
                (folder / arch / name).write_text(text if arch == "amd64" else narrow(text))
        path = folder / f"generated_{self.seed}.toml"
        path.write_text(self.scenario)
        return path


def generate(seed: int) -> Program:
    """Make the program of a seed."""
    return _Writer(seed).program()


def generate_many(count: int, *, first: int = 0) -> Iterator[Program]:
    """Make the programs of `count` seeds."""
    return (generate(seed) for seed in range(first, first + count))


@dataclass(slots=True)
class _Registers:
    """Message registers as the server has them, and what became of each."""

    values: list[int]
    overwritten: list[bool]  # by a message that is dead
    crossed: list[bool]  # a nested call came that was not undone

    def copy(self) -> "_Registers":
        return _Registers(list(self.values), list(self.overwritten), list(self.crossed))

    def restore(self, before: "_Registers", words: int) -> None:
        """Put the first `words` back as they were before a nested call."""
        self.values[:words] = before.values[:words]
        self.overwritten[:words] = before.overwritten[:words]
        self.crossed[:words] = before.crossed[:words]

    def overwrite(self, values: list[int]) -> None:
        self.values[: len(values)] = values
        self.overwritten[: len(values)] = [True] * len(values)


@dataclass(slots=True)
class _Writer:
    """Writes one program."""

    seed: int
    random: Random = field(init=False)
    request: list[int] = field(init=False)
    answer: list[int] = field(init=False)
    registers: _Registers = field(init=False)
    body: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    truths: list[tuple[int, Truth]] = field(default_factory=list)  # with their line of body
    written: dict[int, int] = field(default_factory=dict)
    total: int = 0
    reads: int = 0
    calls: int = 0

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.request = [self._number() for _ in range(self._between(2, WORDS))]
        self.answer = [self._number() for _ in range(WORDS)]
        for k in range(len(self.request)):
            if self._chance(25):
                self.answer[k] = self.request[k]
        values = self.request + [0] * (REGISTERS - len(self.request))
        self.registers = _Registers(values, [False] * REGISTERS, [False] * REGISTERS)

    def program(self) -> Program:
        for _ in range(self._between(3, 7)):
            self._action()
        replied = self._ending()
        server, first = self._server()
        memory = {f"server.read_{k}": t.seen for k, (_, t) in enumerate(self._cells())}
        memory |= {f"client.got_{k}": value for k, value in enumerate(replied)}
        return Program(
            seed=self.seed,
            sources={
                "server.s": server,
                "client.s": self._client(len(replied)),
                "other.s": self._other(),
            },
            scenario=_scenario(self.seed, memory),
            truths=tuple(
                Truth(t.use, t.register, first + at, t.meant, t.seen, t.standing)
                for at, t in self.truths
            ),
        )

    def _action(self) -> None:
        kind = self._between(0, 9)
        if kind <= 3:
            self._read()
        elif kind == 4:
            self._write()
        elif kind <= 7:
            self._tell()
        elif kind == 8:
            self._guarded()
        else:
            self._saved()

    def _read(self) -> None:
        readable = [k for k in range(len(self.request)) if k not in self.written]
        if readable:
            self._use(Use.READ, self._one_of(readable))

    def _use(self, use: Use, k: int, *, meant: int | None = None) -> None:
        """Load word `k`, keep it where a run shows it, and add it up."""
        value = self.registers.values[k]
        if use is Use.OWN:
            standing, meant = Standing.INNOCENT, value
        else:
            meant = self.request[k]
            standing = self._standing(k, meant)
        truth = Truth(use, k, 0, meant, value, standing)
        self.truths.append((len(self.body), truth))
        self.body += [
            f"    mov rax, qword ptr [rbx + UTCB_MR{k}]       # {use.value}: {standing.value}",
            f"    mov qword ptr [rip + read_{self.reads}], rax",
            "    add rbp, rax",
        ]
        self.reads += 1
        self.total += value

    def _standing(self, k: int, meant: int) -> Standing:
        if self.registers.overwritten[k]:
            return Standing.EQUAL if self.registers.values[k] == meant else Standing.WRONG
        return Standing.FRAGILE if self.registers.crossed[k] else Standing.INNOCENT

    def _write(self) -> None:
        """Write the next word of the reply; mr[0] is for the sum."""
        k = len(self.written) + 1
        if k == WORDS:
            return
        value = self._number()
        self.written[k] = value
        self.registers.values[k] = value
        self.registers.overwritten[k] = self.registers.crossed[k] = False
        self.body.append(f"    mov qword ptr [rbx + UTCB_MR{k}], {value}   # for the reply")

    def _tell(self) -> None:
        name = self._teller()
        if self._chance(30):
            self.functions += [f"through_{name}:", f"    call {name}", "    ret", ""]
            name = f"through_{name}"
        self.body.append(f"    call {name}")

    def _teller(self) -> str:
        """Make a function that sends a request of its own, and let it have been called."""
        self.calls += 1
        name = f"tell_{self.calls}"
        sent = [self._number() for _ in range(self._between(0, 3))]
        back = self._between(0, WORDS)
        send_only = self._chance(20)
        operation = "SEND" if send_only else "CALL"
        label = "0x200" if send_only else f"0x100 + {back}"
        self.functions += [
            f"# {len(sent)} words, and {'no answer' if send_only else f'{back} come back'}.",
            f"{name}:",
            *(f"    mov qword ptr [rbx + UTCB_MR{k}], {value}" for k, value in enumerate(sent)),
            f"    l4_invoke OTHER|L4_{operation}, ({label}) << L4_TAG_LABEL_SHIFT"
            f" | {len(sent)}, L4_TIMEOUT_NEVER",
            "    ret",
            "",
        ]
        self.registers.overwrite(sent)
        if not send_only:
            self.registers.overwrite(self.answer[:back])
        self.registers.crossed = [True] * REGISTERS
        return name

    def _guarded(self) -> None:
        """Let a function save some words around a nested call; it may be too few."""
        saved = self._between(1, WORDS)
        before = self.registers.copy()
        name = self._teller()
        self.functions += [
            f"guarded_{name}:",
            *(f"    push qword ptr [rbx + UTCB_MR{k}]" for k in range(saved)),
            f"    call {name}",
            *(f"    pop qword ptr [rbx + UTCB_MR{k}]" for k in reversed(range(saved))),
            "    ret",
            "",
        ]
        self.registers.restore(before, saved)
        self.body.append(f"    call guarded_{name}")

    def _saved(self) -> None:
        """Save all message registers around a nested call."""
        before = self.registers.copy()
        name = self._teller()
        self.registers = before
        self.body += [
            "    sub rsp, 8 * UTCB_MR_COUNT",
            "    mov rsi, rbx",
            "    mov rdi, rsp",
            "    mov ecx, UTCB_MR_COUNT",
            "    rep movsq",
            f"    call {name}",
            "    mov rsi, rsp",
            "    mov rdi, rbx",
            "    mov ecx, UTCB_MR_COUNT",
            "    rep movsq",
            "    add rsp, 8 * UTCB_MR_COUNT",
        ]

    def _ending(self) -> list[int]:
        """End dispatch; the words that the client gets come back."""
        kind = self._between(0, 3)
        untouched = not any(self.registers.overwritten[: len(self.request)])
        if kind == 0 and not self.written and untouched:
            return self._forward()
        if kind == 1 and not self.written:
            self._ask()
        for k, value in self.written.items():
            standing = self._standing(k, value)
            truth = Truth(Use.SENT, k, 0, value, self.registers.values[k], standing)
            self.truths.append((len(self.body), truth))
        self.body += [
            "    mov qword ptr [rbx + UTCB_MR0], rbp",
            f"    mov eax, {len(self.written) + 1}",
            "    pop rbp",
            "    ret",
        ]
        return [self.total, *(self.registers.values[k] for k in self.written)]

    def _forward(self) -> list[int]:
        back = self._between(1, WORDS)
        self.body += [
            f"    l4_invoke OTHER|L4_CALL, (0x100 + {back}) << L4_TAG_LABEL_SHIFT"
            f" | {len(self.request)}, L4_TIMEOUT_NEVER",
            f"    mov eax, {back}",
            "    pop rbp",
            "    ret",
        ]
        return self.answer[:back]

    def _ask(self) -> None:
        """Ask the other server, and read its answer; nothing is read of the request after."""
        back = self._between(1, WORDS)
        sent = [self._number() for _ in range(self._between(1, 3))]
        self.body += [
            *(f"    mov qword ptr [rbx + UTCB_MR{k}], {value}" for k, value in enumerate(sent)),
            "    call invoke",
        ]
        self.functions += [
            "invoke:",
            f"    l4_invoke OTHER|L4_CALL, (0x100 + {back}) << L4_TAG_LABEL_SHIFT"
            f" | {len(sent)}, L4_TIMEOUT_NEVER",
            "    ret",
            "",
        ]
        self.registers.values[: len(sent)] = sent
        self.registers.values[:back] = self.answer[:back]
        for _ in range(self._between(1, 2)):
            self._use(Use.OWN, self._between(0, back - 1))

    def _cells(self) -> list[tuple[int, Truth]]:
        return [item for item in self.truths if item[1].use is not Use.SENT]

    def _server(self) -> tuple[str, int]:
        """Give the server's source, and the line where dispatch's body begins."""
        head = [
            f"# Generated from seed {self.seed}: guest/corpus/generate.py.",
            "",
            '.include "corpus.inc"',
            "",
            ".text",
            "_start:",
            "    server_loop dispatch",
            "",
            "dispatch:",
            "    push rbp",
            "    xor ebp, ebp",
        ]
        cells = [f"read_{k}: .space 8" for k in range(self.reads)]
        lines = [*head, *self.body, "", *self.functions]
        if cells:
            lines += [".bss", *cells]
        return "\n".join(lines).rstrip() + "\n", len(head) + 1

    def _client(self, words: int) -> str:
        lines = [
            f"# The client of seed {self.seed}.",
            "",
            '.include "corpus.inc"',
            "",
            ".text",
            "_start:",
            "    own_utcb rbx",
            *(
                f"    mov qword ptr [rbx + UTCB_MR{k}], {value}"
                for k, value in enumerate(self.request)
            ),
            f"    l4_invoke SERVER|L4_CALL, PROTO_SERVER << L4_TAG_LABEL_SHIFT"
            f" | {len(self.request)}, L4_TIMEOUT_NEVER",
        ]
        for k in range(words):
            lines += [
                f"    mov rax, qword ptr [rbx + UTCB_MR{k}]",
                f"    mov qword ptr [rip + got_{k}], rax",
            ]
        lines += [
            "    sleep_forever",
            "",
            ".bss",
            *(f"got_{k}: .space 8" for k in range(words)),
        ]
        return "\n".join(lines) + "\n"

    def _other(self) -> str:
        lines = [
            f"# The other server of seed {self.seed}: label 0x100 + n asks for n words.",
            "",
            '.include "corpus.inc"',
            "",
            ".text",
            "_start:",
            "    server_loop dispatch",
            "",
            "dispatch:",
            "    sar rax, L4_TAG_LABEL_SHIFT",
            "    and eax, 0xff",
        ]
        for k, value in enumerate(self.answer):
            lines += [
                f"    cmp eax, {k}",
                "    je 1f",
                f"    mov qword ptr [rbx + UTCB_MR{k}], {value}",
            ]
        lines += ["1:  ret"]
        return "\n".join(lines) + "\n"

    def _number(self) -> int:
        return self._between(1, 9999)

    def _between(self, low: int, high: int) -> int:
        return self.random.randrange(low, high + 1)

    def _chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def _one_of(self, values: list[int]) -> int:
        return values[self.random.randrange(len(values))]


def _scenario(seed: int, memory: dict[str, int]) -> str:
    words = ", ".join(f'"{name}" = {value}' for name, value in memory.items())
    return f"""\
title  = "Generated from seed {seed}"
arch   = ["amd64", "ia32"]
cycles = 1_000_000

[[task]]
name  = "other"
image = "{{arch}}/other.s"

[[task]]
name  = "server"
image = "{{arch}}/server.s"
[task.caps]
0x21  = "gate:other"

[[task]]
name  = "client"
image = "{{arch}}/client.s"
[task.caps]
0x20  = "gate:server"

[[gate]]
name   = "server"
thread = "server"
label  = 0xd0b0_0010

[[gate]]
name   = "other"
thread = "other"
label  = 0x0e0e_0020

[expect]
outcome  = "idle"
console  = ""
findings = "any"
memory   = {{ {words} }}
"""


if __name__ == "__main__":
    print(generate(int(sys.argv[1])).write(Path(sys.argv[2])))
