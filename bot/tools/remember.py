"""The red `remember` and `forget`: a model proposes what to keep for later, and a person reads exactly that first."""

from collections.abc import Mapping, Sequence

from agent.errors import StoreUnavailable
from agent.facts import LONGEST, MOST_DAYS, REMEMBER, Fact, FactId, FactScope
from agent.ids import ToolName, thread_parts
from agent.plan.effects import Inverse, InverseCall
from agent.plan.outcomes import OUTCOME_UNKNOWN
from agent.preview import FieldsPreview, Preview, cell_text
from agent.tool import CallContext, Colour, Reversibility, Tool, ToolError, Undoing
from agent.wishes import Wish
from bot.errors import BotError
from bot.ports import Proposal
from bot.slack.facts import FactKeeper, FactRefusal, Said
from sandbox.script import Json

MEMORY_TOOLS = frozenset({"remember", "forget"})
"""The names of `memory_tools`."""

_FORGET = ToolName("forget")
_NOT_YET_APPROVED = Proposal()

_REFUSALS: Mapping[FactRefusal, str] = {
    FactRefusal.EMPTY: "there is nothing to remember in it",
    FactRefusal.TOO_LONG: f"a fact has at most {LONGEST} characters",
    FactRefusal.SECRET: "it holds a secret, which is not stored",
    FactRefusal.NOT_HERE: "that scope can only be used in a public channel of this workspace alone",
    FactRefusal.NOT_CORRECTED_HERE: "its new words may not be said here",
    FactRefusal.FULL: "no more is remembered there; something must be forgotten first",
    FactRefusal.KNOWN: "that is remembered already",
    FactRefusal.OFF: "remembering is switched off",
    FactRefusal.NO_SUCH: "there is no such fact that the person who asks may change",
    FactRefusal.NOT_YOURS: "only who said it, or an admin, may change what the team remembers",
}


def memory_tools(keeper: FactKeeper | None) -> tuple[Tool, ...]:
    """Return the tools; without a keeper their calls do not work."""
    memory = _Memory(keeper)
    return (
        Tool(
            name=REMEMBER,
            description="Remember a fact for later requests, when a person asks for that or would want it. It is one "
            "sentence that is true for long, nothing secret, nothing about the request itself. Returns id.",
            arguments={
                "type": "object",
                "properties": {
                    "text": {"type": "string", "minLength": 1, "maxLength": LONGEST},
                    "scope": {
                        "enum": [scope.value for scope in FactScope],
                        "description": "me: who asks, in this channel; me_everywhere; channel; team",
                    },
                    "days": {"type": "integer", "minimum": 1, "maximum": MOST_DAYS, "description": "how long it holds"},
                },
                "required": ["text", "scope"],
                "additionalProperties": False,
            },
            colour=Colour.RED,
            reversibility=Reversibility.REVERSIBLE,
            undoing=Undoing(inverse=_inverse),
            preview=_preview,
            call=memory.remember,
            check=memory.check,
            targets=("text", "scope"),
        ),
        Tool(
            name=_FORGET,
            description="Forget a fact by the id that `remember` returned. Other facts people delete themselves, with "
            "`/greenlight memory`.",
            arguments={
                "type": "object",
                "properties": {"id": {"type": "string", "pattern": "^[0-9a-f]{4,16}$"}},
                "required": ["id"],
                "additionalProperties": False,
            },
            colour=Colour.RED,
            call=memory.forget,
            check=memory.check_forget,
            targets=("id",),
        ),
    )


def _preview(arguments: Mapping[str, Json]) -> Sequence[Preview]:
    names = {"text": "Fact", "scope": "For", "days": "Days"}
    fields = [(name, cell_text(arguments[key])) for key, name in names.items() if key in arguments]
    return [FieldsPreview(covers=tuple(arguments), name="Remember", fields=tuple(fields))]


def _inverse(_context: CallContext, _arguments: Mapping[str, Json], output: Json, _before: Json) -> Inverse:
    kept = output.get("id") if isinstance(output, Mapping) else None
    return InverseCall(tool=_FORGET, args={"id": str(kept)}) if kept else None


class _Memory:
    def __init__(self, keeper: FactKeeper | None) -> None:
        self._known_keeper = keeper

    @property
    def _keeper(self) -> FactKeeper:
        if self._known_keeper is None:
            raise ToolError("not_available", "nothing is remembered here")
        return self._known_keeper

    async def check(self, context: CallContext, arguments: Mapping[str, Json]) -> None:
        """Refuse what would not be remembered."""
        _fact_or_error(await self._keeper.drafted(_wish(arguments), _said(context)))

    async def remember(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Remember it for the person who asks; each try of a call stores the same fact."""
        try:
            proposal = await self._keeper.proposal(context.thread, context.node)
        except StoreUnavailable as error:
            raise ToolError("not_available", "the database did not answer; nothing is stored") from error
        context.check_not_late()
        try:
            fact = _fact_or_error(await self._keeper.keep(_wish(arguments), _said(context, proposal)))
        except StoreUnavailable as error:
            raise ToolError(OUTCOME_UNKNOWN, "the database did not answer; it may be remembered or not") from error
        except BotError as error:
            raise ToolError("slack_unreachable", "Slack did not say who reads there; nothing is stored") from error
        until = {} if fact.expires_at is None else {"until": fact.expires_at.isoformat(timespec="seconds")}
        return {"id": fact.id, "scope": fact.scope.value, **until}

    async def check_forget(self, context: CallContext, arguments: Mapping[str, Json]) -> None:
        """Refuse what the person may not change."""
        await self._changeable(context, arguments)

    async def forget(self, context: CallContext, arguments: Mapping[str, Json]) -> Json:
        """Delete the fact."""
        parts = thread_parts(context.thread)
        context.check_not_late()
        try:
            fact = await self._keeper.forget(
                parts.tenant, FactId(str(arguments["id"])), by=context.author, place=parts.channel
            )
        except StoreUnavailable as error:
            raise ToolError(OUTCOME_UNKNOWN, "the database did not answer; it may be forgotten or not") from error
        except BotError as error:
            raise ToolError("slack_unreachable", "Slack did not say who asks; nothing changed") from error
        return {"forgotten": _fact_or_error(fact).id}

    async def _changeable(self, context: CallContext, arguments: Mapping[str, Json]) -> Fact:
        tenant = thread_parts(context.thread).tenant
        return _fact_or_error(await self._keeper.changeable(tenant, FactId(str(arguments["id"])), context.author))


def _wish(arguments: Mapping[str, Json]) -> Wish:
    days = arguments.get("days")
    return Wish(
        text=str(arguments["text"]),
        scope=FactScope(str(arguments["scope"])),
        days=days if isinstance(days, int) else None,
    )


def _said(context: CallContext, proposal: Proposal = _NOT_YET_APPROVED) -> Said:
    return Said(
        thread=context.thread,
        person=context.author,
        key=context.idempotency_key,
        ts=thread_parts(context.thread).root_ts,
        proposal=proposal,
    )


def _fact_or_error(fact: Fact | FactRefusal) -> Fact:
    if isinstance(fact, FactRefusal):
        raise ToolError(f"memory_{fact.value}", _REFUSALS[fact])
    return fact
