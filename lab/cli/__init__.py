"""The command line, a module for each kind of command.

Rule: what a command needs it imports inside its functions, so that each pays only for its
own; this is the only place where that is done.

Exit codes of `run`: 0 expectations hold; 1 an expectation fails; 2 the guest failed
without being expected to; 3 wrong use or wrong input.
"""

from lab.cli.group import commands, main

__all__ = ["commands", "main"]
