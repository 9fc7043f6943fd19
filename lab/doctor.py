"""Examining an installation: versions, the engine in use, and what the lab relies on."""

import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from emu.machine import Machine, MachineConfig
from emu.selftest import run_selftests
from guest.errors import GuestError
from guest.scenario import PROGRAMS
from lab.run import run_scenario

_PACKAGES = ("l4lab", "unicorn", "keystone-engine", "capstone", "pyelftools")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str


def examine() -> list[Check]:
    """Look at everything; takes a second or two."""
    checks = [Check("python", sys.version_info >= (3, 11), platform.python_version())]
    checks += [_package(name) for name in _PACKAGES]
    checks.append(_engine())
    checks += [Check(test.name, test.ok, test.detail) for test in run_selftests()]
    checks.append(_compiled_guests())
    checks += [_scenario(arch) for arch in ("amd64", "ia32")]
    return checks


def _package(name: str) -> Check:
    try:
        return Check(name, True, version(name))
    except PackageNotFoundError:
        return Check(name, False, "not installed")


def _engine() -> Check:
    name = Machine(MachineConfig()).engine
    note = "" if name == "compiled" else ": slower; install where there is a C compiler"
    return Check("engine", True, name + note)


def _compiled_guests() -> Check:
    # They are optional: the scenarios in C and C++ need them.
    built = len(list(Path(PROGRAMS, "build").glob("*/*.elf")))
    return Check("compiled guests", True, f"{built} built" if built else "run `make guests`")


def _scenario(arch: str) -> Check:
    name = f"faq_nested_call on {arch}"
    try:
        run = run_scenario("faq_nested_call", arch=arch, check=False)
    except GuestError as error:
        return Check(name, False, str(error))
    return Check(name, run.holds, f"{run.engine} engine, trace {run.trace_hash}")
