"""The console script `greenlight`: finds the command's module and hands over; imports nothing else.

A command's module holds `app` (a `typer.Typer`; with a single command it is that command) or plain
functions. To add one, add a line to COMMANDS.
"""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, NamedTuple

import typer


class Entry(NamedTuple):
    """Where a command lives and its line in `greenlight --help`."""

    module: str
    attribute: str
    help: str


COMMANDS = {
    "demo": Entry("infra.cli.demo", "app", "Try it in the browser: no Slack, no model key, no Docker needed."),
    "run": Entry("infra.cli.run", "run", "Run bot and worker in one process."),
    "bot": Entry("infra.cli.run", "bot", "Run the Slack side alone."),
    "worker": Entry("infra.cli.run", "worker", "Run the engine alone; as many as you like, on any machines."),
    "migrate": Entry("infra.cli.migrate", "app", "Bring the database to this version."),
    "doctor": Entry("infra.cli.doctor", "app", "Say what is missing here, and how to mend it."),
    "plan": Entry("infra.cli.plan", "app", "Check a plan file, or run it without Slack and without a model."),
    "sandbox": Entry("infra.cli.sandbox", "app", "Build the sandbox image, or run one script in it."),
    "eval": Entry("infra.cli.eval", "app", "Measure how often plans come out right, with a model or with replays."),
    "workspace": Entry("infra.cli.workspace", "workspace", "Serve the local Slack-compatible workspace alone."),
    "model": Entry("infra.cli.model", "app", "Serve the scripted model alone."),
}


def _command(name: str) -> typer.Typer:
    entry = COMMANDS[name]
    target: typer.Typer | Callable[..., object] = getattr(import_module(entry.module), entry.attribute)
    if isinstance(target, typer.Typer):
        return target
    single = typer.Typer(add_completion=False)
    single.command()(target)
    return single


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"greenlight {version('greenlight')}")
        raise typer.Exit


def _overview() -> typer.Typer:
    """Return an app that only lists the commands: what is shown when none of them was named."""
    overview = typer.Typer(no_args_is_help=True, add_completion=False)

    @overview.callback()
    def _root(  # pyright: ignore[reportUnusedFunction]  registered by the decorator
        show_version: Annotated[
            bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
        ] = False,
    ) -> None:
        """Run requests from Slack as a DAG, and ask before anything is changed."""

    def listed() -> None:
        """Stand for a command in the list; `main` never comes here with a known name."""

    for name, entry in COMMANDS.items():
        overview.command(name, help=entry.help)(listed)
    return overview


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that `arguments` (default: the process's own) name. Ends with SystemExit."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in COMMANDS:
        _command(given[0])(args=given[1:], prog_name=f"greenlight {given[0]}")
    else:
        _overview()(args=given, prog_name="greenlight")
