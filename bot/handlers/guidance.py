"""`/greenlight instructions` and `explain`: how work is done in a channel, and what shaped a plan."""

import re
from dataclasses import replace

from agent.facts import told_in
from agent.ids import ThreadId, UserId, thread_id
from agent.plan.json_values import sanitized_text
from agent.ports import Instructions, Places
from agent.redaction import SECRETS
from bot import wording
from bot.blocks.guidance import explanation_message, instructions_message
from bot.elements import Rendered, words_only
from bot.payloads import Command, request_text
from bot.ports import ChannelInstructions, Explanations
from bot.slack.facts import FactKeeper
from bot.slack.membership import FRESH, Identity, Principals

LONGEST_INSTRUCTIONS = 2_000

_WORDS = re.compile(
    r"(?P<noun>instructions|explain)(?:[ \t]+(?P<verb>set|clear)(?:[ \t\n]+(?P<rest>.*))?)?", re.IGNORECASE | re.DOTALL
)
EXPLAIN_WORD = "!explain"


def is_about_guidance(text: str) -> bool:
    """Return whether a command is one of these."""
    return _WORDS.fullmatch(text.strip()) is not None


class GuidanceHandler:
    """Raises `BotError` or `AgentError` when it could not do what was asked; then nothing changed."""

    def __init__(
        self,
        instructions: Instructions,
        written: ChannelInstructions,
        explanations: Explanations,
        keeper: FactKeeper,
        principals: Principals,
        places: Places,
    ) -> None:
        self._places = places
        self._instructions = instructions
        self._written = written
        self._explanations = explanations
        self._keeper = keeper
        self._principals = principals

    async def answer(self, command: Command, identity: Identity) -> Rendered:
        """Do what the command says, for people who are in the channel; return what the caller reads."""
        words = _WORDS.fullmatch(request_text(command.raw, identity.user))
        person = await self._principals.person(identity.tenant, command.user, max_age_seconds=FRESH)
        here = thread_id(identity.tenant, command.channel, "")
        if not person.is_member:
            return words_only(wording.not_a_member(person.status, "do that"))
        if await self._keeper.readable(here, command.user) is None:
            return words_only(wording.GUIDANCE_NOT_HERE)
        match words and (words["noun"].lower(), (words["verb"] or "").lower(), (words["rest"] or "").strip()):
            case ("instructions", "", _):
                return instructions_message(await self._instructions.of(here))
            case ("instructions", "set", text) if text:
                return words_only(await self._write(command, identity, text))
            case ("instructions", "clear", ""):
                await self._written.write(identity.tenant, command.channel, "", by=command.user)
                return words_only(wording.INSTRUCTIONS_CLEARED)
            case ("explain", "", _):
                thread = await self._explanations.newest_in(identity.tenant, command.channel)
                if thread is None:
                    return words_only(wording.NOTHING_TO_EXPLAIN)
                return await self.explain(thread, to=command.user)
            case _:
                return words_only(wording.INSTRUCTIONS_USAGE)

    async def explain(self, thread: ThreadId, *, to: UserId | None = None) -> Rendered:
        """Return what shaped the newest plan of a thread.

        One person reads it, who can read that thread, or (None) everybody who can.
        """
        found = await self._explanations.of_thread(thread)
        if found is None:
            return words_only(wording.NOTHING_TO_EXPLAIN)
        place = await self._places.of(thread) if found.facts else None
        found = replace(found, facts=told_in(found.facts, place, to), used=told_in(found.used, place, to))
        return explanation_message(found, await self._instructions.of(thread))

    async def _write(self, command: Command, identity: Identity, text: str) -> str:
        text = sanitized_text(text)
        if len(text) > LONGEST_INSTRUCTIONS:
            return wording.instructions_too_long(LONGEST_INSTRUCTIONS)
        if "[secret " in text or SECRETS.hide(text) != text:
            return wording.INSTRUCTIONS_SECRET
        await self._written.write(identity.tenant, command.channel, text, by=command.user)
        return wording.INSTRUCTIONS_SET
