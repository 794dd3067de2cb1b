"""The policy at work: before a call is asked about, and again at the click."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from agent.approval import (
    ABOUT_TURN,
    ALWAYS_ASKED,
    CORRECTED,
    Again,
    ApprovalKind,
    ApprovalPolicy,
    ApprovalRequest,
    Decision,
    DecisionRecord,
    OnExpiry,
    Requirement,
)
from agent.ids import ApprovalId, ChannelId, ThreadId, thread_parts
from agent.plan.operations import digest_of
from agent.policy.facts import CallFacts, RunCounts
from agent.policy.rules import Assessed, Effect, PolicySet

MOST_EXPIRIES = 3
"""How often a call is asked about anew because nobody decided in time."""

_NO_WORDS = "a rule of this workspace refuses it"


class CallCounts(Protocol):
    """Counts what a run has done."""

    async def of(self, request: ApprovalRequest) -> RunCounts:
        """Return the counts of the request's run, without the request itself."""
        ...


class ChannelNames(Protocol):
    """Knows channels by name."""

    async def name_of(self, thread: ThreadId) -> str | None:
        """Return the name of the thread's channel, empty for a direct message; None: it could not be learnt soon."""
        ...


@dataclass(frozen=True, kw_only=True)
class RefusedCall:
    """The policy refuses a call."""

    rule: str
    #: For people and the model.
    words: str


Posed: TypeAlias = ApprovalRequest | RefusedCall


class CallPolicy:
    """Says what a call takes. `source` returns the policy as it is now."""

    def __init__(
        self,
        source: Callable[[], PolicySet],
        counts: CallCounts,
        names: ChannelNames,
        now: Callable[[], datetime],
    ) -> None:
        self._source = source
        self._counts = counts
        self._names = names
        self._now = now

    def of(self, request: ApprovalRequest) -> ApprovalPolicy:
        """Return who may decide the request now, as it was posted."""
        return self._source().table.of(request)

    async def posed(self, request: ApprovalRequest, known: Mapping[ApprovalId, DecisionRecord]) -> Posed:
        """Return the request with what it takes, or why nobody is asked.

        A request that stands in `known` keeps its requirement. One that expired and is to be asked again, or whose
        approval does not count any more, gets another id.
        """
        number, again = 0, None
        asked = request
        while (record := known.get(asked.id)) is not None:
            if (why := await self._void(asked, record)) is None:
                return replace(asked, requirement=record.requirement)
            number, again = number + 1, why
            asked = _anew(request, number)
        assessed = await self._assess(asked)
        if (refused := _refused(asked, assessed)) is not None:
            return refused
        return replace(asked, requirement=replace(assessed.requirement, round=number, again=again))

    async def today(self, request: ApprovalRequest) -> Requirement | RefusedCall:
        """Return what the request would take if it were asked now."""
        assessed = await self._assess(request)
        return _refused(request, assessed) or assessed.requirement

    async def still_counts(self, request: ApprovalRequest, record: DecisionRecord) -> bool:
        """Return whether the answer is final; False: the call is to be asked about anew."""
        return await self._void(request, record) is None

    async def _void(self, request: ApprovalRequest, record: DecisionRecord) -> Again | None:
        """Return why the request is asked once more, if it is."""
        requirement = record.requirement
        if requirement is None:
            return None
        if record.decision is Decision.EXPIRED:
            asks = requirement.on_expiry is OnExpiry.AGAIN and requirement.round < MOST_EXPIRIES
            return Again.EXPIRED if asks else None
        if record.decision is not Decision.APPROVED or record.kind is not ApprovalKind.APPROVE:
            return None
        age = requirement.approval_age_minutes
        if age is not None and record.at is not None and self._now() - record.at > timedelta(minutes=age):
            return Again.TOO_OLD
        if requirement.allowed and record.by is None:
            now = (await self._assess(request)).requirement
            return None if now.allowed else Again.NOT_ALLOWED
        return None

    async def _assess(self, request: ApprovalRequest) -> Assessed:
        policy = self._source()
        _, channel, _ = thread_parts(request.thread)
        by_rules = bool(policy.rules) and request.kind not in ABOUT_TURN
        facts = CallFacts(
            tool=request.tool,
            args=request.args,
            author=request.author,
            channel=ChannelId(channel),
            channel_name=await self._names.name_of(request.thread) if by_rules else None,
            reversibility=str(request.facts.get("reversibility", "final")),
            outside=bool(request.facts.get("outside", False)),
            counts=await self._counts.of(request) if by_rules else RunCounts(),
            now=self._now(),
        )
        always = request.tool in ALWAYS_ASKED or CORRECTED in request.facts
        may_allow = request.kind is ApprovalKind.APPROVE and not always
        return policy.assess(facts, may_allow=may_allow)


def _anew(request: ApprovalRequest, number: int) -> ApprovalRequest:
    """Return the request under another id; its first half names node and kind, as always."""
    digest = digest_of([request.digest, request.attempt, number])
    return replace(request, id=ApprovalId(f"{request.id[:16]}{digest[:16]}"))


def _refused(request: ApprovalRequest, assessed: Assessed) -> RefusedCall | None:
    """Return how the policy refuses the call; what became of one that was started is asked in any case."""
    if assessed.effect is not Effect.REFUSE or request.kind is not ApprovalKind.APPROVE or assessed.rule is None:
        return None
    return RefusedCall(rule=assessed.rule.name, words=assessed.rule.words or _NO_WORDS)
