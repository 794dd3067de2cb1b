"""`[channels.ID]` and `[groups.ID]` of the configuration file: which tools may be used where and by whom, and how."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from agent.ids import ChannelId
from agent.tools.access import AccessRules
from infra.config.policy import known_pattern

ELSEWHERE = "default"
"""The key of `[channels]` for every channel that has no table, direct messages included."""

_Pattern = Annotated[str, AfterValidator(known_pattern)]

ChannelKey = Annotated[str, StringConstraints(pattern=rf"^([CGD][A-Z0-9]{{2,20}}|{ELSEWHERE})$")]
GroupKey = Annotated[str, StringConstraints(pattern=r"^S[A-Z0-9]{2,20}$")]


class ChannelTable(BaseModel):
    """`[channels.C0123]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: How work is to be done there, for the models.
    instructions: Annotated[str, StringConstraints(max_length=4_000, strip_whitespace=True)] = ""
    #: The tools that may be used there, `*` stands for any characters; None: all of them.
    tools: tuple[_Pattern, ...] | None = None


class GroupTable(BaseModel):
    """`[groups.S0123]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Tools that only people of this group, and of others which name them, may use.
    tools: tuple[_Pattern, ...] = ()


def access_rules(channels: Mapping[str, ChannelTable], groups: Mapping[str, GroupTable]) -> AccessRules:
    """Return the rules of the tables."""
    elsewhere = channels.get(ELSEWHERE, ChannelTable()).tools
    listed = {
        ChannelId(name): table.tools
        for name, table in channels.items()
        if name != ELSEWHERE and table.tools is not None
    }
    return AccessRules(
        channels=listed, elsewhere=elsewhere, groups={name: table.tools for name, table in groups.items()}
    )
