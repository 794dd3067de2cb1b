"""The console script `greenlight`: imports the module of the named command, and no other.

A command is a function of its module, or a `typer.Typer` with subcommands. To add one, add a line to COMMANDS.
"""

import gc
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, NamedTuple

import typer


class Entry(NamedTuple):
    """A command of the console script."""

    module: str
    #: The function or the `typer.Typer` in the module.
    attribute: str
    #: Its line in `greenlight --help`.
    help: str


_NEW_OBJECTS = 20_000
"""So many more objects bring the garbage collector; by default 700."""

COMMANDS = {
    "demo": Entry("infra.cli.demo", "demo", "Try it in the browser: no Slack, no model key, no Docker needed."),
    "run": Entry("infra.cli.run", "run", "Run bot and worker in one process."),
    "bot": Entry("infra.cli.run", "bot", "Run the Slack side alone."),
    "worker": Entry("infra.cli.run", "worker", "Run the engine alone; as many as you like, on any machines."),
    "migrate": Entry("infra.cli.run", "migrate", "Bring the database to this version."),
    "doctor": Entry("infra.cli.doctor", "doctor", "List what is missing here, and how to fix it."),
    "plan": Entry("infra.cli.plan", "app", "Check a plan file, or run it without Slack and without a model."),
    "audit": Entry("infra.cli.audit", "app", "Export the audit, check it, or take a person's id out of it."),
    "policy": Entry("infra.cli.policy", "app", "Replay recorded calls against the policy, or say which rule decides."),
    "tools": Entry("infra.cli.tools", "app", "List the tools, call one, or begin a new one in Python."),
    "mcp": Entry("infra.cli.mcp", "app", "Pin the tools of an MCP server, or list those that are pinned."),
    "sandbox": Entry("infra.cli.sandbox", "app", "Build the sandbox image, or run one script in it."),
    "eval": Entry("infra.cli.eval", "evaluate", "Measure how often plans are right, with a model or with replays."),
    "workspace": Entry("infra.cli.stand_ins", "workspace", "Serve the local Slack-compatible workspace alone."),
    "model": Entry("infra.cli.stand_ins", "model", "Serve the scripted model alone."),
}


def _command(name: str) -> typer.Typer:
    entry = COMMANDS[name]
    with collector_paused():
        target: typer.Typer | Callable[..., object] = getattr(import_module(entry.module), entry.attribute)
    if isinstance(target, typer.Typer):
        return target
    single = typer.Typer(add_completion=False)
    single.command()(target)
    return single


@contextmanager
def collector_paused() -> Generator[None]:
    """Keep the garbage collector from walking what an import makes, now and later; later it comes seldom.

    None of it is ever garbage, and walking it again and again took a fifth of the import. A run makes thousands of
    objects, nearly all of which go without the collector.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(_NEW_OBJECTS)
        gc.enable()


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"greenlight {version('greenlight')}")
        raise typer.Exit


def _overview() -> typer.Typer:
    """Return an app that only lists the commands, for a call that names none of them."""
    overview = typer.Typer(no_args_is_help=True, add_completion=False)

    @overview.callback()
    def _root(  # pyright: ignore[reportUnusedFunction]  registered by the decorator
        show_version: Annotated[
            bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
        ] = False,
    ) -> None:
        """Run requests from Slack as a graph of steps, and ask before anything changes."""

    def listed() -> None:
        """Represent a command in the list; `main` never calls it, because it runs known commands itself."""

    for name, entry in COMMANDS.items():
        overview.command(name, help=entry.help)(listed)
    return overview


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that `arguments` name (default: those of the process). Ends with SystemExit."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in COMMANDS:
        _command(given[0])(args=given[1:], prog_name=f"greenlight {given[0]}")
    else:
        _overview()(args=given, prog_name="greenlight")
