"""The truth about a mutant, by execution: what it does that its original does not.

A mutant runs against each partner beside its original.  If anything differs that can be
seen from outside (messages, invocations, the console, but never time) it is WRONG there.  If
nothing does, the word in question was overwritten with its own value (EQUAL), with another
that had no effect (UNSEEN), or not at all (EQUIVALENT).
"""

import re
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from guest.corpus.mutate import REPLY_WORDS, Content, Mutant, mutants, partner
from guest.corpus.narrow import narrow
from guest.corpus.variants import CORPUS
from kernel.abi import ARCHES, TAG_WORDS
from kernel.events import Event, Invocation, Log, Transfer, words_of
from lab.checker.finding import Finding
from lab.names import Names
from lab.run import run_scenario

_DOUBLE_42 = (7, 42)  # what common/client.s sends
_EXPECT = re.compile(r"^\[expect\]$.*", re.MULTILINE | re.DOTALL)
_OTHER = re.compile(r'^(name  = "other"\nimage = )".*"$', re.MULTILINE)
_SERVER = re.compile(r'^(name  = "server"\nimage = )".*"$', re.MULTILINE)


class Standing(Enum):
    """What a mutant is against one partner."""

    WRONG = "wrong"
    UNSEEN = "unseen"
    EQUAL = "equal"
    EQUIVALENT = "equivalent"


@dataclass(frozen=True, slots=True)
class Observed:
    """A run from outside, in the order of each thread."""

    messages: tuple[tuple[str, str, int, bytes], ...]  # sender, receiver, tag, words
    invocations: tuple[tuple[str, int, tuple[int, ...], int], ...]
    console: str
    outcome: str
    findings: tuple[Finding, ...] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Original:
    """A server without fault, of which mutants are made.

    `scene` is the scenario that it is part of, and `request` what its client sends.
    """

    name: str
    scene: str
    request: tuple[int, ...] = _DOUBLE_42

    @property
    def scenario(self) -> Path:
        """The file of the scene."""
        return CORPUS / f"{self.scene}.toml"

    def source(self) -> str:
        """Give its text, for amd64."""
        return (self.scenario.parent / "amd64" / f"{self.scenario.stem}.s").read_text()

    def mutants(self) -> list[Mutant]:
        """Make all its mutants."""
        return list(mutants(self.source()))


ORIGINALS = (
    Original("nested_call", "01_nested_call/fixed"),
    Original("malloc", "04_malloc/fixed"),
    Original("missing_restore", "15_missing_restore/fixed"),
    Original("wrong_offset", "17_wrong_offset/fixed", (1, 2, 30, 12)),
    Original("restore_63_reply_1", "innocent/restore_63_reply_1"),
    Original("bulk_copy_out", "innocent/bulk_copy_out"),
    Original("saving_callee", "innocent/saving_callee"),
    Original("sse_copies", "innocent/sse_copies"),
    Original("returned_pointer", "innocent/returned_pointer"),
)


@dataclass(frozen=True, slots=True)
class Bench:
    """Runs servers in the scene of one scenario, with any partner in place of `other`.

    `request` is what its client sends.
    """

    scenario: Path
    request: tuple[int, ...]
    folder: Path
    arch: str

    def observe(self, source: str, words: int, content: Content) -> Observed:
        """Run and check a server, given for amd64, against a partner."""
        programs = self.folder / self.arch
        programs.mkdir(parents=True, exist_ok=True)
        for name, text in (
            ("server.s", source),
            ("partner.s", partner(words, content, self.request)),
        ):
            (programs / name).write_text(text if self.arch == "amd64" else narrow(text))
        scene = _EXPECT.sub("", self.scenario.read_text())
        scene = scene.replace('"../common/', f'"{CORPUS}/common/')
        scene = scene.replace('"{arch}/', f'"{self.scenario.parent}/{{arch}}/')
        scene = _OTHER.sub(r'\1"{arch}/partner.s"', scene)
        scene = _SERVER.sub(r'\1"{arch}/server.s"', scene)
        path = self.folder / "scene.toml"
        path.write_text(scene + '[expect]\nfindings = "any"\n')

        messages: list[tuple[str, str, int, bytes]] = []
        invocations: list[tuple[str, int, tuple[int, ...], int]] = []

        def listen(names: Names, event: Event) -> None:
            match event:
                case Transfer():
                    sender, receiver = (
                        names.objects[event.sender],
                        names.objects[event.receiver],
                    )
                    messages.append((sender, receiver, event.tag, event.payload))
                case Invocation():
                    thread = names.objects[event.thread]
                    invocations.append((thread, event.tag, event.words, event.result))
                case Log():
                    pass  # the console has it

        run = run_scenario(path, arch=self.arch, listener=listen)
        return Observed(
            tuple(messages), tuple(invocations), run.console, run.outcome, run.findings
        )

    def judge(self, original: str, mutant: Mutant) -> dict[tuple[int, Content], Standing]:
        """Run a mutant beside its original against every partner."""
        found = {}
        for words in REPLY_WORDS:
            for content in Content:
                right = self.observe(original, words, content)
                seen = self.observe(mutant.source, words, content)
                found[words, content] = self.standing(right, seen, mutant.register)
        return found

    def standing(self, right: Observed, seen: Observed, register: int | None) -> Standing:
        """Tell what a mutant is from its run and its original's, against the same partner."""
        return self._unseen(right, register) if _same(seen, right) else Standing.WRONG

    def _unseen(self, observed: Observed, register: int | None) -> Standing:
        """Tell why nothing can be seen, from what the nested messages have overwritten."""
        word = ARCHES[self.arch].word
        sent = dict(enumerate(self.request))
        now = dict(sent)
        overwritten: set[int] = set()
        for sender, receiver, tag, payload in observed.messages:
            if {sender, receiver} == {"server", "other"}:
                count = tag & TAG_WORDS
                now |= enumerate(words_of(payload, word)[:count])
                overwritten |= set(range(count))
        of_interest = range(len(self.request)) if register is None else (register,)
        hit = [k for k in of_interest if k in overwritten]
        if not hit:
            return Standing.EQUIVALENT
        equal = all(now[k] == sent.get(k) for k in hit)
        return Standing.EQUAL if equal else Standing.UNSEEN


def _same(one: Observed, other: Observed) -> bool:
    """Compare thread by thread: the order between threads says nothing."""
    names = {name for message in one.messages + other.messages for name in message[:2]}
    return (
        (one.console, one.outcome, one.invocations)
        == (other.console, other.outcome, other.invocations)
    ) and all(
        [m for m in one.messages if m[0] == name] == [m for m in other.messages if m[0] == name]
        for name in names
    )
