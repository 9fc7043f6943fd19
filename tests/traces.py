"""`python -m tests.traces`: the engine, then the trace of every scenario; to be compared."""

from guest.scenario import load_scenario, shipped_scenarios
from lab.run import run_scenario


def main() -> None:
    print(run_scenario("latent").engine)
    for name in shipped_scenarios():
        for arch in load_scenario(name).arches:
            run = run_scenario(name, arch=arch.name)
            print(name, arch.name, run.trace_hash, run.cycles, run.instructions)


if __name__ == "__main__":
    main()
