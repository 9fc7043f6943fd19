"""The command line: all commands, and how it ends."""

import sys

import click

from lab.cli import costs, exploring, installation, looking, running, traces
from lab.cli.output import WRONG_INPUT, fail

_COMMANDS = (
    *(running.run, running.check, running.explain, running.trace),
    *(looking.debug, looking.why, looking.gdb, looking.report, looking.diff),
    *(traces.show, traces.query, traces.replay, traces.export),
    *(costs.stat, costs.profile, costs.cost, costs.measure_speed),
    *(exploring.explore, exploring.sweep),
    *(installation.list_scenarios, installation.new_project, installation.doctor),
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="l4lab")
def commands() -> None:
    """Find out why an L4 message did not arrive as it was sent."""


for _command in _COMMANDS:
    commands.add_command(_command)


def main() -> None:
    """Run the command line; every error of the user's is one message and exit code 3."""
    from guest.errors import GuestError

    json_wanted = "--json" in sys.argv
    try:
        commands.main(standalone_mode=False)
    except GuestError as error:
        fail(
            json_wanted,
            str(error),
            error.message,
            file=error.file,
            line=error.line,
            key=error.key,
        )
    except click.ClickException as error:
        fail(json_wanted, error.format_message(), error.format_message())
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)
    except (click.Abort, KeyboardInterrupt):
        fail(json_wanted, "interrupted", "interrupted")
    except BrokenPipeError:
        # Whoever read our output has left; there is nobody to tell.
        sys.stderr.close()
        sys.exit(WRONG_INPUT)
