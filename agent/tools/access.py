"""Which tools a person may use in a channel: those of its list, and of the tools of groups those of their own.

`*` in a list stands for any characters. A tool that a group's list names is only for people of such a group; everybody
may use all others. The plan that a model writes is held to it, and so is each call, whoever it is made for.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Protocol

from agent.ids import ChannelId, ThreadId, ToolName, UserId, thread_parts
from agent.plan.outcomes import NOT_ALLOWED, Failed
from agent.policy.rules import matches_tool


class GroupsOf(Protocol):
    """Knows in which user groups people are."""

    async def __call__(self, user: UserId, among: AbstractSet[str], *, fresh: bool) -> AbstractSet[str]:
        """Return those of the groups in which a person is, now if `fresh`; in doubt fewer. Raises nothing."""
        ...


@dataclass(frozen=True, kw_only=True)
class AccessRules:
    """The lists of the configuration."""

    #: What may be used in a channel that has a list.
    channels: Mapping[ChannelId, Sequence[str]] = field(default_factory=dict[ChannelId, Sequence[str]])
    #: What may be used in all others; None: everything.
    elsewhere: Sequence[str] | None = None
    #: User group -> the tools that only groups have which name them.
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])

    def here(self, channel: ChannelId, tool: ToolName) -> bool:
        """Return whether the tool may be used in the channel at all."""
        names = self.channels.get(channel, self.elsewhere)
        return names is None or _is_named(tool, names)

    def groups_with(self, tool: ToolName) -> frozenset[str]:
        """Return the groups that have the tool for themselves; none: it is everybody's."""
        return frozenset(group for group, names in self.groups.items() if _is_named(tool, names))


def _is_named(tool: ToolName, names: Iterable[str]) -> bool:
    return any(matches_tool(name, tool) for name in names)


class ToolAccess:
    """Says what a person may use, from the lists and from the groups that they are in."""

    def __init__(self, rules: AccessRules, groups_of: GroupsOf) -> None:
        self.rules = rules
        self._groups_of = groups_of

    async def usable(
        self, thread: ThreadId, author: UserId, tools: Iterable[ToolName], *, fresh: bool = False
    ) -> frozenset[ToolName]:
        """Return those of the tools that the person may use in the thread's channel; `fresh`: as of now."""
        channel = thread_parts(thread).channel
        here = [tool for tool in tools if self.rules.here(channel, tool)]
        wanted = {tool: self.rules.groups_with(tool) for tool in here}
        asked = frozenset[str]().union(*wanted.values())
        theirs = await self._groups_of(author, asked, fresh=fresh) if asked else frozenset[str]()
        return frozenset(tool for tool, groups in wanted.items() if not groups or groups & theirs)

    async def refusal(
        self, thread: ThreadId, author: UserId, tools: Iterable[ToolName], *, fresh: bool
    ) -> Failed | None:
        """Return how a step with these tools fails; None when its author may use all of them."""
        tools = list(tools)
        usable = await self.usable(thread, author, tools, fresh=fresh)
        refused = next((tool for tool in tools if tool not in usable), None)
        if refused is None:
            return None
        if not self.rules.here(thread_parts(thread).channel, refused):
            return Failed(error=NOT_ALLOWED, message=f"{refused} may not be used in this channel")
        return Failed(error=NOT_ALLOWED, message=f"only people of certain groups may use {refused}")
