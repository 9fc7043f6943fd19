"""Memory that threads share: a slice that ends between two accesses to it can be found."""

from pathlib import Path

import pytest

from guest.scenario import Scenario, load_scenario
from lab.explore.job import Mode, Preempt, Settings, default_points
from lab.explore.pool import Alone
from lab.explore.schedule import load_schedule
from lab.explore.session import explore
from lab.run import run_scenario
from tests.lab.explore.test_explore import report

# The other thread has the lock for a few instructions, without any system call.
SERVER = """
.include "l4.inc"
.include "semaphore_lock.inc"
.text
_start:
    own_utcb rbx
    l4_open_wait
    call dispatch
    l4_answer_and_wait REPLY

dispatch:
    call take_lock
    mov rcx, qword ptr [rbx + UTCB_MR0]
    add qword ptr [rip + sum], rcx
    call release_lock
    mov rcx, qword ptr [rip + sum]
    mov qword ptr [rbx + UTCB_MR0], rcx
    ret

busy:
    own_utcb rbx
    call take_lock
    jmp 1f
1:  call release_lock
    sleep_forever

.include "semaphore_lock_holder.inc"
.bss
sum:        .space 8
"""
CLIENT = """
.include "l4.inc"
.text
_start:
    own_utcb rbx
    mov qword ptr [rbx + UTCB_MR0], 5
    l4_invoke 0x20000|L4_CALL, 1, L4_TIMEOUT_NEVER
    sleep_forever
"""
SCENARIO = """
title = "A lock that is hot only when a time slice ends at the wrong instruction"
arch  = "amd64"

[[task]]
name  = "server"
image = "server.s"
[task.caps]
0x30  = "semaphore:lock"
[[task.thread]]
name  = "busy"
entry = "busy"

[[task]]
name  = "client"
image = "client.s"
[task.caps]
0x20  = "gate:server"

[[gate]]
name   = "server"
thread = "server"
label  = 0x10

[[semaphore]]
name = "lock"

[expect]
memory = { "server.sum" = 5 }
"""
SHARED = default_points(Preempt.SHARED, 0, 0, overrules=False)


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    (tmp_path / "server.s").write_text(SERVER)
    (tmp_path / "client.s").write_text(CLIENT)
    (tmp_path / "hot_lock.toml").write_text(SCENARIO)
    return load_scenario(tmp_path / "hot_lock.toml")


def test_kernel_exits_alone_do_not_show_it_and_nothing_is_pruned(scenario: Scenario) -> None:
    done = explore(scenario, Settings(bound=3), Alone())

    assert (done.report.failing, done.prunes) == (0, False)


def test_a_slice_that_ends_before_a_shared_access_shows_it(
    scenario: Scenario, tmp_path: Path
) -> None:
    settings = Settings(preempt=Preempt.SHARED, points=SHARED)

    done = explore(scenario, settings, Alone(), folder=tmp_path)

    (saved,) = done.saved
    assert {found.failure.kind for found in saved.found} == {"memory", "finding"}
    assert [each.point for each in saved.choices] == ["slice"]
    assert done.prunes
    assert done.report.places
    assert saved.path is not None
    run = run_scenario(scenario, schedule=load_schedule(saved.path))
    assert [finding.rule for finding in run.findings] == ["stale-read"]


def test_pruning_by_shared_memory_leaves_out_nothing_that_is_different(
    scenario: Scenario,
) -> None:
    every = report(scenario, prunes=False, preempt=Preempt.SHARED, points=SHARED)
    pruned = report(scenario, preempt=Preempt.SHARED, points=SHARED)

    assert pruned.behaviours == every.behaviours
    assert set(pruned.found) == set(every.found)
    assert pruned.runs < every.runs


def test_it_is_found_at_random_too(scenario: Scenario) -> None:
    done = report(
        scenario, preempt=Preempt.SHARED, points=SHARED, mode=Mode.RANDOM, seed=1, runs=60
    )

    assert done.failing
