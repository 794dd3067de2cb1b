"""The policy at the click: what a request takes is what it took when it was posted, and what it would take today."""

from dataclasses import replace

from agent.approval import Requirement
from agent.policy.call_policy import CallPolicy, RefusedCall
from agent.policy.requirement import combined
from bot.ports import ApprovalView, Requirements


class ClickPolicy:
    """Applies today's policy to a request that somebody is about to approve."""

    def __init__(self, policy: CallPolicy, requirements: Requirements) -> None:
        self._policy = policy
        self._requirements = requirements

    async def today(self, view: ApprovalView) -> ApprovalView | RefusedCall | None:
        """Return the request with what it takes by now; None when that changed this very moment.

        A policy that has become stricter is stored with the request, and the approvals so far do not count any more.

        Raises:
            AgentError: the policy's facts or the request cannot be read; nobody may approve then.
        """
        request = view.request
        today = await self._policy.today(view.asked)
        if isinstance(today, RefusedCall):
            return today
        posted = request.requirement or Requirement(stages=(self._policy.of(request),))
        needed = combined(posted, today)
        if needed == posted:
            return view
        if not await self._requirements.tighten(view, needed):
            return None
        return replace(view, request=replace(request, requirement=needed), votes=())
