"""Approval policy: who may decide a question. Pure; the facts are read fresh at the click.

Doubt refuses: a fact that could not be learnt (None) counts against the person.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType, TypeAlias

from agent.ids import ToolName, UserId

GroupId = NewType("GroupId", str)
"""A Slack user group's id (`S...`)."""


@dataclass(frozen=True, kw_only=True)
class ApprovalPolicy:
    """Who may decide.

    `users` and `groups` add up. When neither is configured (None) the author of the operation and
    the full members of the channel may; configured but empty means nobody. Without
    `self_approval` an author never approves their own operation, whatever the lists say.
    Only a quorum of 1 exists so far.
    """

    self_approval: bool = True
    users: AbstractSet[UserId] | None = None
    groups: AbstractSet[GroupId] | None = None
    quorum: int = 1

    def __post_init__(self) -> None:
        if self.quorum != 1:
            raise ValueError(f"a quorum of {self.quorum} is not available; only 1 is")


@dataclass(frozen=True, kw_only=True)
class Policies:
    """The policy of each tool, and the one for all others."""

    default: ApprovalPolicy = field(default_factory=ApprovalPolicy)
    by_tool: Mapping[ToolName, ApprovalPolicy] = field(default_factory=dict[ToolName, ApprovalPolicy])

    def of(self, tool: ToolName) -> ApprovalPolicy:
        """Return the policy of a tool, or of a node kind that wants approval."""
        return self.by_tool.get(tool, self.default)


@dataclass(frozen=True, kw_only=True)
class Clicker:
    """The person who clicked, as Slack described them just now. None: could not be learnt.

    `is_full_member` is false for guests, bots, deactivated people and people of another
    organisation. `groups` are those of the policy's groups that the person is in.
    """

    user: UserId
    is_full_member: bool | None
    in_channel: bool | None
    groups: AbstractSet[str] | None


class Refusal(StrEnum):
    """Why a person may not decide; `bot/wording.py` has the words."""

    NOT_A_MEMBER = "not_a_member"
    UNKNOWN_PERSON = "unknown_person"
    NOT_IN_CHANNEL = "not_in_channel"
    NOT_AN_APPROVER = "not_an_approver"
    OWN_REQUEST = "own_request"
    NOBODY = "nobody"


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """The person may decide."""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The person may not decide."""

    reason: Refusal


Permission: TypeAlias = Allowed | Refused


def may_decide(policy: ApprovalPolicy, author: UserId, clicker: Clicker, *, approving: bool = True) -> Permission:
    """Return whether the clicker may decide a question about an operation of `author`.

    `approving` is false for a no: an author may always take back what they asked for.
    """
    if (refusal := _refusal(policy, author, clicker, approving=approving)) is not None:
        return Refused(reason=refusal)
    return Allowed()


def _refusal(policy: ApprovalPolicy, author: UserId, clicker: Clicker, *, approving: bool) -> Refusal | None:
    if clicker.is_full_member is None:
        return Refusal.UNKNOWN_PERSON
    if not clicker.is_full_member:
        return Refusal.NOT_A_MEMBER
    if clicker.user == author:
        if not approving:
            return None
        if not policy.self_approval:
            return Refusal.OWN_REQUEST
    if policy.users is None and policy.groups is None:
        return _channel_refusal(author, clicker)
    return _list_refusal(policy.users or frozenset(), policy.groups or frozenset(), clicker)


def _channel_refusal(author: UserId, clicker: Clicker) -> Refusal | None:
    if clicker.user == author or clicker.in_channel:
        return None
    return Refusal.UNKNOWN_PERSON if clicker.in_channel is None else Refusal.NOT_IN_CHANNEL


def _list_refusal(users: AbstractSet[UserId], groups: AbstractSet[GroupId], clicker: Clicker) -> Refusal | None:
    if clicker.user in users:
        return None
    if not users and not groups:
        return Refusal.NOBODY
    if groups and clicker.groups is None:
        return Refusal.UNKNOWN_PERSON
    return None if groups & (clicker.groups or frozenset()) else Refusal.NOT_AN_APPROVER
