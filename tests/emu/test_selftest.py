from emu.selftest import run_selftests


def test_this_host_passes_every_check() -> None:
    checks = run_selftests()

    assert [check for check in checks if not check.ok] == []
    assert len({check.name for check in checks}) == len(checks) == 13
