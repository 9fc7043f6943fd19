"""Call paths: the frames that a context has called and not left, as numbered nodes.

A path is the number of its innermost frame's node; a node names its parent, so frames
that many paths have in common exist once.  Equal paths have equal numbers.

Rule 1: a frame lives while its return address lies in the stack, at or above the stack
pointer.  So `ret`, `longjmp`, an exception and a new stack pointer are all the same: what
lies below the stack pointer is gone.  A jump changes no frame: code that is reached by a
tail call runs in the frame of the function that jumped there.
Rule 2: nothing here depends on where a run was stopped: frames come when the call is
done and go when a block starts with a higher stack pointer.
Rule 3: no program makes this grow without bound.  The oldest frames of a deep stack, and
all of them once in a long while, are dropped, and a mark is put in their place.
"""

from typing import NamedTuple

DEEPEST = 1024  # frames of a path; then the older half is dropped
NODES = 1 << 17  # nodes that are kept; then all are dropped
NO_SLOT = 0xFFFF_FFFF_FFFF_FFFF  # there is no frame, or none that can be left

_RECENT = 1 << 12  # entries of a direct map from hashes to nodes


class Frame(NamedTuple):
    """A call that has not returned; or the mark for older ones that were dropped."""

    call: int  # the address of the call instruction
    back: int  # the return address; 0 is the mark
    entry: int  # where the call went
    sp: int  # the address of the return address; of the mark: how many were dropped

    @property
    def is_mark(self) -> bool:
        """Tell whether this stands for frames that are not known any more."""
        return not self.back


class Calls:
    """The nodes, and the path of the context that runs."""

    __slots__ = (
        "_back",
        "_base",
        "_call",
        "_deepest",
        "_depth",
        "_entry",
        "_kept",
        "_limit",
        "_nodes",
        "_parent",
        "_paths",
        "_recent",
        "_sp",
        "_used",
        "depth",
        "low",
        "number",
        "path",
        "top",
    )

    def __init__(self, *, deepest: int = DEEPEST, nodes: int = NODES) -> None:
        self._deepest = deepest
        self._limit = nodes
        self._nodes: dict[tuple[int, int, int, int, int], int] = {}
        self._base = 0  # the number of the node before the first one that is kept
        self._used = 0
        # By number of the node, less `_base`; 0 is no node.
        self._parent = _column(nodes)
        self._call = _column(nodes)
        self._back = _column(nodes)
        self._entry = _column(nodes)
        self._sp = _column(nodes)
        self._depth = _column(nodes)  # frames of the path, dropped ones included
        self._kept = _column(nodes)  # without these
        self._recent = memoryview(bytearray(_RECENT * 8)).cast("Q")
        self._paths: dict[int, tuple[int, int]] = {}  # `path` and `low` of the others
        self.number = -1  # of the context that runs
        self.path = 0  # its path; 0: it has no frames
        self.depth = 0
        self.low = 0  # the least depth since the last record that was made of the context
        self.top = NO_SLOT  # the slot of the innermost frame

    def switch(self, number: int) -> None:
        """Make the context of this number the one that runs."""
        if number == self.number:
            return
        if self.number >= 0:
            self._paths[self.number] = self.path, self.low
        path, low = self._paths.pop(number, (0, 0))
        self.number = number
        if 0 < path <= self._base:
            path, low = self.mark(0), 0
        self.low = low
        self._go(path)

    def assign(self, number: int, path: int) -> None:
        """Let a context that does not run have this path."""
        if number == self.number:
            self.number = -1
        self._paths[number] = path, 0

    def forget(self, number: int) -> None:
        """Forget a context."""
        if number == self.number:
            self.number = -1
        self._paths.pop(number, None)

    def tell(self, number: int, sp: int) -> tuple[int, int]:
        """Give path and `low` of a context whose stack pointer is `sp`; `low` begins anew."""
        path = self.path_at(number, sp)
        return path, self.take_low(number, path)

    def take_low(self, number: int, path: int) -> int:
        """Give `low` of a context whose path is this now; it begins anew."""
        depth = self._depth[path - self._base] if path > self._base else 0
        if number == self.number:
            low = min(self.low, depth)
            self.low = depth
        else:
            kept, low = self._paths.get(number, (0, 0))
            low = min(low, depth)
            self._paths[number] = kept, depth
        return low

    def path_at(self, number: int, sp: int) -> int:
        """Give the path of a context whose stack pointer is `sp`."""
        path = self.path if number == self.number else self._paths.get(number, (0, 0))[0]
        while path > self._base:
            at = path - self._base
            if not self._back[at] or self._sp[at] >= sp:
                break
            path = self._parent[at]
        return path

    def enter(self, call: int, back: int, entry: int, sp: int) -> None:
        """Add the frame of a call that is done; its return address lies at `sp`."""
        while self.top <= sp:  # that slot is used again
            self._pop()
        if entry == back:
            return  # not to call anything, but to learn the ip
        if self.path and self._kept[self.path - self._base] >= self._deepest:
            self._drop_older()
        self._go(self._node(self.path, call, back, entry, sp))

    def unwind(self, sp: int) -> None:
        """Leave the frames whose slots lie below the stack pointer."""
        while self.top < sp:
            self._pop()

    def mark(self, dropped: int) -> int:
        """Give the path of a context of which nothing is known but this many frames."""
        return self._node(0, 0, 0, 0, dropped)

    def path_of(self, frames: tuple[Frame, ...]) -> int:
        """Give the path that consists of these frames, outermost first."""
        path = 0
        for frame in frames:
            path = self._node(path, frame.call, frame.back, frame.entry, frame.sp)
        return path

    def frames(self, path: int) -> tuple[Frame, ...]:
        """List the frames of a path, outermost first; a forgotten one is the mark alone."""
        found: list[Frame] = []
        if 0 < path <= self._base or path > self._base + self._used:
            return (Frame(0, 0, 0, 0),)
        while path:
            at = path - self._base
            found.append(Frame(self._call[at], self._back[at], self._entry[at], self._sp[at]))
            path = self._parent[at]
        found.reverse()
        return tuple(found)

    def _node(self, parent: int, call: int, back: int, entry: int, sp: int) -> int:
        """Give the node of a frame, making it if there is none."""
        place = ((parent * 31 + call) * 31 + sp) & (_RECENT - 1)
        path = self._recent[place]
        if path > self._base:
            at = path - self._base
            if (
                self._parent[at] == parent
                and self._call[at] == call
                and self._sp[at] == sp
                and self._entry[at] == entry
                and self._back[at] == back
            ):
                return path
        key = (parent, call, back, entry, sp)
        path = self._nodes.get(key, 0)
        if not path:
            if self._used == self._limit:
                self._drop_all()
                parent = self.path if parent else 0
                key = (parent, call, back, entry, sp)
            path = self._make(parent, call, back, entry, sp)
            self._nodes[key] = path
        self._recent[place] = path
        return path

    def _make(self, parent: int, call: int, back: int, entry: int, sp: int) -> int:
        self._used += 1
        at = self._used
        self._parent[at] = parent
        self._call[at] = call
        self._back[at] = back
        self._entry[at] = entry
        self._sp[at] = sp
        if back:
            above = parent - self._base if parent else 0
            self._depth[at] = self._depth[above] + 1
            self._kept[at] = self._kept[above] + 1
        else:
            self._depth[at] = sp
            self._kept[at] = 0
        return self._base + at

    def _pop(self) -> None:
        self._go(self._parent[self.path - self._base])
        if self.depth < self.low:
            self.low = self.depth

    def _go(self, path: int) -> None:
        self.path = path
        self.depth = 0
        self.top = NO_SLOT
        if path:
            at = path - self._base
            self.depth = self._depth[at]
            if self._back[at]:
                self.top = self._sp[at]

    def _drop_older(self) -> None:
        """Drop the older half of the frames of a path that is too deep."""
        newer: list[Frame] = []
        path = self.path
        while len(newer) < self._deepest // 2:
            at = path - self._base
            newer.append(Frame(self._call[at], self._back[at], self._entry[at], self._sp[at]))
            path = self._parent[at]
        path = self.mark(self.depth - len(newer))
        for frame in reversed(newer):
            path = self._node(path, frame.call, frame.back, frame.entry, frame.sp)
        self._go(path)

    def _drop_all(self) -> None:
        """Drop all nodes: their numbers are not used again."""
        self._nodes.clear()
        self._base += self._limit
        self._used = 0
        self.low = 0
        self._go(self.mark(0))


def _column(nodes: int) -> memoryview:
    return memoryview(bytearray((nodes + 1) * 8)).cast("Q")
