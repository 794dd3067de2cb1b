"""`/greenlight freeze` and `unfreeze`: an administrator stops red calls at once, and lets them go on."""

import re
from collections.abc import Callable, Sequence

from agent.approval import Freeze, FreezeScope
from agent.ids import Tenant, UserId
from bot import wording
from bot.payloads import Command
from bot.ports import Freezes
from bot.slack.membership import FRESH, Identity, Principals

_WORDS = re.compile(r"(?P<verb>freeze|unfreeze)(?:[ \t]+(?P<target>[^ \t].*))?", re.IGNORECASE | re.DOTALL)
_CHANNEL = re.compile(r"<#(?P<id>[CG][A-Z0-9]+)(?:\|[^<>]*)?>")


def is_about_freezes(text: str) -> bool:
    """Return whether a command is one of these, however it goes on: in doubt nothing else is begun."""
    return _WORDS.fullmatch(text.strip()) is not None


class FreezeHandler:
    """Freezes and lifts for the admins of the workspace and the people in `admins`."""

    def __init__(
        self, freezes: Freezes, principals: Principals, *, admins: frozenset[UserId], is_tool: Callable[[str], bool]
    ) -> None:
        self._freezes = freezes
        self._principals = principals
        self._admins = admins
        self._is_tool = is_tool

    async def answer(self, command: Command, identity: Identity) -> str:
        """Do what the command says; return what the caller reads.

        Raises:
            BotError: Slack does not say who the caller is; nothing changed.
        """
        words = _WORDS.fullmatch(command.raw.strip())
        freeze = None if words is None else await self._read(words["target"] or "")
        if words is None or freeze is None:
            return wording.FREEZE_USAGE
        person = await self._principals.person(identity.tenant, command.user, max_age_seconds=FRESH)
        if not person.is_member or not (person.is_admin or command.user in self._admins):
            return wording.FREEZE_ADMINS_ONLY
        what = wording.freeze_words(freeze.scope, freeze.target)
        change = self._freezes.freeze if words["verb"].casefold() == "freeze" else self._freezes.lift
        new = await change(identity.tenant, freeze, by=command.user, place=command.channel)
        if words["verb"].casefold() == "freeze":
            return wording.frozen(what, new=new)
        return wording.lifted(what, new=new, left=await self.standing(identity.tenant))

    async def standing(self, tenant: Tenant) -> Sequence[str]:
        """Return the freezes that stand, in words."""
        return [wording.freeze_words(freeze.scope, freeze.target) for freeze in await self._freezes.standing(tenant)]

    async def _read(self, target: str) -> Freeze | None:
        """Return what is to be frozen; None: nobody can tell, and a misspelt name must not pass for a freeze."""
        target = target.strip()
        if not target:
            return Freeze(scope=FreezeScope.WORKSPACE)
        if (mentioned := _CHANNEL.fullmatch(target)) is not None:
            return Freeze(scope=FreezeScope.CHANNEL, target=mentioned["id"])
        if self._is_tool(target):
            return Freeze(scope=FreezeScope.TOOL, target=target)
        named = await self._principals.channel_named(target[1:]) if target.startswith("#") else None
        return None if named is None else Freeze(scope=FreezeScope.CHANNEL, target=named.id)
