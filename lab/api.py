"""The lab from Python: load a scenario, boot it, call its servers, look at what came of it.

Everything here is also found in `lab` itself.

Examples:
    A run from beginning to end:

    >>> import lab
    >>> run = lab.run_scenario("faq_nested_call")
    >>> run.outcome, run.messages
    ('idle', 8)
    >>> print(run.console.splitlines()[-1])
    client: sent 42, got 14 (84 expected)
    >>> for found in run.findings:
    ...     print(found.verdict, found.rule, found.register, found.function, found.line)
    confirmed stale-read mr[1] dispatch 39

    A session, in which the test itself is a client.  Time stands still between two calls:

    >>> with lab.boot("faq_read_first", arch="ia32") as session:
    ...     answer = session.call("doubler", 7, 21, label=0x1001)
    ...     print(answer)
    ...     print(answer.words, hex(session.memory("client.result")))
    ...     print(session.findings)
    server -> python: reply_and_wait 0x2a
    (42,) 0x54
    ()

    The server that gets it wrong, called in the same way, and what was sent meanwhile:

    >>> with lab.boot("faq_nested_call") as session:
    ...     answer = session.call("doubler", 7, 21, label=0x1001)
    ...     run = session.finish()
    ...     for message in session.messages[-4:]:
    ...         print(message)
    python -> server: call via doubler label 0x1001 0x7 0x15
    server -> notifier: call via notifier label 0x1002 0x9 0x3
    notifier -> server: reply_and_wait 0x2 0x7
    server -> python: reply_and_wait 0xe
    >>> [(finding.rule.value, finding.count) for finding in run.findings]
    [('stale-read', 2)]

    A scenario is a value, which says what it would boot:

    >>> scenario = lab.load("faq_nested_call")
    >>> [task.name for task in scenario.tasks], scenario.arch.name, scenario.cycles
    (['notifier', 'server', 'client'], 'amd64', 2000000)
    >>> lab.run_scenario(scenario, cycles=5_000).outcome
    'budget'

    What the user can mend is one kind of error, with file, line and key:

    >>> lab.load("faq_nestd_call")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    guest.errors.GuestError: ...: no scenario of this name (did you mean "faq_nested_call"...
"""

from guest.errors import GuestError
from guest.scenario import Scenario
from guest.scenario import load_scenario as load
from kernel.abi import IpcError
from kernel.errors import UsageError
from lab.checker.finding import Finding, Rule, Verdict
from lab.messages import Message
from lab.result import Run
from lab.run import run_scenario
from lab.session import CallFailed, NoAnswer, Session, boot

__all__ = [
    "CallFailed",
    "Finding",
    "GuestError",
    "IpcError",
    "Message",
    "NoAnswer",
    "Rule",
    "Run",
    "Scenario",
    "Session",
    "UsageError",
    "Verdict",
    "boot",
    "load",
    "run_scenario",
]
