"""The `monitor` commands: what gdb has no words for."""

from collections.abc import Callable

from kernel.errors import UsageError
from kernel.utcb import ERROR, WORDS, name_of
from lab.replay.event_log import kinds_of
from lab.replay.marks import seek_mark
from lab.replay.timeline import MESSAGES, Timeline
from lab.replay.why import explain, render_why
from lab.views.text import render_event

_MESSAGES = 10  # that are listed
_MOST = 1000
_COLUMNS = 4

HELP = """\
monitor where            the cursor, and what every thread does
monitor utcb [THREAD]    the words of a UTCB that are not zero; a thread by name or number
monitor messages [N]     the last N messages before the cursor
monitor why [THREAD] WHAT
                         where a value comes from: mr[1], a register, *ADDRESS:SIZE
monitor console          what guests wrote so far
monitor seek MARK        go to POSITION, cycle:N, event:N or end; then say
                         `maintenance flush register-cache`
monitor help             this
"""


class Monitor:
    """Answers commands about a timeline."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._commands: dict[str, Callable[[list[str], int], str]] = {
            "help": lambda words, thread: HELP,
            "where": self._where,
            "utcb": self._utcb,
            "messages": self._messages,
            "console": lambda words, thread: timeline.console(),
            "seek": self._seek,
            "why": self._why,
        }

    def answer(self, command: str, thread: int) -> str:
        """Do a command, with the thread that gdb has chosen; UsageError if it is wrong."""
        words = command.split()
        work = self._commands.get(words[0] if words else "help")
        if work is None:
            raise UsageError(f"no command {words[0][:40]!a}; there is `monitor help`")
        return work(words[1:], thread)

    def _where(self, _: list[str], __: int) -> str:
        timeline = self._timeline
        state = timeline.state()
        lines = [f"position {state.at}, cycle {state.cycle}, {state.events} events so far"]
        if state.outcome is not None:
            lines[0] += f"; the run has ended: {state.outcome.name.lower()}"
        for thread in state.threads:
            mark = "*" if thread.number == state.running else " "
            place = timeline.names.place(thread.number, thread.ip)
            what = f"waits for {thread.waits_for}" if thread.waits_for else "can run"
            lines.append(f"{mark} {thread.name}: {what}, at {place}")
        return "\n".join(lines) + "\n"

    def _utcb(self, words: list[str], thread: int) -> str:
        number = self._timeline.find_thread(words[0]) if words else thread
        timeline = self._timeline
        values = timeline.utcb(number)
        digits = 2 * timeline.log.word
        lines = [f"{timeline.names.of(number)}: UTCB at {timeline.utcb_address(number):#x}"]
        shown = [
            f"{name_of(k):>7} {values[k]:0{digits}x}"
            for k in range(WORDS)
            if values[k] or k < 2 or k == ERROR
        ]
        lines += ("  ".join(shown[k : k + _COLUMNS]) for k in range(0, len(shown), _COLUMNS))
        return "\n".join(lines) + "\n"

    def _messages(self, words: list[str], _: int) -> str:
        if words and not (words[0].isascii() and words[0].isdigit() and len(words[0]) < 9):
            raise UsageError(f"{words[0][:40]!a} is no number")
        count = min(int(words[0]), _MOST) if words else _MESSAGES
        timeline = self._timeline
        kinds = kinds_of(MESSAGES)
        found: list[int] = []
        for number in reversed(range(timeline.log.count(timeline.at))):
            if len(found) >= count:
                break
            if timeline.log.kind(number) in kinds:
                found.append(number)
        lines = [
            line.plain
            for number in reversed(found)
            for line in render_event(timeline.log.event(number), timeline.names)
        ]
        return "\n".join(lines) + "\n" if lines else "no message so far\n"

    def _seek(self, words: list[str], _: int) -> str:
        if len(words) != 1:
            raise UsageError("seek takes one mark")
        view = seek_mark(self._timeline, words[0])
        text = f"at {self._timeline.at}, cycle {self._timeline.cycle}\n"
        if view is not None:
            shown = " ".join(f"{word:#x}" for word in view.words)
            text += f"after {view.done} words the receiver had: {shown}\n"
        return text

    def _why(self, words: list[str], thread: int) -> str:
        if not 1 <= len(words) <= 2:
            raise UsageError("why takes a thread, if it is another one, and what to explain")
        timeline = self._timeline
        number = timeline.find_thread(words[0]) if len(words) == 2 else thread
        return "\n".join(render_why(explain(timeline, number, words[-1]))) + "\n"
