"""Names for what events only number, and places in programs for what they only address."""

from dataclasses import dataclass, field

from guest.host import HOST
from guest.image import Image
from kernel.abi import Arch
from kernel.events import Created, Event, Named


@dataclass(frozen=True, slots=True)
class Place:
    """An instruction as a person looks for it."""

    address: int
    symbol: str = ""  # with the offset, as in ``dispatch+0x1c``
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        text = self.symbol or f"{self.address:#x}"
        return f"{text} {self.file}:{self.line}" if self.file else text


def name_of_guest(data: bytes) -> str:
    """Make a name of what a guest gave as one: nothing in it can steer a terminal."""
    text = data.decode(errors="backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@dataclass(frozen=True, slots=True)
class Names:
    """What the objects of one run are called, and which program a thread runs.

    The scenario's names come first; what it does not name has the name that a guest gave it.
    """

    arch: Arch
    objects: dict[int, str] = field(default_factory=dict)
    given: dict[int, str] = field(default_factory=dict)  # by guests
    tasks: dict[int, str] = field(default_factory=dict)  # of threads made at run time
    images: dict[int, Image] = field(default_factory=dict)  # by thread number

    def of(self, number: int) -> str:
        """Name an object: one that has no name is called by its number, a thread TASK.#n."""
        name = self.objects.get(number) or self.given.get(number)
        if name:
            return name
        task = self.tasks.get(number)
        return f"{task}.#{number}" if task else f"#{number}"

    def give(self, number: int, data: bytes) -> None:
        """Take note of the name that a guest gave an object."""
        self.given[number] = name_of_guest(data)

    def adopt(self, thread: int, maker: int) -> None:
        """Take note of a new thread: it counts as one of the task whose thread made it."""
        task = self.tasks.get(maker) or self.objects.get(maker, "").partition(".")[0]
        if task:
            self.tasks[thread] = task
        if maker in self.images:
            self.images[thread] = self.images[maker]

    def note(self, event: Event) -> None:
        """Take note of what an event tells about names."""
        if isinstance(event, Named):
            self.give(event.target, event.name)
        elif isinstance(event, Created) and event.kind == "thread":
            self.adopt(event.target, event.thread)

    def source_line(self, file: str, line: int) -> str:
        """Give a line of a program's source, without the space around it; empty if unknown."""
        for image in self.images.values():
            lines = image.source.get(file, "").splitlines()
            if 0 < line <= len(lines):
                return lines[line - 1].strip()
        return ""

    def place(self, thread: int, address: int) -> Place:
        """Find what `address` means in the program of a thread."""
        image = self.images.get(thread)
        if image is None:
            host = self.objects.get(thread) == HOST
            return Place(address, f"call {address}" if host else "")
        found = image.symbol_at(address)
        line = image.line_at(address)
        symbol = ""
        if found is not None:
            name, offset = found[0].name, found[1]
            symbol = f"{name}+{offset:#x}" if offset else name
        if line is None:
            return Place(address, symbol)
        return Place(address, symbol, line.file.rsplit("/", 1)[-1], line.line)
