"""Which runner an installation has: the compiled one if it was built, else pure Python.

All or nothing: the extension is built together with the modules that drive it
(`machine`, `stepper` and the like), and cannot be imported without them.
"""

from importlib import import_module
from importlib.util import find_spec

from emu.engine import Functions, Runner
from emu.python_engine import PythonRunner

NATIVE = "emu.native_engine"


def create_runner(functions: Functions) -> Runner:
    """Make a runner for one machine."""
    if find_spec(NATIVE) is None:
        return PythonRunner(functions)
    runner: Runner = import_module(NATIVE).NativeRunner(functions)
    return runner
