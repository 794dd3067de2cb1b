"""`greenlight policy`: replays recorded calls against the policy, and says which rule decides about a call."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError
from sqlalchemy import Row, and_, func, select
from sqlalchemy.orm import aliased

from agent.approval import ApprovalKind, Decision, Requirement
from agent.errors import StoreUnavailable
from agent.ids import ChannelId, ThreadId, ToolName, UserId, thread_parts
from agent.policy.facts import CallFacts, RunCounts
from agent.policy.requirement import requirement_from_json
from agent.policy.rules import Assessed, Effect, PolicySet
from infra.cli.process import WRONG_SETTINGS, environment
from infra.config.environment import Settings, held_database, read_settings
from infra.config.file import ConfigurationError, read_policy
from infra.db.database import Database
from infra.db.embedded_postgres import PostgresUnusable
from infra.db.tables import ApprovalRow

DRIFT = 1
"""Exit code: the policy says something else of a recorded call than was recorded."""

_MOST_CALLS = 10_000

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Test the approval policy, or explain a decision.")

_ARGUMENTS = TypeAdapter(dict[str, JsonValue])

_Policy = Annotated[
    Path | None, typer.Option("--policy", help="A TOML file with [policy] and [approvals]; default: the settings'.")
]


@dataclass(frozen=True, kw_only=True)
class RecordedCall:
    """A call, and what the policy of its time said of it."""

    #: Where it is recorded.
    place: str
    facts: CallFacts
    effect: Effect
    #: None: not recorded.
    rule: str | None = None
    #: The quorum of each stage; None: not recorded.
    needs: tuple[int, ...] | None = None

    def drift(self, now: Assessed) -> str:
        """Return what the policy says now in other words than then; empty when nothing changed."""
        same_rule = self.rule is None or self.rule == now.requirement.rule
        same_needs = self.needs is None or self.effect is not Effect.ASK or self.needs == now.requirement.needs
        if self.effect is now.effect and same_rule and same_needs:
            return ""
        before = _words(self.effect, self.rule, self.needs)
        return f"{self.place}: {self.facts.tool}: {before} -> {_words(now.effect, now.requirement.rule, _needs(now))}"


class _Line(BaseModel):
    """A line of a file of calls."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tool: str
    args: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    author: str = ""
    channel: str = ""
    channel_name: str | None = ""
    reversibility: str = "final"
    outside: bool = False
    red_calls: int = 0
    calls_of_tool: int = 0
    open_cards: int = 0
    now: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC)
    effect: Effect
    rule: str | None = None
    needs: tuple[int, ...] | None = None


@app.command("test")
def replay(
    file: Annotated[
        Path | None, typer.Argument(help="Calls as JSON Lines; without it, those of the database, the newest 10,000.")
    ] = None,
    policy: _Policy = None,
) -> None:
    """Replay recorded calls against the policy and print each of which it says something else now.

    Exit 0: nothing would change; 1: something would; 2: it cannot be tested.
    """
    try:
        settings = read_settings(environment())
        rules = _policy(settings, policy)
        calls = list(_of_file(file)) if file is not None else _of_database(settings)
    except (ConfigurationError, PostgresUnusable) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(WRONG_SETTINGS) from error
    except OSError as error:
        typer.echo(f"cannot read {error.filename}: {error.strerror}", err=True)
        raise typer.Exit(WRONG_SETTINGS) from error
    except StoreUnavailable as error:
        typer.echo("The database cannot be reached.", err=True)
        raise typer.Exit(WRONG_SETTINGS) from error
    drifts = [drift for call in calls if (drift := call.drift(rules.assess(call.facts)))]
    for drift in drifts:
        typer.echo(drift)
    typer.echo(f"{len(calls)} calls against policy {rules.version}: {len(drifts)} would be decided otherwise")
    if drifts:
        raise typer.Exit(DRIFT)


@app.command()
def explain(
    channel: Annotated[str, typer.Argument(help="Where the call is asked for: #name or an id.")],
    tool: Annotated[str, typer.Argument(help="The tool's name.")],
    args: Annotated[str, typer.Option(help="The arguments, as a JSON object.")] = "{}",
    author: Annotated[str, typer.Option(help="Who asks for it: an id.")] = "",
    policy: _Policy = None,
) -> None:
    """Print which rule decides about a call, what it says, and where it stands."""
    try:
        rules = _policy(read_settings(environment()), policy)
        given = _ARGUMENTS.validate_json(args)
    except ConfigurationError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(WRONG_SETTINGS) from error
    except ValidationError as error:
        typer.echo("--args must be a JSON object", err=True)
        raise typer.Exit(WRONG_SETTINGS) from error
    named = channel.startswith("#")
    facts = CallFacts(
        tool=ToolName(tool),
        args=given,
        author=UserId(author),
        channel=ChannelId("" if named else channel),
        channel_name=channel.removeprefix("#") if named else None,
        now=datetime.now(UTC),
    )
    assessed = rules.assess(facts)
    for line in _explained(assessed, rules):
        typer.echo(line)


def _explained(assessed: Assessed, rules: PolicySet) -> Iterator[str]:
    rule, takes = assessed.rule, assessed.requirement
    for name in assessed.doubtful:
        yield f"could not be evaluated: {name}"
    if rule is None:
        yield "no rule is about it: the table [approvals] decides"
    else:
        yield f"rule {rule.name!r}{f' at {rule.place}' if rule.place else ''}"
    yield _words(assessed.effect, None, _needs(assessed)) + (f": {rule.words}" if rule and rule.words else "")
    if assessed.effect is Effect.ASK:
        for number, stage in enumerate(takes.stages, start=1):
            who = [*sorted(stage.users or ()), *sorted(stage.groups or ())]
            anyone = "anybody in the channel" if stage.is_for_anyone else ", ".join(who) or "nobody"
            own = "" if stage.self_approval else ", but not who asked for it"
            yield f"  stage {number}: {stage.quorum} of {anyone}{own}"
    yield f"policy {rules.version}"


def _words(effect: Effect, rule: str | None, needs: tuple[int, ...] | None) -> str:
    """Return `ask (2 then 1) by 'two looks'`."""
    several = f" ({' then '.join(map(str, needs))})" if effect is Effect.ASK and needs and needs != (1,) else ""
    return f"{effect.value}{several}{f' by {rule!r}' if rule else ''}"


def _needs(assessed: Assessed) -> tuple[int, ...]:
    return assessed.requirement.needs


def _policy(settings: Settings, file: Path | None) -> PolicySet:
    """Return the policy of the file, or that of the settings.

    Raises:
        ConfigurationError: it cannot be used.
    """
    path = file or settings.configuration_file
    return settings.configuration.policy_set() if path is None else read_policy(path)


def _of_file(file: Path) -> Iterator[RecordedCall]:
    """Yield the calls of a file.

    Raises:
        OSError: it cannot be read.
        ConfigurationError: a line is none; the text names it, and nothing that it holds.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file}: not UTF-8") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            given = _Line.model_validate_json(line)
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['type']}" for fault in error.errors())
            raise ConfigurationError(f"{file}:{number}: {faults}") from None
        yield RecordedCall(
            place=f"{file}:{number}",
            facts=CallFacts(
                tool=ToolName(given.tool),
                args=given.args,
                author=UserId(given.author),
                channel=ChannelId(given.channel),
                channel_name=given.channel_name,
                reversibility=given.reversibility,
                outside=given.outside,
                counts=RunCounts(
                    red_calls=given.red_calls, calls_of_tool=given.calls_of_tool, open_cards=given.open_cards
                ),
                now=given.now,
            ),
            effect=given.effect,
            rule=given.rule,
            needs=given.needs,
        )


def _of_database(settings: Settings) -> Sequence[RecordedCall]:
    """Return the calls that were asked about, or that a rule let run, newest first.

    Raises:
        ConfigurationError, PostgresUnusable, StoreUnavailable: the database cannot be read.
    """
    with held_database(settings) as url:

        async def read() -> Sequence[RecordedCall]:
            database = Database(url)
            try:
                return [_recorded(row) for row in await database.execute(_CALLS)]
            finally:
                await database.close()

        return asyncio.run(read())


_EARLIER = aliased(ApprovalRow)
_BEFORE = and_(
    _EARLIER.tenant == ApprovalRow.tenant,
    _EARLIER.thread == ApprovalRow.thread,
    _EARLIER.turn == ApprovalRow.turn,
    _EARLIER.kind == ApprovalKind.APPROVE.value,
    _EARLIER.decided_at < ApprovalRow.asked_at,
    _EARLIER.status == Decision.APPROVED.value,
)
_CALLS = (
    select(
        ApprovalRow.thread,
        ApprovalRow.node,
        ApprovalRow.tool,
        ApprovalRow.args,
        ApprovalRow.author,
        ApprovalRow.facts,
        ApprovalRow.policy,
        ApprovalRow.asked_at,
        select(func.count()).where(_BEFORE).correlate(ApprovalRow).scalar_subquery().label("red_calls"),
        select(func.count())
        .where(_BEFORE, _EARLIER.tool == ApprovalRow.tool)
        .correlate(ApprovalRow)
        .scalar_subquery()
        .label("calls_of_tool"),
    )
    .where(ApprovalRow.kind == ApprovalKind.APPROVE.value)
    .order_by(ApprovalRow.asked_at.desc())
    .limit(_MOST_CALLS)
)


def _recorded(row: Row[*tuple[Any, ...]]) -> RecordedCall:
    facts: Mapping[str, JsonValue] = row.facts or {}
    takes = Requirement() if row.policy is None else requirement_from_json(row.policy)
    return RecordedCall(
        place=f"{row.thread} {row.node}",
        facts=CallFacts(
            tool=ToolName(row.tool),
            args=row.args,
            author=UserId(row.author),
            channel=ChannelId(thread_parts(ThreadId(row.thread)).channel),
            channel_name=None,
            reversibility=str(facts.get("reversibility", "final")),
            outside=bool(facts.get("outside", False)),
            counts=RunCounts(red_calls=row.red_calls, calls_of_tool=row.calls_of_tool),
            now=row.asked_at,
        ),
        effect=Effect.ALLOW if takes.allowed else Effect.ASK,
        rule=takes.rule if row.policy is not None else None,
        needs=takes.needs if row.policy is not None else None,
    )
