"""The bench: wires machine, kernel and guests; runs, traces and shows what happened.

What a test needs of it is in `lab.api`, and found here by the same names; it is imported
when it is first asked for, so that the command line need not pay for it.
"""

from importlib import import_module

_NAMES = (
    *("CallFailed", "Finding", "GuestError", "IpcError", "Message", "NoAnswer", "Rule", "Run"),
    *("Scenario", "Session", "UsageError", "Verdict", "boot", "load", "run_scenario"),
)


def __getattr__(name: str) -> object:
    if name not in _NAMES:
        raise AttributeError(f"module 'lab' has no attribute {name!r}")
    found: object = getattr(import_module("lab.api"), name)
    return found


def __dir__() -> list[str]:
    return sorted((*globals(), *_NAMES))
