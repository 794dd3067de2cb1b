"""What people ask to remember: "remember that ..." in a message, and `/greenlight memory`. No model reads either."""

import re
from collections.abc import Callable

from agent.facts import Fact, FactId
from agent.ids import ThreadId, thread_id
from agent.wishes import Wish, read_addition
from bot import wording
from bot.blocks.memory import fact_words, memory_message, own_memory_message, remembered_message
from bot.elements import Rendered, words_only
from bot.errors import SlackRefused
from bot.payloads import Command, MessageEvent, request_text
from bot.slack.facts import FactKeeper, FactRefusal, Said
from bot.slack.membership import FRESH, Identity, Principals

_VERBS = "add|correct|forget|delete|mine|help"
_WORDS = re.compile(
    rf"memory(?:[ \t]+(?P<page>[1-9][0-9]{{0,2}})|[ \t]+(?P<verb>{_VERBS})(?:[ \t\n]+(?P<rest>.*))?)?",
    re.IGNORECASE | re.DOTALL,
)
_PAGE = re.compile(r"[1-9][0-9]{0,2}")
_ABOUT = re.compile(r"`?(?P<id>[0-9a-f]{4,16})`?(?:[ \t\n:]+(?P<words>.*))?", re.DOTALL)
_MINE = "mine"


def is_about_memory(text: str) -> bool:
    """Return whether a command is this one."""
    return _WORDS.fullmatch(text.strip()) is not None


class MemoryHandler:
    """Raises `BotError` or `AgentError` when it could not do what was asked; then nothing changed."""

    def __init__(self, keeper: FactKeeper, principals: Principals) -> None:
        self._keeper = keeper
        self._principals = principals

    async def remember(self, event: MessageEvent, thread: ThreadId, wish: Wish) -> Rendered:
        """Remember what a member's message says; return what its thread reads."""
        try:
            kept = await self._keeper.keep(wish, Said(thread=thread, person=event.user, key=event.ts, ts=event.ts))
        except SlackRefused:  # another delivery would be refused as well
            return words_only(wording.MEMORY_UNCHECKED)
        return words_only(wording.FACT_REFUSALS[kept]) if isinstance(kept, FactRefusal) else remembered_message(kept)

    async def answer(self, command: Command, identity: Identity) -> Rendered:
        """Do what the command says; return what the caller reads."""
        person = await self._principals.person(identity.tenant, command.user, max_age_seconds=FRESH)
        if not person.is_member:
            return words_only(wording.not_a_member(person.status, "use what I remember"))
        words = _WORDS.fullmatch(request_text(command.raw, identity.user))
        verb = "help" if words is None else (words["verb"] or "").lower()
        rest = ((words and words["rest"]) or "").strip()
        match verb:
            case "":
                return await self._listed(command, identity, int((words and words["page"]) or 1))
            case "mine" if not rest or _PAGE.fullmatch(rest):
                facts = await self._keeper.of_person(identity.tenant, command.user)
                return own_memory_message(facts, int(rest or 1))
            case "add" if (wish := read_addition(rest)) is not None:
                return await self._add(command, identity, wish)
            case "correct" if (about := _ABOUT.fullmatch(rest)) is not None and about["words"]:
                corrected = await self._keeper.correct(
                    identity.tenant, FactId(about["id"]), about["words"], by=command.user, place=command.channel
                )
                return _told(corrected, wording.fact_corrected)
            case "forget" | "delete" if rest == _MINE:
                gone = await self._keeper.forget_all_of(identity.tenant, command.user, command.channel)
                return words_only(wording.facts_forgotten(gone))
            case "forget" | "delete" if (about := _ABOUT.fullmatch(rest)) is not None and not about["words"]:
                forgotten = await self._keeper.forget(
                    identity.tenant, FactId(about["id"]), by=command.user, place=command.channel
                )
                return _told(forgotten, wording.fact_forgotten)
            case _:
                return words_only(wording.MEMORY_USAGE)

    async def _listed(self, command: Command, identity: Identity, page: int) -> Rendered:
        may = await self._keeper.readable(thread_id(identity.tenant, command.channel, ""), command.user)
        if may is None:
            return words_only(wording.MEMORY_NOT_HERE)
        return memory_message(await self._keeper.standing(may), page)

    async def _add(self, command: Command, identity: Identity, wish: Wish) -> Rendered:
        thread = thread_id(identity.tenant, command.channel, "")
        if await self._keeper.readable(thread, command.user) is None:
            return words_only(wording.MEMORY_NOT_HERE)
        kept = await self._keeper.keep(wish, Said(thread=thread, person=command.user, key=command.trigger_id))
        return words_only(wording.FACT_REFUSALS[kept]) if isinstance(kept, FactRefusal) else remembered_message(kept)


def _told(changed: Fact | FactRefusal, words: Callable[[str], str]) -> Rendered:
    return words_only(
        wording.FACT_REFUSALS[changed] if isinstance(changed, FactRefusal) else words(fact_words(changed))
    )
