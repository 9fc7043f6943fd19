"""Commands about what is installed: list, new, doctor."""

import sys

import click

from lab.cli import options
from lab.cli.output import DIFFERS, HOLDS, print_json, print_lines


@click.command("list")
@click.option("--corpus", is_flag=True, help="List the corpus of known misuse instead.")
@options.as_json
def list_scenarios(corpus: bool, as_json: bool) -> None:
    """List the scenarios that ship."""
    from guest.scenario import load_scenario, shipped_scenarios
    from lab.views.text import render_table

    if corpus:
        _list_corpus(as_json)
        return
    loaded = [load_scenario(name, arch=None) for name in shipped_scenarios()]
    if as_json:
        print_json(
            {
                "schema": 1,
                "scenarios": [
                    {"name": s.name, "title": s.title, "arches": [a.name for a in s.arches]}
                    for s in loaded
                ],
            }
        )
        return
    rows = [(s.name, " ".join(a.name for a in s.arches), s.title) for s in loaded]
    print_lines([render_table(("scenario", "on", "what it shows"), rows)])


@click.command("new")
@click.argument("directory", type=click.Path())
@click.option(
    "--include", "only_include", is_flag=True, help="Only bring its include files up to date."
)
def new_project(directory: str, only_include: bool) -> None:
    """Make an example project in DIRECTORY: a server in C, a client, a scenario and tests."""
    import shlex
    from pathlib import Path

    from guest.project import create_project, refresh_include

    folder = Path(directory)
    written = refresh_include(folder) if only_include else create_project(folder)
    for path in written:
        click.echo(f"  {path}")
    if not only_include:
        click.echo(f"now run: make -C {shlex.quote(directory)} test")


@click.command()
@options.as_json
def doctor(as_json: bool) -> None:
    """Show versions and the engine in use, and test what the lab relies on."""
    from rich.text import Text

    from lab.doctor import examine
    from lab.views.text import render_table

    checks = examine()
    if as_json:
        print_json(
            {
                "schema": 1,
                "checks": [{"name": c.name, "ok": c.ok, "detail": c.detail} for c in checks],
            }
        )
    else:
        marks = {True: Text("ok", style="green"), False: Text("FAILED", style="bold red")}
        rows = [(marks[c.ok], c.name, c.detail) for c in checks]
        print_lines([render_table(("", "check", "detail"), rows)])
    sys.exit(HOLDS if all(check.ok for check in checks) else DIFFERS)


def _list_corpus(as_json: bool) -> None:
    from guest.corpus.cases import load_corpus
    from lab.views import corpus

    found = load_corpus()
    if as_json:
        print_json(corpus.as_json(found))
    else:
        print_lines(corpus.render(found))
